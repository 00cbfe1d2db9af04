"""From a closed bar to a strategy's case: close bars by the clock, scan, gate, publish, hunt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import date

from station.desk.daybook import DayBook
from station.desk.opposite import OppositeExit
from station.desk.passed_over import PassedOver
from station.desk.stopwatch import SIGNAL_TO_WIRE, Stopwatch
from station.domain.clock import Clock, Ids
from station.domain.instruments import Timeframe
from station.domain.ports import Changes, LifecycleStore
from station.domain.signals import Firing, Gate, Signal, SignalState
from station.domain.specs import Desired
from station.market import ClosedBar, Market
from station.scanners import ScannerRoom
from station.strategy import Hunter, Pass, Pool, Verdict, make_signal

FiringListener = Callable[[Firing, Gate | None], None]


class BarCloser:
    """The task that closes bars at their boundary and turns them into published signals.

    At one instant: shortest timeframe first, instruments in catalogue order, and all of it before any
    strategy runs (SPEC §2).
    """

    def __init__(
        self, clock: Clock, market: Market, scanners: ScannerRoom, store: LifecycleStore, pool: Pool,
        ids: Ids, session: Callable[[], date], desired: Callable[[], Desired], stopwatch: Stopwatch,
        recover: Callable[[], Awaitable[object]],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._stopwatch = stopwatch
        self._recover = recover
        self._market = market
        self._scanners = scanners
        self._store = store
        self._pool = pool
        self._ids = ids
        self._session = session
        self._desired = desired
        self.listeners: list[FiringListener] = []
        self.bar_listeners: list[Callable[[Sequence[ClosedBar]], None]] = []
        self.published = 0
        self.recalled: tuple[Firing, ...] = ()
        """What an earlier process published this day."""

    def recall(self, signals: Sequence[Signal]) -> None:
        """Take back what was published before this process: the day's counts go on."""
        self.recalled = tuple(signal.firing for signal in signals)
        self.published = len(self.recalled)
        for firing in self.recalled:
            self._scanners.recall(firing)

    async def run(self) -> None:
        while True:
            boundary = self._market.next_boundary(self._clock.now())
            await self._clock.sleep_until(boundary)
            await self.close(boundary)

    async def close(self, boundary_ns: int) -> None:
        """Close what is due at the boundary, scan it, and publish what passes the gates."""
        closed = self._market.close_due(boundary_ns)
        if self._market.wants_recovery:
            await self._recover()
        if not closed:
            return
        for listener in self.bar_listeners:
            listener(closed)
        accepted = self._gated(self._scanners.on_closed(closed))
        if accepted:
            await self._publish(accepted)

    def _gated(self, firings: Sequence[Firing]) -> list[Firing]:
        accepted: list[Firing] = []
        for firing in firings:
            refused = self._scanners.judge(firing, self._clock.now())
            for listener in self.listeners:
                listener(firing, refused)
            if refused is None:
                accepted.append(firing)
        return accepted

    async def _publish(self, firings: Sequence[Firing]) -> None:
        now = self._clock.now()
        specs = {spec.name: spec for spec in self._desired().scanners}
        signals = tuple(
            make_signal(firing, specs[firing.scanner], self._ids.signal_id(self._session()), now)
            for firing in firings
        )
        marks = {firing.scanner: firing.bar_start_ns for firing in firings}
        await self._store.commit(Changes(signals=signals, scanner_marks=marks))
        for firing, signal in zip(firings, signals, strict=True):
            self._scanners.published(firing)
            self._stopwatch.start(SIGNAL_TO_WIRE, signal.id)
            self._pool.publish(signal)
            self.published += 1


class Hunt:
    """The task that wakes with every publish, asks the strategies, and hands passing cases to the desk."""

    def __init__(
        self, clock: Clock, hunter: Hunter, book: DayBook, store: LifecycleStore,
        desired: Callable[[], Desired], begin: Callable[[Pass], Awaitable[None]],
        session: Callable[[], date], day_start: Callable[[], int], opposite: OppositeExit,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._opposite = opposite
        self._hunter = hunter
        self._book = book
        self._store = store
        self._desired = desired
        self._begin = begin
        self._session = session
        self._day_start = day_start
        self._passed_over = PassedOver()
        self.last: tuple[Verdict, ...] = ()
        self.hunts = 0
        self.stopped = False

    async def run(self) -> None:
        while True:
            await self._hunter.pool.changed()
            await self._expire()
            await self._opposite.look()
            if not self.stopped:
                await self.cycle()

    async def cycle(self) -> None:
        """One turn of every strategy over the pool as it is now."""
        used, counts = self._book.used(), self._book.counts(self._day_start())
        self.last = self._hunter.hunt(self._clock.now(), self._desired().strategies, used, counts)
        self.hunts += 1
        for verdict in self.last:
            if isinstance(verdict, Pass):
                await self._begin(verdict)
        said = self._passed_over.news(self.last)
        if said:
            await self._store.commit(Changes(decisions=said))

    async def _expire(self) -> None:
        gone = self._hunter.pool.expire(self._clock.now())
        if gone:
            await self._store.commit(Changes(signals=gone))

    def restore(self, signals: Sequence[Signal]) -> None:
        """Put signals that were live before a restart back into the pool, oldest first."""
        now = self._clock.now()
        for signal in sorted(signals, key=lambda s: (s.published_ns, s.id)):
            waiting = signal.state in (SignalState.GENERATED, SignalState.VALIDATED)
            if waiting and signal.valid_until_ns > now:
                self._hunter.pool.publish(signal)


def wanted_series(desired: Desired, charts: Sequence[str]) -> dict[str, tuple[Timeframe, ...]]:
    """Which timeframes each instrument needs: what its scanners read, what veera rules read, and the chart's
    5 minutes. In catalogue and timeframe order."""
    wanted: dict[str, set[Timeframe]] = {symbol: {Timeframe.M5} for symbol in charts}
    for scanner in desired.scanners:
        wanted.setdefault(scanner.instrument, set()).add(scanner.timeframe)
    for strategy in desired.strategies:
        if strategy.veera:
            for symbol in wanted:
                wanted[symbol] |= {Timeframe.M5, Timeframe.M10}
    order = list(Timeframe)
    return {symbol: tuple(sorted(frames, key=order.index)) for symbol, frames in wanted.items()}
