"""A clock that moves only when it is told to."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count

from station.domain.clock import SECOND, Timer


class _VirtualTimer:
    __slots__ = ("at_ns", "callback", "order")

    def __init__(self, at_ns: int, order: int, callback: Callable[[], None]) -> None:
        self.at_ns = at_ns
        self.order = order
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None

    def __lt__(self, other: _VirtualTimer) -> bool:
        return (self.at_ns, self.order) < (other.at_ns, other.order)


class VirtualClock:
    """Simulated time. Timers of one instant run in the order they were set."""

    def __init__(self, start_ns: int) -> None:
        self._now = start_ns
        self._timers: list[_VirtualTimer] = []
        self._order = count()

    def now(self) -> int:
        return self._now

    def perf(self) -> int:
        return time.perf_counter_ns()

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> Timer:
        timer = _VirtualTimer(max(at_ns, self._now), next(self._order), callback)
        heapq.heappush(self._timers, timer)
        return timer

    async def sleep_until(self, at_ns: int) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        timer = self.call_at(at_ns, wake)
        try:
            await woken
        finally:
            timer.cancel()

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(self._now + round(seconds * SECOND))

    @property
    def next_timer(self) -> int | None:
        """The instant of the earliest live timer, None when there is none."""
        while self._timers and self._timers[0].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0].at_ns if self._timers else None

    def move_to(self, at_ns: int) -> None:
        """Set the clock. Raises ValueError for a step back: time never runs backwards."""
        if at_ns < self._now:
            raise ValueError(f"clock at {self._now} cannot go back to {at_ns}")
        self._now = at_ns

    def fire_due(self) -> bool:
        """Run every timer due at the present instant; True if any ran."""
        due: list[Callable[[], None]] = []
        while (at := self.next_timer) is not None and at <= self._now:
            callback = heapq.heappop(self._timers).callback
            if callback is not None:
                due.append(callback)
        for callback in due:
            callback()
        return bool(due)
