"""Lockstep: virtual time moves only when the engine is quiescent (SPEC §23).

Quiescent means: no callback is ready on the loop and no work is out on a thread. Both are known
exactly at one place, the moment the loop is about to block in its selector; so that is where we listen.
Free-running the same tasks gave three digests in three runs, this gives one.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, Protocol, TypeVar

from station.clock.virtual import VirtualClock
from station.domain.clock import SECOND

P = ParamSpec("P")
T = TypeVar("T")


class Activity:
    """Work that has left the loop (database threads). In lockstep it is also put in one order, so that two
    databases answering at once cannot race; `ordered=False` lets them run side by side for live trading.

    Long work goes `aside`: out of the line, so that no commit waits behind it."""

    def __init__(self, *, ordered: bool) -> None:
        self.outstanding = 0
        self.at_idle = False
        """Whether a loop delivers at its idle moment what was worked out aside."""
        self._line = asyncio.Lock() if ordered else None
        self._beside = asyncio.Lock()
        self._done: asyncio.Future[None] | None = None

    @asynccontextmanager
    async def op(self) -> AsyncGenerator[None]:
        self.outstanding += 1
        try:
            if self._line is None:
                yield
            else:
                async with self._line:
                    yield
        finally:
            self.outstanding -= 1

    async def off_loop(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer of blocking `work`, done on a thread of its own."""
        async with self.op():
            return await asyncio.to_thread(work, *args, **kwargs)

    async def aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer of long `work` that reads nothing of what the loop may change, done on a thread while the
        loop goes on; one after another, as they were asked for.

        In lockstep time stands until it is there, and it comes in when nothing else is left to do at this
        instant: however long it took, what happens is the same.
        """
        async with self._beside:
            answer = await asyncio.to_thread(work, *args, **kwargs)
            if self.at_idle:
                self._done = asyncio.get_running_loop().create_future()
                await self._done
            return answer

    @property
    def works_aside(self) -> bool:
        """Whether something asked for aside has not come in."""
        return self._beside.locked()

    def deliver(self) -> bool:
        """Let in what was worked out aside, if anything."""
        done, self._done = self._done, None
        if done is None or done.done():
            return False
        done.set_result(None)
        return True


class _IdleSelector(selectors.DefaultSelector):
    """The platform's selector, telling when the loop has nothing left to run."""

    on_block: Callable[[], bool] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout != 0 and self.on_block is not None and self.on_block():
            timeout = 0
        return super().select(timeout)


class LockstepLoop(asyncio.SelectorEventLoop):
    """An event loop that can say when it is quiescent. `activity` is shared with the store."""

    def __init__(self) -> None:
        self._idle_selector = _IdleSelector()
        super().__init__(self._idle_selector)
        self._idle_selector.on_block = self._blocked
        self._waiter: asyncio.Future[None] | None = None
        self.activity = Activity(ordered=True)
        self.activity.at_idle = True

    def _blocked(self) -> bool:
        waiter, activity = self._waiter, self.activity
        if activity.outstanding:
            return False
        if activity.deliver():
            return True
        if waiter is None or activity.works_aside:
            return False
        self._waiter = None
        if not waiter.done():
            waiter.set_result(None)
        return True

    async def idle(self) -> None:
        """Return when nothing else is runnable and no commit is outstanding. One waiter at a time."""
        assert self._waiter is None, "two drivers wait for quiescence"
        self._waiter = self.create_future()
        await self._waiter


class Venue(Protocol):
    """What lockstep advances beside the clock: the paper exchange."""

    def next_instant(self) -> int | None:
        """When the venue next does something, UTC ns; None when it never will again."""
        ...

    async def advance(self, at_ns: int) -> None:
        """Do everything due at `at_ns`, commit it, then report it."""
        ...


class Lockstep:
    """The driver: instant by instant, first the engine's timers, then the venue, each to quiescence.

    `speed` simulated seconds a wall second, None for as fast as it goes; speed changes only the sleeps.
    """

    def __init__(self, clock: VirtualClock, venue: Venue, speed: float | None = None) -> None:
        self._clock = clock
        self._venue = venue
        self._speed = speed
        self._halted = asyncio.Event()
        self.instants = 0

    def halt(self) -> None:
        """Stop at the present instant."""
        self._halted.set()

    async def run(self, until_ns: int) -> None:
        """Advance to `until_ns` inclusive, or until `halt` or the end of all events."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LockstepLoop), "lockstep needs its own loop"
        wall_zero, sim_zero = time.perf_counter(), self._clock.now()
        await loop.idle()
        while not self._halted.is_set():
            at_ns = self._next()
            if at_ns is None or at_ns > until_ns:
                break
            if self._speed is not None:
                await self._pace(wall_zero + (at_ns - sim_zero) / SECOND / self._speed)
                if self._halted.is_set():
                    break
            self._clock.move_to(max(at_ns, self._clock.now()))
            while self._clock.fire_due():
                await loop.idle()
            await self._venue.advance(self._clock.now())
            await loop.idle()
            self.instants += 1

    def _next(self) -> int | None:
        instants = [t for t in (self._clock.next_timer, self._venue.next_instant()) if t is not None]
        return min(instants) if instants else None

    async def _pace(self, wall_at: float) -> None:
        delay = wall_at - time.perf_counter()
        if delay <= 0:
            return
        try:
            await asyncio.wait_for(self._halted.wait(), delay)
        except TimeoutError:
            return
