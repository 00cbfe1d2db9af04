"""A recorded session as a tape: the very ticks that were heard, and the history that was answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from station.brokers.paper.tape import Floats, Int64s, Ticks, last_regular, shown
from station.brokers.replay.levels import UNKNOWN_LEVEL, vix_level
from station.brokers.replay.records import Answered, Began, Dropped, decode_line
from station.calendars import Calendar, series_hours
from station.domain.broker import TickReport
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe
from station.domain.market import Bar, Tick
from station.series import Bars, aggregate, concat
from station.series.aggregate import fold, grid_starts

BROKEN_LIMIT: Final = 0.01


@dataclass(slots=True)
class Recording:
    """A recording as read: ticks and history by symbol, from `first_ns` to `last_ns`. `dirt` counts what could
    not be used by code: unreadable lines (the last one of a killed station), dropped reports."""

    day: date
    first_ns: int
    last_ns: int
    ticks: dict[str, list[Tick]] = field(default_factory=dict[str, list[Tick]])
    history: dict[tuple[str, Timeframe], dict[int, Bar]] = field(
        default_factory=dict[tuple[str, Timeframe], dict[int, Bar]]
    )
    dirt: dict[str, int] = field(default_factory=dict[str, int])


def read_recording(path: Path) -> Recording:
    """Raises BadInput, in one line, for a file that is no recording or of which over 1 % is broken."""
    try:
        with path.open("rb") as file:
            return _collect(path, file.readlines())
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None


def _collect(path: Path, lines: list[bytes]) -> Recording:
    found: Recording | None = None
    broken = 0
    for line in lines:
        try:
            at_ns, body = decode_line(line)
        except ValueError:
            broken += 1
            continue
        if isinstance(body, Began):
            found = found or Recording(date.fromisoformat(body.day), at_ns, at_ns)
        if found is None:
            raise BadInput(f"{path}: the first line is no recording's: give a recordings/DATE.jsonl")
        found.last_ns = max(found.last_ns, at_ns)
        if isinstance(body, TickReport):
            found.ticks.setdefault(body.tick.symbol, []).append(body.tick)
        elif isinstance(body, Answered):
            rows = found.history.setdefault((body.symbol, body.timeframe), {})
            rows.update((bar.start_ns, bar) for bar in body.bars)
        elif isinstance(body, Dropped):
            found.dirt["dropped"] = found.dirt.get("dropped", 0) + body.count
    if found is None:
        raise BadInput(f"{path}: no recording in it: give a recordings/DATE.jsonl")
    if broken:
        found.dirt["unreadable"] = broken
    if broken > max(1, BROKEN_LIMIT * len(lines)):
        raise BadInput(
            f"{path}: {broken} of {len(lines)} lines cannot be read (limit {BROKEN_LIMIT:.0%}): "
            "give another recording"
        )
    return found


class SessionTape:
    """A recorded session for the paper exchange. Orders of the recording are not repeated: the station's own
    go to the exchange's book. Options are priced from the VIX's recorded ticks, 16 % where there are none.

    Raises BadInput where no recorded symbol is in the catalogue, or the day is no exchange day.
    """

    kind = "replay"
    seed = 0

    def __init__(self, recording: Recording, calendar: Calendar) -> None:
        span = calendar.on(Hours.REGULAR, recording.day)
        if span is None:
            raise BadInput(f"the recording is of {recording.day}, which is no exchange day: give another")
        self.session = recording.day
        self.open_ns, self.close_ns = span.open_ns, span.close_ns
        self.first_ns, self.last_ns = recording.first_ns, recording.last_ns
        self.symbols: tuple[str, ...] = tuple(symbol for symbol in INSTRUMENTS if symbol in recording.ticks)
        if not self.symbols:
            given = ", ".join(sorted(recording.ticks)) or "nothing"
            raise BadInput(
                f"the recording has ticks of {given}: none of the catalogue ({', '.join(INSTRUMENTS)})"
            )
        self._calendar = calendar
        self._ticks = {symbol: _columns(recording.ticks[symbol]) for symbol in self.symbols}
        self._told = {
            key: Bars.from_bars(rows[start] for start in sorted(rows))
            for key, rows in recording.history.items()
            if key[0] in self._ticks
        }
        self._minutes = {symbol: self._own(symbol) for symbol in self.symbols}

    @property
    def source(self) -> str:
        count = sum(map(len, self._ticks.values()))
        return f"recording of {self.session}, {count} ticks of {', '.join(self.symbols)}"

    def _opened_ns(self, symbol: str) -> int:
        span = self._calendar.on(series_hours(INSTRUMENTS[symbol]), self.session)
        return self.open_ns if span is None else span.open_ns

    def _own(self, symbol: str) -> Bars:
        """The session's minutes: as history told them, else from the ticks."""
        told = self._told.get((symbol, Timeframe.M1), Bars.empty()).since(self._opened_ns(symbol))
        heard = _minutes(self._ticks[symbol], series_hours(INSTRUMENTS[symbol]), self._calendar)
        fresh = heard.take(~np.isin(heard.start_ns, told.start_ns))
        joined = concat(told, fresh)
        return joined.take(np.argsort(joined.start_ns, kind="stable"))

    def ticks(self, symbol: str) -> Ticks:
        return self._ticks.get(symbol) or _columns([])

    def history(self, symbol: str, timeframe: Timeframe, end_ns: int, bars: int, now_ns: int) -> Bars:
        hours = series_hours(INSTRUMENTS[symbol])
        past = self._earlier(symbol, timeframe)
        return shown(past, self._minutes[symbol], timeframe, hours, self._calendar, end_ns, bars, now_ns)

    def _earlier(self, symbol: str, timeframe: Timeframe) -> Bars:
        """Bars before the session: as told, else from the longest bars told that make them up."""
        opened_ns = self._opened_ns(symbol)
        told = self._told.get((symbol, timeframe))
        if told is not None:
            return told.before(opened_ns)
        finer = [
            frame
            for frame in Timeframe
            if (symbol, frame) in self._told and frame.ns < timeframe.ns and timeframe.ns % frame.ns == 0
        ]
        if not finer:
            return Bars.empty()
        before = self._told[symbol, finer[-1]].before(opened_ns)
        return aggregate(before, timeframe, series_hours(INSTRUMENTS[symbol]), self._calendar)

    def volatility(self, at_ns: Int64s) -> Floats:
        before = self._earlier("VIX", Timeframe.M5) if "VIX" in self.symbols else Bars.empty()
        standing = float(before.close[-1]) / 100.0 if len(before) else UNKNOWN_LEVEL
        return vix_level(self.ticks("VIX"), standing, at_ns)

    def settlement(self, symbol: str, day: date) -> float | None:
        """None for another day than the recorded, and where the recording ends before the close."""
        if symbol not in self.symbols or day != self.session or self.last_ns < self.close_ns:
            return None
        return last_regular(self._minutes[symbol], day, self._calendar)

    def on(self, day: date) -> SessionTape | None:
        return self if day == self.session else None


def _columns(ticks: list[Tick]) -> Ticks:
    ordered = sorted(ticks, key=lambda tick: tick.at_ns)
    return Ticks(
        np.array([tick.at_ns for tick in ordered], np.int64),
        np.array([tick.price for tick in ordered], np.float64),
        np.array([tick.size for tick in ordered], np.float64),
    )


def _minutes(ticks: Ticks, hours: Hours, calendar: Calendar) -> Bars:
    grid = grid_starts(ticks.at_ns, Timeframe.M1, hours, calendar)
    inside = grid >= 0
    price = ticks.price[inside]
    return fold(Bars(ticks.at_ns[inside], price, price, price, price, ticks.size[inside]), grid[inside])
