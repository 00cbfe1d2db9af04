"""Lookups over the session tables: bisection, a few microseconds each."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from station.calendars.eastern import et_date
from station.calendars.tables import FIRST_DAY, LAST_DAY, SessionTable, Tables, coverage_ns, load_tables
from station.domain.errors import BadInput
from station.domain.instruments import Hours, Instrument, SecType, Timeframe


@dataclass(frozen=True, slots=True)
class SessionSpan:
    """One session: trade date, `[open_ns, close_ns)` in UTC ns, and whether it closes before its usual hour."""

    day: date
    open_ns: int
    close_ns: int
    early: bool


class _Sessions:
    """One table as plain lists: bisecting them is several times faster than NumPy for single instants."""

    def __init__(self, table: SessionTable) -> None:
        self.days: list[int] = table.day.tolist()
        self.opens: list[int] = table.open_ns.tolist()
        self.closes: list[int] = table.close_ns.tolist()
        early: list[int] = table.early.tolist()
        self._early = early
        self._spans: dict[int, SessionSpan] = {}

    def span(self, index: int) -> SessionSpan:
        found = self._spans.get(index)
        if found is None:
            day = date.fromordinal(self.days[index])
            found = SessionSpan(day, self.opens[index], self.closes[index], bool(self._early[index]))
            self._spans[index] = found
        return found


class Calendar:
    """The sessions of every kind of hours, from 2000 to 2031, as the libraries know them.

    A futures session of trade date D runs from 18:00 ET of the calendar day before to 17:00 ET of D; the
    quarter-hour halt at 16:15 that the exchange kept until June 2021 does not part it.

    Every lookup raises BadInput for a day or instant outside that range: unknown is not closed.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._sessions = {hours: _Sessions(table) for hours, table in tables.items()}
        self._from_ns, self._to_ns = coverage_ns()

    def table(self, hours: Hours) -> SessionTable:
        """All sessions in columns, for vectorised work."""
        return self._tables[hours]

    def on(self, hours: Hours, day: date) -> SessionSpan | None:
        """The session of trade date `day`; None where the exchange is shut that day."""
        _check_day(day)
        sessions = self._sessions[hours]
        ordinal = day.toordinal()
        index = bisect_left(sessions.days, ordinal)
        if index < len(sessions.days) and sessions.days[index] == ordinal:
            return sessions.span(index)
        return None

    def at(self, hours: Hours, at_ns: int) -> SessionSpan | None:
        """The session with `open <= at_ns < close`; None where the market is closed then."""
        self._check_instant(at_ns)
        sessions = self._sessions[hours]
        index = bisect_right(sessions.opens, at_ns) - 1
        if index < 0 or at_ns >= sessions.closes[index]:
            return None
        return sessions.span(index)

    def last_opened(self, hours: Hours, at_ns: int) -> SessionSpan:
        """The session that contains `at_ns`, else the latest that opened before it."""
        self._check_instant(at_ns)
        sessions = self._sessions[hours]
        index = bisect_right(sessions.opens, at_ns) - 1
        if index < 0:
            raise _outside(f"a session opened by {et_date(at_ns)}")
        return sessions.span(index)

    def next_after(self, hours: Hours, at_ns: int) -> SessionSpan:
        """The first session with `open > at_ns`."""
        self._check_instant(at_ns)
        sessions = self._sessions[hours]
        index = bisect_right(sessions.opens, at_ns)
        if index == len(sessions.opens):
            raise _outside(f"a session opening after {et_date(at_ns)}")
        return sessions.span(index)

    def previous(self, hours: Hours, day: date) -> SessionSpan:
        """The last session whose trade date is before `day`, itself a session or not."""
        _check_day(day)
        sessions = self._sessions[hours]
        index = bisect_left(sessions.days, day.toordinal()) - 1
        if index < 0:
            raise _outside(f"a session before {day}")
        return sessions.span(index)

    def sessions(self, hours: Hours, first: date, last: date) -> tuple[SessionSpan, ...]:
        """The sessions of trade dates `first` to `last`, both included, ascending."""
        _check_day(first)
        _check_day(last)
        sessions = self._sessions[hours]
        start = bisect_left(sessions.days, first.toordinal())
        stop = bisect_right(sessions.days, last.toordinal())
        return tuple(sessions.span(index) for index in range(start, stop))

    def bar_starts(self, hours: Hours, span: SessionSpan, timeframe: Timeframe) -> NDArray[np.int64]:
        """Starts of the session's bars (int64, UTC ns): a grid anchored at its open, every start < close.

        1d has one bar, at the open. `hours` says whose session `span` is.
        """
        if timeframe is Timeframe.D1:
            return np.array([span.open_ns], dtype=np.int64)
        return np.arange(span.open_ns, span.close_ns, timeframe.ns, dtype=np.int64)

    def bar_start(self, hours: Hours, at_ns: int, timeframe: Timeframe) -> int | None:
        """Start of the bar that contains `at_ns`; None outside sessions."""
        span = self.at(hours, at_ns)
        if span is None:
            return None
        if timeframe is Timeframe.D1:
            return span.open_ns
        return int(at_ns - (at_ns - span.open_ns) % timeframe.ns)

    def bar_close(self, hours: Hours, start_ns: int, timeframe: Timeframe) -> int:
        """When the bar that starts at `start_ns` closes: one timeframe later, cut at the session's close.

        1d closes with its session. Raises BadInput where no session contains `start_ns`.
        """
        span = self.at(hours, start_ns)
        if span is None:
            raise BadInput(
                f"no {hours.value} session contains a bar start of {start_ns} ns ({et_date(start_ns)})"
            )
        if timeframe is Timeframe.D1:
            return span.close_ns
        return int(min(start_ns + timeframe.ns, span.close_ns))

    def _check_instant(self, at_ns: int) -> None:
        if not self._from_ns <= at_ns < self._to_ns:
            raise _outside(f"instant {at_ns} ns")


def _check_day(day: date) -> None:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise _outside(f"day {day}")


def _outside(thing: str) -> BadInput:
    return BadInput(f"{thing} is outside the exchange calendar ({FIRST_DAY} to {LAST_DAY}): stay within it")


def open_calendar(cache_dir: Path | None = None) -> Calendar:
    """A calendar of its own from the cache in `cache_dir` or, without a sound one, from the libraries."""
    return Calendar(load_tables(cache_dir))


_loaded: list[Calendar] = []


def load_calendar(cache_dir: Path | None = None) -> Calendar:
    """The process's calendar. The first call reads or builds the tables (see `open_calendar`); later calls
    give the same object whatever their `cache_dir`, since its content does not depend on it."""
    if not _loaded:
        _loaded.append(open_calendar(cache_dir))
    return _loaded[0]


def series_hours(instrument: Instrument) -> Hours:
    """Whose sessions the instrument's bar series keep: futures their own, others regular hours (SPEC §1)."""
    return Hours.FUTURES if instrument.sec_type is SecType.FUTURE else Hours.REGULAR
