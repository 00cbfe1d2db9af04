"""MACD: the line crosses its signal line."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.scanners.family import Family, Marks, Params, crossed_above, marks, ratio
from station.scanners.study import Floats, Study


def _evaluate(study: Study, params: Params) -> Marks:
    """The score grows with how steeply the histogram turned on this bar, full at a tenth of an ATR."""
    line, signal, histogram = study.macd(params["fast"], params["slow"], params["signal"])
    up, down = crossed_above(line, signal), crossed_above(signal, line)

    def steepness() -> Floats:
        turn = np.zeros(len(study))
        turn[1:] = np.abs(histogram[1:] - histogram[:-1])
        return ratio(turn, 0.1 * study.atr(params["atr"]))

    return marks(up, down, steepness)


FAMILY: Final = Family(
    "macd", {"fast": 12, "slow": 26, "signal": 9, "atr": 14}, ("fast", "slow", "signal", "atr"), _evaluate
)
