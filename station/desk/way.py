"""The way of one trade: perform the step its state owes, commit, go on, until it must wait.

Recovery calls `advance` on every live trade after the first reconciliation; there is no other start-up path.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from station.calendars import et_text
from station.desk.entries import EntryDesk, Intent, is_unfilled, why_unfilled
from station.desk.judgement import Judged, Judgement, Refusal
from station.desk.ledger import Ledger
from station.desk.meant import OPPOSITE, ByHand, ByStrategy, Meant
from station.desk.preparation import PROPOSAL, Plan, Preparation, is_stale, stepped, surest
from station.desk.stopwatch import SIGNAL_TO_WIRE, Stopwatch
from station.domain.clock import SECOND, Clock
from station.domain.errors import Fatal, IllegalTransition, Refused, StorageUnavailable
from station.domain.events import Alerted, Event, TradeFailed
from station.domain.lifecycle import closing
from station.domain.orders import Ticket
from station.domain.ports import Changes
from station.domain.signals import Decision, Signal, SignalState
from station.domain.specs import StrategySpec
from station.domain.trade import Step, Trade, TradeState, due
from station.execution import InstrumentLocks
from station.strategy import Pass, Pool
from station.wealth import WealthBook

FEE_GRACE_S: Final = 5
STORAGE_RETRY_S: Final = 5
STUCK_RETRY_S: Final = 60
EXPIRED: Final = "expired"
HAND_AGE_S: Final = 60
"""What a hand has placed and a crash has held up for longer is not sent any more."""


class TradeWay:
    """Leads trades. One advance a trade at a time; a call that meets another makes that one look again."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger,
        locks: InstrumentLocks, entries: EntryDesk, preparation: Preparation, wealth: WealthBook,
        judgement: Judgement, pool: Pool, specs: Callable[[], Mapping[str, StrategySpec]],
        protect: Callable[[str], None], use_override: Callable[[], Awaitable[None]],
        alert: Callable[[str, str, str], Awaitable[None]], stopwatch: Stopwatch,
        on_fault: Callable[[str, BaseException], Awaitable[None]],
        quarantine: Callable[[str, str], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._stopwatch = stopwatch
        self._ledger = ledger
        self._locks = locks
        self._entries = entries
        self._preparation = preparation
        self._wealth = wealth
        self._judgement = judgement
        self._pool = pool
        self.specs = specs
        self._protect = protect
        self._use_override = use_override
        self._alert = alert
        self._on_fault = on_fault
        self._quarantine = quarantine
        self._told: set[tuple[str, str]] = set()
        self._signals: dict[str, tuple[Signal, ...]] = {}
        self._again: set[str] = set()
        self._line = asyncio.Lock()
        self.offers = asyncio.Lock()
        """Held by what ends or takes a proposal: two hands, and its time."""
        self._busy: set[str] = set()

    # --- beginnings ---------------------------------------------------------------------------------

    async def begin(self, case: Pass) -> None:
        """Mint a trade for a strategy's case and lead it on."""
        plan = await self._preparation.of_case(case)
        newest = max(case.signals, key=lambda s: s.firing.bar_close_ns)
        self._stopwatch.move(SIGNAL_TO_WIRE, newest.id, plan.trade_id)
        await self.advance(plan.trade_id, plan)

    def adopt_signals(self, signals: tuple[Signal, ...]) -> None:
        """Give trades their signals back after a restart."""
        for signal in signals:
            if signal.trade_id:
                self._signals[signal.trade_id] = (*self._signals.get(signal.trade_id, ()), signal)

    # --- the loop -----------------------------------------------------------------------------------

    async def advance(self, trade_id: str, plan: Plan | None = None) -> None:
        """Perform owed steps, first what is planned, until the trade waits for the market, the broker or the
        clock."""
        if trade_id in self._busy:
            self._again.add(trade_id)
            return
        self._busy.add(trade_id)
        try:
            if plan is not None:
                await self._enter(plan)
            while await self._step(trade_id) or trade_id in self._again:
                self._again.discard(trade_id)
        except StorageUnavailable as error:
            if trade_id not in self._ledger.trades:
                raise
            await self._storage_down(trade_id, error)
        except Fatal:
            raise
        except Exception as error:
            if trade_id not in self._ledger.trades:
                raise
            await self._stuck(trade_id, error)
        finally:
            self._busy.discard(trade_id)

    async def _storage_down(self, trade_id: str, error: StorageUnavailable) -> None:
        self._entries.nudge_at(trade_id, self._clock.now() + STORAGE_RETRY_S * SECOND)
        self._protect(trade_id)
        await self._alert("critical", f"database: {error}; entries are off, {trade_id} waits", "")

    async def _stuck(self, trade_id: str, error: Exception) -> None:
        """A trade that cannot go on ends before its entry. With an order out its instrument is locked and it is
        tried again; protection looks after what is held."""
        trade, text = self._ledger.trades[trade_id], f"{type(error).__name__}: {error}"
        if (trade_id, text) not in self._told:
            self._told.add((trade_id, text))
            await self._on_fault(f"trade {trade_id}", error)
        self._entries.nudge_at(trade_id, self._clock.now() + STUCK_RETRY_S * SECOND)
        self._protect(trade_id)
        with contextlib.suppress(StorageUnavailable):
            if trade.state.before_fill and not trade.entry_ref:
                await self._fail(trade, "fault", text)
            else:
                await self._quarantine(trade.symbol, f"{trade_id} cannot go on: {text}")

    async def _step(self, trade_id: str) -> bool:
        """One step; True when the state moved on and the next may be due."""
        trade = self._ledger.trades[trade_id]
        match due(trade):
            case Step.SELECT | Step.SIZE | Step.JUDGE:
                await self._enter(await self._preparation.of_trade(trade, self._signals.get(trade_id, ())))
            case Step.AWAIT_HAND:
                await self._await_hand(trade)
            case Step.AWAIT_ENTRY:
                await self._await_entry(trade)
            case Step.PROTECT:
                await self._protected(trade)
            case Step.CLOSE:
                await self._close(trade)
            case Step.RECORD_WEALTH:
                await self.record_wealth(trade)
            case Step.NOTHING:
                return False
        return self._ledger.trades[trade_id].state is not trade.state

    # --- steps --------------------------------------------------------------------------------------

    async def _enter(self, plan: Plan) -> None:
        """Commit what is planned; where that makes a sized trade, judge it under the instrument's lock, and if
        it stands commit its intent with the rest and send it."""
        if due(plan.trade) is not Step.JUDGE:
            await self._commit(plan)
            return
        async with self._locks.hold(plan.trade.symbol):
            async with self._line:
                intent = await self._intent(plan)
            if intent is None:
                return
            if self._judgement.entries_open(plan.trade.symbol):
                await self._entries.submit(plan.trade, intent)
            else:
                closed = Refused("GATE", "entries were closed before it was sent")
                await self._entries.refused(intent.event.ticket, closed)
            self._stopwatch.stop(SIGNAL_TO_WIRE, plan.trade_id)

    async def _intent(self, plan: Plan) -> Intent | None:
        """Judge and commit as one: no other entry is judged between, or both would pass a limit of one."""
        intent = None
        try:
            intent = await self._judge(plan)
        except Exception:
            # What was planned before stands; the judgement breaks again alone.
            if not plan.moves:
                raise
        await self._commit(plan)
        return intent

    async def _commit(self, plan: Plan) -> None:
        """What was planned, each transition durable before the next is written."""
        try:
            await self._ledger.record_each(plan.trade_id, plan.taken())
        finally:
            trade = self._ledger.trades.get(plan.trade_id)
            if trade is not None:
                self._hold(trade.id, plan.signals_in(trade.state))
        if plan.trade.state is TradeState.FAILED:
            self._stopwatch.drop(SIGNAL_TO_WIRE, plan.trade_id)

    async def _judge(self, plan: Plan) -> Intent | None:
        """Add to the plan what becomes of a sized trade: its intent, or its end."""
        trade, meant = plan.trade, self._meant(plan)
        assert trade.contract is not None
        if meant is None:
            plan.fail("stale", "what it was opened on grew old before the entry")
            return None
        barred = (
            None if trade.hand is not None else self._preparation.barred(self.specs()[trade.strategy], trade)
        )
        if barred is not None:
            plan.fail(*barred)
            return None
        judged = meant.judge(trade)
        if judged.refused is not None:
            plan.fail(judged.refused.code, judged.refused.reason, judged.decisions)
            return None
        quote = self._judgement.quote(trade.contract)
        rule = self._judgement.tick_rule(trade.contract)
        terms = meant.terms(quote, rule) if quote else None
        if terms is None:
            plan.fail("quote", "no sane two-sided quote to price the entry")
            return None
        ticket = self._entries.ticket(trade, judged.qty, terms)
        denied, judged, said = await self._margin(plan, meant, judged, ticket)
        decisions = judged.decisions if said is None else (*judged.decisions, said)
        denied = denied or await self._used_up(meant, judged)
        if denied is not None:
            plan.fail(denied.code, denied.reason, decisions)
            return None
        ticket = replace(ticket, qty=judged.qty)
        intent = self._entries.intent(ticket, terms, meant)
        plan.add(intent.event, decisions=decisions, state=SignalState.EXECUTING)
        return intent

    async def _margin(
        self, plan: Plan, meant: Meant, judged: Judged, ticket: Ticket
    ) -> tuple[Refusal | None, Judged, Decision | None]:
        """The broker's word on the order. Where that takes a round trip, what is planned is committed, others
        may go before, and the order is judged again after it."""
        waited = list[bool]()

        async def meanwhile() -> None:
            waited.append(True)
            self._line.release()
            await self._commit(plan)

        try:
            denied, said = await self._entries.margin(plan.trade, ticket, meanwhile)
        finally:
            if waited:
                await self._line.acquire()
        if waited and denied is None:
            judged = meant.judge(plan.trade, ticket.limit)
            denied = judged.refused
        return denied, judged, said

    def _meant(self, plan: Plan) -> Meant | None:
        """What the entry is meant to be; None once that is too old, or its strategy is gone."""
        trade, now = plan.trade, self._clock.now()
        if trade.hand is not None:
            old = now - trade.opened_ns > HAND_AGE_S * SECOND
            return None if old else ByHand(trade.hand, self._judgement, self._use_override)
        spec = self._spec(trade)
        taken = trade.offer.taken_ns if trade.offer is not None else 0
        old = now - taken > HAND_AGE_S * SECOND if taken else spec is not None and is_stale(trade, spec, now)
        if spec is None or old:
            return None
        limit = trade.offer.limit if trade.offer is not None else None
        return ByStrategy(spec, surest(plan.signals), self._judgement, limit)

    async def _used_up(self, meant: Meant, judged: Judged) -> Refusal | None:
        try:
            await meant.settle(judged)
        except Refused as refused:
            return Refusal(refused.code, str(refused))
        return None

    async def _await_hand(self, trade: Trade) -> None:
        """A proposal goes on by a hand alone; here its time ends it."""
        assert trade.offer is not None
        self._stopwatch.drop(SIGNAL_TO_WIRE, trade.id)
        until = trade.offer.until_ns
        if self._clock.now() < until:
            self._entries.nudge_at(trade.id, until)
            return
        async with self.offers:
            if self._ledger.trades[trade.id].awaits_hand:
                reason = f"nobody took it by {et_text(until)} ET"
                await self.end_offer(trade, EXPIRED, reason, SignalState.EXPIRED)

    async def _await_entry(self, trade: Trade) -> None:
        order = self._ledger.book.orders[trade.entry_ref]
        if is_unfilled(order):
            await self._fail(trade, f"entry {order.state.value.lower()}", why_unfilled(order))
        else:
            await self._entries.awaited(trade, order)

    async def _protected(self, trade: Trade) -> None:
        """Protection works on its own task; here only the rest of a partly filled entry is bounded."""
        self._protect(trade.id)
        await self._entries.partly_filled(trade)

    async def _close(self, trade: Trade) -> None:
        event = closing(trade)
        if event is None:
            self._protect(trade.id)
            return
        grace_until = trade.updated_ns + FEE_GRACE_S * SECOND
        if event.provisional and self._clock.now() < grace_until:
            self._entries.nudge_at(trade.id, grace_until)
            return
        followed = self._followed(trade)
        items: list[tuple[str, Event]] = [(trade.id, event), *(() if followed is None else (followed,))]
        await self._record(trade, items, SignalState.EXECUTED)
        if followed is not None:
            self._entries.nudge_at(followed[0], self._clock.now())

    def _followed(self, trade: Trade) -> tuple[str, Event] | None:
        """What a reversal leads to, committed with the close it waited for: once the opposite trade; nothing is
        bought on one that an outage or a halt has held up."""
        reversal = trade.reversal
        if reversal is None or self._ledger.by_token(f"{reversal.token}{OPPOSITE}") is not None:
            return None
        age_s = (self._clock.now() - reversal.asked_ns) // SECOND
        if age_s > HAND_AGE_S:
            text = f"{trade.id} is closed and not turned round: that was asked {age_s} s ago, nothing is bought"
            return trade.id, Alerted("warning", text)
        return self._preparation.turned(trade, reversal, HAND_AGE_S)

    async def record_wealth(self, trade: Trade) -> None:
        """The wealth database first, then the lifecycle; repeating either changes nothing. A result whose plan
        is not there waits for it: it is never booked on another."""
        plan = self._wealth.plan_of(trade)
        if plan is None:
            self._entries.nudge_at(trade.id, self._clock.now() + STUCK_RETRY_S * SECOND)
            await self._tell_once(
                trade.id, f"the result of {trade.id} waits: {self._preparation.no_plan(trade)}"
            )
            return
        recorded = await self._wealth.record(plan, trade)
        await self._ledger.record(trade.id, recorded)

    async def _tell_once(self, trade_id: str, text: str) -> None:
        if (trade_id, text) not in self._told:
            self._told.add((trade_id, text))
            await self._alert("critical", text, trade_id)

    async def _fail(self, trade: Trade, cause: str, reason: str) -> None:
        if trade.state is TradeState.BUY_SUBMITTED and self._ledger.book.orders[trade.entry_ref].filled:
            raise IllegalTransition(f"trade {trade.id} has fills and cannot fail")
        await self._end(trade, cause, reason, SignalState.REJECTED)

    def confidence_of(self, trade_id: str) -> int:
        """How sure the surest of a trade's signals is."""
        return surest(self._signals.get(trade_id, ()))

    async def end_offer(self, trade: Trade, cause: str, reason: str, state: SignalState) -> None:
        """A proposal ends untaken; its trace says why."""
        said = Decision(trade.id, PROPOSAL, "block", reason, self._clock.now())
        await self._end(trade, cause, reason, state, said)

    async def _end(
        self, trade: Trade, cause: str, reason: str, state: SignalState, *decisions: Decision
    ) -> None:
        """A trade ends before any fill, and its signals with it."""
        await self._record(trade, [(trade.id, TradeFailed(cause, reason))], state, decisions)
        self._stopwatch.drop(SIGNAL_TO_WIRE, trade.id)

    async def _record(
        self, trade: Trade, items: Sequence[tuple[str, Event]], state: SignalState,
        decisions: tuple[Decision, ...] = (),
    ) -> None:  # fmt: skip
        """Events and where they take a trade's signals; of what was not committed memory knows nothing."""
        after, moved = stepped(self._signals.get(trade.id, ()), state, trade.id)
        await self._ledger.record_all(items, Changes(decisions=decisions, signals=moved))
        self._hold(trade.id, after)

    def _hold(self, trade_id: str, signals: tuple[Signal, ...]) -> None:
        self._signals[trade_id] = signals
        for signal in signals:
            self._pool.update(signal)

    def _spec(self, trade: Trade) -> StrategySpec | None:
        return self.specs().get(trade.strategy)
