"""History is asked for once a series at a time, cleaned, and never mixed up."""

from __future__ import annotations

import asyncio
import random
from datetime import date

import numpy as np
import pytest

from station.calendars import Calendar, at_et, load_calendar, series_hours
from station.clock import VirtualClock
from station.domain.clock import MINUTE
from station.domain.errors import BrokerUnavailable
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe
from station.market import Market, Origin
from station.market.backfill import AT_ONCE, clean
from station.series import Bars, concat
from tests.recorded_market import RecordedBroker

DAY = date(2024, 7, 2)
NOW = at_et(DAY, "11:07")


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return load_calendar()


@pytest.fixture(scope="module")
def minutes(calendar: Calendar) -> dict[str, Bars]:
    """A month of minutes of every instrument, each at a level of its own."""
    found: dict[str, Bars] = {}
    for level, (symbol, instrument) in enumerate(INSTRUMENTS.items(), start=1):
        hours = series_hours(instrument)
        spans = calendar.sessions(hours, date(2024, 6, 3), DAY)
        starts = np.concatenate([calendar.bar_starts(hours, span, Timeframe.M1) for span in spans])
        price = level * 1000 + np.arange(len(starts)) % 97 / 10
        found[symbol] = Bars(starts, price, price + 1, price - 1, price + 0.5, np.full(len(starts), 3.0))
    return found


def build(calendar: Calendar, minutes: dict[str, Bars], *wanted: Timeframe) -> tuple[Market, RecordedBroker]:
    clock = VirtualClock(NOW)
    market = Market(clock, calendar, INSTRUMENTS, dict.fromkeys(INSTRUMENTS, wanted))
    return market, RecordedBroker(clock, calendar, minutes)


def right(market: Market, broker: RecordedBroker, symbol: str, timeframe: Timeframe) -> bool:
    held = market.series(symbol, timeframe).bars
    truth = broker.bars(INSTRUMENTS[symbol], timeframe, NOW)
    return len(held) > 0 and held.same(truth.cut(len(truth) - len(held), None))


async def test_warming_asks_once_for_each_series_and_a_few_at_a_time(calendar: Calendar, minutes) -> None:
    market, broker = build(calendar, minutes, *Timeframe)
    assert market.wants_recovery
    assert await market.warm(broker) == ()
    assert len(broker.requests) == len(set(broker.requests)) == len(INSTRUMENTS) * len(Timeframe)
    assert broker.most_running <= AT_ONCE
    assert broker.watched == list(INSTRUMENTS)
    for symbol in INSTRUMENTS:
        for timeframe in Timeframe:
            assert right(market, broker, symbol, timeframe)
            assert market.series(symbol, timeframe).ready
    assert not market.wants_recovery
    spx = market.series("SPX", Timeframe.M1)
    assert (len(spx.bars), spx.session_start) == (2097, 2000)


async def test_an_hourly_scanner_alone_still_gets_the_minutes_of_the_running_session(
    calendar: Calendar, minutes
) -> None:
    market, broker = build(calendar, minutes, Timeframe.H1)
    await market.warm(broker)
    forming = market.forming("SPX", Timeframe.H1)
    assert forming is not None and forming.start_ns == at_et(DAY, "10:30")
    assert forming.volume == 37 * 3


async def test_a_hundred_chart_switches_show_a_hundred_right_charts(calendar: Calendar, minutes) -> None:
    market, broker = build(calendar, minutes, Timeframe.M5)
    broker.hold = asyncio.Event()
    draws = random.Random(7)
    asked = [(draws.choice(list(INSTRUMENTS)), draws.choice(list(Timeframe))) for _ in range(100)]
    charts = [asyncio.ensure_future(market.chart(broker, *key)) for key in asked]
    broker.hold.set()
    for (symbol, timeframe), series in zip(asked, await asyncio.gather(*charts), strict=True):
        assert (series.symbol, series.timeframe) == (symbol, timeframe)
        assert series is market.series(symbol, timeframe)
        assert right(market, broker, symbol, timeframe)
    assert broker.most_of_one == 1, "one request in flight for a series"
    assert len(broker.requests) == len(set(asked))


async def test_history_that_fails_raises_for_a_chart_and_never_means_empty(calendar: Calendar, minutes) -> None:
    market, broker = build(calendar, minutes, Timeframe.M5)
    broker.down = {Timeframe.M15}
    with pytest.raises(BrokerUnavailable, match="162"):
        await market.chart(broker, "SPX", Timeframe.M15)
    assert not market.series("SPX", Timeframe.M15).warm
    broker.down = set()
    assert right(market, broker, "SPX", (await market.chart(broker, "SPX", Timeframe.M15)).timeframe)


async def test_a_late_answer_neither_removes_newer_bars_nor_outranks_a_whole_stream(
    calendar: Calendar, minutes
) -> None:
    market, broker = build(calendar, minutes, Timeframe.M1)
    await market.warm(broker)
    series = market.series("SPX", Timeframe.M1)
    at = minutes["SPX"].position(NOW)
    live = minutes["SPX"].bar(at)._replace(close=2000.0)
    series.append(live, Origin.LIVE, NOW + MINUTE, "stream")
    before = series.bars
    series.absorb(minutes["SPX"].cut(at - 50, at), NOW + 2 * MINUTE, "history")
    assert series.newest_start_ns == live.start_ns
    assert series.bars.same(before)
    series.absorb(minutes["SPX"].cut(at - 50, at + 1), NOW + 2 * MINUTE, "history")
    assert series.bars.bar(-1) == live
    assert series.divergent == 1


def test_history_is_cleaned_before_it_enters(calendar: Calendar, minutes) -> None:
    at = minutes["SPX"].position(at_et(DAY, "09:30"))
    good = minutes["SPX"].cut(at - 5, at + 12)
    broken = [bar._replace(high=bar.low - 1) for bar in good.cut(3, 4).to_bars()]
    absent = [bar._replace(close=float("nan")) for bar in good.cut(4, 5).to_bars()]
    late = [bar._replace(start_ns=at_et(DAY, "16:05")) for bar in good.cut(0, 1).to_bars()]
    rows = concat(good, Bars.from_bars([*broken, *absent, *late]), good.cut(2, 3))
    bars, faults = clean(rows, Timeframe.M1, Hours.REGULAR, calendar, at_et(DAY, "09:40"))
    assert faults == {"nan": 1, "ohlc": 1, "off_session": 1, "disorder": 1, "duplicate": 1}
    assert bars.same(good.cut(0, 15)), "and what has not finished is left out"
    assert np.isfinite(bars.close).all()
