"""The books refusing under the whole station: rows 54 (locked), 55 (full), 56 (corrupt) and 62 (bad edits)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from station.clock import LockstepLoop
from station.domain.clock import MILLISECOND
from station.domain.errors import StorageUnavailable, VigilError
from station.domain.events import Alerted
from station.domain.orders import OrderKind
from station.domain.trade import Cause, TradeState
from tests.faults.station_stage import Stage, ends_of, ours
from tests.lab import DAY, PATIENCE_S, Lab, assert_sound, paper_rows, play

Refusal = Callable[[Stage], AbstractAsyncContextManager[None]]


@contextmanager
def _lock(runtime: Path) -> Generator[sqlite3.Connection]:
    """Another process's write lock on the lifecycle database."""
    other = sqlite3.connect(runtime / "lifecycle.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.close()


@asynccontextmanager
async def _locked(lab: Stage) -> AsyncGenerator[None]:
    with _lock(lab.runtime):
        yield


@asynccontextmanager
async def _full(lab: Stage) -> AsyncGenerator[None]:
    """SQLite's own "disk is full", on the engine's connection: no page more, and none with room left."""
    database = lab.run.engine.outside.stores.lifecycle._database

    def most(pages: int) -> Callable[[sqlite3.Connection], object]:
        return lambda connection: connection.execute(f"PRAGMA max_page_count={pages}").fetchall()

    await database.read(most(1))
    for size in (2_000, 500, 100, 10):
        with contextlib.suppress(StorageUnavailable):
            while True:
                await lab.rooms.ledger.record("", Alerted("info", "x" * size))
    try:
        yield
    finally:
        await database.read(most(1_000_000))


BOTH = pytest.mark.parametrize("refusal", [_locked, _full], ids=["54 locked", "55 full"])
OUTAGE = "entries are off, exits are spooled"


@BOTH
def test_fault_54_55_fill_is_spooled_and_protected_while_the_database_refuses(
    tmp_path: Path, refusal: Refusal
) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade, _ = await lab.until_sent()
            async with refusal(lab):
                await lab.step(3)
                trade = lab.first()
                assert trade.state is TradeState.SELL_SUBMITTED
                (sell,) = lab.exits(trade)
                assert lab.at_exchange(sell.ref) == ("SUBMITTED", trade.qty, 0)
                assert ours(tmp_path, "SELECT * FROM order_fills") == []
                assert lab.rooms.ledger.degraded
                assert lab.rooms.spool.pending
                assert not lab.rooms.judgement.entries_open("SPX")
            await lab.step(6)
            assert not lab.rooms.ledger.degraded
            assert not lab.rooms.spool.pending
            assert lab.rooms.judgement.entries_open("SPX")
            assert len([text for text in lab.events("alert") if OUTAGE in text]) == 1
            assert len(ours(tmp_path, "SELECT * FROM order_fills")) == 1
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    assert ends_of(tmp_path)[0] == ("WEALTH_UPDATED", "target")
    assert_sound(tmp_path)


@BOTH
def test_fault_54_55_exit_leaves_while_the_database_refuses(tmp_path: Path, refusal: Refusal) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade = await lab.until_holding()
            async with refusal(lab):
                await lab.during(lab.rooms.desk.close_trade(trade.id, Cause.MANUAL, "by hand", "test"))
                await lab.step(3)
                assert lab.position(trade) == 0
                assert lab.trade(trade.id).state is TradeState.SELL_FILLED
                sql = "SELECT kind FROM orders WHERE purpose <> 'entry'"
                assert ours(tmp_path, sql) == [(OrderKind.LIMIT.value,)], "the change is not on disk yet"
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=20)
            sells = "SELECT kind, state FROM orders WHERE action = 'SELL'"
            assert paper_rows(tmp_path, sells) == [("MKT", "FILLED")]

    play(work)
    assert ends_of(tmp_path) == [("WEALTH_UPDATED", "manual")]
    assert_sound(tmp_path)


@BOTH
def test_fault_54_55_no_entry_leaves_while_the_database_refuses(tmp_path: Path, refusal: Refusal) -> None:
    """The firing of 09:45 meets a database that takes nothing; what is held stays protected."""

    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:44:58")
            async with refusal(lab):
                await lab.until("09:45:08")
                assert lab.rooms.ledger.degraded
            await lab.until("09:46")
            assert [trade.symbol for trade in lab.entered()] == ["SPY"]
            entries = "SELECT COUNT(*) FROM orders WHERE purpose = 'entry'"
            assert paper_rows(tmp_path, entries) == [(1,)]
            assert OUTAGE in lab.alerts()
            (sell,) = lab.exits(lab.first())
            assert lab.at_exchange(sell.ref)[0] == "SUBMITTED"
            assert lab.run.engine.supervisor.records["bars"].running
            assert not lab.rooms.controls.controls.kill.on

    play(work)
    assert_sound(tmp_path)


def test_fault_54_short_lock_is_waited_out(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            _, order = await lab.until_sent()
            with _lock(tmp_path):
                await lab.run.advance(order.created_ns + 250 * MILLISECOND)
                assert lab.order(order.ref).filled == 0
                assert not lab.rooms.ledger.degraded
            trade = await lab.until_holding()
            assert trade.state is TradeState.SELL_SUBMITTED
            assert OUTAGE not in lab.alerts()
            assert not lab.rooms.spool.pending

    play(work)
    assert_sound(tmp_path)


def test_fault_54_a_stop_while_a_commit_waits_behind_a_lock_ends(tmp_path: Path) -> None:
    """Its pauses are simulated time, which nobody else moves any more."""

    async def work() -> None:
        with contextlib.ExitStack() as locks:
            async with asyncio.timeout(PATIENCE_S), Stage(tmp_path) as lab:
                await lab.until_holding()
                locks.enter_context(_lock(tmp_path))
                waits = asyncio.ensure_future(lab.rooms.ledger.record("", Alerted("info", "late")))
                await lab.step(0)
            with pytest.raises(StorageUnavailable):
                await waits

    play(work)
    assert_sound(tmp_path)


def test_fault_54_kill_9_with_everything_in_the_spool_loses_nothing(tmp_path: Path) -> None:
    """Fill, exit and kill switch are spooled, the exit is sent, and the process is gone: the next one has them
    all, with one sell."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)

    async def doomed() -> None:
        async with Stage(runtime) as lab:
            await lab.until("09:39")
            await lab.until_sent()
            with _lock(runtime):
                await lab.step(3)
                await lab.rooms.controls.kill("test", "while locked")
                assert lab.first().state is TradeState.SELL_SUBMITTED
                os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            play(doomed)
        finally:
            os._exit(70)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert ours(runtime, "SELECT * FROM order_fills") == []

    async def next_one() -> None:
        async with Stage(runtime) as lab:
            await lab.step(3)
            trade = lab.first()
            assert trade.state is TradeState.SELL_SUBMITTED
            (sell,) = lab.exits(trade)
            assert lab.at_exchange(sell.ref)[:2] == ("SUBMITTED", trade.qty)
            assert lab.entries_of(trade) == [trade.entry_ref]
            assert lab.rooms.controls.controls.kill.on
            assert not lab.rooms.spool.pending
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(next_one)
    assert ends_of(runtime) == [("WEALTH_UPDATED", "target")]
    assert_sound(runtime)


# --- corrupt ---------------------------------------------------------------------------------------------


@pytest.fixture
def held_over(tmp_path: Path) -> Path:
    """A runtime directory left with a protected position."""

    async def work() -> None:
        async with Lab(tmp_path) as lab:
            await lab.until("09:39")
            await lab.until_holding()

    play(work)
    return tmp_path


def _torn(runtime: Path) -> None:
    path = runtime / "lifecycle.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 3)
        file.write(random.Random(1).randbytes(size // 3))


def _tampered(runtime: Path) -> None:
    connection = sqlite3.connect(runtime / "lifecycle.db")
    connection.execute("DROP TRIGGER trade_events_no_update")
    first = "SELECT MIN(seq) FROM trade_events WHERE data LIKE '%SPY%'"
    connection.execute(f"UPDATE trade_events SET data = replace(data, 'SPY', 'SPX') WHERE seq = ({first})")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("harm", [_torn, _tampered])
def test_fault_56_corrupt_database_refuses_the_start_and_touches_no_order(
    held_over: Path, harm: Callable[[Path], None], repo_root: Path
) -> None:
    harm(held_over)
    before = paper_rows(held_over, "SELECT * FROM orders")
    command = [
        sys.executable, str(repo_root / "app.py"), "run", "--broker", "paper", "--seed", "3", "--speed", "max",
        "--date", DAY.isoformat(), "--until", "10:00", "--runtime", str(held_over),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 1
    assert "lifecycle.db is corrupt" in line
    assert "backup" in line
    assert "reconciliation takes what is missing from the broker" in line
    assert paper_rows(held_over, "SELECT * FROM orders") == before


# --- bad edits -------------------------------------------------------------------------------------------


class Running(Stage):
    """A stage that stays open over several tests, on a loop of its own."""

    runner: asyncio.Runner


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with asyncio.Runner(loop_factory=LockstepLoop) as runner:
        lab = Running(tmp_path_factory.mktemp("edits"))
        lab.runner = runner
        runner.run(lab.__aenter__())
        yield lab
        runner.run(lab.__aexit__())


@pytest.mark.parametrize(
    ("kind", "key", "change"),
    [
        ("strategy", "SPY_TREND", {"target_pct": "much"}),
        ("strategy", "SPY_TREND", {"target_pct": -5}),
        ("strategy", "SPY_TREND", {"shield": "umbrella"}),
        ("strategy", "SPY_TREND", {"symbol": "NOPE"}),
        ("strategy", "SPY_TREND", {"wealth_plan": "MOON"}),
        ("strategy", "SPY_TREND", {"veera": ["tea_leaves"]}),
        ("strategy", "SPY_TREND", {"schedule": "at noon"}),
        ("scanner", "SPY_V3_PUT", {"timeframe": "7m"}),
        ("scanner", "SPY_V3_PUT", {"params": {"fast": -3}}),
        ("scanner", "SPY_V3_PUT", {"family": "astrology"}),
        ("switch", "es_only_mode", {"on": "perhaps"}),
    ],
)
def test_fault_62_bad_edit_is_refused_and_the_old_value_stays(
    station: Running, kind: str, key: str, change: dict[str, object]
) -> None:
    async def work() -> None:
        desired, store = station.run.engine.desired, station.run.engine.outside.stores.config
        before = desired.value
        row = next(row for row in await store.rows() if (row.kind, row.key) == (kind, key))
        body = json.dumps(json.loads(row.body) | change)
        with pytest.raises(VigilError) as refused:
            await desired.edit(kind, key, body, row.version, "test")
        assert key in str(refused.value) or str(next(iter(change.values()))) in str(refused.value)
        await desired.refresh()
        assert desired.value == before
        assert next(r for r in await store.rows() if (r.kind, r.key) == (kind, key)) == row

    station.runner.run(work())


def test_fault_62_edit_of_an_older_version_is_refused_and_a_good_one_takes_effect(station: Running) -> None:
    async def work() -> None:
        desired, store = station.run.engine.desired, station.run.engine.outside.stores.config
        row = next(row for row in await store.rows() if row.key == "SPY_TREND")
        body = json.dumps(json.loads(row.body) | {"target_pct": 40})
        edited = await desired.edit("strategy", "SPY_TREND", body, row.version, "test")
        with pytest.raises(VigilError):
            await desired.edit("strategy", "SPY_TREND", row.body, row.version, "test")
        await station.until("09:39")
        trade = await station.until_holding()
        assert (trade.target_pct, trade.strategy_version) == (40, edited.version)

    station.runner.run(work())
