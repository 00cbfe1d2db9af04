"""The hash chain of the event log: each row seals itself and the row before it.

hash = SHA-256 (hex) of the UTF-8 of: prev_hash, seq, at_ns, account, environment, trade_id, type, v and data,
joined by line feeds. The first row's prev_hash is 64 zeros.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Final, NamedTuple

GENESIS: Final = "0" * 64


class EventRow(NamedTuple):
    """A row of trade_events as it is stored."""

    seq: int
    at_ns: int
    account: str
    environment: str
    trade_id: str
    type: str
    v: int
    data: str
    prev_hash: str
    hash: str


SELECT_EVENTS: Final = f"SELECT {', '.join(EventRow._fields)} FROM trade_events"
INSERT_EVENT: Final = (
    f"INSERT INTO trade_events ({', '.join(EventRow._fields)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Entry(NamedTuple):
    """What an event says, before the log gives it its place."""

    at_ns: int
    trade_id: str
    type: str
    v: int
    data: str


def sealed(prev_hash: str, seq: int, account: str, environment: str, entry: Entry) -> EventRow:
    """The row of `entry` at `seq`, after the row that ends in `prev_hash`."""
    at_ns, trade_id, kind, v, data = entry
    text = f"{prev_hash}\n{seq}\n{at_ns}\n{account}\n{environment}\n{trade_id}\n{kind}\n{v}\n{data}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return EventRow(seq, at_ns, account, environment, trade_id, kind, v, data, prev_hash, digest)


def append(connection: sqlite3.Connection, account: str, environment: str, entries: tuple[Entry, ...]) -> None:
    """Chain `entries` to the end of the log, inside the caller's transaction."""
    last = connection.execute("SELECT seq, hash FROM trade_events ORDER BY seq DESC LIMIT 1").fetchone()
    seq, prev_hash = last or (0, GENESIS)
    rows: list[EventRow] = []
    for entry in entries:
        seq += 1
        row = sealed(prev_hash, seq, account, environment, entry)
        prev_hash = row.hash
        rows.append(row)
    connection.executemany(INSERT_EVENT, rows)


def first_break(connection: sqlite3.Connection) -> str:
    """Where the chain does not hold, one line; empty when it holds from the first row to the last."""
    prev_hash = GENESIS
    for expected, found in enumerate(connection.execute(f"{SELECT_EVENTS} ORDER BY seq"), start=1):
        row = EventRow(*found)
        if row.seq != expected:
            return f"event {expected} is missing, {row.seq} follows {expected - 1}"
        if row.prev_hash != prev_hash:
            return f"event {row.seq} does not follow the hash of event {row.seq - 1}"
        entry = Entry(row.at_ns, row.trade_id, row.type, row.v, row.data)
        if sealed(prev_hash, row.seq, row.account, row.environment, entry).hash != row.hash:
            return f"event {row.seq} ({row.type}) was changed after it was sealed"
        prev_hash = row.hash
    return ""
