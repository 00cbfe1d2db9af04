"""Read models over the lifecycle database, for the journal, the screens and the verbs."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from station.domain.events import Recorded
from station.domain.orders import Execution, Order
from station.domain.ports import DailyMetrics
from station.domain.signals import Decision, Signal
from station.domain.trade import Trade
from station.store.chains import Chain, ChainFilter, read_chains
from station.store.codec import decode_event
from station.store.rows import FILLS, ORDERS, SELECT_DECISIONS, SIGNALS, TRADES

T = TypeVar("T")
_DAYS: Final = (
    "SELECT session, trades, wins, losses, net_pnl, commissions, max_drawdown, equity_start, equity_end, at_ns "
    "FROM daily_metrics ORDER BY session"
)


class Run(Protocol):
    """Runs a read on a database's thread."""

    def __call__(self, work: Callable[[sqlite3.Connection], T], /) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class TradeFilter:
    """Which trades; an empty field does not restrict. Times are of opening, UTC ns, `until_ns` exclusive."""

    states: tuple[str, ...] = ()
    strategy: str = ""
    symbol: str = ""
    account: str = ""
    since_ns: int = 0
    until_ns: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Logged:
    """An event with its place on the log."""

    seq: int
    recorded: Recorded


class Walk:
    """The books from their beginning, row by row, each kind ordered by time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def signals(self) -> Iterator[Signal]:
        """By publication, then id."""
        return map(SIGNALS.decode, self._rows(f"{SIGNALS.select} ORDER BY published_ns, id"))

    def events(self) -> Iterator[Logged]:
        """By time, then place on the log: what was spooled in an outage came to the log later than it was."""
        one = "SELECT seq, at_ns, trade_id, type, v, data FROM trade_events WHERE seq = ?"
        for place in self._rows("SELECT seq FROM trade_events ORDER BY at_ns, seq"):
            yield logged(self._connection.execute(one, place).fetchone())

    def orders(self) -> Iterator[Order]:
        """By creation, then reference."""
        return map(ORDERS.decode, self._rows(f"{ORDERS.select} ORDER BY created_ns, order_ref"))

    def fills(self) -> Iterator[Execution]:
        """By time, then id."""
        return map(FILLS.decode, self._rows(f"{FILLS.select} ORDER BY at_ns, exec_id"))

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        return iter(self._connection.execute(sql))


class LifecycleReader:
    """Questions to the lifecycle database. Each raises as `Database.read` does; none returns less than
    the truth."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def trades(self, wanted: TradeFilter | None = None) -> tuple[Trade, ...]:
        """Trades in order of opening; with `limit` the latest ones."""
        where, values = _trade_clause(wanted or TradeFilter())
        rows = await self._rows(f"{TRADES.select} {where}", values)
        return tuple(sorted(map(TRADES.decode, rows), key=lambda trade: (trade.opened_ns, trade.id)))

    async def newest_ns(self) -> int:
        """The newest instant that any row tells of, UTC ns; 0 on empty books."""
        ((newest,),) = await self._rows(
            "SELECT MAX(COALESCE((SELECT MAX(at_ns) FROM trade_events), 0), "
            "COALESCE((SELECT MAX(published_ns) FROM signals), 0))",
            (),
        )
        return int(newest)

    async def last_broker_id(self) -> int:
        """The highest id that any order ever had at the broker; 0 before the first."""
        ((last,),) = await self._rows("SELECT COALESCE(MAX(broker_id), 0) FROM orders", ())
        return int(last)

    async def trade(self, trade_id: str) -> Trade | None:
        rows = await self._rows(f"{TRADES.select} WHERE id = ?", (trade_id,))
        return TRADES.decode(rows[0]) if rows else None

    async def events(self, trade_id: str | None = None, after_seq: int = 0) -> tuple[Logged, ...]:
        """Events of one trade, of the system (empty id), or all (None), in the order of the log."""
        only, values = ("", ()) if trade_id is None else ("AND trade_id = ?", (trade_id,))
        rows = await self._rows(
            f"SELECT seq, at_ns, trade_id, type, v, data FROM trade_events WHERE seq > ? {only} ORDER BY seq",
            (after_seq, *values),
        )
        return tuple(logged(row) for row in rows)

    async def events_since(self, since_ns: int) -> tuple[Logged, ...]:
        """Events of every trade opened at or after `since_ns`, in the order of the log."""
        rows = await self._rows(
            "SELECT seq, at_ns, trade_id, type, v, data FROM trade_events "
            "WHERE trade_id IN (SELECT id FROM trades WHERE opened_ns >= ?) ORDER BY seq",
            (since_ns,),
        )
        return tuple(logged(row) for row in rows)

    async def latest(self, since_ns: int, types: Sequence[str]) -> tuple[Logged, ...]:
        """Events of these types at or after `since_ns`, newest first, back to the first that is older."""
        return await self._run(lambda connection: tuple(_backwards(connection, since_ns, frozenset(types))))

    async def walk(self, work: Callable[[Walk], T]) -> T:
        """What `work` makes of the books row by row, on the database's own thread: nothing is held at once."""
        return await self._run(lambda connection: work(Walk(connection)))

    async def annotations(self, trade_id: str = "") -> tuple[Logged, ...]:
        """Notes and tags, of one trade where it is given, in the order of the log."""
        rows = await self._rows(
            "SELECT seq, at_ns, trade_id, type, v, data FROM trade_events "
            "WHERE type >= 'journal.' AND type < 'journal/' AND ? IN ('', trade_id) ORDER BY seq",
            (trade_id,),
        )
        return tuple(logged(row) for row in rows)

    async def days(self) -> tuple[DailyMetrics, ...]:
        """The metrics of every session that ended, oldest first."""
        rows = await self._rows(_DAYS, ())
        return tuple(
            DailyMetrics(
                session, trades, wins, losses, Decimal(net), Decimal(fees), Decimal(fall), Decimal(start),
                Decimal(end), at_ns,
            )
            for session, trades, wins, losses, net, fees, fall, start, end, at_ns in rows
        )  # fmt: skip

    async def decisions(self, trade_id: str) -> tuple[Decision, ...]:
        """The decision trace, in the order the verdicts were given."""
        rows = await self._rows(f"{SELECT_DECISIONS} WHERE trade_id = ? ORDER BY seq", (trade_id,))
        return tuple(map(Decision._make, rows))

    async def signals(self, since_ns: int = 0, trade_id: str = "") -> tuple[Signal, ...]:
        """Signals published at or after `since_ns`, of one trade where it is given."""
        rows = await self._rows(
            f"{SIGNALS.select} WHERE published_ns >= ? AND ? IN ('', trade_id) ORDER BY published_ns, id",
            (since_ns, trade_id),
        )
        return tuple(map(SIGNALS.decode, rows))

    async def signal(self, signal_id: str) -> Signal | None:
        rows = await self._rows(f"{SIGNALS.select} WHERE id = ?", (signal_id,))
        return SIGNALS.decode(rows[0]) if rows else None

    async def chains(self, wanted: ChainFilter) -> tuple[tuple[Chain, ...], dict[str, int]]:
        """Signals with what each led to, the newest first, and their number by state."""
        return await self._run(partial(read_chains, wanted))

    async def orders(self, trade_id: str = "", since_ns: int = 0) -> tuple[Order, ...]:
        """Orders created at or after `since_ns`, of one trade where it is given."""
        rows = await self._rows(
            f"{ORDERS.select} WHERE created_ns >= ? AND ? IN ('', trade_id) ORDER BY created_ns, order_ref",
            (since_ns, trade_id),
        )
        return tuple(map(ORDERS.decode, rows))

    async def fills(self, trade_id: str = "", since_ns: int = 0) -> tuple[Execution, ...]:
        """Executions at or after `since_ns`, every revision, of one trade where it is given."""
        rows = await self._rows(
            f"{FILLS.select} WHERE at_ns >= ? AND ? IN ('', trade_id) ORDER BY at_ns, exec_id",
            (since_ns, trade_id),
        )
        return tuple(map(FILLS.decode, rows))

    async def failures(self, since_ns: int = 0) -> tuple[tuple[str, int, str, str, int], ...]:
        """Rejections: (order_ref, code, root, derived, at_ns)."""
        rows = await self._rows(
            "SELECT order_ref, code, root, derived, at_ns FROM order_failures WHERE at_ns >= ? ORDER BY seq",
            (since_ns,),
        )
        return tuple((r[0], r[1], r[2], r[3], r[4]) for r in rows)

    async def cancels(self, since_ns: int = 0) -> tuple[tuple[str, str, int], ...]:
        """The cancel registry: (order_ref, cause, at_ns)."""
        rows = await self._rows(
            "SELECT order_ref, cause, at_ns FROM cancel_registry WHERE at_ns >= ? ORDER BY seq", (since_ns,)
        )
        return tuple((r[0], r[1], r[2]) for r in rows)

    async def _rows(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        return await self._run(lambda connection: connection.execute(sql, values).fetchall())


def logged(row: tuple[Any, ...]) -> Logged:
    """An event from (seq, at_ns, trade_id, type, v, data)."""
    seq, at_ns, trade_id, name, v, data = row
    return Logged(seq, Recorded(decode_event(name, v, data), at_ns, trade_id))


def _backwards(connection: sqlite3.Connection, since_ns: int, types: frozenset[str]) -> Iterator[Logged]:
    newest_first = "SELECT seq, at_ns, trade_id, type, v, data FROM trade_events ORDER BY seq DESC"
    for row in connection.execute(newest_first):
        if row[1] < since_ns:
            return
        if row[3] in types:
            yield logged(row)


def _trade_clause(wanted: TradeFilter) -> tuple[str, tuple[object, ...]]:
    clauses: list[tuple[str, tuple[object, ...]]] = []
    if wanted.states:
        marks = ", ".join("?" * len(wanted.states))
        clauses.append((f"state IN ({marks})", wanted.states))
    for column in ("strategy", "symbol", "account"):
        if value := getattr(wanted, column):
            clauses.append((f"{column} = ?", (value,)))
    if wanted.since_ns:
        clauses.append(("opened_ns >= ?", (wanted.since_ns,)))
    if wanted.until_ns:
        clauses.append(("opened_ns < ?", (wanted.until_ns,)))
    where = " AND ".join(text for text, _ in clauses)
    values = tuple(value for _, part in clauses for value in part)
    tail = "ORDER BY opened_ns DESC, id DESC" + (f" LIMIT {wanted.limit:d}" if wanted.limit else "")
    return f"WHERE {where} {tail}" if where else tail, values
