"""What an adversary found: each fault once, through the whole station."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from station.brokers.paper.exchange import PaperExchange
from station.desk.inbox import Nudge
from station.desk.spool import Batch, ExitSpool, Rows
from station.domain.broker import Position
from station.domain.errors import BadInput, Fatal, StorageUnavailable
from station.domain.events import Alerted, Recorded
from station.domain.orders import Ticket
from station.domain.ports import Changes
from station.domain.trade import Trade, TradeState
from station.engine.lease import Lease, is_held
from station.link import Status
from station.store.lifecycle import LifecycleRepository
from station.wealth import Plan, WealthBook
from tests.faults.station_stage import Stage, ours
from tests.lab import PATIENCE_S, assert_sound, paper_rows, play


@contextmanager
def _refusing_from(number: int) -> Generator[list[int]]:
    """Every commit to the lifecycle database is refused from the `number`-th on; yields their count."""
    true, count = LifecycleRepository.commit, [0]

    async def commit(self: LifecycleRepository, changes: Changes) -> None:
        count[0] += 1
        if count[0] >= number:
            raise StorageUnavailable("lifecycle.db is locked by another process")
        await true(self, changes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LifecycleRepository, "commit", commit)
        yield count


def _left_in_the_spool(runtime: Path) -> None:
    """A process ends with a fill, its exit and a kill in the spool and nothing of them in the database."""

    async def work() -> None:
        async with Stage(runtime) as lab:
            await lab.until("09:39")
            await lab.until_sent()
            with _refusing_from(1):
                await lab.step(5)
                await lab.rooms.controls.kill("test", "by hand")
                assert len(lab.rooms.spool.pending) > 2
                await _nothing_more(lab)

    play(work)


async def _begun(runtime: Path) -> None:
    """A start that does not get far, closed again."""
    lab = Stage(runtime)
    try:
        await lab.__aenter__()
    finally:
        await lab.__aexit__()


async def _nothing_more(lab: Stage) -> None:
    """Leave as a killed process does: nothing more is written."""

    async def gone(why: str) -> None:
        await lab.run.engine.supervisor.stop()

    lab.run.engine.stop = gone  # the process is gone


def _all_is_there(runtime: Path) -> None:
    async def work() -> None:
        async with Stage(runtime) as lab:
            await lab.step(3)
            trade = lab.first()
            assert trade.open_qty == trade.qty
            assert lab.rooms.controls.controls.kill.on
            assert not lab.rooms.spool.pending
            (sell,) = lab.exits(trade)
            assert lab.at_exchange(sell.ref)[:2] == ("SUBMITTED", trade.qty)
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    kinds = (
        "SELECT type, COUNT(*) FROM trade_events WHERE type IN ('exit_submitted', 'kill_changed') GROUP BY 1"
    )
    assert all(count == 1 for _, count in ours(runtime, kinds))
    assert_sound(runtime)


@pytest.mark.parametrize("number", [1, 2])
def test_fault_54_recovery_of_the_spool_that_is_cut_loses_nothing(tmp_path: Path, number: int) -> None:
    """The recovery's one commit is refused, or the first after it: a later start has everything, once."""
    _left_in_the_spool(tmp_path)

    with _refusing_from(number), pytest.raises(StorageUnavailable):
        play(lambda: _begun(tmp_path))
    _all_is_there(tmp_path)


def test_fault_54_death_between_the_commit_and_the_clearing_books_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _left_in_the_spool(tmp_path)

    def dead(self: ExitSpool) -> None:
        raise StorageUnavailable("gone")

    with monkeypatch.context() as patch, pytest.raises(StorageUnavailable):
        patch.setattr(ExitSpool, "clear", dead)
        play(lambda: _begun(tmp_path))
    _all_is_there(tmp_path)


def _batch(text: str) -> Batch:
    return Batch((Recorded(Alerted("info", text), 7),), Rows())


def test_fault_55_torn_record_ends_the_spool_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "exits.spool"
    spool = ExitSpool(path)
    spool.append(_batch("first"))
    whole = path.read_bytes()
    spool.append(_batch("second"))
    spool.close()
    both = path.read_bytes()
    used = len(both.rstrip(b"\0"))
    for cut in range(len(whole.rstrip(b"\0")) + 4, used - 1):
        path.write_bytes(both[:cut] + bytes(len(both) - cut))
        spool = ExitSpool(path)
        assert [batch.events[0].event for batch in spool.pending] == [Alerted("info", "first")]
        assert "record 2" in spool.torn
        spool.append(_batch("third"))
        spool.close()
        spool = ExitSpool(path)
        assert [batch.number for batch in spool.pending] == [1, 2]
        assert not spool.torn
        spool.close()


def test_fault_55_start_with_a_torn_spool_says_so_and_trades(tmp_path: Path) -> None:
    handle = os.open(tmp_path / "exits.spool", os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(handle, struct.pack(">II", 40, 5) + b'["T26111', 0)
    os.close(handle)

    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.step(1)
            assert "record 1 at byte 0 is incomplete" in lab.alerts()
            await lab.until_holding()

    play(work)
    assert_sound(tmp_path)


def test_fault_55_numbers_go_on_where_the_database_stands(tmp_path: Path) -> None:
    spool = ExitSpool(tmp_path / "exits.spool")
    for text in ("one", "two", "three"):
        spool.append(_batch(text))
    spool.resume_after(2)
    assert [batch.number for batch in spool.pending] == [3]
    spool.clear()
    spool.append(_batch("four"))
    assert [batch.number for batch in spool.pending] == [4]
    spool.close()


# --- wealth plans and trades that cannot go on ------------------------------------------------------------


def test_fault_62_plan_edited_live_is_the_one_that_sizes_and_books(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, strategy={"wealth_plan": "WM2310K"}) as lab:
            await lab.until("09:39")
            trade = await lab.until_holding()
            assert trade.wealth_plan == "WM2310K"
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)
            assert lab.run.engine.supervisor.records["hunt"].restarts == 0

    play(work)
    assert_sound(tmp_path)


def test_fault_62_edit_that_names_a_plan_not_loaded_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            _take_away(lab, "WM2320K")
            with pytest.raises(BadInput, match=r"WM2320K.*not there when the station started.*WM235K"):
                await lab.edit_strategies(wealth_plan="WM2320K")

    play(work)


def _take_away(lab: Stage, name: str) -> Plan:
    plans = lab.rooms.wealth.plans
    assert isinstance(plans, dict)
    return plans.pop(name)


def test_fault_62_trade_without_its_plan_fails_before_the_entry_and_says_why(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            _take_away(lab, "WM235K")
            await lab.until("09:41")
            (trade,) = lab.trades()
            assert (trade.state, trade.cause, trade.entry_ref) == (TradeState.FAILED, "wealth plan", "")
            assert "'WM235K' is not loaded" in trade.reason

    play(work)
    assert_sound(tmp_path)


def test_fault_62_result_waits_for_its_plan_and_is_booked_on_no_other(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade = await lab.until_holding()
            plan = _take_away(lab, "WM235K")
            await lab.until_true(lambda: lab.trade(trade.id).state is TradeState.CLOSED, limit_s=900)
            await lab.step(150)
            assert lab.trade(trade.id).state is TradeState.CLOSED
            assert lab.alerts().count(f"the result of {trade.id} waits") == 1
            plans = lab.rooms.wealth.plans
            assert isinstance(plans, dict)
            plans["WM235K"] = plan
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=70)

    play(work)
    assert_sound(tmp_path)


def test_fault_59_trade_that_cannot_go_on_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPY's trade breaks at its size; SPX's, five minutes on, is entered, and no task has died."""
    true = WealthBook.plan_of

    def broken(self: WealthBook, trade: Trade) -> Plan | None:
        if trade.symbol == "SPY":
            raise KeyError("broken")
        return true(self, trade)

    monkeypatch.setattr(WealthBook, "plan_of", broken)

    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:46")
            spy, spx = lab.trades()
            assert (spy.symbol, spy.state, spy.cause) == ("SPY", TradeState.FAILED, "fault")
            assert "KeyError: 'broken'" in spy.reason
            assert spx.state is TradeState.SELL_SUBMITTED
            assert not any(record.restarts for record in lab.run.engine.supervisor.records.values())

    play(work)
    assert_sound(tmp_path)


# --- what the station must not go on with, and what fails slowly ------------------------------------------


def test_fault_56_database_that_breaks_in_the_session_ends_it_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line; the sell at the exchange goes on protecting, and the next start finds everything."""

    async def broken(self: LifecycleRepository, changes: Changes) -> None:
        raise Fatal("lifecycle.db is corrupt")

    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade = await lab.until_holding()
            with monkeypatch.context() as patch:
                patch.setattr(LifecycleRepository, "commit", broken)
                with pytest.raises(Fatal, match=r"lifecycle\.db is corrupt"):
                    await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    async def again() -> None:
        async with Stage(tmp_path) as lab:
            await lab.step(1)
            trade = lab.first()
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    assert paper_rows(tmp_path, "SELECT state FROM orders WHERE action = 'SELL'") == [("SUBMITTED",)]
    play(again)
    assert_sound(tmp_path)


def test_fault_59_task_that_fails_slowly_is_told_and_shown(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.step(1)

            async def slow() -> None:
                await lab.run.engine.outside.clock.sleep(400)
                raise OSError("no more")

            lab.run.engine.supervisor.start("slow", slow, critical=True)
            await lab.step(1_700)
            assert "task slow has failed" not in lab.alerts()
            await lab.step(400)
            assert lab.alerts().count("task slow has failed 5 times: OSError: no more") == 1
            assert not lab.rooms.controls.controls.kill.on
            link = lab.run.local_link()
            await link.open()
            reply = await link.ask(Status(), PATIENCE_S)
            assert '"failing":true' in str(reply).replace(" ", "")

    play(work)


# --- what is proven, and when -----------------------------------------------------------------------------


def test_fault_16_young_order_that_an_answer_lacks_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is a second on its way when the broker is asked: it is neither sent again nor failed, and a
    single answer after five seconds does neither."""
    true, sent = PaperExchange.place, list[str]()

    async def slow(self: PaperExchange, tickets: Sequence[Ticket]) -> None:
        sent.extend(ticket.order_ref for ticket in tickets)
        if len(sent) > 1:
            await true(self, tickets)

    monkeypatch.setattr(PaperExchange, "place", slow)

    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade, order = await lab.until_sent()
            for _ in range(4):
                lab.rooms.reconciler.ask("test")
                await lab.step(1)
            assert sent == [order.ref]
            assert lab.order(order.ref).state.is_working
            await lab.until_holding()
            assert sent[:2] == [order.ref, order.ref]
            assert lab.position(trade) == trade.qty

    play(work)
    assert_sound(tmp_path)


def test_fault_32_doubt_that_comes_while_the_books_are_compared_leaves_them_unready(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.step(1)
            reconciler, exchange = lab.rooms.reconciler, lab.run.exchange
            true = exchange.positions

            async def positions() -> tuple[Position, ...]:
                reconciler.doubt()
                return await true()

            exchange.positions = positions
            assert await lab.during(reconciler.reconcile("test"))
            assert not reconciler.ready
            exchange.positions = true
            assert await lab.during(reconciler.reconcile("test"))
            assert reconciler.ready

    play(work)


def test_fault_07_fill_is_booked_while_a_trade_waits_for_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds SPY's lock may wait for a report: the trade that is led waits for it, the lane does not."""

    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade, order = await lab.until_sent()
            locks, true = lab.rooms.way._locks, lab.rooms.way.advance

            async def locked(trade_id: str) -> None:
                async with locks.hold("SPY"):
                    await true(trade_id)

            monkeypatch.setattr(lab.rooms.way, "advance", locked)
            async with locks.hold("SPY"):
                lab.rooms.inbox.offer(Nudge(trade.id))
                await lab.step(3)
                assert lab.order(order.ref).filled == trade.qty
                assert lab.exits(trade) == ()
            await lab.step(1)
            (sell,) = lab.exits(trade)
            assert sell.ticket.qty == trade.qty

    play(work)
    assert_sound(tmp_path)


def test_fault_57_one_account_runs_in_one_runtime_directory(tmp_path: Path) -> None:
    lock = tmp_path / "state" / "U123.lock"
    first, second = (tmp_path / name for name in ("first", "second"))
    first.mkdir()
    second.mkdir()
    held, other = Lease(first, lock), Lease(second, lock)
    held.acquire("U123")
    with pytest.raises(Fatal, match=r"pid \d+ in .*first\) already runs account U123"):
        other.acquire("U123")
    assert is_held(first)
    assert not is_held(second), "a refused start holds nothing"
    held.release()
    other.acquire("U123")
    assert is_held(second)
    other.release()


def test_fault_57_look_at_the_lease_fails_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look holds the lock for an instant; the start that meets it looks again and has it."""
    (tmp_path / "engine.lock").touch()
    looker = os.open(tmp_path / "engine.lock", os.O_RDWR)
    fcntl.flock(looker, fcntl.LOCK_SH | fcntl.LOCK_NB)
    assert not is_held(tmp_path), "looks do not disturb each other"
    monkeypatch.setattr("station.engine.lease.time.sleep", lambda _: fcntl.flock(looker, fcntl.LOCK_UN))
    lease = Lease(tmp_path)
    lease.acquire("U123")
    lease.release()
    os.close(looker)


def test_fault_55_full_disk_reads_as_storage_not_as_books_that_disagree(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade, _ = await lab.until_sent()
            with _refusing_from(1):
                await lab.step(3)
                assert lab.rooms.ledger.degraded
                assert trade.contract is not None
                view = lab.rooms.judgement.view(trade.contract)
                assert (view.reconciled, view.storage_ok) == (True, False)

    play(work)
