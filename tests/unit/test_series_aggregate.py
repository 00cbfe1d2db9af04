"""Aggregation keeps to the session's grid, and cuts its last bar at the close."""

from datetime import date

import numpy as np
import pytest

from station.calendars import Calendar, at_et, load_calendar
from station.domain.clock import HOUR, MINUTE
from station.domain.instruments import Hours, Timeframe
from station.domain.market import Bar
from station.series import Bars, aggregate, bar_closes, concat, finished, grid_starts


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return load_calendar()


def minutes_of(calendar: Calendar, hours: Hours, day: date) -> Bars:
    span = calendar.on(hours, day)
    assert span is not None
    starts = calendar.bar_starts(hours, span, Timeframe.M1)
    base = 100 + np.arange(len(starts)) % 7
    return Bars(starts, base + 0.1, base + 1.0, base - 1.0, base + 0.2, np.full(len(starts), 10.0))


@pytest.mark.parametrize(
    ("timeframe", "count"),
    [("1m", 390), ("2m", 195), ("3m", 130), ("5m", 78), ("10m", 39), ("15m", 26), ("30m", 13), ("1h", 7),
     ("4h", 2), ("1d", 1)],
)  # fmt: skip
def test_a_regular_session_has_its_bars_from_half_past_nine(
    calendar: Calendar, timeframe: str, count: int
) -> None:
    minutes = minutes_of(calendar, Hours.REGULAR, date(2024, 7, 2))
    bars = aggregate(minutes, Timeframe(timeframe), Hours.REGULAR, calendar)
    assert len(bars) == count
    assert bars.start_ns[0] == at_et(date(2024, 7, 2), "09:30")
    assert bars.volume.sum() == 3900


def test_the_last_bar_is_cut_at_the_close(calendar: Calendar) -> None:
    minutes = minutes_of(calendar, Hours.REGULAR, date(2024, 7, 2))
    hourly = aggregate(minutes, Timeframe.H1, Hours.REGULAR, calendar)
    closes = bar_closes(hourly.start_ns, Timeframe.H1, Hours.REGULAR, calendar)
    close = at_et(date(2024, 7, 2), "16:00")
    assert closes[-1] == close
    assert closes[-1] - hourly.start_ns[-1] == HOUR // 2
    assert hourly.volume[-1] == 300
    four = aggregate(minutes, Timeframe.H4, Hours.REGULAR, calendar)
    assert four.start_ns.tolist() == [at_et(date(2024, 7, 2), "09:30"), at_et(date(2024, 7, 2), "13:30")]
    assert bar_closes(four.start_ns, Timeframe.H4, Hours.REGULAR, calendar)[-1] == close


def test_a_half_day_ends_at_one(calendar: Calendar) -> None:
    minutes = minutes_of(calendar, Hours.REGULAR, date(2024, 7, 3))
    assert len(minutes) == 210
    hourly = aggregate(minutes, Timeframe.H1, Hours.REGULAR, calendar)
    assert len(hourly) == 4
    closes = bar_closes(hourly.start_ns, Timeframe.H1, Hours.REGULAR, calendar)
    assert closes[-1] == at_et(date(2024, 7, 3), "13:00")


def test_futures_bars_are_anchored_at_six_in_the_evening(calendar: Calendar) -> None:
    minutes = minutes_of(calendar, Hours.FUTURES, date(2024, 7, 2))
    four = aggregate(minutes, Timeframe.H4, Hours.FUTURES, calendar)
    anchor = at_et(date(2024, 7, 1), "18:00")
    assert four.start_ns.tolist() == [anchor + k * 4 * HOUR for k in range(6)]
    closes = bar_closes(four.start_ns, Timeframe.H4, Hours.FUTURES, calendar)
    assert closes[-1] == at_et(date(2024, 7, 2), "17:00")
    day = aggregate(minutes, Timeframe.D1, Hours.FUTURES, calendar)
    assert day.start_ns.tolist() == [anchor]


def test_bars_outside_sessions_are_dropped_and_no_trade_gives_no_bar(calendar: Calendar) -> None:
    day = date(2024, 7, 2)
    at = [at_et(day, text) for text in ("09:29", "09:30", "09:44", "16:00", "16:05")]
    rows = [Bar(start, 1.0 + n, 2.0 + n, 0.5, 1.5 + n, 1.0) for n, start in enumerate(at)]
    bars = aggregate(Bars.from_bars(rows), Timeframe.M5, Hours.REGULAR, calendar)
    assert bars.start_ns.tolist() == [at_et(day, "09:30"), at_et(day, "09:40")]
    assert bars.to_bars()[0] == rows[1]
    assert len(aggregate(Bars.empty(), Timeframe.M5, Hours.REGULAR, calendar)) == 0


def test_finished_leaves_the_forming_bar_out(calendar: Calendar) -> None:
    minutes = minutes_of(calendar, Hours.REGULAR, date(2024, 7, 2))
    fives = aggregate(minutes, Timeframe.M5, Hours.REGULAR, calendar)
    open_ns = at_et(date(2024, 7, 2), "09:30")
    for now, count in ((open_ns, 0), (open_ns + 5 * MINUTE - 1, 0), (open_ns + 5 * MINUTE, 1)):
        assert len(finished(fives, Timeframe.M5, Hours.REGULAR, calendar, now)) == count


def test_the_grid_agrees_with_the_calendar_across_clock_changes(calendar: Calendar) -> None:
    for hours in (Hours.REGULAR, Hours.FUTURES):
        for day in (date(2024, 3, 11), date(2024, 11, 4), date(2024, 11, 29)):
            minutes = minutes_of(calendar, hours, day)
            for timeframe in Timeframe:
                grid = grid_starts(minutes.start_ns, timeframe, hours, calendar)
                closes = bar_closes(grid, timeframe, hours, calendar)
                for position in range(0, len(minutes), 37):
                    start = int(minutes.start_ns[position])
                    assert grid[position] == calendar.bar_start(hours, start, timeframe)
                    assert closes[position] == calendar.bar_close(hours, int(grid[position]), timeframe)


def test_bars_round_trip_cut_and_join() -> None:
    rows = tuple(Bar(n, 1.0, 2.0, 0.5, 1.5, float(n)) for n in range(5))
    bars = Bars.from_bars(rows)
    assert bars.to_bars() == rows
    assert bars.cut(1, 3).to_bars() == rows[1:3]
    assert bars.before(3).to_bars() == rows[:3]
    assert bars.since(3).to_bars() == rows[3:]
    assert bars.bar(-1) == rows[-1]
    assert concat(bars.before(2), bars.since(2)).same(bars)
    assert concat().to_bars() == ()
