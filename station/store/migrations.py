"""Numbered, forward-only migrations: a file is brought to the code's version, never back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from station.domain.errors import Fatal


@dataclass(frozen=True, slots=True)
class Migration:
    """One step; its number is its place in the sequence, counting from 1."""

    name: str
    statements: tuple[str, ...]


def version_of(connection: sqlite3.Connection) -> int:
    """The file's schema version, 0 for a new one."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone()
    if known is None:
        return 0
    (version,) = connection.execute("SELECT COALESCE(MAX(version), 0) FROM schema_version").fetchone()
    return int(version)


def migrate(connection: sqlite3.Connection, steps: Sequence[Migration], path: Path) -> None:
    """Apply what is missing, each step in a transaction of its own. Raises Fatal for a file newer than the
    code: going back would lose what the newer code wrote."""
    version = version_of(connection)
    if version > len(steps):
        raise Fatal(
            f"{path} has schema version {version}, this code knows up to {len(steps)}: "
            "update the station, or use another runtime directory"
        )
    for number, step in enumerate(steps[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL)"
            )
            for statement in step.statements:
                connection.execute(statement)
            connection.execute("INSERT INTO schema_version VALUES (?, ?)", (number, step.name))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def check_intact(connection: sqlite3.Connection, path: Path) -> str:
    """SQLite's own quick verdict on the file: empty when it is sound, else its first complaints."""
    found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    return "" if found == ["ok"] else "; ".join(found) or f"quick_check of {path.name} answered nothing"
