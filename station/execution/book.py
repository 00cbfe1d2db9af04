"""Our own order book: O(1) order state, and what a broker's report means for it.

`interpret` is pure towards the outside: it answers the events that a report is worth, given what is already
booked. Late, repeated and backward reports are worth none and are counted.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable
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
from station.domain.orders import (
    ZERO,
    Action,
    Execution,
    Order,
    OrderState,
    Purpose,
    acknowledged,
    latest_revisions,
    moved,
    together,
    trade_of,
)
from station.domain.trade import Cause

UNBOUNDED: Final = Decimal("Infinity")
"""The total that an exit may have at the broker while nothing is known of it."""
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


@dataclass(frozen=True, slots=True)
class _Change:
    """Changes that the broker has not confirmed: how many, the order before them, and the largest total that it
    may have there."""

    before: Order
    larger: Decimal
    pending: int = 1


NOTHING: Final = Interpretation()


class OrderBook:
    """Orders and executions of the account as we know them, by reference."""

    def __init__(self, provisional_fee: Decimal) -> None:
        self.orders: dict[str, Order] = {}
        self._working: dict[str, Order] = {}
        self.ignored: Counter[str] = Counter()
        self._provisional_fee = provisional_fee
        self._refs_of: dict[str, list[str]] = {}
        self._legs: dict[tuple[str, str], int] = {}
        self._created: list[int] = []
        self._executions: dict[str, dict[str, Execution]] = {}
        self._by_root: dict[str, Execution] = {}
        self._by_id: dict[str, Execution] = {}
        self._early_fees: dict[str, Decimal] = {}
        self._changes: dict[str, _Change] = {}
        self._by_broker: set[str] = set()
        self._restored: set[str] = set()
        self.claims: dict[str, OrderStatus] = {}
        self.unchangeable: set[str] = set()

    def restore(self, orders: Iterable[Order], executions: Iterable[Execution]) -> None:
        for order in orders:
            self.put(order)
        for execution in executions:
            self.put_execution(execution)
        working = (order for order in self.orders.values() if order.state.is_working)
        self._restored = {order.ref for order in working if order.ticket.purpose.is_exit}

    def put(self, order: Order) -> None:
        held = self.orders.get(order.ref)
        if held is None:
            self.saw(order.ref)
            insort(self._created, order.created_ns)
            self._refs_of.setdefault(order.trade_id, []).append(order.ref)
        elif order.state.is_terminal:
            self.confirm(order.ref)
        elif held.ticket != order.ticket:
            self._note_change(held, order)
        self.orders[order.ref] = order
        if order.state.is_working:
            self._working[order.ref] = order
        else:
            self._working.pop(order.ref, None)

    def _note_change(self, held: Order, order: Order) -> None:
        if order.ref in self._by_broker:
            self._by_broker.discard(order.ref)
            return
        known = self._changes.get(order.ref)
        if known is None:
            self._changes[order.ref] = _Change(held, max(held.ticket.qty, order.ticket.qty))
        else:
            larger = max(known.larger, order.ticket.qty)
            self._changes[order.ref] = _Change(known.before, larger, known.pending + 1)

    def confirm(self, ref: str) -> None:
        """The broker has this order as we do."""
        self._changes.pop(ref, None)
        self._restored.discard(ref)

    def told(self, ref: str, qty: Decimal | None) -> None:
        """The broker lists this order for a total of `qty` (None where it does not say): what an earlier
        process had asked of it is no longer unknown."""
        if ref not in self._restored:
            return
        self._restored.discard(ref)
        order = self.orders[ref]
        if qty is not None and qty > order.ticket.qty:
            self._changes.setdefault(ref, _Change(order, qty))

    def is_changing(self, ref: str) -> bool:
        return ref in self._changes

    def unconfirmed(self, trade_id: str) -> tuple[tuple[str, Decimal], ...]:
        """Working exits of a trade whose change is not confirmed, with the largest total each may have. Of one
        that an earlier process left, until the broker has told how it stands, that is not known."""
        return tuple(
            (order.ref, UNBOUNDED if order.ref in self._restored else self._changes[order.ref].larger)
            for order in self.working_exits(trade_id)
            if order.ref in self._changes or order.ref in self._restored
        )

    def promised(self, trade_id: str, but: str = "") -> Decimal:
        """The most that the working exits of a trade, one left out with its OCA group, could still trade at the
        broker."""
        larger = dict(self.unconfirmed(trade_id))
        group = self.orders[but].ticket.oca_group if but in self.orders else ""
        return together(
            (order.ticket, max(order.ticket.qty, larger.get(order.ref, ZERO)) - order.filled)
            for order in self.working_exits(trade_id)
            if order.ref != but and not (group and order.ticket.oca_group == group)
        )

    def put_execution(self, execution: Execution) -> None:
        self._by_root[execution.root_id] = execution
        self._by_id[execution.exec_id] = execution
        self._executions.setdefault(execution.order_ref, {})[execution.root_id] = execution

    def created_since(self, at_ns: int) -> int:
        """How many orders have been made at or after an instant."""
        return len(self._created) - bisect_left(self._created, at_ns)

    def of_trade(self, trade_id: str) -> tuple[Order, ...]:
        return tuple(self.orders[ref] for ref in self._refs_of.get(trade_id, ()))

    def working_exits(self, trade_id: str) -> tuple[Order, ...]:
        return tuple(
            order
            for order in self.of_trade(trade_id)
            if order.state.is_working and order.ticket.purpose.is_exit
        )

    def working(self) -> tuple[Order, ...]:
        return tuple(self._working.values())

    def executions_of(self, order_ref: str) -> tuple[Execution, ...]:
        return latest_revisions(tuple(self._executions.get(order_ref, {}).values()))

    def execution(self, exec_id: str) -> Execution | None:
        """The booked execution with exactly this id."""
        return self._by_id.get(exec_id)

    def all_executions(self) -> tuple[Execution, ...]:
        return tuple(self._by_root.values())

    def next_leg(self, trade_id: str, leg: str) -> int:
        """The next number of a leg (`E` or `X`) of a trade, from 1: after the highest that anybody has seen."""
        return 1 + self._legs.get((trade_id, leg), 0)

    def saw(self, ref: str) -> None:
        """A reference that the broker knows, in our book or not: it is never used again."""
        trade_id, parts = trade_of(ref), ref.rsplit("-", 2)
        if trade_id is not None and parts[-1].isdigit():
            key = (trade_id, parts[-2])
            self._legs[key] = max(self._legs.get(key, 0), int(parts[-1]))

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
        order = self.orders.get(status.order_ref)
        if order is None:
            return Interpretation(foreign=True)
        if status.state is OrderState.SUBMITTED or status.state is OrderState.PARTIALLY_FILLED:
            reduced = self._reduced(order, status)
            confirms = bool(reduced) or self._confirms(order, status)
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
            self._by_broker.add(order.ref)
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

    def _confirms(self, order: Order, status: OrderStatus) -> bool:
        """Whether a status confirms the last change: it speaks of the total that the order now has, or nothing
        but the price was changed."""
        change = self._changes.get(order.ref)
        if change is None:
            return self._restored_confirmed(order, status)
        total, same_size = order.ticket.qty, change.larger == change.before.ticket.qty == order.ticket.qty
        if not same_size and status.filled + status.remaining != total:
            return False
        self.confirm(order.ref)
        return True

    def _reduced(self, order: Order, status: OrderStatus) -> tuple[OrderReduced, ...]:
        """What a fill in its OCA group took from an order, by the broker's word. While a change of ours is on
        its way, the word may be from before it."""
        total = status.filled + status.remaining
        smaller = status.filled < total < order.ticket.qty
        if not order.ticket.oca_group or not smaller or order.ref in self._changes:
            return ()
        self.confirm(order.ref)
        self._by_broker.add(order.ref)
        return (OrderReduced(order.ref, total),)

    def _restored_confirmed(self, order: Order, status: OrderStatus) -> bool:
        if order.ref not in self._restored or status.filled + status.remaining != order.ticket.qty:
            return False
        self.confirm(order.ref)
        return True

    def _step(
        self, order: Order, state: OrderState, status: OrderStatus, *, query: bool = False
    ) -> Interpretation:
        step = OrderMoved(order.ref, state, status.broker_id, status.perm_id, status.reason)
        ended = () if order.state.is_terminal else self._ended(order, state)
        return Interpretation(order.trade_id, (step, *ended), query=query)

    def _notice(self, notice: OrderNotice) -> Interpretation:
        order = self.orders.get(notice.order_ref)
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
        unacknowledged = order.state in (OrderState.PENDING, OrderState.UNKNOWN) and order.filled == 0
        if notice.code in REJECTED_CODES or (notice.code in PRICE_OR_MODIFY_CODES and unacknowledged):
            found = self._terminal(order, OrderState.REJECTED, notice, noticed)
            return replace(found, failure=(notice.code, notice.text))
        if notice.code in PRICE_OR_MODIFY_CODES:
            return self._modify_refused(order, notice, noticed)
        return Interpretation(order.trade_id, (noticed,))

    def _terminal(
        self, order: Order, state: OrderState, notice: OrderNotice, noticed: OrderNoticed
    ) -> Interpretation:
        step = OrderMoved(order.ref, state, 0, 0, f"{notice.code} {notice.text}")
        return Interpretation(order.trade_id, (noticed, step, *self._ended(order, state)))

    def _modify_refused(self, order: Order, notice: OrderNotice, noticed: OrderNoticed) -> Interpretation:
        """The order still works as it was before the change (FAULTS 14). Of several on their way it does
        not say which: then the largest total stays in force until the broker says how it stands."""
        self.unchangeable.add(order.ref)
        change = self._changes.pop(order.ref, None)
        if change is None:
            return Interpretation(order.trade_id, (noticed,))
        if change.pending > 1:
            self._changes[order.ref] = replace(change, pending=1)
        before, reason = change.before, f"{CHANGE_REFUSED}{notice.code} {notice.text}"
        if before.ticket == order.ticket:
            return Interpretation(order.trade_id, (noticed,))
        self._by_broker.add(order.ref)
        undone = (
            ExitModified(before.ticket, _cause_of(before), reason, before.decision_price, before.decision_mid)
            if before.ticket.purpose.is_exit
            else EntryModified(before.ticket, reason)
        )
        return Interpretation(order.trade_id, (noticed, undone), failure=(notice.code, notice.text))

    def _execution(self, execution: Execution) -> Interpretation:
        order = self.orders.get(execution.order_ref)
        if order is None:
            return Interpretation(foreign=True, executions=(execution,))
        if not execution.price.is_finite() or not execution.qty.is_finite() or execution.qty <= 0:
            amount = f"{execution.qty} at {execution.price}"
            raise BadInput(
                f"execution {execution.exec_id} of {order.ref} says {amount}: not booked, ask the broker"
            )
        held = self._by_root.get(execution.root_id)
        if held is not None and held.revision >= execution.revision:
            return self._late_fee(order, held, execution)
        replaced = held or self._stand_in(execution)
        early = self._early_fees.pop(execution.exec_id, None)
        reported = execution.commission if execution.commission is not None else early
        booked = self._booked(order, execution, replaced)
        events: list[Event] = [booked]
        if reported is not None:
            fee = CommissionBooked(execution.exec_id, order.ref, reported, booked.provisional_fee)
            events.append(fee)
        filled = order.filled + execution.qty - booked.replaces_qty
        if filled >= order.ticket.qty:
            events.extend(self._ended(order, OrderState.FILLED))
        rows = [replace(execution, commission=reported)]
        if replaced is not None and replaced.inferred:
            rows.append(replace(replaced, qty=replaced.qty - booked.replaces_qty))
        return Interpretation(order.trade_id, tuple(events), tuple(rows))

    def _booked(self, order: Order, execution: Execution, replaced: Execution | None) -> ExecutionBooked:
        withdrawn = ZERO
        if replaced is not None:
            withdrawn = min(replaced.qty, execution.qty) if replaced.inferred else replaced.qty
        return ExecutionBooked(
            execution.exec_id, order.ref, order.ticket.purpose, execution.qty, execution.price,
            execution.contract.multiplier, self._provisional_fee * execution.qty,
            *_slippage(order, execution),
            inferred=execution.inferred,
            replaces_qty=withdrawn,
            replaces_price=replaced.price if replaced else ZERO,
            replaces_fee=_fee_of(replaced, withdrawn, self._provisional_fee),
            buys_back=order.ticket.purpose.is_exit and order.ticket.action is Action.BUY,
        )  # fmt: skip

    def _stand_in(self, execution: Execution) -> Execution | None:
        """The execution we inferred for this order while the broker's own was missing (FAULTS 10)."""
        if execution.inferred:
            return None
        booked = self._executions.get(execution.order_ref, {}).values()
        return next((e for e in booked if e.inferred and e.qty > 0), None)

    def inferred(self, order: Order, at_ns: int) -> Execution | None:
        """The fill the broker claims without ever having reported it: deterministic id, claimed price. Of an
        order in an OCA group, whose rest others may have filled, only what it claims itself."""
        claim = self.claims.get(order.ref)
        if claim is None or claim.state is not OrderState.FILLED:
            return None
        most = claim.filled if order.ticket.oca_group else order.ticket.qty
        if order.filled >= most:
            return None
        return self.stand_in(order, most - order.filled, claim.avg_price, at_ns)

    def stand_in(self, order: Order, qty: Decimal, price: Decimal | None, at_ns: int) -> Execution:
        """A fill of `qty` that no execution tells of: deterministic id, the price that is likeliest."""
        likely = price or order.ticket.limit or order.decision_price or order.avg_price
        return Execution(
            f"inferred:{order.ref}:{order.filled + qty}", order.ref, order.ticket.account,
            order.ticket.contract, order.ticket.action, qty, likely, at_ns, order.perm_id, inferred=True,
        )  # fmt: skip

    def _late_fee(self, order: Order, held: Execution, execution: Execution) -> Interpretation:
        """The same execution again is no change (FAULTS 1); but a query's copy may carry the owed fee."""
        if execution.commission is None or held.commission is not None or held.revision > execution.revision:
            return self._ignore("duplicate execution")
        return self._fee(order, held, execution.commission)

    def _commission(self, report: CommissionReport) -> Interpretation:
        held = self._by_id.get(report.exec_id)
        if held is None:
            self._early_fees[report.exec_id] = report.commission
            return NOTHING
        if held.commission == report.commission:
            return self._ignore("repeated fee")
        return self._fee(self.orders[held.order_ref], held, report.commission)

    def _fee(self, order: Order, held: Execution, amount: Decimal) -> Interpretation:
        in_books = _fee_of(held, held.qty, self._provisional_fee)
        booked = CommissionBooked(held.exec_id, order.ref, amount, in_books)
        return Interpretation(order.trade_id, (booked,), (replace(held, commission=amount),))

    def _ended(self, order: Order, state: OrderState) -> tuple[EntryEnded, ...]:
        entry = order.ticket.purpose is Purpose.ENTRY
        return (EntryEnded(order.ref, state),) if entry and state.is_terminal else ()

    def _ignore(self, why: str) -> Interpretation:
        self.ignored[why] += 1
        return NOTHING


def _is_spent(order: Order, status: OrderStatus) -> bool:
    """Whether an order is over because others of its OCA group filled what it had left."""
    over = status.state is OrderState.FILLED and status.filled == order.filled < order.ticket.qty
    return over and bool(order.ticket.oca_group) and order.state.is_working and order.filled > 0


def _cause_of(exit_: Order) -> str:
    """What an exit stands for that is as it was before a change."""
    return (Cause.STOP_ORDER if exit_.ticket.purpose is Purpose.STOP else Cause.TARGET).value


def _explains(order: Order, notice: OrderNotice) -> bool:
    """Whether a notice says why an order is rejected that a status had rejected already."""
    reasons = REJECTED_CODES | PRICE_OR_MODIFY_CODES
    return order.state is OrderState.REJECTED and order.broker_id != 0 and notice.code in reasons


def _names_anew(order: Order, status: OrderStatus) -> bool:
    """Whether a status that repeats the order's state tells ids that nothing told before (FAULTS 4)."""
    broker_id, perm_id = status.broker_id or order.broker_id, status.perm_id or order.perm_id
    return (broker_id, perm_id) != (order.broker_id, order.perm_id)


def _fee_of(execution: Execution | None, qty: Decimal, provisional: Decimal) -> Decimal:
    """The fee in the books for `qty` of an execution: the reported one, else the provisional one."""
    if execution is None:
        return ZERO
    return provisional * qty if execution.commission is None else execution.commission


def _slippage(order: Order, execution: Execution) -> tuple[Decimal, Decimal]:
    """Dollars a unit paid over (bought) or under (sold) the decision price and the decision mid."""
    sign = execution.action.sign
    price, mid = order.decision_price, order.decision_mid
    return (
        (execution.price - price) * sign if price is not None else ZERO,
        (execution.price - mid) * sign if mid is not None else ZERO,
    )
