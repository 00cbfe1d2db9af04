"""The market as the station knows it: every instrument's stream, series, quotes and health."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from station.calendars import Calendar
from station.domain.broker import (
    Broker,
    DepthReport,
    FarmReport,
    GreeksReport,
    HaltReport,
    LinkReport,
    NoticeReport,
    QuoteReport,
    Report,
    TickReport,
)
from station.domain.clock import Clock
from station.domain.errors import BadInput
from station.domain.instruments import Contract, Instrument, Timeframe
from station.domain.market import Bar, FeedHealth, Grade, Greeks, Quote
from station.market.backfill import Backfill
from station.market.divergence import Compared
from station.market.feed import ClosedBar, Feed
from station.market.health import blocked_by_clock, farm_serves, judge
from station.market.limits import MarketLimits
from station.market.quality import Latency
from station.market.rationing import rationed_until
from station.market.recovery import Recovery
from station.market.second import SecondOpinion
from station.market.series import Series
from station.market.sources import BarSource, Sources
from station.series import ADJUSTED, Bars

_ORDER: Final = {timeframe: order for order, timeframe in enumerate(Timeframe)}
_COMPETING_SESSION: Final = 10197
_HISTORY_ERRORS: Final = frozenset({162, 366})


def _unheard(_symbol: str, _timeframe: Timeframe, _bars: Bars) -> None:
    return None


def _feeds(
    calendar: Calendar, instruments: Mapping[str, Instrument], wanted: Mapping[str, Sequence[Timeframe]]
) -> dict[str, Feed]:
    unknown = sorted(set(wanted) - set(instruments))
    if unknown:
        raise BadInput(f"series wanted of unknown instruments {', '.join(unknown)}: add them to the catalogue")
    return {
        symbol: Feed(instrument, wanted[symbol], calendar, "")
        for symbol, instrument in instruments.items()
        if symbol in wanted
    }


class Market:
    """Streams in, closed bars out.

    `instruments` in catalogue order; `wanted` names the timeframes of each symbol whose series are kept. The
    engine feeds `on_report`, calls `close_due` at every `next_boundary`, and `recover` whenever
    `wants_recovery` says so, before the scanners see what closed.
    """

    def __init__(
        self,
        clock: Clock,
        calendar: Calendar,
        instruments: Mapping[str, Instrument],
        wanted: Mapping[str, Sequence[Timeframe]],
        sources: Sources | None = None,
        limits: MarketLimits | None = None,
    ) -> None:
        self._clock = clock
        self._calendar = calendar
        self._feeds = _feeds(calendar, instruments, wanted)
        self._rank = {symbol: order for order, symbol in enumerate(self._feeds)}
        self._quotes: dict[Contract, Quote] = {}
        self._greeks: dict[Contract, Greeks] = {}
        self._depth: dict[Contract, DepthReport] = {}
        self.sources = sources or Sources()
        self.limits = limits or MarketLimits()
        self._backfill = Backfill(clock, calendar, self.sources)
        self.on_history: Callable[[str, Timeframe, Bars], None] = _unheard
        self._recovery = Recovery(
            clock, calendar, self._feeds, self._backfill,
            lambda symbol, timeframe, bars: self.on_history(symbol, timeframe, bars),
        )  # fmt: skip
        self._second = SecondOpinion(clock)
        self._link_up = True
        self.latency = Latency()
        self._routes: dict[type, Callable[[Any], None]] = {
            TickReport: self._on_tick,
            QuoteReport: self._on_quote,
            GreeksReport: self._on_greeks,
            DepthReport: self._on_depth,
            HaltReport: self._on_halt,
            LinkReport: self._on_link,
            FarmReport: self._on_farm,
            NoticeReport: self._on_notice,
        }

    # --- reports -------------------------------------------------------------------------------------

    def on_report(self, report: Report) -> None:
        """Take in a broker report; those that are not about the market pass by."""
        route = self._routes.get(type(report))
        if route is not None:
            route(report)

    def _on_tick(self, report: TickReport) -> None:
        tick = report.tick
        feed = self._feeds.get(tick.symbol)
        if feed is None:
            return
        if feed.competing:
            feed.competing = False
            feed.outages.up(tick.at_ns)
        feed.on_tick(tick)

    def _on_quote(self, report: QuoteReport) -> None:
        quote = report.quote
        contract = quote.contract
        self._quotes[contract] = quote
        if quote.venue_ns and quote.grade is Grade.LIVE:
            self.latency.note(quote.venue_ns, quote.at_ns)
        if contract.right is None and (feed := self._feeds.get(contract.symbol)) is not None:
            feed.grade = quote.grade
            feed.quality.quoted(quote)
            if quote.grade is Grade.LIVE:
                feed.last_update_ns = max(feed.last_update_ns, quote.at_ns)

    def _on_greeks(self, report: GreeksReport) -> None:
        self._greeks[report.greeks.contract] = report.greeks

    def _on_depth(self, report: DepthReport) -> None:
        self._depth[report.contract] = report

    def _on_halt(self, report: HaltReport) -> None:
        if (feed := self._feeds.get(report.symbol)) is not None:
            feed.halted = report.halted

    def _on_link(self, report: LinkReport) -> None:
        self._link_up = report.up
        if report.up and not report.data_kept:
            self._recovery.dropped()
        for symbol, feed in self._feeds.items():
            if not report.up:
                feed.outages.down(report.at_ns)
            elif self._recovery.is_watched(symbol):
                feed.outages.up(report.at_ns)
            feed.settle(report.at_ns)

    def _on_farm(self, report: FarmReport) -> None:
        for feed in self._feeds.values():
            if farm_serves(report.farm, feed.instrument):
                (feed.outages.up if report.up else feed.outages.down)(report.at_ns)
                feed.settle(report.at_ns)

    def _on_notice(self, report: NoticeReport) -> None:
        for symbol, feed in self._feeds.items():
            if report.symbol not in ("", symbol):
                continue
            feed.throttled_until_ns = max(feed.throttled_until_ns, rationed_until(report))
            if report.code == _COMPETING_SESSION:
                feed.competing = True
                feed.outages.down(report.at_ns)
                feed.settle(report.at_ns)
            elif report.code in _HISTORY_ERRORS:
                self._recovery.notes[symbol] = f"history error {report.code}: {report.text}"

    # --- the clock -----------------------------------------------------------------------------------

    def next_boundary(self, at_ns: int) -> int:
        """The next instant after `at_ns` at which a bar may close."""
        boundaries: list[int] = []
        for hours in dict.fromkeys(feed.hours for feed in self._feeds.values()):
            span = self._calendar.at(hours, at_ns)
            if span is None:
                span = self._calendar.next_after(hours, at_ns)
            passed = max(at_ns - span.open_ns, 0) // Timeframe.M1.ns
            boundaries.append(min(span.open_ns + (passed + 1) * Timeframe.M1.ns, span.close_ns))
        return min(boundaries)

    def close_due(self, at_ns: int) -> tuple[ClosedBar, ...]:
        """Close every bar due by the clock: earlier closes first, then shorter timeframes, catalogue order."""
        closed: list[ClosedBar] = []
        for feed in self._feeds.values():
            closed.extend(feed.close_due(at_ns))
            feed.settle(at_ns)
        closed.sort(key=lambda bar: (bar.close_ns, _ORDER[bar.timeframe], self._rank[bar.symbol]))
        return tuple(closed)

    # --- history -------------------------------------------------------------------------------------

    @property
    def wants_recovery(self) -> bool:
        """Whether bars are missing that `recover` could bring now."""
        return self._link_up and self._recovery.is_owed

    async def warm(self, broker: Broker) -> tuple[str, ...]:
        """Watch every instrument, then fetch the history of every wanted series, several at a time.

        Returns one line for each series that got none; those stay unready and are asked for again by `recover`.
        """
        return await self.recover(broker)

    async def recover(self, broker: Broker) -> tuple[str, ...]:
        """Watch again what a lost link dropped, and bring every bar that is missing. Lines as `warm`."""
        return await self._recovery.run(broker)

    async def chart(self, broker: Broker, symbol: str, timeframe: Timeframe) -> Series:
        """The series for a chart, made and filled on first sight; from then on it lives like the others.

        Raises what the broker raises, and BadInput for an unknown symbol.
        """
        feed = self._feed(symbol)
        series = feed.series.get(timeframe) or feed.adopt(timeframe, self._clock.now())
        if not series.wanted:
            series.wanted, series.warm = True, False
        if not series.warm:
            await self._recovery.fill(broker, feed, series)
            feed.settle(self._clock.now())
        return series

    async def compare(self, symbol: str, source: BarSource) -> Compared:
        """The minutes closed since the last comparison against a second source: counted in the quality, told in
        the health. Raises what the source raises."""
        return await self._second.compare(self._feed(symbol), source, self.limits.divergence_pct)

    def alarms(self) -> dict[str, str]:
        """What is wrong with the data as a whole, by kind: one line each, for the alert that tells of it."""
        return self._second.alarms() | self.limits.judge(self.latency)

    # --- reading -------------------------------------------------------------------------------------

    def _feed(self, symbol: str) -> Feed:
        feed = self._feeds.get(symbol)
        if feed is None:
            raise BadInput(f"{symbol} is not watched: choose one of {', '.join(self._feeds)}")
        return feed

    @property
    def symbols(self) -> tuple[str, ...]:
        """The watched instruments, in catalogue order."""
        return tuple(self._feeds)

    def series(self, symbol: str, timeframe: Timeframe) -> Series:
        """The series kept. Raises BadInput where it is not among the wanted."""
        found = self._feed(symbol).series.get(timeframe)
        if found is None:
            raise BadInput(f"{symbol} {timeframe.value} is not kept: add it to the wanted series")
        return found

    def keeps(self, symbol: str, timeframe: Timeframe) -> bool:
        """Whether that series is among the kept."""
        return timeframe in self._feed(symbol).series

    def counts(self, symbol: str) -> dict[str, int]:
        """Ticks and quotes so far, and what was wrong with them, by name."""
        return self._feed(symbol).quality.counted()

    def forming(self, symbol: str, timeframe: Timeframe) -> Bar | None:
        """The bar under way; None before its first trade."""
        return self._feed(symbol).forming(timeframe)

    def quote(self, contract: Contract) -> Quote | None:
        return self._quotes.get(contract)

    def greeks(self, contract: Contract) -> Greeks | None:
        return self._greeks.get(contract)

    def depth(self, contract: Contract) -> DepthReport | None:
        """The book as last reported, while somebody watches it."""
        return self._depth.get(contract)

    def forget_depth(self, contract: Contract) -> None:
        self._depth.pop(contract, None)

    def forget(self, contract: Contract) -> None:
        """Drop what is known of a contract that nobody watches any more."""
        self._quotes.pop(contract, None)
        self._greeks.pop(contract, None)

    def last_price(self, symbol: str) -> float | None:
        """The last good tick, whatever the session; None before the first."""
        return self._feed(symbol).last_price

    def last_update_ns(self, symbol: str) -> int:
        """When live data last came, UTC ns, 0 before the first; delayed and frozen data does not count."""
        return self._feed(symbol).last_update_ns

    def halted(self, symbol: str) -> bool:
        return self._feed(symbol).halted

    def health(self, symbol: str) -> FeedHealth:
        """How far the instrument's data can be trusted now."""
        feed = self._feed(symbol)
        busy = self._backfill.in_flight.get(symbol, 0) > 0
        names = (self._recovery.notes.get(symbol, ""), self._second.difference(symbol))
        stand_in = self.sources.stands_in(symbol, feed.source)
        notes = [*names, f"history from {stand_in}" if stand_in else "", self._labelled(feed)]
        found = judge(feed, self._calendar, self._clock.now(), busy, "; ".join(note for note in notes if note))
        blocked = self.limits.blocking(self.latency)
        return blocked_by_clock(found, blocked) if blocked else found

    def _labelled(self, feed: Feed) -> str:
        adjusted = any(series.label == ADJUSTED for series in feed.series.values())
        return "history adjusted" if adjusted else ""
