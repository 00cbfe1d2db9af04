"""21/200: EMA21 crosses EMA200. With `invert` the sides change places: a VIX that crosses below is a CALL."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.scanners.family import Family, Marks, Params, crossed_above, marks, ratio
from station.scanners.study import Study


def _evaluate(study: Study, params: Params) -> Marks:
    """The score grows with the close's distance beyond the slow EMA, full at 2 ATR."""
    fast, slow = study.ema(params["fast"]), study.ema(params["slow"])
    up, down = crossed_above(fast, slow), crossed_above(slow, fast)
    call, put = (down, up) if params["invert"] else (up, down)
    return marks(call, put, lambda: ratio(np.abs(study.close - slow), 2.0 * study.atr(params["atr"])))


FAMILY: Final = Family(
    "cross_21_200", {"fast": 21, "slow": 200, "atr": 14, "invert": 0}, ("fast", "slow", "atr"), _evaluate
)  # fmt: skip
