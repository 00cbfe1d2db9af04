"""A whole station in the test's own process: engine, paper exchange and books, driven by simulated time."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Self, TypeVar

from station.brokers.paper.faults import Fault
from station.calendars import at_et
from station.clock import LockstepLoop
from station.domain.clock import SECOND
from station.domain.orders import Order
from station.domain.trade import Trade, TradeState
from station.engine.launch import settings_for
from station.engine.options import RunOptions
from station.engine.rooms import Rooms
from station.engine.simulated import SimulatedRun
from station.store import verify

DAY = date(2026, 11, 18)
SEED = 3
"""Opens SPY 686P at 09:40 and SPXW 6860P at 09:45, both out at the target at 09:54."""

T = TypeVar("T")
_PLAYED = count(1)
_SWEPT_EVERY = 8
PATIENCE_S = 180.0
"""Host seconds after which an answer that never comes is failed; nothing asserts a time."""
CACHE = Path(tempfile.gettempdir()) / f"vigil-tests-{os.getuid()}"
"""Calendar tables and earlier sessions, made once and shared by every run of the tests."""


class Lab:
    """One run in a runtime directory. `until` and `step` let time pass; `rooms` is the engine's inside."""

    def __init__(
        self, runtime: Path, *, seed: int = SEED, day: date = DAY, faults: Sequence[Fault] = ()
    ) -> None:
        self.runtime = runtime
        self.day = day
        self.options = RunOptions(
            runtime=runtime, broker="paper", seed=seed, speed=0, day=day, faults=tuple(faults),
            cache_dir=CACHE,
        )  # fmt: skip
        self.said: list[str] = []
        self.run: SimulatedRun

    async def __aenter__(self) -> Self:
        self.run = await SimulatedRun.prepare(self.options, settings_for(self.options), self.said.append)
        await self.run.open()
        await self.run.advance(self.now())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.run.close()

    @property
    def rooms(self) -> Rooms:
        return self.run.engine.rooms

    def now(self) -> int:
        return self.run.engine.outside.clock.now()

    def at(self, text: str) -> int:
        """The instant of an exchange time of the session, `HH:MM` or `HH:MM:SS`."""
        return at_et(self.day, text)

    async def until(self, text: str) -> None:
        await self.run.advance(self.at(text))

    async def step(self, seconds: float = 1.0) -> None:
        await self.run.advance(self.now() + round(seconds * SECOND))

    async def until_true(self, condition: Callable[[], bool], *, limit_s: int = 23_400) -> None:
        """Second by second until `condition` holds; AssertionError after `limit_s` simulated seconds."""
        for _ in range(limit_s):
            if condition():
                return
            await self.step()
        raise AssertionError(f"not within {limit_s} simulated seconds")

    async def while_time_stands(self, condition: Callable[[], bool], *, limit_s: float = PATIENCE_S) -> None:
        """Until what the engine does by the host's own clock has made `condition` hold; no simulated time
        passes. TimeoutError after `limit_s` seconds of the host."""
        async with asyncio.timeout(limit_s):
            while not condition():
                await self.step(0)

    async def during(self, work: Awaitable[T], *, limit_s: int = 120) -> T:
        """Let time pass until `work` is done."""
        task = asyncio.ensure_future(work)
        await self.until_true(task.done, limit_s=limit_s)
        return await task

    # --- looking ------------------------------------------------------------------------------------

    def trades(self) -> list[Trade]:
        return list(self.rooms.ledger.trades.values())

    def entered(self) -> list[Trade]:
        """Trades that sent an entry."""
        return [trade for trade in self.trades() if trade.entry_ref]

    def first(self) -> Trade:
        return self.entered()[0]

    def holding(self) -> bool:
        return any(trade.open_qty > 0 for trade in self.trades())

    def exits(self, trade: Trade) -> tuple[Order, ...]:
        return self.rooms.ledger.book.working_exits(trade.id)

    def is_over(self, trade_id: str) -> bool:
        return self.rooms.ledger.trades[trade_id].state.is_terminal

    async def until_holding(self) -> Trade:
        """Until the first position is open and protected."""
        await self.until_true(
            lambda: any(t.state is TradeState.SELL_SUBMITTED and t.open_qty > 0 for t in self.trades())
        )
        return next(t for t in self.trades() if t.state is TradeState.SELL_SUBMITTED and t.open_qty > 0)

    def events(self, kind: str) -> list[str]:
        """The JSON bodies of the log's events of one type, read by plain SQL."""
        connection = sqlite3.connect(f"file:{self.runtime / 'lifecycle.db'}?mode=ro", uri=True)
        try:
            rows = connection.execute("SELECT data FROM trade_events WHERE type = ? ORDER BY seq", (kind,))
            return [row[0] for row in rows]
        finally:
            connection.close()


def play(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on a lockstep loop of its own."""
    try:
        with asyncio.Runner(loop_factory=LockstepLoop) as runner:
            return runner.run(work())
    finally:
        # A start freezes what it has made; stations that have ended must leave the process again.
        if next(_PLAYED) % _SWEPT_EVERY == 0:
            gc.unfreeze()


def assert_sound(runtime: Path) -> None:
    """Every book agrees with every other."""
    bad = {check.name: check.violations for check in verify(runtime).checks if check.violations}
    assert not bad, bad


def paper_rows(runtime: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the paper exchange's own book, by independent SQL."""
    connection = sqlite3.connect(f"file:{runtime / 'paper.db'}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def dollars(text: str) -> Decimal:
    return Decimal(text)
