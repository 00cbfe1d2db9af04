"""The second source: what each instrument's closed minutes were last found to differ from."""

from __future__ import annotations

from typing import Final

from station.domain.clock import Clock
from station.domain.instruments import Timeframe
from station.market.divergence import Compared, compare
from station.market.feed import Feed
from station.market.sources import BarSource

COMPARED_AT_ONCE: Final = 30


class SecondOpinion:
    """Compares feeds with a second source, each minute once, and keeps the difference that stands."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._differences: dict[str, str] = {}
        self._compared_ns: dict[str, int] = {}

    async def compare(self, feed: Feed, source: BarSource, limit_pct: float) -> Compared:
        """The minutes of `feed` closed since the last comparison, up to 30. Raises what the source raises."""
        symbol = feed.instrument.symbol
        ours = feed.minutes.bars.since(self._compared_ns.get(symbol, 0))
        ours = ours.cut(max(len(ours) - COMPARED_AT_ONCE, 0), None)
        if len(ours) == 0:
            return Compared(0, 0, 0.0, 0)
        end_ns = int(ours.start_ns[-1]) + Timeframe.M1.ns
        theirs = await source.bars(feed.instrument, Timeframe.M1, end_ns, COMPARED_AT_ONCE)
        found = compare(ours, theirs, limit_pct)
        if found.checked:
            both = ours.start_ns[ours.start_ns <= theirs.start_ns[-1]]
            self._compared_ns[symbol] = int(both[-1]) + 1
            tally = feed.quality.now(self._clock.now())
            tally.compared += found.checked
            tally.divergent += found.beyond
            self._differences.pop(symbol, None)
            if found.beyond:
                self._differences[symbol] = found.text(symbol, source.name, limit_pct)
        return found

    def difference(self, symbol: str) -> str:
        """The difference that stands, in a line; empty where the sources agree."""
        return self._differences.get(symbol, "")

    def alarms(self) -> dict[str, str]:
        return {f"divergence {symbol}": text for symbol, text in self._differences.items()}
