"""Which listed expiry `0dte`, `weekly` and `monthly` mean on a given trade date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

_FRIDAY = 4


def choose_expiry(kind: str, expiries: Sequence[str], day: date) -> str | None:
    """The expiry `YYYYMMDD` that `kind` names for trade date `day`; None where it is not listed.

    0dte: the day itself. 1dte: the next one listed. weekly: the last expiry of the calendar week, or of the
    next one when that is the day itself. monthly: the one nearest before or on a third Friday, this month's
    or the next. A date in `YYYYMMDD` names itself.
    """
    listed = sorted(each for each in expiries if each >= f"{day:%Y%m%d}")
    if kind == "0dte":
        return _if_listed(f"{day:%Y%m%d}", listed)
    if kind == "1dte":
        return next((each for each in listed if each > f"{day:%Y%m%d}"), None)
    if kind == "weekly":
        friday = day + timedelta(days=(_FRIDAY - day.weekday()) % 7)
        found = _last_within(listed, friday)
        return _last_within(listed, friday + timedelta(days=7)) if found in (None, f"{day:%Y%m%d}") else found
    if kind == "monthly":
        found = _last_within(listed, third_friday(day))
        return found or _last_within(listed, third_friday(day.replace(day=1) + timedelta(days=32)))
    return _if_listed(kind, listed)


def third_friday(day: date) -> date:
    """The third Friday of the month of `day`."""
    first = day.replace(day=1)
    return first + timedelta(days=(_FRIDAY - first.weekday()) % 7 + 14)


def _if_listed(expiry: str, listed: Sequence[str]) -> str | None:
    return expiry if expiry in listed else None


def _last_within(listed: Sequence[str], friday: date) -> str | None:
    """The last listed expiry of the week that ends on `friday`: a holiday Friday leaves its Thursday."""
    monday = friday - timedelta(days=_FRIDAY)
    inside = [each for each in listed if f"{monday:%Y%m%d}" <= each <= f"{friday:%Y%m%d}"]
    return inside[-1] if inside else None
