"""Strategies as the hunter sees them: what matches, what stands in the way, what each waits for."""

from __future__ import annotations

from station.link.floor import Strategies, StrategyRow
from widgets import ink, words
from widgets.ink import Line, Span
from widgets.pane import Block, Content
from widgets.scene import Scene

_VERDICTS = {"MATCH": ink.UP, "HELD": ink.ACCENT, "WAIT": ink.TEXT, "BLOCK": ink.WARN, "OFF": ink.FAINT}


ROOMY = 44
"""From this width on the hunter's mode has room beside the strategy's name, which goes before it."""
NAMED = 12
"""Where the name begins."""


def part(scene: Scene) -> Strategies | None:
    return scene.floor.strategies


def content(scene: Scene, width: int) -> Content:
    strategies = scene.floor.strategies
    if strategies is None:
        return Content()
    return Content(
        note=words.counted(strategies.hunts, "hunt") if strategies.hunts else "",
        blocks=tuple(_block(row, width) for row in strategies.rows),
        empty="no strategy is enabled",
    )


def _block(row: StrategyRow, width: int) -> Block:
    verdict = f"{row.verdict} {row.side}".strip()
    at = f" {words.minute_text(row.at_ns)}" if row.at_ns else ""
    hunter = row.hunter.replace("_plus_", "+")
    taken = NAMED + len(row.strategy) + len(hunter) + len(at) + 2
    tail: list[Span] = [(hunter, ink.FAINT)] if hunter and width >= max(ROOMY, taken) else []
    tail.append((at, ink.DIM))
    first = ink.spread(
        (
            (f" {verdict:<{NAMED - 2}} ", _VERDICTS.get(row.verdict, ink.TEXT)),
            (row.strategy, ink.STRONG if row.verdict != "OFF" else ink.DIM),
        ),
        (*tail, (" ", ink.TEXT)),
        width,
    )
    lines: list[Line] = [first]
    if row.matched:
        lines.append(ink.clipped((("   ", ink.TEXT), (f"✓ {row.matched}", ink.DIM)), width))
    if row.waits:
        lines.append(ink.clipped((("   ", ink.TEXT), (f"… {row.waits}", ink.DIM)), width))
    elif row.blocks and row.verdict == "WAIT":
        lines.append(ink.clipped((("   ", ink.TEXT), (f"… {row.blocks}", ink.TEXT)), width))
    elif row.blocks:
        lines.append(ink.clipped((("   ", ink.TEXT), (f"× {row.blocks}", ink.WARN)), width))
    return Block(tuple(lines))
