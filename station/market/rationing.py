"""When a broker's own words say that it rations what it gives: message rate, market data lines, pacing."""

from __future__ import annotations

from typing import Final

from station.domain.broker import NoticeReport
from station.domain.clock import SECOND

RATIONED: Final = frozenset({100, 101, 309, 420, 10190})
"""IBKR: over 50 messages a second; over the lines of market data, of depth, of tick-by-tick data; the pacing of
real-time requests. The pacing of history comes as 162, in words."""
PACING: Final = "pacing violation"
HELD_S: Final = 90
"""No message says that it is over: what is refused is asked for again within a minute, and refused anew."""


def rationed_until(notice: NoticeReport) -> int:
    """How long a feed counts as throttled after this notice, UTC ns; 0 where it says nothing of the kind."""
    said = notice.code in RATIONED or PACING in notice.text.lower()
    return notice.at_ns + HELD_S * SECOND if said else 0
