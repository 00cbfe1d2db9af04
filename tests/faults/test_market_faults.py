"""FAULTS 35, 39 to 42, 44 and 45, as the market sees them: reports in, health and readiness out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from station.calendars import Calendar, at_et, load_calendar
from station.clock import VirtualClock
from station.domain.broker import FarmReport, HaltReport, LinkReport, NoticeReport, QuoteReport, TickReport
from station.domain.clock import HOUR, MINUTE, SECOND
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe, underlying_contract
from station.domain.market import FeedMode, Grade, Quote, Tick
from station.domain.specs import ScannerSpec, Switches
from station.market import Market, Origin
from station.scanners import ScannerRoom
from station.series import Bars, aggregate
from tests.recorded_market import RecordedBroker, ticks_of

DAY = date(2024, 7, 2)
OPEN = at_et(DAY, "09:30")
SPY = underlying_contract(INSTRUMENTS["SPY"])
TIMEFRAMES = (Timeframe.M1, Timeframe.M5, Timeframe.H1)


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return load_calendar()


def recorded(calendar: Calendar, hours: Hours) -> Bars:
    """Three weeks of minutes up to and including the day."""
    spans = calendar.sessions(hours, date(2024, 6, 12), DAY)
    starts = np.concatenate([calendar.bar_starts(hours, span, Timeframe.M1) for span in spans])
    wave = 500 + np.round(2 * np.sin(np.arange(len(starts)) / 9), 2)
    return Bars(starts, wave, wave + 0.05, wave - 0.05, wave + 0.01, np.full(len(starts), 10.0))


class Rig:
    def __init__(self, calendar: Calendar, at_ns: int, *symbols: str) -> None:
        self.clock = VirtualClock(at_ns)
        self.calendar = calendar
        self.symbols = symbols
        self.minutes = {
            symbol: recorded(calendar, Hours.FUTURES if symbol == "ES" else Hours.REGULAR) for symbol in symbols
        }
        self.broker = RecordedBroker(self.clock, calendar, self.minutes)
        self.market = Market(self.clock, calendar, INSTRUMENTS, dict.fromkeys(symbols, TIMEFRAMES))

    def stream(self, to_ns: int) -> None:
        """Tick along to `to_ns`, closing bars on the way, without recovery."""
        while self.clock.now() < to_ns:
            at_ns = self.market.next_boundary(self.clock.now())
            now_ns = self.clock.now()
            for symbol in self.symbols:
                for bar in self.minutes[symbol].since(now_ns - MINUTE + 1).before(min(at_ns, to_ns)).to_bars():
                    for tick in ticks_of(symbol, bar):
                        if now_ns <= tick.at_ns < to_ns:
                            self.market.on_report(TickReport(tick))
            self.pass_time(min(at_ns, to_ns))

    def pass_time(self, to_ns: int) -> None:
        """The clock runs and closes bars; nothing comes from the broker."""
        self.clock.move_to(to_ns)
        self.market.close_due(to_ns)

    def health(self, symbol: str = "SPY") -> FeedMode:
        return self.market.health(symbol).mode

    def whole(self, symbol: str, timeframe: Timeframe) -> bool:
        """Whether the series equals the batch over the truth."""
        held = self.market.series(symbol, timeframe)
        truth = self.broker.bars(INSTRUMENTS[symbol], timeframe, self.clock.now())
        return held.bars.same(truth.cut(len(truth) - len(held.bars), None))


@pytest.fixture
async def rig(calendar: Calendar) -> Rig:
    """SPY at half past ten, warm and streaming."""
    made = Rig(calendar, OPEN + HOUR, "SPY")
    assert await made.market.warm(made.broker) == ()
    made.stream(OPEN + HOUR + MINUTE)
    return made


async def test_fault_39_silent_feed_shows_its_age(rig: Rig) -> None:
    last = rig.market.last_update_ns("SPY")
    assert rig.health() is FeedMode.LIVE
    rig.pass_time(rig.clock.now() + 40 * SECOND)
    assert rig.market.last_update_ns("SPY") == last
    assert rig.health() is FeedMode.STALE
    assert rig.market.health("SPY").age_s > 40
    assert rig.market.health("SPY").score <= 60
    assert rig.market.series("SPY", Timeframe.M1).ready, "silence alone is no gap"


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan")])
async def test_fault_40_no_price_from_nothing(rig: Rig, price: float) -> None:
    before = rig.market.last_price("SPY"), rig.market.forming("SPY", Timeframe.M1)
    rig.market.on_report(TickReport(Tick("SPY", rig.clock.now() + 1, price, 1.0)))
    assert (rig.market.last_price("SPY"), rig.market.forming("SPY", Timeframe.M1)) == before
    one_sided = Quote(SPY, None, Decimal(500), 0, 1, rig.clock.now())
    for _ in range(30):
        rig.market.on_report(QuoteReport(one_sided))
    held = rig.market.quote(SPY)
    assert held is not None and held.mid is None
    assert rig.market.health("SPY").score <= 60


async def test_fault_41_crossed_quotes_cost_quality_until_sane(rig: Rig) -> None:
    crossed = Quote(SPY, Decimal("500.02"), Decimal(500), 1, 1, rig.clock.now())
    for _ in range(30):
        rig.market.on_report(QuoteReport(crossed))
    assert rig.market.health("SPY").score <= 60
    assert rig.health() is FeedMode.DEGRADED
    rig.stream(rig.clock.now() + 15 * MINUTE)
    sane = Quote(SPY, Decimal(500), Decimal("500.02"), 1, 1, rig.clock.now())
    rig.market.on_report(QuoteReport(sane))
    assert rig.market.health("SPY").score == 100


@pytest.mark.parametrize("grade", [Grade.DELAYED, Grade.FROZEN, Grade.DELAYED_FROZEN])
async def test_fault_42_delayed_data_counts_as_stale(rig: Rig, grade: Grade) -> None:
    last = rig.market.last_update_ns("SPY")
    at_ns = rig.clock.now()
    rig.market.on_report(QuoteReport(Quote(SPY, Decimal(500), Decimal(501), 1, 1, at_ns, grade=grade)))
    rig.stream(at_ns + MINUTE)
    assert rig.market.last_update_ns("SPY") == last
    assert rig.health() is FeedMode.DELAYED
    assert rig.market.health("SPY").score < 70


async def test_fault_44_halt_holds_without_a_gap(rig: Rig) -> None:
    rig.market.on_report(HaltReport("SPY", True, rig.clock.now()))
    rig.pass_time(rig.clock.now() + 10 * MINUTE)
    assert rig.market.halted("SPY")
    assert (rig.health(), rig.market.health("SPY").note) == (FeedMode.LIVE, "trading halted")
    assert rig.market.series("SPY", Timeframe.M5).ready
    assert not rig.market.wants_recovery
    rig.market.on_report(HaltReport("SPY", False, rig.clock.now()))
    assert not rig.market.halted("SPY")


@pytest.mark.parametrize("kept", [True, False])
async def test_fault_45_bar_gap_is_backfilled_before_the_series_is_ready(rig: Rig, kept: bool) -> None:
    market, start_ns = rig.market, rig.clock.now()
    rig.stream(start_ns + 20 * SECOND)
    market.on_report(LinkReport(False, rig.clock.now()))
    assert rig.health() is FeedMode.STALE
    rig.pass_time(start_ns + MINUTE)
    rig.pass_time(start_ns + 7 * MINUTE + 5 * SECOND)
    assert not market.series("SPY", Timeframe.M1).ready
    assert not market.series("SPY", Timeframe.M5).ready
    assert market.series("SPY", Timeframe.H1).ready, "its running bar has not closed"
    assert not market.wants_recovery, "nothing can be asked while the link is down"
    market.on_report(LinkReport(True, rig.clock.now(), data_kept=kept))
    assert not market.series("SPY", Timeframe.M1).ready
    assert market.wants_recovery
    assert await market.recover(rig.broker) == ()
    assert market.series("SPY", Timeframe.M1).ready
    assert rig.whole("SPY", Timeframe.M1) and rig.whole("SPY", Timeframe.M5)
    assert rig.broker.watched == (["SPY"] if kept else ["SPY", "SPY"])
    rig.stream(start_ns + 8 * MINUTE)
    assert not market.series("SPY", Timeframe.M1).ready, "the minute of the reconnect lacks its beginning"
    assert await market.recover(rig.broker) == ()
    assert market.series("SPY", Timeframe.M1).ready and rig.whole("SPY", Timeframe.M1)
    rig.stream(OPEN + 2 * HOUR)
    assert all(market.series("SPY", one).ready and rig.whole("SPY", one) for one in TIMEFRAMES)
    assert market.series("SPY", Timeframe.H1).provenance(OPEN + HOUR).origin is Origin.LIVE
    assert market.health("SPY").gaps == 1


async def test_fault_45_bar_gap_stays_open_while_history_lags_behind(rig: Rig) -> None:
    start_ns = rig.clock.now()
    rig.market.on_report(LinkReport(False, start_ns))
    rig.pass_time(start_ns + 2 * MINUTE)
    rig.market.on_report(LinkReport(True, rig.clock.now(), data_kept=True))
    rig.broker.lag_ns = 90 * SECOND
    assert await rig.market.recover(rig.broker) == ()
    assert not rig.market.series("SPY", Timeframe.M1).ready
    rig.stream(start_ns + 4 * MINUTE)
    assert await rig.market.recover(rig.broker) == ()
    assert rig.market.series("SPY", Timeframe.M1).ready and rig.whole("SPY", Timeframe.M1)


async def test_fault_45_bar_gap_mended_on_a_boundary_loses_no_longer_bar(rig: Rig) -> None:
    start_ns = rig.clock.now()
    rig.market.on_report(LinkReport(False, start_ns))
    rig.pass_time(start_ns + MINUTE)
    rig.market.on_report(LinkReport(True, rig.clock.now(), data_kept=True))
    rig.stream(OPEN + HOUR + 5 * MINUTE - SECOND)
    rig.clock.move_to(OPEN + HOUR + 5 * MINUTE)
    assert await rig.market.recover(rig.broker) == ()
    closed = rig.market.close_due(rig.clock.now())
    assert [bar.timeframe for bar in closed] == [Timeframe.M1, Timeframe.M5]
    assert rig.whole("SPY", Timeframe.M5)


async def test_fault_45_bar_gap_fires_nothing_before_it_is_filled(calendar: Calendar) -> None:
    rig = Rig(calendar, OPEN + HOUR, "SPY")
    spec = ScannerSpec("SPY_MACD", "macd", "SPY", Timeframe.M1, "BOTH", cooldown_s=0)
    await rig.market.warm(rig.broker)
    room = ScannerRoom(rig.market, calendar, [spec], Switches())
    rig.market.on_report(LinkReport(False, OPEN + HOUR + MINUTE))
    for minute in range(1, 60):
        at_ns = OPEN + HOUR + minute * MINUTE
        rig.market.on_report(TickReport(Tick("SPY", at_ns - SECOND, 500.0 + minute % 7 / 10, 1.0)))
        rig.clock.move_to(at_ns)
        closed = rig.market.close_due(at_ns)
        assert len(closed) >= 1
        if minute > 1:
            assert room.on_closed(closed) == ()
            assert room.status("SPY_MACD") == "BACKFILLING"
    assert room.counts["SPY_MACD"].evaluated <= 1


async def test_fault_45_bar_gap_across_the_night_brings_both_sessions(rig: Rig) -> None:
    rig = Rig(rig.calendar, at_et(date(2024, 7, 1), "15:50"), "SPY")
    await rig.market.warm(rig.broker)
    rig.market.on_report(LinkReport(False, rig.clock.now()))
    rig.pass_time(OPEN + 12 * MINUTE)
    rig.market.on_report(LinkReport(True, rig.clock.now()))
    assert await rig.market.recover(rig.broker) == ()
    assert all(rig.whole("SPY", one) for one in TIMEFRAMES)


async def test_fault_45_an_outage_outside_sessions_is_no_gap(calendar: Calendar) -> None:
    rig = Rig(calendar, at_et(date(2024, 7, 1), "23:45"), "SPY")
    await rig.market.warm(rig.broker)
    rig.market.on_report(LinkReport(False, rig.clock.now()))
    rig.pass_time(rig.clock.now() + 20 * MINUTE)
    rig.market.on_report(LinkReport(True, rig.clock.now(), data_kept=True))
    assert rig.market.series("SPY", Timeframe.M1).ready
    assert rig.market.health("SPY").gaps == 0


async def test_fault_25_a_broken_farm_stales_only_its_own_instruments(calendar: Calendar) -> None:
    rig = Rig(calendar, OPEN + HOUR, "SPY", "ES")
    await rig.market.warm(rig.broker)
    rig.stream(OPEN + HOUR + MINUTE)
    rig.market.on_report(FarmReport("usfuture", False, rig.clock.now()))
    assert (rig.health("ES"), rig.health("SPY")) == (FeedMode.STALE, FeedMode.LIVE)
    rig.market.on_report(FarmReport("ushmds", False, rig.clock.now()))
    assert rig.health("SPY") is FeedMode.LIVE
    rig.pass_time(rig.clock.now() + MINUTE)
    rig.market.on_report(FarmReport("usfuture", True, rig.clock.now()))
    assert not rig.market.series("ES", Timeframe.M1).ready
    assert await rig.market.recover(rig.broker) == ()
    assert rig.market.series("ES", Timeframe.M1).ready and rig.whole("ES", Timeframe.M1)


async def test_fault_26_a_competing_session_invalidates_the_data(rig: Rig) -> None:
    rig.market.on_report(NoticeReport(10197, "no market data during competing live session", rig.clock.now()))
    assert rig.health() is FeedMode.STALE
    assert rig.market.health("SPY").score < 70
    rig.pass_time(rig.clock.now() + MINUTE)
    assert not rig.market.series("SPY", Timeframe.M1).ready
    rig.stream(rig.clock.now() + MINUTE)
    assert await rig.market.recover(rig.broker) == ()
    assert rig.market.series("SPY", Timeframe.M1).ready


@pytest.mark.parametrize(
    ("code", "text", "symbol", "both"),
    [
        (101, "Max number of tickers has been reached", "SPY", False),
        (100, "Max rate of messages per second has been exceeded", "", True),
        (162, "Historical data query: pacing violation", "", True),
    ],
)  # fmt: skip
async def test_fault_34_a_feed_that_the_broker_rations_says_so_until_it_is_over(
    calendar: Calendar, code: int, text: str, symbol: str, both: bool
) -> None:
    rig = Rig(calendar, OPEN + HOUR, "SPY", "ES")
    assert not rig.market.health("SPY").throttled
    rig.market.on_report(NoticeReport(code, text, rig.clock.now(), symbol))
    assert (rig.market.health("SPY").throttled, rig.market.health("ES").throttled) == (True, both)
    rig.pass_time(rig.clock.now() + 90 * SECOND)
    assert not rig.market.health("SPY").throttled
    rig.market.on_report(NoticeReport(162, "HMDS query returned no data", rig.clock.now()))
    assert not rig.market.health("SPY").throttled


async def test_fault_35_history_error_degrades_the_scanner_which_is_not_no_signal(calendar: Calendar) -> None:
    rig = Rig(calendar, OPEN + HOUR, "SPY")
    rig.broker.down = {Timeframe.M5}
    (line,) = await rig.market.warm(rig.broker)
    assert "SPY 5m: no history: 162" in line
    room = ScannerRoom(
        rig.market, calendar, [ScannerSpec("SPY_V3", "v3", "SPY", Timeframe.M5, "BOTH")], Switches()
    )
    rig.stream(rig.clock.now() + SECOND)
    assert room.status("SPY_V3").startswith("DEGRADED 162")
    assert rig.health() is FeedMode.DEGRADED
    assert rig.market.series("SPY", Timeframe.M1).ready
    rig.broker.down = set()
    assert rig.market.wants_recovery
    assert await rig.market.recover(rig.broker) == ()
    assert room.status("SPY_V3") == "READY"
    truth = aggregate(rig.minutes["SPY"].before(OPEN + HOUR), Timeframe.M5, Hours.REGULAR, calendar)
    assert rig.market.series("SPY", Timeframe.M5).bars.bar(-1) == truth.bar(-1)
