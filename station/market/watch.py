"""The task beside the market: compares with the second source, and tells when the data as a whole turns bad."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from station.domain.clock import SECOND, Clock
from station.domain.errors import Refused, Retryable
from station.market.market import Market
from station.market.sources import BarSource

LOOK_S: Final = 5.0
COMPARE_S: Final = 60.0
Alert = Callable[[str, str], Awaitable[None]]
"""(severity, text) → told."""


class MarketWatch:
    """Looks every 5 s, compares every minute. An alarm is told once when it begins and once when it is over; a
    second source that does not answer is an alarm of its own."""

    def __init__(self, clock: Clock, market: Market, second: BarSource | None, alert: Alert) -> None:
        self._clock = clock
        self._market = market
        self._second = second
        self._alert = alert
        self._standing: dict[str, str] = {}
        self._silent = ""
        self._compared_ns = 0

    async def run(self) -> None:
        """Until cancelled; then the sources are closed."""
        try:
            while True:
                await self._clock.sleep(LOOK_S)
                await self.look()
        finally:
            await self._market.sources.close()

    async def look(self) -> None:
        """One turn."""
        now_ns = self._clock.now()
        if self._second is not None and now_ns - self._compared_ns >= COMPARE_S * SECOND:
            self._compared_ns = now_ns
            await self._compare(self._second)
        found = self._market.alarms()
        if self._silent:
            found["second source"] = self._silent
        for kind, text in found.items():
            if kind not in self._standing:
                await self._alert("critical" if "blocked" in text else "warning", text)
        for kind in self._standing:
            if kind not in found:
                await self._alert("info", f"{kind}: well again")
        self._standing = found

    async def _compare(self, second: BarSource) -> None:
        self._silent = ""
        for symbol in self._market.symbols:
            try:
                await self._market.compare(symbol, second)
            except Refused:
                continue
            except Retryable as error:
                self._silent = f"the second source does not answer: {error}"
