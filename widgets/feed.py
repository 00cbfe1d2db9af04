"""The scanner feed: every firing, what became of it, and how many each gate turned away."""

from __future__ import annotations

from station.link.floor import Feed, FiringRow
from widgets import ink, words
from widgets.ink import Line, Span
from widgets.pane import Block, Content
from widgets.scene import Scene

GATES = {"config": "cfg", "hours": "hrs", "cooldown": "cool", "bar": "bar"}


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


def key_of(row: FiringRow) -> str:
    return f"{row.at_ns} {row.scanner} {row.side}"


def _counts(feed: Feed, width: int) -> Line:
    spans: list[Span] = [(f" {feed.published} passed", ink.UP if feed.published else ink.DIM)]
    spans.append(("  refused", ink.FAINT))
    others = tuple(sorted(gate for gate in feed.rejected if gate not in GATES))
    for gate in (*GATES, *others):
        refused = feed.rejected.get(gate, 0)
        spans.append((f" {GATES.get(gate, gate)} ", ink.FAINT))
        spans.append((str(refused), ink.TEXT if refused else ink.FAINT))
    return ink.clipped(tuple(spans), width)


def _row(row: FiringRow, width: int) -> Line:
    passed = not row.gate
    side = ink.UP if row.side == "CALL" else ink.DOWN
    fate: Span = ("pass", ink.UP) if passed else (GATES.get(row.gate, row.gate), ink.FAINT)
    left: Line = (
        (f" {words.minute_text(row.at_ns)} ", ink.DIM),
        (f"{'▲' if row.side == 'CALL' else '▼'}{row.side[:1]} ", side if passed else ink.FAINT),
        (f"{row.score:>3}", ink.STRONG if passed else ink.FAINT),
        (f" {row.scanner}", ink.TEXT if passed else ink.DIM),
    )
    return ink.spread(left, (fate, (" ", ink.TEXT)), width)
