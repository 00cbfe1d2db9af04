"""The archive: position snapshots, batched, disposable, never in the way of an order."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final

from station.domain.errors import StorageUnavailable
from station.domain.instruments import Contract
from station.store.connection import Database
from station.store.lifecycle import Owner
from station.store.rows import RowMap

BATCH_ROWS: Final = 2_000
"""Rows in one commit: measured not to hold the disk long enough to slow an order."""
BACKLOG_ROWS: Final = 50_000
"""Rows kept waiting; beyond that the oldest are dropped and counted."""


@dataclass(frozen=True, slots=True)
class PositionSnapshot:
    """A held position at an instant. Prices dollars a unit; greeks as in `domain.market.Greeks`."""

    at_ns: int
    trade_id: str
    contract: Contract
    qty: Decimal
    bid: Decimal | None = None
    ask: Decimal | None = None
    underlying_price: float | None = None
    iv: float | None = None
    delta: float | None = None
    gamma: float | None = None
    theta: float | None = None
    vega: float | None = None
    source: str = ""


_SNAPSHOTS: Final = RowMap(
    PositionSnapshot, "position_snapshots", "trade_id, at_ns", json=frozenset({"contract"}),
    extra=("account", "environment"),
)  # fmt: skip


class ArchiveRepository:
    """Rows wait in memory until `flush`; putting one never blocks, reading sees only what was flushed."""

    def __init__(self, database: Database, owner: Owner) -> None:
        self._database = database
        self._owner = owner
        self._waiting: list[tuple[Any, ...]] = []
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Rows not yet written."""
        return len(self._waiting)

    def snapshot(self, *snapshots: PositionSnapshot) -> None:
        self._waiting.extend(_SNAPSHOTS.encode(each, *self._owner) for each in snapshots)
        self._trim()

    async def flush(self) -> int:
        """Write what waits, in batches; returns the rows written. A failed batch waits for the next flush;
        raises StorageUnavailable."""
        written = 0
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH_ROWS], self._waiting[BATCH_ROWS:]
            try:
                await self._database.commit(partial(_write, batch))
            except StorageUnavailable:
                self._waiting = batch + self._waiting
                self._trim()
                raise
            written += len(batch)
        return written

    async def prune(self, before_ns: int) -> int:
        """Delete snapshots older than `before_ns`; returns the rows deleted."""
        return await self._database.commit(partial(_prune, before_ns))

    async def read_snapshots(self, trade_id: str) -> tuple[PositionSnapshot, ...]:
        rows = await self._database.read(
            lambda c: c.execute(
                f"{_SNAPSHOTS.select} WHERE trade_id = ? ORDER BY at_ns, seq", (trade_id,)
            ).fetchall()
        )
        return tuple(map(_SNAPSHOTS.decode, rows))

    def _trim(self) -> None:
        over = len(self._waiting) - BACKLOG_ROWS
        if over > 0:
            del self._waiting[:over]
            self.dropped += over


def _write(batch: list[tuple[Any, ...]], connection: sqlite3.Connection) -> None:
    connection.executemany(_SNAPSHOTS.upsert, batch)


def _prune(before_ns: int, connection: sqlite3.Connection) -> int:
    return connection.execute("DELETE FROM position_snapshots WHERE at_ns < ?", (before_ns,)).rowcount
