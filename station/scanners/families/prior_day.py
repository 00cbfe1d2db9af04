"""Prior day levels: a break, or a rejection, of yesterday's high, low or close."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.scanners.family import Family, Marks, Params, before, marks, ratio
from station.scanners.sessions import follows_in_session, prior_session
from station.scanners.study import Study


def _evaluate(study: Study, params: Params) -> Marks:
    """A break is a close on the other side of the level than the close before it. A rejection is a bar that
    touches the level and closes back on the side it came from. `highs`, `lows` and `closes` choose the levels,
    `breaks` and `rejections` the events. The first bar of a session has no bar before it: a gap is no break.
    The score grows with the close's distance from the level, full at 1 ATR.
    """
    rows = len(study)
    prior = prior_session(study)
    call, put, reach = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_), np.zeros(rows)
    close, lead = study.close, study.lead
    high, low = study.bars.high[lead:], study.bars.low[lead:]
    inside = follows_in_session(study)
    came = before(close)
    for level, wanted in ((prior.high, "highs"), (prior.low, "lows"), (prior.close, "closes")):
        if not params[wanted]:
            continue
        up = inside & (close > level)
        down = inside & (close < level)
        broke = bool(params["breaks"])
        turned = bool(params["rejections"])
        rises = (broke & up & (came <= level)) | (turned & up & (came > level) & (low <= level))
        falls = (broke & down & (came >= level)) | (turned & down & (came < level) & (high >= level))
        call, put = call | rises, put | falls
        reach = np.where(rises | falls, np.fmax(reach, np.abs(close - level)), reach)
    return marks(call, put, lambda: ratio(reach, study.atr(params["atr"])))


FAMILY: Final = Family(
    "prior_day",
    {"highs": 1, "lows": 1, "closes": 1, "breaks": 1, "rejections": 1, "atr": 14},
    ("atr",),
    _evaluate,
)
