"""Of commits handed over together the last syncs, and what is done is durable when the hand-over returns."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from station.clock import Activity, VirtualClock
from station.store.connection import Database, Work, open_database
from tests.unit.store_books import OPEN_NS

FULL, NORMAL = 2, 1


def prepare(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE schema_version (version INTEGER, name TEXT)")
    connection.execute("INSERT INTO schema_version VALUES (1, 'first')")
    connection.execute("CREATE TABLE said (text TEXT)")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    found = await open_database(
        tmp_path / "x.db", synchronous="FULL", prepare=prepare, clock=VirtualClock(OPEN_NS),
        activity=Activity(ordered=False),
    )  # fmt: skip
    yield found
    await found.close()


class Log:
    """The level at which each transaction committed."""

    def __init__(self) -> None:
        self.levels: list[int] = []
        self.statements: list[str] = []

    def say(self, text: str, error: Exception | None = None) -> tuple[Work[None], str]:
        def work(connection: sqlite3.Connection) -> None:
            connection.set_trace_callback(self.statements.append)
            self.levels.append(connection.execute("PRAGMA synchronous").fetchone()[0])
            connection.execute("INSERT INTO said VALUES (?)", (text,))
            if error is not None:
                raise error

        return work, "other"


async def said(database: Database) -> list[str]:
    return await database.read(lambda c: [text for (text,) in c.execute("SELECT text FROM said")])


async def test_the_last_of_a_hand_over_syncs_for_all(database: Database) -> None:
    log = Log()
    assert await database.commit_each([log.say(text) for text in "abcd"]) == (4, None)
    assert log.levels == [NORMAL, NORMAL, NORMAL, FULL]
    await database.commit(log.say("e")[0])
    assert log.levels[-1] == FULL


async def test_one_commit_alone_syncs(database: Database) -> None:
    log = Log()
    assert await database.commit_each([log.say("a")]) == (1, None)
    assert log.levels == [FULL]


@pytest.mark.parametrize("broken", [1, 2])
async def test_what_stands_before_a_failure_is_synced_all_the_same(database: Database, broken: int) -> None:
    log = Log()
    steps = [log.say(text, ValueError("no") if at == broken else None) for at, text in enumerate("abc")]
    done, error = await database.commit_each(steps)
    assert (done, str(error)) == (broken, "no")
    assert await said(database) == ["a", "b"][:broken]
    back = log.statements.index("ROLLBACK")
    words = [
        text for text in log.statements[back:] if text.startswith(("PRAGMA synchronous=", "UPDATE", "COMMIT"))
    ]
    assert words[-2:] == ["UPDATE schema_version SET name = name WHERE version = 1", "COMMIT"]
    assert await database.read(lambda c: c.execute("PRAGMA synchronous").fetchone()[0]) == FULL


async def test_nothing_done_needs_no_sync(database: Database) -> None:
    log = Log()
    done, _ = await database.commit_each([log.say("a", ValueError("no")), log.say("b")])
    assert done == 0
    assert not [text for text in log.statements if text.startswith("UPDATE")]
