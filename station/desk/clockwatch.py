"""Our clock against the venue's at each handshake (FAULTS 49): an alarm first, then no entries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from station.domain.clock import MILLISECOND, Clock


class ClockWatch:
    """`close` closes the market gate with a reason; only a hand opens it again."""

    def __init__(
        self, clock: Clock, alarm_ms: int, block_ms: int, alert: Callable[[str, str, str], Awaitable[None]],
        close: Callable[[str], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._alarm_ms = alarm_ms
        self._block_ms = block_ms
        self._alert = alert
        self._close = close
        self.skew_ms = 0

    async def compare(self, venue_ns: int) -> None:
        """Judge the venue's instant of this moment. Our own clock decides nothing about orders here: sessions
        and timers keep running by it, so that protection goes on."""
        self.skew_ms = (self._clock.now() - venue_ns) // MILLISECOND
        if abs(self.skew_ms) <= self._alarm_ms:
            return
        where = "ahead of" if self.skew_ms > 0 else "behind"
        text = (
            f"clock: {abs(self.skew_ms)} ms {where} the venue, {self._alarm_ms} ms is the limit: set the clock"
        )
        await self._alert("critical", text, "")
        if abs(self.skew_ms) > self._block_ms:
            await self._close(f"clock is {abs(self.skew_ms)} ms {where} the venue, limit {self._block_ms} ms")
