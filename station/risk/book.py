"""What a position weighs: its greeks in the units of the portfolio limits (see Limits), its open risk.

Pure functions of one unit's greeks and the quantity behind them; every dollar figure is signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from station.domain.clock import DAY
from station.risk.limits import Limits
from station.risk.proposal import Held


@dataclass(frozen=True, slots=True)
class Weights:
    """Delta in units of the index, gamma their change a point of it; vega dollars per 1.00 of volatility;
    theta dollars to the same hour tomorrow (negative is a loss)."""

    delta: float = 0.0
    gamma: float = 0.0
    vega: float = 0.0
    theta: float = 0.0

    def __add__(self, other: Weights) -> Weights:
        return Weights(
            self.delta + other.delta, self.gamma + other.gamma, self.vega + other.vega, self.theta + other.theta
        )


def weights(held: Held, now_ns: int, index_level: float | None, limits: Limits) -> Weights:
    """One position's weight in the portfolio."""
    units = float(held.qty) * held.contract.multiplier
    pull = index_pull(held.symbol, held.spot, index_level, limits)
    decay = units * held.theta * days_left(held.expiry_ns, now_ns)
    if units > 0:
        decay = max(decay, -abs(float(held.value)))
    return Weights(units * held.delta * pull, units * held.gamma * pull * pull, units * held.vega, decay)


def net_weights(held: Iterable[Held], now_ns: int, index_level: float | None, limits: Limits) -> Weights:
    """The whole book's."""
    return sum((weights(each, now_ns, index_level, limits) for each in held), Weights())


def index_pull(symbol: str, spot: float | None, index_level: float | None, limits: Limits) -> float:
    """Units of the index that move as much money as one unit of the underlying: beta × spot ÷ index; beta
    alone where a price is not known."""
    beta = limits.facts(symbol).beta
    return beta if spot is None or index_level is None or index_level <= 0 else beta * spot / index_level


def days_left(expiry_ns: int | None, now_ns: int) -> float:
    """The part of the next day that an option lives through: 1 beyond a day, or without an expiry."""
    return 1.0 if expiry_ns is None else min(max(expiry_ns - now_ns, 0) / DAY, 1.0)


def open_risk(held: Held, limits: Limits) -> Decimal:
    """Dollars to the position's stop; a share of its value (20 %) where it has none."""
    return abs(held.value) * limits.open_risk_share if held.open_risk is None else held.open_risk


def risk_to_stop(price: Decimal, stop: Decimal, qty: Decimal, multiplier: int) -> Decimal:
    """Dollars lost from `price` to `stop`; none for a stop that is passed already."""
    return max((price - stop) * qty * multiplier, Decimal(0))


def market_value(held: Iterable[Held]) -> Decimal:
    """Dollars of market value, longs and shorts alike."""
    return sum((abs(each.value) for each in held), Decimal(0))
