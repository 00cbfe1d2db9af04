"""A clock that follows the broker's: for a station over the wire emulator, whose time is simulated."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from station.domain.clock import SECOND, Timer


class FollowingClock:
    """The broker's time, carried on by host time at `speed` simulated seconds a second. Never goes back."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._venue_ns = time.time_ns()
        self._host_ns = time.monotonic_ns()
        self._latest = self._venue_ns
        self._anchored = False

    def anchor(self, venue_ns: int) -> None:
        """Take the broker's time as it is now; the first anchor may lead back from host time."""
        self._venue_ns, self._host_ns = venue_ns, time.monotonic_ns()
        if not self._anchored:
            self._latest = venue_ns
        self._anchored = True

    def now(self) -> int:
        elapsed = time.monotonic_ns() - self._host_ns
        self._latest = max(self._latest, self._venue_ns + round(elapsed * self.speed))
        return self._latest

    def perf(self) -> int:
        return time.perf_counter_ns()

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> Timer:
        delay_s = max(at_ns - self.now(), 0) / SECOND / self.speed
        return asyncio.get_running_loop().call_later(delay_s, callback)

    async def sleep_until(self, at_ns: int) -> None:
        await self.sleep((at_ns - self.now()) / SECOND)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0) / self.speed)
