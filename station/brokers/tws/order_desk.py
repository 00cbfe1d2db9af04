"""Orders as the wire knows them: a client, its order id and a permanent id, against our order reference."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from station.brokers.tws.answers import Message, order_status, venue_time
from station.brokers.tws.order_answer import OrderIds, completed_order, open_order, status_name
from station.brokers.tws.order_request import PlaceOrder
from station.domain.broker import OpenOrder, OrderNotice, OrderStatus
from station.domain.clock import MILLISECOND
from station.domain.errors import Refused
from station.domain.instruments import Contract
from station.domain.orders import (
    ZERO,
    Action,
    Execution,
    OcaType,
    OrderKind,
    OrderState,
    Purpose,
    Ticket,
    Tif,
)

NOBODY = -1
CHANGE_REFUSED = frozenset({104, 105, 110, 201, 321, 329})


@dataclass(slots=True)
class WireOrder:
    """One order on the wire. `echo` is the reference as its client wrote it; ours is the ticket's."""

    ticket: Ticket
    client_id: int
    order_id: int
    echo: str
    parent_id: int = 0
    perm_id: int = 0
    state: OrderState = OrderState.PENDING
    filled: Decimal = ZERO
    executed: Decimal = ZERO
    value: Decimal = ZERO
    last_price: Decimal = ZERO
    before_change: Ticket | None = None
    ended_ns: int = 0
    told: int = 0
    cancel_told: bool = False
    held_back: list[Message] = field(default_factory=list[Message])

    @property
    def average(self) -> Decimal:
        return self.value / self.executed if self.executed else ZERO

    def fill(self, execution: Execution) -> None:
        self.executed += execution.qty
        self.filled = max(self.filled, self.executed)
        self.value += execution.qty * execution.price
        self.last_price = execution.price
        self.perm_id = self.perm_id or execution.perm_id

    def messages(self, *, perm_id: int | None = None) -> tuple[Message, Message]:
        """openOrder and orderStatus as of now."""
        perm = self.perm_id if perm_id is None else perm_id
        ids = OrderIds(self.order_id, max(self.client_id, 0), perm, self.parent_id)
        name = status_name(self.state, self.ticket.kind)
        remaining = max(self.ticket.qty - self.filled, ZERO)
        return (
            open_order(replace(self.ticket, order_ref=self.echo), ids, name),
            order_status(
                self.order_id, name, self.filled, remaining, self.average, perm, self.parent_id,
                self.last_price, ids.client_id,
            ),
        )  # fmt: skip

    def completed(self) -> Message:
        """completedOrder, for one that has ended."""
        ticket = replace(self.ticket, order_ref=self.echo)
        name = status_name(self.state, ticket.kind)
        return completed_order(ticket, self.perm_id, name, self.filled, venue_time(self.ended_ns))


class OrderDesk:
    """Every order seen on the wire or found at the broker, by reference and by (client, order id)."""

    def __init__(self) -> None:
        self.by_ref: dict[str, WireOrder] = {}
        self._by_key: dict[tuple[int, int], WireOrder] = {}
        self._owner_of_fill: dict[str, str] = {}

    def add(self, order: WireOrder) -> WireOrder:
        self.by_ref[order.ticket.order_ref] = order
        self._by_key[order.client_id, order.order_id] = order
        return order

    def get(self, client_id: int, order_id: int) -> WireOrder | None:
        return self._by_key.get((client_id, order_id))

    def next_id(self) -> int:
        """Above every order id ever used here, whoever used it."""
        return 1 + max((order.order_id for order in self.by_ref.values()), default=0)

    def first_free(self, client_id: int) -> int:
        """The lowest order id that this client may still use for a new order."""
        used = (order.order_id for order in self.by_ref.values() if order.client_id == client_id)
        return 1 + max(used, default=0)

    def adopt(self, found: OpenOrder) -> WireOrder | None:
        """The wire order of one the broker holds; None for one it cannot describe."""
        held = self.by_ref.get(found.order_ref)
        if held is None:
            if found.ticket is None:
                return None
            held = self.add(WireOrder(found.ticket, NOBODY, found.broker_id, found.order_ref))
        held.state, held.perm_id = found.state, found.perm_id or held.perm_id
        held.filled = max(held.filled, found.filled)
        if found.ticket is not None:
            held.ticket = found.ticket
        return held

    def bind(self, client_id: int) -> None:
        """Orders that outlived the server belong to the first client that comes back for them."""
        for key in [key for key in self._by_key if key[0] == NOBODY]:
            order = self._by_key.pop(key)
            order.client_id = client_id
            self._by_key[client_id, order.order_id] = order

    def apply(self, status: OrderStatus) -> WireOrder | None:
        order = self.by_ref.get(status.order_ref)
        if order is not None:
            order.state, order.before_change = status.state, None
            if status.state.is_terminal:
                order.ended_ns = status.at_ns
            order.perm_id = status.perm_id or order.perm_id
            order.filled = max(order.filled, status.filled)
            total = status.filled + status.remaining
            if total > 0 and total != order.ticket.qty:
                order.ticket = replace(order.ticket, qty=total)
        return order

    def refused(self, notice: OrderNotice) -> WireOrder | None:
        """The order a notice is about; after a refused change it is what it was before (FAULTS 14)."""
        order = self.by_ref.get(notice.order_ref)
        if order is not None and notice.code in CHANGE_REFUSED and order.before_change is not None:
            order.ticket, order.before_change = order.before_change, None
        return order

    def executed(self, execution: Execution) -> WireOrder | None:
        """The order that was filled; an execution seen before changes nothing and has no order here."""
        if execution.exec_id in self._owner_of_fill:
            return None
        self._owner_of_fill[execution.exec_id] = execution.order_ref
        order = self.by_ref.get(execution.order_ref)
        if order is not None:
            order.fill(execution)
        return order

    def owner_of_fill(self, exec_id: str) -> WireOrder | None:
        return self.by_ref.get(self._owner_of_fill.get(exec_id, ""))


def reference(request: PlaceOrder, client_id: int, desk: OrderDesk, at_ns: int) -> str:
    """Our unique reference: the client's own where it has one that is new, else one made of its ids."""
    if request.order_ref and request.order_ref not in desk.by_ref:
        return request.order_ref
    return f"API-{client_id}-{request.order_id}-{at_ns // MILLISECOND}"


def ticket_of(request: PlaceOrder, contract: Contract, order_ref: str, account: str, parent_ref: str) -> Ticket:
    """The order in our terms. Raises Refused with TWS's code for what cannot be traded here."""
    kind = next((kind for kind in OrderKind if kind.value == request.order_type), None)
    tif = next((tif for tif in Tif if tif.value == (request.tif or "DAY")), None)
    if request.exotic:
        raise Refused("321", f"orders with {request.exotic} are not supported; send a plain order")
    if kind is None:
        raise Refused("387", f"order type {request.order_type!r} is not supported: MKT, LMT, STP, STP LMT")
    if tif is None:
        raise Refused("328", f"time in force {request.tif!r} is not supported: DAY or GTC")
    if request.action not in ("BUY", "SELL"):
        raise Refused("321", f"action {request.action!r} is not BUY or SELL")
    if request.qty <= 0 or request.qty != request.qty.to_integral_value():
        raise Refused("434", f"order size {request.qty} must be a whole number above zero")
    limited = kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT)
    stopped = kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
    if (limited and request.limit is None) or (stopped and request.aux is None):
        raise Refused("321", f"a {kind.value} order needs its {'limit' if limited else 'stop'} price")
    return Ticket(
        order_ref, account, contract, Action(request.action), request.qty, kind,
        _purpose(request, kind), request.limit if limited else None, request.aux if stopped else None,
        tif, request.oca_group, _oca_type(request.oca_type), parent_ref, request.outside_rth,
    )  # fmt: skip


def _oca_type(number: int) -> OcaType:
    return OcaType(number) if number in (1, 2, 3) else OcaType.REDUCE_WITH_BLOCK


def _purpose(request: PlaceOrder, kind: OrderKind) -> Purpose:
    """The wire says no purpose: the reference's leg tells for orders of a station, the side for others."""
    parts = request.order_ref.split("-")
    leg = parts[-2] if len(parts) >= 5 and parts[0] == "V1" else ""
    if leg == "E" or (leg != "X" and request.action == "BUY" and not request.parent_id):
        return Purpose.ENTRY
    return {OrderKind.LIMIT: Purpose.TARGET, OrderKind.MARKET: Purpose.CLOSE}.get(kind, Purpose.STOP)
