"""The sessions a trader knows by heart, and the libraries themselves as the second opinion."""

from __future__ import annotations

from datetime import date, time

import exchange_calendars
import numpy as np
import pandas_market_calendars
import pytest

from station.calendars import (
    Calendar,
    SessionSpan,
    at_et,
    et_date,
    et_text,
    load_calendar,
    open_calendar,
    series_hours,
)
from station.domain.clock import HOUR, MINUTE
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe

YEARS = (date(2010, 1, 1), date(2030, 12, 31))


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Calendar:
    return open_calendar(tmp_path_factory.mktemp("calendar"))


def opened(calendar: Calendar, hours: Hours, day: date) -> SessionSpan:
    span = calendar.on(hours, day)
    assert span is not None, f"{hours} is shut on {day}"
    return span


def shape(span: SessionSpan) -> tuple[str, str, str, str, bool]:
    return (
        str(et_date(span.open_ns)), et_text(span.open_ns),
        str(et_date(span.close_ns)), et_text(span.close_ns), span.early,
    )  # fmt: skip


HALF_DAYS = [date(2024, 7, 3), date(2024, 11, 29), date(2024, 12, 24), date(2025, 7, 3), date(2026, 11, 27)]


@pytest.mark.parametrize("day", HALF_DAYS, ids=str)
def test_a_half_day_closes_at_13_and_its_extended_hours_at_17(calendar: Calendar, day: date) -> None:
    text = str(day)
    assert shape(opened(calendar, Hours.REGULAR, day)) == (text, "09:30:00", text, "13:00:00", True)
    assert shape(opened(calendar, Hours.EXTENDED, day)) == (text, "04:00:00", text, "17:00:00", True)


def test_an_ordinary_day_keeps_its_usual_hours(calendar: Calendar) -> None:
    day = date(2026, 11, 18)
    text = str(day)
    assert shape(opened(calendar, Hours.REGULAR, day)) == (text, "09:30:00", text, "16:00:00", False)
    assert shape(opened(calendar, Hours.EXTENDED, day)) == (text, "04:00:00", text, "20:00:00", False)
    assert shape(opened(calendar, Hours.FUTURES, day)) == ("2026-11-17", "18:00:00", text, "17:00:00", False)


HOLIDAYS = [
    date(2024, 3, 29), date(2025, 4, 18), date(2024, 6, 19), date(2025, 6, 19), date(2024, 7, 4),
    date(2024, 11, 28), date(2024, 12, 25), date(2025, 1, 1), date(2025, 1, 9), date(2026, 11, 21),
]  # fmt: skip


@pytest.mark.parametrize("day", HOLIDAYS, ids=str)
def test_the_exchange_is_shut_on_holidays_mourning_and_weekends(calendar: Calendar, day: date) -> None:
    for hours in (Hours.REGULAR, Hours.EXTENDED):
        assert calendar.on(hours, day) is None
        assert calendar.at(hours, at_et(day, "12:00")) is None


def test_juneteenth_was_an_ordinary_day_before_2022(calendar: Calendar) -> None:
    assert opened(calendar, Hours.REGULAR, date(2020, 6, 19)).early is False
    assert calendar.on(Hours.REGULAR, date(2022, 6, 20)) is None


def test_futures_open_on_sunday_evening_and_rest_an_hour_a_day(calendar: Calendar) -> None:
    sunday, monday = date(2026, 11, 15), date(2026, 11, 16)
    span = opened(calendar, Hours.FUTURES, monday)
    assert span.open_ns == at_et(sunday, "18:00")
    assert calendar.on(Hours.FUTURES, sunday) is None
    assert calendar.at(Hours.FUTURES, at_et(sunday, "17:59:59")) is None
    assert calendar.at(Hours.FUTURES, at_et(monday, "17:00")) is None
    assert calendar.at(Hours.FUTURES, at_et(monday, "17:59:59")) is None
    tuesday = calendar.at(Hours.FUTURES, at_et(monday, "18:00"))
    assert tuesday is not None and tuesday.day == date(2026, 11, 17)
    assert calendar.at(Hours.FUTURES, at_et(date(2026, 11, 20), "17:00")) is None
    assert calendar.next_after(Hours.FUTURES, at_et(date(2026, 11, 20), "17:00")).day == date(2026, 11, 23)


def test_futures_trade_a_short_day_on_stock_holidays_and_skip_christmas(calendar: Calendar) -> None:
    juneteenth = opened(calendar, Hours.FUTURES, date(2024, 6, 19))
    assert shape(juneteenth) == ("2024-06-18", "18:00:00", "2024-06-19", "13:00:00", True)
    good_friday = opened(calendar, Hours.FUTURES, date(2021, 4, 2))
    assert et_text(good_friday.close_ns) == "09:15:00"
    assert calendar.on(Hours.FUTURES, date(2024, 12, 25)) is None
    assert calendar.on(Hours.FUTURES, date(2020, 4, 10)) is None


@pytest.mark.parametrize(
    ("before", "after", "shift_h"),
    [(date(2026, 3, 6), date(2026, 3, 9), -1), (date(2026, 10, 30), date(2026, 11, 2), 1)],
    ids=["spring", "autumn"],
)
def test_daylight_saving_moves_utc_and_not_the_trading_day(
    calendar: Calendar, before: date, after: date, shift_h: int
) -> None:
    days = (after - before).days * 24 * HOUR
    for hours in Hours:
        old, new = opened(calendar, hours, before), opened(calendar, hours, after)
        assert new.close_ns - old.close_ns == days + shift_h * HOUR
        assert et_text(new.close_ns) == et_text(old.close_ns)
        assert new.close_ns - new.open_ns == old.close_ns - old.open_ns


def test_times_of_the_day_are_read_in_new_york() -> None:
    assert at_et(date(2026, 7, 1), "09:30") == at_et(date(2026, 7, 1), time(9, 30))
    assert at_et(date(2026, 12, 1), "09:30") - at_et(date(2026, 7, 1), "09:30") == 153 * 24 * HOUR + HOUR
    assert et_text(at_et(date(2026, 11, 18), "14:32:07") + 999_999_999) == "14:32:07"
    assert et_date(at_et(date(2026, 11, 18), "23:59:59")) == date(2026, 11, 18)
    assert at_et(date(2026, 11, 1), "01:30") == at_et(date(2026, 11, 1), "00:30") + HOUR
    with pytest.raises(ValueError, match="half past nine"):
        at_et(date(2026, 7, 1), "half past nine")


def test_neighbours_of_a_session(calendar: Calendar) -> None:
    regular = Hours.REGULAR
    close = at_et(date(2024, 7, 3), "13:00")
    assert calendar.last_opened(regular, close).day == date(2024, 7, 3)
    assert calendar.last_opened(regular, at_et(date(2024, 7, 5), "09:29:59")).day == date(2024, 7, 3)
    assert calendar.last_opened(regular, at_et(date(2024, 7, 5), "09:30")).day == date(2024, 7, 5)
    assert calendar.next_after(regular, at_et(date(2024, 7, 3), "09:30")).day == date(2024, 7, 5)
    assert calendar.next_after(regular, at_et(date(2024, 7, 3), "09:29:59")).day == date(2024, 7, 3)
    assert calendar.previous(regular, date(2024, 7, 5)).day == date(2024, 7, 3)
    assert calendar.previous(regular, date(2024, 7, 4)).day == date(2024, 7, 3)
    week = calendar.sessions(regular, date(2024, 7, 1), date(2024, 7, 5))
    assert [span.day.day for span in week] == [1, 2, 3, 5]
    assert calendar.sessions(regular, date(2024, 7, 4), date(2024, 7, 4)) == ()


def grid(calendar: Calendar, hours: Hours, day: date, timeframe: Timeframe) -> list[tuple[str, str]]:
    starts = calendar.bar_starts(hours, opened(calendar, hours, day), timeframe)
    assert starts.dtype == np.int64
    return [
        (et_text(start)[:5], et_text(calendar.bar_close(hours, start, timeframe))[:5])
        for start in starts.tolist()
    ]


def test_long_bars_are_anchored_at_the_open_and_cut_at_the_close(calendar: Calendar) -> None:
    full, half = date(2024, 7, 2), date(2024, 7, 3)
    regular, futures = Hours.REGULAR, Hours.FUTURES
    assert grid(calendar, regular, full, Timeframe.H4) == [("09:30", "13:30"), ("13:30", "16:00")]
    assert grid(calendar, regular, half, Timeframe.H4) == [("09:30", "13:00")]
    assert grid(calendar, regular, full, Timeframe.H1)[-1] == ("15:30", "16:00")
    assert grid(calendar, regular, half, Timeframe.H1) == [
        ("09:30", "10:30"), ("10:30", "11:30"), ("11:30", "12:30"), ("12:30", "13:00"),
    ]  # fmt: skip
    assert grid(calendar, regular, full, Timeframe.D1) == [("09:30", "16:00")]
    assert grid(calendar, regular, half, Timeframe.D1) == [("09:30", "13:00")]
    assert grid(calendar, futures, full, Timeframe.D1) == [("18:00", "17:00")]
    assert grid(calendar, futures, full, Timeframe.H4) == [
        ("18:00", "22:00"), ("22:00", "02:00"), ("02:00", "06:00"),
        ("06:00", "10:00"), ("10:00", "14:00"), ("14:00", "17:00"),
    ]  # fmt: skip
    assert grid(calendar, futures, half, Timeframe.H4)[-1] == ("10:00", "13:00")
    assert len(grid(calendar, regular, half, Timeframe.M1)) == 210
    assert len(grid(calendar, regular, full, Timeframe.M1)) == 390


def test_a_bar_outside_any_session_has_no_start_and_no_close(calendar: Calendar) -> None:
    lunch = at_et(date(2024, 7, 4), "12:00")
    assert calendar.bar_start(Hours.REGULAR, lunch, Timeframe.M5) is None
    with pytest.raises(BadInput, match="no regular session contains"):
        calendar.bar_close(Hours.REGULAR, lunch, Timeframe.M5)
    close = at_et(date(2024, 7, 3), "13:00")
    assert calendar.bar_start(Hours.REGULAR, close, Timeframe.M5) is None
    assert calendar.bar_start(Hours.REGULAR, close - 1, Timeframe.M5) == close - 5 * MINUTE


def test_a_day_the_libraries_do_not_know_is_refused_and_not_called_closed(calendar: Calendar) -> None:
    for day in (date(1999, 12, 31), date(2032, 1, 1)):
        with pytest.raises(BadInput, match=r"outside the exchange calendar \(2000-01-01 to 2031-12-31\)"):
            calendar.on(Hours.REGULAR, day)
        with pytest.raises(BadInput, match="outside the exchange calendar"):
            calendar.at(Hours.FUTURES, at_et(day, "12:00"))
    with pytest.raises(BadInput, match="session before"):
        calendar.previous(Hours.REGULAR, date(2000, 1, 1))
    with pytest.raises(BadInput, match="session opened by"):
        calendar.last_opened(Hours.REGULAR, at_et(date(2000, 1, 2), "12:00"))
    with pytest.raises(BadInput, match="session opening after"):
        calendar.next_after(Hours.REGULAR, at_et(date(2031, 12, 31), "23:00"))


def test_regular_hours_are_those_of_the_library(calendar: Calendar) -> None:
    library = exchange_calendars.get_calendar("XNYS", start=str(YEARS[0]), end=str(YEARS[1]))
    ours = calendar.sessions(Hours.REGULAR, *YEARS)
    assert [span.day for span in ours] == [day.date() for day in library.schedule.index]
    assert [span.open_ns for span in ours] == [int(moment.value) for moment in library.schedule["open"]]
    assert [span.close_ns for span in ours] == [int(moment.value) for moment in library.schedule["close"]]
    early = {day.date() for day in library.early_closes}
    assert {span.day for span in ours if span.early} == early


def test_futures_hours_are_those_of_the_library(calendar: Calendar) -> None:
    library = pandas_market_calendars.get_calendar("CME_Equity").schedule(*map(str, YEARS))
    ours = calendar.sessions(Hours.FUTURES, *YEARS)
    assert [span.day for span in ours] == [day.date() for day in library.index]
    for span, (_, row) in zip(ours, library.iterrows(), strict=True):
        assert span.open_ns == int(row["market_open"].as_unit("ns").value)
        assert span.close_ns == int(row["market_close"].as_unit("ns").value)


def test_extended_hours_surround_regular_ones_and_nothing_else(calendar: Calendar) -> None:
    regular, extended = calendar.table(Hours.REGULAR), calendar.table(Hours.EXTENDED)
    assert np.array_equal(regular.day, extended.day)
    assert np.all(extended.open_ns == regular.open_ns - 330 * MINUTE)
    assert np.all(extended.close_ns[regular.close_ns - regular.open_ns == 390 * MINUTE] > 0)
    assert np.all(extended.close_ns - regular.close_ns >= 3 * HOUR)


def test_series_keep_regular_hours_except_futures() -> None:
    assert {
        symbol: series_hours(row) for symbol, row in INSTRUMENTS.items() if symbol in ("SPX", "SPY", "ES")
    } == {
        "SPX": Hours.REGULAR,
        "SPY": Hours.REGULAR,
        "ES": Hours.FUTURES,
    }


def test_the_process_has_one_calendar(tmp_path_factory: pytest.TempPathFactory) -> None:
    first = load_calendar(tmp_path_factory.mktemp("one"))
    assert load_calendar() is first
    assert load_calendar(tmp_path_factory.mktemp("two")) is first
