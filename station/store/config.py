"""The configuration repository: versioned rows with their origin and their history (SPEC §17).

A shipped row follows new shipped defaults until it is edited; an edit is validated, names the version it was
made on, and is refused whole or taken whole. Nothing is ever lost: each version stays in the history.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import msgspec

from station.domain.clock import Clock
from station.domain.errors import BadInput, Refused
from station.domain.specs import ConfigRow
from station.store.connection import Database

SHIPPED: Final = "shipped"
EDITED: Final = "edited"
RETIRED: Final = "retired"
"""In the history only: a shipped row that the shipped defaults no longer hold, or one the trader removed."""

Validate = Callable[[str, str, str], None]
"""(kind, key, body) → None, or BadInput with a line that names the value, the limit and the mend."""

_COLUMNS: Final = "kind, key, body, version, origin, changed_ns, changed_by"
_NEXT_VERSION: Final = "SELECT COALESCE(MAX(version), 0) + 1 FROM config_history WHERE kind = ? AND key = ?"


def json_object(kind: str, key: str, body: str) -> None:
    """The least that every body must be: a JSON object."""
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise BadInput(f"{kind} {key}: body is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise BadInput(f"{kind} {key}: body is a {type(value).__name__}, give a JSON object")


class ConfigRepository:
    """Rows of config.db by (kind, key): scanner, strategy, switch, setting, meta, or what callers add."""

    def __init__(self, database: Database, clock: Clock, validate: Validate) -> None:
        self._database = database
        self._clock = clock
        self._validate = validate

    async def rows(self, kind: str = "") -> tuple[ConfigRow, ...]:
        """Every row, or those of one kind, in the order they first came."""
        found = await self._database.read(
            lambda c: c.execute(
                f"SELECT {_COLUMNS} FROM config_rows WHERE ? IN ('', kind) ORDER BY kind, seq", (kind,)
            ).fetchall()
        )
        return tuple(ConfigRow(*row) for row in found)

    async def row(self, kind: str, key: str) -> ConfigRow | None:
        return await self._database.read(partial(_row, kind, key))

    async def history(self, kind: str, key: str) -> tuple[ConfigRow, ...]:
        """Every version of a row, oldest first, with who changed it."""
        found = await self._database.read(
            lambda c: c.execute(
                f"SELECT {_COLUMNS} FROM config_history WHERE kind = ? AND key = ? ORDER BY version",
                (kind, key),
            ).fetchall()
        )
        return tuple(ConfigRow(*row) for row in found)

    async def seed(self, shipped: Iterable[tuple[str, str, str]]) -> tuple[ConfigRow, ...]:
        """Bring the rows to the shipped defaults, given whole as (kind, key, body); returns what changed.

        New rows are added, untouched ones follow, untouched ones of the kinds given that are shipped no more
        are retired; edited ones stay. Raises BadInput for a default that does not validate; nothing changes.
        """
        defaults = tuple(shipped)
        for kind, key, body in defaults:
            self._validate(kind, key, body)
        return await self._database.commit(partial(_seed, defaults, self._clock.now()))

    async def edit(self, kind: str, key: str, body: str, *, version: int, by: str) -> ConfigRow:
        """Replace the body of a row (`version` as last read), or create one (`version` 0).

        Raises Refused: CONFIG_INVALID with the reason, CONFIG_STALE where another edit came first. The old
        value stays in force.
        """
        try:
            self._validate(kind, key, body)
        except BadInput as error:
            raise Refused("CONFIG_INVALID", f"{error}; the old value stays") from error
        return await self._database.commit(partial(_edit, kind, key, body, version, by, self._clock.now()))

    async def revert(self, kind: str, key: str, *, version: int, by: str) -> ConfigRow:
        """Give an edited row its shipped default back, so that it follows the defaults again. Raises Refused:
        CONFIG_STALE, or CONFIG_NOT_SHIPPED for a row that was never shipped."""
        return await self._database.commit(partial(_revert, kind, key, version, by, self._clock.now()))


def _row(kind: str, key: str, connection: sqlite3.Connection) -> ConfigRow | None:
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM config_rows WHERE kind = ? AND key = ?", (kind, key)
    ).fetchone()
    return None if found is None else ConfigRow(*found)


def _put(connection: sqlite3.Connection, row: ConfigRow, shipped: str | None) -> ConfigRow:
    """Write the row with its next version, and its history."""
    values = (row.kind, row.key)
    (version,) = connection.execute(_NEXT_VERSION, values).fetchone()
    full: tuple[Any, ...] = (*values, row.body, version, row.origin, row.changed_ns, row.changed_by)
    connection.execute(f"INSERT INTO config_history ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", full)
    if row.origin == RETIRED:
        connection.execute("DELETE FROM config_rows WHERE kind = ? AND key = ?", values)
    else:
        connection.execute(
            f"INSERT INTO config_rows ({_COLUMNS}, shipped) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body, version = excluded.version, "
            "origin = excluded.origin, changed_ns = excluded.changed_ns, changed_by = excluded.changed_by, "
            "shipped = excluded.shipped",
            (*full, shipped),
        )
    return ConfigRow(*full)


def _seed(
    defaults: tuple[tuple[str, str, str], ...], now_ns: int, connection: sqlite3.Connection
) -> tuple[ConfigRow, ...]:
    held = {
        (kind, key): (body, origin, shipped)
        for kind, key, body, origin, shipped in connection.execute(
            "SELECT kind, key, body, origin, shipped FROM config_rows ORDER BY seq"
        )
    }
    changed: list[ConfigRow] = []
    for kind, key, body in defaults:
        old_body, origin, old_shipped = held.get((kind, key), (None, SHIPPED, None))
        if origin == EDITED:
            if old_shipped != body:
                connection.execute(
                    "UPDATE config_rows SET shipped = ? WHERE kind = ? AND key = ?", (body, kind, key)
                )
        elif old_body != body:
            changed.append(_put(connection, ConfigRow(kind, key, body, 0, SHIPPED, now_ns, SHIPPED), body))
    kinds = {kind for kind, _, _ in defaults}
    kept = {(kind, key) for kind, key, _ in defaults}
    for (kind, key), (body, origin, _) in held.items():
        if kind in kinds and origin == SHIPPED and (kind, key) not in kept:
            changed.append(_put(connection, ConfigRow(kind, key, body, 0, RETIRED, now_ns, SHIPPED), None))
    return tuple(changed)


def _current(
    kind: str, key: str, version: int, connection: sqlite3.Connection
) -> tuple[ConfigRow | None, str | None]:
    """The row and its shipped default. Raises Refused where `version` is not the one in force."""
    row = _row(kind, key, connection)
    held = 0 if row is None else row.version
    if held != version:
        raise Refused(
            "CONFIG_STALE", f"{kind} {key} is at version {held}, the edit was made on {version}: read it again"
        )
    found = connection.execute(
        "SELECT shipped FROM config_rows WHERE kind = ? AND key = ?", (kind, key)
    ).fetchone()
    return row, None if found is None else found[0]


def _edit(
    kind: str, key: str, body: str, version: int, by: str, now_ns: int, connection: sqlite3.Connection
) -> ConfigRow:
    row, shipped = _current(kind, key, version, connection)
    if row is not None and row.body == body:
        return row
    return _put(connection, ConfigRow(kind, key, body, 0, EDITED, now_ns, by), shipped)


def _revert(
    kind: str, key: str, version: int, by: str, now_ns: int, connection: sqlite3.Connection
) -> ConfigRow:
    row, shipped = _current(kind, key, version, connection)
    if row is None or shipped is None:
        raise Refused("CONFIG_NOT_SHIPPED", f"{kind} {key} has no shipped default to go back to")
    if row.origin == SHIPPED:
        return row
    return _put(connection, ConfigRow(kind, key, shipped, 0, SHIPPED, now_ns, by), shipped)
