"""What can be watched and traded: instruments, contracts, timeframes, tick rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import Enum
from typing import Final

from station.domain.clock import SECOND
from station.domain.errors import BadInput


class Timeframe(Enum):
    """Bar sizes, shortest first; the value is the name users write."""

    M1 = "1m"
    M2 = "2m"
    M3 = "3m"
    M5 = "5m"
    M10 = "10m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def seconds(self) -> int:
        """Nominal length; a session's last bar may be shorter, and 1d spans its session."""
        number, unit = int(self.value[:-1]), self.value[-1]
        return number * {"m": 60, "h": 3600, "d": 86400}[unit]

    @property
    def ns(self) -> int:
        return self.seconds * SECOND


class SecType(Enum):
    INDEX = "IND"
    STOCK = "STK"
    FUTURE = "FUT"
    OPTION = "OPT"
    FUTURE_OPTION = "FOP"


class Hours(Enum):
    """Which sessions an instrument keeps (SPEC §1)."""

    REGULAR = "regular"
    EXTENDED = "extended"
    FUTURES = "futures"


class Right(Enum):
    CALL = "C"
    PUT = "P"


class Side(Enum):
    """The direction of a firing, signal or strategy."""

    CALL = "CALL"
    PUT = "PUT"

    @property
    def right(self) -> Right:
        return Right.CALL if self is Side.CALL else Right.PUT


@dataclass(frozen=True, slots=True)
class TickRule:
    """A market rule: price steps `(lower edge, increment)`, edges ascending from 0.

    SPX options: 0.05 below 3.00, 0.10 from 3.00 on (IBKR.md, Cboe rule).
    """

    steps: tuple[tuple[Decimal, Decimal], ...]

    def increment(self, price: Decimal) -> Decimal:
        """The step that holds at `price`."""
        found = self.steps[0][1]
        for edge, step in self.steps:
            if price >= edge:
                found = step
        return found

    def is_legal(self, price: Decimal) -> bool:
        return price % self.increment(price) == 0

    def up(self, price: Decimal) -> Decimal:
        """The lowest legal price at or above `price`."""
        return self._round(price, ROUND_CEILING)

    def down(self, price: Decimal) -> Decimal:
        """The highest legal price at or below `price`."""
        return self._round(price, ROUND_FLOOR)

    def nearest(self, price: Decimal) -> Decimal:
        return self._round(price, ROUND_HALF_EVEN)

    def _round(self, price: Decimal, mode: str) -> Decimal:
        step = self.increment(price)
        rounded = (price / step).to_integral_value(rounding=mode) * step
        return rounded.quantize(step)


def flat_ticks(increment: str) -> TickRule:
    """A rule with one step at every price."""
    return TickRule(((Decimal(0), Decimal(increment)),))


CENT_TICKS: Final = flat_ticks("0.01")
SPX_OPTION_TICKS: Final = TickRule(((Decimal(0), Decimal("0.05")), (Decimal(3), Decimal("0.10"))))
ES_OPTION_TICKS: Final = TickRule(((Decimal(0), Decimal("0.05")), (Decimal(5), Decimal("0.25"))))
NQ_OPTION_TICKS: Final = ES_OPTION_TICKS


@dataclass(frozen=True, slots=True)
class Instrument:
    """A watched underlying. `tick` is its own price step, `multiplier` dollars a point of it."""

    symbol: str
    sec_type: SecType
    hours: Hours
    exchange: str
    tick: TickRule
    multiplier: int = 1
    option_class: str = ""
    option_multiplier: int = 100
    option_ticks: TickRule = CENT_TICKS
    strike_step: Decimal = Decimal(1)

    @property
    def has_options(self) -> bool:
        return bool(self.option_class)


def _catalogue() -> dict[str, Instrument]:
    rows = (
        Instrument("SPX", SecType.INDEX, Hours.REGULAR, "CBOE", CENT_TICKS, 1,
                   "SPXW", 100, SPX_OPTION_TICKS, Decimal(5)),
        Instrument("SPY", SecType.STOCK, Hours.EXTENDED, "SMART", CENT_TICKS, 1,
                   "SPY", 100, CENT_TICKS, Decimal(1)),
        Instrument("ES", SecType.FUTURE, Hours.FUTURES, "CME", flat_ticks("0.25"), 50,
                   "ES", 50, ES_OPTION_TICKS, Decimal(5)),
        Instrument("VIX", SecType.INDEX, Hours.REGULAR, "CBOE", CENT_TICKS),
        Instrument("NQ", SecType.FUTURE, Hours.FUTURES, "CME", flat_ticks("0.25"), 20,
                   "NQ", 20, NQ_OPTION_TICKS, Decimal(10)),
        Instrument("QQQ", SecType.STOCK, Hours.EXTENDED, "SMART", CENT_TICKS, 1,
                   "QQQ", 100, CENT_TICKS, Decimal(1)),
        Instrument("IWM", SecType.STOCK, Hours.REGULAR, "SMART", CENT_TICKS, 1,
                   "IWM", 100, CENT_TICKS, Decimal(1)),
    )  # fmt: skip
    return {row.symbol: row for row in rows}


INSTRUMENTS: Final = _catalogue()
"""The catalogue; its order is the order in which bars of one instant close. Equities are added by `enlist`."""


def equity(symbol: str, *, options: bool = False, strike_step: Decimal = Decimal(1)) -> Instrument:
    """A US share or ETF in regular hours, with options of its own class where `options`."""
    return Instrument(
        symbol, SecType.STOCK, Hours.REGULAR, "SMART", CENT_TICKS, 1, symbol if options else "", 100,
        CENT_TICKS, strike_step,
    )  # fmt: skip


def enlist(instruments: Iterable[Instrument]) -> None:
    """Add to the catalogue, behind what is there; once more changes nothing. For the start of a process, before
    anything reads the catalogue. Raises BadInput for a symbol that means another instrument already."""
    for instrument in instruments:
        known = INSTRUMENTS.setdefault(instrument.symbol, instrument)
        if known != instrument:
            raise BadInput(
                f"{instrument.symbol} is in the catalogue already, as {known.sec_type.name.lower()} on "
                f"{known.exchange}: take it out of the equities"
            )


@dataclass(frozen=True, slots=True)
class Contract:
    """One tradable thing. `expiry` is `YYYYMMDD` or empty; `con_id` is the broker's, 0 while unknown,
    and does not take part in equality."""

    symbol: str
    sec_type: SecType
    expiry: str = ""
    strike: Decimal = Decimal(0)
    right: Right | None = None
    trading_class: str = ""
    multiplier: int = 1
    exchange: str = "SMART"
    currency: str = "USD"
    con_id: int = field(default=0, compare=False)

    def __hash__(self) -> int:
        # The generated hash also walks two enums, in Python: 12 % of a session went into it.
        return hash((self.symbol, self.expiry, self.strike, self.right is Right.CALL))

    @property
    def is_option(self) -> bool:
        return self.right is not None

    @property
    def label(self) -> str:
        """The trader's name of it: `SPXW 20261118 5940C`, or the bare symbol."""
        if self.right is None:
            return f"{self.symbol} {self.expiry}".strip()
        strike = f"{self.strike.normalize():f}"
        return f"{self.trading_class or self.symbol} {self.expiry} {strike}{self.right.value}"


def underlying_contract(instrument: Instrument, expiry: str = "") -> Contract:
    """The contract of the instrument itself; futures need the pinned expiry."""
    return Contract(
        instrument.symbol, instrument.sec_type, expiry=expiry, trading_class=instrument.symbol,
        multiplier=instrument.multiplier, exchange=instrument.exchange,
    )  # fmt: skip


def option_contract(instrument: Instrument, expiry: str, strike: Decimal, right: Right) -> Contract:
    """An option of `instrument` in its default class. Raises ValueError where it has none."""
    if not instrument.has_options:
        raise ValueError(f"{instrument.symbol} has no options in the catalogue")
    sec_type = SecType.FUTURE_OPTION if instrument.sec_type is SecType.FUTURE else SecType.OPTION
    return Contract(
        instrument.symbol, sec_type, expiry, strike, right, instrument.option_class,
        instrument.option_multiplier, instrument.exchange,
    )  # fmt: skip
