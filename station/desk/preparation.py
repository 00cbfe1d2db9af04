"""From a strategy's case to a sized trade: the steps that touch nothing outside.

They are planned together and committed one by one, each transition durable before the next is written, in a
single hand-over to the database: a hand-over costs as much as a commit, and between these steps nothing waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from station.calendars import et_text
from station.desk.judgement import DAY_SHIELD, Judgement
from station.desk.meant import size_of, turned
from station.domain.changed import changed
from station.domain.clock import SECOND, Clock, Ids
from station.domain.events import (
    ManualOpened,
    OptionSelected,
    SignalAccepted,
    StrategyPassed,
    TradeEvent,
    TradeFailed,
    TradeProposed,
    TradeSized,
)
from station.domain.hand import Reversal
from station.domain.lifecycle import evolve
from station.domain.ports import Changes
from station.domain.signals import Decision, Signal, SignalState
from station.domain.specs import StrategySpec
from station.domain.trade import Origin, Step, Trade, TradeState, due
from station.options import NoPick, OptionDesk
from station.strategy import Pass
from station.wealth import WealthBook, size

AUTO: Final = "auto"
PROPOSE: Final = "propose"
PROPOSAL: Final = "proposal"
"""The stage of the trace that tells of a proposal."""
PREPARED: Final = (Step.SELECT, Step.SIZE)
Move = tuple[tuple[TradeEvent, ...], Changes]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose trades these are."""

    account: str
    environment: str


class Plan:
    """Transitions that a trade owes, not yet committed, and how it and its signals stand after them."""

    def __init__(self, trade_id: str, trade: Trade | None, signals: tuple[Signal, ...], at_ns: int) -> None:
        self.trade_id = trade_id
        self.signals = signals
        self.moves: list[Move] = []
        self._stages = {} if trade is None else {trade.state: signals}
        self._trade = trade
        self._at_ns = at_ns

    @property
    def trade(self) -> Trade:
        assert self._trade is not None
        return self._trade

    def add(
        self, *events: TradeEvent, decisions: tuple[Decision, ...] = (), state: SignalState | None = None
    ) -> None:  # fmt: skip
        """One transition, with the verdicts that led to it and where it takes the signals. Raises
        IllegalTransition."""
        for event in events:
            self._trade = evolve(self._trade, self.trade_id, event, self._at_ns)
        moved: tuple[Signal, ...] = ()
        if state is not None:
            self.signals, moved = stepped(self.signals, state, self.trade_id)
        self.moves.append((events, Changes(decisions=owned(self.trade_id, decisions), signals=moved)))
        self._stages[self.trade.state] = self.signals

    def taken(self) -> list[Move]:
        """The transitions to commit; each is handed out once."""
        moves, self.moves = self.moves, []
        return moves

    def signals_in(self, state: TradeState) -> tuple[Signal, ...]:
        """The signals as they are once the trade has come as far as `state`."""
        return self._stages.get(state, self.signals)

    def fail(self, cause: str, reason: str, decisions: tuple[Decision, ...] = ()) -> None:
        """The trade ends here, and its signals with it."""
        self.add(TradeFailed(cause, reason), decisions=decisions, state=SignalState.REJECTED)


class Preparation:
    """Plans what a trade owes until it is sized, from memory alone."""

    def __init__(
        self, *, clock: Clock, ids: Ids, identity: Callable[[], Identity], session: Callable[[], date],
        options: OptionDesk, wealth: WealthBook, judgement: Judgement,
        specs: Callable[[], Mapping[str, StrategySpec]], proposal_s: Callable[[], int],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._ids = ids
        self._proposal_s = proposal_s
        self._identity = identity
        self._session = session
        self._options = options
        self._wealth = wealth
        self._judgement = judgement
        self._specs = specs

    async def of_case(self, case: Pass) -> Plan:
        """A new trade for a strategy's case: SCANNER_SIGNAL and STRATEGY_PASS in one commit, then the rest."""
        spec, newest = case.spec, max(case.signals, key=lambda s: s.firing.bar_close_ns)
        trade_id = self._ids.trade_id(self._session())
        plan = Plan(trade_id, None, case.signals, self._clock.now())
        accepted = SignalAccepted(
            tuple(s.firing.scanner for s in case.signals), tuple(s.id for s in case.signals), case.key,
            newest.firing.bar_close_ns, newest.firing.price,
        )  # fmt: skip
        whose = self._identity()
        passed = StrategyPassed(
            whose.account, whose.environment, spec.strategy_id, spec.version, Origin.STRATEGY.value,
            spec.symbol, case.side, spec.target_pct, spec.shield, spec.wealth_plan, spec.ladder,
        )  # fmt: skip
        plan.add(accepted, passed, decisions=case.decisions, state=SignalState.VALIDATED)
        barred = self.barred(spec)
        if barred is not None:
            plan.fail(*barred)
        return await self._led_on(plan)

    def barred(self, spec: StrategySpec, trade: Trade | None = None) -> tuple[str, str] | None:
        """Why a strategy may not enter, cause and reason. Asked at the beginning and again before the entry,
        which may come after a restart; then a strategy that proposes needs a `trade` that it has proposed."""
        if self._judgement.day_shield_hit(spec.strategy_id, spec.shield):
            return DAY_SHIELD, "the day shield is hit: observing only"
        proposes = spec.autonomy == PROPOSE and (trade is None or trade.offer is not None)
        if spec.autonomy != AUTO and not proposes:
            return spec.autonomy, f"autonomy is {spec.autonomy}"
        return None

    async def of_trade(self, trade: Trade, signals: tuple[Signal, ...]) -> Plan:
        """What a trade owes that was begun before, by a process that ended."""
        return await self._led_on(Plan(trade.id, trade, signals, self._clock.now()))

    async def _led_on(self, plan: Plan) -> Plan:
        """A step that breaks is left out where others come before it: those are committed, and the step breaks
        again alone."""
        try:
            while (step := due(plan.trade)) in PREPARED:
                await (self._select(plan) if step is Step.SELECT else self._size(plan))
        except Exception:
            if not plan.moves:
                raise
        return plan

    async def _select(self, plan: Plan) -> None:
        trade = plan.trade
        spec = self._specs().get(trade.strategy)
        if spec is None:
            plan.fail("strategy gone", f"strategy {trade.strategy} is no longer configured")
            return
        if is_stale(trade, spec, self._clock.now()):
            plan.fail("stale", f"the firing is older than {spec.window_s} s")
            return
        delta = spec.delta_call if trade.side.value == "CALL" else spec.delta_put
        found = self._options.pick(trade.symbol, trade.side, delta, spec.expiry, self._clock.now())
        if isinstance(found, NoPick):
            plan.fail(found.code, found.reason, found.decisions)
            return
        quote, greeks = found.quote, found.greeks
        assert quote.bid is not None
        assert quote.ask is not None
        selected = OptionSelected(
            found.contract, quote.bid, quote.ask, greeks.delta, greeks.iv, greeks.underlying,
            greeks.source.value,
        )  # fmt: skip
        self._judgement.learn_rule(found.contract, found.tick_rule)
        plan.add(selected, decisions=found.decisions)

    async def _size(self, plan: Plan) -> None:
        trade = plan.trade
        ladder = self._wealth.plan_of(trade)
        if ladder is None:
            plan.fail("wealth plan", self.no_plan(trade))
            return
        sized = size(ladder, await self._wealth.state(ladder), self._clock.now(), trade.id)
        event = TradeSized(size_of(trade, sized.qty), sized.plan, sized.week, sized.level, sized.capital)
        decisions = sized.decisions if trade.hand is None else ()
        spec = self._specs().get(trade.strategy)
        if spec is not None and spec.autonomy == PROPOSE:
            self._propose(plan, spec, event, decisions)
        else:
            plan.add(event, decisions=decisions)

    def _propose(
        self, plan: Plan, spec: StrategySpec, sized: TradeSized, decisions: tuple[Decision, ...]
    ) -> None:
        """Sized and proposed in one commit, so that no crash can part the two; what the rules refuse already is
        refused as any entry is."""
        trade, now = changed(plan.trade, qty=sized.qty), self._clock.now()
        until = min(
            now + self._proposal_s() * SECOND, now + self._judgement.window_left_s(trade.symbol) * SECOND,
            *(signal.valid_until_ns for signal in plan.signals),
        )  # fmt: skip
        judged = self._judgement.judge(trade, spec, surest(plan.signals))
        if judged.refused is None and until > now:
            waits = f"waits for a hand until {et_text(until)} ET"
            said = Decision(trade.id, PROPOSAL, "pass", waits, now, f"{judged.qty}")
            proposed = TradeProposed(judged.qty, until)
            plan.add(sized, proposed, decisions=(*decisions, *judged.decisions, said))
            return
        plan.add(sized, decisions=decisions)
        if judged.refused is not None:
            plan.fail(judged.refused.code, judged.refused.reason, judged.decisions)
        else:
            plan.fail("stale", "its time was over before it could be proposed", judged.decisions)

    def turned(self, trade: Trade, reversal: Reversal, timeout_s: int) -> tuple[str, ManualOpened]:
        """The trade that a reversal opens once the one it turns round has closed."""
        quote = self._judgement.quote(reversal.contract)
        opened = turned(trade, reversal, quote, self._judgement.spot(trade.symbol), timeout_s)
        return self._ids.trade_id(self._session()), opened

    def no_plan(self, trade: Trade) -> str:
        known = ", ".join(sorted(self._wealth.plans))
        return (
            f"wealth plan {trade.wealth_plan!r} is not loaded ({known} are): put its file back and start again"
        )


def is_stale(trade: Trade, spec: StrategySpec, now_ns: int) -> bool:
    """Whether the firing is too old to enter on."""
    return now_ns - trade.fired_ns > max(spec.window_s, spec.entry_timeout_s) * SECOND


def surest(signals: tuple[Signal, ...]) -> int:
    """The confidence that a case is judged by."""
    return max((signal.confidence for signal in signals), default=0)


def owned(trade_id: str, decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
    """The decisions, as this trade's."""
    return tuple(d if d.trade_id == trade_id else d._replace(trade_id=trade_id) for d in decisions)


def stepped(
    signals: tuple[Signal, ...], state: SignalState, trade_id: str
) -> tuple[tuple[Signal, ...], tuple[Signal, ...]]:  # fmt: skip
    """A trade's signals brought to `state` where that is a legal step, and those of them that changed."""
    after = tuple(signal.moved(state, trade_id) for signal in signals)
    return after, tuple(new for old, new in zip(signals, after, strict=True) if new is not old)
