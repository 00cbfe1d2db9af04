"""The configuration of a runtime directory that no engine has open: its rows, or the shipped defaults."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from config.files import ConfigError
from config.settings import Settings, with_changes
from station.domain.errors import BadInput, Fatal
from station.domain.specs import ConfigRow, Desired
from station.engine.desired import parse, shipped
from station.engine.instruments import enlist_configured
from station.engine.tuning import pinned, stored_values
from station.store import WealthReader
from station.store.files import CONFIG, LIFECYCLE, WEALTH

T = TypeVar("T")
_ROWS = "SELECT kind, key, body, version, origin, changed_ns, changed_by FROM config_rows ORDER BY kind, seq"


def desired_of(runtime: Path) -> Desired:
    """What the configuration database says, or what would be seeded into it."""
    enlist_configured()
    return parse(_rows(runtime)) if (runtime / CONFIG).is_file() else shipped()


def settings_in(runtime: Path, base: Settings) -> Settings:
    """`base` with what was edited into the configuration database. Raises BadInput where they do not agree."""
    if not (runtime / CONFIG).is_file():
        return base
    try:
        return with_changes(base, stored_values(_rows(runtime), pinned({})))
    except ConfigError as bad:
        raise BadInput(str(bad)) from None


def _rows(runtime: Path) -> tuple[ConfigRow, ...]:
    path = runtime / CONFIG
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            return tuple(ConfigRow(*row) for row in connection.execute(_ROWS))
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Fatal(f"{path} cannot be read: {error}") from None


@contextmanager
def wealth_of(runtime: Path) -> Generator[WealthReader]:
    """The wealth database of a directory, read-only. Raises BadInput where there is none, Fatal where it cannot
    be read."""
    path = runtime / WEALTH
    if not path.is_file():
        raise BadInput(f"{runtime} holds no {WEALTH}: give the --runtime of a run that has started")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            connection.execute("BEGIN")
            yield WealthReader(Inline(connection))
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Fatal(f"{path} cannot be read: {error}") from None


class Inline:
    """Answers on the calling thread; a verb has no loop to keep free."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def __call__(self, work: Callable[[sqlite3.Connection], T], /) -> T:
        return work(self._connection)


@contextmanager
def lifecycle_of(runtime: Path) -> Generator[sqlite3.Connection]:
    """The lifecycle database of a directory, read-only and in one transaction. Raises BadInput where there is
    none, Fatal where it cannot be read."""
    path = runtime / LIFECYCLE
    if not path.is_file():
        raise BadInput(f"{runtime} holds no {LIFECYCLE}: give the --runtime of a run that has started")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Fatal(f"{path} cannot be read: {error}") from None
