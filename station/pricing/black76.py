"""Black (1976): European options on a forward, undiscounted (within days of expiry the discount is nothing).

Arguments broadcast against one another. `years` is time to expiry in ACT/365 years, `vol` is per year (0.20
for 20 %), `call` True or False. Where an input is NaN, or forward or strike is not positive, or years or vol is
negative, the answer is NaN; at no time or no volatility it is the intrinsic value. Nothing warns or raises.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from station.domain.clock import DAY

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

YEAR_NS: Final = 365 * DAY
_ROOT_HALF: Final = math.sqrt(0.5)
_ROOT_TWO_PI: Final = math.sqrt(2 * math.pi)
_erfc = np.frompyfunc(math.erfc, 1, 1)


class Sensitivities(NamedTuple):
    """Per unit of the forward: delta, gamma; vega per 1.00 of volatility; theta per calendar day (≤ 0)."""

    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats


class Terms(NamedTuple):
    """Inputs broadcast to one shape; `live` marks positive time and volatility."""

    forward: Floats
    strike: Floats
    years: Floats
    vol: Floats
    call: Bools
    valid: Bools
    live: Bools
    d1: Floats
    d2: Floats


def year_fraction(now_ns: int, expiry_ns: int) -> float:
    """ACT/365 years from one instant to another (UTC ns), 0 once it has passed."""
    return max(expiry_ns - now_ns, 0) / YEAR_NS


def normal_cdf(x: ArrayLike) -> Floats:
    """The standard normal distribution, to relative precision in both tails."""
    scaled = np.asarray(x, np.float64) * -_ROOT_HALF
    return 0.5 * np.asarray(_erfc(scaled), np.float64)


def normal_pdf(x: Floats) -> Floats:
    return np.exp(-0.5 * x * x) / _ROOT_TWO_PI


def price(forward: ArrayLike, strike: ArrayLike, years: ArrayLike, vol: ArrayLike, call: ArrayLike) -> Floats:
    """Dollars a unit of the underlying: F·N(d1) − K·N(d2) for a call, K·N(−d2) − F·N(−d1) for a put."""
    terms = prepared(forward, strike, years, vol, call)
    sign = np.where(terms.call, 1.0, -1.0)
    gap = sign * (terms.forward - terms.strike)
    value = sign * (
        terms.forward * normal_cdf(sign * terms.d1) - terms.strike * normal_cdf(sign * terms.d2)
    )  # fmt: skip
    intrinsic = np.maximum(gap, 0.0)
    worth = np.where(terms.live, np.maximum(value, intrinsic), intrinsic)
    return np.where(terms.valid, worth, np.nan)


def greeks(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, vol: ArrayLike, call: ArrayLike
) -> Sensitivities:
    """The first-order sensitivities and gamma. Without time or volatility delta is 0, ±½ or ±1, the rest 0."""
    terms = prepared(forward, strike, years, vol, call)
    root = np.sqrt(np.where(terms.live, terms.years, 1.0))
    vol_safe = np.where(terms.live, terms.vol, 1.0)
    density = normal_pdf(terms.d1)
    sign = np.where(terms.call, 1.0, -1.0)
    step = 0.5 * (1.0 + np.sign(sign * (terms.forward - terms.strike)))
    delta = sign * np.where(terms.live, normal_cdf(sign * terms.d1), step)
    gamma = np.where(terms.live, density / (terms.forward * vol_safe * root), 0.0)
    vega = np.where(terms.live, terms.forward * density * root, 0.0)
    theta = np.where(terms.live, -terms.forward * density * vol_safe / (2.0 * root) / 365.0, 0.0)
    columns = (np.where(terms.valid, column, np.nan) for column in (delta, gamma, vega, theta))
    return Sensitivities(*columns)


def price_and_greeks(
    forward: float | Floats, strike: Floats, years: Floats, vol: Floats, call: Bools
) -> tuple[Floats, Sensitivities]:
    """Both answers from one set of d's, for equal-shaped arrays that are known to be sound: forward, strike,
    years and vol positive. The path of a whole chain at every move of its underlying."""
    root = np.sqrt(years)
    spread = vol * root
    d1 = np.log(forward / strike) / spread + 0.5 * spread
    sign = np.where(call, 1.0, -1.0)
    first, second = normal_cdf(sign * d1), normal_cdf(sign * (d1 - spread))
    value = np.maximum(sign * (forward * first - strike * second), np.maximum(sign * (forward - strike), 0.0))
    dense = forward * normal_pdf(d1)
    slope = Sensitivities(
        sign * first, dense / (forward * forward * spread), dense * root, dense * vol / (-730.0 * root)
    )
    return value, slope


def prepared(forward: ArrayLike, strike: ArrayLike, years: ArrayLike, vol: ArrayLike, call: ArrayLike) -> Terms:
    """Broadcast, mark what can be priced, and compute the d's with harmless numbers elsewhere."""
    f, k, t, v = np.broadcast_arrays(
        np.asarray(forward, np.float64), np.asarray(strike, np.float64),
        np.asarray(years, np.float64), np.asarray(vol, np.float64),
    )  # fmt: skip
    kind = np.broadcast_to(np.asarray(call, np.bool_), f.shape) if f.shape else np.asarray(call, np.bool_)
    if kind.shape != f.shape:
        f, k, t, v = (np.broadcast_to(column, kind.shape) for column in (f, k, t, v))
    finite = np.isfinite(f) & np.isfinite(k) & np.isfinite(t) & np.isfinite(v)
    valid = finite & (f > 0.0) & (k > 0.0) & (t >= 0.0) & (v >= 0.0)
    live = valid & (t > 0.0) & (v > 0.0)
    f, k = np.where(valid, f, 1.0), np.where(valid, k, 1.0)
    spread = np.where(live, v, 1.0) * np.sqrt(np.where(live, t, 1.0))
    spread = np.maximum(spread, 1e-150)
    d1 = np.clip(np.log(f / k) / spread, -1e150, 1e150) + 0.5 * spread
    return Terms(f, k, t, v, kind, valid, live, d1, d1 - spread)
