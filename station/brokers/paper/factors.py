"""The seeded market's one factor: the log level of SPX by day and by minute, and its volatility.

A day's numbers depend on the seed and the date alone, so that yesterday looks the same from any later session.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from station.brokers.paper.draws import stream

Floats = NDArray[np.float64]

LEVEL: Final = 6000.0
_EPOCH: Final = date(1999, 1, 4)
_HORIZON: Final = 8700
_DAY_SIGMA: Final = 0.0085
_GAP_SHARE: Final = 0.45
_PULL: Final = 0.996
_CALM: Final = 0.96
_SHOCK: Final = 0.085
_MEMORY: Final = 0.12
SHAKEN: Final = 0.8
"""The part of a minute's deviation that is without memory."""
VIX_LEVEL: Final = 16.5
VIX_BETA: Final = 4.2


@dataclass(frozen=True, slots=True, eq=False)
class LogBars:
    """Log levels of bars, shape (days, minutes)."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats


@dataclass(frozen=True, slots=True)
class Texture:
    """How a stretch of minutes moves: relative variance by minute, share of it that trends, jumps expected."""

    name: str
    weights: Floats
    trend: float
    jumps: float


def regular_texture(minutes: int) -> Texture:
    """Lively at the open and the close, with trends that last about half an hour and a jump now and then."""
    at = (np.arange(minutes) + 0.5) / minutes
    shape = 0.75 + 1.1 * np.exp(-at / 0.06) + 0.45 * np.exp(-(1.0 - at) / 0.07)
    weights = shape**2
    return Texture("regular", weights / weights.sum(), 0.085, 2.0)


def night_texture(name: str, minutes: int) -> Texture:
    """Quiet, even and without trend."""
    return Texture(name, np.full(minutes, 1.0 / minutes), 0.0, 0.0)


class Factor:
    """The market of one seed. `x` is the log level at each weekday's regular close."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        drawn = stream(seed, "days").standard_normal((_HORIZON, 4))
        loud, level, mean = 0.0, 0.0, 0.0
        volume = np.empty(_HORIZON)
        x, average = np.empty(_HORIZON), np.empty(_HORIZON)
        through, late = np.empty(_HORIZON), np.empty(_HORIZON)
        for row, (shock, trend, gap, after) in enumerate(drawn.tolist()):
            loud = _CALM * loud + _SHOCK * shock
            sigma = _DAY_SIGMA * math.exp(loud)
            through[row] = sigma * trend
            level = _PULL * level + sigma * (trend + _GAP_SHARE * gap)
            mean += _MEMORY * (level - mean)
            volume[row], x[row], average[row] = loud, level, mean
            late[row] = level + 0.06 * sigma * after
        base = math.log(LEVEL)
        self.loudness, self.mean = volume, average + base
        self.x, self.evening = x + base, late + base
        self.sigma: Floats = _DAY_SIGMA * np.exp(volume)
        self.opening: Floats = self.x - through

    @staticmethod
    def row(day: date) -> int:
        """Where a weekday stands in the tables. Raises ValueError for a weekend or a day out of range."""
        weeks, weekday = divmod((day - _EPOCH).days, 7)
        found = weeks * 5 + weekday
        if weekday > 4 or not 1 <= found < _HORIZON:
            raise ValueError(f"no market day {day}")
        return found

    def path(
        self, days: Sequence[date], texture: Texture, start: Floats, end: Floats, sigma: Floats
    ) -> LogBars:
        """One-minute log bars of several equal stretches, from level `start` to `end`."""
        walked = walk((self.seed, texture.name), days, texture, start, end, sigma)
        step = sigma[:, None] * np.sqrt(texture.weights)[None, :]
        reach = extremes(walked.open, walked.close, SHAKEN * step, walked.uniforms)
        return LogBars(walked.open, *reach, walked.close)


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Opens and closes, and the uniforms that are left for the extremes, shape (days, kinds, minutes)."""

    open: Floats
    close: Floats
    uniforms: Floats


def walk(
    keys: Sequence[int | str], days: Sequence[date], texture: Texture, start: Floats, end: Floats, sigma: Floats
) -> Walk:
    """One-minute log levels of several equal stretches from `start` to `end`, keyed by `keys` and the date."""
    count = len(texture.weights)
    normals, uniforms = np.empty((len(days), 3, count)), np.empty((len(days), 3, count))
    for row, day in enumerate(days):
        source = stream(*keys, day.toordinal())
        source.standard_normal(out=normals[row])
        source.random(out=uniforms[row])
    step = sigma[:, None] * np.sqrt(texture.weights)[None, :]
    moves = step * (SHAKEN * normals[:, 0] + texture.trend * _persistent(normals[:, 1]))
    if texture.jumps:
        moves += step * np.where(uniforms[:, 2] < texture.jumps / count, 4.0 * np.sign(normals[:, 2]), 0.0)
    walked = np.cumsum(moves, axis=1)
    done = np.cumsum(texture.weights)
    close = start[:, None] + walked + (end - start - walked[:, -1])[:, None] * (done / done[-1])[None, :]
    open_ = np.empty_like(close)
    open_[:, 0] = start
    open_[:, 1:] = close[:, :-1] + 0.12 * step[:, 1:] * normals[:, 2, 1:]
    return Walk(open_, close, uniforms)


def _persistent(normals: Floats) -> Floats:
    """AR(1) along the minutes with a memory of some thirty-five, variance one."""
    keep = math.exp(-1.0 / 35.0)
    fresh = math.sqrt(1.0 - keep * keep)
    out = np.empty_like(normals)
    held = normals[:, 0]
    for column in range(normals.shape[1]):
        held = keep * held + fresh * normals[:, column]
        out[:, column] = held
    return out


def extremes(open_: Floats, close: Floats, step: Floats, uniforms: Floats) -> tuple[Floats, Floats]:
    """High and low of Brownian bridges: the exact law of each extreme given both ends."""
    gap = close - open_
    reach_up = np.sqrt(gap * gap - 2.0 * step * step * np.log1p(-uniforms[:, 0]))
    reach_down = np.sqrt(gap * gap - 2.0 * step * step * np.log1p(-uniforms[:, 1]))
    middle = open_ + close
    return 0.5 * (middle + reach_up), 0.5 * (middle - reach_down)
