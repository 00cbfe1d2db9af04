"""The session that protection keeps of a contract: its own, and a future's no longer than the station's day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from station.calendars import at_et, load_calendar
from station.domain.instruments import INSTRUMENTS, Contract, SecType, underlying_contract
from station.protection.worker import session_of
from tests.unit.domain_cases import CONTRACT

CALENDAR = load_calendar()
FUTURE = underlying_contract(INSTRUMENTS["ES"], "20261218")
SHARE = underlying_contract(INSTRUMENTS["SPY"])
OPTION_ON_FUTURE = replace(CONTRACT, sec_type=SecType.FUTURE_OPTION)
WEDNESDAY, BEFORE = date(2026, 11, 18), date(2026, 11, 17)
THANKSGIVING, DAY_AFTER = date(2026, 11, 26), date(2026, 11, 27)


def at(day: date, time: str, extra_ns: int = 0) -> int:
    return at_et(day, time) + extra_ns


@pytest.mark.parametrize(
    ("contract", "now_ns", "opens", "closes"),
    [
        (FUTURE, at(WEDNESDAY, "09:00"), at(BEFORE, "18:00"), at(WEDNESDAY, "16:00")),
        (FUTURE, at(WEDNESDAY, "16:00", -1), at(BEFORE, "18:00"), at(WEDNESDAY, "16:00")),
        (FUTURE, at(WEDNESDAY, "16:00"), at(WEDNESDAY, "16:00"), at(WEDNESDAY, "17:00")),
        (FUTURE, at(WEDNESDAY, "16:00", 1), at(WEDNESDAY, "16:00"), at(WEDNESDAY, "17:00")),
        (FUTURE, at(WEDNESDAY, "17:00"), None, None),
        (FUTURE, at(DAY_AFTER, "12:00"), at(THANKSGIVING, "18:00"), at(DAY_AFTER, "13:00")),
        (FUTURE, at(THANKSGIVING, "12:00"), at(date(2026, 11, 25), "18:00"), at(THANKSGIVING, "13:00")),
        (SHARE, at(WEDNESDAY, "12:00"), at(WEDNESDAY, "09:30"), at(WEDNESDAY, "16:00")),
        (SHARE, at(WEDNESDAY, "09:00"), None, None),
        (CONTRACT, at(WEDNESDAY, "09:30", -1), None, None),
        (OPTION_ON_FUTURE, at(WEDNESDAY, "12:00"), at(WEDNESDAY, "09:30"), at(WEDNESDAY, "16:00")),
        (OPTION_ON_FUTURE, at(WEDNESDAY, "16:00"), None, None),
        (None, at(WEDNESDAY, "12:00"), at(WEDNESDAY, "09:30"), at(WEDNESDAY, "16:00")),
    ],
)
def test_a_futures_session_ends_with_the_stations_day_where_there_is_one(
    contract: Contract | None, now_ns: int, opens: int | None, closes: int | None
) -> None:
    span = session_of(contract, now_ns, CALENDAR)
    assert (span and span.open_ns, span and span.close_ns) == (opens, closes)
