"""What must reach the eye and the ear: fills, stops, refusals, the gate, a lost link, and what is critical."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from station.link import AlertRow, Alerts, Header
from station.link.floor import READY
from widgets import words
from widgets.scene import Scene

CRITICAL: Final = "critical"
_TONES: Final = {"critical": "bad", "warn": "warn", "good": "good"}


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened. `kind` is fill, stop, reject, gate, proposal, disconnect or critical; `tone` is
    the notice line's."""

    kind: str
    text: str
    tone: str


class Attention:
    """Compares each picture with the one before; of the first only a newest alert that is critical is news."""

    def __init__(self) -> None:
        self._alerts: Alerts | None = None
        self._header: Header | None = None
        self._lost = False

    def news(self, scene: Scene) -> tuple[News, ...]:
        """What happened since the last call, oldest first."""
        found = (*self._from_header(scene), *self._from_alerts(scene))
        return tuple(dict.fromkeys(found))

    def _from_alerts(self, scene: Scene) -> list[News]:
        part = scene.floor.alerts
        known, self._alerts = self._alerts, part
        if part is None or part is known:
            return []
        if part.state != READY:
            # An engine that starts again will tell the day's alerts once more.
            self._alerts = known
            return []
        fresh = part.rows[: _new(part.rows, known.rows)] if known is not None else part.rows[:1]
        told = [(row, CRITICAL if row.severity == CRITICAL else row.kind) for row in reversed(fresh)]
        return [
            News(kind, words.shortened(row.text, scene.now_ns), _TONES.get(row.severity, "info"))
            for row, kind in told
            if kind and (known is not None or kind == CRITICAL)
        ]

    def _from_header(self, scene: Scene) -> list[News]:
        header = scene.floor.header
        known, self._header = self._header, header
        if header is None or known is None or header is known or header.broker_up == known.broker_up:
            return []
        lost, self._lost = self._lost, not header.broker_up
        if header.broker_up:
            # At the start it was never away, only not there yet.
            said = "is back" if lost else "answers"
            return [News("disconnect", f"the broker {header.broker} {said}", "good")]
        return [
            News("disconnect", f"BROKER DOWN: {header.broker} does not answer; protection waits for it", "bad")
        ]


def _new(rows: tuple[AlertRow, ...], known: tuple[AlertRow, ...]) -> int:
    """How many of `rows` (newest first) stand before the newest that was known; where that is gone, how many
    are younger."""
    if not known:
        return len(rows)
    if known[0] in rows:
        return rows.index(known[0])
    return sum(row.at_ns > known[0].at_ns for row in rows)


def loudest(news: tuple[News, ...]) -> News:
    """The one to show where only one can be: the worst, the newest of those."""
    ranks = {"bad": 3, "warn": 2, "good": 1}
    return max(reversed(news), key=lambda one: ranks.get(one.tone, 0))
