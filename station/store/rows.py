"""Domain dataclasses as table rows: one column a field, nested values flattened or kept as canonical JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar, get_type_hints

import msgspec

from station.domain.errors import BadInput
from station.domain.orders import Execution, Order
from station.domain.signals import Decision, Signal
from station.domain.trade import Trade
from station.store.codec import may_hold_float

T = TypeVar("T")
_Segment = tuple[tuple[str, ...], Callable[[Mapping[str, Any]], tuple[Any, ...]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """Where a column's value lives in the dataclass; `json` for lists and nested values, `float` where it
    may be one."""

    name: str
    path: tuple[str, ...]
    json: bool
    float: bool


class RowMap(Generic[T]):
    """How values of `kind` are written to and read from `table`.

    `extra` are columns beside the fields, given at `encode` in that order; `keep` says, by column, the SQL
    that merges with what an upsert finds (default: the new value).
    """

    def __init__(
        self, kind: type[T], table: str, key: str, *, inline: frozenset[str] = frozenset(),
        json: frozenset[str] = frozenset(), rename: Mapping[str, str] | None = None,
        extra: tuple[str, ...] = (), keep: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.table = table
        self.columns = _columns(kind, (), inline, json, rename or {})
        self._extra = extra
        self._segments = _segments(self.columns)
        self._floats = [at for at, column in enumerate(self.columns) if column.float]
        self._jsons = [at for at, column in enumerate(self.columns) if column.json]
        names = [*(column.name for column in self.columns), *extra]
        merge = keep or {}
        updates = ", ".join(f"{n} = {merge.get(n, f'excluded.{n}')}" for n in names if n != key)
        marks = ", ".join("?" * len(names))
        insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
        self.upsert = f"{insert} ON CONFLICT ({key}) DO UPDATE SET {updates}" if key else insert
        self.select = f"SELECT {', '.join(column.name for column in self.columns)} FROM {table}"

    def encode(self, value: T, *extra: object) -> tuple[object, ...]:
        """The row. Raises BadInput for a NaN or an infinity."""
        body: dict[str, Any] = msgspec.to_builtins(value)
        row: list[Any] = []
        for path, taken in self._segments:
            part = body
            for name in path:
                part = part[name]
            row.extend(taken(part))
        for at in self._floats:
            if type(row[at]) is float and not math.isfinite(row[at]):
                raise BadInput(f"{self.table}.{self.columns[at].name} cannot be {row[at]}: {value!r}")
        for at in self._jsons:
            if row[at] is not None:
                row[at] = msgspec.json.encode(row[at], order="sorted").decode()
        return (*row, *extra)

    def decode(self, row: tuple[Any, ...]) -> T:
        """The value of a `select` row. Raises BadInput where a column does not fit its field."""
        body: dict[str, Any] = {}
        for column, found in zip(self.columns, row, strict=True):
            into = body
            for part in column.path[:-1]:
                into = into.setdefault(part, {})
            into[column.path[-1]] = msgspec.json.decode(found) if column.json and found is not None else found
        try:
            return msgspec.convert(body, self.kind, strict=False)
        except msgspec.ValidationError as error:
            raise BadInput(f"{self.table} row {row[0]!r} cannot be read: {error}") from error


def _columns(
    kind: type[Any], path: tuple[str, ...], inline: frozenset[str], json: frozenset[str],
    rename: Mapping[str, str],
) -> tuple[Column, ...]:  # fmt: skip
    hints = get_type_hints(kind)
    found: list[Column] = []
    for field in dataclasses.fields(kind):
        here = (*path, field.name)
        if field.name in inline:
            found.extend(_columns(hints[field.name], here, inline, json, rename))
        else:
            name, nested = rename.get(field.name, field.name), field.name in json
            found.append(Column(name, here, nested, may_hold_float(hints[field.name])))
    return tuple(found)


def _segments(columns: Sequence[Column]) -> list[_Segment]:
    """Runs of columns that lie in one mapping: the path to it, and what takes all of them at once."""
    found: list[_Segment] = []
    for path, run in groupby(columns, lambda column: column.path[:-1]):
        names = [column.path[-1] for column in run]
        found.append((path, _taker(names)))
    return found


def _taker(names: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if len(names) == 1:
        return lambda body: (body[names[0]],)
    return itemgetter(*names)


TRADES: Final = RowMap(
    Trade, "trades", "id",
    json=frozenset(
        {
            "contract", "scanners", "exits", "ladder", "hand", "own", "part_tokens", "reversal", "offer",
            "closing",
        }
    ),
)  # fmt: skip
ORDERS: Final = RowMap(
    Order, "orders", "order_ref", inline=frozenset({"ticket"}), json=frozenset({"contract"}),
    rename={"limit": "limit_price", "stop": "stop_price"}, extra=("environment",),
)  # fmt: skip
FILLS: Final = RowMap(
    Execution, "order_fills", "exec_id", json=frozenset({"contract"}),
    extra=("root_id", "trade_id", "environment"),
    # A fee once known stays known, and a fill stays with its trade.
    keep={
        "commission": "COALESCE(excluded.commission, commission)",
        "trade_id": "CASE excluded.trade_id WHEN '' THEN trade_id ELSE excluded.trade_id END",
    },
)  # fmt: skip
SIGNALS: Final = RowMap(
    Signal, "signals", "id", inline=frozenset({"firing"}), json=frozenset({"warnings"}),
    extra=("account", "environment"),
)  # fmt: skip
SELECT_DECISIONS: Final = "SELECT trade_id, stage, verdict, reason, at_ns, value, limit_value FROM decisions"
"""Decisions field by field, out of a view of what `traces` and older rows hold."""
TRACE: Final = "INSERT INTO traces (account, environment, trade_id, verdicts) VALUES (?, ?, ?, ?)"
MOST_VERDICTS: Final = 1024
"""In one row of `traces`; the view numbers verdicts by it."""


def traces(decisions: Sequence[Decision], account: str, environment: str) -> list[tuple[str, str, str, str]]:
    """The verdicts as rows of `traces`: those of one trade together, each as a JSON list of stage, verdict,
    reason, at_ns, value and limit."""
    by_trade: dict[str, list[tuple[str, str, str, int, str, str]]] = {}
    for d in decisions:
        by_trade.setdefault(d.trade_id, []).append((d.stage, d.verdict, d.reason, d.at_ns, d.value, d.limit))
    return [
        (account, environment, trade_id, msgspec.json.encode(verdicts[at : at + MOST_VERDICTS]).decode())
        for trade_id, verdicts in by_trade.items()
        for at in range(0, len(verdicts), MOST_VERDICTS)
    ]
