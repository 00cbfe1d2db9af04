"""A Polygon-style REST service as a source of history.

`GET /v2/aggs/ticker/{ticker}/range/{n}/{minute|day}/{from_ms}/{to_ms}` answers `results` of `t` (bar start, ms
UTC), `o h l c v`, a page at a time with `next_url`; the key goes into a header, never into an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import numpy as np

from station.calendars import Calendar, et_date, series_hours
from station.clock import Activity
from station.domain.clock import MILLISECOND, Clock
from station.domain.errors import Refused
from station.domain.instruments import Hours, Instrument, SecType, Timeframe
from station.market.sources import Pacer, SourceUnavailable
from station.series import ADJUSTED, RAW, Bars, aggregate

PAGE_ROWS: Final = 50_000
PAGES_AT_MOST: Final = 40
_NATIVE: Final = {
    Timeframe.M1: 1, Timeframe.M2: 2, Timeframe.M3: 3, Timeframe.M5: 5, Timeframe.M10: 10, Timeframe.M15: 15,
    Timeframe.M30: 30, Timeframe.H1: 30, Timeframe.H4: 30,
}  # fmt: skip
"""Minutes of the bars asked for. The service's longer bars start on the hour, a session's at 09:30."""


class _Row(msgspec.Struct):
    t: int
    o: float
    h: float
    low: float = msgspec.field(name="l")
    c: float = 0.0
    v: float = 0.0


class _Page(msgspec.Struct):
    status: str = ""
    results: list[_Row] = []
    next_url: str | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class RestAccess:
    """Where the service is and how often it may be asked."""

    base_url: str
    key: str
    per_s: int = 5
    timeout_s: float = 10.0


class RestSource:
    """Bars over HTTP, adjusted by the service. `transport` is httpx's, for a proxy or a test."""

    name = "rest"

    def __init__(
        self, access: RestAccess, clock: Clock, calendar: Calendar, activity: Activity, transport: Any = None
    ) -> None:
        self._access = access
        self._calendar = calendar
        self._activity = activity
        self._transport = transport
        self._client: Any = None
        self.pacer = Pacer(clock, access.per_s)

    def label(self, instrument: Instrument) -> str:
        return ADJUSTED if instrument.sec_type is SecType.STOCK else RAW

    async def bars(self, instrument: Instrument, timeframe: Timeframe, end_ns: int, count: int) -> Bars:
        """Raises Refused for futures, an unknown ticker or a bad key; SourceUnavailable for everything that a
        later request may bring."""
        hours = series_hours(instrument)
        from_ns = self._begin(hours, timeframe, end_ns, count)
        daily = timeframe is Timeframe.D1
        step = "1/day" if daily else f"{_NATIVE[timeframe]}/minute"
        span = f"{from_ns // MILLISECOND}/{end_ns // MILLISECOND}"
        path = f"/v2/aggs/ticker/{_ticker(instrument)}/range/{step}/{span}"
        rows = _columns(await self._pages(path))
        found = self._days(rows, hours) if daily else aggregate(rows, timeframe, hours, self._calendar)
        found = found.before(end_ns)
        return found.cut(max(len(found) - count, 0), None)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _begin(self, hours: Hours, timeframe: Timeframe, end_ns: int, count: int) -> int:
        """The open of the session in which the oldest bar lies."""
        last = self._calendar.last_opened(hours, end_ns)
        a_session = max(len(self._calendar.bar_starts(hours, last, timeframe)), 1)
        sessions = 2 + count // a_session
        first = et_date(end_ns) - timedelta(days=10 + sessions * 8 // 5)
        spans = self._calendar.sessions(hours, first, last.day)
        return spans[max(len(spans) - sessions, 0)].open_ns

    def _days(self, rows: Bars, hours: Hours) -> Bars:
        """Day bars are stamped at midnight in New York; ours start with the session."""
        spans = [self._calendar.on(hours, et_date(int(at_ns))) for at_ns in rows.start_ns]
        starts = np.array([-1 if span is None else span.open_ns for span in spans], np.int64)
        return Bars(starts, *rows.columns[1:]).take(starts >= 0)

    async def _pages(self, path: str) -> list[_Row]:
        url: str | None = self._access.base_url.rstrip("/") + path
        params: dict[str, str] | None = {"adjusted": "true", "sort": "asc", "limit": str(PAGE_ROWS)}
        rows: list[_Row] = []
        for _ in range(PAGES_AT_MOST):
            page = await self._page(url, params)
            rows += page.results
            url, params = page.next_url, None
            if not url:
                return rows
            if urlsplit(url).netloc != urlsplit(self._access.base_url).netloc:
                raise SourceUnavailable(f"{self.name}: the next page is at another host: it is not asked for")
        raise SourceUnavailable(
            f"{self.name}: more than {PAGES_AT_MOST} pages for one request: ask for fewer bars"
        )

    async def _page(self, url: str, params: dict[str, str] | None) -> _Page:
        httpx = import_module("httpx")
        await self.pacer.turn()
        try:
            async with self._activity.op():
                response = await self._open(httpx).get(url, params=params)
        except httpx.HTTPError as error:
            raise SourceUnavailable(f"{self.name}: {type(error).__name__}: no answer") from None
        _judge_status(self.name, int(response.status_code))
        try:
            page = msgspec.json.decode(response.content, type=_Page)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceUnavailable(f"{self.name}: the answer is not as agreed: {error}") from None
        if page.status not in ("OK", "DELAYED"):
            raise SourceUnavailable(f"{self.name}: status {page.status or 'missing'} {page.error}".rstrip())
        return page

    def _open(self, httpx: Any) -> Any:
        if self._client is None:
            self._client = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {self._access.key}"}, timeout=self._access.timeout_s,
                transport=self._transport,
            )  # fmt: skip
        return self._client


def _judge_status(name: str, code: int) -> None:
    if code == 429:
        raise SourceUnavailable(f"{name}: asked too often (429): lower market.rest_requests_per_s")
    if code in (401, 403):
        raise Refused("rest_key", f"{name}: the key is refused ({code}): set VIGIL_SECRETS__REST_KEY")
    if code == 404:
        raise Refused("no_bars", f"{name}: it does not know the ticker (404)")
    if code != 200:
        raise SourceUnavailable(f"{name}: HTTP {code}")


def _ticker(instrument: Instrument) -> str:
    if instrument.sec_type is SecType.INDEX:
        return f"I:{instrument.symbol}"
    if instrument.sec_type is SecType.STOCK:
        return instrument.symbol
    raise Refused(
        "no_bars", f"rest has no {instrument.sec_type.name.lower()} {instrument.symbol}: use the broker"
    )


def _columns(rows: list[_Row]) -> Bars:
    if not rows:
        return Bars.empty()
    starts = np.array([row.t for row in rows], np.int64) * MILLISECOND
    values = np.array([(row.o, row.h, row.low, row.c, row.v) for row in rows], np.float64).T.copy()
    return Bars(starts, values[0], values[1], values[2], values[3], values[4])
