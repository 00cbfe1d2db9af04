"""The shape of implied volatility over strikes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from station.pricing.black76 import Floats

SKEW: Final = 0.055
CURVE: Final = 0.045
_REACH: Final = 4.0


def smile_vol(forward: ArrayLike, strike: ArrayLike, years: ArrayLike, at_the_money: ArrayLike) -> Floats:
    """Volatility (per year) at a strike, from the one at the money.

    A function of how many standard deviations k the strike is away:
    `σ·(1 − 0.055·k/√(1+(k/4)²) + 0.045·(√(1+k²)−1))`, steeper for puts, with wings linear in k, which keeps
    call prices convex in the strike. NaN in, NaN out.
    """
    f, k = np.asarray(forward, np.float64), np.asarray(strike, np.float64)
    base = np.asarray(at_the_money, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = base * np.sqrt(np.asarray(years, np.float64))
        away = np.where(deviation > 0, np.log(k / f) / deviation, 0.0)
        away = np.clip(away, -40.0, 40.0)
    tilt = away / np.sqrt(1.0 + (away / _REACH) ** 2)
    return base * (1.0 - SKEW * tilt + CURVE * (np.sqrt(1.0 + away * away) - 1.0))
