"""The way of one trade: perform the step its state owes, commit, go on, until it must wait.

Recovery calls `advance` on every live trade after the first reconciliation; there is no other start-up path.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from station.desk.entries import EntryDesk, is_unfilled
from station.desk.judgement import DAY_SHIELD, Judgement
from station.desk.ledger import Ledger
from station.desk.stopwatch import SIGNAL_TO_WIRE, Stopwatch
from station.domain.clock import SECOND, Clock, Ids
from station.domain.errors import Fatal, IllegalTransition, StorageUnavailable
from station.domain.events import (
    OptionSelected,
    SignalAccepted,
    StrategyPassed,
    TradeFailed,
    TradeSized,
)
from station.domain.ports import Changes
from station.domain.signals import Decision, Signal, SignalState
from station.domain.specs import Desired, StrategySpec
from station.domain.trade import Origin, Step, Trade, TradeState, closing, due
from station.execution import InstrumentLocks
from station.execution.policy import entry_terms
from station.options import NoPick, OptionDesk
from station.strategy import Pass, Pool
from station.wealth import WealthBook, size

FEE_GRACE_S: Final = 5
STORAGE_RETRY_S: Final = 5
STUCK_RETRY_S: Final = 60


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose trades these are."""

    account: str
    environment: str


class TradeWay:
    """Leads trades. One advance a trade at a time; a call that meets another makes that one look again."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger,
        locks: InstrumentLocks, entries: EntryDesk, options: OptionDesk, wealth: WealthBook,
        judgement: Judgement, pool: Pool, ids: Ids, identity: Callable[[], Identity],
        desired: Callable[[], Desired], session: Callable[[], date],
        protect: Callable[[str], None],
        alert: Callable[[str, str, str], Awaitable[None]], stopwatch: Stopwatch,
        on_fault: Callable[[str, BaseException], Awaitable[None]],
        quarantine: Callable[[str, str], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._stopwatch = stopwatch
        self._ledger = ledger
        self._locks = locks
        self._entries = entries
        self._options = options
        self._wealth = wealth
        self._judgement = judgement
        self._pool = pool
        self._ids = ids
        self._identity = identity
        self._desired = desired
        self._session = session
        self._protect = protect
        self._alert = alert
        self._on_fault = on_fault
        self._quarantine = quarantine
        self._told: set[tuple[str, str]] = set()
        self._signals: dict[str, tuple[Signal, ...]] = {}
        self._again: set[str] = set()
        self._busy: set[str] = set()

    # --- beginnings ---------------------------------------------------------------------------------

    async def begin(self, case: Pass) -> None:
        """Mint a trade for a strategy's case: SCANNER_SIGNAL and STRATEGY_PASS in one commit."""
        spec = case.spec
        trade_id = self._ids.trade_id(self._session())
        newest = max(case.signals, key=lambda s: s.firing.bar_close_ns)
        accepted = SignalAccepted(
            tuple(s.firing.scanner for s in case.signals), tuple(s.id for s in case.signals), case.key,
            newest.firing.bar_close_ns, newest.firing.price,
        )  # fmt: skip
        whose = self._identity()
        passed = StrategyPassed(
            whose.account, whose.environment, spec.strategy_id, spec.version, Origin.STRATEGY.value,
            spec.symbol, case.side, spec.target_pct, spec.shield, spec.wealth_plan, spec.ladder,
        )  # fmt: skip
        signals = tuple(s.moved(SignalState.VALIDATED, trade_id) for s in case.signals)
        decisions = tuple(replace(d, trade_id=trade_id) for d in case.decisions)
        await self._ledger.record(
            trade_id, accepted, passed, extra=Changes(signals=signals, decisions=decisions)
        )
        self._stopwatch.move(SIGNAL_TO_WIRE, newest.id, trade_id)
        self._signals[trade_id] = signals
        for signal in signals:
            self._pool.update(signal)
        if self._judgement.day_shield_hit(spec.strategy_id, spec.shield):
            await self._fail(self._ledger.trades[trade_id], DAY_SHIELD, "the day shield is hit: observing only")
            return
        if spec.autonomy != "auto":
            await self._fail(self._ledger.trades[trade_id], spec.autonomy, f"autonomy is {spec.autonomy}")
            return
        await self.advance(trade_id)

    def adopt_signals(self, signals: tuple[Signal, ...]) -> None:
        """Give trades their signals back after a restart."""
        for signal in signals:
            if signal.trade_id:
                self._signals[signal.trade_id] = (*self._signals.get(signal.trade_id, ()), signal)

    # --- the loop -----------------------------------------------------------------------------------

    async def advance(self, trade_id: str) -> None:
        """Perform owed steps until the trade waits for the market, the broker or the clock."""
        if trade_id in self._busy:
            self._again.add(trade_id)
            return
        self._busy.add(trade_id)
        try:
            while await self._step(trade_id) or trade_id in self._again:
                self._again.discard(trade_id)
        except StorageUnavailable as error:
            await self._storage_down(trade_id, error)
        except Fatal:
            raise
        except Exception as error:  # noqa: BLE001 - one bad trade must not stop the others
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
            case Step.SELECT:
                await self._select(trade)
            case Step.SIZE:
                await self._size(trade)
            case Step.JUDGE:
                await self._judge(trade)
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

    async def _select(self, trade: Trade) -> None:
        spec = self._spec(trade)
        if spec is None:
            await self._fail(trade, "strategy gone", f"strategy {trade.strategy} is no longer configured")
            return
        if self._is_stale(trade, spec):
            await self._fail(trade, "stale", f"the firing is older than {spec.window_s} s")
            return
        delta = spec.delta_call if trade.side.value == "CALL" else spec.delta_put
        found = self._options.pick(trade.symbol, trade.side, delta, spec.expiry, self._clock.now())
        if isinstance(found, NoPick):
            await self._fail(trade, found.code, found.reason, found.decisions)
            return
        quote, greeks = found.quote, found.greeks
        assert quote.bid is not None
        assert quote.ask is not None
        selected = OptionSelected(
            found.contract, quote.bid, quote.ask, greeks.delta, greeks.iv, greeks.underlying,
            greeks.source.value,
        )  # fmt: skip
        self._judgement.learn_rule(found.contract, found.tick_rule)
        await self._ledger.record(trade.id, selected, extra=_trace(trade, found.decisions))

    def _is_stale(self, trade: Trade, spec: StrategySpec) -> bool:
        return self._clock.now() - trade.fired_ns > max(spec.window_s, spec.entry_timeout_s) * SECOND

    async def _size(self, trade: Trade) -> None:
        plan = self._wealth.plan_of(trade)
        if plan is None:
            await self._fail(trade, "wealth plan", self._no_plan(trade))
            return
        sized = size(plan, await self._wealth.state(plan), self._clock.now(), trade.id)
        event = TradeSized(sized.qty, sized.plan, sized.week, sized.level, sized.capital)
        await self._ledger.record(trade.id, event, extra=_trace(trade, sized.decisions))

    async def _judge(self, trade: Trade) -> None:
        """Judge the sized proposal, and if it stands commit the intent and send it, under the lock."""
        spec = self._spec(trade)
        assert trade.contract is not None
        if spec is None or self._is_stale(trade, spec):
            await self._fail(trade, "stale", "the firing grew old before the entry")
            return
        async with self._locks.hold(trade.symbol):
            verdict = await self._judgement.judge(trade, spec, self._confidence(trade))
            if verdict.refused is not None:
                await self._fail(trade, verdict.refused.code, verdict.refused.reason, verdict.decisions)
                return
            quote = self._judgement.quote(trade.contract)
            rule = self._judgement.tick_rule(trade.contract)
            terms = entry_terms(spec, quote, rule) if quote else None
            if terms is None:
                await self._fail(trade, "quote", "no sane two-sided quote to price the entry")
                return
            ticket = self._entries.ticket(trade, verdict.qty, terms)
            denied, said = await self._entries.margin(trade, ticket)
            decisions = verdict.decisions if said is None else (*verdict.decisions, said)
            if denied is not None:
                await self._fail(trade, denied.code, denied.reason, decisions)
                return
            signals = self._moved_signals(trade, SignalState.EXECUTING)
            extra = _trace(trade, decisions) + Changes(signals=signals)
            await self._entries.submit(trade, spec, ticket, terms, extra)
            self._stopwatch.stop(SIGNAL_TO_WIRE, trade.id)

    async def _await_entry(self, trade: Trade) -> None:
        order = self._ledger.book.orders[trade.entry_ref]
        if is_unfilled(order):
            await self._fail(trade, f"entry {order.state.value.lower()}", order.reason or order.cancel_cause)
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
        signals = self._moved_signals(trade, SignalState.EXECUTED)
        await self._ledger.record(trade.id, event, extra=Changes(signals=signals))

    async def record_wealth(self, trade: Trade) -> None:
        """The wealth database first, then the lifecycle; repeating either changes nothing. A result whose plan
        is not there waits for it: it is never booked on another."""
        plan = self._wealth.plan_of(trade)
        if plan is None:
            self._entries.nudge_at(trade.id, self._clock.now() + STUCK_RETRY_S * SECOND)
            await self._tell_once(trade.id, f"the result of {trade.id} waits: {self._no_plan(trade)}")
            return
        recorded = await self._wealth.record(plan, trade)
        await self._ledger.record(trade.id, recorded)

    def _no_plan(self, trade: Trade) -> str:
        known = ", ".join(sorted(self._wealth.plans))
        return (
            f"wealth plan {trade.wealth_plan!r} is not loaded ({known} are): put its file back and start again"
        )

    async def _tell_once(self, trade_id: str, text: str) -> None:
        if (trade_id, text) not in self._told:
            self._told.add((trade_id, text))
            await self._alert("critical", text, trade_id)

    async def _fail(self, trade: Trade, cause: str, reason: str, decisions: tuple[Decision, ...] = ()) -> None:
        signals = self._moved_signals(trade, SignalState.REJECTED)
        if trade.state is TradeState.BUY_SUBMITTED and self._ledger.book.orders[trade.entry_ref].filled:
            raise IllegalTransition(f"trade {trade.id} has fills and cannot fail")
        await self._ledger.record(
            trade.id, TradeFailed(cause, reason), extra=_trace(trade, decisions) + Changes(signals=signals)
        )
        self._stopwatch.drop(SIGNAL_TO_WIRE, trade.id)

    def _moved_signals(self, trade: Trade, state: SignalState) -> tuple[Signal, ...]:
        before = self._signals.get(trade.id, ())
        after = tuple(signal.moved(state, trade.id) for signal in before)
        self._signals[trade.id] = after
        for signal in after:
            self._pool.update(signal)
        return tuple(new for old, new in zip(before, after, strict=True) if new is not old)

    def _spec(self, trade: Trade) -> StrategySpec | None:
        return self.specs().get(trade.strategy)

    def specs(self) -> Mapping[str, StrategySpec]:
        return {spec.strategy_id: spec for spec in self._desired().strategies}

    def _confidence(self, trade: Trade) -> int:
        return max((signal.confidence for signal in self._signals.get(trade.id, ())), default=0)


def _trace(trade: Trade, decisions: tuple[Decision, ...]) -> Changes:
    ours = (d if d.trade_id == trade.id else replace(d, trade_id=trade.id) for d in decisions)
    return Changes(decisions=tuple(ours))
