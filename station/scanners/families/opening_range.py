"""Opening range: the close breaks the session's first minutes after a wait, with more volume than usual."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.domain.clock import MINUTE
from station.scanners.family import Family, Marks, Params, marks, ratio
from station.scanners.sessions import in_session, opening_range
from station.scanners.study import Study


def _evaluate(study: Study, params: Params) -> Marks:
    """CALL where the close is above the range of the first `range_min` minutes and the one before was not, PUT
    below; not before `wait_min` minutes have passed, whose first bar needs no bar inside before it. The bar's
    volume must be `volume` times the mean of the `volume_bars` before it; an index has none, and needs none.
    `anchor_min` moves the opening within the session (futures: 930 is 09:30). The score grows with the close's
    distance outside, full at one height of the range.
    """
    rows = len(study)
    high, low, over_ns = opening_range(study, params["anchor_min"], params["range_min"])
    if not high > low:
        return Marks(np.zeros(rows, np.int8), np.zeros(rows, np.int16))
    starts, close = study.bars.start_ns[study.lead :], study.close
    from_ns = over_ns + round((params["wait_min"] - params["range_min"]) * MINUTE)
    ripe = in_session(study) & (starts >= max(from_ns, over_ns))
    above, below = close > high, close < low
    usual = study.mean_volume(params["volume_bars"])
    expanded = np.zeros(rows, np.bool_)
    expanded[1:] = study.bars.volume[study.lead + 1 :] >= params["volume"] * usual[:-1]
    was_above, was_below = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    was_above[1:], was_below[1:] = ripe[:-1] & above[:-1], ripe[:-1] & below[:-1]
    return marks(
        ripe & expanded & above & ~was_above, ripe & expanded & below & ~was_below,
        lambda: ratio(np.fmax(close - high, low - close), np.full(rows, high - low)),
    )  # fmt: skip


FAMILY: Final = Family(
    "opening_range",
    {"range_min": 5, "wait_min": 10, "volume": 1.2, "volume_bars": 20, "anchor_min": 0},
    ("volume_bars",),
    _evaluate,
)
