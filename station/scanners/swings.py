"""Swings between pivots: what a retracement is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from station.scanners.study import Floats, Int64s, Study
from station.series import Bars
from station.series.indicators import plain

_MAX = plain("MAX")
_MIN = plain("MIN")


@dataclass(frozen=True, slots=True, eq=False)
class Swings:
    """The last confirmed swing as known at each row: `base` where it began and `tip` where it ended, in price,
    NaN while there is none. It is up where the tip is above the base."""

    base: Floats
    tip: Floats


def swings(study: Study, reach: float) -> Swings:
    """The last confirmed swing by pivots of `reach` bars each way.

    A pivot high is higher than every high of the `reach` bars before it and not lower than those after it, so
    it is known `reach` bars late; a low likewise. Of neighbouring pivots of one kind the most extreme counts.
    """
    return study.once(("swings", reach), lambda: _swings(study, int(reach)))


_LOOK_BACK: Final = 40
"""Reaches that nearly always hold the two runs of pivots that a swing needs; where they do not, all is read."""


def _swings(study: Study, reach: int) -> Swings:
    rows = np.arange(study.lead, len(study.bars))
    since = max(study.lead - _LOOK_BACK * reach, 0)
    at, price, kind = _pivots(study.bars.cut(since, None), reach)
    known = np.searchsorted(at + since + reach, rows, side="right") - 1
    if since and (len(known) == 0 or np.count_nonzero(np.diff(kind[: int(known[0]) + 1])) < 2):
        since = 0
        at, price, kind = _pivots(study.bars, reach)
        known = np.searchsorted(at + reach, rows, side="right") - 1
    if len(at) == 0 or len(rows) == 0:
        nothing = np.full(len(rows), np.nan)
        return Swings(nothing, nothing)
    base, tip = _legs(price, kind, max(int(known[0]), 0))
    seen, chosen = known >= 0, np.maximum(known, 0)
    return Swings(np.where(seen, base[chosen], np.nan), np.where(seen, tip[chosen], np.nan))


def _pivots(bars: Bars, reach: int) -> tuple[Int64s, Floats, Int64s]:
    """Positions, prices and kinds (+1 high, −1 low) of all pivots in the order of their bars. A bar that is
    both counts as its low and then its high where it rose, else the other way round."""
    count, width = len(bars), 2 * reach + 1
    if count < width:
        return np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64)
    middle = slice(reach, count - reach)
    before = slice(reach - 1, count - reach - 1)
    highest, lowest = _MAX(bars.high, width)[width - 1 :], _MIN(bars.low, width)[width - 1 :]
    left_high, left_low = _MAX(bars.high, reach)[before], _MIN(bars.low, reach)[before]
    tops = np.flatnonzero((bars.high[middle] == highest) & (bars.high[middle] > left_high)) + reach
    bottoms = np.flatnonzero((bars.low[middle] == lowest) & (bars.low[middle] < left_low)) + reach
    at = np.concatenate((tops, bottoms))
    kind = np.concatenate((np.ones(len(tops), np.int64), np.full(len(bottoms), -1, np.int64)))
    price = np.concatenate((bars.high[tops], bars.low[bottoms]))
    rose = (bars.close[at] >= bars.open[at]) * 2 - 1
    order = np.argsort(4 * at + kind * rose, kind="stable")
    return at[order], price[order], kind[order]


def _legs(price: Floats, kind: Int64s, first: int) -> tuple[Floats, Floats]:
    """Base and tip after each pivot from `first` on; NaN before it, and where nothing turned yet."""
    base, tip = np.full(len(price), np.nan), np.full(len(price), np.nan)
    turns = np.flatnonzero(np.diff(kind)) + 1
    run = int(np.searchsorted(turns, first, side="right"))
    begin = int(turns[run - 2]) if run >= 2 else 0
    last, extreme, came_from = 0, np.nan, np.nan
    for index, (value, side) in enumerate(
        zip(price[begin:].tolist(), kind[begin:].tolist(), strict=True), begin
    ):
        if side != last:
            came_from, extreme, last = extreme, value, side
        elif value * side > extreme * side:
            extreme = value
        base[index], tip[index] = came_from, extreme
    return base, tip
