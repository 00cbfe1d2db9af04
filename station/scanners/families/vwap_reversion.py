"""VWAP reversion: price was stretched from the session's VWAP, the RSI agrees, and it turns back."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.scanners.family import Family, Marks, Params, before, marks, ratio
from station.scanners.sessions import follows_in_session, vwap
from station.scanners.study import Floats, Study


def _evaluate(study: Study, params: Params) -> Marks:
    """CALL where the close before was more than `stretch` σ under the VWAP with its RSI at or below `low`, and
    this close is higher with a higher RSI; PUT the mirror with `high`. The score grows with the stretch, full
    at twice `stretch`."""
    rows = len(study)
    centre, sigma = vwap(study)
    rsi, close = study.rsi(params["rsi"]), study.close
    stretch = np.divide(close - centre, sigma, out=np.zeros(rows), where=sigma > 0)
    was: Floats = np.zeros(rows)
    was[1:] = np.where(follows_in_session(study)[1:], stretch[:-1], 0.0)
    came_rsi, came = before(rsi), before(close)
    call = (was < -params["stretch"]) & (came_rsi <= params["low"]) & (close > came) & (rsi > came_rsi)
    put = (was > params["stretch"]) & (came_rsi >= params["high"]) & (close < came) & (rsi < came_rsi)
    return marks(call, put, lambda: ratio(np.abs(was) - params["stretch"], np.full(rows, params["stretch"])))


FAMILY: Final = Family("vwap_reversion", {"stretch": 2, "rsi": 14, "low": 30, "high": 70}, ("rsi",), _evaluate)
