"""Working orders as a screen shows them: the orders' part of the floor, and the exits of one position."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from station.domain.instruments import TickRule
from station.domain.orders import Action, Order, OrderKind, OrderState, together
from station.domain.trade import Trade
from station.engine.rooms import Rooms
from station.link.floor import ExitRow, Orders, WorkingOrder

_CHANGEABLE = (OrderState.SUBMITTED, OrderState.PARTIALLY_FILLED)
CANCELLING: Final = "cancelling"
"""What an exit is that the broker still works and was asked to cancel."""


def working_orders(rooms: Rooms) -> Orders:
    """Every order of ours that works, oldest first."""
    found = sorted(rooms.ledger.book.working(), key=lambda order: (order.created_ns, order.ref))
    return Orders(tuple(_row(order, rooms) for order in found))


def _row(order: Order, rooms: Rooms) -> WorkingOrder:
    ticket = order.ticket
    return WorkingOrder(
        order.ref, order.trade_id, ticket.contract.label, ticket.contract.symbol, ticket.purpose.value,
        ticket.action.value, ticket.kind.value, ticket.qty, order.filled, ticket.limit, ticket.stop,
        order.state.value, order.created_ns, may_modify(order, rooms),
        not ticket.purpose.is_exit and not order.cancel_cause,
    )  # fmt: skip


def may_modify(order: Order, rooms: Rooms) -> bool:
    """Whether a hand may change it now: the broker has it, and nothing is on its way to it."""
    book = rooms.ledger.book
    priced = order.ticket.kind is not OrderKind.MARKET
    still = order.ref not in book.unchangeable and not book.is_changing(order.ref) and not order.cancel_cause
    return priced and still and order.state in _CHANGEABLE


def exit_rows(exits: Sequence[Order]) -> tuple[ExitRow, ...]:
    """The exits of a position, those that take the nearest price first."""
    return tuple(
        ExitRow(
            order.ref, order.ticket.action.value, order.ticket.kind.value, order.ticket.qty, order.filled,
            order.ticket.limit, order.ticket.stop,
            CANCELLING.upper() if _is_cancelling(order) else order.state.value,
        )
        for order in sorted(exits, key=_nearest)
    )  # fmt: skip


def _nearest(order: Order) -> tuple[bool, Decimal, str]:
    price = order.ticket.limit if order.ticket.limit is not None else order.ticket.stop
    return price is not None, price or Decimal(0), order.ref


def nearest_target(exits: Sequence[Order]) -> Decimal | None:
    """The lowest limit that works."""
    limits = (order.ticket.limit for order in exits if order.ticket.kind is OrderKind.LIMIT)
    return min((limit for limit in limits if limit is not None), default=None)


def stop_of(trade: Trade, exits: Sequence[Order], rule: TickRule) -> Decimal | None:
    """The stop that a hand has set, at the tick where it rests; else one that works at the broker."""
    entry = trade.entry_price
    if trade.own is not None and entry is not None and (own := trade.own.stop_at(entry)) is not None:
        return rule.down(own)
    stops = (order.ticket.stop for order in exits)
    return max((stop for stop in stops if stop is not None), default=None)


def covered(exits: Sequence[Order]) -> Decimal:
    """How much the working exits would sell, of those that the broker has confirmed and nobody takes back."""
    sure = (order for order in exits if order.state in _CHANGEABLE and not order.cancel_cause)
    return together((order.ticket, order.remaining) for order in sure)


def is_protected(open_qty: Decimal, exits: Sequence[Order]) -> bool:
    """Whether confirmed exits stand for all that is open; of what was sold too much, those that buy it back."""
    way = Action.SELL if open_qty >= 0 else Action.BUY
    return abs(open_qty) <= covered([order for order in exits if order.ticket.action is way])


def leaving(trade: Trade) -> str:
    """What a hand has asked for and is not done."""
    if trade.open_qty <= 0:
        return ""
    if trade.reversal is not None:
        return "reversing"
    if trade.closing is not None:
        return "closing"
    return f"closing {trade.leaving:f}" if trade.leaving > 0 else ""


def standing(exits: Sequence[Order]) -> str:
    """What works at the broker, in words: `sell 5.20 live`, of a ladder `sell 2 @ 5.20 live, 1 @ 5.90 live`."""
    ordered = sorted(exits, key=_nearest)
    if not ordered:
        return ""
    action = ordered[0].ticket.action.value.lower()
    if len(ordered) == 1:
        return f"{action} {_kind(ordered[0])}{_price(ordered[0])} {_state(ordered[0])}"
    return f"{action} " + ", ".join(f"{_kind(o)}{o.remaining:f} @ {_price(o)} {_state(o)}" for o in ordered)


def _kind(order: Order) -> str:
    return "stop " if order.ticket.stop is not None else ""


def _price(order: Order) -> str:
    price = order.ticket.limit if order.ticket.limit is not None else order.ticket.stop
    return f"{price}" if price is not None else order.ticket.kind.value


def _is_cancelling(order: Order) -> bool:
    return bool(order.cancel_cause) and order.state in _CHANGEABLE


def _state(order: Order) -> str:
    if _is_cancelling(order):
        return CANCELLING
    return {OrderState.PENDING: "sent", OrderState.UNKNOWN: "UNKNOWN"}.get(order.state, "live")
