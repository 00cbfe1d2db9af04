"""Stochastic momentum: %K on its side of %D, beyond the band."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.scanners.family import Family, Marks, Params, marks
from station.scanners.study import Study


def _evaluate(study: Study, params: Params) -> Marks:
    """CALL with %K over %D and above `high`, PUT with %K under %D and below `low`; with `reversal` a CALL needs
    %K over %D below `low` and a PUT %K under %D above `high`. The score grows with the distance between %K and
    %D, full at 20 points."""
    k, d = study.stochastic(params["period"], params["slowing"], params["signal"])
    above, below = k > params["high"], k < params["low"]
    if params["reversal"]:
        above, below = below, above
    return marks((k > d) & above, (k < d) & below, lambda: np.abs(k - d) / 20.0)


FAMILY: Final = Family(
    "stochastic_momentum",
    {"period": 14, "slowing": 3, "signal": 3, "low": 20, "high": 80, "reversal": 0},
    ("period", "slowing", "signal"),
    _evaluate,
)
