"""A strategy's schedule: a cron expression in ET that names the minutes in which it may hunt."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any

from apscheduler.triggers.cron import CronTrigger

from station.calendars import ET
from station.domain.clock import to_datetime
from station.domain.errors import BadInput


def allows(expression: str, at_ns: int) -> bool:
    """Whether the minute of `at_ns` (UTC ns) is one that `expression` names; the empty one names all.
    Five fields: minute, hour, day, month, weekday. Raises BadInput for what is no cron expression."""
    if not expression.strip():
        return True
    minute = to_datetime(at_ns).astimezone(ET).replace(second=0, microsecond=0)
    due = _trigger(expression).get_next_fire_time(None, minute)
    return due is not None and due - minute < timedelta(minutes=1)


@lru_cache(maxsize=256)
def _trigger(expression: str) -> Any:
    try:
        return CronTrigger.from_crontab(expression, timezone=ET)
    except ValueError as bad:
        text = f"schedule {expression!r} cannot be read ({bad}): write five cron fields in ET"
        raise BadInput(text) from bad
