"""Where history and live bars meet (SPEC §2), keyed by bar start. Pure.

Every version of a bar has a place in one total order; the merge keeps the greatest version of each start. That
makes it commutative, associative and idempotent, and it can only add starts, never remove one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from station.series import Bars, concat

KEPT_BEFORE_SESSION: Final = 2_000
"""Bars kept before the first bar of the current session: what every indicator starts from."""


class Origin(IntEnum):
    """How a bar came about, weakest first: from a stream with a hole in it, from the broker's history, from a
    whole stream."""

    PARTIAL = 0
    HISTORY = 1
    LIVE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Stamped:
    """Bars with the origin (int8, `Origin`) and receipt instant (int64, UTC ns) of each; starts ascending."""

    bars: Bars
    origin: NDArray[np.int8]
    received_ns: NDArray[np.int64]

    @staticmethod
    def of(bars: Bars, origin: Origin, received_ns: int) -> Stamped:
        count = len(bars)
        return Stamped(bars, np.full(count, origin, np.int8), np.full(count, received_ns, np.int64))

    def __len__(self) -> int:
        return len(self.bars)

    def cut(self, first: int, stop: int | None = None) -> Stamped:
        return Stamped(self.bars.cut(first, stop), self.origin[first:stop], self.received_ns[first:stop])


def merge(one: Stamped, other: Stamped) -> Stamped:
    """The union by start. Of two versions the stronger origin stays, then the later received, then the greater
    values, so that the order of arrival decides nothing."""
    bars = concat(one.bars, other.bars)
    origin = np.concatenate((one.origin, other.origin))
    received = np.concatenate((one.received_ns, other.received_ns))
    start, opened, high, low, close, volume = bars.columns
    order = np.lexsort((volume, close, low, high, opened, received, origin, start))
    ordered = start[order]
    last = np.ones(len(order), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=last[:-1])
    chosen = order[last]
    return Stamped(bars.take(chosen), origin[chosen], received[chosen])


def windowed(stamped: Stamped, session_open_ns: int) -> Stamped:
    """The last 2,000 bars before `session_open_ns`, the open of the newest bar's session, and that session."""
    first = stamped.bars.position(session_open_ns)
    return stamped.cut(max(0, first - KEPT_BEFORE_SESSION))
