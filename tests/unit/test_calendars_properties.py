"""What must hold for every instant, timeframe and kind of hours."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.calendars import Calendar, at_et, load_calendar
from station.domain.clock import SECOND
from station.domain.instruments import Hours, Timeframe

instants = st.integers(at_et(date(2010, 1, 4), "00:00"), at_et(date(2030, 12, 30), "00:00"))
hours_of = st.sampled_from(list(Hours))
timeframes = st.sampled_from(list(Timeframe))


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return load_calendar()


@given(hours=hours_of, at_ns=instants, timeframe=timeframes)
def test_the_bar_of_an_instant_contains_it_and_lies_on_the_grid(
    calendar: Calendar, hours: Hours, at_ns: int, timeframe: Timeframe
) -> None:
    start = calendar.bar_start(hours, at_ns, timeframe)
    span = calendar.at(hours, at_ns)
    assert (start is None) == (span is None)
    if start is None or span is None:
        return
    close = calendar.bar_close(hours, start, timeframe)
    assert span.open_ns <= start <= at_ns < close <= span.close_ns
    assert start in calendar.bar_starts(hours, span, timeframe)
    assert calendar.bar_start(hours, start, timeframe) == start


@given(hours=hours_of, at_ns=instants, timeframe=timeframes)
def test_the_bars_of_a_session_tile_it_without_overlap(
    calendar: Calendar, hours: Hours, at_ns: int, timeframe: Timeframe
) -> None:
    span = calendar.last_opened(hours, at_ns)
    starts = calendar.bar_starts(hours, span, timeframe).tolist()
    closes = [calendar.bar_close(hours, start, timeframe) for start in starts]
    assert starts[0] == span.open_ns and closes[-1] == span.close_ns
    assert closes[:-1] == starts[1:]
    assert all(first < second for first, second in pairwise(starts))


@given(hours=hours_of, at_ns=instants)
def test_the_lookups_agree_with_each_other(calendar: Calendar, hours: Hours, at_ns: int) -> None:
    last, following = calendar.last_opened(hours, at_ns), calendar.next_after(hours, at_ns)
    assert last.open_ns <= at_ns < following.open_ns
    assert last.close_ns <= following.open_ns
    assert calendar.previous(hours, following.day) == last
    assert calendar.on(hours, last.day) == last
    assert calendar.sessions(hours, last.day, following.day) == (last, following)
    inside = calendar.at(hours, at_ns)
    assert inside == (last if at_ns < last.close_ns else None)


@given(day=st.dates(date(2010, 1, 1), date(2030, 12, 31)), second=st.integers(3 * 3600, 86_399))
def test_a_time_of_day_survives_the_way_to_utc_and_back(day: date, second: int) -> None:
    from station.calendars import et_date, et_text

    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    instant = at_et(day, clock)
    assert et_text(instant) == clock and et_date(instant) == day
    assert et_text(instant + SECOND - 1) == clock
