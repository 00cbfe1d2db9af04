"""The machine's noise floor: the same sleeps, commits and switches with nothing of ours around them."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any, Final

from station.clock import WallClock
from station.domain.clock import MILLISECOND
from station.engine.bench.figures import quantile

_SLEEP_S: Final = 0.005
_WAL_BYTES: Final = 4_400_000


async def noise_floor(directory: Path, samples: int) -> dict[str, Any]:
    """Milliseconds, p50 and p99 of `samples` each: a durable commit, a loop's wake-up, a thread switch."""
    clock = WallClock()
    commits = commit_laps(directory / "noise.db", samples, clock)
    return {
        "durable_commit_ms": _pair(commits),
        "loop_wake_up_ms": _pair(await wake_laps(samples, clock)),
        "context_switch_ms": _pair(await switch_laps(samples, clock)),
    }


def commit_laps(path: Path, samples: int, clock: WallClock) -> list[float]:
    """One row, one commit, `synchronous=FULL` in a WAL that has its size already."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body TEXT)")
        _grow(connection)
        return [_timed_commit(connection, clock) for _ in range(samples)]
    finally:
        connection.close()
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _grow(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO rows (body) VALUES (zeroblob(?))", (_WAL_BYTES,))
    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()


def _timed_commit(connection: sqlite3.Connection, clock: WallClock) -> float:
    began = clock.perf()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO rows (body) VALUES (?)", ("x" * 400,))
    connection.execute("COMMIT")
    return (clock.perf() - began) / MILLISECOND


async def wake_laps(samples: int, clock: WallClock) -> list[float]:
    """How much later than asked a bare asyncio loop wakes."""
    laps: list[float] = []
    for _ in range(samples):
        began = clock.perf()
        await clock.sleep(_SLEEP_S)
        laps.append((clock.perf() - began) / MILLISECOND - _SLEEP_S * 1000)
    return laps


async def switch_laps(samples: int, clock: WallClock) -> list[float]:
    """Half a hand-over from a loop to a thread and back, as every database call makes."""
    loop = asyncio.get_running_loop()
    laps: list[float] = []
    for _ in range(samples):
        began = clock.perf()
        await loop.run_in_executor(None, int)
        laps.append((clock.perf() - began) / MILLISECOND / 2)
    return laps


def _pair(laps: list[float]) -> dict[str, float]:
    return {"p50": round(quantile(laps, 0.5), 3), "p99": round(quantile(laps, 0.99), 3)}
