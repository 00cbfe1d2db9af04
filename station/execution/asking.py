"""Questions to the broker that may stay unanswered."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from station.domain.clock import SECOND, Clock
from station.domain.errors import BrokerUnavailable

T = TypeVar("T")
TURNS: Final = 4


async def within(clock: Clock, question: Coroutine[Any, Any, T], timeout_s: float, what: str) -> T:
    """The answer. Raises BrokerUnavailable when there is none after `timeout_s` of the injected clock."""
    task = asyncio.ensure_future(question)
    late: list[bool] = []

    def give_up() -> None:
        late.append(True)
        task.cancel()

    timer = clock.call_at(clock.now() + round(timeout_s * SECOND), give_up)
    try:
        return await task
    except asyncio.CancelledError:
        if not late:
            task.cancel()
            raise
        raise BrokerUnavailable(f"{what}: no answer within {timeout_s:g} s") from None
    finally:
        timer.cancel()


async def at_once(answer: asyncio.Future[Any]) -> bool:
    """Whether it is there after a few turns of the loop, as the answer of an exchange in this process is."""
    for _ in range(TURNS):
        if answer.done():
            return True
        await turn()
    return answer.done()


async def turn() -> None:
    """Let everything that is ready go before us, once."""
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_soon(passed.set_result, None)
    await passed
