"""The protective decision: a holding, an instant and a memory in; directives and the new memory out.

At most one exit works for a trade, its remaining quantity follows the open quantity, and nothing is sent
while the broker's word on an exit is outstanding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from station.calendars import SessionSpan
from station.domain.clock import SECOND
from station.domain.orders import Action, Order, OrderKind, OrderState, Purpose
from station.domain.trade import Cause, Trade
from station.protection.directives import (
    CancelEntry,
    CancelExit,
    Directive,
    Holding,
    LateMode,
    MarketOut,
    Memory,
    ModifyExit,
    ProtectionSettings,
    RaiseAlert,
    RequestReconcile,
    SubmitExit,
)
from station.protection.rules import (
    Lower,
    Out,
    Tell,
    View,
    break_even_limit,
    has_no_price,
    is_stale,
    shield_level,
    stop_level,
    target_limit,
    trail_level,
    usable_bid,
    verdicts,
)

_MARKET_CAUSES: Final = frozenset(
    {Cause.SHIELD, Cause.END_OF_DAY, Cause.EMERGENCY, Cause.MANUAL, Cause.STRATEGY, Cause.KILL}
)
_STUBBORN_ASKS: Final = 3
_CANCEL_PATIENCE: Final = 3
_FORGET_ASKED_S: Final = 60


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
        return _asked(_orphans(holding, kept), (), now_ns, holding, settings, kept)
    memory = _remembered(holding, now_ns, session, settings, memory)
    if trade.open_qty < 0:
        return _bought_back(holding, now_ns, session, settings, memory)
    if session is None:
        return _asked(_unresolved(holding, now_ns, settings), (), now_ns, holding, settings, memory)
    bid = usable_bid(holding, now_ns, settings)
    view = View(holding, now_ns, session, settings, memory, entry, bid)
    memory, alerts = _judged(view)
    wish = _wish(holding, entry, settings, memory)
    return _asked(_enforced(holding, now_ns, settings, wish), alerts, now_ns, holding, settings, memory)


def next_look(
    holding: Holding, now_ns: int, session: SessionSpan | None, settings: ProtectionSettings, memory: Memory
) -> int | None:
    """When to decide again if nothing else happens, UTC ns; None outside the session or when flat.

    Every 5 s for 10 minutes after the fill, then every 30 s; and exactly at the end of the grace period, at
    close − 30 min and close − 5 min, at the next emergency check and at a retry.
    """
    trade = holding.trade
    if memory.asked and (trade.open_qty != 0 or holding.exits):
        retry = memory.asked_ns + _patience_ns(holding, settings, memory)
        pending = [retry] if retry > now_ns else []
    else:
        pending = []
    if trade.open_qty == 0 or session is None:
        return min(pending, default=None)
    held = now_ns - trade.filled_ns
    fast = held < settings.fast_poll_for_s * SECOND
    step = (settings.fast_poll_s if fast else settings.slow_poll_s) * SECOND
    instants = [
        trade.filled_ns + (held // step + 1) * step,
        trade.filled_ns + settings.grace_s * SECOND,
        session.close_ns - settings.late_before_close_s * SECOND,
        session.close_ns - settings.flatten_before_close_s * SECOND,
        *(order.updated_ns + settings.ack_timeout_s * SECOND for order in holding.exits),
        *pending,
    ]
    if memory.absent_checks:
        instants.append(memory.absent_ns + settings.check_s * SECOND)
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
    out, lowered = memory.out, memory.lowered
    for cause in _exit_causes(holding.trade):
        if out is None and _left_at_market(cause, holding.exits, settings):
            out = cause
        if lowered is None and cause in (Cause.BREAK_EVEN, Cause.LATE):
            lowered = cause
    reason = memory.out_reason or (f"{out.value}, resumed" if out else "")
    bid = usable_bid(holding, now_ns, settings)
    high = memory.high_bid if bid is None else max(bid, memory.high_bid or bid)
    counted = _counted(holding, now_ns, session, settings, memory)
    kept = memory.raised
    if not is_stale(holding, now_ns, settings):
        kept = kept - {f"stale:{holding.trade.id}"}
    return replace(counted, out=out, out_reason=reason, lowered=lowered, high_bid=high, raised=kept)


def _exit_causes(trade: Trade) -> tuple[Cause, ...]:
    known = {cause.value: cause for cause in Cause}
    return tuple(known[leg.cause] for leg in trade.exits if leg.cause in known)


def _left_at_market(cause: Cause, exits: Sequence[Order], settings: ProtectionSettings) -> bool:
    if cause is Cause.LATE:
        return settings.late_mode is LateMode.FORCE_CLOSE
    if cause is Cause.BREAK_EVEN:
        return any(order.ticket.kind is OrderKind.MARKET for order in exits)
    return cause in _MARKET_CAUSES


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
    return memory, tuple(alerts)


# --- orders ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wish:
    """The exit that should be working: at market with `out`, else a limit."""

    cause: Cause
    reason: str
    limit: Decimal | None = None

    @property
    def kind(self) -> OrderKind:
        return OrderKind.MARKET if self.limit is None else OrderKind.LIMIT


def _wish(holding: Holding, entry: Decimal, settings: ProtectionSettings, memory: Memory) -> _Wish:
    if memory.out is not None:
        return _Wish(memory.out, memory.out_reason)
    target = target_limit(holding.trade, entry, holding, settings)
    if memory.lowered is not None:
        even = break_even_limit(holding.trade, entry, holding)
        if even < target:
            return _Wish(memory.lowered, f"sell at entry + fees ({memory.lowered.value})", even)
    return _Wish(Cause.TARGET, "profit target", target)


def _flat_memory(holding: Holding, memory: Memory) -> Memory:
    """Flat ends everything but a market-out that a working entry could still need."""
    fresh = Memory(asked=memory.asked, asked_ns=memory.asked_ns, asked_times=memory.asked_times)
    if not holding.entry_working:
        return fresh
    return replace(fresh, out=memory.out, out_reason=memory.out_reason)


def _orphans(holding: Holding, memory: Memory) -> tuple[Directive, ...]:
    cancels = (CancelExit(order.ref, "position is flat") for order in holding.exits if not order.cancel_cause)
    return (*cancels, *_entry_off(holding, memory.out))


def _entry_off(holding: Holding, out: Cause | None) -> tuple[Directive, ...]:
    if out is None or not holding.entry_working or not holding.trade.entry_ref:
        return ()
    return (CancelEntry(holding.trade.entry_ref, out),)


def _unresolved(holding: Holding, now_ns: int, settings: ProtectionSettings) -> tuple[Directive, ...]:
    """A question to the broker, where its word on an exit is lost or overdue."""
    for order in holding.exits:
        if order.state is OrderState.UNKNOWN:
            return (RequestReconcile(f"exit {order.ref} is UNKNOWN: no second exit until the broker answers"),)
        overdue = now_ns - order.updated_ns >= settings.ack_timeout_s * SECOND
        if _outstanding(order, now_ns, settings) and overdue:
            return (RequestReconcile(f"exit {order.ref} is unanswered for {settings.ack_timeout_s} s"),)
    return ()


def _outstanding(order: Order, now_ns: int, settings: ProtectionSettings) -> bool:
    """The broker owes an answer to it. A cancel without effect is given up: the order works, so it is used."""
    if order.state is OrderState.PENDING:
        return True
    patience_ns = _CANCEL_PATIENCE * settings.ack_timeout_s * SECOND
    return bool(order.cancel_cause) and now_ns - order.updated_ns < patience_ns


def _enforced(
    holding: Holding, now_ns: int, settings: ProtectionSettings, wish: _Wish
) -> tuple[Directive, ...]:
    """The directives that bring the working exits to the wish; none while the broker owes an answer."""
    doubts = _unresolved(holding, now_ns, settings)
    entry_off = _entry_off(holding, wish.cause if wish.limit is None else None)
    if doubts:
        return (*doubts, *entry_off)
    kept, extra = _sorted_out(holding)
    if extra:
        wrong = (CancelExit(order.ref, "one exit a trade") for order in extra if not order.cancel_cause)
        return (*wrong, *entry_off)
    if kept is not None and _outstanding(kept, now_ns, settings):
        return entry_off
    return (*_brought(kept, abs(holding.trade.open_qty), wish), *entry_off)


def _sorted_out(holding: Holding) -> tuple[Order | None, tuple[Order, ...]]:
    """The exit to keep, and those to cancel: the wrong way round, or one too many (a market exit stays)."""
    action = Action.SELL if holding.trade.open_qty > 0 else Action.BUY
    right = sorted(
        (order for order in holding.exits if order.ticket.action is action),
        key=lambda o: (bool(o.cancel_cause), o.ticket.kind is not OrderKind.MARKET, o.created_ns, o.ref),
    )
    kept = right[0] if right else None
    return kept, tuple(order for order in holding.exits if order is not kept)


def _brought(kept: Order | None, open_qty: Decimal, wish: _Wish) -> tuple[Directive, ...]:
    if kept is None:
        if wish.limit is None:
            return (MarketOut(wish.cause, wish.reason),)
        return (SubmitExit(OrderKind.LIMIT, Purpose.TARGET, open_qty, wish.limit, None, wish.cause),)
    ticket, qty = kept.ticket, kept.filled + open_qty
    if ticket.kind is not wish.kind and wish.limit is None:
        return (MarketOut(wish.cause, wish.reason),)
    if (ticket.kind, ticket.qty, ticket.limit if wish.limit is not None else None) == (
        wish.kind, qty, wish.limit,
    ):  # fmt: skip
        return ()
    return (ModifyExit(kept.ref, wish.kind, qty, wish.limit, None, wish.cause, wish.reason),)


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
    wish = _Wish(cause, f"over-sold by {-trade.open_qty}")
    if session is None:
        orders = tuple(CancelExit(o.ref, "over-sold") for o in holding.exits
                       if o.ticket.action is Action.SELL and not o.cancel_cause)  # fmt: skip
    else:
        orders = _enforced(holding, now_ns, settings, wish)
    return _asked(orders, alerts, now_ns, holding, settings, memory)


# --- not asking the same thing twice at once ---------------------------------------------------------


def _asked(
    orders: tuple[Directive, ...],
    alerts: tuple[RaiseAlert, ...],
    now_ns: int,
    holding: Holding,
    settings: ProtectionSettings,
    memory: Memory,
) -> tuple[tuple[Directive, ...], Memory]:
    """A new ask goes out at once; the same one again only after a growing pause, the third time with an
    alert (FAULTS 14, 16: a refused or unanswered request must not become a storm)."""
    if not orders:
        return alerts, memory
    if orders != memory.asked or now_ns - memory.asked_ns >= _FORGET_ASKED_S * SECOND:
        return (*orders, *alerts), replace(memory, asked=orders, asked_ns=now_ns, asked_times=1)
    if now_ns - memory.asked_ns < _patience_ns(holding, settings, memory):
        return alerts, memory
    times = memory.asked_times + 1
    if times == _STUBBORN_ASKS:
        what = type(orders[0]).__name__
        text = f"protection of {holding.trade.id} asked {times} times for the same {what} in vain"
        alerts = (*alerts, RaiseAlert("critical", text, f"stubborn:{holding.trade.id}:{now_ns}"))
    return (*orders, *alerts), replace(memory, asked_ns=now_ns, asked_times=times)


def _patience_ns(holding: Holding, settings: ProtectionSettings, memory: Memory) -> int:
    if not memory.asked_times:
        return 0
    first = settings.ack_timeout_s if isinstance(memory.asked[0], RequestReconcile) else settings.retry_s
    waits_for_bid = isinstance(memory.asked[0], MarketOut) and has_no_price(holding)
    wait_s = settings.slow_poll_s if waits_for_bid else first * 2 ** min(memory.asked_times - 1, 5)
    return min(wait_s, max(settings.slow_poll_s, first)) * SECOND
