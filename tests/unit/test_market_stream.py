"""Ticks become minutes, minutes longer bars, and the clock closes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

import pytest

from station.calendars import Calendar, at_et, load_calendar
from station.clock import VirtualClock
from station.domain.broker import HaltReport, QuoteReport, TickReport
from station.domain.clock import MINUTE, SECOND
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Timeframe, underlying_contract
from station.domain.market import Bar, FeedMode, Grade, Quote, Tick
from station.market import Market, Origin

DAY = date(2024, 7, 2)
OPEN = at_et(DAY, "09:30")
CLOSE = at_et(DAY, "16:00")
Wanted = dict[str, Sequence[Timeframe]]


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return load_calendar()


@pytest.fixture
def station(calendar: Calendar) -> Callable[[Wanted], tuple[Market, VirtualClock]]:
    def build(wanted: Wanted, start_ns: int = OPEN) -> tuple[Market, VirtualClock]:
        clock = VirtualClock(start_ns)
        return Market(clock, calendar, INSTRUMENTS, wanted), clock

    return build


def tick(market: Market, at_ns: int, price: float, size: float = 1.0, symbol: str = "SPX") -> None:
    market.on_report(TickReport(Tick(symbol, at_ns, price, size)))


def test_a_minute_is_built_from_its_ticks_and_closed_by_the_clock(station) -> None:
    market, _ = station({"SPX": [Timeframe.M1]})
    for second, price in ((1, 100.0), (20, 100.5), (40, 99.5), (59, 100.2)):
        tick(market, OPEN + second * SECOND, price, 2.0)
    assert market.forming("SPX", Timeframe.M1) == Bar(OPEN, 100.0, 100.5, 99.5, 100.2, 8.0)
    assert market.close_due(OPEN + MINUTE - 1) == ()
    (closed,) = market.close_due(OPEN + MINUTE)
    assert closed.bar == Bar(OPEN, 100.0, 100.5, 99.5, 100.2, 8.0)
    assert (closed.start_ns, closed.close_ns) == (OPEN, OPEN + MINUTE)
    assert market.forming("SPX", Timeframe.M1) is None
    assert market.close_due(OPEN + MINUTE) == ()


def test_a_tick_on_the_boundary_belongs_to_the_next_minute_even_before_the_clock_closes(station) -> None:
    market, _ = station({"SPX": [Timeframe.M1]})
    tick(market, OPEN, 100.0)
    tick(market, OPEN + MINUTE, 101.0)
    (closed,) = market.close_due(OPEN + MINUTE)
    assert closed.bar.close == 100.0
    assert market.forming("SPX", Timeframe.M1) == Bar(OPEN + MINUTE, 101.0, 101.0, 101.0, 101.0, 1.0)


def test_no_trade_gives_no_bar_and_a_longer_bar_closes_all_the_same(station) -> None:
    market, _ = station({"SPX": [Timeframe.M1, Timeframe.M5]})
    tick(market, OPEN + 1, 100.0)
    tick(market, OPEN + 2 * MINUTE, 101.0)
    names = [
        (bar.timeframe.value, bar.start_ns - OPEN)
        for n in range(1, 6)
        for bar in market.close_due(OPEN + n * MINUTE)
    ]
    assert names == [("1m", 0), ("1m", 2 * MINUTE), ("5m", 0)]
    assert market.series("SPX", Timeframe.M5).bars.bar(0) == Bar(OPEN, 100.0, 101.0, 100.0, 101.0, 2.0)


def test_a_late_clock_closes_everything_in_the_order_of_the_closes(station) -> None:
    market, _ = station({"SPX": [Timeframe.M1, Timeframe.M2], "VIX": [Timeframe.M1]})
    for minute in range(4):
        for symbol in ("VIX", "SPX"):
            tick(market, OPEN + minute * MINUTE, 100.0, symbol=symbol)
    order = [
        (bar.close_ns // MINUTE - OPEN // MINUTE, bar.timeframe.value, bar.symbol)
        for bar in market.close_due(OPEN + 4 * MINUTE)
    ]
    assert order == [
        (1, "1m", "SPX"), (1, "1m", "VIX"),
        (2, "1m", "SPX"), (2, "1m", "VIX"), (2, "2m", "SPX"),
        (3, "1m", "SPX"), (3, "1m", "VIX"),
        (4, "1m", "SPX"), (4, "1m", "VIX"), (4, "2m", "SPX"),
    ]  # fmt: skip


def test_ticks_outside_regular_hours_move_the_price_but_not_the_series(station) -> None:
    market, _ = station({"SPY": [Timeframe.M1]})
    tick(market, OPEN - MINUTE, 500.0, symbol="SPY")
    assert market.last_price("SPY") == 500.0
    assert market.forming("SPY", Timeframe.M1) is None
    tick(market, CLOSE - 1, 501.0, symbol="SPY")
    assert len(market.close_due(CLOSE)) == 1
    tick(market, CLOSE, 502.0, symbol="SPY")
    assert market.close_due(CLOSE + MINUTE) == ()
    assert market.last_price("SPY") == 502.0


def test_futures_bars_run_from_six_in_the_evening(station) -> None:
    opened = at_et(date(2024, 7, 1), "18:00")
    market, _ = station({"ES": [Timeframe.H4, Timeframe.D1]})
    tick(market, opened, 5500.0, symbol="ES")
    tick(market, at_et(DAY, "01:00"), 5510.0, symbol="ES")
    closed = market.close_due(at_et(DAY, "02:00"))
    assert [bar.start_ns for bar in closed] == [opened, at_et(DAY, "02:00") - 4 * 60 * MINUTE]
    (day,) = market.close_due(at_et(DAY, "17:00"))
    assert day.bar == Bar(opened, 5500.0, 5510.0, 5500.0, 5510.0, 2.0)


def test_the_next_boundary_is_the_next_minute_of_a_session(station) -> None:
    market, _ = station({"SPX": [Timeframe.M5]})
    assert market.next_boundary(OPEN) == OPEN + MINUTE
    assert market.next_boundary(OPEN + MINUTE - 1) == OPEN + MINUTE
    assert market.next_boundary(OPEN - 1) == OPEN + MINUTE
    assert market.next_boundary(CLOSE - 1) == CLOSE
    assert market.next_boundary(CLOSE) == at_et(date(2024, 7, 3), "09:31")
    both, _ = station({"SPX": [Timeframe.M5], "ES": [Timeframe.M5]})
    assert both.next_boundary(CLOSE) == CLOSE + MINUTE


def test_the_window_keeps_two_thousand_bars_before_the_session(station, calendar: Calendar) -> None:
    market, _ = station({"SPX": [Timeframe.M1]})
    series = market.series("SPX", Timeframe.M1)
    for day in (date(2024, 6, 20), date(2024, 6, 21), *(date(2024, 6, n) for n in range(24, 29)), DAY):
        span = calendar.on(series.hours, day)
        assert span is not None
        for start in calendar.bar_starts(series.hours, span, Timeframe.M1).tolist():
            series.append(Bar(start, 1.0, 1.0, 1.0, 1.0, 1.0), Origin.LIVE, start + MINUTE, "test")
            if start == OPEN:
                held = series.bars
                assert len(held) == 2001
    assert len(series.bars) == 2390
    assert series.session_start == 2000
    assert series.bars.start_ns[2000] == OPEN
    assert len(held) == 2001, "a view taken earlier stays as it was"


def test_a_bad_tick_is_left_out_and_a_confirmed_jump_is_kept_whole(station) -> None:
    market, _ = station({"SPX": [Timeframe.M1]})
    for second in range(5):
        tick(market, OPEN + second * SECOND, 100.0 + second / 100)
    for price in (float("nan"), 0.0, -5.0, 50.0, 150.0):
        tick(market, OPEN + 6 * SECOND, price)
    tick(market, OPEN + 7 * SECOND, 100.1)
    assert market.forming("SPX", Timeframe.M1) == Bar(OPEN, 100.0, 100.1, 100.0, 100.1, 6.0)
    for second, price in ((10, 103.0), (11, 103.1), (12, 103.05)):
        tick(market, OPEN + second * SECOND, price)
    assert market.forming("SPX", Timeframe.M1) == Bar(OPEN, 100.0, 103.1, 100.0, 103.05, 9.0)
    (closed,) = market.close_due(OPEN + MINUTE)
    assert closed.bar.high == 103.1


def test_an_overnight_gap_is_no_bad_tick(station) -> None:
    market, _ = station({"SPX": [Timeframe.M1]})
    tick(market, CLOSE - SECOND, 100.0)
    market.close_due(CLOSE)
    tuesday = at_et(date(2024, 7, 3), "09:30")
    tick(market, tuesday, 104.0)
    assert market.forming("SPX", Timeframe.M1) == Bar(tuesday, 104.0, 104.0, 104.0, 104.0, 1.0)


def test_a_tick_of_a_minute_already_closed_is_counted_and_changes_nothing(station) -> None:
    market, _ = station({"SPX": [Timeframe.M1]})
    tick(market, OPEN + 1, 100.0)
    market.close_due(OPEN + MINUTE)
    tick(market, OPEN + MINUTE, 100.0)
    tick(market, OPEN + 2, 99.9)
    assert market.forming("SPX", Timeframe.M1) == Bar(OPEN + MINUTE, 100.0, 100.0, 100.0, 100.0, 1.0)
    assert market.series("SPX", Timeframe.M1).bars.low.tolist() == [100.0]


def test_every_bar_says_where_it_came_from_and_the_chain_is_reproducible(station) -> None:
    heads = []
    for _ in range(2):
        market, _clock = station({"SPX": [Timeframe.M1]})
        for minute in range(3):
            tick(market, OPEN + minute * MINUTE, 100.0 + minute)
            market.close_due(OPEN + (minute + 1) * MINUTE)
        series = market.series("SPX", Timeframe.M1)
        found = series.provenance(OPEN + MINUTE)
        assert (found.origin, found.received_ns) == (Origin.LIVE, OPEN + 2 * MINUTE)
        assert found.link != series.head == series.provenance(OPEN + 2 * MINUTE).link
        heads.append(series.head)
        with pytest.raises(BadInput, match="keeps no bar"):
            series.provenance(OPEN + 7 * MINUTE)
    assert heads[0] == heads[1]


def test_quotes_and_health_follow_the_reports(station) -> None:
    market, clock = station({"SPY": [Timeframe.M1]})
    contract = underlying_contract(INSTRUMENTS["SPY"])
    quote = Quote(contract, Decimal(500), Decimal("500.01"), 1, 1, OPEN, venue_ns=OPEN - 3_000_000)
    market.on_report(QuoteReport(quote))
    assert market.quote(contract) is quote
    assert market.last_update_ns("SPY") == OPEN
    assert market.latency.percentile(0.95) == 3.0
    market.on_report(HaltReport("SPY", True, OPEN))
    assert market.halted("SPY")
    clock.move_to(at_et(DAY, "20:00"))
    assert market.health("SPY").mode is FeedMode.CLOSED
    market.forget(contract)
    assert market.quote(contract) is None
    assert quote.grade is Grade.LIVE


def test_an_unknown_symbol_or_timeframe_is_a_clear_error(station) -> None:
    market, _ = station({"SPX": [Timeframe.M5]})
    with pytest.raises(BadInput, match="QQQ is not watched"):
        market.last_price("QQQ")
    with pytest.raises(BadInput, match="SPX 3m is not kept"):
        market.series("SPX", Timeframe.M3)
    market.on_report(TickReport(Tick("QQQ", OPEN, 1.0, 1.0)))
