"""Fibonacci: the close inside the retracement zone of the last confirmed swing, in the swing's direction."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.scanners.family import Family, Marks, Params, marks
from station.scanners.study import Study
from station.scanners.swings import swings


def _evaluate(study: Study, params: Params) -> Marks:
    """CALL inside the zone of an upswing, PUT inside that of a downswing, edges included. The score is full in
    the middle of the zone and 50 at its edges."""
    swing = swings(study, params["pivot"])
    low, high = params["low"], params["high"]
    span = swing.tip - swing.base
    retraced = np.divide(swing.tip - study.close, span, out=np.full(len(span), np.nan), where=span != 0)
    inside = (retraced >= low) & (retraced <= high)
    half = max((high - low) / 2.0, 1e-9)
    return marks(
        inside & (span > 0), inside & (span < 0), lambda: 1.0 - np.abs(retraced - (low + high) / 2.0) / half
    )  # fmt: skip


FAMILY: Final = Family("fibonacci", {"pivot": 5, "low": 0.382, "high": 0.618}, ("pivot",), _evaluate)
