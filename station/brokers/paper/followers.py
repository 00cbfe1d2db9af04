"""Prices of everything that follows the factor: NQ and QQQ over one hidden index, IWM, and single shares.

A log level is the market's times beta, the growth factor's times its loading, and a part of its own with gaps,
jumps and calm or loud weeks; each part is keyed by the seed, its own name and the date.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from station.brokers.paper.draws import key, stream
from station.brokers.paper.factors import (
    LEVEL,
    SHAKEN,
    Factor,
    LogBars,
    Texture,
    extremes,
    walk,
)
from station.brokers.paper.universe import GROWTH, GROWTH_SIGMA, Character

Floats = NDArray[np.float64]

_PULL: Final = 0.994
_CALM: Final = 0.95
_SHOCK: Final = 0.10
_GAP_SHARE: Final = 0.55
_REPORT_GAP: Final = 3.0
_REPORTS_EVERY: Final = 63
_ECHO: Final = 0.35
"""How much of the market's loudness an instrument's own part hears."""


@dataclass(frozen=True, slots=True, eq=False)
class Tides:
    """A part's log level by weekday: at the regular open, at the close, in the evening; its sigma that day."""

    opening: Floats
    close: Floats
    evening: Floats
    sigma: Floats


def tides(factor: Factor, name: str, sigma: float, *, reports: bool) -> Tides:
    """A mean-reverting level of its own around 0. With `reports`, one night a quarter brings a wide gap."""
    drawn = stream(factor.seed, "days", name).standard_normal((len(factor.x), 4))
    echo = np.exp(_ECHO * factor.loudness).tolist()
    season = key("reports", name) % _REPORTS_EVERY
    loud, level = 0.0, 0.0
    rows: list[tuple[float, float, float, float]] = []
    for row, (shock, trend, gap, after) in enumerate(drawn.tolist()):
        loud = _CALM * loud + _SHOCK * shock
        day = sigma * math.exp(loud - 0.05) * echo[row]
        wide = _REPORT_GAP if reports and row % _REPORTS_EVERY == season else 1.0
        opening = _PULL * level + day * _GAP_SHARE * wide * gap
        level = opening + day * 0.83 * trend
        rows.append((opening, level, level + 0.06 * day * after, day))
    table = np.array(rows)
    return Tides(*(np.ascontiguousarray(table[:, column]) for column in range(4)))


class Followers:
    """Log bars of any follower; a part's days are made when first asked for, and kept."""

    def __init__(self, factor: Factor) -> None:
        self._factor = factor
        self._tides = lru_cache(maxsize=64)(self._made)

    def _made(self, name: str, sigma: float, reports: bool) -> Tides:
        return tides(self._factor, name, sigma, reports=reports)

    def _parts(self, name: str, own: Character) -> list[tuple[str, float, Tides]]:
        """(key of its minutes, loading, days) of what moves it, the market first."""
        factor = self._factor
        base = math.log(LEVEL)
        market = Tides(factor.opening - base, factor.x - base, factor.evening - base, factor.sigma)
        parts = [("", own.beta, market)]
        if own.growth:
            parts.append((GROWTH, own.growth, self._tides(GROWTH, GROWTH_SIGMA, False)))
        if own.sigma:
            parts.append((name, 1.0, self._tides(name, own.sigma, own.volume < 4e8 and own.sigma > 0.008)))
        return parts

    def regular(self, name: str, own: Character, days: Sequence[date], texture: Texture) -> LogBars:
        """Over regular sessions of equal length."""
        rows = np.array([Factor.row(day) for day in days], np.int64)
        shape = [
            (label, loading, part.opening[rows], part.close[rows], part.sigma[rows])
            for label, loading, part in self._parts(name, own)
        ]
        return self._joined(name, own, days, texture, shape)

    def around(
        self, name: str, own: Character, days: Sequence[date], texture: Texture,
        ends: Sequence[tuple[tuple[str, int], tuple[str, int]]], share: float,
    ) -> LogBars:  # fmt: skip
        """Over stretches of a futures session outside the regular one. Each of `ends` names the levels between
        which it runs: `opening`, `close` or `evening` of a row; `share` scales the day's sigma."""
        rows = np.array([Factor.row(day) for day in days], np.int64)
        shape = [
            (
                label, loading,
                np.array([getattr(part, where)[row] for (where, row), _ in ends]),
                np.array([getattr(part, where)[row] for _, (where, row) in ends]),
                share * part.sigma[rows],
            )
            for label, loading, part in self._parts(name, own)
        ]  # fmt: skip
        return self._joined(name, own, days, texture, shape)

    def _joined(
        self, name: str, own: Character, days: Sequence[date], texture: Texture,
        parts: Sequence[tuple[str, float, Floats, Floats, Floats]],
    ) -> LogBars:  # fmt: skip
        seed, count = self._factor.seed, len(texture.weights)
        open_ = np.full((len(days), count), math.log(own.level))
        close, variance = open_.copy(), np.zeros((len(days), 1))
        for label, loading, start, end, sigma in parts:
            keys = (seed, label, texture.name) if label else (seed, texture.name)
            path = walk(keys, days, texture, start, end, sigma)
            open_ += loading * path.open
            close += loading * path.close
            variance += (loading * sigma[:, None]) ** 2
        uniforms = np.empty((len(days), 2, count))
        for row, day in enumerate(days):
            stream(seed, name, "reach", texture.name, day.toordinal()).random(out=uniforms[row])
        step = SHAKEN * np.sqrt(variance * texture.weights[None, :])
        return LogBars(open_, *extremes(open_, close, step, uniforms), close)
