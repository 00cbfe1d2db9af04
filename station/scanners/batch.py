"""The batch answer (SPEC §2): what live, replay and backtest must equal to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from station.calendars import Calendar, series_hours
from station.domain.instruments import INSTRUMENTS, Hours, Side
from station.domain.signals import Firing
from station.domain.specs import ScannerSpec
from station.market import KEPT_BEFORE_SESSION
from station.scanners.family import CALL, Marks, sides_of
from station.scanners.registry import family_of
from station.scanners.study import Study
from station.series import Bars, bar_closes, session_numbers


def hours_of(spec: ScannerSpec) -> Hours:
    """Whose sessions the scanner's series keeps; regular hours for a symbol outside the catalogue."""
    instrument = INSTRUMENTS.get(spec.instrument)
    return Hours.REGULAR if instrument is None else series_hours(instrument)


def studies(bars: Bars, hours: Hours, calendar: Calendar) -> Iterator[tuple[int, Study]]:
    """For each session of `bars` its window (the 2,000 bars before, and itself), asked about the session; with
    the window's position in `bars`.

    `bars` are finished bars of one timeframe, ascending, all inside sessions.
    """
    sessions = session_numbers(bars.start_ns, hours, calendar)
    edges = np.flatnonzero(np.diff(sessions)) + 1
    firsts = [0, *edges.tolist()] if len(bars) else []
    for first, stop in zip(firsts, [*firsts[1:], len(bars)], strict=False):
        low = max(0, first - KEPT_BEFORE_SESSION)
        yield (
            low,
            Study(
                bars.cut(low, stop), first - low, first - low, partial(sessions.__getitem__, slice(low, stop))
            ),
        )


def evaluate(spec: ScannerSpec, study: Study) -> Marks:
    """The spec's marks of the bars asked about: its family's, where warm and on the spec's side."""
    family = family_of(spec)
    params = family.params(spec)
    found = family.answer(study, params)
    allowed = np.isin(found.side, np.array(sides_of(spec), np.int8))
    allowed[: max(family.warmup(params) - 1 - study.since, 0)] = False
    return Marks(np.where(allowed, found.side, np.int8(0)), np.where(allowed, found.score, np.int16(0)))


def scan_marks(spec: ScannerSpec, bars: Bars, calendar: Calendar, hours: Hours | None = None) -> Marks:
    """The spec's marks for every bar of `bars`, each by its own session's window."""
    side, score = np.zeros(len(bars), np.int8), np.zeros(len(bars), np.int16)
    for low, study in studies(bars, hours or hours_of(spec), calendar):
        found = evaluate(spec, study)
        own = slice(low + study.since, low + len(study.bars))
        side[own], score[own] = found.side, found.score
    return Marks(side, score)


def scan_all(
    spec: ScannerSpec, bars: Bars, calendar: Calendar, hours: Hours | None = None
) -> tuple[Firing, ...]:
    """Every firing of `spec` over `bars`, ungated, oldest first.

    `bars` are the finished bars of the spec's timeframe; `hours` says whose sessions they keep where the
    instrument is outside the catalogue. Raises BadInput for a spec that cannot run.
    """
    hours = hours or hours_of(spec)
    found = scan_marks(spec, bars, calendar, hours)
    at = np.flatnonzero(found.side)
    closes = bar_closes(bars.start_ns[at], spec.timeframe, hours, calendar)
    return tuple(
        Firing(
            spec.name, spec.instrument, spec.timeframe,
            Side.CALL if found.side[row] == CALL else Side.PUT, int(found.score[row]),
            int(bars.start_ns[row]), int(close), float(bars.close[row]),
        )
        for row, close in zip(at.tolist(), closes.tolist(), strict=True)
    )  # fmt: skip
