"""Closed bars against a second source: two feeds that disagree are a reason not to trust either (SPEC §2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from station.domain.clock import utc_text
from station.series import Bars


@dataclass(frozen=True, slots=True)
class Compared:
    """How many bars were compared, how many closes differ by more than the limit, and the worst, percent."""

    checked: int
    beyond: int
    worst_pct: float
    worst_start_ns: int

    def text(self, symbol: str, source: str, limit_pct: float) -> str:
        """One line for an alert."""
        when = utc_text(self.worst_start_ns)[11:19]
        return (
            f"{symbol} differs from {source} by {self.worst_pct:.2f} % at {when}Z "
            f"({self.beyond} of {self.checked} bars over {limit_pct:g} %)"
        )


def compare(ours: Bars, theirs: Bars, limit_pct: float) -> Compared:
    """Closes of the bars that both have; a difference is in percent of theirs. Both ascending."""
    at = np.searchsorted(theirs.start_ns, ours.start_ns)
    inside = at < len(theirs)
    rows = np.flatnonzero(inside)
    rows = rows[theirs.start_ns[at[rows]] == ours.start_ns[rows]]
    if len(rows) == 0:
        return Compared(0, 0, 0.0, 0)
    their_close = theirs.close[at[rows]]
    off = 100.0 * np.abs(ours.close[rows] / their_close - 1.0)
    worst = int(np.argmax(off))
    beyond = int(np.count_nonzero(off > limit_pct))
    return Compared(len(rows), beyond, float(off[worst]), int(ours.start_ns[rows[worst]]))
