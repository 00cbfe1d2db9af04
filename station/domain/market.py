"""What the market says: bars, quotes, ticks, greeks, health."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from station.domain.instruments import Contract


class Bar(NamedTuple):
    """One bar, stamped with its start (UTC ns). Prices float64, volume in shares or contracts."""

    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Tick(NamedTuple):
    """A trade or an index print of an instrument. `symbol` is the instrument's."""

    symbol: str
    at_ns: int
    price: float
    size: float


class Grade(Enum):
    """The broker's market data type (IBKR: 1 live, 2 frozen, 3 delayed, 4 delayed frozen)."""

    LIVE = 1
    FROZEN = 2
    DELAYED = 3
    DELAYED_FROZEN = 4


@dataclass(frozen=True, slots=True)
class Quote:
    """Top of book. A side that is absent, zero, negative or NaN at the source is None here.

    `at_ns` is the receipt instant by the station's clock, `venue_ns` the venue's stamp (0 if unknown).
    """

    contract: Contract
    bid: Decimal | None
    ask: Decimal | None
    bid_size: int
    ask_size: int
    at_ns: int
    last: Decimal | None = None
    volume: int = 0
    open_interest: int = 0
    grade: Grade = Grade.LIVE
    venue_ns: int = 0

    @property
    def two_sided(self) -> bool:
        return self.bid is not None and self.ask is not None

    @property
    def crossed(self) -> bool:
        """Crossed or locked: no order is priced from it (FAULTS 41)."""
        return self.bid is not None and self.ask is not None and self.bid >= self.ask

    @property
    def mid(self) -> Decimal | None:
        """Half-way, or None unless both sides exist and are in order (FAULTS 40, 41)."""
        if self.bid is None or self.ask is None or self.bid >= self.ask:
            return None
        return (self.bid + self.ask) / 2

    @property
    def spread(self) -> Decimal | None:
        return None if self.bid is None or self.ask is None else self.ask - self.bid


class GreeksSource(Enum):
    BROKER = "broker"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Greeks:
    """Per unit of the underlying: delta, gamma; vega per 1.00 of volatility, theta a calendar day."""

    contract: Contract
    iv: float
    delta: float
    gamma: float
    theta: float
    vega: float
    underlying: float
    at_ns: int
    source: GreeksSource = GreeksSource.BROKER


class FeedMode(Enum):
    LIVE = "LIVE"
    DELAYED = "DELAYED"
    BACKFILLING = "BACKFILLING"
    DEGRADED = "DEGRADED"
    STALE = "STALE"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """Per instrument: how far its data can be trusted now. `score` 0–100, `age_s` since the last update;
    `throttled` while the broker says that it rations what it gives."""

    symbol: str
    mode: FeedMode
    source: str
    age_s: float
    gaps: int
    score: int
    throttled: bool = False
    note: str = ""
