"""The first start of all makes a market's past of a thousand sessions: meanwhile the station answers."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import time
from collections.abc import Awaitable
from pathlib import Path

from station.calendars import load_calendar
from station.clock import WallClock
from station.link import Ack, Kill, Query, Status, request
from tests.lab import CACHE, Lab, play

BEAT_S = 0.002
AT_A_TIME = 1 / 10
"""So much of the processor's time for the whole past, on whatever machine."""


def test_link_and_kill_are_answered_while_the_past_is_made(tmp_path: Path) -> None:
    CACHE.mkdir(mode=0o700, exist_ok=True)
    load_calendar(CACHE)
    cache = tmp_path / "cache"
    cache.mkdir()
    for table in CACHE.glob("sessions-*.npz"):
        shutil.copy(table, cache)
    door = tmp_path / "run" / "engine.sock"

    async def first_start() -> None:
        lab = Lab(tmp_path / "run")
        lab.options = dataclasses.replace(lab.options, cache_dir=cache)
        before = time.process_time()
        entering = asyncio.create_task(lab.__aenter__())
        longest = asyncio.create_task(_longest_turn(entering))
        while not entering.done() and (not door.exists() or lab.run.engine.progress.phase != "warming"):
            await WallClock().sleep(BEAT_S)
        for ask in (Status(), Query("lag"), Kill(by="another shell")):
            reply = await request(door, ask, 30.0)
            assert not isinstance(reply, Ack) or reply.ok
        assert lab.run.engine.kill_standing() == (True, False)
        assert lab.run.engine.progress.phase == "warming"
        await entering
        assert list(cache.glob("tape-*")), "its past was made here"
        assert await longest < AT_A_TIME * (time.process_time() - before)
        await lab.__aexit__()

    play(first_start)


async def _longest_turn(until: asyncio.Task[Awaitable[object]]) -> float:
    """Seconds of this thread's own work between two looks of the loop, at most: what a busy host takes from it
    does not count."""
    longest, before = 0.0, time.thread_time()
    while not until.done():
        await WallClock().sleep(BEAT_S)
        now = time.thread_time()
        longest, before = max(longest, now - before), now
    return longest
