"""Opening a runtime directory: modes, pragmas, migrations, append-only tables, ids."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from station.clock import VirtualClock
from station.domain.errors import Fatal
from station.domain.events import Alerted, Recorded
from station.domain.orders import order_ref
from station.domain.ports import Changes
from station.store import Stores, viewed
from station.store.chain import first_break
from station.store.migrations import Migration, migrate, version_of
from station.store.schema import ARCHIVE_STEPS, CONFIG_STEPS, LIFECYCLE_STEPS, WEALTH_STEPS
from tests.unit.store_books import ACCOUNT, OPEN_NS, Hand, a_signal, opened, spx

DAY = date(2026, 11, 18)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        yield connection


def alert(text: str, at_ns: int = OPEN_NS) -> Changes:
    return Changes(events=(Recorded(Alerted("info", text), at_ns),))


async def pragma(stores: Stores, store: str, name: str) -> object:
    database = getattr(stores, store)._database
    return await database.read(lambda c: c.execute(f"PRAGMA {name}").fetchone()[0])


async def test_the_directory_and_every_file_in_it_are_the_owners_alone(tmp_path: Path) -> None:
    runtime = tmp_path / "deep" / "runtime"
    stores = await opened(runtime)
    await stores.lifecycle.commit(alert("hello"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in runtime.iterdir()}
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    assert {"lifecycle.db", "lifecycle.db-wal", "config.db", "wealth.db", "archive.db"} <= set(modes)
    assert set(modes.values()) == {0o600}
    await stores.close()


async def test_loose_modes_are_tightened(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    await (await opened(runtime)).close()
    runtime.chmod(0o755)
    (runtime / "wealth.db").chmod(0o644)
    await (await opened(runtime)).close()
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    assert stat.S_IMODE((runtime / "wealth.db").stat().st_mode) == 0o600


async def test_a_runtime_that_is_no_directory_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Fatal, match=r"file/runtime cannot be used: Not a directory; give a writable one$"):
        await opened(tmp_path / "file" / "runtime")


@pytest.mark.parametrize("store", ["lifecycle", "config", "wealth", "archive"])
async def test_databases_of_record_sync_every_commit_and_the_archive_does_not(
    tmp_path: Path, store: str
) -> None:
    stores = await opened(tmp_path / "runtime")
    assert await pragma(stores, store, "journal_mode") == "wal"
    assert await pragma(stores, store, "synchronous") == (1 if store == "archive" else 2)
    await stores.close()


async def test_the_lifecycle_wal_has_its_size_before_the_first_order(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "runtime")
    assert (tmp_path / "runtime" / "lifecycle.db-wal").stat().st_size > 4_000_000
    assert (tmp_path / "runtime" / "lifecycle.db").stat().st_size < 200_000
    await stores.close()


async def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "runtime")
    await stores.close()
    await stores.close()
    assert not (tmp_path / "runtime" / "lifecycle.db-wal").exists()


@pytest.mark.parametrize("steps", [LIFECYCLE_STEPS, CONFIG_STEPS, WEALTH_STEPS, ARCHIVE_STEPS])
def test_every_database_migrates_from_each_earlier_version(
    db: sqlite3.Connection, steps: tuple[Migration, ...]
) -> None:
    for version in range(1, len(steps) + 1):
        migrate(db, steps[:version], Path("x.db"))
        assert version_of(db) == version
    migrate(db, steps, Path("x.db"))
    names = [row[0] for row in db.execute("SELECT name FROM schema_version ORDER BY version")]
    assert names == [step.name for step in steps]


def test_a_database_newer_than_the_code_is_refused_in_one_line(db: sqlite3.Connection) -> None:
    migrate(db, LIFECYCLE_STEPS, Path("x.db"))
    with pytest.raises(
        Fatal, match=rf"x\.db has schema version {len(LIFECYCLE_STEPS)}, this code knows up to 1: update"
    ):
        migrate(db, LIFECYCLE_STEPS[:1], Path("x.db"))


def test_a_database_that_an_older_station_wrote_is_read_once_this_one_has_started(tmp_path: Path) -> None:
    path = tmp_path / "lifecycle.db"
    with closing(sqlite3.connect(path)) as older:
        migrate(older, LIFECYCLE_STEPS[:-1], path)
    said = "no such column: later; an older version wrote it, start this one once"
    with pytest.raises(Fatal, match=said), viewed(path) as connection:
        connection.execute("SELECT later FROM trades")


def test_a_step_that_fails_leaves_the_version_before_it(db: sqlite3.Connection) -> None:
    steps = (
        Migration("one", ("CREATE TABLE a (x)",)),
        Migration("two", ("CREATE TABLE b (x)", "CREATE TABLE a (x)")),
    )
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(db, steps, Path("x.db"))
    assert version_of(db) == 1
    assert [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE name IN ('a', 'b')")] == ["a"]


@pytest.mark.parametrize("change", ["UPDATE trade_events SET trade_id = 'x'", "DELETE FROM trade_events"])
async def test_the_log_can_only_grow(tmp_path: Path, change: str) -> None:
    stores = await opened(tmp_path / "runtime")
    await stores.lifecycle.commit(alert("hello"))
    with (
        closing(sqlite3.connect(tmp_path / "runtime" / "lifecycle.db")) as other,
        pytest.raises(sqlite3.IntegrityError, match="trade_events is append-only"),
    ):
        other.execute(change)
    await stores.close()


async def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    for text in ("one", "two", "three"):
        stores = await opened(tmp_path / "runtime")
        await stores.lifecycle.commit(alert(text) + alert(text + " again"))
        await stores.close()
    with closing(sqlite3.connect(tmp_path / "runtime" / "lifecycle.db")) as db:
        assert first_break(db) == ""
        assert [row[0] for row in db.execute("SELECT seq FROM trade_events ORDER BY seq")] == [*range(1, 7)]


async def test_ids_continue_where_the_database_stands(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "runtime")
    hand = Hand(stores)
    assert [await hand.sized(1, spx(5940)), await hand.sized(1, spx(5940))] == ["T2611180001", "T2611180002"]
    assert stores.ids.trade_id(DAY) == "T2611180003"
    assert stores.ids.trade_id(date(2026, 11, 19)) == "T2611190001"
    assert stores.ids.signal_id(DAY) == "S2611180003"
    await stores.close()
    again = await opened(tmp_path / "runtime")
    assert again.ids.trade_id(DAY) == "T2611180003"
    assert again.ids.signal_id(DAY) == "S2611180003"
    await again.close()


async def test_ids_count_on_past_four_digits(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "runtime")
    await stores.lifecycle.commit(
        Changes(signals=(a_signal("S2611189999", OPEN_NS), a_signal("S26111810000", OPEN_NS)))
    )
    await stores.close()
    again = await opened(tmp_path / "runtime")
    assert again.ids.signal_id(DAY) == "S26111810001"
    await again.close()


async def test_a_corrupt_archive_is_set_aside_and_said(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    await (await opened(runtime)).close()
    (runtime / "archive.db").write_bytes(b"not a database " * 100)
    stores = await opened(runtime)
    assert stores.notices == ("archive.db was corrupt: kept as archive.db.corrupt-1, begun anew",)
    assert (runtime / "archive.db.corrupt-1").exists()
    await stores.close()


async def test_a_trade_id_never_holds_a_dash_so_a_reference_gives_it_back(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "runtime", VirtualClock(OPEN_NS))
    assert "-" not in stores.ids.trade_id(DAY)
    assert order_ref(ACCOUNT, stores.ids.trade_id(DAY), "E", 1).count("-") == 4
    assert Decimal(stores.ids.trade_id(DAY)[1:]) > 0
    await stores.close()
