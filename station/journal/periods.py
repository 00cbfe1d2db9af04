"""Which reports a session ends: its day, and the week and month whose last session it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Period:
    """Exchange dates from `first` to `last`; `name` is the report's file name."""

    name: str
    title: str
    first: date
    last: date


def day_of(day: date) -> Period:
    return Period(day.isoformat(), f"{day:%A %d %B %Y}", day, day)


def week_of(day: date) -> Period:
    """The calendar week of `day`, Monday to `day`."""
    year, week, weekday = day.isocalendar()
    first = day - timedelta(days=weekday - 1)
    return Period(f"week-{year}-W{week:02d}", f"week {week} of {year}", first, day)


def month_of(day: date) -> Period:
    return Period(f"month-{day:%Y-%m}", f"{day:%B %Y}", day.replace(day=1), day)


def periods_ending(day: date, after: date) -> tuple[Period, ...]:
    """What ends with the session of `day` when the next one is on `after`."""
    found = [day_of(day)]
    if after.isocalendar()[:2] != day.isocalendar()[:2]:
        found.append(week_of(day))
    if (after.year, after.month) != (day.year, day.month):
        found.append(month_of(day))
    return tuple(found)
