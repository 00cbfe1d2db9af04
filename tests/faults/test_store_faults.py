"""Storage faults: locked, full, corrupt, killed in the middle, cancelled, badly configured."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from station.clock import VirtualClock
from station.domain.errors import BadInput, Fatal, Refused, StorageUnavailable
from station.domain.events import Alerted, Recorded, SignalAccepted
from station.domain.ports import Changes
from station.store import PositionSnapshot, Stores, replay_log, verify
from station.store.connection import RETRY_PAUSES_S
from tests.unit.store_books import OPEN_NS, good_runtime, opened, spx, sql

ROOT = Path(__file__).resolve().parents[2]


class ImpatientClock(VirtualClock):
    """Sleeping only moves the time; what the test wants done meanwhile is done."""

    def __init__(self) -> None:
        super().__init__(OPEN_NS)
        self.pauses: list[float] = []
        self.meanwhile: Callable[[int], None] = lambda _count: None

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.meanwhile(len(self.pauses))


def alert(text: str) -> Changes:
    return Changes(events=(Recorded(Alerted("info", text), OPEN_NS),), controls={text: "1"})


async def texts(stores: Stores) -> list[Any]:
    events = [logged.recorded.event for logged in await stores.lifecycle.events()]
    return [event.text for event in events if isinstance(event, Alerted)]


@pytest.fixture
def clock() -> ImpatientClock:
    return ImpatientClock()


@pytest.fixture
async def stores(tmp_path: Path, clock: ImpatientClock) -> AsyncIterator[Stores]:
    found = await opened(tmp_path / "runtime", clock)
    yield found
    await found.close()


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Another process's write lock, for as long as the connection is not rolled back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield other
        if other.in_transaction:
            other.execute("ROLLBACK")


async def test_fault_54_a_locked_database_is_tried_again_a_bounded_number_of_times(
    stores: Stores, clock: ImpatientClock, tmp_path: Path
) -> None:
    with locked(tmp_path / "runtime" / "lifecycle.db"):
        with pytest.raises(StorageUnavailable, match=r"lifecycle\.db did not take a commit: it stays locked"):
            await stores.lifecycle.commit(alert("one"))
        assert tuple(clock.pauses) == RETRY_PAUSES_S
    assert await texts(stores) == []
    await stores.lifecycle.commit(alert("two"))
    assert await texts(stores) == ["two"]


async def test_fault_54_commits_wait_out_a_short_lock_in_the_order_they_were_asked_for(
    stores: Stores, clock: ImpatientClock, tmp_path: Path
) -> None:
    with locked(tmp_path / "runtime" / "lifecycle.db") as other:
        clock.meanwhile = lambda count: count == 2 and other.execute("ROLLBACK") and None
        await asyncio.gather(*(stores.lifecycle.commit(alert(text)) for text in ("one", "two", "three")))
    assert await texts(stores) == ["one", "two", "three"]
    assert len(clock.pauses) == 2


async def test_fault_54_of_several_commits_those_before_a_lock_stand(tmp_path: Path) -> None:
    """Each is its own commit: the first is durable, the second refused for good, the third never tried."""
    clock, passed = ImpatientClock(), list[str]()
    other = list[sqlite3.Connection]()

    def lock_after_one(point: str) -> None:
        passed.append(point)
        if point.startswith("commit.after") and not other:
            other.append(sqlite3.connect(path, isolation_level=None, check_same_thread=False))
            other[0].execute("BEGIN EXCLUSIVE")

    path = tmp_path / "runtime" / "lifecycle.db"
    stores = await opened(tmp_path / "runtime", clock, probe=lock_after_one)
    done, error = await stores.lifecycle.commit_each([alert("one"), alert("two"), alert("three")])
    assert (done, type(error)) == (1, StorageUnavailable)
    other[0].execute("ROLLBACK")
    assert await texts(stores) == ["one"]
    assert await stores.lifecycle.commit_each([alert("two"), alert("three")]) == (2, None)
    assert await texts(stores) == ["one", "two", "three"]
    assert passed[-4:] == ["commit.before:alert", "commit.after:alert"] * 2
    other[0].close()
    await stores.close()


async def test_fault_54_several_commits_go_on_where_a_short_lock_stopped_them(
    stores: Stores, clock: ImpatientClock, tmp_path: Path
) -> None:
    with locked(tmp_path / "runtime" / "lifecycle.db") as other:
        clock.meanwhile = lambda count: count == 2 and other.execute("ROLLBACK") and None
        assert await stores.lifecycle.commit_each([alert(text) for text in ("one", "two")]) == (2, None)
    assert await texts(stores) == ["one", "two"]
    assert len(clock.pauses) == 2


async def test_what_cannot_be_written_ends_several_commits_at_its_place(stores: Stores) -> None:
    event = SignalAccepted(("S",), ("S1",), "k", OPEN_NS, float("nan"))
    bad = Changes(events=(Recorded(event, OPEN_NS, "T1"),))
    done, error = await stores.lifecycle.commit_each([alert("one"), bad, alert("three")])
    assert (done, type(error)) == (1, BadInput)
    assert await texts(stores) == ["one"]


async def test_fault_54_a_database_locked_at_the_start_is_one_line(tmp_path: Path) -> None:
    await (await opened(tmp_path / "runtime")).close()
    with closing(sqlite3.connect(tmp_path / "runtime" / "wealth.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Fatal, match=r"wealth\.db cannot be opened: it stays locked by another process"):
            await opened(tmp_path / "runtime")


async def test_fault_55_a_full_disk_refuses_the_whole_commit_and_heals(stores: Stores) -> None:
    await stores.lifecycle.commit(alert("before"))
    database = stores.lifecycle._database

    def shrink(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")

    await database.read(shrink)
    with pytest.raises(StorageUnavailable, match=r"lifecycle\.db did not take a commit: the disk is full"):
        await stores.lifecycle.commit(alert("x" * 200_000))
    assert await texts(stores) == ["before"]
    assert "x" * 200_000 not in (await stores.lifecycle.load(0)).controls
    await database.read(lambda c: c.execute("PRAGMA max_page_count=1000000").fetchall())
    await stores.lifecycle.commit(alert("after"))
    assert await texts(stores) == ["before", "after"]


async def test_fault_55_a_full_archive_keeps_what_waits(stores: Stores) -> None:
    held = (PositionSnapshot(n, "T1", spx(5940), Decimal(2), source="y" * 2_000) for n in range(50))
    stores.archive.snapshot(*held)
    database = stores.archive._database
    await database.read(lambda c: c.execute("PRAGMA max_page_count=1").fetchall())
    with pytest.raises(StorageUnavailable, match="the disk is full"):
        await stores.archive.flush()
    assert stores.archive.waiting == 50
    await database.read(lambda c: c.execute("PRAGMA max_page_count=1000000").fetchall())
    assert await stores.archive.flush() == 50


def no_database(path: Path) -> None:
    path.write_bytes(b"this was a database once " * 400)


def zeroed_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:8192] = bytes(4096)
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def edited_event(path: Path) -> None:
    sql(path, "UPDATE trade_events SET at_ns = at_ns + 1 WHERE seq = 5")


@pytest.mark.parametrize(
    ("name", "damage", "why"),
    [
        ("lifecycle.db", no_database, "file is not a database"),
        ("lifecycle.db", zeroed_page, ""),
        ("lifecycle.db", cut_short, ""),
        ("lifecycle.db", edited_event, "hash chain: event 5 .* was changed after it was sealed"),
        ("wealth.db", no_database, "file is not a database"),
        ("config.db", cut_short, ""),
    ],
)
async def test_fault_56_a_corrupt_database_refuses_to_start_and_says_how_to_rebuild(
    tmp_path: Path, name: str, damage: Callable[[Path], None], why: str
) -> None:
    runtime = tmp_path / "runtime"
    await good_runtime(runtime)
    damage(runtime / name)
    with pytest.raises(Fatal, match=rf"{name} is corrupt \(.*{why}.*\)") as refusal:
        await opened(runtime)
    text = str(refusal.value)
    assert "copy the newest" in text
    assert "reconciliation takes what is missing from the broker" in text
    assert "\n" not in text


async def test_fault_56_the_last_backup_takes_a_corrupt_databases_place(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    await good_runtime(runtime)
    stores = await opened(runtime)
    await stores.backup("2026-11-18")
    place = await stores.backup("2026-11-18")
    await stores.lifecycle.commit(alert("after the backup"))
    await stores.close()
    modes = {path.name: path.stat().st_mode & 0o777 for path in place.iterdir()}
    assert modes == {"lifecycle.db": 0o600, "config.db": 0o600, "wealth.db": 0o600}
    no_database(runtime / "lifecycle.db")
    shutil.copy(place / "lifecycle.db", runtime / "lifecycle.db")
    again = await opened(runtime)
    assert len((await again.lifecycle.load(0)).trades) == 5
    assert await texts(again) == []
    await again.close()
    assert verify(runtime).ok


async def test_fault_56_the_mended_directory_starts_again(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    await good_runtime(runtime)
    no_database(runtime / "lifecycle.db")
    (runtime / "lifecycle.db").rename(runtime / "lifecycle.db.broken")
    stores = await opened(runtime)
    assert (await stores.lifecycle.load(0)).trades == ()
    await stores.close()


async def test_fault_62_a_bad_edit_is_refused_with_its_reason_and_the_old_value_stays(tmp_path: Path) -> None:
    def percent(kind: str, key: str, body: str) -> None:
        if '"target_pct":"-' in body:
            raise BadInput(f"{kind} {key}: target_pct is under 0, give 1 to 500")

    stores = await opened(tmp_path / "runtime", validate=percent)
    await stores.config.seed([("strategy", "momentum", '{"target_pct":"23"}')])
    with pytest.raises(Refused, match="target_pct is under 0, give 1 to 500; the old value stays") as refusal:
        await stores.config.edit("strategy", "momentum", '{"target_pct":"-5"}', version=1, by="trader")
    assert refusal.value.code == "CONFIG_INVALID"
    row = await stores.config.row("strategy", "momentum")
    assert row is not None
    assert (row.body, row.version) == ('{"target_pct":"23"}', 1)
    assert len(await stores.config.history("strategy", "momentum")) == 1
    with pytest.raises(BadInput, match="target_pct is under 0"):
        await stores.config.seed([("strategy", "momentum", '{"target_pct":"-1"}')])
    await stores.close()


@pytest.mark.parametrize("body", ["{", "[1]", "null", '{"a":NaN}'])
async def test_fault_62_a_body_that_is_no_json_object_is_refused_by_default(stores: Stores, body: str) -> None:
    with pytest.raises(Refused, match="the old value stays"):
        await stores.config.edit("setting", "risk", body, version=0, by="trader")
    assert await stores.config.rows() == ()


async def test_a_commit_outlives_the_cancellation_of_whoever_asked_for_it(tmp_path: Path) -> None:
    asking: list[asyncio.Task[None]] = []

    def cancel(point: str) -> None:
        if point == "commit.before:alert":
            asking[0].cancel()

    stores = await opened(tmp_path / "runtime", probe=cancel)
    asking.append(asyncio.create_task(stores.lifecycle.commit(alert("one"))))
    with pytest.raises(asyncio.CancelledError):
        await asking[0]
    await stores.close()
    again = await opened(tmp_path / "runtime")
    assert await texts(again) == ["one"]
    await again.close()


_KILLED = """
import asyncio, os, signal, sys
from datetime import date
from pathlib import Path
from tests.unit.store_books import good_runtime, opened
import tests.unit.store_books as books

point, after = sys.argv[2], int(sys.argv[3])
seen = 0

def probe(here):
    global seen
    if here == point:
        seen += 1
        if seen == after:
            os.kill(os.getpid(), signal.SIGKILL)

unprobed = books.opened
books.opened = lambda runtime, clock=None, **more: unprobed(runtime, clock, probe=probe, **more)
asyncio.run(good_runtime(Path(sys.argv[1])))
"""


async def reopened(runtime: Path, events: int) -> None:
    stores = await opened(runtime)
    assert len(await stores.lifecycle.events()) == events
    assert stores.ids.trade_id(date(2026, 11, 18)) == "T2611180002"
    await stores.close()


@pytest.mark.parametrize(
    ("point", "after", "events"),
    [
        ("commit.before:trade.entry_submitted", 1, 4),
        ("commit.after:trade.entry_submitted", 1, 5),
        ("commit.before:order.execution", 2, 8),
        ("commit.after:order.execution", 2, 11),
        ("commit.after:trade.exit_submitted", 1, 12),
        ("commit.before:trade.wealth_updated", 1, 16),
        ("commit.after:trade.wealth_updated", 1, 16),
        ("commit.after:trade.wealth_updated", 2, 17),
    ],
)
def test_fault_53_a_kill_around_a_commit_leaves_all_of_it_or_nothing(
    tmp_path: Path, point: str, after: int, events: int
) -> None:
    runtime = tmp_path / "runtime"
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(runtime), point, str(after)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (runtime / "paper.db").unlink(missing_ok=True)
    for side in runtime.glob("paper.db-*"):
        side.unlink()
    assert replay_log(runtime).events == events
    assert verify(runtime).ok, verify(runtime).shape()
    asyncio.run(reopened(runtime, events))
    report = verify(runtime)
    assert report.ok, report.shape()
