"""The scanner feed: every firing, what became of it, and how many each gate turned away."""

from __future__ import annotations

from station.link.floor import Feed, FiringRow
from widgets import candles, ink, words
from widgets.ink import Line, Span, Style
from widgets.pane import Block, Content
from widgets.scene import Scene

GATES = {"config": "cfg", "hours": "hrs", "cooldown": "cool", "bar": "bar"}

BAR, ROOMY = 5, 44


def part(scene: Scene) -> Feed | None:
    return scene.floor.feed


def content(scene: Scene, width: int) -> Content:
    feed = scene.floor.feed
    if feed is None:
        return Content()
    warm = f"{feed.warm}/{feed.scanners} warm" if feed.warm < feed.scanners else f"{feed.scanners} scanners"
    return Content(
        note=warm if feed.scanners else "",
        head=(_counts(feed, width),),
        blocks=tuple(Block((_row(row, width),), key_of(row)) for row in feed.rows),
        empty="no scanner has fired yet this session",
        shy=True,
    )


def _bar(score: int, style: Style, width: int) -> Line:
    """The score as a bar of five cells, or as the height of one where there is no room."""
    share = min(max(score, 0), 100) / 100
    if width < ROOMY:
        return ((candles.BLOCKS[max(round(share * 8), 1)], style),)
    full = round(share * BAR)
    return ((" " + "█" * full, style), ("░" * (BAR - full), ink.FAINT))


def key_of(row: FiringRow) -> str:
    return f"{row.at_ns} {row.scanner} {row.side}"


def _counts(feed: Feed, width: int) -> Line:
    """How many passed, and were refused by each gate: in fewer words where there is less room."""
    told = (_told(feed, *said) for said in ((" passed", "  refused"), (" passed", " "), (" ok", "")))
    return next((line for line in told if ink.width_of(line) <= width), _told(feed, "", ""))


def _told(feed: Feed, passed: str, refused: str) -> Line:
    spans: list[Span] = [(f" {feed.published}{passed}", ink.UP if feed.published else ink.DIM)]
    spans.append((refused, ink.FAINT))
    others = tuple(sorted(gate for gate in feed.rejected if gate not in GATES))
    for gate in (*GATES, *others):
        count = feed.rejected.get(gate, 0)
        spans.append((f" {GATES.get(gate, gate)} ", ink.FAINT))
        spans.append((str(count), ink.TEXT if count else ink.FAINT))
    return tuple(spans)


def _row(row: FiringRow, width: int) -> Line:
    passed = not row.gate
    side = ink.UP if row.side == "CALL" else ink.DOWN
    fate: Span = ("pass", ink.UP) if passed else (GATES.get(row.gate, row.gate), ink.FAINT)
    left: Line = (
        (f" {words.minute_text(row.at_ns)} ", ink.DIM),
        (f"{'▲' if row.side == 'CALL' else '▼'}{row.side[:1]} ", side if passed else ink.FAINT),
        (f"{row.score:>3}", ink.STRONG if passed else ink.FAINT),
        *_bar(row.score, side if passed else ink.FAINT, width),
        (f" {row.scanner}", ink.TEXT if passed else ink.DIM),
    )
    return ink.spread(left, (fate, (" ", ink.TEXT)), width)
