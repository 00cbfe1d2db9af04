"""Which signals make a strategy's case, and the identity of that case.

A pattern entry is a glob over scanner names; entries are alternatives. Globs joined by `+` inside one entry
confirm each other: each needs a signal inside the confirmation window (`SPX_V3_CALL + SPX_ADX_*`).
A firing that has opened a trade for this strategy never counts again, in whatever company it comes back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from functools import cache
from typing import Final

from station.domain.clock import SECOND
from station.domain.instruments import Side
from station.domain.signals import Signal, SignalState
from station.domain.specs import StrategySpec

CONFIRM: Final = "+"
_SEPARATOR: Final = "|"
_DEAD: Final = (SignalState.REJECTED, SignalState.EXPIRED)


def identity(signal: Signal) -> str:
    """The firing behind a signal, the same after a restart: `scanner@bar start`."""
    return f"{signal.firing.scanner}@{signal.firing.bar_start_ns}"


def key_of(signals: Iterable[Signal]) -> str:
    """The stable text of a set of signals: its sorted identities."""
    return _SEPARATOR.join(sorted({identity(signal) for signal in signals}))


def spent(strategy_id: str, used: Collection[tuple[str, str]]) -> frozenset[str]:
    """The firings that have already opened a trade for this strategy. `used` is (strategy, key) pairs."""
    return frozenset(single for owner, key in used if owner == strategy_id for single in key.split(_SEPARATOR))


def points(signal: Signal, side: Side, spec: StrategySpec) -> bool:
    """It says `side`, and is sure enough for this strategy."""
    return signal.firing.side is side and signal.confidence >= spec.min_confidence


def alive(signal: Signal) -> bool:
    """It may still make a case. One that another strategy trades on is alive: each has its own say."""
    return signal.state not in _DEAD


def inside_window(signal: Signal, spec: StrategySpec, now_ns: int) -> bool:
    return now_ns - signal.published_ns <= spec.window_s * SECOND


def says(spec: StrategySpec, side: Side, signals: tuple[Signal, ...], now_ns: int) -> tuple[Signal, ...]:
    """The signals that make this strategy's case for `side` by its patterns inside its window, whoever has
    traded on them; empty when none do."""
    able = tuple(
        each
        for each in signals
        if points(each, side, spec) and alive(each) and inside_window(each, spec, now_ns)
    )
    return matched(spec.call_patterns if side is Side.CALL else spec.put_patterns, able)


def matched(patterns: tuple[str, ...], signals: tuple[Signal, ...]) -> tuple[Signal, ...]:
    """The signals of every entry that is met in full, in the order given; empty when none is."""
    if not signals:
        return ()
    names = tuple(signal.firing.scanner for signal in signals)
    taken: set[str] = set()
    for entry in patterns:
        globs = _globs(entry)
        found = [[name for name in names if fnmatchcase(name, glob)] for glob in globs]
        if all(found):
            taken.update(name for group in found for name in group)
    return tuple(signal for signal in signals if signal.firing.scanner in taken)


@cache
def _globs(entry: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in entry.split(CONFIRM))
