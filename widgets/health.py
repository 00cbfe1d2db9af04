"""Data health: how far each feed can be trusted, what it lacks, and how late the data is as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from station.link import Query
from widgets import ink, words
from widgets.columns import Column, Table
from widgets.floorplan import Column as Side
from widgets.floorplan import Slot
from widgets.ink import Line
from widgets.page import Page, PagePane, Question
from widgets.pane import Block, Content, wrapped
from widgets.scene import Scene
from widgets.told import FeedTold, HealthTold, SeriesTold

COLUMNS: Final = (
    Column("feed", 6), Column("mode", 11), Column("age", 5, ">"), Column("gaps", 4, ">", rank=1),
    Column("quality", 14, rank=2), Column("throttle", 8, rank=3), Column("last", 11, ">", rank=4),
    Column("source", 8, rank=6),
    Column("remarks", 12, rank=5, grows=True),
)  # fmt: skip
SERIES_COLUMNS: Final = (
    Column("series", 6), Column("bars", 7, ">"), Column("state", 8), Column("newest", 13, rank=1),
    Column("divergent", 9, ">", rank=2), Column("trouble", 10, rank=3, grows=True),
)  # fmt: skip
_MODES: Final = {"LIVE": ink.UP, "CLOSED": ink.DIM, "BACKFILLING": ink.ACCENT, "DELAYED": ink.WARN}
GOOD: Final = 70
BAR: Final = 6


class HealthPage(Page):
    """Every feed; the series and counters of the one under the cursor beside it."""

    TITLE = "Data health"
    EVERY_S = 2.0
    CURSOR = "Pick a feed; its series and counters stand beside."
    PLANS = (
        ((150, 38), (
            Side(0, (Slot(("feeds",)), Slot(("whole",), rows=9))),
            Side(64, (Slot(("series",), share=3), Slot(("counts",), share=2))),
        )),
        ((110, 30), (
            Side(0, (Slot(("feeds",)), Slot(("whole",), rows=8))),
            Side(50, (Slot(("series",), share=3), Slot(("counts",), share=2))),
        )),
    )  # fmt: skip

    _picked = ""

    def questions(self) -> Mapping[str, Question]:
        return {"all": Question(Query("health"), HealthTold)}

    def make(self) -> list[PagePane]:
        return [
            self.pane("feeds", "Data health", "all", self._feeds, on_pick=self._pick),
            self.pane("series", "Series", "all", self._series),
            self.pane("counts", "Counted", "all", self._counts),
            self.pane("whole", "As a whole", "all", self._whole),
        ]

    def _pick(self, symbol: str) -> None:
        self._picked = symbol
        self.version += 1
        self.floor.pump()

    @property
    def told(self) -> HealthTold:
        return self.document("all", HealthTold) or HealthTold()

    @property
    def feed(self) -> FeedTold | None:
        feeds = self.told.feeds
        return next((one for one in feeds if one.symbol == self._picked), feeds[0] if feeds else None)

    def _feeds(self, _scene: Scene, width: int) -> Content:
        feeds, table = self.told.feeds, Table(COLUMNS, width)
        ill = [one for one in feeds if not _well(one)]
        note = f"{len(ill)} of {len(feeds)} not well" if ill else f"{len(feeds)} well"
        chosen = self.feed
        return Content(
            note=note, warn=bool(ill), head=(table.heading,) if feeds else (),
            blocks=tuple(_row(one, table) for one in feeds), empty="no instrument is watched",
            picked=chosen.symbol if chosen is not None else "",
        )  # fmt: skip

    def _series(self, _scene: Scene, width: int) -> Content:
        feed = self.feed
        if feed is None:
            return Content(empty="pick a feed")
        table = Table(SERIES_COLUMNS, width)
        lacking = sum(not one.ready for one in feed.series)
        return Content(
            title=f"Series of {feed.symbol}", note=f"{lacking} not ready" if lacking else "all ready",
            warn=bool(lacking), head=(table.heading,),
            blocks=tuple(_series_row(one, table) for one in feed.series), empty="no series is kept",
        )  # fmt: skip

    def _counts(self, _scene: Scene, width: int) -> Content:
        feed = self.feed
        if feed is None:
            return Content(empty="pick a feed")
        lines = [_count(name, number, width) for name, number in feed.counts.items()]
        return Content(title=f"Counted of {feed.symbol} this session", blocks=(Block(tuple(lines)),))

    def _whole(self, _scene: Scene, width: int) -> Content:
        told = self.told
        lines = [_broker(told, width), *_latency(told, width)]
        for kind, text in told.alarms.items():
            pieces = wrapped(text, max(width - 20, 10))
            lines += [
                ink.clipped(((f" {kind if not n else '':<16} ", ink.WARN), (piece, ink.WARN)), width)
                for n, piece in enumerate(pieces)
            ]
        if not told.alarms:
            lines.append(((" alarms           none", ink.DIM),))
        return Content(note=f"{len(told.alarms)} alarms" if told.alarms else "", warn=bool(told.alarms),
                       blocks=(Block(tuple(lines)),))  # fmt: skip


def _well(feed: FeedTold) -> bool:
    return feed.mode in ("LIVE", "CLOSED") and not feed.throttled and feed.score >= GOOD


def _row(feed: FeedTold, table: Table) -> Block:
    style = _MODES.get(feed.mode, ink.ALARM)
    age = "never" if feed.age_s is None else words.age_text(feed.age_s)
    said = ["HALTED"] if feed.halted else []
    remarks = "; ".join((*said, feed.note)).strip("; ")
    line = table.line(
        [
            (feed.symbol, ink.STRONG), (feed.mode, style), (age, ink.TEXT if _well(feed) else ink.WARN),
            (str(feed.gaps), ink.WARN if feed.gaps else ink.DIM), (quality(feed.score), _tone(feed.score)),
            ("YES" if feed.throttled else "no", ink.WARN if feed.throttled else ink.DIM),
            ("--" if feed.last is None else words.price(feed.last), ink.TEXT), (feed.source, ink.DIM),
            (remarks, ink.WARN if said or not _well(feed) else ink.DIM),
        ]
    )  # fmt: skip
    return Block((line,), feed.symbol)


def quality(score: int) -> str:
    """`▄▄▄▄▄▄ 100`"""
    filled = min(max(round(score / 100 * BAR), 0), BAR)
    return f"{'▄' * filled}{'·' * (BAR - filled)} {score:>3}"


def _tone(score: int) -> ink.Style:
    return ink.UP if score >= 90 else ink.WARN if score >= GOOD else ink.ALARM


def _series_row(one: SeriesTold, table: Table) -> Block:
    newest = f"{words.day_text(one.newest_ns)} {words.minute_text(one.newest_ns)}" if one.newest_ns else "--"
    return Block((table.line(
        [
            (one.timeframe, ink.TEXT), (f"{one.bars:,}", ink.DIM),
            ("ready" if one.ready else "waits", ink.UP if one.ready else ink.WARN), (newest, ink.DIM),
            (str(one.divergent), ink.WARN if one.divergent else ink.DIM), (one.trouble, ink.WARN),
        ]
    ),))  # fmt: skip


def _count(name: str, number: int, width: int) -> Line:
    harmless = name in ("ticks", "quotes", "compared") or not number
    return ink.clipped(
        ((f" {name.replace('_', ' '):<18}", ink.FAINT), (f"{number:>12,}", ink.TEXT if harmless else ink.WARN)),
        width,
    )


def _broker(told: HealthTold, width: int) -> Line:
    up = ("answers", ink.UP) if told.broker_up else ("DOES NOT ANSWER", ink.ALARM)
    return ink.clipped(((" broker           ", ink.FAINT), (f"{told.broker} ", ink.TEXT), up), width)


def _latency(told: HealthTold, width: int) -> list[Line]:
    latency = told.latency
    if latency.p95_ms is None:
        return [
            ink.clipped(
                ((" lateness         ", ink.FAINT), ("no quote with the venue's stamp yet", ink.DIM)), width
            )
        ]
    late = latency.p95_ms > latency.limit_ms
    text = f"p50 {latency.p50_ms:,.0f} ms  p95 {latency.p95_ms:,.0f} ms  limit {latency.limit_ms:,.0f} ms"
    skew = "" if latency.skew_ms is None else f"clocks {latency.skew_ms:+,.0f} ms apart at most"
    return [
        ink.clipped(((" lateness         ", ink.FAINT), (text, ink.WARN if late else ink.TEXT)), width),
        ink.clipped(((" clock            ", ink.FAINT), (skew, ink.DIM)), width),
    ]
