"""Quotes of every listed contract as a pure function of the instant: the model's price, a spread, a size.

An underlying's options are priced anew at its *marks*: when it has moved 3 basis points, or four seconds have
passed. Between marks the book stands still.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from station.brokers.paper.classes import RATE, Exercise, exercise, in_the_morning
from station.brokers.paper.draws import UInt64s, key, scramble, scrambled
from station.brokers.paper.listing import con_id, ticks_of
from station.brokers.paper.tape import Floats, Int64s, Tape, Ticks
from station.brokers.paper.universe import character, listed, volatility_ratio
from station.calendars import Calendar
from station.domain.clock import SECOND
from station.domain.instruments import Contract, SecType
from station.pricing import (
    GRACE_YEARS,
    USUAL_LEVEL,
    TradingTime,
    early_exercise,
    expiry_instant,
    expiry_vol,
    price_and_greeks,
    smile_vol,
    term_level,
    year_fraction,
)

_HALF: Final = np.uint64(20)
MOVE: Final = 3e-4
QUIET_NS: Final = 4 * SECOND
_CALM_LEVEL: Final = 0.24
LEAST_YEARS: Final = 1.0 / (365 * 86400)


Top = tuple[int, int, int, int]


def stress(level: float) -> float:
    """How much wider spreads are than usual at a volatility level: 1 up to 24 %, 1.5 at 34 %, 3 at 64 %."""
    return 1.0 + 5.0 * max(level - _CALM_LEVEL, 0.0)


class Touch(NamedTuple):
    """Top of book in cents, 0 where a side is absent; `mid` is the model's price in dollars."""

    bid: int
    ask: int
    bid_size: int
    ask_size: int
    mid: float
    iv: float
    delta: float
    gamma: float
    theta: float
    vega: float


class Marks:
    """When an underlying's book changes, and what it and the volatility level are then."""

    def __init__(self, tape: Tape, symbol: str) -> None:
        prints = tape.ticks(symbol)
        first, stop = np.searchsorted(prints.at_ns, (tape.open_ns, tape.close_ns))
        rows = _chosen(prints, int(first), int(stop))
        at_ns = prints.at_ns[rows]
        self.at_ns: Sequence[int] = at_ns.data
        self.price: Sequence[float] = prints.price[rows].data
        ratio = volatility_ratio(symbol) if tape.kind == "paper" else 1.0
        self.vol: Sequence[float] = (ratio * tape.volatility(at_ns)).data if len(rows) else ()

    def at(self, now_ns: int) -> int:
        """Which mark holds at an instant, −1 before the first."""
        return bisect_right(self.at_ns, now_ns) - 1


def _chosen(prints: Ticks, first: int, stop: int) -> Int64s:
    rows: list[int] = []
    last_ns, last = 0, 0.0
    pairs = zip(prints.at_ns[first:stop].tolist(), prints.price[first:stop].tolist(), strict=True)
    for row, (at_ns, price) in enumerate(pairs, first):
        if at_ns - last_ns >= QUIET_NS or abs(price - last) >= MOVE * last:
            rows.append(row)
            last_ns, last = at_ns, price
    return np.array(rows, np.int64)


class Panel:
    """Contracts of one underlying, priced together."""

    def __init__(self, contracts: Sequence[Contract], tape: Tape, calendar: Calendar) -> None:
        self.contracts = tuple(contracts)
        self.row = {contract: row for row, contract in enumerate(self.contracts)}
        count = len(self.contracts)
        self._option = np.array([contract.is_option for contract in self.contracts], np.bool_)
        self._strike = np.array([float(c.strike) if c.is_option else 1.0 for c in self.contracts])
        self._call = np.array([c.right is not None and c.right.value == "C" for c in self.contracts], np.bool_)
        self._key = np.array([key("size", tape.seed, con_id(c)) for c in self.contracts], np.uint64)
        self._expiry = np.zeros(count, np.int64)
        ends = {contract: _end(contract) for contract in self.contracts if contract.is_option}
        expiries = sorted(set(ends.values()))
        for contract, end in ends.items():
            self._expiry[self.row[contract]] = expiries.index(end)
        self._expire_ns = [expiry_instant(day, calendar, morning=morning) for day, morning in expiries]
        self._trading = [TradingTime(calendar, tape.open_ns, at_ns) for at_ns in self._expire_ns]
        self._open_ns, self._span_ns = tape.open_ns, tape.close_ns - tape.open_ns
        self.symbol = self.contracts[0].symbol if count else ""
        self.underlying = 0.0
        instrument = listed(self.symbol) if count else None
        self._exercise = exercise(instrument) if instrument else Exercise(american=False, carry=0.0)
        seeded = tape.kind == "paper"
        self._ratio = volatility_ratio(self.symbol) if seeded else 1.0
        shares = (
            instrument is not None and instrument.sec_type is SecType.STOCK and self.symbol not in _TICK_WIDE
        )
        self._half_spread = character(self.symbol).half_spread * 1e-4 if shares and seeded else 0.0
        self._tight, self._depth = _CHARACTER.get(self.symbol, _OTHERS if seeded else (0.006, 60))
        rules = [ticks_of(contract) for contract in self.contracts]
        self._low = np.array([int(rule.steps[0][1] * 100) for rule in rules], np.int64)
        self._high = np.array([int(rule.steps[-1][1] * 100) for rule in rules], np.int64)
        self._edge = np.array([int(rule.steps[-1][0] * 100) for rule in rules], np.int64)

    def touches(self, at_ns: int, underlying: float, level: float) -> Board | Lone:
        """The whole panel's book at one mark."""
        self.underlying = underlying
        if not self._expire_ns:
            return self._lone(underlying, level)
        value, iv, slopes = self._model(at_ns, underlying, level)
        late = 1.0 + 8.0 * max((at_ns - self._open_ns) / self._span_ns - 0.9, 0.0)
        far = np.minimum(np.abs(np.log(self._strike / underlying)) * (30.0 / max(self._ratio, 1.0)), 1.5)
        half = value * self._option * (1.0 + far) * (self._tight * late * 100.0)
        cents = value * 100.0
        if self._half_spread:
            half += np.where(self._option, 0.0, cents * self._half_spread)
        half *= stress(level / self._ratio)
        bid = self._rounded(np.maximum(cents - half, 0.0), np.floor, 1e-6)
        ask = self._rounded(cents + half, np.ceil, -1e-6)
        ask = np.maximum(ask, bid + np.where(bid >= self._edge, self._high, self._low))
        stir = scrambled(self._key + (bid * 4099 + ask).astype(np.uint64))
        return Board(bid, ask, self._sizes(stir), self._sizes(stir >> _HALF), value, iv, slopes)

    def _lone(self, underlying: float, level: float) -> Lone:
        """The instrument alone: around its last price, at least a tick wide."""
        cents = underlying * 100.0
        half = cents * self._half_spread * stress(level / self._ratio)
        step = int(self._low[0])
        bid = max(math.floor((cents - half) / step + 1e-6) * step, 0)
        ask = max(math.ceil((cents + half) / step - 1e-6) * step, bid + step)
        stir = scramble(int(self._key[0]) + bid * 4099 + ask)
        return Lone(bid, ask, self._size(stir), self._size(stir >> 20), underlying)

    def _size(self, stir: int) -> int:
        return max(int(self._depth * (0.15 + stir % 1000 / 600.0)), 1)

    def _sizes(self, stir: UInt64s) -> Int64s:
        share = 0.15 + (stir % np.uint64(1000)).astype(np.float64) / 600.0
        return np.maximum((self._depth * share).astype(np.int64), 1)

    def _model(self, at_ns: int, underlying: float, level: float) -> tuple[Floats, Floats, tuple[Floats, ...]]:
        years_by, vol_by = self._terms(at_ns, level)
        years, base = years_by[self._expiry], vol_by[self._expiry]
        beyond = np.maximum(years - GRACE_YEARS, 0.0)
        if not beyond.any():
            iv = smile_vol(underlying, self._strike, years, base)
            value, slopes = price_and_greeks(underlying, self._strike, years, iv, self._call)
        else:
            value, iv, slopes = self._carried(underlying, years, beyond, base)
        if self._option.all():
            return value, iv, slopes
        plain = ~self._option
        value[plain], iv[plain] = underlying, 0.0
        for column, own in zip(slopes, (1.0, 0.0, 0.0, 0.0), strict=True):
            column[plain] = own
        return value, iv, slopes

    def _carried(
        self, underlying: float, years: Floats, beyond: Floats, base: Floats
    ) -> tuple[Floats, Floats, tuple[Floats, ...]]:
        """With carry, discount and the right of early exercise over the time `beyond` the last week."""
        american, carry = self._exercise
        forward, discount = underlying * np.exp(carry * beyond), np.exp(-RATE * beyond)
        iv = smile_vol(forward, self._strike, years, base)
        value, (delta, gamma, vega, theta) = price_and_greeks(forward, self._strike, years, iv, self._call)
        grown = forward / underlying
        value = value * discount
        slopes = (delta * discount * grown, gamma * discount * grown * grown, vega * discount, theta * discount)
        if american:
            share = beyond / years
            right = early_exercise(underlying, self._strike, years, RATE * share, carry * share, iv, self._call)
            intrinsic = np.where(self._call, underlying - self._strike, self._strike - underlying)
            value = np.maximum(value + right.value, intrinsic)
            slopes = (slopes[0] + right.delta, *(np.where(right.now, 0.0, column) for column in slopes[1:]))
        return value, iv, slopes

    def _terms(self, at_ns: int, level: float) -> tuple[Floats, Floats]:
        years = [max(year_fraction(at_ns, expire_ns), LEAST_YEARS) for expire_ns in self._expire_ns]
        usual = USUAL_LEVEL * self._ratio
        vols = [
            max(expiry_vol(term_level(level, span, usual), trading.years(at_ns), span), 0.01)
            for trading, span in zip(self._trading, years, strict=True)
        ]
        return np.array(years), np.array(vols)

    def _rounded(self, cents: Floats, mode: np.ufunc, slack: float) -> Int64s:
        step = np.where(cents >= self._edge, self._high, self._low)
        return (mode(cents / step + slack) * step).astype(np.int64)


_TICK_WIDE: Final = frozenset(("SPY", "QQQ"))
_OTHERS: Final = (0.012, 45)
_CHARACTER: Final = {
    "SPX": (0.005, 40), "SPY": (0.006, 250), "ES": (0.003, 30), "QQQ": (0.007, 180), "IWM": (0.009, 110),
    "NQ": (0.006, 12), "NVDA": (0.008, 200), "AAPL": (0.008, 160), "TSLA": (0.008, 150),
}  # fmt: skip
"""Relative half-spread at the money, and the usual size shown."""


def _end(contract: Contract) -> tuple[str, bool]:
    """When it ends: its date, and whether in the morning."""
    return contract.expiry, in_the_morning(contract)


class Board(NamedTuple):
    """A panel's book in columns: cents, sizes, model values in dollars, volatilities, greeks."""

    bid: Int64s
    ask: Int64s
    bid_size: Int64s
    ask_size: Int64s
    mid: Floats
    iv: Floats
    slopes: tuple[Floats, ...]

    def touch(self, row: int) -> Touch:
        delta, gamma, vega, theta = (float(column[row]) for column in self.slopes)
        return Touch(
            int(self.bid[row]), int(self.ask[row]), int(self.bid_size[row]), int(self.ask_size[row]),
            float(self.mid[row]), float(self.iv[row]), delta, gamma, theta, vega,
        )  # fmt: skip

    def tops(self) -> list[Top]:
        """(bid, ask, bid size, ask size) by row."""
        columns = (self.bid.tolist(), self.ask.tolist(), self.bid_size.tolist(), self.ask_size.tolist())
        return list(zip(*columns, strict=True))

    def greeks(self) -> list[list[float]]:
        """[volatility, delta, gamma, vega, theta] by row."""
        return np.column_stack((self.iv, *self.slopes)).tolist()

    def without_bids(self) -> Board:
        return self._replace(bid=np.zeros_like(self.bid))


class Lone(NamedTuple):
    """The book of an instrument without any option beside it: what `Board` says, for one row."""

    bid: int
    ask: int
    bid_size: int
    ask_size: int
    mid: float

    def touch(self, row: int) -> Touch:
        return Touch(self.bid, self.ask, self.bid_size, self.ask_size, self.mid, 0.0, 1.0, 0.0, 0.0, 0.0)

    def tops(self) -> list[Top]:
        return [self[:4]]

    def greeks(self) -> list[list[float]]:
        return []

    def without_bids(self) -> Lone:
        return self._replace(bid=0)


_MARKS: Final[WeakKeyDictionary[Tape, dict[str, Marks]]] = WeakKeyDictionary()
"""Every quoter of a tape reads the same marks."""


@dataclass(slots=True)
class _Single:
    panel: Panel
    mark: int = -1
    touch: Touch | None = None


class Quoter:
    """The book of any contracts at any instant of the session; it keeps nothing but the marks, of single
    contracts what it worked out last, and the last group that was asked for of each symbol."""

    def __init__(self, tape: Tape, calendar: Calendar) -> None:
        self._tape = tape
        self._calendar = calendar
        self._marks = _MARKS.setdefault(tape, {})
        self._single: dict[Contract, _Single] = {}
        self._group: dict[str, Panel] = {}

    def marks(self, symbol: str) -> Marks:
        found = self._marks.get(symbol)
        if found is None:
            found = self._marks[symbol] = Marks(self._tape, symbol)
        return found

    def panel(self, contracts: Sequence[Contract]) -> Panel:
        return Panel(contracts, self._tape, self._calendar)

    def board(self, panel: Panel, symbol: str, mark: int) -> Board | Lone:
        marks = self.marks(symbol)
        return panel.touches(marks.at_ns[mark], marks.price[mark], marks.vol[mark])

    def touch(self, contract: Contract, now_ns: int) -> Touch | None:
        """The book of one contract at an instant; None before its market opens."""
        mark = self.marks(contract.symbol).at(now_ns)
        if mark < 0:
            return None
        single = self._single.get(contract)
        if single is None:
            single = self._single[contract] = _Single(self.panel((contract,)))
        if single.mark != mark:
            single.mark, single.touch = mark, self.board(single.panel, contract.symbol, mark).touch(0)
        return single.touch

    def touches(self, contracts: Sequence[Contract], now_ns: int) -> dict[Contract, Touch]:
        """The book of each contract at an instant; those whose market has not opened are left out."""
        found: dict[Contract, Touch] = {}
        groups: dict[str, list[Contract]] = {}
        for contract in contracts:
            groups.setdefault(contract.symbol, []).append(contract)
        for symbol, group in groups.items():
            mark = self.marks(symbol).at(now_ns)
            if mark >= 0:
                panel = self._group.get(symbol)
                if panel is None or panel.contracts != tuple(group):
                    panel = self._group[symbol] = self.panel(group)
                board = self.board(panel, symbol, mark)
                found |= {contract: board.touch(row) for row, contract in enumerate(group)}
        return found


_CENTS: dict[int, Decimal] = {}


def dollars(cents: int) -> Decimal:
    """Cents as dollars with two places."""
    found = _CENTS.get(cents)
    if found is None:
        found = _CENTS[cents] = Decimal(cents).scaleb(-2)
    return found


def tradable(contract: Contract) -> bool:
    """Whether orders in it are taken: everything but an index, which is only its options' underlying."""
    return contract.is_option or listed(contract.symbol).sec_type is not SecType.INDEX
