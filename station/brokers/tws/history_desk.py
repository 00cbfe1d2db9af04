"""reqHistoricalData on the wire: durations, bar sizes and time forms, answered from the broker's bars."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from station.brokers.tws import answers
from station.brokers.tws.requests import HistoricalData
from station.calendars import Calendar, at_et, et_date, series_hours
from station.domain.broker import Broker
from station.domain.clock import SECOND, Clock, from_datetime, to_datetime
from station.domain.errors import Refused
from station.domain.instruments import Contract, Instrument, Timeframe

BAR_SIZES: Final = {
    "1 min": Timeframe.M1, "2 mins": Timeframe.M2, "3 mins": Timeframe.M3, "5 mins": Timeframe.M5,
    "10 mins": Timeframe.M10, "15 mins": Timeframe.M15, "30 mins": Timeframe.M30,
    "1 hour": Timeframe.H1, "4 hours": Timeframe.H4, "1 day": Timeframe.D1,
}  # fmt: skip
_DAYS: Final = {"W": 7, "M": 31, "Y": 366}
_DURATION: Final = re.compile(r"(\d{1,6}) ([SDWMY])")
_END: Final = re.compile(r"(\d{8})[ -](\d\d:\d\d:\d\d) ?([A-Za-z_/+\-0-9]*)")


class HistoryDesk:
    def __init__(self, broker: Broker, clock: Clock, calendar: Calendar) -> None:
        self._broker = broker
        self._clock = clock
        self._calendar = calendar

    async def answer(
        self, request: HistoricalData, contract: Contract, instrument: Instrument | None
    ) -> answers.Message:
        """The historicalData message. Raises Refused with TWS's code for what cannot be answered."""
        timeframe = BAR_SIZES.get(request.bar_size)
        if timeframe is None:
            raise Refused("321", f"bar size {request.bar_size!r} is not served: {', '.join(BAR_SIZES)}")
        if request.keep_up_to_date:
            raise Refused("321", "keepUpToDate bars are not served: build them from ticks")
        if instrument is None or contract.is_option:
            raise Refused("162", f"no history of {contract.label}: only instruments have bars here")
        end_ns = self._end(request.end)
        start_ns = self._start(instrument, request.duration, end_ns)
        wanted = self._count(instrument, timeframe, start_ns, end_ns)
        bars = await self._broker.history(instrument, timeframe, end_ns, wanted)
        rows = [
            (_stamp(bar.start_ns, timeframe, request.format_date), bar)
            for bar in bars
            if bar.start_ns >= start_ns
        ]
        if not rows:
            raise Refused("162", f"Historical Market Data Service error message:HMDS query returned no data: "
                                 f"{contract.label}@{contract.exchange} Trades")  # fmt: skip
        return answers.historical_data(request.req_id, rows, _plain(start_ns), _plain(end_ns))

    def _end(self, text: str) -> int:
        if not text:
            return self._clock.now()
        found = _END.fullmatch(text.strip())
        if found is None:
            raise Refused("321", f"end time {text!r} is not 'YYYYMMDD HH:MM:SS zone' or 'YYYYMMDD-HH:MM:SS'")
        day, clock, zone = found.groups()
        try:
            tz = ZoneInfo(zone) if zone else (UTC if "-" in text else answers.ZONE)
            return from_datetime(datetime.strptime(day + clock, "%Y%m%d%H:%M:%S").replace(tzinfo=tz))
        except (ValueError, ZoneInfoNotFoundError) as error:
            raise Refused("321", f"end time {text!r} is no such instant") from error

    def _start(self, instrument: Instrument, duration: str, end_ns: int) -> int:
        found = _DURATION.fullmatch(duration)
        if found is None:
            raise Refused("321", f"duration {duration!r} is not a number and one of S, D, W, M, Y")
        count, unit = int(found[1]), found[2]
        if unit == "S":
            return end_ns - count * SECOND
        hours = series_hours(instrument)
        if unit == "D":
            span = self._calendar.last_opened(hours, end_ns)
            for _ in range(min(count, 5000) - 1):
                span = self._calendar.previous(hours, span.day)
            return span.open_ns
        day = et_date(end_ns) - timedelta(days=min(count * _DAYS[unit], 7300))
        return self._calendar.next_after(hours, at_et(day, "00:00")).open_ns

    def _count(self, instrument: Instrument, timeframe: Timeframe, start_ns: int, end_ns: int) -> int:
        spans = self._calendar.sessions(series_hours(instrument), et_date(start_ns), et_date(end_ns))
        longest = max((span.close_ns - span.open_ns for span in spans), default=0)
        per_session = 1 if timeframe is Timeframe.D1 else -(-longest // timeframe.ns)
        return max(1, per_session * (len(spans) + 1))


def _stamp(start_ns: int, timeframe: Timeframe, form: int) -> str:
    """A bar's date: the trade date of a daily bar, else epoch seconds (form 2) or exchange time (form 1)."""
    if timeframe is Timeframe.D1:
        moment = to_datetime(start_ns).astimezone(answers.ZONE)
        trade_day = moment.date() + timedelta(days=1 if moment.hour >= 17 else 0)
        return f"{trade_day:%Y%m%d}"
    return str(start_ns // SECOND) if form == 2 else answers.venue_time(start_ns)


def _plain(at_ns: int) -> str:
    return f"{to_datetime(at_ns).astimezone(answers.ZONE):%Y%m%d  %H:%M:%S}"
