"""The archive: logs, bars and position snapshots, batched, disposable, never in the way of an order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Final

from station.domain.errors import StorageUnavailable
from station.domain.instruments import Contract, Timeframe
from station.domain.market import Bar
from station.store.connection import Database
from station.store.lifecycle import Owner
from station.store.rows import RowMap

BATCH_ROWS: Final = 2_000
"""Rows in one commit: measured not to hold the disk long enough to slow an order."""
BACKLOG_ROWS: Final = 50_000
"""Rows kept waiting; beyond that the oldest are dropped and counted."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the station's log; `data` is a JSON object."""

    at_ns: int
    level: str
    component: str
    text: str
    data: str = "{}"


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


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines; an empty field does not restrict, `text` is looked for anywhere, case-insensitive."""

    level: str = ""
    component: str = ""
    text: str = ""
    since_ns: int = 0
    limit: int = field(default=1_000)


_LOGS: Final = RowMap(LogLine, "logs", "")
_SNAPSHOTS: Final = RowMap(
    PositionSnapshot, "position_snapshots", "trade_id, at_ns", json=frozenset({"contract"}),
    extra=("account", "environment"),
)  # fmt: skip
_BAR: Final = (
    "INSERT INTO bars (symbol, timeframe, start_ns, open, high, low, close, volume) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (symbol, timeframe, start_ns) DO UPDATE SET "
    "open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, "
    "volume = excluded.volume"
)


class ArchiveRepository:
    """Rows wait in memory until `flush`; putting one never blocks, reading sees only what was flushed."""

    def __init__(self, database: Database, owner: Owner) -> None:
        self._database = database
        self._owner = owner
        self._waiting: list[tuple[str, tuple[Any, ...]]] = []
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Rows not yet written."""
        return len(self._waiting)

    def log(self, *lines: LogLine) -> None:
        self._put(_LOGS.upsert, (_LOGS.encode(line) for line in lines))

    def bars(self, symbol: str, timeframe: Timeframe, bars: Iterable[Bar]) -> None:
        """Finished bars; one that was there before is replaced."""
        self._put(_BAR, ((symbol, timeframe.value, *bar) for bar in bars))

    def snapshot(self, *snapshots: PositionSnapshot) -> None:
        self._put(_SNAPSHOTS.upsert, (_SNAPSHOTS.encode(s, *self._owner) for s in snapshots))

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
        """Delete logs and snapshots older than `before_ns`; returns the rows deleted."""
        return await self._database.commit(partial(_prune, before_ns))

    async def read_logs(self, wanted: LogFilter | None = None) -> tuple[LogLine, ...]:
        """The latest lines that match, oldest first."""
        w = wanted or LogFilter()
        rows = await self._database.read(
            lambda c: c.execute(
                f"{_LOGS.select} WHERE at_ns >= ? AND ? IN ('', level) AND ? IN ('', component) "
                "AND instr(lower(text), lower(?)) > 0 ORDER BY seq DESC LIMIT ?",
                (w.since_ns, w.level, w.component, w.text, w.limit),
            ).fetchall()
        )
        return tuple(_LOGS.decode(row) for row in reversed(rows))

    async def read_bars(self, symbol: str, timeframe: Timeframe, since_ns: int = 0) -> tuple[Bar, ...]:
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT start_ns, open, high, low, close, volume FROM bars "
                "WHERE symbol = ? AND timeframe = ? AND start_ns >= ? ORDER BY start_ns",
                (symbol, timeframe.value, since_ns),
            ).fetchall()
        )
        return tuple(Bar(*row) for row in rows)

    async def read_snapshots(self, trade_id: str) -> tuple[PositionSnapshot, ...]:
        rows = await self._database.read(
            lambda c: c.execute(
                f"{_SNAPSHOTS.select} WHERE trade_id = ? ORDER BY at_ns, seq", (trade_id,)
            ).fetchall()
        )
        return tuple(map(_SNAPSHOTS.decode, rows))

    def _put(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._waiting.extend((sql, row) for row in rows)
        self._trim()

    def _trim(self) -> None:
        over = len(self._waiting) - BACKLOG_ROWS
        if over > 0:
            del self._waiting[:over]
            self.dropped += over


def _write(batch: list[tuple[str, tuple[Any, ...]]], connection: sqlite3.Connection) -> None:
    for sql, row in batch:
        connection.execute(sql, row)


def _prune(before_ns: int, connection: sqlite3.Connection) -> int:
    logs = connection.execute("DELETE FROM logs WHERE at_ns < ?", (before_ns,)).rowcount
    snapshots = connection.execute("DELETE FROM position_snapshots WHERE at_ns < ?", (before_ns,)).rowcount
    return logs + snapshots
