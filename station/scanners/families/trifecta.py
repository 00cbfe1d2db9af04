"""Trifecta: price and its EMA, MACD and SMI ergodic all on one side."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.scanners.family import Family, Marks, Params, marks, ratio
from station.scanners.study import Study


def _evaluate(study: Study, params: Params) -> Marks:
    """CALL with the close over its EMA, MACD over its signal line and the SMI ergodic over its own; PUT with
    all three under. The score grows with the close's distance from the EMA, full at 2 ATR."""
    beyond = study.close - study.ema(params["ema"])
    line, signal, _ = study.macd(params["fast"], params["slow"], params["macd_signal"])
    smi = study.smi(params["long"], params["short"])
    smi_signal = study.smi_signal(params["long"], params["short"], params["smi_signal"])
    call = (beyond > 0) & (line > signal) & (smi > smi_signal)
    put = (beyond < 0) & (line < signal) & (smi < smi_signal)
    return marks(call, put, lambda: ratio(np.abs(beyond), 2.0 * study.atr(params["atr"])))


FAMILY: Final = Family(
    "trifecta",
    {
        "ema": 21, "fast": 12, "slow": 26, "macd_signal": 9, "long": 20, "short": 5, "smi_signal": 5, "atr": 14,
    },
    ("ema", "fast", "slow", "macd_signal", "long", "short", "smi_signal", "atr"),
    _evaluate,
)  # fmt: skip
