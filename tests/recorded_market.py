"""A broker that answers for market data from recorded minutes, for tests of the market and the scanners."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from station.calendars import Calendar, series_hours
from station.clock import VirtualClock
from station.domain.errors import BrokerUnavailable
from station.domain.instruments import Contract, Instrument, Timeframe, underlying_contract
from station.domain.market import Bar, Grade, Tick
from station.series import Bars, aggregate, finished


class RecordedBroker:
    """Fulfils the market-data part of the Broker port over minutes by symbol, and counts what it is asked.

    `down` names timeframes whose history fails; `hold`, where set, is awaited before an answer; `lag_ns` is how
    late a finished bar comes into history.
    """

    name = "recorded"

    def __init__(self, clock: VirtualClock, calendar: Calendar, minutes: Mapping[str, Bars]) -> None:
        self._clock = clock
        self._calendar = calendar
        self._minutes = minutes
        self.requests: list[tuple[str, Timeframe]] = []
        self.running: dict[tuple[str, Timeframe], int] = {}
        self.most_running = 0
        self.most_of_one = 0
        self.watched: list[str] = []
        self.down: set[Timeframe] = set()
        self.grade = Grade.LIVE
        self.lag_ns = 0
        self.hold: asyncio.Event | None = None

    async def resolve(self, instrument: Instrument) -> Contract:
        return underlying_contract(instrument)

    async def watch(self, contract: Contract) -> None:
        self.watched.append(contract.symbol)

    async def market_data_grade(self, contract: Contract) -> Grade:
        return self.grade

    async def history(
        self, instrument: Instrument, timeframe: Timeframe, end_ns: int, bars: int
    ) -> tuple[Bar, ...]:
        key = (instrument.symbol, timeframe)
        self.requests.append(key)
        self.running[key] = self.running.get(key, 0) + 1
        self.most_running = max(self.most_running, sum(self.running.values()))
        self.most_of_one = max(self.most_of_one, self.running[key])
        try:
            if self.hold is not None:
                await self.hold.wait()
            if timeframe in self.down:
                raise BrokerUnavailable(f"162: no {timeframe.value} history of {instrument.symbol}")
            return self.bars(instrument, timeframe, end_ns - self.lag_ns).to_bars()[-bars:]
        finally:
            self.running[key] -= 1

    def bars(self, instrument: Instrument, timeframe: Timeframe, end_ns: int) -> Bars:
        """Finished bars up to `end_ns`, never past the clock."""
        hours = series_hours(instrument)
        now_ns = min(end_ns, self._clock.now())
        found = aggregate(self._minutes[instrument.symbol].before(now_ns), timeframe, hours, self._calendar)
        return finished(found, timeframe, hours, self._calendar, now_ns)


def ticks_of(symbol: str, bar: Bar) -> Iterator[Tick]:
    """Four ticks that make the minute again: open, the extremes, close; the last carries the volume."""
    nearer_high = bar.high - bar.open <= bar.open - bar.low
    path = (bar.open, bar.high, bar.low, bar.close) if nearer_high else (bar.open, bar.low, bar.high, bar.close)
    for step, price in enumerate(path):
        size = bar.volume if step == 3 else 0.0
        yield Tick(symbol, bar.start_ns + step * 19_000_000_000, price, size)
