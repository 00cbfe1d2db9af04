"""Feeds, bar series, merge, health and quality: what the market says, and how far it can be believed."""

from station.market.divergence import Compared
from station.market.feed import ClosedBar
from station.market.limits import MarketLimits
from station.market.market import Market
from station.market.merge import KEPT_BEFORE_SESSION, Origin
from station.market.series import Provenance, Series
from station.market.sources import BarSource, Sources, SourceUnavailable
from station.market.watch import MarketWatch

__all__ = [
    "KEPT_BEFORE_SESSION",
    "BarSource",
    "ClosedBar",
    "Compared",
    "Market",
    "MarketLimits",
    "MarketWatch",
    "Origin",
    "Provenance",
    "Series",
    "SourceUnavailable",
    "Sources",
]
