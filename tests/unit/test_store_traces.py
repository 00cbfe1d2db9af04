"""Verdicts are kept many to a row and read one by one, those of older databases with them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from station.domain.ports import Changes
from station.domain.signals import Decision
from tests.unit.store_books import OPEN_NS, opened

BEFORE = 8
"""The version that packs verdicts."""


def verdicts(trade_id: str, count: int, since: int = 0) -> tuple[Decision, ...]:
    return tuple(
        Decision(trade_id, "risk", "pass", f"rule “{n}”", OPEN_NS + n, f"{n} $", "any")
        for n in range(since, since + count)
    )


async def test_verdicts_come_back_in_their_order_whatever_rows_they_share(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "runtime")
    first, other, second = verdicts("T1", 1500), verdicts("T2", 2), verdicts("T1", 3, 1500)
    await stores.lifecycle.commit(Changes(decisions=(*first[:7], *other, *first[7:])))
    await stores.lifecycle.commit(Changes(decisions=second))
    assert await stores.lifecycle.decisions("T1") == (*first, *second)
    assert await stores.lifecycle.decisions("T2") == other
    await stores.close()
    with closing(sqlite3.connect(tmp_path / "runtime" / "lifecycle.db")) as db:
        assert db.execute("SELECT COUNT(*) FROM traces").fetchall() == [(4,)]


async def test_verdicts_of_an_older_database_stay(tmp_path: Path) -> None:
    """One row a verdict, as it was before: they are read before the newer ones."""
    runtime = tmp_path / "runtime"
    await (await opened(runtime)).close()
    with closing(sqlite3.connect(runtime / "lifecycle.db", isolation_level=None)) as db:
        db.execute("DROP VIEW decisions")
        db.execute("DROP TABLE traces")
        db.execute("DROP INDEX single_decisions_of_trade")
        db.execute("ALTER TABLE single_decisions RENAME TO decisions")
        db.execute("CREATE INDEX decisions_of_trade ON decisions (trade_id)")
        db.execute("DELETE FROM schema_version WHERE version >= ?", (BEFORE,))
        db.execute("ALTER TABLE trades DROP COLUMN part_tokens")
        db.execute("ALTER TABLE trades DROP COLUMN offer")
        db.execute("ALTER TABLE trades DROP COLUMN closing")
        db.execute("ALTER TABLE trades ADD COLUMN part_token TEXT NOT NULL DEFAULT ''")
        for each in verdicts("T1", 2):
            db.execute(
                "INSERT INTO decisions (account, environment, trade_id, stage, verdict, reason, at_ns, value, "
                "limit_value) VALUES ('DU1', 'paper', ?, ?, ?, ?, ?, ?, ?)",
                (each.trade_id, each.stage, each.verdict, each.reason, each.at_ns, each.value, each.limit),
            )
    stores = await opened(runtime)
    await stores.lifecycle.commit(Changes(decisions=verdicts("T1", 1, 2)))
    assert await stores.lifecycle.decisions("T1") == verdicts("T1", 3)
    await stores.close()
