"""Sources of bars behind one protocol, and who answers when the first does not (SPEC §2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from station.domain.broker import Broker
from station.domain.clock import SECOND, Clock
from station.domain.errors import BadInput, Refused, Retryable
from station.domain.instruments import Instrument, Timeframe
from station.series import RAW, Bars

BROKER: Final = "broker"
"""What the broker's own history is called in an order of sources."""
EVERY_SYMBOL: Final = "*"


class SourceUnavailable(Retryable):
    """A source gave no complete answer; it never means that there are no bars."""


class BarSource(Protocol):
    """Somewhere that history comes from."""

    @property
    def name(self) -> str: ...

    def label(self, instrument: Instrument) -> str:
        """`adjusted` where its prices are adjusted for splits and dividends, else `raw`."""
        ...

    async def bars(self, instrument: Instrument, timeframe: Timeframe, end_ns: int, count: int) -> Bars:
        """Up to `count` bars that start before `end_ns`, oldest first, session-aligned. Raises
        SourceUnavailable for no answer, Refused where it does not have the instrument."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Bars, who gave them, and their label: `adjusted` or `raw`."""

    bars: Bars
    source: str
    label: str = RAW


class Pacer:
    """At most `per_s` turns a second, evenly spaced, by the injected clock."""

    def __init__(self, clock: Clock, per_s: int) -> None:
        self._clock = clock
        self._gap_ns = SECOND // per_s
        self._next_ns = 0

    @property
    def throttled(self) -> bool:
        """Whether the next turn has to wait."""
        return self._next_ns > self._clock.now()

    async def turn(self) -> None:
        """Return when it is this caller's turn; callers keep their order."""
        at_ns = max(self._clock.now(), self._next_ns)
        self._next_ns = at_ns + self._gap_ns
        if at_ns > self._clock.now():
            await self._clock.sleep_until(at_ns)


class Sources:
    """The broker's history and what may stand in for it.

    `order` names the sources to ask by symbol (`*` for the others), first to last; without one the broker comes
    first and then `others` as given. `answering` tells who gave the last bars of a symbol, `failures` how often
    a source gave none. Raises BadInput for a name that is no source.
    """

    def __init__(
        self, others: Sequence[BarSource] = (), order: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._others = {source.name: source for source in others}
        self._order = {symbol: tuple(names) for symbol, names in (order or {}).items()}
        self._usual = self._order.get(EVERY_SYMBOL, (BROKER, *self._others))
        self.answering: dict[str, str] = {}
        self.failures: dict[str, int] = {}
        for symbol, names in self._order.items():
            for name in names:
                if name != BROKER and name not in self._others:
                    known = ", ".join((BROKER, *self._others))
                    raise BadInput(f"sources of {symbol}: {name!r} is not configured; there are {known}")

    def named(self, name: str) -> BarSource | None:
        """A source beside the broker; None where there is none of that name."""
        return self._others.get(name)

    async def close(self) -> None:
        """Let go of what the sources hold open."""
        for source in self._others.values():
            await source.close()

    def order_of(self, symbol: str) -> tuple[str, ...]:
        return self._order.get(symbol, self._usual)

    async def history(
        self, broker: Broker, instrument: Instrument, timeframe: Timeframe, end_ns: int, count: int
    ) -> Answer:
        """The first answer in the order; an empty one is passed over while another source is left. Raises what
        the first source raised where none answers."""
        first: Retryable | Refused | None = None
        empty: Answer | None = None
        for name in self.order_of(instrument.symbol):
            try:
                found = await self._ask(name, broker, instrument, timeframe, end_ns, count)
            except (Retryable, Refused) as error:
                first = first or error
                self.failures[name] = self.failures.get(name, 0) + 1
                continue
            if len(found.bars):
                self.answering[instrument.symbol] = found.source
                return found
            empty = empty or found
        if empty is None:
            raise first or SourceUnavailable(f"{instrument.symbol} has no source of history: configure one")
        return empty

    async def _ask(
        self, name: str, broker: Broker, instrument: Instrument, timeframe: Timeframe, end_ns: int, count: int
    ) -> Answer:
        if name == BROKER:
            rows = await broker.history(instrument, timeframe, end_ns, count)
            return Answer(Bars.from_bars(rows), broker.name)
        source = self._others[name]
        bars = await source.bars(instrument, timeframe, end_ns, count)
        return Answer(bars, source.name, source.label(instrument))

    def stands_in(self, symbol: str, broker: str) -> str:
        """Who answers for the broker now; empty while the broker does itself."""
        name = self.answering.get(symbol, broker)
        return "" if name == broker else name
