"""RSI: it leaves the oversold or the overbought zone."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.scanners.family import Family, Marks, Params, crossed_above, marks
from station.scanners.study import Floats, Study


def _evaluate(study: Study, params: Params) -> Marks:
    """CALL where the RSI rises through `low`, PUT where it falls through `high`. The score grows with the step
    that took it out, full at 10 points."""
    rsi = study.rsi(params["period"])
    low, high = np.full(len(rsi), params["low"]), np.full(len(rsi), params["high"])

    def step() -> Floats:
        moved = np.zeros(len(rsi))
        moved[1:] = np.abs(rsi[1:] - rsi[:-1])
        return moved / 10.0

    return marks(crossed_above(rsi, low), crossed_above(high, rsi), step)


FAMILY: Final = Family("rsi", {"period": 14, "low": 30, "high": 70}, ("period",), _evaluate)
