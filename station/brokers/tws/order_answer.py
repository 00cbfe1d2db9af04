"""openOrder, the longest message the server sends, and the names TWS gives to order states."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from station.brokers.tws.answers import Message, contract_fields
from station.domain.broker import Margin
from station.domain.orders import OrderKind, OrderState, Ticket

STATUS_NAMES: Final = {
    OrderState.PENDING: "PendingSubmit",
    OrderState.SUBMITTED: "Submitted",
    OrderState.PARTIALLY_FILLED: "Submitted",
    OrderState.FILLED: "Filled",
    OrderState.CANCELLED: "Cancelled",
    OrderState.REJECTED: "Inactive",
    OrderState.EXPIRED: "Cancelled",
    OrderState.UNKNOWN: "PendingSubmit",
}


@dataclass(frozen=True, slots=True)
class OrderIds:
    """Who an order belongs to on the wire. `parent_id` is 0 outside a bracket."""

    order_id: int
    client_id: int
    perm_id: int
    parent_id: int = 0


def status_name(state: OrderState, kind: OrderKind) -> str:
    """TWS's word for the state; a resting stop is held by IBKR's own system and says PreSubmitted."""
    if state is OrderState.SUBMITTED and kind in (OrderKind.STOP, OrderKind.STOP_LIMIT):
        return "PreSubmitted"
    return STATUS_NAMES[state]


def open_order(ticket: Ticket, ids: OrderIds, status: str, margin: Margin | None = None) -> Message:
    """The whole message for one of our orders; with `margin` it answers a what-if."""
    return (*_head(ticket, ids), *_middle(ticket, ids), *_state(status, margin), *_tail())


def _head(ticket: Ticket, ids: OrderIds) -> Message:
    return (
        5, ids.order_id, *contract_fields(ticket.contract), ticket.action.value, ticket.qty,
        ticket.kind.value, _price(ticket.limit), _price(ticket.stop), ticket.tif.value, ticket.oca_group,
        ticket.account, "O", 0, ticket.order_ref, ids.client_id, ids.perm_id, ticket.outside_rth, False,
        0, "", "", "", "", "",
    )  # fmt: skip


def _price(price: Decimal | None) -> Decimal | str:
    return "0.0" if price is None else price


def _middle(ticket: Ticket, ids: OrderIds) -> Message:
    model_to_exempt: Message = ("", "", "", "", "", 0, "", -1)
    auction_to_display: Message = (0, "", "", "", "", "", 0)
    block_to_min_qty: Message = (False, False, False, "")
    oca_type = ticket.oca_type.value if ticket.oca_group else 0
    volatility_to_basis: Message = ("", "", "", "", False, "", "", "", "", "")
    no_combo: Message = ("", 0, 0, 0)
    no_scale_no_hedge: Message = ("", "", "", "")
    clearing_to_algo: Message = (False, "", "IB", False, 0, "")
    return (
        *model_to_exempt, *auction_to_display, *block_to_min_qty, oca_type, False, False, "",
        ids.parent_id, 0, *volatility_to_basis, *no_combo, *no_scale_no_hedge, *clearing_to_algo,
        False,
    )  # fmt: skip


def _state(status: str, margin: Margin | None) -> Message:
    if margin is None:
        return (False, status, *("",) * 9, "", "", "", "", "", False, False, 0)
    zero = Decimal(0)
    before: Message = (zero, zero, zero)
    change: Message = (margin.initial, margin.maintenance, zero)
    return (
        True, status, *before, *change, margin.initial, margin.maintenance, zero,
        margin.commission, "", "", "USD", "", False, False, 0,
    )  # fmt: skip


def _tail() -> Message:
    adjusted: Message = ("None", "", "", "", "", "", "", 0, "", "", "")
    flags: Message = ("", False, False, False, False, "", "", False)
    return (*adjusted, *flags, "", "", "", "", "")


def completed_order(ticket: Ticket, perm_id: int, status: str, filled: Decimal, ended: str) -> Message:
    """The whole message for an order that has ended; `ended` as TWS prints the time."""
    head: Message = (
        101, *contract_fields(ticket.contract), ticket.action.value, ticket.qty, ticket.kind.value,
        _price(ticket.limit), _price(ticket.stop), ticket.tif.value, ticket.oca_group, ticket.account, "O", 0,
        ticket.order_ref, perm_id, ticket.outside_rth, False, 0, "", "", "", "",
    )  # fmt: skip
    model_to_exempt: Message = ("", "", "", "", "", 0, "", -1)
    prices_to_size: Message = ("", "", "", "", "", 0, False, False, "")
    oca_to_basis: Message = (
        ticket.oca_type.value if ticket.oca_group else 0, 0, "", "", "", "", False, "", "", "",
    )  # fmt: skip
    no_combo_scale_hedge: Message = ("", 0, 0, 0, "", "", "", "")
    clearing_to_conditions: Message = ("", "IB", False, 0, "", False, status, False, False, 0)
    trail_to_parent: Message = ("", "", "", False, False, "", filled, 0, False, "", False, False, 0)
    return (
        *head, *model_to_exempt, *prices_to_size, *oca_to_basis, *no_combo_scale_hedge,
        *clearing_to_conditions, *trail_to_parent, ended, status, "", "", "", "", "",
    )  # fmt: skip
