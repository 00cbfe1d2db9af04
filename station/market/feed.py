"""One instrument: ticks become minutes, minutes become bars, and the clock closes them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from station.calendars import Calendar, series_hours
from station.domain.instruments import Instrument, Timeframe
from station.domain.market import Bar, Grade, Tick
from station.market.merge import Origin
from station.market.outages import Outages
from station.market.quality import JumpGate, Quality
from station.market.series import Series
from station.series import Bars, concat
from station.series.aggregate import fold

_NEVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class ClosedBar:
    """A bar that the clock has just closed."""

    symbol: str
    timeframe: Timeframe
    start_ns: int
    close_ns: int
    bar: Bar


class Feed:
    """The stream of one instrument and the series built from it.

    Minutes are built from ticks; every longer bar is the fold of its session's finished minutes, so one
    definition gives live and history the same floats.
    """

    def __init__(
        self, instrument: Instrument, timeframes: Iterable[Timeframe], calendar: Calendar, source: str
    ) -> None:
        self.instrument = instrument
        self.hours = series_hours(instrument)
        self.source = source
        self.grade = Grade.LIVE
        self.halted = False
        self.competing = False
        self.throttled_until_ns = 0
        self.last_price: float | None = None
        self.last_update_ns = 0
        self.gate = JumpGate()
        self.quality = Quality()
        self.outages = Outages(calendar, self.hours)
        self._calendar = calendar
        asked = frozenset(timeframes)
        self.series = {
            timeframe: Series(instrument.symbol, timeframe, self.hours, calendar)
            for timeframe in Timeframe
            if timeframe in asked or timeframe is Timeframe.M1
        }
        self.minutes = self.series[Timeframe.M1]
        self.minutes.wanted = self.minutes.announced = Timeframe.M1 in asked
        self._pending: dict[Timeframe, tuple[int, int]] = {}
        self._done: list[tuple[Bar, int]] = []
        self._closed_through_ns = -1
        self._counting = False
        self._session_open_ns = -1
        self._start_ns, self._end_ns = -_NEVER, -_NEVER
        self._open = self._high = self._low = self._close = math.nan
        self._volume = 0.0
        self._ticks = 0

    # --- ticks ---------------------------------------------------------------------------------------

    def on_tick(self, tick: Tick) -> None:
        _, at_ns, price, size = tick
        if self.grade is Grade.LIVE and at_ns > self.last_update_ns:
            self.last_update_ns = at_ns
        gate = self.gate
        if gate.low <= price <= gate.high:
            gate.accept(price)
            self._count_in(at_ns, price, size)
        else:
            if at_ns >= self._end_ns and self._session_ns(at_ns) != self._session_open_ns:
                gate.session_opened()
            for held_ns, held, held_size in gate.question(at_ns, price, size):
                self._count_in(held_ns, held, held_size)

    def _count_in(self, at_ns: int, price: float, size: float) -> None:
        self.last_price = price
        if not self._start_ns <= at_ns < self._end_ns:
            if at_ns < self._start_ns:
                self.quality.now(self._start_ns).late_ticks += 1
                return
            self._turn(at_ns)
        if not self._counting:
            return
        if self._ticks == 0:
            self._open = self._high = self._low = price
        elif price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._close = price
        self._volume += size
        self._ticks += 1

    def _session_ns(self, at_ns: int) -> int:
        span = self._calendar.at(self.hours, at_ns)
        return self._session_open_ns if span is None else span.open_ns

    def _turn(self, at_ns: int) -> None:
        """Put the finished minute by and begin the one that contains `at_ns`."""
        self._finish_minute()
        span = self._calendar.at(self.hours, at_ns)
        self._counting = span is not None
        if span is None:
            self._start_ns, self._end_ns = at_ns, self._calendar.next_after(self.hours, at_ns).open_ns
            return
        self._session_open_ns = span.open_ns
        length = Timeframe.M1.ns
        self._start_ns = at_ns - (at_ns - span.open_ns) % length
        self._end_ns = min(self._start_ns + length, span.close_ns)

    def _finish_minute(self) -> None:
        if self._ticks:
            bar = Bar(self._start_ns, self._open, self._high, self._low, self._close, self._volume)
            self._done.append((bar, self._end_ns))
            tally = self.quality.now(self._start_ns)
            tally.ticks += self._ticks
            tally.bad_ticks += self.gate.bad
            self.gate.bad = 0
            self.gate.minute_closed(self._open, self._close)
        self._volume, self._ticks = 0.0, 0

    # --- closing -------------------------------------------------------------------------------------

    def close_due(self, at_ns: int) -> list[ClosedBar]:
        """Every bar whose close is at or before `at_ns`, in the order of their closes."""
        if self._ticks and self._end_ns <= at_ns:
            self._finish_minute()
            self._start_ns = self._end_ns
            self._counting = False
        closed: list[ClosedBar] = []
        while self._done and self._done[0][1] <= at_ns:
            bar, end_ns = self._done.pop(0)
            self._close_longer(bar.start_ns, at_ns, closed)
            self._admit(self.minutes, bar, end_ns, at_ns, closed)
            self._extend(bar.start_ns)
        self._close_longer(at_ns, at_ns, closed)
        self._closed_through_ns = max(self._closed_through_ns, at_ns)
        return closed

    def _close_longer(self, through_ns: int, at_ns: int, closed: list[ClosedBar]) -> None:
        for timeframe, (start_ns, close_ns) in tuple(self._pending.items()):
            if close_ns <= through_ns:
                del self._pending[timeframe]
                bar = self._folded(start_ns, close_ns)
                if bar is not None:
                    self._admit(self.series[timeframe], bar, close_ns, at_ns, closed)

    def _folded(self, start_ns: int, close_ns: int) -> Bar | None:
        inside = self.minutes.bars.since(start_ns).before(close_ns)
        if len(inside) == 0:
            return None
        return fold(inside, np.full(len(inside), start_ns, np.int64)).bar(0)

    def _admit(self, series: Series, bar: Bar, close_ns: int, at_ns: int, closed: list[ClosedBar]) -> None:
        whole = not self.outages.pierce(bar.start_ns, close_ns)
        series.append(bar, Origin.LIVE if whole else Origin.PARTIAL, at_ns, self.source)
        if series.announced:
            kept = series.bars.bar(-1) if series.newest_start_ns == bar.start_ns else bar
            closed.append(ClosedBar(series.symbol, series.timeframe, bar.start_ns, close_ns, kept))

    def _extend(self, minute_ns: int) -> None:
        for timeframe in self.series:
            if timeframe is not Timeframe.M1 and timeframe not in self._pending:
                start_ns = self._calendar.bar_start(self.hours, minute_ns, timeframe)
                if start_ns is not None:
                    close_ns = self._calendar.bar_close(self.hours, start_ns, timeframe)
                    self._pending[timeframe] = (start_ns, close_ns)

    def begin(self, at_ns: int) -> None:
        """The stream starts at `at_ns`: the minute that is running lacks its beginning."""
        start_ns = self._calendar.bar_start(self.hours, at_ns, Timeframe.M1)
        if start_ns is not None:
            self.outages.add(start_ns, at_ns, counted=False)

    def adopt(self, timeframe: Timeframe, at_ns: int) -> Series:
        """Keep one more series, for a chart: it takes part in everything but what `close_due` announces."""
        series = Series(self.instrument.symbol, timeframe, self.hours, self._calendar)
        series.announced = False
        self.series[timeframe] = series
        self.series = {known: self.series[known] for known in Timeframe if known in self.series}
        self.resume(at_ns)
        return series

    def resume(self, at_ns: int) -> None:
        """After history came in: know which longer bars are still forming. Of those that closed before the
        stream began, `at_ns`, nothing is announced."""
        if self._closed_through_ns < 0:
            self._closed_through_ns = at_ns
        newest = self.minutes.newest_start_ns
        if newest < 0:
            return
        forming = set(self._pending)
        self._extend(newest)
        for timeframe, (_, close_ns) in tuple(self._pending.items()):
            if timeframe not in forming and close_ns <= self._closed_through_ns:
                del self._pending[timeframe]

    def forming(self, timeframe: Timeframe) -> Bar | None:
        """The bar under way, from the finished minutes and the forming one; None before its first trade."""
        minute = None
        if self._ticks:
            minute = Bar(self._start_ns, self._open, self._high, self._low, self._close, self._volume)
        if timeframe is Timeframe.M1:
            return minute
        anchor = minute.start_ns if minute is not None else self.minutes.newest_start_ns
        start_ns = self._calendar.bar_start(self.hours, anchor, timeframe) if anchor >= 0 else None
        if start_ns is None:
            return None
        if (
            minute is None
            and self._calendar.bar_close(self.hours, start_ns, timeframe) <= self._closed_through_ns
        ):
            return None
        head = self.minutes.bars.since(start_ns)
        rows = head if minute is None else concat(head, Bars.from_bars((minute,)))
        return fold(rows, np.full(len(rows), start_ns, np.int64)).bar(0) if len(rows) else None

    # --- readiness -----------------------------------------------------------------------------------

    def settle(self, at_ns: int) -> None:
        """Work out which series may be trusted at `at_ns`: warm, no bar from a pierced stream, and no outage
        reaching into a bar that has closed."""
        hole_ns = self.outages.earliest_ns
        for timeframe, series in self.series.items():
            whole = True
            if hole_ns is not None:
                start_ns = self._calendar.bar_start(self.hours, at_ns, timeframe)
                whole = hole_ns >= (at_ns if start_ns is None else start_ns)
            series.ready = series.warm and whole and not series.partial_starts

    @property
    def owes_history(self) -> bool:
        """Whether a series waits for the broker's history."""
        return any(not series.ready for series in self.series.values())
