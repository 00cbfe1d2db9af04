"""Orders as the log says them: the one definition of `(order, event) → order`.

The desk commits its result, the rebuild must arrive at the same rows.

What each event decides of an Order:

=================  ====================================================================================
EntrySubmitted     a new PENDING order: ticket, trade id, side (of the contract's right), created, decision
                   price and mid
EntryModified      the ticket as last sent
ExitSubmitted      the same as EntrySubmitted
ExitModified       the ticket as last sent, decision price and mid
ExecutionBooked    filled, average price, and the state `domain.orders.filled` gives it; a fill in PENDING
                   synthesises the acknowledgement
OrderReduced       the ticket's quantity
OrderMoved         state where the step is legal, broker and permanent id where given, reason where given
CancelRequested    the cancel's cause
=================  ====================================================================================

Each sets `updated_ns`. Every other event (EntryEnded, CommissionBooked, OrderNoticed …) changes no order. An
execution's own permanent id is not on the log, so it stays with the fill and never moves to the order.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from station.domain.changed import changed
from station.domain.errors import IllegalTransition
from station.domain.events import (
    CancelRequested,
    CommissionBooked,
    EntryEnded,
    EntryModified,
    EntrySubmitted,
    Event,
    ExecutionBooked,
    ExitModified,
    ExitSubmitted,
    OrderMoved,
    OrderNoticed,
    OrderReduced,
    Recorded,
)
from station.domain.instruments import Contract, Right, Side
from station.domain.orders import ZERO, Execution, Order, Ticket, filled, moved, new_order, trade_of

_VALUE_STEP: Final = Decimal("1e-12")
"""Finer than any quantity × price, coarser than the rounding of an average (28 digits)."""


def order_ref_of(event: Event) -> str:
    """The reference of the order an event speaks of, empty where it speaks of none."""
    match event:
        case EntrySubmitted() | EntryModified() | ExitSubmitted() | ExitModified():
            return event.ticket.order_ref
        case (
            ExecutionBooked() | OrderMoved() | OrderReduced() | CancelRequested() | OrderNoticed()
            | CommissionBooked() | EntryEnded()
        ):  # fmt: skip
            return event.order_ref
        case _:
            return ""


def project_order(order: Order | None, recorded: Recorded) -> Order | None:
    """The order after `recorded`, which must speak of it (`order_ref_of`); None where no order of ours exists.

    An illegal move leaves the order as it is, so replaying is total. Raises IllegalTransition for a second
    intent under one reference, the one thing that must never have been committed.
    """
    event, at_ns = recorded.event, recorded.at_ns
    if isinstance(event, EntrySubmitted | ExitSubmitted):
        if order is not None:
            raise IllegalTransition(f"order {order.ref} begins twice: {event.type} in {order.state.value}")
        return _submitted(event, recorded.trade_id, at_ns)
    if order is None:
        return None
    match event:
        case EntryModified():
            return changed(order, ticket=event.ticket, updated_ns=at_ns)
        case ExitModified():
            return changed(
                order, ticket=event.ticket, decision_price=event.decision_price,
                decision_mid=event.decision_mid, updated_ns=at_ns,
            )  # fmt: skip
        case ExecutionBooked():
            return _booked(order, event, at_ns)
        case OrderMoved():
            return _moved(order, event, at_ns)
        case OrderReduced():
            return changed(order, ticket=replace(order.ticket, qty=event.qty), updated_ns=at_ns)
        case CancelRequested():
            return changed(order, cancel_cause=event.cause, updated_ns=at_ns)
        case _:
            return order


def _submitted(event: EntrySubmitted | ExitSubmitted, trade_id: str, at_ns: int) -> Order:
    ticket: Ticket = event.ticket
    order = new_order(ticket, trade_id or trade_of(ticket.order_ref) or "", at_ns)
    return changed(
        order, side=_side(ticket.contract), decision_price=event.decision_price,
        decision_mid=event.decision_mid,
    )  # fmt: skip


def _side(contract: Contract) -> Side | None:
    if contract.right is None:
        return None
    return Side.CALL if contract.right is Right.CALL else Side.PUT


def _moved(order: Order, event: OrderMoved, at_ns: int) -> Order:
    """A repeated state only adds what was newly said (ids, a reason); an illegal one says nothing at all."""
    there = order if event.state is order.state else moved(order, event.state, at_ns)
    if there is None:
        return order
    known = changed(
        order, state=there.state, broker_id=event.broker_id or order.broker_id,
        perm_id=event.perm_id or order.perm_id, reason=event.reason or order.reason,
        ack_synthesised=order.ack_synthesised or event.ack_synthesised,
    )  # fmt: skip
    return order if known == order else changed(known, updated_ns=at_ns)


def _booked(order: Order, event: ExecutionBooked, at_ns: int) -> Order:
    """`filled` over what was booked before, the new fill, and a correction's withdrawal of the old one.

    The value so far is recovered exactly from the average, whose rounding is below the step.
    """
    before = (order.avg_price * order.filled).quantize(_VALUE_STEP)
    qty, replaced = event.qty, event.replaces_qty
    value = before + qty * event.price - replaced * event.replaces_price
    total = order.filled + qty - replaced
    known = filled(
        order,
        (_part(order, order.filled, order.avg_price), _part(order, qty, event.price),
         _part(order, -replaced, event.replaces_price)),
        at_ns,
    )  # fmt: skip
    return changed(known, filled=total, avg_price=plain(value / total) if total else ZERO)


def _part(order: Order, qty: Decimal, price: Decimal) -> Execution:
    ticket = order.ticket
    return Execution("", ticket.order_ref, ticket.account, ticket.contract, ticket.action, qty, price, 0)


def plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros or a positive exponent: `3.10` is 3.1, `1E+2` is 100."""
    short = number.normalize()
    exponent = short.as_tuple().exponent
    return short.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else short
