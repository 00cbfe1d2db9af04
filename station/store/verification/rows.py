"""The databases as plain rows, each file in one read transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from station.domain.orders import trade_of
from station.store.files import CONFIG, LIFECYCLE, PAPER, WEALTH

Row = dict[str, Any]

_TABLES = {
    LIFECYCLE: {
        "trade_events": "seq", "trades": "id", "orders": "created_ns, order_ref",
        "order_fills": "at_ns, exec_id",
    },
    CONFIG: {},
    WEALTH: {"wealth_state": "plan", "trade_diary": "closed_ns, trade_id"},
    PAPER: {
        "meta": "key", "orders": "broker_id, order_ref", "order_events": "seq", "executions": "seq",
        "cash": "seq", "settlements": "seq",
    },
}  # fmt: skip


class ContractKey(NamedTuple):
    """What makes two contracts the same; ids and routing do not."""

    symbol: str
    sec_type: str
    expiry: str
    strike: Decimal
    right: str
    trading_class: str
    multiplier: int
    currency: str

    def __str__(self) -> str:
        strike = f"{self.strike.normalize():f}{self.right}" if self.right else ""
        return " ".join(part for part in (self.trading_class or self.symbol, self.expiry, strike) if part)


def contract_key(contract: str | Row) -> ContractKey:
    """The key of a contract from its JSON."""
    raw: Row = json.loads(contract) if isinstance(contract, str) else contract
    return ContractKey(
        raw["symbol"], raw["sec_type"], raw["expiry"], Decimal(raw["strike"]), raw["right"] or "",
        raw["trading_class"], int(raw["multiplier"]), raw["currency"],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """An event as it stands on the log, its body parsed."""

    seq: int
    at_ns: int
    trade_id: str
    type: str
    body: Row


@dataclass(slots=True)
class Books:
    """All rows of a runtime directory at one reading. `paper` is None where there is no paper book;
    `complaints` tell what could not be read at all."""

    lifecycle: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])
    wealth: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])
    paper: dict[str, list[Row]] | None = None
    files: int = 0
    complaints: list[str] = field(default_factory=list[str])

    @property
    def marks(self) -> tuple[int, ...]:
        """How far each book has come: equal marks, equal books."""
        paper = self.paper or {}
        tables = (
            self.lifecycle.get("trade_events"), self.lifecycle.get("order_fills"),
            self.wealth.get("trade_diary"), paper.get("order_events"), paper.get("executions"),
        )  # fmt: skip
        return tuple(len(table or ()) for table in tables)

    def said(self, *types: str) -> Iterator[Said]:
        """The log in order, of some types or of all; a body that is no JSON is empty."""
        for row in self.lifecycle["trade_events"]:
            if not types or row["type"] in types:
                yield Said(row["seq"], row["at_ns"], row["trade_id"], row["type"], _body(row["data"]))


def _body(text: str) -> Row:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def read_books(runtime: Path) -> Books:
    """Read what is there, the exchange's book before ours: what it knows, we must have meant before."""
    books = Books()
    if (runtime / PAPER).exists():
        books.paper = _read(runtime / PAPER, books)
    books.lifecycle = _read(runtime / LIFECYCLE, books)
    books.wealth = _read(runtime / WEALTH, books)
    _read(runtime / CONFIG, books)
    return books


def _read(path: Path, books: Books) -> dict[str, list[Row]]:
    books.files += 1
    tables = _TABLES[path.name]
    empty: dict[str, list[Row]] = {table: [] for table in tables}
    if not path.is_file():
        books.complaints.append(f"{path.name} is missing")
        return empty
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.isolation_level = None
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN")
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
            books.complaints.extend(f"{path.name}: {text}" for text in found if text != "ok")
            return {
                table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY {order}")]
                for table, order in tables.items()
            }
    except sqlite3.Error as error:
        books.complaints.append(f"{path.name} cannot be read: {error}")
        return empty


def is_ours(order_ref: str) -> bool:
    """Whether a reference is one that the station gives."""
    return trade_of(order_ref) is not None


def signed(action: str, qty: Decimal) -> Decimal:
    """Quantity with the sign of what it does to a position."""
    return qty if action == "BUY" else -qty


def total(numbers: Iterable[Decimal]) -> Decimal:
    return sum(numbers, Decimal(0))
