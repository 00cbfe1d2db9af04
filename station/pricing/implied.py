"""Implied volatility: Newton kept inside a bracket that bisection narrows, all quotes at once."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from station.pricing.black76 import Floats, greeks, price

_LOWEST: Final = 1e-4
_HIGHEST: Final = 50.0
_ROUNDS: Final = 80


def implied_vol(
    quote: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, call: ArrayLike
) -> Floats:
    """The volatility (per year) at which Black-76 gives `quote`, dollars a unit of the underlying.

    NaN where there is none: a quote at or under intrinsic value, at or over the forward (call) or strike (put),
    no time left, or a volatility outside 0.01 % … 5,000 %. Works on the out-of-the-money side by parity, so
    that deep in-the-money quotes lose nothing but what their own size already lost.
    """
    q, f, k, t = np.broadcast_arrays(
        np.asarray(quote, np.float64), np.asarray(forward, np.float64),
        np.asarray(strike, np.float64), np.asarray(years, np.float64),
    )  # fmt: skip
    kind = np.broadcast_to(np.asarray(call, np.bool_), q.shape)
    sign = np.where(kind, 1.0, -1.0)
    worth = q - np.maximum(sign * (f - k), 0.0)
    otm_call = k >= f
    with np.errstate(invalid="ignore"):
        valid = (f > 0) & (k > 0) & (t > 0) & np.isfinite(f) & np.isfinite(k) & np.isfinite(t)
        valid &= (worth > 0) & (worth < np.minimum(f, k))
    if not valid.any():
        return np.full(q.shape, np.nan)
    found = np.full(q.shape, np.nan)
    found[valid] = _solved(worth[valid], f[valid], k[valid], t[valid], otm_call[valid])
    return found


def _solved(worth: Floats, f: Floats, k: Floats, t: Floats, call: np.ndarray) -> Floats:
    low, high = np.full(worth.shape, _LOWEST), np.full(worth.shape, _HIGHEST)
    inside = (price(f, k, t, low, call) <= worth) & (worth <= price(f, k, t, high, call))
    vol = np.clip(np.sqrt(2.0 * np.abs(np.log(f / k)) / t), 0.05, 5.0)
    for _ in range(_ROUNDS):
        error = price(f, k, t, vol, call) - worth
        low, high = np.where(error < 0, vol, low), np.where(error < 0, high, vol)
        slope = greeks(f, k, t, vol, call).vega
        step = np.where(slope > 1e-300, error / np.where(slope > 1e-300, slope, 1.0), np.inf)
        guess = vol - step
        moved = np.where((guess > low) & (guess < high), guess, 0.5 * (low + high))
        done = bool(np.all((np.abs(moved - vol) <= 1e-14 * vol) | (error == 0.0)))
        vol = np.where(error == 0.0, vol, moved)
        if done:
            break
    return np.where(inside, vol, np.nan)
