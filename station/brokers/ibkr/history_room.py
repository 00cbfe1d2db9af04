"""reqHistoricalData asked in the right pieces at the right pace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import ib_async
from ib_async.wrapper import RequestError

from station.brokers.ibkr.asking import Asker
from station.brokers.ibkr.history import (
    BAR_SIZES,
    MAX_SESSIONS,
    HistoryPace,
    bars_of,
    duration,
    end_text,
    on_grid,
    sessions_needed,
    source_of,
)
from station.brokers.ibkr.tap import TappedIB
from station.brokers.ibkr.values import ContractBook
from station.calendars import Calendar, series_hours
from station.domain.clock import Clock
from station.domain.errors import BrokerUnavailable
from station.domain.instruments import Contract, Hours, Instrument, Timeframe
from station.domain.market import Bar

NO_DATA = 162


class HistoryRoom:
    def __init__(
        self, clock: Clock, calendar: Calendar, asker: Asker, contracts: ContractBook,
        link: Callable[[], TappedIB],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._calendar = calendar
        self._asker = asker
        self._contracts = contracts
        self._link = link
        self._pace = HistoryPace(clock)

    async def bars(
        self, contract: Contract, instrument: Instrument, timeframe: Timeframe, end_ns: int, wanted: int
    ) -> tuple[Bar, ...]:
        """Up to `wanted` finished bars that start before `end_ns`. Raises BrokerUnavailable (FAULTS 35)."""
        hours, source = series_hours(instrument), source_of(timeframe)
        left = sessions_needed(timeframe, wanted, hours)
        cursor = self._end(hours, timeframe, end_ns)
        heard: list[Bar] = []
        grid: tuple[Bar, ...] = ()
        while left > 0 and len(grid) < wanted:
            sessions = min(left, MAX_SESSIONS[source])
            rows = await self._ask(contract, instrument, source, cursor, sessions, some=bool(heard))
            piece = bars_of(rows, instrument, self._calendar)
            if not piece:
                break
            heard = [*piece, *heard]
            grid = on_grid(heard, timeframe, instrument, self._calendar, end_ns, self._clock.now())
            left, cursor = left - sessions, piece[0].start_ns
        return grid[-wanted:] if wanted > 0 else ()

    def _end(self, hours: Hours, timeframe: Timeframe, end_ns: int) -> int:
        """The close of the last bar wanted, so that TWS does not cut it short; now at the latest."""
        start = self._calendar.bar_start(hours, end_ns - 1, timeframe)
        close = end_ns if start is None else self._calendar.bar_close(hours, start, timeframe)
        return min(close, self._clock.now())

    async def _ask(
        self, contract: Contract, instrument: Instrument, source: Timeframe, end_ns: int, sessions: int,
        *, some: bool,
    ) -> ib_async.BarDataList:  # fmt: skip
        span, end = duration(sessions), end_text(end_ns)
        label = f"history {instrument.symbol} {source.value}"
        await self._pace.turn(contract.label, f"{contract.label} {source.value} {span} {end}")

        def ask() -> Awaitable[ib_async.BarDataList]:
            return self._link().reqHistoricalDataAsync(
                self._contracts.theirs(contract), end, span, BAR_SIZES[source], "TRADES",
                series_hours(instrument) is not Hours.FUTURES, formatDate=2, timeout=0,
            )  # fmt: skip

        try:
            return await self._asker.ask(f"{label} {end}", ask, has_id=True)
        except RequestError as error:
            if error.code == NO_DATA and some and "no data" in error.message:
                return ib_async.BarDataList()
            raise BrokerUnavailable(f"{label}: {error.code} {error.message}") from error
