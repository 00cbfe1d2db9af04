"""Time window ("goldback"): the block before gives two levels, swept and reversed, or broken and retested."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from station.scanners.family import Family, Marks, Params, before, marks, ratio
from station.scanners.sessions import Flags, blocks
from station.scanners.study import Floats, Study

SCALES_MIN: Final = (5.0, 240.0, 1440.0)
"""The blocks of the specification: 5 minutes, 4 hours, the session."""


def _evaluate(study: Study, params: Params) -> Marks:
    """Inside blocks of `block_min` minutes (1440: sessions), against the high and low of the block before:

    - sweep and reverse: the bar, or the close before it, went beyond the level, and this close is back inside;
    - break and retest: a close of this block was beyond the level, the bar before stayed wholly beyond it, and
      this bar touches it and closes beyond it again.

    `sweeps` and `retests` choose. The score grows with the close's distance from the level (half of it, full at
    1 ATR), and with each other scale whose middle the close is on the same side of (the other half).
    """
    block = blocks(study, params["block_min"])
    rows, lead, close = len(study), study.lead, study.close
    high, low = study.bars.high[lead:], study.bars.low[lead:]
    same = np.zeros(rows, np.bool_)
    same[1:] = block.first[1:] == block.first[:-1]
    up_sweep = (close > block.low) & ((low < block.low) | (same & (before(close) < block.low)))
    down_sweep = (close < block.high) & ((high > block.high) | (same & (before(close) > block.high)))
    broke_up, broke_down = _broke(study, block.first, block.high, block.low)
    up_retest = broke_up & same & (before(low) > block.high) & (low <= block.high) & (close > block.high)
    down_retest = broke_down & same & (before(high) < block.low) & (high >= block.low) & (close < block.low)
    sweeps, retests = bool(params["sweeps"]), bool(params["retests"])
    call = (sweeps & up_sweep) | (retests & up_retest)
    put = (sweeps & down_sweep) | (retests & down_retest)

    def strength() -> Floats:
        level = np.where(
            call, np.where(up_retest, block.high, block.low), np.where(down_retest, block.low, block.high)
        )
        reach = np.fmin(ratio(np.abs(close - level), study.atr(params["atr"])), 1.0)
        return 0.5 * reach + 0.5 * _alignment(study, params["block_min"], call)

    return marks(call, put, strength)


def _broke(study: Study, first: NDArray[np.int64], high: Floats, low: Floats) -> tuple[Flags, Flags]:
    """Whether an earlier bar of the row's block closed above the level, and below it."""
    close = study.bars.close
    up, down = np.zeros(len(first), np.bool_), np.zeros(len(first), np.bool_)
    begins = np.flatnonzero(np.diff(first, prepend=-1))
    for row, stop in zip(begins.tolist(), [*begins.tolist()[1:], len(first)], strict=True):
        start = int(first[row])
        inside = close[start : study.lead + stop - 1]
        skip = study.lead + row - start
        if len(inside):
            tops, bottoms = np.maximum.accumulate(inside), np.minimum.accumulate(inside)
            own = slice(row if skip else row + 1, stop)
            seen = slice(max(skip - 1, 0), None)
            up[own], down[own] = tops[seen] > high[row], bottoms[seen] < low[row]
    return up, down


def _alignment(study: Study, own_min: float, call: Flags) -> Floats:
    """The share of the other scales whose block before has its middle behind the close."""
    others = [scale for scale in SCALES_MIN if scale != own_min]
    agreed = np.zeros(len(study))
    for scale in others:
        block = blocks(study, scale)
        middle = (block.high + block.low) / 2.0
        agreed += np.where(call, study.close > middle, study.close < middle)
    return agreed / len(others)


FAMILY: Final = Family("goldback", {"block_min": 5, "sweeps": 1, "retests": 1, "atr": 14}, ("atr",), _evaluate)
