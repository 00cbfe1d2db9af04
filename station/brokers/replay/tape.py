"""Recorded 1-minute bars as a tape for the paper exchange."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Final

import numpy as np

from station.brokers.paper.instruments import tick_of
from station.brokers.paper.tape import Floats, Int64s, Ticks, bar_ticks, last_regular, shown
from station.brokers.replay.levels import UNKNOWN_LEVEL, vix_level
from station.calendars import Calendar, series_hours
from station.domain.clock import MINUTE
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe
from station.series import Bars, aggregate

REALISED_DAYS: Final = 20
REALISED_FACTOR: Final = 1.15
_DAYS_A_YEAR: Final = 252


class RecordedTape:
    """One session of real bars, by symbol; what lies before it in the files is its history, what lies after is
    never seen. Options are priced from the VIX's bars where given, else from the realised volatility of 20 days
    × 1.15 (16 % where the files hold fewer than three earlier sessions).

    Raises BadInput for a day without a session or without bars, for bars that are not of one minute, and where
    no symbol is in the catalogue. `seed` varies latencies and sizes only.
    """

    def __init__(self, bars: Mapping[str, Bars], session: date, calendar: Calendar, seed: int = 0) -> None:
        span = calendar.on(Hours.REGULAR, session)
        if span is None:
            raise BadInput(f"{session} is not an exchange day: choose a --date on which the market opens")
        self.session = session
        self.seed = seed
        self.open_ns, self.close_ns = span.open_ns, span.close_ns
        self.symbols: tuple[str, ...] = tuple(symbol for symbol in INSTRUMENTS if symbol in bars)
        if not self.symbols:
            given, known = ", ".join(sorted(bars)) or "nothing", ", ".join(INSTRUMENTS)
            raise BadInput(f"bars of {given}: none of them is in the catalogue ({known}), say --symbol")
        self._bars = {symbol: bars[symbol] for symbol in self.symbols}
        self._calendar = calendar
        self._minutes = {symbol: self._own(symbol) for symbol in self.symbols}
        if not any(len(minutes) for minutes in self._minutes.values()):
            raise BadInput(
                f"no bar of {', '.join(self.symbols)} on {session}: choose a --date inside the files"
            )
        self._ticks: dict[str, Ticks] = {}
        self._past: dict[tuple[str, Timeframe], Bars] = {}
        self._level: float | None = None

    @property
    def kind(self) -> str:
        return "replay"

    @property
    def source(self) -> str:
        return f"bars of {', '.join(self.symbols)}, seed {self.seed}"

    def _own(self, symbol: str) -> Bars:
        """The session's minutes, of the symbol's own hours."""
        found = self._bars[symbol]
        gaps = np.diff(found.start_ns)
        if len(gaps) and int(gaps.min()) != MINUTE:
            raise BadInput(
                f"bars of {symbol} are {int(gaps.min()) / MINUTE:g} minutes apart: "
                "replay needs 1-minute bars, sorted"
            )
        span = self._calendar.on(series_hours(INSTRUMENTS[symbol]), self.session)
        return Bars.empty() if span is None else found.since(span.open_ns).before(span.close_ns)

    def ticks(self, symbol: str) -> Ticks:
        found = self._ticks.get(symbol)
        if found is None:
            found = self._ticks[symbol] = bar_ticks(self._minutes.get(symbol, Bars.empty()), tick_of(symbol))
        return found

    def history(self, symbol: str, timeframe: Timeframe, end_ns: int, bars: int, now_ns: int) -> Bars:
        hours = series_hours(INSTRUMENTS[symbol])
        past = self._earlier(symbol, timeframe)
        return shown(past, self._minutes[symbol], timeframe, hours, self._calendar, end_ns, bars, now_ns)

    def _earlier(self, symbol: str, timeframe: Timeframe) -> Bars:
        found = self._past.get((symbol, timeframe))
        if found is None:
            hours = series_hours(INSTRUMENTS[symbol])
            span = self._calendar.on(hours, self.session)
            before = self._bars[symbol].before(self.open_ns if span is None else span.open_ns)
            found = self._past[symbol, timeframe] = aggregate(before, timeframe, hours, self._calendar)
        return found

    def volatility(self, at_ns: Int64s) -> Floats:
        prints = self.ticks("VIX")
        known_early = len(prints) and len(at_ns) and int(prints.at_ns[0]) <= int(at_ns.min())
        return vix_level(prints, 0.0 if known_early else self._standing_level(), at_ns)

    def _standing_level(self) -> float:
        """What was known before the session."""
        if self._level is None:
            closes = self._earlier("VIX", Timeframe.D1).close if "VIX" in self.symbols else np.empty(0)
            self._level = float(closes[-1]) / 100.0 if len(closes) else self._realised()
        return self._level

    def _realised(self) -> float:
        leader = next((symbol for symbol in self.symbols if symbol != "VIX"), None)
        if leader is None:
            return UNKNOWN_LEVEL
        closes = self._earlier(leader, Timeframe.D1).close[-(REALISED_DAYS + 1) :]
        if len(closes) < 3:
            return UNKNOWN_LEVEL
        moves = np.diff(np.log(closes))
        return max(float(moves.std(ddof=1)) * math.sqrt(_DAYS_A_YEAR) * REALISED_FACTOR, 0.03)

    def settlement(self, symbol: str, day: date) -> float | None:
        """None for a day after the session: nobody has seen it."""
        if symbol not in self.symbols or day > self.session:
            return None
        return last_regular(self._bars[symbol], day, self._calendar)

    def on(self, day: date) -> RecordedTape | None:
        try:
            return RecordedTape(self._bars, day, self._calendar, self.seed)
        except BadInput:
            return None
