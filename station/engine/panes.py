"""What screens ask for beyond the plain floor: each ask to the desk that answers it."""

from __future__ import annotations

from collections.abc import Callable

from station.domain.events import Recorded
from station.engine.chains import BookDesk, ChainDesk
from station.engine.charts import ChartDesk
from station.engine.engine import Engine
from station.engine.standing import StandingDesk
from station.link import Ask, AskedPart
from station.link.asked import refusal
from station.link.floor import LOADING


class Panes:
    """Answers at once and for whoever asks; nothing is computed that nobody looks at, but the day's curve.

    `perf` is host monotonic nanoseconds, `change` a symbol's percent against the previous close.
    """

    def __init__(
        self, engine: Engine, perf: Callable[[], int], change: Callable[[str], float | None]
    ) -> None:  # fmt: skip
        self._engine = engine
        charts, chains, self._books = ChartDesk(engine), ChainDesk(engine, perf), BookDesk(engine, perf)
        self._standing = StandingDesk(engine, change)
        self._desks: dict[str, Callable[[Ask], AskedPart]] = {
            "account": self._standing.account, "wealth": self._standing.wealth, "watch": self._standing.watch,
            "chart": charts.chart, "tip": charts.tip, "chain": chains.chain, "book": self._books.book,
        }  # fmt: skip

    def answer(self, ask: Ask) -> AskedPart | None:
        """The part as it is now; None for one nobody here knows."""
        desk = self._desks.get(ask.part)
        if desk is None:
            return None
        if not hasattr(self._engine, "rooms"):
            return refusal(ask, LOADING, self._engine.progress.phase)
        return desk(ask)

    def beat(self) -> None:
        """About once a second: sample the day's curve, give back what nobody looks at."""
        if hasattr(self._engine, "rooms"):
            self._standing.beat()
            self._books.tidy()

    def recorded(self, item: Recorded) -> None:
        self._standing.recorded(item)
