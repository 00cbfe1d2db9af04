"""Gate, kill switch, quarantine and the day's books: values, and the pure steps between them.

Every step answers the controls after it and the events to record; both go into one commit, so that no crash
can part them. A step that changes nothing answers the same controls and no event.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Final

from station.domain.clock import SECOND
from station.domain.errors import Refused
from station.domain.events import Alerted, GateChanged, KillChanged, LimitBreached, Quarantined, SystemEvent
from station.risk.figures import dollars
from station.risk.limits import Limits, StrategyTerms

RELEASE_WORD: Final = "RELEASE"
BY_DAY_LOSS: Final = "day loss"


class Gate(Enum):
    """OPEN; CLOSED passes nothing but protection; REDUCING also manual orders that shrink exposure."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    REDUCING = "REDUCING"


@dataclass(frozen=True, slots=True)
class GateState:
    state: Gate = Gate.OPEN
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class KillState:
    on: bool = False
    flatten: bool = False
    by: str = ""
    reason: str = ""
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class DayBook:
    """`session` is the trade date `YYYY-MM-DD`; baselines are equity at the session's and the month's first
    start, `peak` the highest equity ever seen. `losses` counts losing trades in a row."""

    session: str = ""
    baseline: Decimal | None = None
    month_baseline: Decimal | None = None
    peak: Decimal | None = None
    losses: int = 0
    cooling_until_ns: int = 0
    overrides: int = 0


@dataclass(frozen=True, slots=True)
class StrategyBook:
    """What one strategy has made since its row was last edited, dollars; `peak` is the most it ever stood at,
    at least 0. A paused one takes no entries until its row is edited (a new `version` starts a new book)."""

    strategy: str
    version: int
    pnl: Decimal = Decimal(0)
    peak: Decimal = Decimal(0)
    paused: str = ""


@dataclass(frozen=True, slots=True)
class Controls:
    """Everything that stops trading and must survive a restart. `quarantined` is (symbol, reason), sorted;
    `strategies` sorted by name."""

    gate: GateState = GateState()
    kill: KillState = KillState()
    quarantined: tuple[tuple[str, str], ...] = ()
    day: DayBook = DayBook()
    strategies: tuple[StrategyBook, ...] = ()

    def quarantine_of(self, symbol: str) -> str | None:
        """Why the symbol is locked for entries; None when it is not."""
        return next((reason for name, reason in self.quarantined if name == symbol), None)

    def book_of(self, strategy: str, version: int) -> StrategyBook:
        """A strategy's book under one version of its row; a fresh one where there is none."""
        held = next((book for book in self.strategies if book.strategy == strategy), None)
        return held if held is not None and held.version == version else StrategyBook(strategy, version)


Step = tuple[Controls, tuple[SystemEvent, ...]]


def set_gate(controls: Controls, state: Gate, by: str, reason: str) -> Step:
    """Move the gate. Opening it never lifts the kill switch. An operator who closes what the day's loss has
    closed already makes it his own: it stays closed into the next session."""
    taken_over = controls.gate.by == BY_DAY_LOSS and by != BY_DAY_LOSS
    if controls.gate.state is state and not taken_over:
        return controls, ()
    return replace(controls, gate=GateState(state, by, reason)), (GateChanged(state.value, by, reason),)


def engage_kill(controls: Controls, by: str, reason: str, at_ns: int, *, flatten: bool = False) -> Step:
    """Switch the kill on, or add flatten to one that is on; never takes flatten back. Idempotent."""
    held = controls.kill
    if held.on and (held.flatten or not flatten):
        return controls, ()
    kill = KillState(True, flatten or held.flatten, by, reason, at_ns)
    what = "kill switch ON, flattening" if kill.flatten else "kill switch ON"
    events = (KillChanged(True, kill.flatten, by, reason), Alerted("critical", f"{what}: {reason} (by {by})"))
    return replace(controls, kill=kill), events


def release_kill(controls: Controls, word: str, by: str, *, reconciled_clean: bool) -> Step:
    """Switch the kill off. Raises Refused unless `word` is typed right and the last reconciliation, made
    after the switch went on, was clean. The gate stays where it is."""
    if not controls.kill.on:
        return controls, ()
    if word != RELEASE_WORD:
        raise Refused("KILL_CONFIRM", f"kill release: {word!r} was typed, {RELEASE_WORD} is asked: type it")
    if not reconciled_clean:
        raise Refused("KILL_UNRECONCILED", "kill release: the books are not reconciled clean: reconcile first")
    return replace(controls, kill=KillState()), (KillChanged(False, False, by, "released"),)


def quarantine(controls: Controls, symbol: str, reason: str) -> Step:
    """Lock a symbol for entries; what is open stays protected. The first reason stands."""
    if controls.quarantine_of(symbol) is not None:
        return controls, ()
    locked = tuple(sorted((*controls.quarantined, (symbol, reason))))
    events = (Quarantined(symbol, True, reason), Alerted("critical", f"{symbol} quarantined: {reason}"))
    return replace(controls, quarantined=locked), events


def lift_quarantine(
    controls: Controls, symbol: str, word: str, by: str, *, reconciled_clean: bool
) -> Step:  # fmt: skip
    """Free a symbol for entries again. Raises Refused unless `word` is typed right and the books have just been
    reconciled clean."""
    if controls.quarantine_of(symbol) is None:
        return controls, ()
    if word != RELEASE_WORD:
        raise Refused("LIFT_CONFIRM", f"lift {symbol}: {word!r} was typed, {RELEASE_WORD} is asked: type it")
    if not reconciled_clean:
        raise Refused(
            "LIFT_UNRECONCILED", f"lift {symbol}: the books are not reconciled clean: reconcile first"
        )
    left = tuple(each for each in controls.quarantined if each[0] != symbol)
    told = Alerted("warning", f"{symbol} may be traded again, lifted by {by}")
    return replace(controls, quarantined=left), (Quarantined(symbol, False, f"lifted by {by}"), told)


def begin_session(controls: Controls, session: str, equity: Decimal) -> Step:
    """Set the baselines of a new trade date; a restart inside it resets nothing. A gate that the day's loss
    closed opens again with the new day; one closed by hand stays."""
    day = controls.day
    if day.session == session:
        return controls, ()
    month = day.month_baseline if day.session[:7] == session[:7] else None
    fresh = DayBook(
        session=session, baseline=equity, month_baseline=equity if month is None else month,
        peak=equity if day.peak is None else max(day.peak, equity),
    )  # fmt: skip
    begun = replace(controls, day=fresh)
    if begun.gate.by == BY_DAY_LOSS and begun.gate.state is not Gate.OPEN:
        return set_gate(begun, Gate.OPEN, "session", f"new session {session}")
    return begun, ()


def note_equity(controls: Controls, equity: Decimal) -> Controls:
    """Raise the peak that drawdown is measured from."""
    peak = controls.day.peak
    if peak is not None and equity <= peak:
        return controls
    return replace(controls, day=replace(controls.day, peak=equity))


def note_result(controls: Controls, net_pnl: Decimal, at_ns: int, limits: Limits) -> Step:
    """Count a closed trade: a win ends the streak; from the limit on, each loss starts a cooling-off."""
    losses = controls.day.losses + 1 if net_pnl < 0 else 0
    day = replace(controls.day, losses=losses)
    if losses < limits.cooling_losses or net_pnl >= 0:
        return replace(controls, day=day), ()
    day = replace(day, cooling_until_ns=at_ns + limits.cooling_s * SECOND)
    breach = LimitBreached("cooling-off", f"{losses} losses in a row", str(limits.cooling_losses))
    text = f"cooling off for {limits.cooling_s // 60} minutes: {losses} losses in a row"
    return replace(controls, day=day), (breach, Alerted("warning", text))


def note_strategy(
    controls: Controls, strategy: str, terms: StrategyTerms, net_pnl: Decimal, limits: Limits
) -> Step:
    """Add a closed trade to its strategy's book, and pause the strategy once it has fallen from its peak by
    its drawdown limit, percent of the session's baseline. A pause outlives sessions and restarts; a trade
    of an older row than the book's does not count."""
    if any(book.strategy == strategy and book.version > terms.version for book in controls.strategies):
        return controls, ()
    book = controls.book_of(strategy, terms.version)
    pnl = book.pnl + net_pnl
    book = replace(book, pnl=pnl, peak=max(book.peak, pnl))
    limit = strategy_drawdown(controls.day.baseline, terms, limits)
    fallen = book.peak - book.pnl
    if limit is None or book.paused or fallen < limit:
        return _with_book(controls, book), ()
    book = replace(book, paused=f"fell {dollars(fallen)} from its peak, the limit is {dollars(limit)}")
    breach = LimitBreached(f"{strategy} drawdown", f"-{fallen}", f"-{limit}")
    text = f"strategy {strategy} is paused: it {book.paused}; edit its row to start it again"
    return _with_book(controls, book), (breach, Alerted("critical", text))


def strategy_drawdown(baseline: Decimal | None, terms: StrategyTerms, limits: Limits) -> Decimal | None:
    """Dollars a strategy may fall from its peak; None while the baseline is not known."""
    if baseline is None:
        return None
    pct = limits.strategy_drawdown_pct
    return baseline * (pct if terms.drawdown_pct is None else min(pct, terms.drawdown_pct)) / 100


def _with_book(controls: Controls, book: StrategyBook) -> Controls:
    others = (each for each in controls.strategies if each.strategy != book.strategy)
    return replace(controls, strategies=tuple(sorted((*others, book), key=lambda each: each.strategy)))


def note_override(controls: Controls, limits: Limits) -> Controls:
    """Count a manual override. Raises Refused when the day's are used up."""
    used = controls.day.overrides
    if used >= limits.manual_overrides:
        text = (
            f"manual override: {used} today, the limit is {limits.manual_overrides}: wait for the next session"
        )
        raise Refused("OVERRIDES", text)
    return replace(controls, day=replace(controls.day, overrides=used + 1))


class DayLoss(Enum):
    """What the day's loss calls for."""

    NONE = "none"
    CLOSE_GATE = "close gate"
    KILL_FLATTEN = "kill and flatten"


def day_loss_action(day_pnl: Decimal, baseline: Decimal, limits: Limits) -> DayLoss:
    """Close the gate at the limit, kill and flatten at 1.5 times it. Dollars."""
    limit = limits.day_loss(baseline)
    if -day_pnl >= limit * limits.flatten_factor:
        return DayLoss.KILL_FLATTEN
    return DayLoss.CLOSE_GATE if -day_pnl >= limit else DayLoss.NONE


def apply_day_loss(controls: Controls, day_pnl: Decimal, at_ns: int, limits: Limits) -> Step:
    """Take the action the day's P&L calls for; nothing before the session's baseline is known."""
    baseline = controls.day.baseline
    action = DayLoss.NONE if baseline is None else day_loss_action(day_pnl, baseline, limits)
    if baseline is None or action is DayLoss.NONE:
        return controls, ()
    limit = limits.day_loss(baseline)
    reason = f"day P&L {day_pnl} at the limit of −{limit}"
    gated, events = _close_for_loss(controls, day_pnl, limit, reason)
    if action is DayLoss.CLOSE_GATE:
        return gated, events
    harder = f"day P&L {day_pnl} at {limits.flatten_factor} × the limit of −{limit}"
    killed, more = engage_kill(gated, BY_DAY_LOSS, harder, at_ns, flatten=True)
    return killed, (*events, *more)


def _close_for_loss(controls: Controls, day_pnl: Decimal, limit: Decimal, reason: str) -> Step:
    gated, events = set_gate(controls, Gate.CLOSED, BY_DAY_LOSS, reason)
    if not events:
        return gated, ()
    breach = LimitBreached("daily loss", str(day_pnl), f"-{limit}")
    return gated, (breach, *events, Alerted("critical", f"gate CLOSED: {reason}"))
