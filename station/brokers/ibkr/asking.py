"""Queries over the link: one in flight of each kind, each with a time limit on the injected clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ib_async.wrapper import RequestError

from station.clock import FollowingClock
from station.domain.clock import SECOND, Clock
from station.domain.errors import BrokerUnavailable

T = TypeVar("T")


def limit_ns(clock: Clock, seconds: float) -> int:
    """A limit of `seconds` on `clock`. Beside a simulated market it is one of host seconds: sockets do not run
    faster with the market's clock."""
    speed = clock.speed if isinstance(clock, FollowingClock) else 1.0
    return round(seconds * speed * SECOND)


class Asker:
    """Two queries of one kind at once would leave the first for ever unanswered, and an answer without an id
    that comes late would end the next query of its kind short. So they queue, and `on_silence` is called
    when such a query times out: a link that does not answer is given up."""

    def __init__(self, clock: Clock, timeout_s: float, on_silence: Callable[[str], None]) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._on_silence = on_silence
        self._locks: dict[str, asyncio.Lock] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._answers: set[asyncio.Future[Any]] = set()

    async def ask(
        self,
        kind: str,
        start: Callable[[], Awaitable[T]],
        *,
        has_id: bool = False,
        timeout_s: float | None = None,
    ) -> T:
        """The answer to one query. Raises BrokerUnavailable where it did not come, and RequestError where
        TWS refused the question itself. A caller that gives up does not free the line: the answer does."""
        limit = self._timeout_s if timeout_s is None else timeout_s

        async def run() -> T:
            async with self._locks.setdefault(kind, asyncio.Lock()):
                return await self._one(kind, start, limit, has_id=has_id)

        task = asyncio.get_running_loop().create_task(run())
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()

    async def _one(self, kind: str, start: Callable[[], Awaitable[T]], limit_s: float, *, has_id: bool) -> T:
        try:
            answer = asyncio.ensure_future(start())
        except ConnectionError as error:
            raise BrokerUnavailable(f"{kind}: {error}") from error
        self._answers.add(answer)
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            answer.cancel()

        timer = self._clock.call_at(self._clock.now() + limit_ns(self._clock, limit_s), expire)
        try:
            return await answer
        except asyncio.CancelledError:
            if not expired:
                raise BrokerUnavailable(f"{kind}: the connection to TWS ended before the answer") from None
            if not has_id:
                self._on_silence(kind)
            raise BrokerUnavailable(f"{kind}: no answer within {limit_s:g} s") from None
        except RequestError:
            raise
        except (ConnectionError, OSError) as error:
            raise BrokerUnavailable(f"{kind}: {error}") from error
        finally:
            timer.cancel()
            self._answers.discard(answer)

    def fail_all(self) -> None:
        """End every question in flight as unanswered: the link is gone."""
        for answer in tuple(self._answers):
            answer.cancel()
