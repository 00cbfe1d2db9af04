"""The databases of a runtime directory as they stand now, with an engine at work or without; read-only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from station.domain.errors import BadInput, Fatal
from station.store.files import CorruptDatabase

T = TypeVar("T")


@contextmanager
def viewed(path: Path) -> Generator[sqlite3.Connection]:
    """A read-only connection in one read transaction, so that all answers are of one instant. Raises BadInput
    where there is no such database, Fatal where it cannot be read."""
    if not path.is_file():
        raise BadInput(f"{path.parent} holds no {path.name}: give the --runtime of a run that has started")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        older = str(error).startswith("no such ")
        advice = "an older version wrote it, start this one once" if older else "check its mode, owner and disk"
        raise Fatal(f"{path} cannot be read: {error}; {advice}") from error
    except sqlite3.DatabaseError as error:
        raise CorruptDatabase(path, str(error)) from error


class Inline:
    """Answers on the calling thread; a verb has no loop to keep free."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def __call__(self, work: Callable[[sqlite3.Connection], T], /) -> T:
        return work(self._connection)
