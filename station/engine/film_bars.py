"""The bars of a film or a picture out of the market's own minutes."""

from __future__ import annotations

from typing import Final

from station.calendars import series_hours
from station.domain.errors import BadInput
from station.domain.instruments import Instrument, Timeframe
from station.engine.rooms import Outside, Rooms
from station.series import Bars, aggregate
from station.series.aggregate import finished

BEFORE: Final = 30
"""Bars before the signal."""


def kept_bars(
    outside: Outside, rooms: Rooms, instrument: Instrument, timeframe: Timeframe, fired_ns: int
) -> Bars | None:
    """The finished bars from BEFORE ones before the signal's on; None where the minutes do not reach back."""
    calendar, hours = outside.calendar, series_hours(instrument)
    try:
        series = rooms.market.series(instrument.symbol, Timeframe.M1)
    except BadInput:
        return None
    if not series.warm:
        return None
    grown = aggregate(series.bars, timeframe, hours, calendar)
    bars = finished(grown, timeframe, hours, calendar, outside.clock.now())
    first = bars.position(fired_ns) - BEFORE
    # The oldest may have begun before the minutes that are kept.
    return bars.cut(first, None) if first > 0 else None
