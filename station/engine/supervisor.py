"""Every long-lived task of the engine, its heartbeat, its failures, and what a failure stops (law 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, Final

from station.domain.clock import SECOND, Clock
from station.domain.errors import Fatal

BACKOFF_S: Final = (0.0, 0.5, 1.0, 2.0, 5.0)
CRITICAL_LIMIT: Final = 5
CHRONIC_EVERY: Final = 5
FORGIVEN_AFTER_S: Final = 300.0


@dataclass(slots=True)
class TaskRecord:
    """What the health screen shows of one task; `beat_ns` is when it last had the loop."""

    name: str
    critical: bool
    restarts: int = 0
    recent: int = 0
    last_error: str = ""
    last_failure_ns: int = 0
    started_ns: int = 0
    beat_ns: int = 0
    running: bool = False

    @property
    def chronic(self) -> bool:
        """It keeps failing, however slowly."""
        return self.restarts >= CHRONIC_EVERY


class _Beating:
    """Awaits what it is given and stamps the record whenever the loop comes back to it."""

    def __init__(self, body: Awaitable[None], record: TaskRecord, clock: Clock) -> None:
        self._body = body
        self._record = record
        self._clock = clock

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._body.__await__()
        step: Callable[[], Any] = steps.__next__
        while True:
            self._record.beat_ns = self._clock.now()
            try:
                waited = step()
            except StopIteration:
                return
            try:
                yield waited
                step = steps.__next__
            except BaseException as fault:  # noqa: BLE001 - what is thrown in is the body's to answer
                step = _thrown(steps, fault)


def _thrown(steps: Generator[Any, Any, None], fault: BaseException) -> Callable[[], Any]:
    return lambda: steps.throw(fault)


class Supervisor:
    """Runs named tasks and restarts them with back-off. `on_fault(name, error)` is told of every failure,
    `on_critical(name)` when a critical task failed CRITICAL_LIMIT times with no FORGIVEN_AFTER_S between,
    `on_chronic(record)` at every CHRONIC_EVERYth failure of any task, however far apart, and `on_fatal(error)`
    when a task met what the station must not go on with: that task is not restarted."""

    def __init__(
        self,
        clock: Clock,
        on_fault: Callable[[str, BaseException], Awaitable[None]],
        on_critical: Callable[[str], Awaitable[None]],
        on_chronic: Callable[[TaskRecord], Awaitable[None]],
        on_fatal: Callable[[Fatal], None],
    ) -> None:
        self._clock = clock
        self._on_fault = on_fault
        self._on_critical = on_critical
        self._on_chronic = on_chronic
        self._on_fatal = on_fatal
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.records: dict[str, TaskRecord] = {}

    def start(self, name: str, body: Callable[[], Awaitable[None]], *, critical: bool = False) -> None:
        self.records[name] = TaskRecord(name, critical)
        self._tasks[name] = asyncio.create_task(self._run(name, body), name=name)

    async def stop(self) -> None:
        """Cancel every task and wait for each; the order is the reverse of their start."""
        for task in reversed(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()

    async def _run(self, name: str, body: Callable[[], Awaitable[None]]) -> None:
        record = self.records[name]
        while True:
            record.started_ns = self._clock.now()
            record.running = True
            try:
                await _Beating(body(), record, self._clock)
                record.running = False
                return
            except asyncio.CancelledError:
                raise
            except Fatal as error:
                record.running = False
                record.last_error = str(error)
                self._on_fatal(error)
                return
            except Exception as error:  # noqa: BLE001 - the boundary where a fault becomes a record
                record.running = False
                await self._failed(record, error)
            await self._clock.sleep(BACKOFF_S[min(record.recent, len(BACKOFF_S)) - 1])

    async def _failed(self, record: TaskRecord, error: Exception) -> None:
        now = self._clock.now()
        if now - record.last_failure_ns > FORGIVEN_AFTER_S * SECOND:
            record.recent = 0
        record.restarts += 1
        record.recent += 1
        record.last_failure_ns = now
        record.last_error = f"{type(error).__name__}: {error}"
        await self._on_fault(record.name, error)
        if record.critical and record.recent == CRITICAL_LIMIT:
            await self._on_critical(record.name)
        if record.restarts % CHRONIC_EVERY == 0:
            await self._on_chronic(record)
