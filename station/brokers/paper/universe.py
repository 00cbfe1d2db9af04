"""Who is traded beside SPX, SPY, ES and VIX, and how each moves against the market of a seed.

Betas and volatilities are rounded from what these names showed over several years. An equity that is not here
gets a character from its symbol, the same in every process.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final, NamedTuple

from station.brokers.paper.draws import uniform
from station.brokers.paper.tape import Tape
from station.domain.instruments import INSTRUMENTS, Instrument, SecType, equity

CORE: Final = ("SPX", "SPY", "ES", "VIX")
"""Played by their own makers, whether anyone watches or not."""
NASDAQ: Final = "NDX"
"""The hidden index that NQ and QQQ follow."""
GROWTH: Final = "growth"
"""A factor of its own that technology shares beside the market."""
MARKET_SIGMA: Final = 0.0093
GROWTH_SIGMA: Final = 0.0042


class Character(NamedTuple):
    """`level` where the log price is centred, dollars or points; `beta` on SPX; `growth` on the growth factor;
    `sigma` of its own, a day; shares a day; half the spread in basis points of the price."""

    level: float
    beta: float
    growth: float
    sigma: float
    volume: float
    half_spread: float = 1.0
    optionable: bool = True

    @property
    def daily_sigma(self) -> float:
        """The standard deviation of a whole day's log return."""
        common = (self.beta * MARKET_SIGMA) ** 2 + (self.growth * GROWTH_SIGMA) ** 2
        return math.sqrt(common + self.sigma**2)


_KNOWN: Final = {
    NASDAQ: Character(21500.0, 1.15, 1.0, 0.0012, 0.0),
    "IWM": Character(225.0, 1.15, -0.2, 0.0075, 32e6, 0.3),
    "DIA": Character(440.0, 0.92, -0.4, 0.0028, 3.5e6, 0.4),
    "XLK": Character(235.0, 1.2, 1.2, 0.003, 6e6, 0.5),
    "XLF": Character(50.0, 1.0, -0.5, 0.006, 40e6, 0.5),
    "XLE": Character(90.0, 0.8, -0.5, 0.012, 15e6, 0.6),
    "XLV": Character(145.0, 0.7, -0.3, 0.006, 9e6, 0.5),
    "AAPL": Character(235.0, 1.2, 0.8, 0.011, 50e6, 0.3),
    "MSFT": Character(430.0, 0.95, 1.0, 0.0095, 21e6, 0.3),
    "NVDA": Character(140.0, 1.75, 1.4, 0.018, 220e6, 0.4),
    "AMD": Character(150.0, 1.75, 1.3, 0.021, 45e6, 0.5),
    "AVGO": Character(180.0, 1.25, 1.3, 0.019, 22e6, 0.6),
    "INTC": Character(24.0, 1.1, 0.7, 0.022, 70e6, 2.0),
    "GOOGL": Character(175.0, 1.05, 0.8, 0.013, 27e6, 0.4),
    "META": Character(580.0, 1.2, 0.9, 0.017, 13e6, 0.6),
    "NFLX": Character(720.0, 1.2, 0.7, 0.018, 3.5e6, 1.2),
    "AMZN": Character(200.0, 1.2, 0.9, 0.013, 38e6, 0.4),
    "TSLA": Character(270.0, 1.9, 0.9, 0.027, 95e6, 0.5),
    "COIN": Character(230.0, 2.2, 0.9, 0.036, 9e6, 2.0),
    "JPM": Character(230.0, 1.05, -0.4, 0.010, 9e6, 0.5),
    "BAC": Character(42.0, 1.2, -0.4, 0.011, 36e6, 1.2),
    "SOFI": Character(14.0, 1.75, 0.7, 0.027, 45e6, 3.5),
    "XOM": Character(115.0, 0.8, -0.5, 0.013, 15e6, 0.6),
    "CVX": Character(155.0, 0.85, -0.5, 0.012, 8e6, 0.7),
    "JNJ": Character(155.0, 0.5, -0.4, 0.009, 7e6, 0.8),
    "UNH": Character(560.0, 0.55, -0.2, 0.014, 3.5e6, 1.5),
    "PFE": Character(28.0, 0.6, -0.3, 0.012, 38e6, 1.8),
    "KO": Character(68.0, 0.5, -0.4, 0.008, 14e6, 0.8),
    "WMT": Character(85.0, 0.55, -0.1, 0.010, 16e6, 0.7),
    "BA": Character(165.0, 1.35, 0.0, 0.018, 8e6, 1.2),
    "PLTR": Character(45.0, 1.9, 1.3, 0.032, 70e6, 1.2),
}  # fmt: skip


def character(symbol: str) -> Character:
    """How a symbol moves: from the table, else drawn from its name."""
    found = _KNOWN.get(symbol)
    if found is not None:
        return found

    def draw(what: str, low: float, high: float) -> float:
        return low + uniform("character", symbol, what) * (high - low)

    level = round(math.exp(draw("level", math.log(15.0), math.log(350.0))), 2)
    volume = round(math.exp(draw("volume", math.log(1e6), math.log(4e7))))
    return Character(
        level, round(draw("beta", 0.6, 1.8), 2), round(draw("growth", -0.5, 1.0), 2),
        round(draw("sigma", 0.011, 0.026), 4), volume, round(draw("spread", 0.6, 4.0), 2), optionable=False,
    )  # fmt: skip


def volatility_ratio(symbol: str) -> float:
    """How much more volatile than SPX an instrument's options are priced: 1 for SPX, SPY and ES."""
    if symbol in CORE:
        return 1.0
    own = character(NASDAQ if symbol in ("NQ", "QQQ") else symbol)
    return own.daily_sigma / MARKET_SIGMA


def equities() -> tuple[str, ...]:
    """Every share and ETF of the exchange: the catalogue's, then what it lists beside them."""
    known = [symbol for symbol, row in INSTRUMENTS.items() if row.sec_type is SecType.STOCK]
    beside = (symbol for symbol in _KNOWN if symbol not in INSTRUMENTS and symbol != NASDAQ)
    return (*known, *beside)


def offered(tape: Tape, symbol: str) -> Instrument | None:
    """The instrument where the exchange can trade it on this tape: what the tape has and, in the seeded market,
    every equity of the exchange."""
    if symbol in tape.symbols or (tape.kind == "paper" and symbol in equities()):
        return instrument_of(symbol)
    return None


def listed(symbol: str) -> Instrument:
    """As `instrument_of`. Raises KeyError for a symbol that the exchange does not have."""
    found = instrument_of(symbol)
    if found is None:
        raise KeyError(symbol)
    return found


def instrument_of(symbol: str) -> Instrument | None:
    """The catalogue's instrument, or the exchange's own row of an equity; None for a symbol without either."""
    found = INSTRUMENTS.get(symbol)
    if found is not None or symbol not in _KNOWN or symbol == NASDAQ:
        return found
    own = _KNOWN[symbol]
    steps = ((25, "0.5"), (200, "1"), (math.inf, "2.5"))
    step = next(step for edge, step in steps if own.level < edge)
    return equity(symbol, options=own.optionable, strike_step=Decimal(step))
