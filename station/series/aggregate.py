"""From finer bars to session-aligned timeframes (SPEC §2): the one definition that live, replay, scan and
backtest share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from station.calendars import Calendar
from station.domain.instruments import Hours, Timeframe
from station.series.bars import Bars, Int64s


def _locate(starts: Int64s, hours: Hours, calendar: Calendar) -> tuple[Int64s, Int64s, NDArray[np.bool_]]:
    """The open and close of the session under each instant, and whether it is inside at all."""
    table = calendar.table(hours)
    opens, closes = table.open_ns, table.close_ns
    at = np.searchsorted(opens, starts, side="right") - 1
    opened, closed = opens[np.maximum(at, 0)], closes[np.maximum(at, 0)]
    return opened, closed, (at >= 0) & (starts < closed)


def grid_starts(starts: Int64s, timeframe: Timeframe, hours: Hours, calendar: Calendar) -> Int64s:
    """For each instant the start of the `timeframe` bar that contains it, UTC ns; −1 outside sessions."""
    if len(starts) == 0:
        return np.empty(0, np.int64)
    opened, _, inside = _locate(starts, hours, calendar)
    if timeframe is Timeframe.D1:
        anchored = opened
    else:
        anchored = opened + (starts - opened) // timeframe.ns * timeframe.ns
    return np.where(inside, anchored, np.int64(-1))


def bar_closes(starts: Int64s, timeframe: Timeframe, hours: Hours, calendar: Calendar) -> Int64s:
    """For each bar start the bar's close, UTC ns, cut at the session's close; a day bar closes with its
    session. Starts outside sessions keep their nominal length."""
    if len(starts) == 0:
        return np.empty(0, np.int64)
    _, closed, inside = _locate(starts, hours, calendar)
    nominal = starts + timeframe.ns
    cut = closed if timeframe is Timeframe.D1 else np.minimum(nominal, closed)
    return np.where(inside, cut, nominal)


def session_numbers(starts: Int64s, hours: Hours, calendar: Calendar) -> Int64s:
    """For each instant the open of its session, UTC ns: equal for instants of one session; −1 outside."""
    return grid_starts(starts, Timeframe.D1, hours, calendar)


def aggregate(minutes: Bars, timeframe: Timeframe, hours: Hours, calendar: Calendar) -> Bars:
    """`minutes` (or any bars finer than `timeframe`, ascending) as session-aligned bars of `timeframe`.

    Open is the first, close the last, high and low the extremes, volume the sum. Bars outside sessions are
    dropped; an interval without bars gives none; the last bar may still be forming.
    """
    grid = grid_starts(minutes.start_ns, timeframe, hours, calendar)
    inside = grid >= 0
    if not inside.all():
        minutes, grid = minutes.take(inside), grid[inside]
    return fold(minutes, grid)


def fold(bars: Bars, grid: Int64s) -> Bars:
    """One bar for each run of equal `grid` values, stamped with that value."""
    if len(bars) == 0:
        return Bars.empty()
    fresh = np.empty(len(grid), np.bool_)
    fresh[0] = True
    np.not_equal(grid[1:], grid[:-1], out=fresh[1:])
    first = np.flatnonzero(fresh)
    last = np.append(first[1:], len(grid)) - 1
    return Bars(
        grid[first],
        bars.open[first],
        np.maximum.reduceat(bars.high, first),
        np.minimum.reduceat(bars.low, first),
        bars.close[last],
        np.add.reduceat(bars.volume, first),
    )


def finished(bars: Bars, timeframe: Timeframe, hours: Hours, calendar: Calendar, now_ns: int) -> Bars:
    """The bars whose close is at or before `now_ns`."""
    stop = len(bars)
    while stop and calendar.bar_close(hours, int(bars.start_ns[stop - 1]), timeframe) > now_ns:
        stop -= 1
    return bars.cut(0, stop)
