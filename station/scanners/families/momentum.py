"""Momentum: the SMI ergodic beyond its level and still going that way."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.scanners.family import Family, Marks, Params, before, marks
from station.scanners.study import Study


def _evaluate(study: Study, params: Params) -> Marks:
    """CALL above +`level` and rising, PUT below −`level` and falling. The score grows with the distance beyond
    the level, full at 100."""
    line = study.smi(params["long"], params["short"])
    level = params["level"]
    came = before(line)
    return marks(
        (line > level) & (line > came), (line < -level) & (line < came),
        lambda: (np.abs(line) - level) / max(100.0 - level, 1.0),
    )  # fmt: skip


FAMILY: Final = Family(
    "momentum", {"long": 20, "short": 5, "signal": 5, "level": 40}, ("long", "short", "signal"), _evaluate
)
