"""What the right to exercise early is worth: Barone-Adesi and Whaley (1987), on top of the European price."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from station.pricing.black76 import Bools, Floats, normal_cdf, normal_pdf

_ROUNDS: Final = 7
_TINY: Final = 1e-12


class Premium(NamedTuple):
    """Dollars over the European price and the delta they add; where `now` the option is worth exactly its
    intrinsic value, because exercising at once is best."""

    value: Floats
    delta: Floats
    now: Bools


class _Terms(NamedTuple):
    strike: Floats
    years: Floats
    rate: Floats
    carry: Floats
    vol: Floats
    sign: Floats
    root: Floats


def early_exercise(
    spot: ArrayLike, strike: ArrayLike, years: ArrayLike, rate: ArrayLike, carry: ArrayLike, vol: ArrayLike,
    call: ArrayLike,
) -> Premium:  # fmt: skip
    """The early-exercise premium of options on something that costs `carry` a year to hold (rate less yield, 0
    for a future). Arguments broadcast; spot, strike, years and vol positive. It is 0 where the rate is 0 and,
    for calls, where the carry is at least the rate. The approximation errs by cents on a 100-dollar share up to
    three months (a binomial tree is the test's oracle)."""
    s, k, t, r, b, v, up = np.broadcast_arrays(
        *(np.asarray(each, np.float64) for each in (spot, strike, years, rate, carry, vol)),
        np.asarray(call, np.bool_),
    )  # fmt: skip
    worth = (r > _TINY) & ~(up & (b >= r - _TINY))
    value, delta, now = np.zeros(s.shape), np.zeros(s.shape), np.zeros(s.shape, np.bool_)
    if worth.any():
        k, t, r, b, v = (column[worth] for column in (k, t, r, b, v))
        sign = np.where(up[worth], 1.0, -1.0)
        half = (2.0 * b / (v * v) - 1.0) / 2.0
        root = -half + sign * np.sqrt(half * half + 2.0 * r / (v * v * -np.expm1(-r * t)))
        terms = _Terms(k, t, r, b, v, sign, root)
        value[worth], delta[worth], now[worth] = _premium(s[worth], terms)
    return Premium(value, delta, now)


def _premium(s: Floats, terms: _Terms) -> tuple[Floats, Floats, Bools]:
    edge = _critical(terms)
    europe, _ = _european(edge, terms)
    most = terms.sign * (edge - terms.strike) - europe
    kept = np.maximum(most, 0.0) * (s / edge) ** terms.root
    now = terms.sign * (s - edge) >= 0.0
    here, here_slope = _european(s, terms)
    value = np.where(now, terms.sign * (s - terms.strike) - here, kept)
    delta = np.where(now, terms.sign - here_slope, kept * terms.root / s)
    return np.maximum(value, 0.0), delta, now


def _european(s: Floats, terms: _Terms) -> tuple[Floats, Floats]:
    """Black-Scholes-Merton value and delta."""
    k, t, r, b, v, sign, _ = terms
    spread = v * np.sqrt(t)
    d1 = (np.log(s / k) + b * t) / spread + 0.5 * spread
    grown, disc = np.exp((b - r) * t), np.exp(-r * t)
    first = normal_cdf(sign * d1)
    value = sign * (s * grown * first - k * disc * normal_cdf(sign * (d1 - spread)))
    return value, sign * grown * first


def _critical(terms: _Terms) -> Floats:
    """The price at which exercising at once is as good as waiting: Newton from Barone-Adesi and Whaley's seed,
    a fixed number of rounds so that a row never depends on its neighbours."""
    k, t, r, b, v, sign, root = terms
    half = (2.0 * b / (v * v) - 1.0) / 2.0
    forever = k / (1.0 - 1.0 / (-half + sign * np.sqrt(half * half + 2.0 * r / (v * v))))
    reach = -(sign * b * t + 2.0 * v * np.sqrt(t)) * k / (sign * (forever - k))
    edge = np.where(sign > 0, k + (forever - k) * -np.expm1(reach), forever + (k - forever) * np.exp(reach))
    spread = v * np.sqrt(t)
    for _ in range(_ROUNDS):
        europe, slope = _european(edge, terms)
        gap = sign * (edge - k) - europe - (sign - slope) * edge / root
        d1 = (np.log(edge / k) + b * t) / spread + 0.5 * spread
        dense = np.exp((b - r) * t) * normal_pdf(d1) / spread
        steep = (sign - slope) * (1.0 - 1.0 / root) + dense / root
        step = np.where(np.abs(steep) > _TINY, gap / steep, 0.0)
        edge = np.clip(edge - step, 0.5 * edge, 2.0 * edge)
    return edge
