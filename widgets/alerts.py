"""The alert log, newest first, whole sentences."""

from __future__ import annotations

from station.link.floor import AlertRow, Alerts
from widgets import ink, words
from widgets.ink import Line
from widgets.pane import Block, Content, wrapped
from widgets.scene import Scene

MAX_LINES = 3
_SEVERITY = {
    "info": ("info", ink.DIM, ink.TEXT),
    "good": ("ok", ink.UP, ink.TEXT),
    "warn": ("WARN", ink.WARN, ink.TEXT),
    "critical": ("CRIT", ink.ALARM, ink.STRONG),
}


def part(scene: Scene) -> Alerts | None:
    return scene.floor.alerts


def content(scene: Scene, width: int) -> Content:
    alerts = scene.floor.alerts
    if alerts is None:
        return Content()
    grave = sum(row.severity == "critical" for row in alerts.rows)
    return Content(
        note=f"{grave} critical" if grave else "",
        blocks=tuple(_block(row, width, scene.now_ns) for row in alerts.rows),
        empty="nothing to report",
    )


def _block(row: AlertRow, width: int, now_ns: int) -> Block:
    word, badge, text = _SEVERITY.get(row.severity, (row.severity[:4], ink.DIM, ink.TEXT))
    margin = 15
    pieces = wrapped(words.shortened(row.text, now_ns), max(width - margin - 1, 10))
    if len(pieces) > MAX_LINES:
        pieces = [*pieces[: MAX_LINES - 1], ink.fit(" ".join(pieces[MAX_LINES - 1 :]), width - margin - 1)]
    first: Line = (
        (f" {words.clock_text(row.at_ns)} ", ink.DIM),
        (f"{word:<4} ", badge),
        (pieces[0] if pieces else "", text),
    )
    rest: list[Line] = [((" " * margin, ink.TEXT), (piece, text)) for piece in pieces[1:]]
    return Block((first, *rest))
