"""Time that stands until a test moves it, and waiting for the loop meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from station.clock import VirtualClock
from station.domain.clock import SECOND


class HandClock(VirtualClock):
    """Moved by hand, its latency counter too."""

    def perf(self) -> int:
        return self.now()

    def advance(self, seconds: float) -> None:
        """Move on and run what is due."""
        self.move_to(self.now() + round(seconds * SECOND))
        self.fire_due()


async def until(what: Callable[[], bool]) -> None:
    """Let the loop turn until it is so; a test that never gets there fails by its turns, not by a clock."""
    for _ in range(100_000):
        if what():
            return
        await asyncio.get_running_loop().run_in_executor(None, int)
    raise AssertionError("it never came to be")
