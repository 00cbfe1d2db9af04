"""Quotes of every listed contract as a pure function of the instant: the model's price, a spread, a size.

An underlying's options are priced anew at its *marks*: when it has moved 3 basis points, or four seconds have
passed. Between marks the book stands still.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from station.brokers.paper.draws import UInt64s, key, scrambled
from station.brokers.paper.listing import con_id, ticks_of
from station.brokers.paper.tape import Floats, Int64s, Tape, Ticks
from station.calendars import Calendar
from station.domain.clock import SECOND
from station.domain.instruments import INSTRUMENTS, Contract, SecType
from station.pricing import TradingTime, expiry_instant, expiry_vol, price_and_greeks, smile_vol, year_fraction

_HALF: Final = np.uint64(20)
MOVE: Final = 3e-4
QUIET_NS: Final = 4 * SECOND
LEAST_YEARS: Final = 1.0 / (365 * 86400)


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
        self.at_ns: list[int] = at_ns.tolist()
        self.price: list[float] = prints.price[rows].tolist()
        self.vol: list[float] = tape.volatility(at_ns).tolist() if len(rows) else []

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
        expiries = sorted({contract.expiry for contract in self.contracts if contract.is_option})
        for row, contract in enumerate(self.contracts):
            self._expiry[row] = expiries.index(contract.expiry) if contract.is_option else 0
        self._expire_ns = [expiry_instant(expiry, calendar) for expiry in expiries]
        self._trading = [TradingTime(calendar, tape.open_ns, at_ns) for at_ns in self._expire_ns]
        self._open_ns, self._span_ns = tape.open_ns, tape.close_ns - tape.open_ns
        self.symbol = self.contracts[0].symbol if count else ""
        self.underlying = 0.0
        self._tight, self._depth = _CHARACTER.get(self.symbol, (0.006, 60))
        rules = [ticks_of(contract) for contract in self.contracts]
        self._low = np.array([int(rule.steps[0][1] * 100) for rule in rules], np.int64)
        self._high = np.array([int(rule.steps[-1][1] * 100) for rule in rules], np.int64)
        self._edge = np.array([int(rule.steps[-1][0] * 100) for rule in rules], np.int64)

    def touches(self, at_ns: int, underlying: float, level: float) -> Board:
        """The whole panel's book at one mark."""
        self.underlying = underlying
        if not self._expire_ns:
            return self._plain(underlying)
        value, iv, slopes = self._model(at_ns, underlying, level)
        late = 1.0 + 8.0 * max((at_ns - self._open_ns) / self._span_ns - 0.9, 0.0)
        far = np.minimum(np.abs(np.log(self._strike / underlying)) * 30.0, 1.5)
        half = value * self._option * (1.0 + far) * (self._tight * late * 100.0)
        cents = value * 100.0
        bid = self._rounded(np.maximum(cents - half, 0.0), np.floor, 1e-6)
        ask = self._rounded(cents + half, np.ceil, -1e-6)
        ask = np.maximum(ask, bid + np.where(bid >= self._edge, self._high, self._low))
        stir = scrambled(self._key + (bid * 4099 + ask).astype(np.uint64))
        return Board(bid, ask, self._sizes(stir), self._sizes(stir >> _HALF), value, iv, slopes)

    def _plain(self, underlying: float) -> Board:
        """Instruments alone: a tick wide around their last price."""
        count = len(self.contracts)
        cents = np.full(count, underlying * 100.0)
        bid = self._rounded(cents, np.floor, 1e-6)
        ask = bid + self._low
        stir = scrambled(self._key + (bid * 4099 + ask).astype(np.uint64))
        none = np.zeros(count)
        slopes = (np.ones(count), none, none, none)
        return Board(bid, ask, self._sizes(stir), self._sizes(stir >> _HALF), cents / 100.0, none, slopes)

    def _sizes(self, stir: UInt64s) -> Int64s:
        share = 0.15 + (stir % np.uint64(1000)).astype(np.float64) / 600.0
        return np.maximum((self._depth * share).astype(np.int64), 1)

    def _model(self, at_ns: int, underlying: float, level: float) -> tuple[Floats, Floats, tuple[Floats, ...]]:
        years_by, vol_by = self._terms(at_ns, level)
        years, base = years_by[self._expiry], vol_by[self._expiry]
        iv = smile_vol(underlying, self._strike, years, base)
        value, slopes = price_and_greeks(underlying, self._strike, years, iv, self._call)
        if self._option.all():
            return value, iv, slopes
        plain = ~self._option
        value[plain], iv[plain] = underlying, 0.0
        for column, own in zip(slopes, (1.0, 0.0, 0.0, 0.0), strict=True):
            column[plain] = own
        return value, iv, slopes

    def _terms(self, at_ns: int, level: float) -> tuple[Floats, Floats]:
        years = [max(year_fraction(at_ns, expire_ns), LEAST_YEARS) for expire_ns in self._expire_ns]
        vols = [
            max(expiry_vol(level, trading.years(at_ns), span), 0.01)
            for trading, span in zip(self._trading, years, strict=True)
        ]
        return np.array(years), np.array(vols)

    def _rounded(self, cents: Floats, mode: np.ufunc, slack: float) -> Int64s:
        step = np.where(cents >= self._edge, self._high, self._low)
        return (mode(cents / step + slack) * step).astype(np.int64)


_CHARACTER: Final = {"SPX": (0.005, 40), "SPY": (0.006, 250), "ES": (0.003, 30)}
"""Relative half-spread at the money, and the usual size shown."""


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


class Quoter:
    """The book of any contracts at any instant of the session; it keeps nothing but the marks."""

    def __init__(self, tape: Tape, calendar: Calendar) -> None:
        self._tape = tape
        self._calendar = calendar
        self._marks: dict[str, Marks] = {}

    def marks(self, symbol: str) -> Marks:
        found = self._marks.get(symbol)
        if found is None:
            found = self._marks[symbol] = Marks(self._tape, symbol)
        return found

    def panel(self, contracts: Sequence[Contract]) -> Panel:
        return Panel(contracts, self._tape, self._calendar)

    def board(self, panel: Panel, symbol: str, mark: int) -> Board:
        marks = self.marks(symbol)
        return panel.touches(marks.at_ns[mark], marks.price[mark], marks.vol[mark])

    def touches(self, contracts: Sequence[Contract], now_ns: int) -> dict[Contract, Touch]:
        """The book of each contract at an instant; those whose market has not opened are left out."""
        found: dict[Contract, Touch] = {}
        groups: dict[str, list[Contract]] = {}
        for contract in contracts:
            groups.setdefault(contract.symbol, []).append(contract)
        for symbol, group in groups.items():
            mark = self.marks(symbol).at(now_ns)
            if mark >= 0:
                panel = self.panel(group)
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
    """Whether orders in it are taken: options and shares, not indices or futures."""
    return contract.is_option or INSTRUMENTS[contract.symbol].sec_type is SecType.STOCK
