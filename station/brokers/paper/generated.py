"""The seeded market as a tape."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from station.brokers.paper.instruments import Instruments, tick_of
from station.brokers.paper.past import Past
from station.brokers.paper.tape import (
    Floats,
    Int64s,
    Ticks,
    Weave,
    bar_ticks,
    last_regular,
    shown,
    sixty_ticks,
    thinned,
    weave,
)
from station.brokers.paper.universe import CORE, instrument_of, listed
from station.calendars import Calendar, SessionSpan, series_hours
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe
from station.series import Bars

SESSIONS_BEFORE: Final = 1000
_STRIDE: Final = {"NQ": 2, "QQQ": 2}
_SELDOM: Final = 4


@lru_cache(maxsize=2)
def _kept(
    seed: int, session: date, calendar: Calendar, cache_dir: Path | None, symbols: tuple[str, ...]
) -> GeneratedTape:
    return GeneratedTape(seed, session, calendar, cache_dir)


def generated_tape(seed: int, session: date, calendar: Calendar, cache_dir: Path | None) -> GeneratedTape:
    """The tape of a session: the very same while the catalogue is, so that a station that starts again in the
    process finds its market made. Raises BadInput for a day without a session."""
    return _kept(seed, session, calendar, cache_dir, tuple(INSTRUMENTS))


class GeneratedTape:
    """One session of the market of `seed`, and a thousand sessions of bars before it. Raises BadInput for a day
    without a session.

    SPX, SPY, ES and VIX print each second of regular hours, NQ and QQQ each other, equities each fourth,
    futures each fourth around them. A symbol costs nothing until it is asked for.

    Finished aggregates of the past are kept in memory and, where `cache_dir` is given, on disk.
    """

    def __init__(
        self, seed: int, session: date, calendar: Calendar, cache_dir: Path | None = None,
        market: Instruments | None = None,
    ) -> None:  # fmt: skip
        span = calendar.on(Hours.REGULAR, session)
        if span is None:
            raise BadInput(f"{session} is not an exchange day: choose a --date on which the market opens")
        self.seed = seed
        self.session = session
        self.open_ns, self.close_ns = span.open_ns, span.close_ns
        self.symbols: tuple[str, ...] = tuple(INSTRUMENTS)
        self._calendar = calendar
        self._cache_dir = cache_dir
        self._market = market or Instruments(seed, calendar)
        self._past = Past(calendar, self._earlier, cache_dir, f"seed{seed}")
        self._minutes: dict[str, Bars] = {}
        self._ticks: dict[str, Ticks] = {}
        self._weave: Weave | None = None

    @property
    def kind(self) -> str:
        return "paper"

    @property
    def source(self) -> str:
        return f"seed {self.seed}"

    def minutes(self, symbol: str) -> Bars:
        """The session's own 1-minute bars, all of them; what `history` shows of them depends on the time."""
        found = self._minutes.get(symbol)
        if found is None:
            span = self._calendar.on(series_hours(listed(symbol)), self.session)
            found = Bars.empty() if span is None else self._market.minutes(symbol, [span])
            self._minutes[symbol] = found
        return found

    def ticks(self, symbol: str) -> Ticks:
        found = self._ticks.get(symbol)
        if found is None:
            found = self._ticks[symbol] = self._play(symbol)
        return found

    def history(self, symbol: str, timeframe: Timeframe, end_ns: int, bars: int, now_ns: int) -> Bars:
        hours = series_hours(listed(symbol))
        past = self._past.bars(symbol, timeframe, self.session, bars)
        return shown(past, self.minutes(symbol), timeframe, hours, self._calendar, end_ns, bars, now_ns)

    def volatility(self, at_ns: Int64s) -> Floats:
        prints = self.ticks("VIX")
        seen = np.searchsorted(prints.at_ns, at_ns, side="right") - 1
        return prints.price[np.maximum(seen, 0)] / 100.0

    def settlement(self, symbol: str, day: date) -> float | None:
        instrument = instrument_of(symbol)
        own = self._calendar.on(series_hours(instrument), day) if instrument is not None else None
        if own is None:
            return None
        return last_regular(self._market.minutes(symbol, [own]), day, self._calendar)

    def on(self, day: date) -> GeneratedTape | None:
        if self._calendar.on(Hours.REGULAR, day) is None:
            return None
        return GeneratedTape(self.seed, day, self._calendar, self._cache_dir, self._market)

    def _earlier(self, symbol: str, back: int, count: int) -> Bars:
        hours = series_hours(listed(symbol))
        spans = earlier_sessions(self._calendar, hours, self.session, back)
        return self._market.minutes(symbol, spans[: max(count - (back - len(spans)), 0)])

    def _play(self, symbol: str) -> Ticks:
        minutes = self.minutes(symbol)
        inside = (minutes.start_ns >= self.open_ns) & (minutes.start_ns < self.close_ns)
        if self._weave is None:
            self._weave = weave(self.minutes("SPX"), self.seed, "seconds", self.session.toordinal())
        day = sixty_ticks(minutes.take(inside), self._weave, tick_of(symbol), mirrored=symbol == "VIX")
        if symbol not in CORE:
            day = thinned(day, self._weave, _STRIDE.get(symbol, _SELDOM))
        if inside.all():
            return day
        around = bar_ticks(minutes.take(~inside), tick_of(symbol))
        cut = int(np.searchsorted(around.at_ns, self.open_ns))
        return Ticks(
            np.insert(around.at_ns, cut, day.at_ns), np.insert(around.price, cut, day.price),
            np.insert(around.size, cut, day.size),
        )  # fmt: skip


def earlier_sessions(calendar: Calendar, hours: Hours, day: date, count: int) -> tuple[SessionSpan, ...]:
    """Up to `count` sessions before trade date `day`, at most a thousand, ascending."""
    table = calendar.table(hours)
    stop = int(np.searchsorted(table.day, day.toordinal()))
    start = max(stop - min(count, SESSIONS_BEFORE), 1)
    if start >= stop:
        return ()
    first, last = (date.fromordinal(int(table.day[row])) for row in (start, stop - 1))
    return calendar.sessions(hours, first, last)
