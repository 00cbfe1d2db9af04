"""One definition, three speeds: live, batch, replay and restart agree to the last bit over real sessions."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from station.calendars import Calendar, load_calendar
from station.clock import VirtualClock
from station.domain.broker import TickReport
from station.domain.clock import DAY, MINUTE, SECOND
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe
from station.domain.signals import Firing
from station.domain.specs import ScannerSpec, Switches
from station.market import Market
from station.scanners import ScannerRoom, all_families, scan_all
from station.series import Bars, aggregate, read_bars
from tests.recorded_market import RecordedBroker, ticks_of

TIMEFRAMES = (Timeframe.M1, Timeframe.M5, Timeframe.H1)
SPECS = tuple(
    ScannerSpec(f"SPY_{family}_{timeframe.value}", family, "SPY", timeframe, "BOTH")
    for family in ("v3", "macd", "cross_21_200")
    for timeframe in TIMEFRAMES
)
EVERY_FAMILY = tuple(
    ScannerSpec(f"SPY_{family}_{timeframe.value}", family, "SPY", timeframe, "BOTH")
    for family in all_families()
    for timeframe in TIMEFRAMES
)
FIRST, LAST = date(2024, 8, 1), date(2024, 10, 24)
Key = tuple[str, int, int, str, int, float]


def key_of(firing: Firing) -> Key:
    return (
        firing.scanner, firing.bar_start_ns, firing.bar_close_ns, firing.side.value, firing.score, firing.price
    )  # fmt: skip


class Station:
    """A market and its scanners, driven minute by minute as the engine drives them."""

    def __init__(
        self, calendar: Calendar, minutes: Bars, start_ns: int, specs: tuple[ScannerSpec, ...] = SPECS
    ) -> None:
        self.clock = VirtualClock(start_ns)
        self.calendar = calendar
        self.broker = RecordedBroker(self.clock, calendar, {"SPY": minutes})
        self.market = Market(self.clock, calendar, INSTRUMENTS, {"SPY": TIMEFRAMES})
        self.room = ScannerRoom(self.market, calendar, specs, Switches())
        self.fired: list[Key] = []

    async def run(self, minutes: Bars) -> None:
        for bar in minutes.to_bars():
            for tick in ticks_of("SPY", bar):
                if tick.at_ns >= self.clock.now():
                    self.clock.move_to(tick.at_ns)
                    self.market.on_report(TickReport(tick))
            at_ns = self.market.next_boundary(self.clock.now())
            self.clock.move_to(at_ns)
            closed = self.market.close_due(at_ns)
            if self.market.wants_recovery:
                assert await self.market.recover(self.broker) == ()
            self.fired.extend(key_of(firing) for firing in self.room.on_closed(closed))


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return load_calendar()


@pytest.fixture(scope="module")
def minutes(shared_data: Path) -> Bars:
    return read_bars(shared_data / "bars_1m" / "spy_1m_2024-03_2025-04.parquet", "SPY").bars


def batch(
    minutes: Bars, calendar: Calendar, from_ns: int, to_ns: int, specs: tuple[ScannerSpec, ...] = SPECS
) -> list[Key]:
    found: list[Key] = []
    for spec in specs:
        bars = aggregate(minutes.before(to_ns), spec.timeframe, Hours.REGULAR, calendar)
        found.extend(key_of(firing) for firing in scan_all(spec, bars, calendar))
    return sorted(key for key in found if from_ns <= key[1])


async def test_live_over_sixty_real_sessions_equals_the_batch(minutes: Bars, calendar: Calendar) -> None:
    spans = calendar.sessions(Hours.REGULAR, FIRST, LAST)
    assert len(spans) == 60
    from_ns, to_ns = spans[0].open_ns, spans[-1].close_ns
    live = Station(calendar, minutes, from_ns)
    assert await live.market.warm(live.broker) == ()
    await live.run(minutes.since(from_ns).before(to_ns))
    expected = batch(minutes, calendar, from_ns, to_ns)
    assert len(expected) > 2_000
    assert sorted(live.fired) == expected
    for timeframe in TIMEFRAMES:
        whole = aggregate(minutes.before(to_ns), timeframe, Hours.REGULAR, calendar)
        held = live.market.series("SPY", timeframe).bars
        assert held.same(whole.cut(len(whole) - len(held), None))


@pytest.mark.parametrize("minute", [0, 1, 27, 60, 217, 389])
@pytest.mark.parametrize("second", [0, 17])
async def test_a_restart_inside_a_session_continues_to_the_last_bit(
    minutes: Bars, calendar: Calendar, minute: int, second: int
) -> None:
    span = calendar.on(Hours.REGULAR, date(2024, 9, 18))
    assert span is not None
    at_ns = span.open_ns + minute * MINUTE + second * SECOND
    station = Station(calendar, minutes, at_ns)
    assert await station.market.warm(station.broker) == ()
    running_ns = span.open_ns + minute * MINUTE
    await station.run(minutes.since(running_ns).before(span.close_ns))
    expected = batch(minutes, calendar, span.open_ns, span.close_ns)
    assert sorted(station.fired) == [key for key in expected if key[2] > at_ns]


async def test_every_family_live_equals_its_batch_also_after_a_restart(
    minutes: Bars, calendar: Calendar
) -> None:
    """Three real sessions, the station beginning anew in the middle of the second."""
    spans = calendar.sessions(Hours.REGULAR, date(2024, 9, 17), date(2024, 9, 19))
    from_ns, to_ns = spans[0].open_ns, spans[-1].close_ns
    known = minutes.since(from_ns - 40 * DAY)
    middle_ns = spans[1].open_ns + 131 * MINUTE + 23 * SECOND
    running_ns = middle_ns - middle_ns % MINUTE
    first = Station(calendar, known, from_ns, EVERY_FAMILY)
    assert await first.market.warm(first.broker) == ()
    await first.run(known.since(from_ns).before(running_ns))
    again = Station(calendar, known, middle_ns, EVERY_FAMILY)
    assert await again.market.warm(again.broker) == ()
    await again.run(known.since(running_ns).before(to_ns))
    expected = batch(known, calendar, from_ns, to_ns, EVERY_FAMILY)
    assert sorted(first.fired + again.fired) == expected
    fired = {name.removeprefix("SPY_").rpartition("_")[0] for name, *_ in expected}
    assert fired >= set(all_families()) - {"zone_breakout", "cross_21_200", "v3"}
