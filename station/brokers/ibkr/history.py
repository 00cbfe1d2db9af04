"""Bars from reqHistoricalData: what to ask, when it may be asked, and how it fits the session's grid."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Final

from ib_async import BarData

from station.calendars import Calendar, series_hours
from station.domain.clock import SECOND, Clock, from_datetime
from station.domain.instruments import Hours, Instrument, Timeframe
from station.domain.market import Bar
from station.series import Bars, aggregate

BAR_SIZES: Final = {
    Timeframe.M1: "1 min", Timeframe.M2: "2 mins", Timeframe.M3: "3 mins", Timeframe.M5: "5 mins",
    Timeframe.M10: "10 mins", Timeframe.M15: "15 mins", Timeframe.M30: "30 mins", Timeframe.D1: "1 day",
}  # fmt: skip
SOURCE: Final = {Timeframe.H1: Timeframe.M30, Timeframe.H4: Timeframe.M30}
"""IBKR cuts hours on the clock hour; ours begin at the session's open, so they are built from half hours."""
MAX_SESSIONS: Final = {
    Timeframe.M1: 10, Timeframe.M2: 15, Timeframe.M3: 20, Timeframe.M5: 40, Timeframe.M10: 60,
    Timeframe.M15: 120, Timeframe.M30: 250, Timeframe.D1: 2500,
}  # fmt: skip
"""The longest duration that is asked for at once, in sessions."""

IDENTICAL_S = 15
BURST_S, BURST_MAX = 2, 5


class HistoryPace:
    """Pace of history requests: no identical one within 15 s, fewer than six within 2 s for one contract.

    IBKR's 60 in 10 minutes are lifted for bars of a minute and more, and the station asks for no others.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: deque[tuple[int, str, str]] = deque()

    async def turn(self, contract: str, request: str) -> None:
        """Wait until this request is allowed, and note that it goes out now."""
        while (at_ns := self._allowed_at(contract, request)) > self._clock.now():
            await self._clock.sleep_until(at_ns)
        self._asked.append((self._clock.now(), contract, request))

    def _allowed_at(self, contract: str, request: str) -> int:
        now = self._clock.now()
        while self._asked and self._asked[0][0] <= now - IDENTICAL_S * SECOND:
            self._asked.popleft()
        waits = [now]
        same = [at for at, _, other in self._asked if other == request]
        if same:
            waits.append(same[-1] + IDENTICAL_S * SECOND)
        burst = [at for at, other, _ in self._asked if other == contract]
        if len(burst) >= BURST_MAX:
            waits.append(burst[-BURST_MAX] + BURST_S * SECOND)
        return max(waits)


def source_of(timeframe: Timeframe) -> Timeframe:
    """The bar size that is asked of IBKR for bars of `timeframe`."""
    return SOURCE.get(timeframe, timeframe)


def sessions_needed(timeframe: Timeframe, bars: int, hours: Hours) -> int:
    """How many sessions hold `bars` bars, with one to spare for the session that is still going on."""
    length_s = 23 * 3600 if hours is Hours.FUTURES else 23400
    per_session = 1 if timeframe is Timeframe.D1 else max(1, -(-length_s // timeframe.seconds))
    return -(-bars // per_session) + 1


def duration(sessions: int) -> str:
    """A durationStr of trading days; beyond a year only years are accepted."""
    return f"{sessions} D" if sessions <= 365 else f"{-(-sessions // 250)} Y"


def end_text(end_ns: int) -> str:
    return f"{datetime.fromtimestamp(end_ns // SECOND, UTC):%Y%m%d-%H:%M:%S}"


def bars_of(rows: Iterable[BarData], instrument: Instrument, calendar: Calendar) -> tuple[Bar, ...]:
    """IBKR's bars with our starts: a day's bar starts when its session opens."""
    hours = series_hours(instrument)
    found: list[Bar] = []
    for row in rows:
        start_ns = _start(row.date, hours, calendar)
        if start_ns is not None:
            volume = max(float(row.volume), 0.0)
            found.append(Bar(start_ns, row.open, row.high, row.low, row.close, volume))
    return tuple(found)


def _start(stamp: date | datetime, hours: Hours, calendar: Calendar) -> int | None:
    if isinstance(stamp, datetime):
        return from_datetime(stamp)
    span = calendar.on(hours, stamp)
    return span.open_ns if span is not None else None


def on_grid(
    bars: Sequence[Bar],
    timeframe: Timeframe,
    instrument: Instrument,
    calendar: Calendar,
    end_ns: int,
    now_ns: int,
) -> tuple[Bar, ...]:
    """Bars of `timeframe` that start before `end_ns` and have closed by `now_ns`, oldest first, each once."""
    hours = series_hours(instrument)
    ordered = tuple({bar.start_ns: bar for bar in sorted(bars)}.values())
    if source_of(timeframe) is not timeframe:
        ordered = aggregate(Bars.from_bars(ordered), timeframe, hours, calendar).to_bars()
    return tuple(
        bar
        for bar in ordered
        if bar.start_ns < end_ns
        and calendar.at(hours, bar.start_ns) is not None
        and calendar.bar_close(hours, bar.start_ns, timeframe) <= now_ns
    )
