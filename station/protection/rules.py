"""The rules of loss protection (SPEC §10), each a small pure function with one typed verdict.

A rule looks at a View and answers Out (leave at market), Lower (move the sell to entry + fees), Tell (an
alert) or None. The first Out in the table's order wins and is kept until flat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from station.calendars import SessionSpan
from station.domain.clock import SECOND
from station.domain.hand import OwnExits
from station.domain.orders import ZERO, Order, OrderKind, OrderState
from station.domain.trade import Cause, Trade
from station.protection.directives import (
    Holding,
    LateMode,
    Memory,
    ProtectionSettings,
    RaiseAlert,
)

HUNDRED: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class View:
    """An open holding at `now_ns`, inside `session`. `bid` is None unless fresh and sane (FAULTS 39–41, 44)."""

    holding: Holding
    now_ns: int
    session: SessionSpan
    settings: ProtectionSettings
    memory: Memory
    entry: Decimal
    bid: Decimal | None

    @property
    def trade(self) -> Trade:
        return self.holding.trade

    @property
    def held_ns(self) -> int:
        return self.now_ns - self.trade.filled_ns

    @property
    def before_close_ns(self) -> int:
        return self.session.close_ns - self.now_ns

    @property
    def late(self) -> bool:
        return self.before_close_ns <= self.settings.late_before_close_s * SECOND

    @property
    def closing(self) -> bool:
        """At or past close − 5 min, or held over from an earlier session."""
        last_call = self.before_close_ns <= self.settings.flatten_before_close_s * SECOND
        return last_call or self.trade.filled_ns < self.session.open_ns


@dataclass(frozen=True, slots=True)
class Out:
    cause: Cause
    reason: str


@dataclass(frozen=True, slots=True)
class Lower:
    cause: Cause
    reason: str


@dataclass(frozen=True, slots=True)
class Tell:
    alert: RaiseAlert


Verdict = Out | Lower | Tell
Rule = Callable[[View], Verdict | None]


def usable_bid(holding: Holding, now_ns: int, settings: ProtectionSettings) -> Decimal | None:
    """The bid that a price rule may act on: present, not stale, not crossed or locked, not in a halt."""
    quote = holding.quote
    if quote is None or holding.halted or quote.crossed or is_stale(holding, now_ns, settings):
        return None
    return quote.bid


def is_stale(holding: Holding, now_ns: int, settings: ProtectionSettings) -> bool:
    """A quote older than the limit; an absent one is not stale but absent."""
    return holding.quote is not None and now_ns - holding.quote.at_ns > settings.stale_after_s * SECOND


def has_no_price(holding: Holding) -> bool:
    """Zero or absent price, as rule 6 counts it."""
    return holding.quote is None or holding.quote.bid is None


def rung_limits(
    trade: Trade, entry: Decimal, holding: Holding, settings: ProtectionSettings
) -> tuple[Decimal, ...]:
    """Rule 1: entry × (1 + %) of each rung of the ladder, the target alone without one; up to a legal tick,
    never under one tick. The price that a hand has set for a rung goes before its percent."""
    house = (trade.target_pct or settings.target_pct, settings.p2_pct, settings.p3_pct)
    rungs = [rung.pct or house[n] for n, rung in enumerate(trade.ladder)] or [house[0]]
    by_hand = trade.own or OwnExits()
    prices = (by_hand.target(n) or entry * (1 + pct / HUNDRED) for n, pct in enumerate(rungs))
    return tuple(_legal_up(price, holding) for price in prices)


def rungs_of(holding: Holding | None, settings: ProtectionSettings) -> tuple[Decimal, ...]:
    """The limits of a holding's rungs, lowest first; none before its first fill."""
    if holding is None or holding.trade.entry_price is None:
        return ()
    return rung_limits(holding.trade, holding.trade.entry_price, holding, settings)


def break_even_limit(trade: Trade, entry: Decimal, holding: Holding) -> Decimal:
    """Entry plus both sides' fees a unit (the fees so far, twice an average execution's), up to a tick."""
    assert trade.contract is not None
    traded = trade.entry_filled + trade.exit_filled
    fees = 2 * trade.commission / (traded * trade.contract.multiplier)
    return _legal_up(entry + max(fees, ZERO), holding)


def shield_level(entry: Decimal, settings: ProtectionSettings) -> Decimal:
    """The bid at or under which the rapid shield goes off, unrounded."""
    return entry * (1 - settings.rapid_shield_pct / HUNDRED)


def stop_level(entry: Decimal, holding: Holding) -> Decimal | None:
    """The bid at or under which the trade's stop goes off, unrounded: the hand's, else the strategy's; None
    where neither sets one."""
    by_hand = holding.trade.own.stop_at(entry) if holding.trade.own is not None else None
    if by_hand is not None or holding.stop_pct is None:
        return by_hand
    return entry * (1 - holding.stop_pct / HUNDRED)


def resting_level(holding: Holding, settings: ProtectionSettings) -> Decimal | None:
    """Where a hand's stop rests at the broker, down to a legal tick: it goes off at the same bids. None where
    none is set, the broker pairs no orders, or the rule is off."""
    trade, entry = holding.trade, holding.trade.entry_price
    if not holding.stop_rests or trade.own is None or entry is None or "own_stop" in settings.off:
        return None
    level = trade.own.stop_at(entry)
    if level is None:
        return None
    return max(holding.tick_rule.down(level), holding.tick_rule.increment(ZERO))


def rests(holding: Holding, settings: ProtectionSettings) -> bool:
    """Whether the broker has confirmed stops at the level for all that is open."""
    level = resting_level(holding, settings)
    if level is None:
        return False
    doubtful = {ref for ref, _ in holding.unconfirmed}
    stops = (leg for leg in holding.exits if is_resting(leg) and leg.ticket.stop == level)
    sure = (
        leg for leg in stops if leg.ref not in doubtful and not leg.cancel_cause and leg.state in _CONFIRMED
    )
    return sum((leg.remaining for leg in sure), ZERO) >= holding.trade.open_qty


def is_resting(leg: Order) -> bool:
    """Whether an exit is a stop that waits at the broker."""
    return leg.ticket.kind is OrderKind.STOP


_CONFIRMED: Final = (OrderState.SUBMITTED, OrderState.PARTIALLY_FILLED)


def trail_level(view: View) -> Decimal | None:
    """The trailing stop, down to a legal tick; None while it is off, in the grace period or below entry."""
    pct, high = view.settings.trail_pct, view.memory.high_bid
    if pct is None or high is None or view.held_ns < view.settings.grace_s * SECOND:
        return None
    level = high - view.entry * pct / HUNDRED
    return view.holding.tick_rule.down(level) if level > view.entry else None


def _legal_up(price: Decimal, holding: Holding) -> Decimal:
    return max(holding.tick_rule.up(price), holding.tick_rule.increment(ZERO))


def kill(view: View) -> Verdict | None:
    return Out(Cause.KILL, "kill switch: flatten") if view.holding.kill_flatten else None


def end_of_day(view: View) -> Verdict | None:
    """Rule 5. A position from an earlier session is overdue and leaves at once."""
    if not view.closing:
        return None
    return Out(Cause.END_OF_DAY, f"{view.settings.flatten_before_close_s} s before the close")


def emergency(view: View) -> Verdict | None:
    """Rule 6."""
    checks = view.memory.absent_checks
    if checks < view.settings.emergency_checks:
        return None
    return Out(Cause.EMERGENCY, f"no price in {checks} checks of {view.settings.check_s} s")


def rapid_shield(view: View) -> Verdict | None:
    level = shield_level(view.entry, view.settings)
    if view.trade.shield != "rapid_shield" or view.bid is None or view.bid > level:
        return None
    return Out(Cause.SHIELD, f"bid {view.bid} at or under {level} (-{view.settings.rapid_shield_pct} %)")


def by_hand(view: View) -> Verdict | None:
    """A trade that is turned round leaves first."""
    reversal = view.trade.reversal
    return None if reversal is None else Out(Cause.MANUAL, f"reversed by {reversal.by}")


def own_stop(view: View) -> Verdict | None:
    """The stop that a hand has set, or the strategy's (SPEC §5 risk): one of its own exits. One that rests at
    the broker has a head start."""
    level = stop_level(view.entry, view.holding)
    if level is None or view.bid is None or view.bid > level:
        return None
    waited_ns = view.now_ns - view.memory.stop_ns
    if rests(view.holding, view.settings) and waited_ns < view.settings.stop_head_start_s * SECOND:
        return None
    own = view.trade.own
    if own is not None and own.stop_at(view.entry) is not None:
        return Out(Cause.STOP, f"bid {view.bid} at or under the stop of {level:.2f}")
    return Out(Cause.STRATEGY, f"bid {view.bid} at or under {level} (-{view.holding.stop_pct} %)")


def day_shield(view: View) -> Verdict | None:
    if view.trade.shield != "day_shield" or not view.holding.day_shield_hit:
        return None
    return Out(Cause.SHIELD, f"{view.trade.strategy} reached its daily loss ceiling")


def late(view: View) -> Verdict | None:
    """Rule 4."""
    if not view.late:
        return None
    match view.settings.late_mode:
        case LateMode.FORCE_CLOSE:
            return Out(Cause.LATE, f"{view.settings.late_before_close_s} s before the close: force_close")
        case LateMode.MODIFY_TO_ENTRY:
            return _lowered(view, Cause.LATE)
        case LateMode.ALERT_ONLY:
            minutes = view.settings.late_before_close_s // 60
            text = f"{_name(view.trade)} is open {minutes} min before the close"
            return Tell(RaiseAlert("warning", text, f"late:{view.trade.id}"))


def trail(view: View) -> Verdict | None:
    """Rule 2, where a trailing distance is set: over break-even the stop follows the best bid."""
    level = trail_level(view)
    if level is None or view.bid is None or view.bid > level:
        return None
    return Out(Cause.BREAK_EVEN, f"bid {view.bid} fell to the trailing stop {level}")


def break_even(view: View) -> Verdict | None:
    """Rule 2: the grace period leaves the sell alone; after it, a losing trade asks its money back."""
    grace_over = view.held_ns >= view.settings.grace_s * SECOND
    return _lowered(view, Cause.BREAK_EVEN) if grace_over else None


def _lowered(view: View, cause: Cause) -> Lower | None:
    if view.bid is None or view.bid >= view.entry:
        return None
    return Lower(cause, f"bid under entry, sell at entry + fees ({cause.value})")


def unclosed(view: View) -> Verdict | None:
    """Rule 3."""
    times = view.held_ns // (view.settings.unclosed_alert_s * SECOND)
    if times < 1:
        return None
    minutes = view.held_ns // (60 * SECOND)
    text = f"{_name(view.trade)} still open after {minutes} min"
    return Tell(RaiseAlert("critical", text, f"unclosed:{view.trade.id}:{times}"))


def stale_feed(view: View) -> Verdict | None:
    """FAULTS 39: price rules rest on the order at the broker and on the timers until quotes are back."""
    if not is_stale(view.holding, view.now_ns, view.settings):
        return None
    text = f"quote of {_name(view.trade)} is older than {view.settings.stale_after_s} s: shield not acting"
    return Tell(RaiseAlert("warning", text, f"stale:{view.trade.id}"))


def no_bid_at_close(view: View) -> Verdict | None:
    if not view.closing or not has_no_price(view.holding):
        return None
    text = f"{_name(view.trade)} has no bid at the close: unsold, it waits for settlement"
    return Tell(RaiseAlert("critical", text, f"no-bid:{view.trade.id}"))


def not_flat(view: View) -> Verdict | None:
    """Rule 5's promise: flat within so many seconds of the last call. One without a bid has its own alert."""
    settings = view.settings
    late_ns = (settings.flatten_before_close_s - settings.flat_within_s) * SECOND
    young = view.held_ns <= settings.flat_within_s * SECOND
    if young or view.before_close_ns > late_ns or has_no_price(view.holding):
        return None
    text = f"{_name(view.trade)} is not flat {settings.flat_within_s} s after its market sell: see the broker"
    return Tell(RaiseAlert("critical", text, f"not-flat:{view.trade.id}"))


def _name(trade: Trade) -> str:
    label = trade.contract.label if trade.contract is not None else trade.symbol
    return f"{trade.id} {label}"


RULES: Final[tuple[tuple[str, Rule], ...]] = (
    ("kill", kill),
    ("by_hand", by_hand),
    ("end_of_day", end_of_day),
    ("emergency", emergency),
    ("rapid_shield", rapid_shield),
    ("own_stop", own_stop),
    ("day_shield", day_shield),
    ("late", late),
    ("trail", trail),
    ("break_even", break_even),
    ("unclosed", unclosed),
    ("stale_feed", stale_feed),
    ("no_bid_at_close", no_bid_at_close),
    ("not_flat", not_flat),
)
"""In order of precedence; the target (rule 1) is what holds when none of them speaks."""


def verdicts(view: View) -> Iterator[Verdict]:
    """What the enabled rules say, in order of precedence."""
    for name, rule in RULES:
        if name in view.settings.off:
            continue
        verdict = rule(view)
        if verdict is not None:
            yield verdict
