"""Greeks that can be trusted: the broker's where they make sense and are young, else our own model's.

Brokers send −2 or NaN for "not computed" and nothing at all for seconds (FAULTS 43). Ours come from the
implied volatility of the mid by Black-76, and say so in their `source`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from station.domain.clock import SECOND
from station.domain.instruments import Contract, Right
from station.domain.market import Greeks, GreeksSource, Quote
from station.pricing import greeks as black_greeks
from station.pricing import implied_vol, year_fraction


class QuoteSource(Protocol):
    """What picking needs of the market; station.market.Market fulfils it."""

    def quote(self, contract: Contract) -> Quote | None: ...
    def greeks(self, contract: Contract) -> Greeks | None: ...
    def last_price(self, symbol: str) -> float | None: ...
    def last_update_ns(self, symbol: str) -> int: ...


def sound(greeks: Greeks | None, now_ns: int, max_age_s: float) -> bool:
    """Finite, in range and young enough to choose by. The sentinel −2 is out of range."""
    if greeks is None or now_ns - greeks.at_ns > max_age_s * SECOND:
        return False
    known = all(map(math.isfinite, (greeks.delta, greeks.gamma, greeks.theta, greeks.vega, greeks.iv)))
    return (
        known and -1.0 <= greeks.delta <= 1.0 and greeks.gamma >= 0.0 and greeks.vega >= 0.0 and greeks.iv > 0.0
    )


def model_greeks(
    quotes: Sequence[Quote], underlying: float, expiry_ns: int, now_ns: int
) -> tuple[Greeks | None, ...]:
    """Black-76 greeks of two-sided quotes by the implied volatility of each mid; None where the mid has
    none (at or under intrinsic, no time left). `underlying` dollars, taken as the forward."""
    if not quotes:
        return ()
    mids = np.array([math.nan if quote.mid is None else float(quote.mid) for quote in quotes], np.float64)
    strikes = np.array([float(quote.contract.strike) for quote in quotes], np.float64)
    calls = np.array([quote.contract.right is Right.CALL for quote in quotes], np.bool_)
    years = year_fraction(now_ns, expiry_ns)
    vols = implied_vol(mids, underlying, strikes, years, calls)
    known = np.isfinite(vols)
    values = black_greeks(underlying, strikes, years, np.where(known, vols, 1.0), calls)
    return tuple(
        Greeks(
            quote.contract, float(vols[n]), float(values.delta[n]), float(values.gamma[n]),
            float(values.theta[n]), float(values.vega[n]), underlying, now_ns, GreeksSource.MODEL,
        ) if known[n] else None
        for n, quote in enumerate(quotes)
    )  # fmt: skip
