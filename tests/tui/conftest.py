"""Pilots wait for what is due, not for a quiet moment of the processor; terminals and their engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import textual.app
import textual.pilot
from textual._wait import SLEEP_GRANULARITY, wait_for_idle

from tests.tui.terminals import Engine, Terminal

ROUNDS = 4
"""So often in a row must the loop have found nothing to do, its sockets included."""


async def nothing_due(min_sleep: float = SLEEP_GRANULARITY, max_sleep: float = 1) -> None:
    """Textual's own wait ends where the process hardly worked for 20 ms. This one ends as well, and at once,
    where the loop has nothing to run and no timer within these 20 ms: they would pass without an event."""
    loop: Any = asyncio.get_running_loop()
    quiet, deadline = 0, loop.time() + SLEEP_GRANULARITY
    at = 0.0
    while quiet < ROUNDS:
        turn = loop.create_future()
        loop.call_at(at, turn.set_result, None) if at else loop.call_soon(turn.set_result, None)
        await turn
        due = min((one.when() for one in loop._scheduled if not one.cancelled()), default=deadline)
        idle, at = not loop._ready, 0.0
        quiet = quiet + 1 if idle and due >= deadline else 0
        if idle and due < deadline:
            if loop.time() >= deadline:
                await wait_for_idle(min_sleep, max_sleep)
                return
            at = due


@pytest.fixture(autouse=True)
def pilots_wait_for_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textual.app, "wait_for_idle", nothing_due)
    monkeypatch.setattr(textual.pilot, "wait_for_idle", nothing_due)


@pytest.fixture(scope="module")
def engine(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    one = Engine(tmp_path_factory.mktemp("engine") / "engine.sock", repo_root, "calm")
    one.beat()
    yield one
    one.stop()


@pytest.fixture
def terminal(engine: Engine, repo_root: Path, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def make(**options: object) -> Terminal:
        opened.append(Terminal(engine, repo_root, tmp_path, **options))  # pyright: ignore[reportArgumentType]
        opened[-1].painted()
        return opened[-1]

    yield make
    for one in opened:
        one.close()
