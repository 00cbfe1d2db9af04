"""Feeds, bar series, merge, health and quality: what the market says, and how far it can be believed."""

from station.market.feed import ClosedBar
from station.market.market import Market
from station.market.merge import KEPT_BEFORE_SESSION, Origin
from station.market.series import Provenance, Series

__all__ = ["KEPT_BEFORE_SESSION", "ClosedBar", "Market", "Origin", "Provenance", "Series"]
