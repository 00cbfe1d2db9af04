"""Our references against TWS's ids, and what TWS says of orders in the domain's words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import ib_async
from ib_async.objects import CommissionReport as TheirCommission

from station.brokers.ibkr.values import ContractBook, number, plain, price
from station.domain.broker import (
    CommissionReport,
    ExecutionReport,
    NoticeReport,
    OpenOrder,
    OrderNotice,
    OrderStatus,
    Report,
)
from station.domain.clock import Clock, from_datetime
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

REJECTIONS: Final = frozenset({201, 203})
FIRST_REJECTIONS: Final = frozenset({103, 110, 200, 321, 387, 388, 434})
"""Errors after which `Inactive` means rejected (the second kind only before an acknowledgement: later they
refuse a change). Without one it may yet come back, so it is unknown."""
COMBINATION: Final = "BAG"
PROVISIONAL_FEE: Final = Decimal(10) ** 8
_DONE: Final = frozenset({"Filled", "Cancelled", "ApiCancelled"})


@dataclass(slots=True)
class Known:
    """One order of the account. `ref` is empty for one that no station placed."""

    ref: str
    order_id: int
    client_id: int
    perm_id: int = 0
    ticket: Ticket | None = None
    filled: Decimal = ZERO
    acknowledged: bool = False
    refused: bool = False
    reason: str = ""

    @property
    def seen(self) -> bool:
        """TWS has spoken of it; before that it may never have arrived, and be sent again on proof of that."""
        return self.acknowledged or self.perm_id != 0 or self.filled > 0


class OrderRoom:
    """The map survives reconnects; TWS's open orders and executions rebuild it after a restart."""

    def __init__(
        self, clock: Clock, contracts: ContractBook, client_id: int, report: Callable[[Report], None]
    ) -> None:
        self._clock = clock
        self._contracts = contracts
        self._client_id = client_id
        self._report = report
        self._by_ref: dict[str, Known] = {}
        self._by_id: dict[tuple[int, int], Known] = {}
        self._by_perm: dict[int, Known] = {}
        self._open: dict[tuple[int, int, int], tuple[ib_async.Contract, ib_async.Order, str]] | None = None
        self._fills: dict[int, list[Execution]] = {}
        self._fees: dict[str, Decimal] = {}

    def highest_id(self) -> int:
        return max((order_id for _, order_id in self._by_id), default=0)

    def get(self, order_ref: str) -> Known | None:
        return self._by_ref.get(order_ref)

    def bind(self, ticket: Ticket, order_id: int) -> Known:
        """Note that this ticket goes out under `order_id`."""
        known = Known(ticket.order_ref, order_id, self._client_id, ticket=ticket)
        self._by_ref[known.ref] = known
        self._by_id[self._client_id, order_id] = known
        return known

    def unbind(self, known: Known) -> None:
        """Forget a ticket that certainly never left."""
        self._by_ref.pop(known.ref, None)
        self._by_id.pop((known.client_id, known.order_id), None)

    # --- what TWS says -------------------------------------------------------------------------------

    def order_status(
        self, order_id: int, status: str, filled: float, remaining: float, average: float, perm_id: int,
        client_id: int, why_held: str,
    ) -> None:  # fmt: skip
        known = self._find(client_id, order_id, perm_id)
        if known is None:
            return
        self._learn(known, perm_id)
        done = number(filled) or ZERO
        known.filled = max(known.filled, done)
        left = number(remaining) or ZERO
        state = _state(status, done, left, refused=known.refused)
        if state is None:
            return
        if state in (OrderState.SUBMITTED, OrderState.PARTIALLY_FILLED):
            known.acknowledged, known.refused = True, False
        reason = known.reason if state.is_terminal else why_held
        self._report(
            OrderStatus(
                known.ref, state, done, left, self._clock.now(), known.order_id, known.perm_id, reason,
                price(average) if done else None,
            )
        )  # fmt: skip

    def open_order(self, theirs: ib_async.Contract, order: ib_async.Order, state: ib_async.OrderState) -> None:
        known = self._find(order.clientId, order.orderId, order.permId)
        if known is None or (order.orderRef and known.ref != order.orderRef):
            known = self._by_ref.get(order.orderRef) if order.orderRef else known
            if known is None:
                known = Known(order.orderRef, order.orderId, order.clientId)
            known.order_id, known.client_id = order.orderId, order.clientId
            self._by_id[order.clientId, order.orderId] = known
        if known.ref:
            self._by_ref[known.ref] = known
        self._learn(known, order.permId)
        if self._open is not None:
            self._open[order.clientId, order.orderId, order.permId] = (theirs, order, state.status)

    def executed(self, req_id: int, theirs: ib_async.Contract, fill: ib_async.Execution) -> None:
        known = self._find(fill.clientId, fill.orderId, fill.permId)
        ref = fill.orderRef or (known.ref if known is not None else "")
        if known is None and ref:
            known = self._by_ref.get(ref) or Known(ref, fill.orderId, fill.clientId)
            self._by_ref[ref] = known
            self._by_id.setdefault((fill.clientId, fill.orderId), known)
        if known is not None:
            self._learn(known, fill.permId)
        contract = self._contracts.ours(theirs)
        if contract is None:
            self._unnamed(f"execution {fill.execId}", theirs)
            return
        execution = Execution(
            fill.execId, ref, fill.acctNumber, contract, Action.BUY if fill.side == "BOT" else Action.SELL,
            number(fill.shares) or ZERO, number(fill.price) or ZERO, from_datetime(fill.time), fill.permId,
            self._fees.get(fill.execId),
        )  # fmt: skip
        if req_id == -1:
            self._report(ExecutionReport(execution))
        elif req_id in self._fills:
            self._fills[req_id].append(execution)

    def commission(self, report: TheirCommission) -> None:
        fee = number(report.commission)
        if fee is None or abs(fee) > PROVISIONAL_FEE:
            return
        self._fees[report.execId] = fee
        self._report(CommissionReport(report.execId, fee, self._clock.now()))

    def error(self, order_id: int, code: int, text: str) -> bool:
        """True where the error is about an order of this client. The library would now call it cancelled;
        here it is a notice, and the station's own state machine decides (FAULTS 8, 9, 14, 15)."""
        known = self._by_id.get((self._client_id, order_id))
        if known is None:
            return False
        known.refused |= code in REJECTIONS or (code in FIRST_REJECTIONS and not known.acknowledged)
        known.reason = f"{code} {text}"
        self._report(OrderNotice(known.ref, code, text, self._clock.now()))
        return True

    # --- collecting answers --------------------------------------------------------------------------

    def begin_open(self) -> None:
        self._open = {}

    def end_open(self) -> tuple[OpenOrder, ...]:
        """What was heard since `begin_open`, without orders that TWS itself calls done."""
        heard, self._open = self._open or {}, None
        found: list[OpenOrder] = []
        for theirs, order, status in heard.values():
            known = self._find(order.clientId, order.orderId, order.permId)
            contract = self._contracts.ours(theirs)
            if status in _DONE or known is None:
                continue
            if contract is None:
                self._unnamed(f"order {order.permId}", theirs)
                continue
            qty = number(order.totalQuantity) or ZERO
            state = _state(status, known.filled, qty - known.filled, refused=known.refused)
            known.ticket = self._ticket(order, contract, known)
            found.append(
                OpenOrder(
                    known.ref, contract, state or OrderState.PENDING, known.ticket, known.filled,
                    order.orderId, order.permId, order.clientId,
                )
            )  # fmt: skip
        return tuple(found)

    def begin_fills(self, req_id: int) -> None:
        self._fills[req_id] = []

    def end_fills(self, req_id: int) -> tuple[Execution, ...]:
        return tuple(self._fills.pop(req_id, ()))

    def _unnamed(self, what: str, theirs: ib_async.Contract) -> None:
        """Something in a contract that the domain has no name for. A combination's legs have names: each is
        executed and held by itself (FAULTS 19)."""
        each = "its legs count one by one" if theirs.secType == COMBINATION else "it is left out"
        text = f"{what} in {theirs.secType} {theirs.symbol} is not of a kind that is traded here: {each}"
        self._report(NoticeReport(0, text, self._clock.now(), theirs.symbol))

    def _find(self, client_id: int, order_id: int, perm_id: int) -> Known | None:
        known = self._by_id.get((client_id, order_id)) if order_id > 0 else None
        return known or (self._by_perm.get(perm_id) if perm_id else None)

    def _learn(self, known: Known, perm_id: int) -> None:
        if perm_id:
            known.perm_id = perm_id
            self._by_perm[perm_id] = known

    def _ticket(self, order: ib_async.Order, contract: Contract, known: Known) -> Ticket | None:
        kind = next((kind for kind in OrderKind if kind.value == order.orderType), None)
        if kind is None or order.action not in ("BUY", "SELL"):
            return None
        limited, stopped = kind in _LIMITED, kind in _STOPPED
        sent = known.ticket
        parent = self._by_id.get((order.clientId, order.parentId)) if order.parentId else None
        return Ticket(
            known.ref, order.account, contract, Action(order.action), number(order.totalQuantity) or ZERO,
            kind, sent.purpose if sent is not None else _purpose(known.ref, order, kind),
            price(order.lmtPrice) if limited else None, price(order.auxPrice) if stopped else None,
            Tif.GTC if order.tif == "GTC" else Tif.DAY, order.ocaGroup,
            OcaType(order.ocaType) if order.ocaType in (1, 2, 3) else OcaType.REDUCE_WITH_BLOCK,
            parent.ref if parent is not None else "", order.outsideRth,
        )  # fmt: skip


_LIMITED: Final = (OrderKind.LIMIT, OrderKind.STOP_LIMIT)
_STOPPED: Final = (OrderKind.STOP, OrderKind.STOP_LIMIT)


def their_order(ticket: Ticket, order_id: int, parent_id: int, *, transmit: bool) -> ib_async.Order:
    """The order as the library sends it, nothing in it but what the ticket says."""
    order = ib_async.Order(
        orderId=order_id, action=ticket.action.value, orderType=ticket.kind.value, tif=ticket.tif.value,
        account=ticket.account, orderRef=ticket.order_ref, parentId=parent_id, transmit=transmit,
        outsideRth=ticket.outside_rth, ocaGroup=ticket.oca_group,
        ocaType=ticket.oca_type.value if ticket.oca_group else 0,
    )  # fmt: skip
    # The library annotates a float but sends whatever it is given as text; a Decimal arrives unrounded.
    order.totalQuantity = plain(ticket.qty)  # pyright: ignore[reportAttributeAccessIssue]
    if ticket.kind in _LIMITED:
        order.lmtPrice = plain(ticket.limit)
    if ticket.kind in _STOPPED:
        order.auxPrice = plain(ticket.stop)
    return order


def _state(status: str, filled: Decimal, remaining: Decimal, *, refused: bool) -> OrderState | None:
    """The state a TWS status names; None where it tells nothing (a pending cancel still works)."""
    match status:
        case "PreSubmitted" | "Submitted":
            return OrderState.PARTIALLY_FILLED if filled > 0 and remaining > 0 else OrderState.SUBMITTED
        case "Filled":
            return OrderState.FILLED
        case "Cancelled" | "ApiCancelled":
            return OrderState.REJECTED if refused else OrderState.CANCELLED
        case "Inactive":
            return OrderState.REJECTED if refused else OrderState.UNKNOWN
        case _:
            return None


def _purpose(ref: str, order: ib_async.Order, kind: OrderKind) -> Purpose:
    """Why an order of an earlier run exists, from its reference's leg; by its side for a foreign one."""
    parts = ref.split("-")
    leg = parts[-2] if len(parts) >= 5 and parts[0] == "V1" else ""
    if leg == "E" or (leg != "X" and order.action == "BUY"):
        return Purpose.ENTRY
    return {OrderKind.LIMIT: Purpose.TARGET, OrderKind.MARKET: Purpose.CLOSE}.get(kind, Purpose.STOP)
