"""Zone breakout: the close leaves the consolidation box of the bars before it."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.scanners.family import Family, Marks, Params, before, marks, ratio
from station.scanners.study import Study


def _evaluate(study: Study, params: Params) -> Marks:
    """The box is the high and low of the `bars` bars before this one, and counts where it is under `height`
    times the ATR known when it was complete. The score grows with the close's distance outside, full at 1 ATR.
    """
    top, bottom = before(study.highest(params["bars"])), before(study.lowest(params["bars"]))
    atr = before(study.atr(params["atr"]))
    tight = top - bottom < params["height"] * atr
    close = study.close
    return marks(
        tight & (close > top), tight & (close < bottom),
        lambda: ratio(np.fmax(close - top, bottom - close), atr),
    )  # fmt: skip


FAMILY: Final = Family("zone_breakout", {"bars": 20, "height": 2, "atr": 14}, ("bars", "atr"), _evaluate)
