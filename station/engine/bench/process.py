"""Engines in processes of their own: started, asked, given orders and stopped as a shell does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from station.clock import WallClock
from station.domain.clock import SECOND
from station.domain.errors import Fatal
from station.engine.bench.station import DAY, SEED, START, START_CASH, WIDE
from station.engine.bench.terminal import LIMIT_S, ROOT
from station.engine.doors import BEAT_S
from station.engine.lease import is_held, read_holder
from station.link import Ack, Command, Data, Gate, LinkDown, Query, Status, Stop, request

GREETED: Final = '{"greeted": true}'
BRAKES: Final = {"safeguards.cooling_off_losses": 50, "safeguards.manual_overrides_day": 100}
"""As loose as they can be set."""


def greeted(runtime: Path) -> Path:
    """The directory, made, of a station whose screen has been greeted before."""
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    (runtime / "screen.json").write_text(GREETED, encoding="utf-8")
    return runtime


def session(runtime: Path, speed: float, start: str = START) -> list[str]:
    """The words of a session on the paper exchange."""
    words = ["--broker", "paper", "--seed", SEED, "--date", DAY, "--start", start, "--speed", f"{speed:g}"]
    return [*map(str, words), "--runtime", str(greeted(runtime))]


def wired_session(runtime: Path, speed: float, port: int) -> list[str]:
    """The words of a session over the wire, by the clock of an emulator behind `port`."""
    words = ["--broker", "ibkr", "--port", port, "--clock", "broker", "--speed", f"{speed:g}"]
    return [*map(str, words), "--runtime", str(greeted(runtime))]


def wide_environment() -> dict[str, str]:
    """Limits that hundreds of losing trades do not meet, as a process of its own is told them."""
    wide: dict[str, Any] = {"paper.start_cash_usd": START_CASH, **WIDE, **BRAKES}
    return {f"VIGIL_{name.replace('.', '__').upper()}": _text(value) for name, value in wide.items()}


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)


class Running:
    """An engine in a process of its own."""

    def __init__(self, runtime: Path) -> None:
        self.runtime = runtime
        self._socket = runtime / "engine.sock"

    async def ask(self, command: Command) -> dict[str, Any]:
        reply = await request(self._socket, command, LIMIT_S)
        if not isinstance(reply, Data):
            raise Fatal(f"bench: the engine refused {command}: {reply}")
        return json.loads(reply.json)

    async def order(self, command: Command) -> Ack:
        """The engine's word on an order."""
        reply = await request(self._socket, command, LIMIT_S)
        assert isinstance(reply, Ack)
        return reply

    async def turn_gate(self, state: str) -> None:
        await self.order(Gate(state, by="bench"))

    async def trading(self, limit_s: float = LIMIT_S) -> None:
        """Return once the engine trades."""
        wall = WallClock()
        deadline = wall.perf() + round(limit_s * SECOND)
        while wall.perf() < deadline:
            try:
                if is_held(self.runtime) and (await self.ask(Status()))["phase"] == "trading":
                    return
            except LinkDown:
                pass
            await wall.sleep(0.01)
        raise Fatal(f"bench: the engine in {self.runtime} did not come to trade within {limit_s:g} s")

    async def lag(
        self, samples: int, meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None
    ) -> list[float]:
        """The loop's lag, milliseconds, over the next `samples` beats, in which `meanwhile` happens first."""
        wall, before = WallClock(), await self.beats()
        if meanwhile is not None:
            await meanwhile()
        await wall.sleep(samples * BEAT_S)
        return await self.lag_since(before)

    async def beats(self) -> int:
        """How many beats of its loop there have been."""
        return int((await self.ask(Query("lag")))["taken"])

    async def lag_since(self, before: int) -> list[float]:
        """The loop's lag, milliseconds, at every beat after so many; of a long time, at the newest ones."""
        found = await self.ask(Query("lag"))
        samples, fresh = list(found["samples_ms"]), int(found["taken"]) - before
        # The first two beats hold the answer to our own question.
        return samples[max(len(samples) - fresh + 2, 0) :]

    @property
    def pid(self) -> int:
        holder = read_holder(self.runtime)
        if holder is None:
            raise Fatal(f"bench: no engine holds {self.runtime}")
        return int(holder["pid"])

    async def stop(self) -> None:
        wall = WallClock()
        if is_held(self.runtime):
            await request(self._socket, Stop(by="bench"), LIMIT_S)
        while is_held(self.runtime):
            await wall.sleep(0.02)


def _spawn(words: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), "run", *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, **environment},
    )  # fmt: skip


@asynccontextmanager
async def running(
    runtime: Path, words: list[str], environment: Mapping[str, str] | None = None, limit_s: float = LIMIT_S
) -> AsyncGenerator[Running]:
    """A headless engine with the words of its session, trading."""
    process = _spawn(words, environment or {})
    engine = Running(runtime)
    try:
        await engine.trading(limit_s)
        yield engine
    finally:
        process.terminate()
        process.wait()
