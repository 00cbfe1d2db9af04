"""The volatility that options are priced from where the market is a recorded one."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.brokers.paper.tape import Floats, Int64s, Ticks

UNKNOWN_LEVEL: Final = 0.16


def vix_level(prints: Ticks, standing: float, at_ns: Int64s) -> Floats:
    """Per year, at each instant: the VIX's last print / 100, `standing` before its first."""
    if len(prints) == 0:
        return np.full(len(at_ns), standing)
    seen = np.searchsorted(prints.at_ns, at_ns, side="right") - 1
    level = prints.price[np.maximum(seen, 0)] / 100.0
    return np.where(seen >= 0, level, standing)
