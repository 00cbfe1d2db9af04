"""Host time behind the Clock port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from station.domain.clock import SECOND, Timer


class WallClock:
    """The host's clock. Needs a running loop for timers."""

    def now(self) -> int:
        return time.time_ns()

    def perf(self) -> int:
        return time.perf_counter_ns()

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> Timer:
        delay_s = max(at_ns - self.now(), 0) / SECOND
        return asyncio.get_running_loop().call_later(delay_s, callback)

    async def sleep_until(self, at_ns: int) -> None:
        await self.sleep((at_ns - self.now()) / SECOND)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))
