"""The whole book at one instant: exposure, greeks, open risk, value at risk, stress, concentration.

Pure functions over Held positions. Money is Decimal dollars; volatilities and correlations are float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from station.domain.instruments import Right
from station.pricing import price, year_fraction
from station.risk.book import Weights, market_value, net_weights, open_risk
from station.risk.limits import Limits
from station.risk.proposal import Held

Floats = NDArray[np.float64]

ZERO: Final = Decimal(0)
CENT: Final = Decimal("0.01")
SPOTS_PCT: Final = (-10.0, -5.0, -3.0, -1.0, 0.0, 1.0, 3.0, 5.0, 10.0)
VOLS_PCT: Final = (-50.0, -25.0, 0.0, 25.0, 50.0)
SESSIONS_A_YEAR: Final = 252
ORDINARY_VOL: Final = 0.20
"""A year's volatility for an underlying of which neither returns nor an option's volatility are known."""
FEWEST_RETURNS: Final = 5
CRUMB: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Exposure:
    """Dollars of market value under one name; `pct` of equity, None where there is no equity."""

    name: str
    value: Decimal
    pct: float | None


@dataclass(frozen=True, slots=True)
class Grid:
    """The book's P&L, dollars, where every underlying moves by `spots_pct` × its beta (columns) and every
    volatility changes by `vols_pct` of itself (rows)."""

    spots_pct: tuple[float, ...]
    vols_pct: tuple[float, ...]
    pnl: tuple[tuple[Decimal, ...], ...]


@dataclass(frozen=True, slots=True)
class Correlation:
    """Of daily returns, symbols in order; a pair without enough common returns is None."""

    symbols: tuple[str, ...]
    matrix: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Everything the risk screen shows of what is held. `var_95` and `stress` are dollars that could be lost
    (`stress` at the limit's move, signed as P&L); `largest_pct` and `herfindahl` (0–1) of market value."""

    positions: int
    value: Decimal
    by_underlying: tuple[Exposure, ...]
    by_strategy: tuple[Exposure, ...]
    by_sector: tuple[Exposure, ...]
    greeks: Weights
    open_risk: Decimal
    sigma_pct: float
    var_95: Decimal
    stress_pct: Decimal
    stress: Decimal
    grid: Grid
    largest: str
    largest_pct: float
    herfindahl: float
    correlation: Correlation


def assess(
    held: Sequence[Held], now_ns: int, equity: Decimal, index_level: float | None,
    returns: Mapping[str, Floats], limits: Limits,
) -> Portfolio:  # fmt: skip
    """The portfolio at `now_ns`. `returns` are daily returns by underlying, oldest first, the newest of all
    on one day."""
    value = market_value(held)
    by_underlying = exposures(held, lambda each: each.symbol, equity)
    name, share, herfindahl = concentration(by_underlying)
    var = value_at_risk(held, returns, limits)
    return Portfolio(
        len(held), value, by_underlying, exposures(held, lambda each: each.strategy or "none", equity),
        exposures(held, lambda each: limits.facts(each.symbol).sector, equity),
        net_weights(held, now_ns, index_level, limits),
        sum((open_risk(each, limits) for each in held), ZERO),
        float(var) / (limits.var_sigmas * float(value)) * 100 if value else 0.0, var, limits.stress_pct,
        stressed(held, now_ns, float(limits.stress_pct), 0.0, limits),
        grid(held, now_ns, limits), name, share, herfindahl,
        correlation(tuple(each.name for each in by_underlying), returns),
    )  # fmt: skip


def exposures(held: Sequence[Held], key: Callable[[Held], str], equity: Decimal) -> tuple[Exposure, ...]:
    """Market value by `key`, the largest first."""
    sums: dict[str, Decimal] = {}
    for each in held:
        sums[key(each)] = sums.get(key(each), ZERO) + abs(each.value)
    ordered = sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(
        Exposure(name, value, float(value * 100 / equity) if equity > 0 else None) for name, value in ordered
    )


def concentration(by_underlying: Sequence[Exposure]) -> tuple[str, float, float]:
    """The largest underlying, its percent of market value, and the Herfindahl index (1 is all in one)."""
    total = sum((each.value for each in by_underlying), ZERO)
    if total <= 0:
        return "", 0.0, 0.0
    shares = [float(each.value / total) for each in by_underlying]
    return by_underlying[0].name, shares[0] * 100, sum(share * share for share in shares)


def value_at_risk(held: Sequence[Held], returns: Mapping[str, Floats], limits: Limits) -> Decimal:
    """1.645 σ V for one day: σ of the book's return, by the delta dollars of each underlying, its daily
    volatility and the correlation of their returns (1 where not known). A book of bought options cannot lose
    more than it is worth."""
    pulls: dict[str, float] = {}
    for each in held:
        pulls[each.symbol] = pulls.get(each.symbol, 0.0) + _delta_dollars(each)
    symbols = tuple(pulls)
    swings = [pulls[symbol] * _daily_vol(symbol, held, returns) for symbol in symbols]
    matrix = correlation(symbols, returns).matrix
    variance = sum(
        a * b * (1.0 if matrix[i][j] is None else matrix[i][j] or 0.0)
        for i, a in enumerate(swings)
        for j, b in enumerate(swings)
    )
    dollars = _cents(limits.var_sigmas * math.sqrt(max(variance, 0.0)))
    bought = all(each.qty > 0 for each in held)
    return min(dollars, market_value(held).quantize(CENT)) if bought else dollars


def grid(held: Sequence[Held], now_ns: int, limits: Limits) -> Grid:
    """Every move of SPOTS_PCT under every change of VOLS_PCT."""
    vols, spots = np.meshgrid(np.array(VOLS_PCT), np.array(SPOTS_PCT), indexing="ij")
    pnl = _stressed(held, now_ns, spots, vols, limits)
    return Grid(SPOTS_PCT, VOLS_PCT, tuple(tuple(_cents(cell) for cell in row) for row in pnl))


def stressed(held: Sequence[Held], now_ns: int, spot_pct: float, vol_pct: float, limits: Limits) -> Decimal:
    """P&L of the book, dollars, for an instant move of the market and of volatility, both percent; an
    underlying moves by its beta and falls to zero at the worst."""
    return _cents(_stressed(held, now_ns, np.array(spot_pct), np.array(vol_pct), limits).item())


def _stressed(held: Sequence[Held], now_ns: int, spots: Floats, vols: Floats, limits: Limits) -> Floats:
    total = np.zeros(spots.shape)
    for each in held:
        moves = np.maximum(limits.facts(each.symbol).beta * spots / 100, -1.0)
        total = total + _moved(each, now_ns, moves, vols / 100)
    return total


def correlation(symbols: Sequence[str], returns: Mapping[str, Floats]) -> Correlation:
    """The matrix of the symbols' daily returns over the days that both have; 1 on the diagonal."""
    rows = tuple(
        tuple(1.0 if a == b else _correlated(returns.get(a), returns.get(b)) for b in symbols) for a in symbols
    )
    return Correlation(tuple(symbols), rows)


def _correlated(a: Floats | None, b: Floats | None) -> float | None:
    if a is None or b is None:
        return None
    shared = min(len(a), len(b))
    if shared < FEWEST_RETURNS:
        return None
    x, y = a[-shared:] - a[-shared:].mean(), b[-shared:] - b[-shared:].mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / scale if scale > 0 else None


def _delta_dollars(held: Held) -> float:
    """Dollars the position moves by when its underlying moves by 100 %; its value where no spot is known."""
    if held.spot is None:
        return float(held.value)
    return float(held.qty) * held.contract.multiplier * held.delta * held.spot


def _daily_vol(symbol: str, held: Sequence[Held], returns: Mapping[str, Floats]) -> float:
    found = returns.get(symbol)
    if found is not None and len(found) >= FEWEST_RETURNS:
        return float(found.std(ddof=1))
    implied = [each.iv for each in held if each.symbol == symbol and each.iv is not None]
    return max(implied, default=ORDINARY_VOL) / math.sqrt(SESSIONS_A_YEAR)


def _moved(held: Held, now_ns: int, moves: Floats, vols: Floats) -> Floats:
    """P&L of one position, dollars, where its underlying moves and its volatility changes by these parts."""
    if held.spot is None or not held.contract.is_option or held.iv is None or held.expiry_ns is None:
        by_delta = _delta_dollars(held) * moves
        return np.maximum(by_delta, -float(held.value)) if held.qty > 0 else by_delta
    years = year_fraction(now_ns, held.expiry_ns)
    here = _worth(held, np.array(held.spot), years, np.array(held.iv))
    there = _worth(held, held.spot * (1 + moves), years, held.iv * (1 + vols))
    return float(held.qty) * held.contract.multiplier * (there - here)


def _worth(held: Held, spots: Floats, years: float, vols: Floats) -> Floats:
    """Dollars a unit; an underlying at zero is worth a crumb, which leaves a put its strike."""
    strike, call = float(held.contract.strike), held.contract.right is Right.CALL
    return price(np.maximum(spots, CRUMB), strike, years, vols, call)


def _cents(dollars: float) -> Decimal:
    return Decimal(repr(float(dollars))).quantize(CENT)
