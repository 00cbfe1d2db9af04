"""ADX: a trend stronger than the level, on the side of the larger directional index."""

from __future__ import annotations

from typing import Final

from station.scanners.family import Family, Marks, Params, marks
from station.scanners.study import Study


def _evaluate(study: Study, params: Params) -> Marks:
    """Holds on every bar with the ADX above `level`. The score grows with the ADX, full at `level` + 25."""
    adx, plus, minus = study.adx(params["period"])
    strong = adx > params["level"]
    return marks(strong & (plus > minus), strong & (minus > plus), lambda: (adx - params["level"]) / 25.0)


FAMILY: Final = Family("adx", {"period": 14, "level": 25}, ("period",), _evaluate)
