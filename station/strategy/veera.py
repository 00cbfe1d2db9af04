"""Veera rules: the regime pre-filter of SPEC §5, as a table of pure rules over injected series.

A rule compares two numbers drawn from TA-Lib's batch answer over the series' finished bars; for PUT the
comparison is mirrored. Equal fails, and so does anything not known: no series, not ready, not yet warm
(5 × the longest period, as for scanners).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from station.domain.errors import BadInput
from station.domain.instruments import Side, Timeframe
from station.series.indicators import plain

FloatArray = NDArray[np.float64]
WARM_FACTOR: Final = 5
ADX_LEVEL: Final = 20.0
_EMA: Final = plain("EMA")
_MACD: Final = plain("MACD")
_ADX: Final = plain("ADX")
_STOCH: Final = plain("STOCH")


class BarColumns(Protocol):
    """Finished bars in columns, oldest first, equal lengths; station.series.Bars fulfils it."""

    @property
    def high(self) -> FloatArray: ...
    @property
    def low(self) -> FloatArray: ...
    @property
    def close(self) -> FloatArray: ...
    def __len__(self) -> int: ...


BarsOf = Callable[[str, Timeframe], BarColumns | None]
"""The finished bars of (symbol, timeframe); None where the series is absent or not ready."""


class ReadySeries(Protocol):
    """A kept series; `ready` is False while history or a gap is still being filled."""

    @property
    def bars(self) -> BarColumns: ...
    @property
    def ready(self) -> bool: ...


class SeriesSource(Protocol):
    """Who keeps series; station.market.Market fulfils it. Raises BadInput for one that is not kept."""

    def series(self, symbol: str, timeframe: Timeframe) -> ReadySeries: ...


def bars_from(market: SeriesSource) -> BarsOf:
    """The market's finished bars for the rules: a series that is not kept, or not ready, is unknown."""

    def bars_of(symbol: str, timeframe: Timeframe) -> BarColumns | None:
        try:
            series = market.series(symbol, timeframe)
        except BadInput:
            return None
        return series.bars if series.ready else None

    return bars_of


@dataclass(frozen=True, slots=True)
class Pair:
    """What a rule compares: for CALL `left` must be over `right`, for PUT under; names for the trace."""

    left: float
    right: float
    left_name: str
    right_name: str


@dataclass(frozen=True, slots=True)
class Rule:
    """`symbol` empty means the strategy's own; `bars` the fewest to be warm; `mirrored` False means the
    same demand on both sides; `inverse` means bullish when left is under right (the VIX)."""

    name: str
    symbol: str
    timeframe: Timeframe
    bars: int
    measure: Callable[[BarColumns], Pair]
    inverse: bool = False
    mirrored: bool = True


@dataclass(frozen=True, slots=True)
class VeeraVerdict:
    """One rule's answer, with the measured value and the limit as text."""

    rule: str
    passed: bool
    reason: str
    value: str
    limit: str


def judge(name: str, side: Side, symbol: str, bars_of: BarsOf) -> VeeraVerdict:
    """The verdict of the rule called `name` for a strategy on `symbol`. Raises KeyError for no such rule."""
    rule = RULES[name]
    where = rule.symbol or symbol
    series = f"{where} {rule.timeframe.value}"
    bars = bars_of(where, rule.timeframe)
    if bars is None:
        return VeeraVerdict(name, False, f"{series} is not available", "unknown", f"{rule.bars} bars")
    if len(bars) < rule.bars:
        return VeeraVerdict(name, False, f"{series} is warming", f"{len(bars)} bars", f"{rule.bars} bars")
    pair = rule.measure(bars)
    if not (np.isfinite(pair.left) and np.isfinite(pair.right)):
        return VeeraVerdict(name, False, f"{series}: {pair.left_name} is not known", "unknown", pair.right_name)
    over = (side is Side.CALL or not rule.mirrored) is not rule.inverse
    passed = pair.left > pair.right if over else pair.left < pair.right
    sign = ">" if over else "<"
    reason = f"{series}: {pair.left_name} {sign} {pair.right_name} {'holds' if passed else 'does not hold'}"
    return VeeraVerdict(name, passed, reason, f"{pair.left:.4f}", f"{sign} {pair.right:.4f}")


def _averages(fast: int, slow: int) -> Callable[[BarColumns], Pair]:
    def measure(bars: BarColumns) -> Pair:
        return Pair(_last(_EMA(bars.close, fast)), _last(_EMA(bars.close, slow)), f"EMA{fast}", f"EMA{slow}")

    return measure


def _slope(bars: BarColumns) -> Pair:
    average = _EMA(bars.close, 21)
    return Pair(_last(average), float(average[-2]), "EMA21", "EMA21 one bar before")


def _macd(bars: BarColumns) -> Pair:
    line, signal, _ = _MACD(bars.close, 12, 26, 9)
    return Pair(_last(line), _last(signal), "MACD", "its signal")


def _adx(bars: BarColumns) -> Pair:
    return Pair(_last(_ADX(bars.high, bars.low, bars.close, 14)), ADX_LEVEL, "ADX14", "its level")


def _stochastic(bars: BarColumns) -> Pair:
    k, d = _STOCH(bars.high, bars.low, bars.close, 14, 3, 0, 3, 0)
    return Pair(_last(k), _last(d), "%K", "%D")


def _last(values: FloatArray) -> float:
    return float(values[-1])


def _warm(period: int) -> int:
    return WARM_FACTOR * period


def _table() -> dict[str, Rule]:
    five, ten = Timeframe.M5, Timeframe.M10
    rows = (
        Rule("spy_ema21_200_5m", "SPY", five, _warm(200), _averages(21, 200)),
        Rule("vix_ema5_12_5m", "VIX", five, _warm(12), _averages(5, 12), inverse=True),
        Rule("macd_10m", "", ten, _warm(26), _macd),
        Rule("ema21_slope_5m", "", five, _warm(21), _slope),
        Rule("adx_5m", "", five, _warm(14), _adx, mirrored=False),
        Rule("vix_ema21_200_5m", "VIX", five, _warm(200), _averages(21, 200), inverse=True),
        Rule("stochastic_10m", "", ten, _warm(14), _stochastic),
        Rule("es_ema5_12_10m", "ES", ten, _warm(12), _averages(5, 12)),
        Rule("nq_ema5_12_10m", "NQ", ten, _warm(12), _averages(5, 12)),
        Rule("qqq_ema5_12_10m", "QQQ", ten, _warm(12), _averages(5, 12)),
    )  # fmt: skip
    return {row.name: row for row in rows}


RULES: Final = _table()
