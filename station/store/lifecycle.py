"""The lifecycle repository: one atomic, durable commit for everything that a step of a trade changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from station.domain.errors import BadInput
from station.domain.events import ExecutionBooked
from station.domain.orders import OrderState, trade_of
from station.domain.ports import Changes, Committed, DailyMetrics, Snapshot
from station.domain.signals import SIGNAL_STEPS, SignalState
from station.domain.trade import TradeState
from station.store.chain import Entry, append
from station.store.codec import canonical
from station.store.connection import Database, touch
from station.store.reading import LifecycleReader
from station.store.rows import FILLS, ORDERS, SIGNALS, TRACE, TRADES, traces

_MARK: Final = (
    "INSERT INTO scanner_marks (scanner, account, environment, bar_start_ns) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (scanner) DO UPDATE SET bar_start_ns = excluded.bar_start_ns"
)
_CONTROL: Final = (
    "INSERT INTO controls (name, account, environment, value) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
_FAILURE: Final = (
    "INSERT INTO order_failures (account, environment, order_ref, code, root, derived, at_ns) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_CANCEL: Final = (
    "INSERT INTO cancel_registry (account, environment, order_ref, cause, at_ns) VALUES (?, ?, ?, ?, ?)"
)


_EXPIRE: Final = (
    f"UPDATE signals SET state = '{SignalState.EXPIRED.value}' "
    f"WHERE state = '{SignalState.GENERATED.value}' AND valid_until_ns <= ?"
)
_DAY: Final = "INSERT OR REPLACE INTO daily_metrics VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Owner(NamedTuple):
    """Whose rows these are, where a value does not say so itself."""

    account: str
    environment: str


class LifecycleRepository(LifecycleReader):
    """Fulfils `domain.ports.LifecycleStore`, and answers the journal's questions (`LifecycleReader`)."""

    def __init__(self, database: Database, owner: Owner) -> None:
        super().__init__(database.read)
        self._database = database
        self._owner = owner

    async def commit(self, changes: Changes) -> None:
        """Append and upsert in one transaction, durable on return. An empty `changes` does nothing.

        Raises StorageUnavailable (nothing was written), Fatal for a broken file, BadInput for a NaN.
        """
        work = self._work(changes)
        if work is not None:
            await self._database.commit(*work)

    async def commit_each(self, steps: Sequence[Changes]) -> Committed:
        """As `commit` for each of them, in one hop and with one sync, that of the last; nothing is written of
        the first that fails, and what came before it is durable."""
        works: list[tuple[Callable[[sqlite3.Connection], None], str]] = []
        refused: BadInput | None = None
        for changes in steps:
            try:
                work = self._work(changes)
            except BadInput as error:
                refused = error
                break
            works.append(work or (touch, "other"))
        result = await self._database.commit_each(works)
        return Committed(result.done, result.error or refused)

    def _work(self, changes: Changes) -> tuple[Callable[[sqlite3.Connection], None], str] | None:
        """The transaction and its label; None for empty `changes`. Raises BadInput for a NaN."""
        entries = tuple(
            Entry(r.at_ns, r.trade_id, r.event.type, r.event.v, canonical(r.event)) for r in changes.events
        )
        upserts = _upserts(changes, self._owner)
        if not entries and not upserts:
            return None
        label = entries[0].type if entries else "other"
        return partial(_write, self._owner, entries, upserts), label

    async def load(self, since_ns: int) -> Snapshot:
        """All that is not terminal and everything updated at or after `since_ns`, with every order, fill and
        signal of those trades, so that a correction finds what it corrects; of other signals, those that were
        still waiting then."""
        return await self._database.read(partial(load_snapshot, since_ns))

    async def expire_signals(self, now_ns: int) -> int:
        """End every signal past its valid-until that led to nothing, those too that a newer one of their
        scanner has followed or a crash has left; how many they were."""
        return await self._database.commit(lambda c: c.execute(_EXPIRE, (now_ns,)).rowcount, "signals")

    async def record_day(self, day: DailyMetrics) -> None:
        """Write a session's metrics; a repeated session replaces its row."""
        account, environment = self._owner
        row = (
            day.session, account, environment, day.trades, day.wins, day.losses, str(day.net_pnl),
            str(day.commissions), str(day.max_drawdown), str(day.equity_start), str(day.equity_end), day.at_ns,
        )  # fmt: skip
        await self._database.commit(lambda c: c.execute(_DAY, row) and None, "day")


_Upsert = tuple[str, list[tuple[Any, ...]]]


def _upserts(changes: Changes, owner: Owner) -> tuple[_Upsert, ...]:
    account, environment = owner
    booked = {
        r.event.exec_id: r.trade_id for r in changes.events if isinstance(r.event, ExecutionBooked)
    }  # fmt: skip
    every: tuple[_Upsert, ...] = (
        (TRADES.upsert, [TRADES.encode(t) for t in changes.trades]),
        (ORDERS.upsert, [ORDERS.encode(o, environment) for o in changes.orders]),
        (FILLS.upsert, [
            FILLS.encode(e, e.root_id, booked.get(e.exec_id) or trade_of(e.order_ref) or "", environment)
            for e in changes.executions
        ]),
        (SIGNALS.upsert, [SIGNALS.encode(s, account, environment) for s in changes.signals]),
        (TRACE, traces(changes.decisions, account, environment)),
        (_FAILURE, [
            (account, environment, f.order_ref, f.code, f.root, f.derived, f.at_ns) for f in changes.failures
        ]),
        (_CANCEL, [(account, environment, *cancel) for cancel in changes.cancels]),
        (_MARK, [(name, account, environment, at) for name, at in changes.scanner_marks.items()]),
        (_CONTROL, [(name, account, environment, text) for name, text in changes.controls.items()]),
    )  # fmt: skip
    return tuple(upsert for upsert in every if upsert[1])


def _write(
    owner: Owner, entries: tuple[Entry, ...], upserts: tuple[_Upsert, ...], connection: sqlite3.Connection
) -> None:
    if entries:
        append(connection, owner.account, owner.environment, entries)
    for sql, rows in upserts:
        try:
            connection.executemany(sql, rows)
        except sqlite3.IntegrityError as error:
            raise BadInput(f"a row was refused by the lifecycle database: {error} ({rows[0][0]})") from error


def _quoted(states: tuple[str, ...]) -> str:
    return ", ".join(f"'{state}'" for state in states)


_ENDED_TRADES: Final = _quoted(tuple(s.value for s in TradeState if s.is_terminal))
_ENDED_ORDERS: Final = _quoted(tuple(s.value for s in OrderState if s.is_terminal))
_ENDED_SIGNALS: Final = _quoted(tuple(s.value for s, steps in SIGNAL_STEPS.items() if not steps))

_LIVE_TRADES: Final = f"state NOT IN ({_ENDED_TRADES}) OR updated_ns >= :since"
_TRADE_IDS: Final = f"SELECT id FROM trades WHERE {_LIVE_TRADES}"
_LIVE_ORDERS: Final = f"state NOT IN ({_ENDED_ORDERS}) OR updated_ns >= :since OR trade_id IN ({_TRADE_IDS})"
_ORDER_REFS: Final = f"SELECT order_ref FROM orders WHERE {_LIVE_ORDERS}"


def load_snapshot(since_ns: int, connection: sqlite3.Connection) -> Snapshot:
    """What `LifecycleRepository.load` answers, over any connection to such a database."""
    since = {"since": since_ns}

    def rows(sql: str) -> Iterator[tuple[Any, ...]]:
        return connection.execute(sql, since)

    trades = rows(f"{TRADES.select} WHERE {_LIVE_TRADES} ORDER BY opened_ns, id")
    orders = rows(f"{ORDERS.select} WHERE {_LIVE_ORDERS} ORDER BY created_ns, order_ref")
    fills = rows(
        f"{FILLS.select} WHERE at_ns >= :since OR trade_id IN ({_TRADE_IDS}) OR order_ref IN ({_ORDER_REFS}) "
        "ORDER BY at_ns, exec_id"
    )
    signals = rows(
        f"{SIGNALS.select} WHERE trade_id IN ({_TRADE_IDS}) "
        f"OR (state NOT IN ({_ENDED_SIGNALS}) AND valid_until_ns >= :since) ORDER BY published_ns, id"
    )
    marks = connection.execute("SELECT scanner, bar_start_ns FROM scanner_marks ORDER BY scanner").fetchall()
    controls = connection.execute("SELECT name, value FROM controls ORDER BY name").fetchall()
    (last_ns,) = connection.execute("SELECT COALESCE(MAX(at_ns), 0) FROM trade_events").fetchone()
    return Snapshot(
        tuple(map(TRADES.decode, trades)), tuple(map(ORDERS.decode, orders)),
        tuple(map(FILLS.decode, fills)), tuple(map(SIGNALS.decode, signals)), dict(marks), dict(controls),
        int(last_ns),
    )  # fmt: skip
