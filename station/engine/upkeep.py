"""What the engine does for itself while it trades: chains kept warm, the spool carried over, settlements."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from station.calendars import SessionSpan
from station.domain.clock import SECOND
from station.domain.errors import BrokerUnavailable, StorageUnavailable
from station.domain.specs import Desired
from station.engine.rooms import Outside, Rooms

WARM_BEAT_S: Final = 5.0
CARRY_BEAT_S: Final = 5.0
SETTLE_BEAT_S: Final = 5.0


class Upkeep:
    """Tasks for the supervisor; each runs until it is cancelled."""

    def __init__(
        self, outside: Outside, rooms: Rooms, desired: Callable[[], Desired], session: SessionSpan
    ) -> None:
        self._outside = outside
        self._rooms = rooms
        self._desired = desired
        self._session = session

    async def keep_warm(self) -> None:
        while True:
            await self._outside.clock.sleep(WARM_BEAT_S)
            await self.warm()

    async def warm(self) -> None:
        rooms, now = self._rooms, self._outside.clock.now()
        wanted = sorted({(s.symbol, s.expiry) for s in self._desired().strategies if s.enabled})
        for symbol, expiry in wanted:
            if symbol in self._outside.symbols and rooms.options.stale(symbol, expiry, now):
                held = rooms.desk.held_contracts()
                await rooms.options.keep_warm(self._outside.broker, (symbol,), expiry, held)

    async def carry(self) -> None:
        """Bring what was spooled into the database as soon as it takes it; entries are off until then."""
        while True:
            await self._outside.clock.sleep(CARRY_BEAT_S)
            with contextlib.suppress(StorageUnavailable):
                await self._rooms.ledger.carry()

    async def settle(self) -> None:
        """After the close: what expired with no bid is closed at settlement, once the broker says so."""
        await self._outside.clock.sleep_until(self._session.close_ns + 10 * SECOND)
        while True:
            with contextlib.suppress(BrokerUnavailable):
                if self._outside.broker.connected:
                    await self._rooms.desk.settle_expired()
            await self._outside.clock.sleep(SETTLE_BEAT_S)
