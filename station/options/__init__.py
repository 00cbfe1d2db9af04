"""Chains, the greek cache and the picker: the right contract at once, or the reason there is none."""

from station.options.desk import CacheRow, Ladder, OptionDesk, Warmed
from station.options.expiry import choose_expiry, third_friday
from station.options.greekcache import QuoteSource, model_greeks, sound
from station.options.naming import Wanted, nearest
from station.options.picker import NoPick, Pick, PickLimits, choose, quote_fault, relative_spread

__all__ = [
    "CacheRow", "Ladder", "NoPick", "OptionDesk", "Pick", "PickLimits", "QuoteSource", "Wanted", "Warmed",
    "choose", "choose_expiry", "model_greeks", "nearest", "quote_fault", "relative_spread", "sound",
    "third_friday",
]  # fmt: skip
