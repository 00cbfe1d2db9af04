"""Playing protection against the small fair exchange, in lockstep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from station.calendars import Calendar, load_calendar
from station.clock import Lockstep, LockstepLoop, VirtualClock
from station.protection import ProtectionSettings, ProtectionWorker
from tests.property.protection_exchange import FairExchange


def calendar() -> Calendar:
    return load_calendar()


async def _driven(clock: VirtualClock, exchange: FairExchange, worker: ProtectionWorker, until_ns: int) -> None:
    task = asyncio.create_task(worker.run())
    await Lockstep(clock, exchange).run(until_ns)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def played(
    start_ns: int,
    until_ns: int,
    prepare: Callable[[FairExchange], None],
    moods: Sequence[str] = (),
    settings: ProtectionSettings | None = None,
    port: Callable[[FairExchange], Any] | None = None,
) -> tuple[FairExchange, ProtectionWorker, list[tuple[str, BaseException]]]:
    """Run the worker against a fair exchange in lockstep from `start_ns` to `until_ns`."""
    clock = VirtualClock(start_ns)
    exchange = FairExchange(clock, moods)
    faults: list[tuple[str, BaseException]] = []

    async def run() -> ProtectionWorker:
        worker = ProtectionWorker(
            port(exchange) if port is not None else exchange, clock, calendar(),
            settings or ProtectionSettings(), lambda trade_id, error: faults.append((trade_id, error)),
        )  # fmt: skip
        exchange.worker = worker
        prepare(exchange)
        await _driven(clock, exchange, worker, until_ns)
        return worker

    return exchange, _in_lockstep(run()), faults


def _in_lockstep(work: Coroutine[Any, Any, ProtectionWorker]) -> ProtectionWorker:
    with asyncio.Runner(loop_factory=LockstepLoop) as runner:
        return runner.run(work)
