"""The hunter: pool snapshot → strategies by priority → match → window → veera → hunter gate → caps.

A strategy with a schedule is asked for it first.

Pure: the same snapshot, settings and instant give the same answers. Every stage leaves a Decision; the
first that fails ends the strategy's turn with a Block that says why.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from station.calendars import et_text
from station.domain.errors import BadInput
from station.domain.instruments import Side
from station.domain.signals import Decision, Signal
from station.domain.specs import StrategySpec
from station.strategy import match
from station.strategy.pool import FRESH_S, Pool
from station.strategy.schedule import allows
from station.strategy.veera import BarsOf, judge

PASS: Final = "pass"
BLOCK: Final = "block"
STANDARD: Final = "standard"
NO_SIGNAL: Final = "no fresh signal in the pool"
NO_MATCH: Final = "no signal matches the patterns"
_SIDES: Final = (Side.CALL, Side.PUT)


@dataclass(frozen=True, slots=True)
class Caps:
    """A day's ceilings: `runs` passes handed to the desk over all strategies, `positions` opened. The
    signals a strategy may pass are its row's `max_signals_day`."""

    runs: int = 100
    positions: int = 20


@dataclass(frozen=True, slots=True)
class Counts:
    """What the day has used already, from the store: so that no restart begins anew. `by_strategy` is the
    passes of each strategy id, `positions` trades that were filled or may still be."""

    runs: int = 0
    positions: int = 0
    by_strategy: Mapping[str, int] = field(default_factory=dict[str, int])

    def with_pass(self, spec: StrategySpec) -> Counts:
        """The counts after one more pass; one that may submit counts as a position at once."""
        mine = self.by_strategy.get(spec.strategy_id, 0) + 1
        opens = 1 if spec.autonomy == "auto" else 0
        return Counts(self.runs + 1, self.positions + opens, {**self.by_strategy, spec.strategy_id: mine})


@dataclass(frozen=True, slots=True)
class Pass:
    """A strategy's case is made. `key` names the set of signals; `spec.autonomy` says what the desk does."""

    spec: StrategySpec
    side: Side
    signals: tuple[Signal, ...]
    key: str
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A strategy stopped at `stage`; `side` is None where none was settled. `signals` are those that it would
    have traded on."""

    spec: StrategySpec
    side: Side | None
    stage: str
    reason: str
    decisions: tuple[Decision, ...]
    signals: tuple[Signal, ...] = ()


Verdict = Pass | Block


class Hunter:
    """The pool and the series bound to the pure hunt."""

    def __init__(self, pool: Pool, bars_of: BarsOf, caps: Caps | None = None) -> None:
        self.pool = pool
        self._bars_of = bars_of
        self.caps = caps or Caps()

    def hunt(
        self,
        now_ns: int,
        strategies: Sequence[StrategySpec],
        used: Collection[tuple[str, str]],
        counts: Counts,
    ) -> tuple[Verdict, ...]:
        """The verdict of every enabled strategy at `now_ns`. `used` is the (strategy id, key) pairs of every
        pass as far back as a signal can live, observed and proposed ones too; `counts` is the session's."""
        widest_s = max((float(spec.window_s) for spec in strategies), default=FRESH_S)
        snapshot = self.pool.snapshot(now_ns, max(FRESH_S, widest_s))
        return hunt(now_ns, strategies, snapshot, used, counts, self._bars_of, self.caps)


def hunt(
    now_ns: int,
    strategies: Sequence[StrategySpec],
    snapshot: tuple[Signal, ...],
    used: Collection[tuple[str, str]],
    counts: Counts,
    bars_of: BarsOf,
    caps: Caps,
) -> tuple[Verdict, ...]:
    """One verdict a strategy, by priority then id; disabled ones are left out. A pass counts against the
    caps of those after it."""
    verdicts: list[Verdict] = []
    enabled = (spec for spec in strategies if spec.enabled)
    for spec in sorted(enabled, key=lambda each: (each.priority, each.strategy_id)):
        case = _Case(spec, now_ns, snapshot, match.spent(spec.strategy_id, used), bars_of)
        verdict = case.verdict(counts, caps)
        if isinstance(verdict, Pass):
            counts = counts.with_pass(spec)
        verdicts.append(verdict)
    return tuple(verdicts)


class _Stopped(Exception):
    def __init__(self, stage: str, reason: str, side: Side | None) -> None:
        super().__init__(reason)
        self.stage, self.reason, self.side = stage, reason, side


class _Case:
    """One strategy's turn: the stages in order, each adding to the trace."""

    def __init__(
        self,
        spec: StrategySpec,
        now_ns: int,
        snapshot: tuple[Signal, ...],
        spent: frozenset[str],
        bars_of: BarsOf,
    ) -> None:
        self._spec = spec
        self._now_ns = now_ns
        self._snapshot = snapshot
        self._spent = spent
        self._bars_of = bars_of
        self._trace: list[Decision] = []
        self._concerned: tuple[Signal, ...] = ()

    def verdict(self, counts: Counts, caps: Caps) -> Verdict:
        try:
            self._schedule()
            self._pool()
            by_side = self._match()
            side, signals = self._window(by_side)
            self._veera(side)
            signals = self._gate(side, signals)
            self._caps(side, counts, caps)
        except _Stopped as stop:
            return Block(self._spec, stop.side, stop.stage, stop.reason, tuple(self._trace), self._concerned)
        return Pass(self._spec, side, signals, match.key_of(signals), tuple(self._trace))

    def _note(
        self, stage: str, passed: bool, reason: str, value: str, limit: str, side: Side | None = None
    ) -> None:
        verdict = PASS if passed else BLOCK
        self._trace.append(Decision("", stage, verdict, reason, self._now_ns, value, limit))
        if not passed:
            raise _Stopped(stage, reason, side)

    def _schedule(self) -> None:
        """Asked only of a strategy that has a schedule."""
        expression = self._spec.schedule
        if not expression:
            return
        try:
            due = allows(expression, self._now_ns)
            reason = "the schedule names this minute" if due else "the schedule does not name this minute"
        except BadInput as bad:
            due, reason = False, str(bad)
        self._concerned = self._fitting()
        self._note("schedule", due, reason, f"{et_text(self._now_ns)} ET", expression)

    def _pool(self) -> None:
        count = len(self._snapshot)
        reason = "fresh signals in the pool" if count else NO_SIGNAL
        self._note("pool", count > 0, reason, f"{count} signals", "at least 1")

    def _match(self) -> dict[Side, tuple[Signal, ...]]:
        """By side, what of the whole pool makes a new case, whatever its age."""
        limit = " ".join((*self._spec.call_patterns, *self._spec.put_patterns))
        seen = {side: self._matched(side, self._snapshot) for side in _SIDES}
        fresh = {side: self._matched(side, self._unspent(seen[side])) for side in _SIDES}
        self._concerned = _both(fresh)
        if any(fresh.values()):
            self._note("match", True, "signals match", _names(_both(fresh)), limit)
        elif any(seen.values()):
            self._note(
                "match", False, "these firings were traded or rejected before", _names(_both(seen)), limit
            )
        else:
            self._unsure()
            self._note("match", False, NO_MATCH, "none", limit)
        return fresh

    def _unsure(self) -> None:
        """Stops where signals would match, were they surer."""
        self._concerned = self._fitting()
        if self._concerned:
            value = ", ".join(f"{each.firing.scanner} {each.confidence}" for each in self._concerned)
            limit = f"confidence {self._spec.min_confidence}"
            self._note("match", False, "the matching signals are not sure enough", value, limit)

    def _fitting(self) -> tuple[Signal, ...]:
        """What meets the patterns, however sure it is."""
        alive = tuple(each for each in self._snapshot if match.alive(each))
        by_side = (tuple(each for each in alive if each.firing.side is side) for side in _SIDES)
        return tuple(
            signal
            for side, signals in zip(_SIDES, by_side, strict=True)
            for signal in match.matched(self._patterns(side), signals)
        )

    def _window(self, fresh: dict[Side, tuple[Signal, ...]]) -> tuple[Side, tuple[Signal, ...]]:
        """The side whose new case holds inside the confirmation window. The newest firing decides between
        two, also one that has had its trade: an older opposite firing does not come into its own after it."""
        limit = f"{self._spec.window_s} s"
        inside = {side: self._matched(side, self._recent(fresh[side])) for side in _SIDES}
        said = {side: self._matched(side, self._recent(self._snapshot)) for side in _SIDES}
        if not any(inside.values()):
            self._note("window", False, "the match is older than the confirmation window", "none", limit)
        newest = {side: max((each.firing.bar_close_ns for each in said[side]), default=0) for side in _SIDES}
        value = _names(_both(said))
        if newest[Side.CALL] == newest[Side.PUT]:
            self._note("window", False, "CALL and PUT fired on bars that closed together", value, limit)
        side = max(_SIDES, key=lambda each: newest[each])
        if not inside[side]:
            self._note(
                "window",
                False,
                f"the newest firing says {side.value}, and was traded or rejected before",
                value,
                limit,
            )
        self._note("window", True, f"the newest firing inside the window says {side.value}", value, limit)
        return side, inside[side]

    def _veera(self, side: Side) -> None:
        if not self._spec.veera:
            self._note("veera", True, "no rule is enabled", "0 rules", "all enabled rules")
        verdicts = [judge(name, side, self._spec.symbol, self._bars_of) for name in self._spec.veera]
        failed = [each for each in verdicts if not each.passed]
        for each in verdicts:
            verdict = PASS if each.passed else BLOCK
            reason = f"{each.rule}: {each.reason}"
            self._trace.append(Decision("", "veera", verdict, reason, self._now_ns, each.value, each.limit))
        if failed:
            raise _Stopped("veera", f"{failed[0].rule}: {failed[0].reason}", side)

    def _gate(self, side: Side, signals: tuple[Signal, ...]) -> tuple[Signal, ...]:
        """The hunter mode's own demand; the signals that then make the case."""
        if self._spec.hunter == STANDARD:
            self._note("hunter", True, "standard: a passing strategy enters", _names(signals), STANDARD, side)
            return signals
        able = tuple(each for each in self._recent(self._snapshot) if self._may_serve(each, side))
        context = match.matched(self._spec.context_patterns, able)
        case = tuple(each for each in able if each in context or each in signals)
        met = bool(context) and len(case) >= 2
        reason = "context and trigger stand" if met else "no context signal beside the trigger in the window"
        self._note("hunter", met, reason, _names(case), " ".join(self._spec.context_patterns), side)
        return case

    def _caps(self, side: Side, counts: Counts, caps: Caps) -> None:
        mine = counts.by_strategy.get(self._spec.strategy_id, 0)
        rows = (
            ("strategy runs today", counts.runs, caps.runs),
            (f"signals of {self._spec.strategy_id} today", mine, self._spec.max_signals_day),
            ("positions today", counts.positions, caps.positions),
        )
        for what, used, limit in rows:
            if used >= limit:
                self._note("caps", False, f"{what} are used up", str(used), str(limit), side)
        value = ", ".join(f"{used} {what}" for what, used, _ in rows)
        self._note("caps", True, "under the day's caps", value, ", ".join(str(each[2]) for each in rows), side)

    def _patterns(self, side: Side) -> tuple[str, ...]:
        return self._spec.call_patterns if side is Side.CALL else self._spec.put_patterns

    def _matched(self, side: Side, signals: tuple[Signal, ...]) -> tuple[Signal, ...]:
        """Those that point to `side` and meet its patterns, traded on or not."""
        able = tuple(each for each in signals if match.points(each, side, self._spec))
        return match.matched(self._patterns(side), able)

    def _may_serve(self, signal: Signal, side: Side) -> bool:
        return match.points(signal, side, self._spec) and match.alive(signal)

    def _recent(self, signals: tuple[Signal, ...]) -> tuple[Signal, ...]:
        return tuple(each for each in signals if match.inside_window(each, self._spec, self._now_ns))

    def _unspent(self, signals: tuple[Signal, ...]) -> tuple[Signal, ...]:
        return tuple(each for each in signals if match.alive(each) and match.identity(each) not in self._spent)


def _names(signals: tuple[Signal, ...]) -> str:
    return ", ".join(signal.firing.scanner for signal in signals) or "none"


def _both(by_side: dict[Side, tuple[Signal, ...]]) -> tuple[Signal, ...]:
    return by_side[Side.CALL] + by_side[Side.PUT]
