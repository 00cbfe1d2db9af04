"""Reconciliation as a pure diff: the broker's complete answers against our book (FAULTS.md, SPEC §20).

The broker is the truth. What it knows and we do not is fed through the same interpretation as a live report;
what we sent and it provably never had may be sent again; what cannot be explained is a break.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Final

from station.calendars import et_date
from station.domain.broker import (
    CommissionReport,
    ExecutionReport,
    OpenOrder,
    OrderStatus,
    Position,
)
from station.domain.clock import SECOND
from station.domain.instruments import Contract
from station.domain.orders import (
    ZERO,
    Execution,
    Order,
    OrderKind,
    OrderState,
    Ticket,
    latest_revisions,
    trade_of,
)
from station.execution.book import OrderBook
from station.execution.reports import OrderReport

ON_ITS_WAY_S: Final = 5


class Kind(Enum):
    MISSED_EXECUTION = "missed execution"
    MISSED_STATUS = "missed status"
    MISSED_CHANGE = "change that never arrived"
    INFERRED = "filled at the broker without an execution"
    NEVER_SENT = "never sent"
    GONE_AT_BROKER = "gone at broker"
    STRAY_ORDER = "stray order of ours"
    LOST_EXIT = "exit of ours that is not in our book"
    FOREIGN_ORDER = "foreign order"
    POSITION_BREAK = "position break"
    FOREIGN_POSITION = "foreign position"


@dataclass(frozen=True, slots=True)
class Finding:
    """One discrepancy and how it is resolved. `subject` is an order reference or a contract label; a position
    also says how much the broker holds (`there`) and how much our trades do (`here`)."""

    kind: Kind
    subject: str
    detail: str
    contract: Contract | None = None
    there: Decimal = ZERO
    here: Decimal = ZERO

    @property
    def text(self) -> str:
        return f"{self.kind.value}: {self.subject}: {self.detail}"


@dataclass(frozen=True, slots=True)
class BrokerTruth:
    """Complete answers of one moment; there is no such value with a query missing. `later` are orders placed or
    changed after the question: how they stand in the answer, or that they do not, says nothing about them.
    The executions reach back to `since_ns`, the broker's midnight."""

    open_orders: tuple[OpenOrder, ...]
    executions: tuple[Execution, ...]
    positions: tuple[Position, ...]
    at_ns: int
    later: frozenset[str] = frozenset()
    since_ns: int = 0

    def held(self, contract: Contract) -> Decimal:
        """The net quantity of a contract, whoever bought it."""
        return sum((position.qty for position in self.positions if position.contract == contract), ZERO)


@dataclass(frozen=True, slots=True)
class Plan:
    """Reports to interpret, orders proven absent (`unsent`), stray orders of ours to cancel, and findings.
    `lost` exits are not in our book but protect a position that the broker holds: they are left working.
    `confirmed` orders are at the broker as they are here; those in `unchanged` still are as they were before
    their last change. `reduced` are orders that a fill in their OCA group made smaller."""

    reports: tuple[OrderReport, ...]
    unsent: tuple[Order, ...]
    strays: tuple[OpenOrder, ...]
    findings: tuple[Finding, ...]
    confirmed: tuple[str, ...] = ()
    unchanged: tuple[Order, ...] = ()
    lost: tuple[OpenOrder, ...] = ()
    reduced: tuple[OrderStatus, ...] = ()


class _Draft:
    """A plan in the making: `held` and `missing` look at one working order each."""

    def __init__(self, book: OrderBook, truth: BrokerTruth, here: Mapping[Contract, Decimal]) -> None:
        self._book = book
        self._truth = truth
        self.reports: list[OrderReport] = []
        self.findings: list[Finding] = []
        self.unsent: list[Order] = []
        self.confirmed: list[str] = []
        self.unchanged: list[Order] = []
        self.reduced: list[OrderStatus] = []
        self._executed = _feed_executions(book, truth, self.reports, self.findings)
        self._unexplained = _Unexplained(truth, here, self.reports)

    def held(self, order: Order, held: OpenOrder) -> None:
        """The broker lists it."""
        truth = self._truth
        _feed_status(order, held, truth, self.reports, self.findings)
        match _agrees(self._book, order, held, truth):
            case True:
                self.confirmed.append(order.ref)
            case False if _is_reduced(order, held):
                self.reduced.append(_status(order, held, truth, "reduced by its group"))
            case False:
                self.unchanged.append(order)
                self.findings.append(Finding(Kind.MISSED_CHANGE, order.ref, _difference(order, held)))
            case None:
                pass

    def missing(self, order: Order) -> None:
        """The broker does not list it: filled, gone, or never there."""
        truth, executed = self._truth, self._executed[order.ref]
        if executed >= order.ticket.qty or order.ref in truth.later:
            return
        if (stand_in := self._book.inferred(order, truth.at_ns)) is not None:
            self._found(Kind.INFERRED, order, f"{stand_in.qty} @ {stand_in.price}")
            self.reports.append(ExecutionReport(stand_in))
        elif (qty := self._unexplained.by(order, order.ticket.qty - executed)) > ZERO:
            guess = self._book.stand_in(order, qty, self._unexplained.cost(order), truth.at_ns)
            self._found(Kind.INFERRED, order, f"{qty} @ {guess.price}, by the position")
            self.reports.append(ExecutionReport(guess))
            if qty + executed < order.ticket.qty:
                self.reports.append(_gone(order, executed + qty, truth.at_ns))
        elif order.broker_id == 0 and order.perm_id == 0 and executed == 0:
            self.unsent.append(order)
            self._found(Kind.NEVER_SENT, order, "no order and no execution at the broker")
        else:
            self._found(Kind.GONE_AT_BROKER, order, f"was {order.state.value} here")
            self.reports.append(_gone(order, executed, truth.at_ns))

    def _found(self, kind: Kind, order: Order, text: str) -> None:
        self.findings.append(Finding(kind, order.ref, text))


def plan_reconciliation(
    book: OrderBook, truth: BrokerTruth, here: Mapping[Contract, Decimal] | None = None
) -> Plan:
    """What the broker's answers change in our book. Positions are compared after this has been applied; before,
    they tell what became of an order older than the executions reach. `here` is what our trades hold."""
    draft = _Draft(book, truth, here or {})
    remote = {order.order_ref: order for order in truth.open_orders if order.order_ref}
    for order in sorted(book.working(), key=lambda o: o.ref):
        held = remote.get(order.ref)
        if held is not None:
            draft.held(order, held)
        else:
            draft.missing(order)
    strays, lost = _unknown_orders(book, truth, draft.findings)
    return Plan(
        tuple(draft.reports), tuple(draft.unsent), strays, tuple(draft.findings), tuple(draft.confirmed),
        tuple(draft.unchanged), lost, tuple(draft.reduced),
    )  # fmt: skip


class _Unexplained:
    """What the broker's positions have more or less than our trades, missed executions counted."""

    def __init__(
        self, truth: BrokerTruth, here: Mapping[Contract, Decimal], reports: Iterable[OrderReport]
    ) -> None:
        self._truth = truth
        self._here = here
        self._today = f"{et_date(truth.at_ns):%Y%m%d}"
        self._known: dict[Contract, Decimal] = defaultdict(lambda: ZERO)
        for report in reports:
            if isinstance(report, ExecutionReport):
                execution = report.execution
                self._known[execution.contract] += execution.qty * execution.action.sign

    def by(self, order: Order, rest: Decimal) -> Decimal:
        """How much of it an order from before the executions begin must have filled. A sell of what expires by
        today may as well have been settled: zero."""
        ticket = order.ticket
        ended = ticket.purpose.is_exit and ticket.contract.is_option and ticket.contract.expiry <= self._today
        if order.created_ns >= self._truth.since_ns or ended:
            return ZERO
        here = self._here.get(ticket.contract, ZERO) + self._known[ticket.contract]
        extra = (self._truth.held(ticket.contract) - here) * ticket.action.sign
        qty = max(min(extra, rest), ZERO)
        self._known[ticket.contract] += qty * ticket.action.sign
        return qty

    def cost(self, order: Order) -> Decimal | None:
        """What an entry paid a unit, by the position; None for an exit."""
        if order.ticket.purpose.is_exit:
            return None
        same = (p.avg_cost for p in self._truth.positions if p.contract == order.ticket.contract)
        return next(same, None)


def _agrees(book: OrderBook, order: Order, held: OpenOrder, truth: BrokerTruth) -> bool | None:
    """Whether the broker has the order as we last changed it; None where the answer cannot tell: it leaves the
    terms out, or the change may be on its way."""
    theirs = held.ticket
    if theirs is None or order.ref in truth.later or order.cancel_cause:
        return None
    if _terms(theirs) == _terms(order.ticket):
        return True
    young = truth.at_ns - order.updated_ns < ON_ITS_WAY_S * SECOND
    return None if young and book.is_changing(order.ref) else False


def _terms(ticket: Ticket) -> tuple[object, ...]:
    limited = ticket.kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT)
    stopped = ticket.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
    return ticket.kind, ticket.qty, ticket.limit if limited else None, ticket.stop if stopped else None


def _difference(order: Order, held: OpenOrder) -> str:
    def said(ticket: Ticket) -> str:
        prices = (f" {price}" for price in (ticket.limit, ticket.stop) if price is not None)
        return f"{ticket.qty} {ticket.kind.value}{''.join(prices)}"

    return f"{said(order.ticket)} here, {said(held.ticket or order.ticket)} there"


def _feed_executions(
    book: OrderBook, truth: BrokerTruth, reports: list[OrderReport], findings: list[Finding]
) -> Mapping[str, Decimal]:
    known = {e.exec_id: e for e in book.all_executions()}
    latest = {e.root_id: e for e in sorted(truth.executions, key=lambda e: e.revision)}
    executed: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for ref in book.orders:
        executed[ref] = sum((e.qty for e in book.executions_of(ref)), ZERO)
    for execution in sorted(latest.values(), key=lambda e: (e.at_ns, e.exec_id)):
        if execution.order_ref not in book.orders:
            continue
        held = known.get(execution.exec_id)
        if held is None:
            reports.append(ExecutionReport(execution))
            executed[execution.order_ref] += execution.qty
            detail = f"{execution.exec_id} {execution.qty} @ {execution.price}"
            findings.append(Finding(Kind.MISSED_EXECUTION, execution.order_ref, detail))
        elif held.commission is None and execution.commission is not None:
            reports.append(CommissionReport(execution.exec_id, execution.commission, truth.at_ns))
    return executed


def _feed_status(
    order: Order, held: OpenOrder, truth: BrokerTruth, reports: list[OrderReport], findings: list[Finding]
) -> None:
    if order.state not in (OrderState.PENDING, OrderState.UNKNOWN) or held.state is OrderState.PENDING:
        return
    findings.append(
        Finding(Kind.MISSED_STATUS, order.ref, f"{order.state.value} here, {held.state.value} there")
    )
    reports.append(_status(order, held, truth, "reconciled"))


def _status(order: Order, held: OpenOrder, truth: BrokerTruth, reason: str) -> OrderStatus:
    qty = held.ticket.qty if held.ticket is not None and order.ticket.oca_group else order.ticket.qty
    return OrderStatus(
        order.ref, held.state, held.filled, qty - held.filled, truth.at_ns, held.broker_id, held.perm_id, reason
    )


def _is_reduced(order: Order, held: OpenOrder) -> bool:
    """Whether the broker has an order of an OCA group as it is here, only smaller: what its group filled is
    off. A change to more that never arrived looks the same, and is asked for again by who wanted it."""
    theirs = held.ticket
    if theirs is None or not order.ticket.oca_group or theirs.qty >= order.ticket.qty:
        return False
    return _terms(replace(theirs, qty=order.ticket.qty)) == _terms(order.ticket)


def _gone(order: Order, filled: Decimal, at_ns: int) -> OrderStatus:
    rest = order.ticket.qty - filled
    return OrderStatus(
        order.ref, OrderState.CANCELLED, filled, rest, at_ns, order.broker_id, order.perm_id,
        "absent at the broker",
    )  # fmt: skip


def _unknown_orders(
    book: OrderBook, truth: BrokerTruth, findings: list[Finding]
) -> tuple[tuple[OpenOrder, ...], tuple[OpenOrder, ...]]:
    strays: list[OpenOrder] = []
    lost: list[OpenOrder] = []
    for held in truth.open_orders:
        local = book.orders.get(held.order_ref)
        if local is not None and local.state.is_working:
            continue
        if local is None and is_exit_ref(held.order_ref) and truth.held(held.contract) != ZERO:
            lost.append(held)
            findings.append(Finding(Kind.LOST_EXIT, held.order_ref, "left working: its position is held"))
        elif local is not None or trade_of(held.order_ref) is not None:
            strays.append(held)
            findings.append(Finding(Kind.STRAY_ORDER, held.order_ref, "works at the broker, not in our book"))
        else:
            label = held.order_ref or f"order {held.perm_id or held.broker_id}"
            findings.append(Finding(Kind.FOREIGN_ORDER, label, held.contract.label))
    return tuple(strays), tuple(lost)


def is_exit_ref(ref: str) -> bool:
    """Whether a reference is one of our exits."""
    return trade_of(ref) is not None and ref.split("-")[-2] == "X"


def others_net(book: OrderBook, truth: BrokerTruth) -> Mapping[Contract, Decimal]:
    """What orders that no station has placed bought of each contract since the executions begin, sales off."""
    net: dict[Contract, Decimal] = defaultdict(lambda: ZERO)
    for execution in latest_revisions(truth.executions):
        if execution.order_ref not in book.orders and trade_of(execution.order_ref) is None:
            net[execution.contract] += execution.qty * execution.action.sign
    return net


def position_findings(
    expected: Mapping[Contract, Decimal], ours: frozenset[Contract], truth: BrokerTruth,
    others: Mapping[Contract, Decimal],
) -> tuple[Finding, ...]:  # fmt: skip
    """Where the broker's positions differ from what our trades hold. `ours` are contracts we ever traded; a
    position in any other is foreign: counted and alerted, never touched (SPEC §10 rule 5). So is what others
    have bought beside ours, and what they hold of a contract that none of our trades holds (FAULTS 36)."""
    held: dict[Contract, Decimal] = defaultdict(lambda: ZERO)
    for position in truth.positions:
        held[position.contract] += position.qty
    findings: list[Finding] = []
    for contract in sorted({*held, *expected}, key=lambda c: c.label):
        there, here = held[contract], expected.get(contract, ZERO)
        if there == here:
            continue
        beside = others.get(contract, ZERO)
        theirs = contract not in ours or (there - here == beside and (beside > 0 or here == 0))
        kind = Kind.FOREIGN_POSITION if theirs else Kind.POSITION_BREAK
        detail = f"broker holds {there}, our trades {here}"
        findings.append(Finding(kind, contract.label, detail, contract, there, here))
    return tuple(findings)
