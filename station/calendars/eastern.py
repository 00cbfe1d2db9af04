"""Exchange time (America/New_York) to and from UTC nanoseconds."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from station.domain.clock import SECOND

ET: Final = ZoneInfo("America/New_York")


def at_et(day: date, clock: str | time) -> int:
    """UTC ns of an exchange time on a calendar day; `clock` is `HH:MM`, `HH:MM:SS` or a naive time.

    An hour that occurs twice (autumn) is its first; one that DST skips is read with winter's offset.
    Raises ValueError for a text that is no time.
    """
    moment = time.fromisoformat(clock) if isinstance(clock, str) else clock
    return int(datetime.combine(day, moment.replace(microsecond=0), ET).timestamp()) * SECOND


def et_date(at_ns: int) -> date:
    """The calendar day in New York; a futures session's trade date may be the next one."""
    return _in_new_york(at_ns).date()


def et_text(at_ns: int) -> str:
    """`HH:MM:SS` in New York, truncated to the second."""
    return f"{_in_new_york(at_ns):%H:%M:%S}"


def _in_new_york(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // SECOND, UTC).astimezone(ET)
