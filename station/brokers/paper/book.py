"""The exchange's own database: what it knows is here before anyone is told."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from station.brokers.paper.orders import PaperOrder
from station.brokers.paper.rows import SCHEMA, contract_text, price_text
from station.clock import Activity
from station.domain.errors import Fatal, StorageUnavailable
from station.domain.instruments import Contract
from station.domain.orders import Execution

T = TypeVar("T")
Row = tuple[Any, ...]

_ORDER = "INSERT OR REPLACE INTO orders VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_EVENT = "INSERT INTO order_events VALUES(?,?,?,?,?,?,?)"
_EXECUTION = "INSERT INTO executions VALUES(?,?,?,?,?,?,?,?,?,?,?)"
_CASH = "INSERT INTO cash VALUES(?,?,?,?,?)"
_SETTLEMENT = "INSERT INTO settlements VALUES(?,?,?,?,?,?,?)"
_REQUEST = "INSERT INTO requests VALUES(?,?,?,?,?,?,0)"
_DONE = "UPDATE requests SET done = 1 WHERE seq = ?"
_META = "INSERT OR REPLACE INTO meta VALUES(?,?)"


@dataclass(slots=True)
class Counters:
    """The last number given out of each kind."""

    event: int = 0
    execution: int = 0
    cash: int = 0
    settlement: int = 0
    request: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """The whole book as read back."""

    meta: dict[str, str]
    orders: list[Row]
    tickets: dict[str, str]
    triggered: frozenset[str]
    executions: list[Row]
    cash: list[Row]
    settlements: list[Row]
    requests: list[Row]
    counters: Counters


class Draft:
    """Rows waiting for one commit, in the order they were written."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self.statements: list[tuple[str, Row]] = []
        self._whats: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.statements)

    def _add(self, what: str, sql: str, row: Row) -> None:
        self._whats.append(what)
        self.statements.append((sql, row))

    def order(self, order: PaperOrder, what: str, at_ns: int) -> None:
        """An order's row as it now stands, and the event that made it so."""
        t = order.ticket
        self.counters.event += 1
        self._add(what, _ORDER, (
            t.order_ref, t.account, order.number, order.perm_id, contract_text(t.contract), t.action.value,
            str(t.qty), t.kind.value, price_text(t.limit), price_text(t.stop), t.tif.value, t.oca_group,
            t.parent_ref, t.purpose.value, order.state.value, str(order.filled), order.received_ns,
            order.updated_ns, order.reason,
        ))  # fmt: skip
        event = (
            self.counters.event,
            at_ns,
            t.order_ref,
            what,
            order.state.value,
            str(t.qty),
            str(order.filled),
        )
        self._add(what, _EVENT, event)

    def execution(self, execution: Execution) -> None:
        e = execution
        self._add("executed", _EXECUTION, (
            e.exec_id, self.counters.execution, e.order_ref, e.account, contract_text(e.contract),
            e.action.value, str(e.qty), str(e.price), e.contract.multiplier, str(e.commission), e.at_ns,
        ))  # fmt: skip

    def cash(self, at_ns: int, kind: str, amount: Decimal, ref: str) -> None:
        self.counters.cash += 1
        self._add(kind, _CASH, (self.counters.cash, at_ns, kind, str(amount), ref))

    def settlement(self, at_ns: int, account: str, contract: Contract, qty: Decimal, price: Decimal) -> None:
        self.counters.settlement += 1
        self._add("settlement", _SETTLEMENT, (
            self.counters.settlement, at_ns, account, contract_text(contract), str(qty), str(price),
            contract.multiplier,
        ))  # fmt: skip

    def request(self, seq: int, at_ns: int, due_ns: int, what: str, order_ref: str, body: str) -> None:
        self._add(what, _REQUEST, (seq, at_ns, due_ns, what, order_ref, body))

    def done(self, seq: int) -> None:
        self._add("done", _DONE, (seq,))

    def meta(self, key: str, value: str) -> None:
        self._add("meta", _META, (key, value))

    @property
    def what(self) -> str:
        """What the commit is about: its first row that is no bookkeeping."""
        return next((what for what in self._whats if what not in ("done", "meta")), "instant")

    def taken(self) -> list[tuple[str, Row]]:
        """The statements, which leaves the draft empty."""
        statements, self.statements, self._whats = self.statements, [], []
        return statements

    def put_back(self, statements: list[tuple[str, Row]], what: str) -> None:
        """After a commit that failed: nothing of it is lost, and it stays first."""
        self.statements[:0] = statements
        self._whats.insert(0, what)


class _Connection(aiosqlite.Connection):
    """One thread, and one hop to it for each whole transaction."""

    async def apart(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._execute(work, self._conn)


@dataclass(slots=True)
class Book:
    """An open book. `probe` is told before and after each commit, for tests that kill the process there."""

    path: Path
    activity: Activity
    probe: Callable[[str], None] | None = None
    _connection: _Connection | None = field(default=None, init=False)

    async def open(self) -> Stored:
        """Create or read it. Raises Fatal where the file is no sound book."""
        path = self.path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)

        try:
            async with self.activity.op():
                self._connection = connection = _Connection(connect, 64)
                await connection
                return await connection.apart(_prepared)
        except sqlite3.DatabaseError as broken:
            await self.close()
            raise Fatal(
                f"paper book {path} cannot be read ({broken}): "
                "restore it from a backup, or move it away to begin anew"
            ) from broken

    async def read(self) -> Stored:
        """The whole book, again."""
        assert self._connection is not None, "the book is closed"
        async with self.activity.op():
            return await self._connection.apart(_read)

    async def commit(self, draft: Draft) -> None:
        """Everything drafted becomes durable, or StorageUnavailable is raised and the draft is as it was."""
        assert self._connection is not None, "the book is closed"
        what, statements = draft.what, draft.taken()
        if self.probe is not None:
            self.probe(f"book.before:{what}")
        try:
            async with self.activity.op():
                await asyncio.shield(self._connection.apart(lambda connection: _write(connection, statements)))
        except sqlite3.Error as failed:
            draft.put_back(statements, what)
            raise StorageUnavailable(
                f"paper book {self.path} did not take {what!r} ({failed}): it is tried again, check the disk"
            ) from failed
        if self.probe is not None:
            self.probe(f"book.after:{what}")

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            async with self.activity.op():
                await connection.close()


def _write(connection: sqlite3.Connection, statements: Sequence[tuple[str, Row]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for sql, row in statements:
            connection.execute(sql, row)
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _prepared(connection: sqlite3.Connection) -> Stored:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute("COMMIT")
    return _read(connection)


def _read(connection: sqlite3.Connection) -> Stored:
    def rows(sql: str) -> list[Row]:
        return connection.execute(sql).fetchall()

    def last(table: str) -> int:
        return int(rows(f"SELECT COALESCE(MAX(seq), 0) FROM {table}")[0][0])

    counters = Counters(
        last("order_events"), last("executions"), last("cash"), last("settlements"), last("requests")
    )
    latest = "SELECT order_ref, what FROM order_events WHERE what IN ('triggered', 'modified') ORDER BY seq"
    triggered: dict[str, str] = dict(rows(latest))
    return Stored(
        meta=dict(rows("SELECT key, value FROM meta")),
        orders=rows("SELECT * FROM orders ORDER BY broker_id"),
        tickets=dict(rows("SELECT order_ref, body FROM requests WHERE what = 'place'")),
        triggered=frozenset(ref for ref, what in triggered.items() if what == "triggered"),
        executions=rows("SELECT * FROM executions ORDER BY seq"),
        cash=rows("SELECT * FROM cash ORDER BY seq"),
        settlements=rows("SELECT * FROM settlements ORDER BY seq"),
        requests=rows(
            "SELECT seq, at_ns, due_ns, what, order_ref, body FROM requests WHERE done = 0 ORDER BY seq"
        ),
        counters=counters,
    )
