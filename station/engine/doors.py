"""The engine's door: the link server on its socket, the floor it publishes, and the pulse of its own loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec
from structlog.typing import FilteringBoundLogger

from station.clock import WallClock
from station.domain.clock import MILLISECOND, utc_text
from station.domain.errors import Refused
from station.domain.events import (
    Alerted,
    ExecutionBooked,
    GateChanged,
    KillChanged,
    LinkChanged,
    Recorded,
    TradeClosed,
    TradeFailed,
)
from station.engine.commands import Commander
from station.engine.engine import Engine
from station.engine.killfile import BEAT_S as KILL_FILE_BEAT_S
from station.engine.killfile import KillFile
from station.engine.logs import level_of
from station.engine.panes import Panes
from station.engine.view import FloorView
from station.link import Command, LinkServer, Reply

BEAT_S: Final = 0.05
PANES_BEAT_S: Final = 1.0
KEPT: Final = 6000
LOG_BEAT_S: Final = 0.02
"""Lines of the log wait this long, so that writing them never stands between a signal and its order."""


URGENT: Final = (
    Alerted, ExecutionBooked, GateChanged, KillChanged, LinkChanged, TradeClosed, TradeFailed,
)  # fmt: skip
"""What the eye must have at once."""


class LoopLag:
    """How late the engine's loop is, measured by a wall timer: milliseconds over the beat asked for."""

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock
        self.samples: deque[float] = deque(maxlen=KEPT)
        self.taken = 0

    async def run(self) -> None:
        while True:
            before = self._clock.perf()
            await self._clock.sleep(BEAT_S)
            self.samples.append((self._clock.perf() - before) / MILLISECOND - BEAT_S * 1000)
            self.taken += 1

    def quantile_ms(self, share: float) -> float | None:
        ordered = sorted(self.samples)
        return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 3) if ordered else None

    def document(self) -> dict[str, Any]:
        """`{v, taken, samples_ms}`: how many beats there have been, and the newest of them, oldest first."""
        return {"v": 1, "taken": self.taken, "samples_ms": [round(sample, 4) for sample in self.samples]}

    def recent_ms(self) -> float | None:
        """The worst of the last ten seconds."""
        last = list(self.samples)[-200:]
        return round(max(last), 1) if last else None


class Doors:
    """Opened before the engine starts, so that a screen can watch it do so; closed last."""

    def __init__(self, engine: Engine, pace: str, log: FilteringBoundLogger) -> None:
        self._engine = engine
        self._clock = WallClock()
        self._log = log
        self.lag = LoopLag(self._clock)
        self.view = FloorView(engine, pace, self.lag.recent_ms)
        self.panes = Panes(engine, self._clock.perf, self.view.change)
        self.commander: Commander | None = None
        self.kill_file = KillFile(
            engine.outside.runtime, self._clock, engine.kill_standing, engine.kill_by_file
        )
        self._server: LinkServer | None = None
        self._beats: tuple[asyncio.Task[None], ...] = ()
        self._lines: list[Recorded] = []

    async def open(self, halt: Callable[[str], None]) -> None:
        self.commander = Commander(self._engine, halt, self.lag)
        self._server = LinkServer(
            self._engine.outside.runtime / "engine.sock", self.commander.handle, self.view.floor,
            clock=self._clock, on_fault=self._faulted, answer=self.panes.answer,
        )  # fmt: skip
        await self._server.start()
        self._beats = (
            asyncio.create_task(self.lag.run(), name="loop lag"),
            asyncio.create_task(self._panes_beat(), name="panes beat"),
            asyncio.create_task(self._kill_file_beat(), name="kill file"),
        )
        self._engine.on_event = self._logged

    async def _panes_beat(self) -> None:
        while True:
            await self._clock.sleep(PANES_BEAT_S)
            try:
                self.panes.beat()
            except Exception as fault:  # noqa: BLE001 - what screens are shown must not end the beat
                self._faulted("the panes' beat", fault)

    async def _kill_file_beat(self) -> None:
        while True:
            try:
                await self.kill_file.run()
            except Exception as fault:  # noqa: BLE001 - a switch that failed once is thrown again
                self._faulted("the kill file", fault)
            await self._clock.sleep(KILL_FILE_BEAT_S)

    async def handle(self, command: Command) -> Reply:
        """Answer a command of a screen in this process."""
        if self.commander is None:
            raise Refused("STARTING", "the engine is still starting: try again")
        return await self.commander.handle(command)

    async def close(self, why: str) -> None:
        for beat in self._beats:
            beat.cancel()
        if self._server is not None:
            await self._server.stop(why)
        self._write_lines()
        self._engine.on_event = self._write_line

    def _faulted(self, where: str, error: BaseException) -> None:
        self._log.error("link", where=where, error=f"{type(error).__name__}: {error}")

    def _logged(self, item: Recorded) -> None:
        self.view.attend()
        self.panes.recorded(item)
        if not self._lines:
            asyncio.get_running_loop().call_later(LOG_BEAT_S, self._write_lines)
        self._lines.append(item)

    def _write_lines(self) -> None:
        lines, self._lines = self._lines, []
        for item in lines:
            self._write_line(item)
        if self._server is not None and any(isinstance(item.event, URGENT) for item in lines):
            self._server.hurry()

    def _write_line(self, item: Recorded) -> None:
        """One line an event; `trade_id` correlates them."""
        at = utc_text(item.at_ns)
        write = getattr(self._log, level_of(item.event))
        write(item.event.type, ts_utc=at, trade_id=item.trade_id, data=msgspec.to_builtins(item.event))
