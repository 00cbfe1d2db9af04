"""Three lanes in front of the client library: cancels and exits, then entries, then data.

TWS takes 50 messages a second. The library would throttle to 45 in one queue, so that a cancel waits behind a
burst of subscriptions; its throttle is switched off and ours stands here, with room kept for each lane above.
Where TWS says that it got too many all the same (another client's count with ours), `ease` lets only cancels
and exits through for a second, and half of everything for ten (FAULTS 33).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import Final

from station.domain.clock import SECOND, Clock, Timer
from station.domain.errors import BrokerUnavailable


class Lane(IntEnum):
    EXIT = 0
    ENTRY = 1
    DATA = 2


A_SECOND: Final = {Lane.EXIT: 48, Lane.ENTRY: 42, Lane.DATA: 35}
"""How many messages may have gone in the last second for the next of a lane to go."""
HELD_NS: Final = SECOND
EASED_NS: Final = 10 * SECOND

PLACE, CANCEL, GLOBAL_CANCEL = "3", "4", "58"


class SendLanes:
    """Messages wait here by priority. `write` hands one to the transport, or raises ConnectionError."""

    def __init__(self, clock: Clock, write: Callable[[str], None]) -> None:
        self.order_lane = Lane.ENTRY
        self._clock = clock
        self._write = write
        self._queues: dict[Lane, deque[tuple[str, int]]] = {lane: deque() for lane in Lane}
        self._waiting: dict[int, Lane] = {}
        self._flushed: dict[int, asyncio.Future[None]] = {}
        self._sent: deque[int] = deque()
        self._held_until_ns = 0
        self._eased_until_ns = 0
        self._timer: Timer | None = None
        self._closed = ""

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def offer(self, message: str) -> None:
        """Send now if its lane has room, else as soon as it has. Raises ConnectionError after `close`."""
        if self._closed:
            raise ConnectionError(self._closed)
        kind, order_id = _kind(message)
        lane = Lane.DATA
        if kind in (CANCEL, GLOBAL_CANCEL):
            lane = Lane.EXIT
        elif kind == PLACE:
            lane = self.order_lane
        if order_id:
            # A cancel or a change must not overtake the order that it is about.
            lane = max(lane, self._waiting.get(order_id, lane))
            self._waiting[order_id] = lane
        self._queues[lane].append((message, order_id))
        self._flush()

    def waiting(self, order_id: int) -> bool:
        return order_id in self._waiting

    async def flushed(self, order_id: int) -> None:
        """Return once every message about the order is with the transport. Raises BrokerUnavailable where the
        connection ended first."""
        if order_id not in self._waiting:
            return
        future = self._flushed.get(order_id)
        if future is None:
            future = self._flushed[order_id] = asyncio.get_running_loop().create_future()
        await asyncio.shield(future)

    def ease(self) -> None:
        """TWS had more messages than it takes: let cancels and exits go first, and everything more slowly."""
        now = self._clock.now()
        self._held_until_ns, self._eased_until_ns = now + HELD_NS, now + EASED_NS
        self._set_timer()

    def _room(self, lane: Lane, now_ns: int) -> int:
        if now_ns >= self._eased_until_ns:
            return A_SECOND[lane]
        return 0 if lane is not Lane.EXIT and now_ns < self._held_until_ns else A_SECOND[lane] // 2

    def close(self, reason: str) -> None:
        """Forget what has not been sent; whoever waits for it learns that it never was."""
        self._closed = reason or "closed"
        for queue in self._queues.values():
            queue.clear()
        self._waiting.clear()
        for future in self._flushed.values():
            if not future.done():
                future.set_exception(BrokerUnavailable(f"not sent: {reason}"))
                future.exception()
        self._flushed.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        now = self._clock.now()
        while self._sent and self._sent[0] <= now - SECOND:
            self._sent.popleft()
        for lane, queue in self._queues.items():
            while queue and len(self._sent) < self._room(lane, now):
                message, order_id = queue.popleft()
                self._write(message)
                self._sent.append(now)
                if order_id:
                    self._gone(lane, order_id)
        self._set_timer()

    def _gone(self, lane: Lane, order_id: int) -> None:
        if any(order_id == other for _, other in self._queues[lane]):
            return
        self._waiting.pop(order_id, None)
        future = self._flushed.pop(order_id, None)
        if future is not None and not future.done():
            future.set_result(None)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        first = next((lane for lane, queue in self._queues.items() if queue), None)
        if first is not None:
            room = self._room(first, self._clock.now())
            at_ns = self._sent[len(self._sent) - room] + SECOND if room else self._held_until_ns
            self._timer = self._clock.call_at(at_ns, self._again)

    def _again(self) -> None:
        try:
            self._flush()
        except ConnectionError as error:
            self.close(str(error))


def _kind(message: str) -> tuple[str, int]:
    """The message's number, and for an order or its cancel the order id (0 for anything else)."""
    fields = message.split("\0", 3)
    if fields[0] == PLACE:
        return PLACE, int(fields[1])
    return fields[0], int(fields[2]) if fields[0] == CANCEL else 0
