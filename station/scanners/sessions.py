"""What a session gives its scanners: VWAP, opening range, the session before, and blocks of time.

All are causal, and anchored at the sessions' opens rather than at the window's first bar. Arrays begin at the
study's `lead`, as its own do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from station.calendars import Calendar
from station.domain.clock import MINUTE
from station.domain.instruments import Hours
from station.scanners.study import Floats, Int64s, Study

Flags = NDArray[np.bool_]
WHOLE_SESSION_MIN: Final = 1440
"""Blocks of this many minutes or more are whole sessions."""


def recent_opens(starts: Int64s, hours: Hours, calendar: Calendar) -> Int64s:
    """The open of each bar's session, UTC ns, for the last three sessions that have bars; −1 for what is older,
    which no question about the newest bar reaches. `starts` ascending, inside sessions."""
    opens = np.full(len(starts), -1, np.int64)
    stop = len(starts)
    for _ in range(3):
        if stop == 0:
            break
        open_ns = calendar.last_opened(hours, int(starts[stop - 1])).open_ns
        first = int(np.searchsorted(starts, open_ns, side="left"))
        opens[first:stop] = open_ns
        stop = first
    return opens


def in_session(study: Study) -> Flags:
    """Which rows belong to the study's session."""
    return np.arange(study.lead, len(study.bars)) >= study.session_start


def follows_in_session(study: Study) -> Flags:
    """Which rows have the bar before them in the same session too."""
    return np.arange(study.lead, len(study.bars)) > study.session_start


def vwap(study: Study) -> tuple[Floats, Floats]:
    """The session's volume-weighted mean of the typical price so far, and its standard deviation, in price.

    Before the session NaN. While nothing has traded (an index), every bar weighs the same.
    """
    return study.once(("vwap",), lambda: _vwap(study))


def _vwap(study: Study) -> tuple[Floats, Floats]:
    bars, first = study.bars.cut(study.session_start, None), study.session_start
    mean, spread = np.full(len(study.bars), np.nan), np.full(len(study.bars), np.nan)
    if len(bars):
        typical = (bars.high + bars.low + bars.close) / 3.0
        base = typical[0]
        offset = typical - base
        traded = np.cumsum(bars.volume)
        counted = np.arange(1.0, len(bars) + 1.0)
        silent = traded <= 0
        weight = np.where(silent, counted, traded)

        def averaged(values: Floats) -> Floats:
            return np.where(silent, np.cumsum(values), np.cumsum(values * bars.volume)) / weight

        centre = averaged(offset)
        variance = averaged(offset * offset) - centre * centre
        mean[first:] = base + centre
        spread[first:] = np.sqrt(np.maximum(variance, 0.0))
    return study.cut(mean), study.cut(spread)


@dataclass(frozen=True, slots=True)
class Levels:
    """High, low and close of the session before; NaN where the window holds none."""

    high: float
    low: float
    close: float


def prior_session(study: Study) -> Levels:
    """The levels of the session before the study's."""
    return study.once(("prior_session",), lambda: _prior_session(study))


def _prior_session(study: Study) -> Levels:
    if study.session_start == 0:
        return Levels(np.nan, np.nan, np.nan)
    opens = study.opens
    first = int(np.searchsorted(opens, opens[study.session_start - 1], side="left"))
    bars = study.bars.cut(first, study.session_start)
    return Levels(float(bars.high.max()), float(bars.low.min()), float(bars.close[-1]))


def opening_range(study: Study, anchor_min: float, range_min: float) -> tuple[float, float, int]:
    """High and low of the bars that start in the first `range_min` minutes after `anchor_min` minutes of the
    session, NaN where there are none or the range is not over; and the instant at which it is, UTC ns."""
    opens = study.opens
    if len(opens) == 0:
        return np.nan, np.nan, 0
    from_ns = int(opens[-1]) + round(anchor_min * MINUTE)
    until_ns = from_ns + round(range_min * MINUTE)
    bars = study.bars.cut(study.session_start, None).since(from_ns)
    inside = bars.before(until_ns)
    if len(inside) == 0 or len(inside) == len(bars):
        return np.nan, np.nan, until_ns
    return float(inside.high.max()), float(inside.low.min()), until_ns


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Time cut into blocks, row by row: `first` is the position of the row's block's first bar in the window;
    `high` and `low` are of the block before it, NaN where there is none."""

    first: Int64s
    high: Floats
    low: Floats


def blocks(study: Study, block_min: float) -> Blocks:
    """Blocks of `block_min` minutes from each session's open, the last one cut at its close."""
    return study.once(("blocks", block_min), lambda: _blocks(study, block_min))


def _blocks(study: Study, block_min: float) -> Blocks:
    bars, opens = study.bars, study.opens
    length = round(block_min * MINUTE)
    since = _session_before(study) if len(bars) else 0
    bars, opens = bars.cut(since, None), opens[since:]
    marker = opens if block_min >= WHOLE_SESSION_MIN else bars.start_ns - (bars.start_ns - opens) % length
    fresh = np.empty(len(bars), np.bool_)
    fresh[:1] = True
    np.not_equal(marker[1:], marker[:-1], out=fresh[1:])
    starts = np.flatnonzero(fresh)
    number = np.cumsum(fresh) - 1
    high = np.concatenate(([np.nan], np.maximum.reduceat(bars.high, starts)[:-1] if len(starts) else []))
    low = np.concatenate(([np.nan], np.minimum.reduceat(bars.low, starts)[:-1] if len(starts) else []))
    rows = slice(study.lead - since, None)
    return Blocks(starts[number][rows] + since, high[number][rows], low[number][rows])


def _session_before(study: Study) -> int:
    """Position of the first bar of the session before that of the row at `lead`: no block before is older."""
    opens = study.opens
    first = int(np.searchsorted(opens, opens[study.lead], side="left"))
    return int(np.searchsorted(opens, opens[first - 1], side="left")) if first else 0
