"""The journal over a lifecycle database: the engine's own, or a runtime directory's, read-only."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from station.domain.errors import BadInput
from station.domain.trade import Trade
from station.journal.entries import JournalFilter, journal_document
from station.journal.figures import Figures, digest, figures
from station.journal.notes import NOTHING, Annotated, annotated
from station.journal.performance import performance_document
from station.journal.shapes import Json, story_shape, trades_shape
from station.store import Inline, LifecycleReader, Logged, TradeFilter, viewed
from station.store.files import LIFECYCLE


class Journal:
    """What happened, in the shapes that the command line promises."""

    def __init__(self, reader: LifecycleReader) -> None:
        self._reader = reader

    async def trades(self, wanted: TradeFilter | None = None) -> Json:
        """`{v, trades: [...]}` in order of opening."""
        return trades_shape(await self._reader.trades(wanted))

    async def story(self, trade_id: str) -> Json:
        """`{v, trade, transitions, events, decision, notes, tags}` of one trade. Raises BadInput for an
        unknown id."""
        trade = await self.trade(trade_id)
        events = await self._reader.events(trade_id)
        told = story_shape(trade, events, await self._reader.decisions(trade_id))
        mine = annotated(events).get(trade_id, NOTHING)
        return told | {"notes": [note.shape() for note in mine.notes], "tags": list(mine.tags)}

    async def trade(self, trade_id: str) -> Trade:
        """One trade as it stands. Raises BadInput for an unknown id."""
        trade = await self._reader.trade(trade_id)
        if trade is None:
            known = len(await self._reader.trades())
            raise BadInput(f"no trade {trade_id!r} among the {known} in this journal: `trades` lists their ids")
        return trade

    async def events(self, trade_id: str) -> tuple[Logged, ...]:
        """One trade's events, in the order of the log."""
        return await self._reader.events(trade_id)

    async def annotations(self, trade_id: str = "") -> dict[str, Annotated]:
        """Notes and tags by trade id, of one trade where it is given."""
        return annotated(await self._reader.annotations(trade_id))

    async def entries(self, wanted: JournalFilter) -> Json:
        """The `journal` document: see `journal_document`."""
        return journal_document(await self._reader.trades(), await self.annotations(), wanted)

    async def performance(self, wanted: JournalFilter) -> Json:
        """The `performance` document, of the trades that `wanted` takes: see `performance_document`."""
        known = await self.annotations()
        trades = [t for t in await self._reader.trades() if wanted.takes(t, known.get(t.id, NOTHING))]
        return performance_document(trades, await self._reader.days())

    async def every_trade(self) -> tuple[Trade, ...]:
        """The trades as they stand, in order of opening."""
        return await self._reader.trades()

    async def figures(self, since_ns: int = 0) -> Figures:
        """The numbers of all trades opened and signals published at or after `since_ns`."""
        trades = await self._reader.trades(TradeFilter(since_ns=since_ns))
        events = await self._reader.events_since(since_ns)
        return figures(len(await self._reader.signals(since_ns)), trades, events)

    async def digest(self) -> str:
        """The run's digest (SPEC §23), over everything this database holds."""
        return await self._reader.walk(digest)


@contextmanager
def open_journal(runtime_dir: Path) -> Generator[Journal]:
    """The journal of a runtime directory as it stands now. Raises as `viewed`."""
    with viewed(runtime_dir / LIFECYCLE) as connection:
        yield Journal(LifecycleReader(Inline(connection)))
