"""Asking the broker for history: bounded, one request per series in flight, answers cleaned."""

from __future__ import annotations

import asyncio
from typing import Final

import numpy as np

from station.calendars import Calendar, series_hours
from station.domain.broker import Broker
from station.domain.clock import Clock
from station.domain.instruments import Hours, Instrument, Timeframe
from station.market.merge import KEPT_BEFORE_SESSION
from station.market.sources import Answer, Sources
from station.series import Bars, bar_closes, grid_starts
from station.series.files import sound

AT_ONCE: Final = 6


class Backfill:
    """The only place that asks for bars. A second request for a series waits for the first, and shares its
    answer where that covers it."""

    def __init__(self, clock: Clock, calendar: Calendar, sources: Sources) -> None:
        self._sources = sources
        self._clock = clock
        self._calendar = calendar
        self._turnstile = asyncio.Semaphore(AT_ONCE)
        self._lines: dict[tuple[str, Timeframe], asyncio.Lock] = {}
        self._answers: dict[tuple[str, Timeframe], tuple[int, int, tuple[Answer, dict[str, int]]]] = {}
        self.in_flight: dict[str, int] = {}

    async def fetch(
        self, broker: Broker, instrument: Instrument, timeframe: Timeframe, count: int
    ) -> tuple[Answer, dict[str, int]]:
        """Up to `count` clean finished bars up to now, and the faults left out by code. Raises what the broker
        raises: no answer is not an empty one."""
        key = (instrument.symbol, timeframe)
        line = self._lines.setdefault(key, asyncio.Lock())
        self.in_flight[instrument.symbol] = self.in_flight.get(instrument.symbol, 0) + 1
        try:
            async with line, self._turnstile:
                end_ns = self._clock.now()
                known = self._answers.get(key)
                if known is not None and known[0] == end_ns and known[1] >= count:
                    return known[2]
                told = await self._sources.history(broker, instrument, timeframe, end_ns, count)
                bars, faults = clean(
                    told.bars, timeframe, series_hours(instrument), self._calendar, self._clock.now()
                )
                answer = Answer(bars, told.source, told.label), faults
                self._answers[key] = (end_ns, count, answer)
                return answer
        finally:
            self.in_flight[instrument.symbol] -= 1

    def full_count(self, hours: Hours, timeframe: Timeframe) -> int:
        """How many bars fill a window whose newest bar is of the running session or of the one before."""
        span = self._calendar.last_opened(hours, self._clock.now())
        before = self._calendar.previous(hours, span.day)
        grids = (len(self._calendar.bar_starts(hours, one, timeframe)) for one in (span, before))
        return KEPT_BEFORE_SESSION + max(grids)

    def count_since(self, hours: Hours, timeframe: Timeframe, since_ns: int) -> int:
        """How many bars start between the one that contains `since_ns` and now, two to spare."""
        now_ns = self._clock.now()
        span = self._calendar.last_opened(hours, since_ns)
        count = 2
        while span.open_ns < now_ns:
            starts = self._calendar.bar_starts(hours, span, timeframe)
            count += int(np.count_nonzero((starts > since_ns - timeframe.ns) & (starts < now_ns)))
            span = self._calendar.next_after(hours, span.open_ns)
        return count


def clean(
    rows: Bars, timeframe: Timeframe, hours: Hours, calendar: Calendar, now_ns: int
) -> tuple[Bars, dict[str, int]]:
    """The finished bars that are whole, on the session's grid, in order and once; and what was left out by
    code: nan, ohlc, off_session, duplicate, disorder."""
    faults: dict[str, int] = {}

    def keep(code: str, good: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Bars:
        bad = len(good) - int(np.count_nonzero(good))
        if not bad:
            return rows
        faults[code] = bad
        return rows.take(good)

    finite = np.ones(len(rows), np.bool_)
    for column in rows.columns[1:]:
        finite &= np.isfinite(column)
    rows = keep("nan", finite)
    rows = keep("ohlc", sound(rows))
    rows = keep("off_session", grid_starts(rows.start_ns, timeframe, hours, calendar) == rows.start_ns)
    steps = np.diff(rows.start_ns)
    if len(steps) and not (steps > 0).all():
        if (steps < 0).any():
            faults["disorder"] = int(np.count_nonzero(steps < 0))
        starts, first = np.unique(rows.start_ns, return_index=True)
        if len(starts) < len(rows):
            faults["duplicate"] = len(rows) - len(starts)
        rows = rows.take(first)
    closes = bar_closes(rows.start_ns, timeframe, hours, calendar)
    return rows.take(closes <= now_ns), faults
