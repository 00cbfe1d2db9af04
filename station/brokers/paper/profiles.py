"""Paper accounts side by side: a runtime directory each, read from its book without opening it for writing."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from station.domain.errors import BadInput

BOOK = "paper.db"


@dataclass(frozen=True, slots=True)
class Standing:
    """One account's book: dollars; `result` is cash over start, fees paid, open positions at nothing."""

    name: str
    account: str
    source: str
    session: str
    start_cash: Decimal
    cash: Decimal
    fees: Decimal
    executions: int
    open_contracts: int

    @property
    def result(self) -> Decimal:
        return self.cash - self.start_cash


def side_by_side(runtimes: Mapping[str, Path]) -> tuple[Standing, ...]:
    """The books of several runtime directories, by name, the best result first. Raises BadInput for one
    without a book."""
    found = [_read(name, runtime / BOOK) for name, runtime in sorted(runtimes.items())]
    return tuple(sorted(found, key=lambda row: (-row.result, row.name)))


def _read(name: str, book: Path) -> Standing:
    if not book.is_file():
        raise BadInput(f"profile {name}: no paper book at {book}, run it once with --runtime {book.parent}")
    with closing(sqlite3.connect(f"file:{book}?mode=ro", uri=True)) as connection:
        meta = dict(connection.execute("SELECT key, value FROM meta"))
        cash = [(kind, Decimal(amount)) for kind, amount in connection.execute("SELECT kind, amount FROM cash")]
        executions = connection.execute("SELECT COUNT(*) FROM executions").fetchone()[0]
        held = _held(connection)
    return Standing(
        name, meta.get("account", ""), meta.get("source", ""), meta.get("session", ""),
        Decimal(meta.get("start_cash", "0")), sum((amount for _, amount in cash), Decimal(0)),
        -sum((amount for kind, amount in cash if kind == "commission"), Decimal(0)), executions, held,
    )  # fmt: skip


def _held(connection: sqlite3.Connection) -> int:
    """Contracts that executions and settlements leave open."""
    open_: dict[str, Decimal] = {}
    first = "SELECT contract, action, qty FROM executions WHERE substr(exec_id, -3) = '.01'"
    for contract, action, qty in connection.execute(first):
        open_[contract] = open_.get(contract, Decimal(0)) + (Decimal(qty) if action == "BUY" else -Decimal(qty))
    for contract, qty in connection.execute("SELECT contract, qty FROM settlements"):
        open_[contract] = open_.get(contract, Decimal(0)) - Decimal(qty)
    return sum(1 for qty in open_.values() if qty)
