"""What the exchange tells, when, and in what disorder if a fault says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from station.brokers.paper.draws import between
from station.brokers.paper.faults import FaultPlan
from station.brokers.paper.orders import PaperOrder
from station.domain.broker import CommissionReport, ExecutionReport, OrderNotice, OrderStatus, Report
from station.domain.clock import MILLISECOND
from station.domain.orders import ZERO, Execution, OrderState, Purpose

FASTEST_NS: Final = 20 * MILLISECOND
SLOWEST_NS: Final = 80 * MILLISECOND
Post = Callable[[int, tuple[Report, ...]], None]


class Outbox:
    """`post(due_ns, reports)` sends at once what is due. Reports of one order never overtake each other."""

    def __init__(self, seed: int, plan: FaultPlan, post: Post) -> None:
        self._seed = seed
        self._plan = plan
        self._post = post
        self._held: dict[str, OrderStatus] = {}
        self.unpaid: set[str] = set()

    def latency(self, kind: str, number: int) -> int:
        """20 to 80 ms, by what it is for."""
        return between(FASTEST_NS, SLOWEST_NS, self._seed, "latency", kind, number)

    def status(self, order: PaperOrder, at_ns: int) -> OrderStatus:
        return OrderStatus(
            order.ref, order.state, order.filled, order.remaining, at_ns, order.number, order.perm_id,
            order.reason, order.average,
        )  # fmt: skip

    def tell(self, order: PaperOrder, at_ns: int, *notices: tuple[int, str]) -> None:
        """The order's state, then notices about it."""
        told = tuple(OrderNotice(order.ref, code, text, at_ns) for code, text in notices)
        self._send(order, at_ns, (self.status(order, at_ns), *told))

    def notice(self, ref: str, code: int, text: str, at_ns: int) -> None:
        self._post(at_ns, (OrderNotice(ref, code, text, at_ns),))

    def acknowledge(self, order: PaperOrder, at_ns: int) -> None:
        if self._plan.strike("drop_ack", at_ns, order.ticket.contract.symbol):
            return
        status = self.status(order, at_ns)
        if self._plan.strike("fill_before_ack", at_ns, order.ticket.contract.symbol):
            self._held[order.ref] = status
            return
        self._send(order, at_ns, (status,))

    def filled(self, order: PaperOrder, execution: Execution, at_ns: int) -> int:
        """A fill, its fee, the order's state; returns when they will be told."""
        number = int(execution.exec_id.split(".")[1])
        due_ns = at_ns + self.latency("fill", number)
        fee = CommissionReport(execution.exec_id, execution.commission or ZERO, due_ns)
        fill = ExecutionReport(replace(execution, commission=None))
        status = self.status(order, due_ns)
        reports: list[Report] = [fill, fee, status]
        plan, symbol = self._plan, execution.contract.symbol
        if plan.strike("commission_early", at_ns, symbol):
            reports = [fee, fill, status]
        if plan.strike("commission_lost", at_ns, symbol):
            reports.remove(fee)
            self.unpaid.add(execution.exec_id)
        if plan.strike("duplicate_execution", at_ns, symbol):
            reports.insert(reports.index(fill) + 1, fill)
        if order.state is OrderState.FILLED and plan.strike("status_before_fill", at_ns, symbol):
            reports = [status]
        held = self._held.pop(order.ref, None)
        if held is not None:
            reports.append(held)
        if plan.strike("backward_status", at_ns, symbol):
            reports.append(replace(status, state=OrderState.SUBMITTED, filled=ZERO, remaining=order.ticket.qty))
        return self._send(order, due_ns, tuple(reports))

    def corrected(self, order: PaperOrder, execution: Execution, at_ns: int) -> None:
        """The next revision of an execution, and its fee."""
        fee = CommissionReport(execution.exec_id, execution.commission or ZERO, at_ns)
        self._send(order, at_ns, (ExecutionReport(replace(execution, commission=None)), fee))

    def _send(self, order: PaperOrder, at_ns: int, reports: tuple[Report, ...]) -> int:
        due_ns = max(at_ns, order.reported_ns)
        order.reported_ns = due_ns
        self._post(due_ns, reports)
        return due_ns


def opens(order: PaperOrder, held: Decimal) -> bool:
    """Whether it can add to the exposure, for the fault that rejects entries."""
    return order.ticket.purpose is Purpose.ENTRY or held * order.ticket.action.sign > 0
