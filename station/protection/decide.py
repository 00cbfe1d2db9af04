"""The protective decision: a holding, an instant and a memory in; directives and the new memory out.

The working exits of a trade together follow its open quantity and never pass it; an exit on which the
broker's word is outstanding is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from station.calendars import SessionSpan
from station.domain.clock import SECOND
from station.domain.orders import Action, Order, OrderKind
from station.domain.trade import Cause, Trade
from station.protection.asks import asked, retries
from station.protection.directives import (
    AskClose,
    CancelExit,
    Directive,
    Holding,
    LateMode,
    MarketOut,
    Memory,
    ProtectionSettings,
    RaiseAlert,
)
from station.protection.legs import Wish, cancelled_entry, enforced, unresolved, wished
from station.protection.rules import (
    Lower,
    Out,
    Tell,
    View,
    has_no_price,
    is_stale,
    resting_level,
    shield_level,
    stop_level,
    trail_level,
    usable_bid,
    verdicts,
)

_MARKET_CAUSES: Final = frozenset(
    {Cause.STOP, Cause.SHIELD, Cause.END_OF_DAY, Cause.EMERGENCY, Cause.MANUAL, Cause.STRATEGY, Cause.KILL}
)

_COMES_AGAIN: Final = frozenset({Cause.KILL, Cause.END_OF_DAY, Cause.LATE, Cause.MANUAL})
"""What a switch, the clock or the trade itself says anew after a restart."""


def decide(
    holding: Holding, now_ns: int, session: SessionSpan | None, settings: ProtectionSettings, memory: Memory
) -> tuple[tuple[Directive, ...], Memory]:
    """What to do for one trade now, order directives first, and what to remember of it.

    `session` is the contract's session at `now_ns`, None while it does not trade: then nothing is sent but
    the cancel of an exit whose position is gone.
    """
    trade, entry = holding.trade, holding.trade.entry_price
    if trade.open_qty == 0 or entry is None:
        kept = _flat_memory(holding, memory)
        return asked(_orphans(holding, now_ns, settings, kept), (), now_ns, holding, settings, kept)
    memory = _remembered(holding, now_ns, session, settings, memory)
    if trade.open_qty < 0:
        return _bought_back(holding, now_ns, session, settings, memory)
    if session is None:
        return asked(unresolved(holding, now_ns, settings), (), now_ns, holding, settings, memory)
    bid = usable_bid(holding, now_ns, settings)
    view = View(holding, now_ns, session, settings, memory, entry, bid)
    memory, alerts = _judged(view)
    wish = wished(holding, entry, settings, memory)
    sent, memory = asked(enforced(holding, now_ns, settings, wish), alerts, now_ns, holding, settings, memory)
    return (*_unwritten(holding, settings, memory, sent), *sent), memory


def next_look(
    holding: Holding, now_ns: int, session: SessionSpan | None, settings: ProtectionSettings, memory: Memory
) -> int | None:
    """When to decide again if nothing else happens, UTC ns; None outside the session or when flat.

    Every 5 s for 10 minutes after the fill, then every 30 s; and exactly at the end of the grace period, at
    close − 30 min and close − 5 min, at the next emergency check and at a retry.
    """
    trade = holding.trade
    holds = trade.open_qty != 0 or bool(holding.exits)
    pending = retries(holding, now_ns, settings, memory) if holds else []
    if trade.open_qty == 0:
        pending += [order.updated_ns + settings.ack_timeout_s * SECOND for order in holding.exits]
    if trade.open_qty == 0 or session is None:
        return min((at for at in pending if at > now_ns), default=None)
    held = now_ns - trade.filled_ns
    fast = held < settings.fast_poll_for_s * SECOND
    step = (settings.fast_poll_s if fast else settings.slow_poll_s) * SECOND
    instants = [
        trade.filled_ns + (held // step + 1) * step,
        trade.filled_ns + settings.grace_s * SECOND,
        session.close_ns - settings.late_before_close_s * SECOND,
        session.close_ns - settings.flatten_before_close_s * SECOND,
        session.close_ns - (settings.flatten_before_close_s - settings.flat_within_s) * SECOND,
        *(order.updated_ns + settings.ack_timeout_s * SECOND for order in holding.exits),
        *pending,
    ]
    if memory.absent_checks:
        instants.append(memory.absent_ns + settings.check_s * SECOND)
    instants += [leg.updated_ns + settings.retry_s * SECOND for leg in holding.exits if leg.ticket.oca_group]
    if memory.stop_ns:
        instants.append(memory.stop_ns + settings.stop_head_start_s * SECOND)
    return min(at for at in instants if at > now_ns)


@dataclass(frozen=True, slots=True)
class Triggers:
    """The bids that are worth a decision before the next timer: at or under `at_or_under`, strictly under
    `under`, over `over`; `absent` when a vanished bid is news, `present` when a bid that is back is."""

    at_or_under: Decimal | None = None
    under: Decimal | None = None
    over: Decimal | None = None
    absent: bool = False
    present: bool = False

    def pulled_by(self, bid: Decimal | None) -> bool:
        if bid is None:
            return self.absent
        return (
            self.present
            or (self.at_or_under is not None and bid <= self.at_or_under)
            or (self.under is not None and bid < self.under)
            or (self.over is not None and bid > self.over)
        )


def triggers(
    holding: Holding, now_ns: int, session: SessionSpan | None, settings: ProtectionSettings, memory: Memory
) -> Triggers:
    """Which quotes must wake protection, given what it last decided."""
    trade, entry = holding.trade, holding.trade.entry_price
    if session is None or entry is None or trade.open_qty <= 0:
        return Triggers()
    if memory.out is not None:
        return Triggers(present=has_no_price(holding))
    view = View(holding, now_ns, session, settings, memory, entry, None)
    shield = trade.shield == "rapid_shield" and "rapid_shield" not in settings.off
    grace_over = view.held_ns >= settings.grace_s * SECOND and "break_even" not in settings.off
    lowering = view.late and settings.late_mode is LateMode.MODIFY_TO_ENTRY and "late" not in settings.off
    own = stop_level(entry, holding) if "own_stop" not in settings.off else None
    levels = (shield_level(entry, settings) if shield else None, own, trail_level(view))
    stops = [level for level in levels if level is not None]
    return Triggers(
        at_or_under=max(stops, default=None),
        under=entry if memory.lowered is None and (grace_over or lowering) else None,
        over=memory.high_bid if settings.trail_pct is not None and "trail" not in settings.off else None,
        absent="emergency" not in settings.off and not memory.absent_checks,
    )


# --- memory ------------------------------------------------------------------------------------------


def _remembered(
    holding: Holding, now_ns: int, session: SessionSpan | None, settings: ProtectionSettings, memory: Memory
) -> Memory:
    (out, reason), lowered = _wanted_out(holding.trade, memory), memory.lowered
    for cause in _exit_causes(holding):
        if out is None and _left_at_market(cause, holding.exits, settings):
            out = cause
        if lowered is None and cause in (Cause.BREAK_EVEN, Cause.LATE):
            lowered = cause
    reason = reason or (f"{out.value}, resumed" if out else "")
    bid = usable_bid(holding, now_ns, settings)
    high = memory.high_bid if bid is None else max(bid, memory.high_bid or bid)
    counted = _counted(holding, now_ns, session, settings, memory)
    kept = memory.raised
    if not is_stale(holding, now_ns, settings):
        kept = kept - {f"stale:{holding.trade.id}"}
    if out is Cause.EMERGENCY and memory.out is None:
        kept = kept | {_emergency(holding.trade)}
    stop_ns = _at_stop(resting_level(holding, settings), bid, now_ns, memory)
    return replace(
        counted, out=out, out_reason=reason, lowered=lowered, high_bid=high, raised=kept, stop_ns=stop_ns
    )


def _wanted_out(trade: Trade, memory: Memory) -> tuple[Cause | None, str]:
    """The cause to leave at market and its reason: what is remembered, else what is written down."""
    if memory.out is not None or trade.closing is None:
        return memory.out, memory.out_reason
    return Cause(trade.closing.cause), trade.closing.reason


def _at_stop(level: Decimal | None, bid: Decimal | None, now_ns: int, memory: Memory) -> int:
    """Since when the bid is at or under a resting stop; a bid that is not known changes nothing."""
    if level is None:
        return 0
    if bid is None:
        return memory.stop_ns
    return (memory.stop_ns or now_ns) if bid <= level else 0


def _exit_causes(holding: Holding) -> tuple[Cause, ...]:
    known = {cause.value: cause for cause in Cause}
    told = (*(leg.cause for leg in holding.trade.exits), holding.given_up_for)
    return tuple(known[cause] for cause in told if cause in known)


def _left_at_market(cause: Cause, exits: Sequence[Order], settings: ProtectionSettings) -> bool:
    if cause is Cause.LATE:
        return settings.late_mode is LateMode.FORCE_CLOSE
    if cause is Cause.BREAK_EVEN:
        return any(order.ticket.kind is OrderKind.MARKET for order in exits)
    return cause in _MARKET_CAUSES


def _emergency(trade: Trade) -> str:
    """The alert's key: told when it is decided, not again by a start that finds it under way."""
    return f"emergency:{trade.id}"


def _counted(
    holding: Holding, now_ns: int, session: SessionSpan | None, settings: ProtectionSettings, memory: Memory
) -> Memory:
    """Rule 6's count: a check is due 5 s after the one before; any price, a halt or a close resets it."""
    if session is None or holding.halted or not has_no_price(holding):
        return replace(memory, absent_checks=0, absent_ns=0)
    if memory.absent_checks and now_ns - memory.absent_ns < settings.check_s * SECOND:
        return memory
    return replace(memory, absent_checks=memory.absent_checks + 1, absent_ns=now_ns)


def _judged(view: View) -> tuple[Memory, tuple[RaiseAlert, ...]]:
    memory = view.memory
    alerts: list[RaiseAlert] = []
    for verdict in verdicts(view):
        match verdict:
            case Out(cause, reason) if memory.out is None:
                memory = replace(memory, out=cause, out_reason=reason)
            case Lower(cause) if memory.lowered is None:
                memory = replace(memory, lowered=cause)
            case Tell(alert) if alert.key not in memory.raised:
                alerts.append(alert)
                memory = replace(memory, raised=memory.raised | {alert.key})
            case _:
                pass
    key = _emergency(view.trade)
    if memory.out is Cause.EMERGENCY and key not in memory.raised:
        text = f"price-feed emergency: {view.trade.id} is sold at market, {memory.out_reason}"
        alerts.append(RaiseAlert("critical", text, key))
        memory = replace(memory, raised=memory.raised | {key})
    return memory, tuple(alerts)


# --- orders ------------------------------------------------------------------------------------------


def _unwritten(
    holding: Holding, settings: ProtectionSettings, memory: Memory, sent: Sequence[Directive]
) -> tuple[AskClose, ...]:
    """An exit at market that neither an order nor the trade tells of yet, and that no rule need say again."""
    out = memory.out
    if out is None or out in _COMES_AGAIN or holding.trade.closing is not None:
        return ()
    told = any(_left_at_market(cause, holding.exits, settings) for cause in _exit_causes(holding))
    if told or any(_tells_of(directive, out) for directive in sent):
        return ()
    return (AskClose(out, memory.out_reason),)


def _tells_of(directive: Directive, out: Cause) -> bool:
    gives_up = isinstance(directive, CancelExit) and directive.cause == out.value
    return gives_up or isinstance(directive, MarketOut)


def _flat_memory(holding: Holding, memory: Memory) -> Memory:
    """Flat ends everything but a market-out that a working entry could still need."""
    fresh = Memory(asks=memory.asks)
    if not holding.entry_working:
        return fresh
    out, reason = _wanted_out(holding.trade, memory)
    return replace(fresh, out=out, out_reason=reason)


def _orphans(
    holding: Holding, now_ns: int, settings: ProtectionSettings, memory: Memory
) -> tuple[Directive, ...]:
    """What is left of the exits sells what is not there: it is cancelled until it is gone."""
    patience_ns = settings.ack_timeout_s * SECOND
    left = (o for o in holding.exits if not o.cancel_cause or now_ns - o.updated_ns >= patience_ns)
    cancels = (CancelExit(order.ref, "position is flat") for order in left)
    return (*cancels, *cancelled_entry(holding, memory.out))


def _bought_back(
    holding: Holding, now_ns: int, session: SessionSpan | None, settings: ProtectionSettings, memory: Memory
) -> tuple[tuple[Directive, ...], Memory]:
    """FAULTS 18: more sold than held; sells are cancelled and the excess is bought back at market."""
    trade = holding.trade
    key = f"oversold:{trade.id}:{trade.open_qty}"
    alerts: tuple[RaiseAlert, ...] = ()
    if key not in memory.raised:
        alerts = (RaiseAlert("critical", f"{trade.id} is over-sold by {-trade.open_qty}: buying back", key),)
        memory = replace(memory, raised=memory.raised | {key})
    cause = next((c for c in Cause if c.value == trade.cause_of(trade.last_exit_ref)), Cause.EXTERNAL)
    if session is None:
        orders = tuple(CancelExit(o.ref, "over-sold") for o in holding.exits
                       if o.ticket.action is Action.SELL and not o.cancel_cause)  # fmt: skip
    else:
        orders = enforced(holding, now_ns, settings, Wish(cause, f"over-sold by {-trade.open_qty}"))
    return asked(orders, alerts, now_ns, holding, settings, memory)
