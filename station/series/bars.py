"""Bars in columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from station.domain.market import Bar

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Bars of one series, oldest first: starts in UTC ns, prices float64, volume in shares or contracts.

    Six one-dimensional arrays of equal length. Slices share memory with their source; treat all as read-only.
    """

    start_ns: Int64s
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    @staticmethod
    def empty() -> Bars:
        none = np.empty(0, np.float64)
        return Bars(np.empty(0, np.int64), none, none, none, none, none)

    @staticmethod
    def from_bars(bars: Iterable[Bar]) -> Bars:
        """The columns of `bars`, in the order given."""
        rows = tuple(bars)
        if not rows:
            return Bars.empty()
        starts = np.fromiter((row.start_ns for row in rows), np.int64, len(rows))
        values = np.array([row[1:] for row in rows], np.float64).T.copy()
        return Bars(starts, values[0], values[1], values[2], values[3], values[4])

    def to_bars(self) -> tuple[Bar, ...]:
        return tuple(map(Bar._make, zip(*(column.tolist() for column in self.columns), strict=True)))

    @property
    def columns(self) -> tuple[Int64s, Floats, Floats, Floats, Floats, Floats]:
        return self.start_ns, self.open, self.high, self.low, self.close, self.volume

    def __len__(self) -> int:
        return len(self.start_ns)

    def bar(self, index: int) -> Bar:
        """The bar at a position, negative from the end. Raises IndexError."""
        return Bar(
            int(self.start_ns[index]), float(self.open[index]), float(self.high[index]),
            float(self.low[index]), float(self.close[index]), float(self.volume[index]),
        )  # fmt: skip

    def cut(self, first: int | None, stop: int | None) -> Bars:
        """The bars at positions `first` … `stop` − 1, as a view."""
        part = slice(first, stop)
        return Bars(
            self.start_ns[part], self.open[part], self.high[part],
            self.low[part], self.close[part], self.volume[part],
        )  # fmt: skip

    def take(self, rows: NDArray[np.bool_] | Int64s) -> Bars:
        """The bars under a mask, or at the positions given, as a copy."""
        return Bars(
            self.start_ns[rows], self.open[rows], self.high[rows],
            self.low[rows], self.close[rows], self.volume[rows],
        )  # fmt: skip

    def before(self, at_ns: int) -> Bars:
        """The bars that start before `at_ns`."""
        return self.cut(0, self.position(at_ns))

    def since(self, at_ns: int) -> Bars:
        """The bars that start at or after `at_ns`."""
        return self.cut(self.position(at_ns), None)

    def position(self, at_ns: int) -> int:
        """How many bars start before `at_ns`."""
        return int(np.searchsorted(self.start_ns, at_ns, side="left"))

    def same(self, other: Bars) -> bool:
        """Equal to the last bit in every column."""
        return all(np.array_equal(a, b) for a, b in zip(self.columns, other.columns, strict=True))


def concat(*parts: Bars) -> Bars:
    """The parts one after another, as given; no order is imposed."""
    if not parts:
        return Bars.empty()
    joined = [np.concatenate(columns) for columns in zip(*(part.columns for part in parts), strict=True)]
    return Bars(*joined)
