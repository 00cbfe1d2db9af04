"""Reconciliation with the broker: fetch everything, feed what we missed, resolve by rule, compare positions.

At start, after every reconnect, on request and on a beat. No trading until the first has succeeded (FAULTS 32);
a query that fails decides nothing and is asked again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from station.calendars import at_et, et_date
from station.desk.inbox import OrderInbox
from station.desk.ledger import Ledger
from station.domain.broker import Broker, OpenOrder, Position
from station.domain.clock import SECOND, Clock
from station.domain.errors import BrokerUnavailable
from station.domain.events import Alerted, EntryEnded, Event, OrderMoved, Reconciled
from station.domain.instruments import Contract
from station.domain.orders import ZERO, Order, OrderState
from station.domain.ports import Changes
from station.execution import BrokerTruth, Finding, Submitter, plan_reconciliation
from station.execution.reconcile import ON_ITS_WAY_S, Kind, others_net, position_findings

RETRY_S = 2.0
SETTLE_S = 1.0
BEAT_S = 60.0
_DOUBTFUL = (OrderState.PENDING, OrderState.UNKNOWN)


class Resolver(Protocol):
    """What the desk decides about what was found."""

    def may_resend(self, order: Order) -> bool: ...

    async def resend(self, order: Order) -> None: ...

    async def change_again(self, order: Order) -> None: ...

    async def take_back(self, order: Order) -> None: ...

    def limit(self, held: Mapping[Contract, Decimal]) -> None: ...

    def seen(self, refs: Iterable[str]) -> None: ...

    async def keep(self, exits: Sequence[OpenOrder]) -> None: ...

    async def resolve_break(self, finding: Finding) -> bool: ...

    async def settled(self) -> None: ...


class Reconciler:
    """One reconciliation at a time. `ready` is set once the books have agreed since the last link."""

    def __init__(
        self, ledger: Ledger, inbox: OrderInbox, broker: Broker, clock: Clock,
        alert: Callable[[str, str, str], Awaitable[None]], submitter: Submitter,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._inbox = inbox
        self._broker = broker
        self._submitter = submitter
        self._clock = clock
        self._alert = alert
        self._wanted = asyncio.Event()
        self._reasons: list[str] = []
        self._line = asyncio.Lock()
        self._doubts = 0
        self._missing: dict[str, int] = {}
        self._looks: set[tuple[str, int]] = set()
        self.resolver: Resolver | None = None
        self.ready = False
        self.clean = False
        self.last_ns = 0
        self.unresolved: tuple[str, ...] = ()
        self.foreign: tuple[Position, ...] = ()
        self._beside: frozenset[Contract] = frozenset()

    def ask(self, reason: str) -> None:
        """Reconcile soon; entries wait until it is done."""
        self.doubt()
        if reason not in self._reasons:
            self._reasons.append(reason)
        self._wanted.set()

    def doubt(self) -> None:
        """The books may not agree: what is being reconciled now has not seen why."""
        self.ready = False
        self._doubts += 1

    async def run(self) -> None:
        """The supervised task: what was asked for, and a beat that records only what it finds."""
        while True:
            await self._wanted.wait()
            if not self._broker.connected:
                self._wanted.clear()
                continue
            reason = "; ".join(self._reasons[:3])
            self._wanted.clear()
            self._reasons.clear()
            try:
                await self.reconcile(reason)
            except BrokerUnavailable as error:
                await self._alert("warning", f"reconciliation has no answer yet: {error}", "")
                await self._clock.sleep(RETRY_S)
                self.ask(reason)

    async def beat(self) -> None:
        """The continuous check: quiet unless something is found."""
        while True:
            await self._clock.sleep(BEAT_S)
            if self._broker.connected and self.ready:
                try:
                    await self.reconcile("beat", quiet=True)
                except BrokerUnavailable as error:
                    self.ask(f"beat: {error}")

    async def reconcile(self, reason: str, *, quiet: bool = False) -> bool:
        """True when the books agree. Raises BrokerUnavailable when a query had no complete answer."""
        async with self._line:
            doubts = self._doubts
            truth = await self._truth()
            findings = await self._feed(truth)
            breaks = await self._positions(truth)
            left = [finding for finding in breaks if not await self._resolve(finding)]
            self.unresolved = tuple(finding.text for finding in left)
            self.clean = not left
            self.ready = doubts == self._doubts
            self.last_ns = self._clock.now()
            texts = tuple(finding.text for finding in (*findings, *breaks))
            if texts or not quiet:
                await self._ledger.record(
                    "", Reconciled(
                        reason, len(truth.open_orders), len(truth.executions), len(truth.positions), texts,
                        self.clean,
                    ),
                )  # fmt: skip
            await self._resolve_rest()
            return self.clean

    async def look_again(self) -> BrokerTruth:
        """The broker's word once more, booked; for who resolves a break within a reconciliation. Raises
        BrokerUnavailable."""
        truth = await self._truth()
        await self._feed(truth)
        return truth

    def _limit(self, truth: BrokerTruth) -> None:
        """Where the broker holds less than our trades, no exit may be for more than it holds."""
        assert self.resolver is not None
        here = self._expected()
        theirs = {contract: truth.held(contract) for contract in here}
        self.resolver.limit({contract: qty for contract, qty in theirs.items() if qty < here[contract]})

    def _leave_to(self, lost: Sequence[OpenOrder], truth: BrokerTruth) -> None:
        """Until exits that are not in our book are kept, what they stand for is theirs to sell: a fill that is
        booked before them must not be protected twice."""
        assert self.resolver is not None
        left = {held.contract: truth.held(held.contract) for held in lost}
        for held in lost:
            qty = held.ticket.qty - held.filled if held.ticket is not None else left[held.contract]
            left[held.contract] = max(left[held.contract] - qty, ZERO)
        if left:
            self.resolver.limit(left)

    def _expected(self) -> dict[Contract, Decimal]:
        expected: dict[Contract, Decimal] = defaultdict(lambda: ZERO)
        for trade in self._ledger.live():
            if trade.contract is not None and trade.open_qty != 0:
                expected[trade.contract] += trade.open_qty
        return expected

    async def _resolve_rest(self) -> None:
        held = self._expected()
        self.foreign = tuple(p for p in self.foreign if p.contract in self._beside or p.contract not in held)
        if self.resolver is not None:
            await self.resolver.settled()

    async def _truth(self) -> BrokerTruth:
        """Executions last, so that none can hide between the answers."""
        mark = self._submitter.handed
        positions = await self._broker.positions()
        orders = await self._broker.open_orders()
        executions = await self._broker.executions()
        later = self._submitter.since(mark)
        now = self._clock.now()
        return BrokerTruth(orders, executions, positions, now, later, at_et(et_date(now), "00:00"))

    async def _feed(self, truth: BrokerTruth) -> tuple[Finding, ...]:
        assert self.resolver is not None
        self.resolver.seen(told.order_ref for told in (*truth.open_orders, *truth.executions))
        plan = plan_reconciliation(self._ledger.book, truth, self._expected())
        self._leave_to(plan.lost, truth)
        for report in plan.reports:
            await self._inbox.apply(report)
        if plan.lost:
            await self.resolver.keep(plan.lost)
        for ref in plan.confirmed:
            self._ledger.book.confirm(ref)
        for smaller in plan.reduced:
            self._ledger.book.confirm(smaller.order_ref)
            await self._inbox.apply(smaller)
        for held in truth.open_orders:
            if held.order_ref not in truth.later:
                self._ledger.book.told(held.order_ref, None if held.ticket is None else held.ticket.qty)
        self._limit(truth)
        waiting = self._unproven(plan.unsent, truth.at_ns)
        for order in plan.unsent:
            if order.ref not in waiting:
                await self._absent(order)
        for order in plan.unchanged:
            await self.resolver.change_again(self._ledger.book.orders[order.ref])
        for stray in plan.strays:
            await self._cancel_stray(stray.order_ref)
        for order in self._never_accepted(truth):
            await self.resolver.take_back(order)
        return tuple(f for f in plan.findings if f.kind is not Kind.NEVER_SENT or f.subject not in waiting)

    def _unproven(self, absent: tuple[Order, ...], at_ns: int) -> frozenset[str]:
        """Absent orders that may still be on their way: absence is proven by two answers, the second no sooner
        than an acknowledgement may take. What waits for its second answer is asked for in time. An exit of an
        earlier process waits for the second answer alone: until then its position has nothing."""
        self._missing = {order.ref: self._missing.get(order.ref, at_ns) for order in absent}
        waiting: set[str] = set()
        for order in absent:
            born_ns = 0 if order.ticket.purpose.is_exit else order.created_ns
            sent_ns = self._submitter.sent_ns(order.ref) or born_ns
            due_ns = max(self._missing[order.ref] + round(SETTLE_S * SECOND), sent_ns + ON_ITS_WAY_S * SECOND)
            if at_ns < due_ns:
                waiting.add(order.ref)
                self._look_at(order.ref, due_ns)
        return frozenset(waiting)

    def _never_accepted(self, truth: BrokerTruth) -> list[Order]:
        """Exits that the broker has had for long and has not accepted: beside them nothing else may be sold."""
        found: list[Order] = []
        for held in truth.open_orders:
            order = self._ledger.book.orders.get(held.order_ref)
            if order is None or not order.ticket.purpose.is_exit or held.order_ref in truth.later:
                continue
            doubtful = held.state in _DOUBTFUL and order.state in _DOUBTFUL
            if doubtful and truth.at_ns - order.updated_ns >= 2 * ON_ITS_WAY_S * SECOND:
                found.append(order)
        return found

    def _look_at(self, ref: str, at_ns: int) -> None:
        if (ref, at_ns) not in self._looks:
            self._looks.add((ref, at_ns))
            self._clock.call_at(at_ns, lambda: self.ask(f"{ref} was not at the broker"))

    async def _cancel_stray(self, ref: str) -> None:
        row = Changes(cancels=((ref, "reconcile", self._clock.now()),))
        told = Alerted("critical", f"cancelled a stray order {ref}")
        await self._ledger.record("", told, extra=row)
        await self._submitter.cancel(ref)

    async def _absent(self, order: Order) -> None:
        """Proof of absence: the same intent may go out again, or is closed as never sent (FAULTS 16)."""
        current = self._ledger.book.orders[order.ref]
        if not current.state.is_working or current.broker_id or current.filled:
            return
        assert self.resolver is not None
        self._missing.pop(order.ref, None)
        if self.resolver.may_resend(current):
            await self.resolver.resend(current)
            return
        events: list[Event] = [OrderMoved(order.ref, OrderState.CANCELLED, 0, 0, "never reached the broker")]
        if not order.ticket.purpose.is_exit:
            events.append(EntryEnded(order.ref, OrderState.CANCELLED))
        await self._ledger.record(order.trade_id, *events)

    async def _positions(self, truth: BrokerTruth) -> tuple[Finding, ...]:
        """Differences that last: a fill on its way between two answers is not one."""
        found = self._differences(truth)
        if not found:
            return ()
        await self._clock.sleep(SETTLE_S)
        again = await self._truth()
        await self._feed(again)
        lasting = self._differences(again)
        return tuple(finding for finding in lasting if finding in found)

    def _differences(self, truth: BrokerTruth) -> tuple[Finding, ...]:
        expected, book = self._expected(), self._ledger.book
        self._beside = frozenset(expected)
        ordered = (order.ticket.contract for order in book.orders.values())
        found = position_findings(
            expected, frozenset(ordered) | frozenset(expected), truth, others_net(book, truth)
        )
        theirs = {f.contract: f.there - f.here for f in found if f.kind is Kind.FOREIGN_POSITION}
        whole = {position.contract: position for position in truth.positions}
        self.foreign = tuple(
            replace(whole[contract], qty=qty) for contract, qty in theirs.items() if contract in whole
        )
        return found

    async def _resolve(self, finding: Finding) -> bool:
        assert self.resolver is not None
        return await self.resolver.resolve_break(finding)
