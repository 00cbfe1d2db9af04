"""What a broker's report means for the orders we know: the events that it is worth, given what is booked.

Late, repeated and backward reports are worth none and are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from station.domain.broker import CommissionReport, ExecutionReport, OrderNotice, OrderStatus
from station.domain.errors import BadInput
from station.domain.events import (
    CommissionBooked,
    EntryEnded,
    EntryModified,
    Event,
    ExecutionBooked,
    ExitModified,
    OrderMoved,
    OrderNoticed,
    OrderReduced,
)
from station.domain.orders import ZERO, Action, Execution, Order, OrderState, Purpose, acknowledged, moved
from station.domain.trade import Cause
from station.execution.changes import Changes
from station.execution.fills import Fills

OrderReport = OrderStatus | OrderNotice | ExecutionReport | CommissionReport

REJECTED_CODES: Final = frozenset({200, 201, 203, 321, 322, 382, 383, 387, 388, 434, 463})
CANCELLED_CODES: Final = frozenset({202})
FILLED_RACE_CODES: Final = frozenset({104, 161, 10148})
NOT_FOUND_CODES: Final = frozenset({10147, 135})
CHANGE_REFUSED: Final = "change refused: "
"""What an order that stands as it was before a change says of it; the broker's code and words follow."""
PRICE_OR_MODIFY_CODES: Final = frozenset({103, 105, 106, 107, 110, 329})


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What one report is worth: events to record on `trade_id`, the execution row to write with them, whether
    the broker must be asked before anything may be concluded (`query`), and whether it confirmed a change that
    was outstanding (`confirms`)."""

    trade_id: str = ""
    events: tuple[Event, ...] = ()
    executions: tuple[Execution, ...] = ()
    query: bool = False
    foreign: bool = False
    failure: tuple[int, str] | None = None
    confirms: bool = False


NOTHING: Final = Interpretation()


class Reports:
    """Pure towards the outside: what it answers is for others to record.

    `ignored` counts what was worth nothing, `claims` holds fills that a status tells without an execution, and
    `unchangeable` the orders of which the broker has refused a change.
    """

    def __init__(self, orders: Mapping[str, Order], changes: Changes, fills: Fills) -> None:
        self._orders = orders
        self._changes = changes
        self._fills = fills
        self._early_fees: dict[str, Decimal] = {}
        self.ignored: Counter[str] = Counter()
        self.claims: dict[str, OrderStatus] = {}
        self.unchangeable: set[str] = set()

    def interpret(self, report: OrderReport) -> Interpretation:
        match report:
            case OrderStatus():
                return self._status(report)
            case OrderNotice():
                return self._notice(report)
            case ExecutionReport():
                return self._execution(report.execution)
            case CommissionReport():
                return self._commission(report)

    def _status(self, status: OrderStatus) -> Interpretation:
        order = self._orders.get(status.order_ref)
        if order is None:
            return Interpretation(foreign=True)
        if status.state is OrderState.SUBMITTED or status.state is OrderState.PARTIALLY_FILLED:
            reduced = self._reduced(order, status)
            confirms = bool(reduced) or self._changes.confirms(order, status)
            known = acknowledged(order, status.broker_id, status.perm_id, status.at_ns)
            behind = status.filled > order.filled
            if known is not None:
                found = self._step(order, known.state, status, query=behind)
                return replace(found, events=(*reduced, *found.events), confirms=confirms)
            if behind or confirms:
                return Interpretation(order.trade_id, reduced, query=behind, confirms=confirms)
            return self._ignore("repeated")
        if _is_spent(order, status):
            done = OrderReduced(order.ref, order.filled)
            self._changes.by_broker(order.ref)
            found = self._step(order, OrderState.FILLED, status)
            return replace(found, events=(done, *found.events))
        if status.filled > order.filled or (
            status.state is OrderState.FILLED and order.state is not OrderState.FILLED
        ):
            self.claims[order.ref] = status
            return Interpretation(order.trade_id, query=True)
        if moved(order, status.state, status.at_ns) is None:
            if status.state is order.state and _names_anew(order, status):
                return self._step(order, order.state, status)
            return self._ignore("backwards" if order.state.is_terminal else "repeated")
        return self._step(order, status.state, status)

    def _reduced(self, order: Order, status: OrderStatus) -> tuple[OrderReduced, ...]:
        """What a fill in its OCA group took from an order, by the broker's word. While a change of ours is on
        its way, the word may be from before it."""
        total = status.filled + status.remaining
        smaller = status.filled < total < order.ticket.qty
        if not order.ticket.oca_group or not smaller or self._changes.is_changing(order.ref):
            return ()
        self._changes.confirm(order.ref)
        self._changes.by_broker(order.ref)
        return (OrderReduced(order.ref, total),)

    def _step(
        self, order: Order, state: OrderState, status: OrderStatus, *, query: bool = False
    ) -> Interpretation:
        step = OrderMoved(order.ref, state, status.broker_id, status.perm_id, status.reason)
        ended = () if order.state.is_terminal else self._ended(order, state)
        return Interpretation(order.trade_id, (step, *ended), query=query)

    def _notice(self, notice: OrderNotice) -> Interpretation:
        order = self._orders.get(notice.order_ref)
        if order is None:
            return Interpretation(foreign=True)
        noticed = OrderNoticed(order.ref, notice.code, notice.text)
        if order.state.is_terminal:
            why = (notice.code, notice.text) if _explains(order, notice) else None
            return Interpretation(order.trade_id, (noticed,), failure=why)
        if notice.code in FILLED_RACE_CODES or notice.code in NOT_FOUND_CODES:
            return Interpretation(order.trade_id, (noticed,), query=True)
        if notice.code in CANCELLED_CODES:
            return self._terminal(order, OrderState.CANCELLED, notice, noticed)
        if notice.code not in REJECTED_CODES | PRICE_OR_MODIFY_CODES:
            return Interpretation(order.trade_id, (noticed,))
        if order.state in (OrderState.PENDING, OrderState.UNKNOWN) and order.filled == 0:
            found = self._terminal(order, OrderState.REJECTED, notice, noticed)
            return replace(found, failure=(notice.code, notice.text))
        return self._modify_refused(order, notice, noticed)

    def _terminal(
        self, order: Order, state: OrderState, notice: OrderNotice, noticed: OrderNoticed
    ) -> Interpretation:
        step = OrderMoved(order.ref, state, 0, 0, f"{notice.code} {notice.text}")
        return Interpretation(order.trade_id, (noticed, step, *self._ended(order, state)))

    def _modify_refused(self, order: Order, notice: OrderNotice, noticed: OrderNoticed) -> Interpretation:
        """The order still works as it was before the change (FAULTS 14). The broker is asked where the words
        would end a new order, or speak of a change that a status from before it seemed to confirm."""
        self.unchangeable.add(order.ref)
        before = self._changes.refused(order.ref)
        doubtful = before is None or notice.code in REJECTED_CODES
        if before is None or before.ticket == order.ticket:
            return Interpretation(order.trade_id, (noticed,), query=doubtful)
        self._changes.by_broker(order.ref)
        reason = f"{CHANGE_REFUSED}{notice.code} {notice.text}"
        undone = (
            ExitModified(before.ticket, _cause_of(before), reason, before.decision_price, before.decision_mid)
            if before.ticket.purpose.is_exit
            else EntryModified(before.ticket, reason)
        )
        why = (notice.code, notice.text)
        return Interpretation(order.trade_id, (noticed, undone), failure=why, query=doubtful)

    def _execution(self, execution: Execution) -> Interpretation:
        order = self._orders.get(execution.order_ref)
        if order is None:
            return Interpretation(foreign=True, executions=(execution,))
        if not execution.price.is_finite() or not execution.qty.is_finite() or execution.qty <= 0:
            amount = f"{execution.qty} at {execution.price}"
            raise BadInput(
                f"execution {execution.exec_id} of {order.ref} says {amount}: not booked, ask the broker"
            )
        held = self._fills.by_root(execution.root_id)
        if held is not None and held.revision >= execution.revision:
            return self._late_fee(order, held, execution)
        replaced = held or self._fills.stand_in_for(execution)
        early = self._early_fees.pop(execution.exec_id, None)
        reported = execution.commission if execution.commission is not None else early
        booked = self._booked(order, execution, replaced)
        filled = order.filled + execution.qty - booked.replaces_qty
        larger = self._outgrown(order, filled)
        events: list[Event] = [*larger, booked]
        if reported is not None:
            fee = CommissionBooked(execution.exec_id, order.ref, reported, booked.provisional_fee)
            events.append(fee)
        if filled >= order.ticket.qty and not larger:
            events.extend(self._ended(order, OrderState.FILLED))
        rows = [replace(execution, commission=reported)]
        if replaced is not None and replaced.inferred:
            rows.append(replace(replaced, qty=replaced.qty - booked.replaces_qty))
        return Interpretation(order.trade_id, tuple(events), tuple(rows))

    def _outgrown(self, order: Order, filled: Decimal) -> tuple[Event, ...]:
        """A change to fewer than have filled, or just as many, may have come too late: until the broker tells,
        the order is over only once the larger total has filled."""
        if not (order.state.is_working and self._changes.is_changing(order.ref)):
            return ()
        most = self._changes.largest(order.ref)
        if not (most.is_finite() and order.ticket.qty <= filled < most):
            return ()
        self._changes.by_broker(order.ref)
        if order.ticket.purpose.is_exit:
            return (OrderReduced(order.ref, most),)
        return (EntryModified(replace(order.ticket, qty=most), "more has filled than it was to be changed to"),)

    def _booked(self, order: Order, execution: Execution, replaced: Execution | None) -> ExecutionBooked:
        withdrawn = ZERO
        if replaced is not None:
            withdrawn = min(replaced.qty, execution.qty) if replaced.inferred else replaced.qty
        return ExecutionBooked(
            execution.exec_id, order.ref, order.ticket.purpose, execution.qty, execution.price,
            execution.contract.multiplier, self._fills.provisional_fee * execution.qty,
            *_slippage(order, execution),
            inferred=execution.inferred,
            replaces_qty=withdrawn,
            replaces_price=replaced.price if replaced else ZERO,
            replaces_fee=self._fills.fee_of(replaced, withdrawn),
            buys_back=order.ticket.purpose.is_exit and order.ticket.action is Action.BUY,
        )  # fmt: skip

    def _late_fee(self, order: Order, held: Execution, execution: Execution) -> Interpretation:
        """The same execution again is no change (FAULTS 1); but a query's copy may carry the owed fee."""
        if execution.commission is None or held.commission is not None or held.revision > execution.revision:
            return self._ignore("duplicate execution")
        return self._fee(order, held, execution.commission)

    def _commission(self, report: CommissionReport) -> Interpretation:
        held = self._fills.by_id(report.exec_id)
        if held is None:
            self._early_fees[report.exec_id] = report.commission
            return NOTHING
        if held.commission == report.commission:
            return self._ignore("repeated fee")
        return self._fee(self._orders[held.order_ref], held, report.commission)

    def _fee(self, order: Order, held: Execution, amount: Decimal) -> Interpretation:
        in_books = self._fills.fee_of(held, held.qty)
        booked = CommissionBooked(held.exec_id, order.ref, amount, in_books)
        return Interpretation(order.trade_id, (booked,), (replace(held, commission=amount),))

    def _ended(self, order: Order, state: OrderState) -> tuple[EntryEnded, ...]:
        entry = order.ticket.purpose is Purpose.ENTRY
        return (EntryEnded(order.ref, state),) if entry and state.is_terminal else ()

    def _ignore(self, why: str) -> Interpretation:
        self.ignored[why] += 1
        return NOTHING


def _is_spent(order: Order, status: OrderStatus) -> bool:
    """Whether an order is over with what it has filled: others of its OCA group filled what it had left, or it
    was over before a change that made it larger."""
    over = status.state is OrderState.FILLED and status.filled == order.filled < order.ticket.qty
    return over and order.state.is_working and order.filled > 0


def _cause_of(exit_: Order) -> str:
    """What an exit stands for that is as it was before a change; empty where the change left that as it was."""
    kept = {Purpose.STOP: Cause.STOP_ORDER.value, Purpose.CLOSE: ""}
    return kept.get(exit_.ticket.purpose, Cause.TARGET.value)


def _explains(order: Order, notice: OrderNotice) -> bool:
    """Whether a notice says why an order is rejected that a status had rejected already."""
    reasons = REJECTED_CODES | PRICE_OR_MODIFY_CODES
    return order.state is OrderState.REJECTED and order.broker_id != 0 and notice.code in reasons


def _names_anew(order: Order, status: OrderStatus) -> bool:
    """Whether a status that repeats the order's state tells ids that nothing told before (FAULTS 4)."""
    broker_id, perm_id = status.broker_id or order.broker_id, status.perm_id or order.perm_id
    return (broker_id, perm_id) != (order.broker_id, order.perm_id)


def _slippage(order: Order, execution: Execution) -> tuple[Decimal, Decimal]:
    """Dollars a unit paid over (bought) or under (sold) the decision price and the decision mid."""
    sign = execution.action.sign
    price, mid = order.decision_price, order.decision_mid
    return (
        (execution.price - price) * sign if price is not None else ZERO,
        (execution.price - mid) * sign if mid is not None else ZERO,
    )
