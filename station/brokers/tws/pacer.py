"""Simulated time at a steady speed beside the wall, for clients that live in real time.

Lockstep cannot see bytes on their way over TCP; so over the wire time runs by itself, and is brought to the
present whenever somebody asks for something. No digest is promised here.
"""

from __future__ import annotations

import asyncio

from station.clock import Venue, VirtualClock
from station.domain.clock import SECOND

INSTANTS_A_BREATH = 20


class Pacer:
    """Drives a virtual clock and a venue at `speed` simulated seconds a wall second, on any loop."""

    def __init__(self, clock: VirtualClock, venue: Venue, speed: float) -> None:
        self._clock = clock
        self._venue = venue
        self.speed = speed
        self._wall_zero = clock.perf()
        self._sim_zero = clock.now()
        self._until_ns = 0
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()
        self._halted = False

    async def run(self, until_ns: int) -> None:
        """Advance to `until_ns`, or until `halt`, starting now."""
        self._wall_zero, self._sim_zero, self._until_ns = self._clock.perf(), self._clock.now(), until_ns
        while not self._halted and self._clock.now() < until_ns:
            self._woken.clear()
            await self.present()
            due_ns = min(self._next() or until_ns, until_ns)
            delay_s = max(due_ns - self._now(), 0) / SECOND / self.speed
            try:
                await asyncio.wait_for(self._woken.wait(), delay_s)
            except TimeoutError:
                continue

    def halt(self) -> None:
        self._halted = True
        self._woken.set()

    def wake(self) -> None:
        """Something may have become due earlier than was known."""
        self._woken.set()

    async def present(self) -> None:
        """Play everything that is due by now, and set the clock to now."""
        async with self._turn:
            now_ns = min(self._now(), self._until_ns)
            played = 0
            while not self._halted and (at_ns := self._next()) is not None and at_ns <= now_ns:
                self._clock.move_to(max(at_ns, self._clock.now()))
                self._clock.fire_due()
                await self._venue.advance(self._clock.now())
                played += 1
                if played % INSTANTS_A_BREATH == 0:
                    await _breathe()
            self._clock.move_to(max(now_ns, self._clock.now()))

    def _now(self) -> int:
        return self._sim_zero + round((self._clock.perf() - self._wall_zero) * self.speed)

    def _next(self) -> int | None:
        instants = [t for t in (self._clock.next_timer, self._venue.next_instant()) if t is not None]
        return min(instants) if instants else None


async def _breathe() -> None:
    """Let the sockets speak while time is being caught up."""
    loop = asyncio.get_running_loop()
    taken = loop.create_future()
    loop.call_soon(taken.set_result, None)
    await taken
