"""Charts for screens: bars, studies, levels and fills of one symbol and timeframe, and their live end.

A chart reads the market's series and never asks the market to keep another: a feed that fetches history is
not LIVE, and no look at a chart may stand in the way of an entry. Timeframes that no scanner keeps have a
history of their own here, continued from the market's minutes.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from station.calendars import series_hours
from station.domain.clock import SECOND
from station.domain.errors import BadInput, VigilError
from station.domain.instruments import INSTRUMENTS, Timeframe
from station.engine.chart_levels import watched_levels
from station.engine.engine import Engine
from station.engine.fills import levels_of, marks_of, trades_shown
from station.link import Ask, Candle, Chart, Level, Tip
from station.link.floor import ERROR, LOADING
from station.market.backfill import clean
from station.scanners.sessions import vwap
from station.scanners.study import Study
from station.series import Bars, aggregate, concat
from station.series.aggregate import finished, session_numbers
from station.series.indicators import plain

Floats = NDArray[np.float64]

FAST: Final = 21
SLOW: Final = 200
MAX_BARS: Final = 600
HISTORY_BARS: Final = MAX_BARS + 4 * SLOW
RETRY_S: Final = 15
_EMA: Final = plain("EMA")


class Histories:
    """Finished bars of what the market does not keep: asked of the broker once, then grown from minutes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._past: dict[tuple[str, Timeframe], Bars] = {}
        self._grown: dict[tuple[str, Timeframe], tuple[int, Bars]] = {}
        self._asked: dict[tuple[str, Timeframe], int] = {}
        self.trouble: dict[tuple[str, Timeframe], str] = {}

    def bars(self, symbol: str, timeframe: Timeframe) -> Bars | None:
        """Oldest first; None while the broker's answer is awaited."""
        past = self._past.get((symbol, timeframe))
        if past is None:
            self._fetch(symbol, timeframe)
            return None
        minutes = self._engine.rooms.market.series(symbol, Timeframe.M1)
        revision, grown = self._grown.get((symbol, timeframe), (-1, past))
        if revision != minutes.revision:
            grown = self._grow(past, minutes.bars, symbol, timeframe)
            self._grown[symbol, timeframe] = (minutes.revision, grown)
        return grown

    def _grow(self, past: Bars, minutes: Bars, symbol: str, timeframe: Timeframe) -> Bars:
        if not len(past) or not len(minutes):
            return past
        calendar, now_ns = self._engine.outside.calendar, self._engine.outside.clock.now()
        hours = series_hours(INSTRUMENTS[symbol])
        since_ns = calendar.bar_close(hours, int(past.start_ns[-1]), timeframe)
        more = aggregate(minutes.since(since_ns), timeframe, hours, calendar)
        return concat(past, finished(more, timeframe, hours, calendar, now_ns))

    def _fetch(self, symbol: str, timeframe: Timeframe) -> None:
        now_ns = self._engine.outside.clock.now()
        asked_ns = self._asked.get((symbol, timeframe))
        due = asked_ns is None or ((symbol, timeframe) in self.trouble and now_ns - asked_ns > RETRY_S * SECOND)
        if due and self._engine.progress.phase == "trading":
            self._asked[symbol, timeframe] = now_ns
            self._engine.soon(self._ask(symbol, timeframe))

    async def _ask(self, symbol: str, timeframe: Timeframe) -> None:
        outside, instrument = self._engine.outside, INSTRUMENTS[symbol]
        try:
            rows = await outside.broker.history(instrument, timeframe, outside.clock.now(), HISTORY_BARS)
        except VigilError as error:
            self.trouble[symbol, timeframe] = str(error)
            return
        self.trouble.pop((symbol, timeframe), None)
        hours, calendar = series_hours(instrument), outside.calendar
        bars, _ = clean(Bars.from_bars(rows), timeframe, hours, calendar, outside.clock.now())
        self._past[symbol, timeframe] = bars


class ChartDesk:
    """Answers `chart` and `tip` asks without waiting; what has not changed is not made again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._histories = Histories(engine)
        self._made: dict[Ask, tuple[object, Chart]] = {}

    def chart(self, ask: Ask) -> Chart:
        """The chart's finished part. A symbol or timeframe nobody knows is its error state."""
        try:
            timeframe = _timeframe(ask)
            bars, revision = self._bars(ask.symbol, timeframe)
        except BadInput as bad:
            return Chart(ask, state=ERROR, note=str(bad))
        if bars is None:
            trouble = self._histories.trouble.get((ask.symbol, timeframe), "")
            text = f"no history: {trouble}" if trouble else f"fetching {ask.symbol} {ask.timeframe} …"
            return Chart(ask, state=ERROR if trouble else LOADING, note=text)
        rooms = self._engine.rooms
        trades = trades_shown(rooms, ask.symbol)
        minutes, specs = rooms.market.series(ask.symbol, Timeframe.M1), self._engine.desired.value.scanners
        key = (
            revision, minutes.revision if _is_intraday(timeframe) else 0, specs,
            tuple((trade.id, trade.updated_ns) for trade in trades),
        )  # fmt: skip
        known = self._made.get(ask)
        if known is not None and known[0] == key:
            return known[1]
        chart = self._draw(ask, timeframe, bars, revision)
        if len(self._made) >= 8:
            self._made.clear()
        self._made[ask] = (key, chart)
        return chart

    def tip(self, ask: Ask) -> Tip:
        """The forming bar and the feed's health; cheap enough for every beat."""
        market = self._engine.rooms.market
        try:
            timeframe = _timeframe(ask)
            forming = market.forming(ask.symbol, timeframe)
            health = market.health(ask.symbol)
        except BadInput as bad:
            return Tip(ask, state=ERROR, note=str(bad))
        return Tip(
            ask, Candle(*forming) if forming is not None else None, market.last_price(ask.symbol),
            market.last_update_ns(ask.symbol), health.mode.value, health.score, note=health.note,
        )  # fmt: skip

    def _bars(self, symbol: str, timeframe: Timeframe) -> tuple[Bars | None, int]:
        """The finished bars and the revision they are of; None while they are being fetched."""
        market = self._engine.rooms.market
        minutes = market.series(symbol, Timeframe.M1)
        try:
            series = market.series(symbol, timeframe)
        except BadInput:
            return self._histories.bars(symbol, timeframe), minutes.revision
        if not series.wanted:
            return self._histories.bars(symbol, timeframe), minutes.revision
        return series.bars if series.warm else None, series.revision

    def _draw(self, ask: Ask, timeframe: Timeframe, bars: Bars, revision: int) -> Chart:
        count = min(max(ask.count, 1), MAX_BARS)
        first = max(len(bars) - count, 0)
        shown = bars.cut(first, None)
        intraday = _is_intraday(timeframe)
        engine, rooms = self._engine, self._engine.rooms
        hours, calendar = series_hours(INSTRUMENTS[ask.symbol]), engine.outside.calendar
        opens = session_numbers(bars.start_ns, hours, calendar)
        trades = trades_shown(rooms, ask.symbol)
        spot = rooms.market.last_price(ask.symbol)
        levels = levels_of(rooms, trades, spot, engine.outside.clock.now())
        if intraday:
            span = calendar.on(hours, engine.session.day)
            levels += _day_levels(bars, opens, 0 if span is None else span.open_ns)
            levels += watched_levels(rooms.market, calendar, engine.desired.value.scanners, ask.symbol)
        return Chart(
            ask, revision, tuple(Candle(*bar) for bar in shown.to_bars()),
            _told(_ema(bars, FAST)[first:]), _told(_ema(bars, SLOW)[first:]),
            _told(_vwap(bars, opens, first)) if intraday else (),
            levels, marks_of(trades, shown), intraday, engine.outside.broker.name,
        )  # fmt: skip


def _timeframe(ask: Ask) -> Timeframe:
    try:
        return Timeframe(ask.timeframe)
    except ValueError:
        known = ", ".join(one.value for one in Timeframe)
        raise BadInput(f"timeframe {ask.timeframe!r}: choose one of {known}") from None


def _is_intraday(timeframe: Timeframe) -> bool:
    return timeframe.seconds < Timeframe.H4.seconds


def _ema(bars: Bars, period: int) -> Floats:
    return np.full(len(bars), np.nan) if len(bars) < period else _EMA(bars.close, period)


def _vwap(bars: Bars, opens: NDArray[np.int64], since: int) -> Floats:
    """Each session's own, as the scanners define it, of the bars from `since` on."""
    values = np.full(len(bars), np.nan)
    edges = np.flatnonzero(np.diff(opens)) + 1
    for first, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(bars)], strict=True):
        if stop > max(first, since):
            values[first:stop] = vwap(Study(bars.cut(first, stop), 0))[0]
    return values[since:]


def _day_levels(bars: Bars, opens: NDArray[np.int64], since_ns: int) -> tuple[Level, ...]:
    """High, low and close of the session before the newest bar's; before the trade date's, which begins at
    `since_ns` and has no finished bar in its first minutes."""
    if not len(bars):
        return ()
    start = int(max(np.searchsorted(opens, opens[-1]), np.searchsorted(bars.start_ns, since_ns)))
    if start == 0:
        return ()
    before = bars.cut(int(np.searchsorted(opens, opens[start - 1])), start)
    return (
        Level("day", "prev high", float(before.high.max())),
        Level("day", "prev low", float(before.low.min())),
        Level("day", "prev close", float(before.close[-1])),
    )


def _told(values: Floats) -> tuple[float | None, ...]:
    return tuple(None if math.isnan(value) else round(value, 4) for value in values.tolist())
