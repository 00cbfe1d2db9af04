"""Option pricing in NumPy: Black-76, implied volatility, the smile and the term of variance. Pure."""

from station.pricing.american import Premium, early_exercise
from station.pricing.black76 import Sensitivities, greeks, price, price_and_greeks, year_fraction
from station.pricing.implied import implied_vol
from station.pricing.smile import smile_vol
from station.pricing.term import GRACE_YEARS, USUAL_LEVEL, TradingTime, expiry_instant, expiry_vol, term_level

__all__ = [
    "GRACE_YEARS",
    "USUAL_LEVEL",
    "Premium",
    "Sensitivities",
    "TradingTime",
    "early_exercise",
    "expiry_instant",
    "expiry_vol",
    "greeks",
    "implied_vol",
    "price",
    "price_and_greeks",
    "smile_vol",
    "term_level",
    "year_fraction",
]
