"""Exchange sessions, precomputed: which hours an instrument keeps and how its bars are cut."""

from station.calendars.calendar import Calendar, SessionSpan, load_calendar, open_calendar, series_hours
from station.calendars.eastern import ET, at_et, et_date, et_text
from station.calendars.tables import SessionTable

__all__ = [
    "ET",
    "Calendar",
    "SessionSpan",
    "SessionTable",
    "at_et",
    "et_date",
    "et_text",
    "load_calendar",
    "open_calendar",
    "series_hours",
]
