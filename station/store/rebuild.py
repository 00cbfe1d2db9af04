"""Trades and orders purely from the log, and the comparison with the rows that the engine kept beside it."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from station.domain.errors import IllegalTransition
from station.domain.events import Recorded, TradeEvent
from station.domain.lifecycle import evolve
from station.domain.orders import Order
from station.domain.projection import order_ref_of, project_order
from station.domain.trade import Trade
from station.store.files import LIFECYCLE
from station.store.reading import logged
from station.store.rows import ORDERS, TRADES, RowMap
from station.store.viewing import viewed

T = TypeVar("T", Trade, Order)
_TRADE_EVENTS = get_args(TradeEvent)


@dataclass(slots=True)
class Rebuilt:
    """What the log says: trades by id and orders by reference, and every event it should not hold."""

    trades: dict[str, Trade] = field(default_factory=dict[str, Trade])
    orders: dict[str, Order] = field(default_factory=dict[str, Order])
    illegal: list[str] = field(default_factory=list[str])
    events: int = 0


def rebuild(events: Iterable[Recorded]) -> Rebuilt:
    """Replay `events`, in the order of the log. An event that the lifecycle forbids changes nothing and is
    named in `illegal`."""
    state = Rebuilt()
    for recorded in events:
        state.events += 1
        try:
            _apply(state, recorded)
        except IllegalTransition as error:
            state.illegal.append(f"event {state.events}: {error}")
    return state


def _apply(state: Rebuilt, recorded: Recorded) -> None:
    if recorded.trade_id and isinstance(recorded.event, _TRADE_EVENTS):
        event = cast("TradeEvent", recorded.event)
        before = state.trades.get(recorded.trade_id)
        state.trades[recorded.trade_id] = evolve(before, recorded.trade_id, event, recorded.at_ns)
    if ref := order_ref_of(recorded.event):
        order = project_order(state.orders.get(ref), recorded)
        if order is not None:
            state.orders[ref] = order


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """How the rebuilt state compares with the projections; `differences` are one line each."""

    events: int
    trades: int
    orders: int
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.differences

    def shape(self) -> dict[str, Any]:
        """The document of the `replay-log` verb."""
        return {
            "v": 1, "ok": self.ok, "events": self.events, "trades": self.trades, "orders": self.orders,
            "differences": list(self.differences),
        }  # fmt: skip


def replay_log(runtime_dir: Path | str) -> ReplayReport:
    """Rebuild the state of a runtime directory from its log and compare it field by field with the tables.

    Reads only, in one read transaction, also while an engine runs there. Raises BadInput where there is no
    lifecycle database, Fatal where it cannot be read.
    """
    with viewed(Path(runtime_dir) / LIFECYCLE) as connection:
        rows = connection.execute("SELECT seq, at_ns, trade_id, type, v, data FROM trade_events ORDER BY seq")
        state = rebuild(logged(row).recorded for row in rows)
        differences = [
            *state.illegal,
            *differing("trade", state.trades, _kept(connection, TRADES, "id")),
            *differing("order", state.orders, _kept(connection, ORDERS, "order_ref")),
        ]
    return ReplayReport(state.events, len(state.trades), len(state.orders), tuple(differences))


def _kept(connection: sqlite3.Connection, rows: RowMap[T], key: str) -> dict[str, T]:
    at = next(i for i, column in enumerate(rows.columns) if column.name == key)
    return {row[at]: rows.decode(row) for row in connection.execute(f"{rows.select} ORDER BY {key}")}


def differing(what: str, log: Mapping[str, T], table: Mapping[str, T]) -> list[str]:
    """One line for each row that is on one side only, and for each field that differs."""
    lines: list[str] = []
    for key in sorted({*log, *table}):
        rebuilt, kept = log.get(key), table.get(key)
        if kept is None:
            lines.append(f"{what} {key} is on the log but not in its table")
        elif rebuilt is None:
            lines.append(f"{what} {key} is in its table but not on the log")
        elif rebuilt != kept:
            lines.extend(f"{what} {key}: {line}" for line in _fields(rebuilt, kept))
    return lines


def _fields(rebuilt: Any, kept: Any, path: str = "") -> Iterator[str]:
    for found in dataclasses.fields(rebuilt):
        a, b = getattr(rebuilt, found.name), getattr(kept, found.name)
        if a == b:
            continue
        if dataclasses.is_dataclass(a) and dataclasses.is_dataclass(b):
            yield from _fields(a, b, f"{path}{found.name}.")
        else:
            yield f"{path}{found.name} is {_text(b)}, the log says {_text(a)}"


def _text(value: object) -> str:
    return str(getattr(value, "value", value))
