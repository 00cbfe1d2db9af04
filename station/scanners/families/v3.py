"""EMA cross ("V3"): the fast EMA crosses the slow one on this bar, with price beyond a trend EMA."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.scanners.family import Family, Marks, Params, crossed_above, marks, ratio
from station.scanners.study import Study


def _evaluate(study: Study, params: Params) -> Marks:
    """The score grows with the close's distance from the trend EMA, full at 3 ATR."""
    fast, slow, trend = (study.ema(params[name]) for name in ("fast", "slow", "trend"))
    beyond = study.close - trend
    call = crossed_above(fast, slow) & (beyond > 0)
    put = crossed_above(slow, fast) & (beyond < 0)
    return marks(call, put, lambda: ratio(np.abs(beyond), 3.0 * study.atr(params["atr"])))


FAMILY: Final = Family(
    "v3", {"fast": 9, "slow": 21, "trend": 200, "atr": 14}, ("fast", "slow", "trend", "atr"), _evaluate
)
