"""Backups: whole copies of the databases of record, made by SQLite itself while they are in use."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from station.domain.errors import StorageUnavailable
from station.store.connection import Database
from station.store.files import BACKUP


async def back_up(databases: Sequence[Database], label: str) -> Path:
    """As `Stores.backup`: every copy is made before any takes the label's place."""
    place = databases[0].path.parent / BACKUP / label
    fresh = place.with_name(f"{label}.partial")
    try:
        _empty(fresh)
        for database in databases:
            await database.read(partial(_copy, fresh / database.path.name))
        if place.exists():
            shutil.rmtree(place)
        fresh.rename(place)
    except OSError as error:
        raise StorageUnavailable(f"no backup at {place}: {error.strerror}; nothing else changed") from error
    return place


def _empty(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
    directory.parent.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir(mode=0o700)


def _copy(target: Path, source: sqlite3.Connection) -> None:
    target.touch(mode=0o600)
    with closing(sqlite3.connect(target)) as copy:
        copy.execute("PRAGMA cache_size=-256")
        source.backup(copy)
