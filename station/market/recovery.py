"""Bars that are missing are brought: what a lost link dropped is watched again, every owed series is filled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from station.calendars import Calendar
from station.domain.broker import Broker
from station.domain.clock import SECOND, Clock
from station.domain.errors import Refused, Retryable
from station.domain.instruments import Contract, Timeframe
from station.domain.market import Grade
from station.market.backfill import Backfill
from station.market.feed import Feed
from station.market.series import Series
from station.series import Bars

_FIRST_RETRY_NS: Final = 30 * SECOND
_LAST_RETRY_NS: Final = 1800 * SECOND
GRADE_TRIES: Final = 6
GRADE_PAUSE_S: Final = 0.5


class Recovery:
    """Watches and fills the feeds. `notes` says by symbol what stood in the way; `on_history` hears of all bars
    that came. An instrument that the broker does not have is asked for ever later, and holds up no other."""

    def __init__(
        self, clock: Clock, calendar: Calendar, feeds: Mapping[str, Feed], backfill: Backfill,
        on_history: Callable[[str, Timeframe, Bars], None],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._calendar = calendar
        self._feeds = feeds
        self._backfill = backfill
        self._on_history = on_history
        self._unwatched: set[str] = set(feeds)
        self._retries: dict[str, tuple[int, int]] = {}
        self.notes: dict[str, str] = {}

    def dropped(self) -> None:
        """The link came back without its subscriptions: all have to be watched again, at once."""
        self._unwatched = set(self._feeds)
        self._retries.clear()

    def is_watched(self, symbol: str) -> bool:
        return symbol not in self._unwatched

    @property
    def is_owed(self) -> bool:
        """Whether bars are missing that `run` could bring now."""
        return any(
            not self._resting(symbol)
            and (symbol in self._unwatched or (feed.outages.down_since_ns is None and feed.owes_history))
            for symbol, feed in self._feeds.items()
        )

    def _resting(self, symbol: str) -> bool:
        """Whether the broker lately did not have the symbol: it is asked again ever later, so that one unknown
        instrument delays no other's bars."""
        return symbol in self._retries and self._clock.now() < self._retries[symbol][0]

    async def run(self, broker: Broker) -> tuple[str, ...]:
        """Watch what is not watched, and bring every missing bar; a line for each series that got none."""
        for symbol, feed in self._feeds.items():
            if symbol in self._unwatched and not self._resting(symbol):
                await self._watch(broker, symbol, feed)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._mend(broker, feed))
                for symbol, feed in self._feeds.items()
                if feed.owes_history and feed.outages.down_since_ns is None and not self._resting(symbol)
            ]
        return tuple(line for task in tasks for line in task.result())

    async def _watch(self, broker: Broker, symbol: str, feed: Feed) -> None:
        try:
            contract = await broker.resolve(feed.instrument)
            await broker.watch(contract)
            feed.grade = await self._grade(broker, contract)
        except (Retryable, Refused) as error:
            self.notes[symbol] = str(error)
            pause_ns = min(2 * self._retries.get(symbol, (0, 0))[1] or _FIRST_RETRY_NS, _LAST_RETRY_NS)
            self._retries[symbol] = (self._clock.now() + pause_ns, pause_ns)
            return
        self._retries.pop(symbol, None)
        now_ns = self._clock.now()
        self._unwatched.discard(symbol)
        feed.source = broker.name
        if feed.outages.down_since_ns is None:
            feed.begin(now_ns)
        feed.outages.up(now_ns)

    async def _grade(self, broker: Broker, contract: Contract) -> Grade:
        """The grade, asked again for a moment: a venue tells it only with its first answers."""
        for _ in range(GRADE_TRIES):
            try:
                return await broker.market_data_grade(contract)
            except Retryable:
                await self._clock.sleep(GRADE_PAUSE_S)
        return await broker.market_data_grade(contract)

    async def _mend(self, broker: Broker, feed: Feed) -> list[str]:
        asked_ns = self._clock.now()
        owed = [series for series in feed.series.values() if not series.ready or series is feed.minutes]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._try_fill(broker, feed, series)) for series in owed]
        failures = [line for task in tasks if (line := task.result())]
        if not failures:
            forming_ns = self._calendar.bar_start(feed.hours, asked_ns, Timeframe.M1)
            asked_through_ns = asked_ns if forming_ns is None else forming_ns
            feed.outages.filled_through(min(asked_through_ns, feed.minutes.history_through_ns))
            self.notes.pop(feed.instrument.symbol, None)
        now_ns = self._clock.now()
        feed.resume(asked_ns)
        feed.settle(now_ns)
        return failures

    async def _try_fill(self, broker: Broker, feed: Feed, series: Series) -> str:
        try:
            await self.fill(broker, feed, series)
        except (Retryable, Refused) as error:
            series.trouble = str(error)
            return f"{series.symbol} {series.timeframe.value}: no history: {error}"
        series.trouble = ""
        return ""

    async def fill(self, broker: Broker, feed: Feed, series: Series) -> None:
        """Bring what one series lacks. Raises what the broker raises."""
        newest_ns = series.newest_start_ns
        if series.warm and newest_ns >= 0:
            since_ns = min((feed.outages.earliest_ns or newest_ns, newest_ns, *series.partial_starts))
            count = self._backfill.count_since(feed.hours, series.timeframe, since_ns)
        elif series.wanted:
            count = self._backfill.full_count(feed.hours, series.timeframe)
        else:
            since_ns = self._calendar.last_opened(feed.hours, self._clock.now()).open_ns
            count = self._backfill.count_since(feed.hours, series.timeframe, since_ns)
        told, faults = await self._backfill.fetch(broker, feed.instrument, series.timeframe, count)
        feed.quality.row_faults(faults)
        self._on_history(feed.instrument.symbol, series.timeframe, told.bars)
        series.absorb(told.bars, self._clock.now(), f"{told.source} history")
        series.label = told.label
        series.warm = True
