"""Splits and dividends: raw bars brought to one scale by factor rows.

A factor file is CSV without a header: `YYYYMMDD, price factor, split factor, reference price`. A row's factors
hold for trade dates after the row before it, up to and including its own (LEAN's factor files do so).
"""

from __future__ import annotations

import csv
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np

from station.calendars import Calendar, et_date
from station.domain.errors import BadInput
from station.domain.instruments import Hours
from station.series.aggregate import session_numbers
from station.series.bars import Bars

ADJUSTED = "adjusted"
RAW = "raw"


@dataclass(frozen=True, slots=True)
class Factors:
    """`days` ascending; for each, what prices are multiplied by for dividends (`price`), splits (`split`)."""

    days: tuple[date, ...]
    price: tuple[float, ...]
    split: tuple[float, ...]

    def on(self, day: date) -> tuple[float, float]:
        """Price and split factor of a trade date; after the last row, that row's."""
        row = min(bisect_left(self.days, day), len(self.days) - 1)
        return self.price[row], self.split[row]


def read_factors(path: Path) -> Factors:
    """Raises BadInput, naming file and line, for what is no ascending list of positive factors."""
    days: list[date] = []
    price: list[float] = []
    split: list[float] = []
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: factors cannot be read: {error}") from None
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        try:
            day = datetime.strptime(row[0], "%Y%m%d").date()  # noqa: DTZ007 - a trade date has no zone
            factors = float(row[1]), float(row[2])
        except (ValueError, IndexError):
            raise BadInput(
                f"{path}:{number}: {','.join(row)!r} is no factor row: write 20140606,0.90118,0.0357143,645.57"
            ) from None
        if not all(np.isfinite(factor) and factor > 0 for factor in factors):
            raise BadInput(f"{path}:{number}: factors {factors[0]:g} and {factors[1]:g} must be over 0")
        if days and day <= days[-1]:
            raise BadInput(f"{path}:{number}: {day} is not after {days[-1]}: sort the rows by date")
        days.append(day)
        price.append(factors[0])
        split.append(factors[1])
    if not days:
        raise BadInput(f"{path}: no factor row in it")
    return Factors(tuple(days), tuple(price), tuple(split))


def adjust(bars: Bars, factors: Factors, hours: Hours, calendar: Calendar, as_of: date | None = None) -> Bars:
    """Raw `bars` on one scale: prices × price factor × split factor, volume ÷ split factor.

    The scale is that of the last factor row, or with `as_of` that of the market on that day, so that adjusted
    history joins a raw stream without a step. Bars outside sessions take the factors of their day in New York.
    """
    opens = session_numbers(bars.start_ns, hours, calendar)
    anchors = np.where(opens >= 0, opens, bars.start_ns)
    unique, inverse = np.unique(anchors, return_inverse=True)
    base_price, base_split = factors.on(as_of) if as_of is not None else (1.0, 1.0)
    pairs = [factors.on(et_date(int(at_ns))) for at_ns in unique]
    split = np.array([pair[1] / base_split for pair in pairs])[inverse] if pairs else np.empty(0)
    price = np.array([pair[0] / base_price for pair in pairs])[inverse] * split if pairs else np.empty(0)
    return Bars(
        bars.start_ns, bars.open * price, bars.high * price, bars.low * price, bars.close * price,
        bars.volume / split,
    )  # fmt: skip
