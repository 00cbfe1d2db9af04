"""Not asking the same thing twice at once: a refused or unanswered request must not become a storm."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

from station.domain.clock import SECOND
from station.protection.directives import (
    Ask,
    Directive,
    Holding,
    MarketOut,
    Memory,
    ProtectionSettings,
    RaiseAlert,
    RequestReconcile,
)
from station.protection.rules import has_no_price

_STUBBORN_ASKS: Final = 3
_FORGET_S: Final = 60


def asked(
    orders: tuple[Directive, ...],
    alerts: tuple[RaiseAlert, ...],
    now_ns: int,
    holding: Holding,
    settings: ProtectionSettings,
    memory: Memory,
) -> tuple[tuple[Directive, ...], Memory]:
    """What to send of `orders` now. A new ask goes out at once; the same one again only after a growing pause,
    the third time with an alert (FAULTS 14, 16)."""
    if not orders:
        return alerts, memory
    known = {(ask.directive, ask.nth): ask for ask in memory.asks if now_ns - ask.at_ns < _FORGET_S * SECOND}
    due: list[Directive] = []
    seen: Counter[Directive] = Counter()
    for order in orders:
        seen[order] += 1
        key = (order, seen[order])
        before = known.get(key)
        if before is not None and now_ns - before.at_ns < _pause_ns(before, holding, settings):
            continue
        times = before.times + 1 if before is not None else 1
        if times == _STUBBORN_ASKS:
            what = type(order).__name__
            text = f"protection of {holding.trade.id} asked {times} times for the same {what} in vain"
            alerts = (*alerts, RaiseAlert("critical", text, f"stubborn:{holding.trade.id}:{now_ns}"))
        known[key] = Ask(order, now_ns, times, seen[order])
        due.append(order)
    if any(isinstance(order, RequestReconcile) for order in due):
        # The broker's answer is new ground: what it leaves to be done need not wait for an older refusal.
        known = {key: ask for key, ask in known.items() if key[0] in orders}
    return (*due, *alerts), replace(memory, asks=tuple(known.values()))


def retries(holding: Holding, now_ns: int, settings: ProtectionSettings, memory: Memory) -> list[int]:
    """The instants after `now_ns` at which something asked for may be asked for again, UTC ns."""
    due = (ask.at_ns + _pause_ns(ask, holding, settings) for ask in memory.asks)
    return [at_ns for at_ns in due if at_ns > now_ns]


def _pause_ns(ask: Ask, holding: Holding, settings: ProtectionSettings) -> int:
    first = settings.ack_timeout_s if isinstance(ask.directive, RequestReconcile) else settings.retry_s
    waits_for_bid = isinstance(ask.directive, MarketOut) and has_no_price(holding)
    wait_s = settings.slow_poll_s if waits_for_bid else first * 2 ** min(ask.times - 1, 5)
    return min(wait_s, max(settings.slow_poll_s, first)) * SECOND
