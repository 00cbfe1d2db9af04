"""What a hand wants while another thing is on its way: to the database, to its end, to the broker."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from station.brokers.paper.faults import Fault
from station.calendars import at_et
from station.domain.events import EntryModified, Event
from station.domain.trade import Trade, TradeState
from station.execution import turn
from station.link import Ack, Command, DeclineProposal, ModifyOrder, Reply, ReverseTrade, TakeProposal
from tests.faults.station_stage import FIRST_ENTRY, Stage, ours
from tests.faults.test_station_manual import Hand
from tests.faults.test_station_proposals import ENTRIES, Proposing
from tests.lab import DAY, assert_sound, paper_rows, play

MS = 1_000_000


def _locked(lab: Stage) -> sqlite3.Connection:
    """Another process's write lock on the lifecycle database, until it is rolled back."""
    other = sqlite3.connect(lab.runtime / "lifecycle.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


async def _told_as_its_time_runs_out(lab: Proposing, command: Command, until_ns: int) -> Ack:
    """The answer to what was still told in time and was committed, behind a lock, only after it."""
    clock, asked = lab.run.engine.outside.clock, list[asyncio.Future[Reply]]()
    await lab.run.advance(until_ns - 20 * MS)
    other = _locked(lab)
    clock.call_at(until_ns - 10 * MS, lambda: asked.append(asyncio.ensure_future(lab.ask(command))))
    clock.call_at(until_ns + MS, other.close)
    await lab.step(3)
    answer = await lab.during(asked[0])
    assert isinstance(answer, Ack)
    return answer


@pytest.mark.parametrize("takes", [True, False])
def test_fault_54_what_a_hand_told_a_proposal_in_time_holds_when_it_is_committed_after_it(
    tmp_path: Path, takes: bool
) -> None:
    async def work() -> None:
        async with Proposing(tmp_path, settings={"signals.proposal_s": 5}) as lab:
            trade = await lab.proposed(FIRST_ENTRY)
            assert trade.offer is not None
            command = TakeProposal(trade.id, "t1") if takes else DeclineProposal(trade.id, "test")
            assert (await _told_as_its_time_runs_out(lab, command, trade.offer.until_ns)).ok
            await lab.step(3)
            ended = lab.trade(trade.id)
            assert (ended.state, ended.cause) == (
                (TradeState.SELL_SUBMITTED, "") if takes else (TradeState.FAILED, "declined")
            )
            assert (lab.rooms.controls.controls.quarantined, lab.events("fault.handler")) == ((), [])

    play(work)
    assert len(paper_rows(tmp_path, ENTRIES)) == (1 if takes else 0)
    assert_sound(tmp_path)


def test_no_more_proposals_are_taken_than_the_day_has_positions(tmp_path: Path) -> None:
    """Proposals that wait use up none, so that more may wait than may be taken."""

    async def work() -> None:
        day = {"signals.proposal_s": 600, "signals.positions_day": 1}
        async with Proposing(tmp_path, settings=day) as lab:
            await lab.proposed(FIRST_ENTRY)
            await lab.until("09:45:01")
            one, other = lab.rows()
            assert (await lab.told(TakeProposal(one.trade_id, "t1"))).ok
            said = await lab.told(TakeProposal(other.trade_id, "t2"))
            assert (said.code, "1 positions today, 1 are the most" in said.text) == ("POSITIONS", True)

    play(work)
    assert len(paper_rows(tmp_path, ENTRIES)) == 1


def test_fault_54_signals_of_a_trade_whose_end_was_not_committed_end_with_it_later(tmp_path: Path) -> None:
    async def work() -> None:
        async with Proposing(tmp_path) as lab:
            trade = await lab.proposed(FIRST_ENTRY)
            other = _locked(lab)
            assert (await lab.told(DeclineProposal(trade.id, "test"))).code == "STORAGEUNAVAILABLE"
            other.close()
            assert lab.trade(trade.id).awaits_hand
            assert (await lab.told(DeclineProposal(trade.id, "test"))).ok

    play(work)
    assert ours(tmp_path, "SELECT DISTINCT state FROM signals WHERE trade_id <> ''") == [("REJECTED",)]
    assert_sound(tmp_path)


def test_fault_61_dearer_change_of_an_entry_is_not_sent_behind_the_kill_switch(tmp_path: Path) -> None:
    """Judged with entries open, committed after they closed: the order stays as it was, and is cancelled."""

    async def work() -> None:
        async with Hand(tmp_path) as lab:
            await lab.until("09:36")
            assert (await lab.placed("t1", kind="LIMIT", limit="0.20")).ok
            await lab.step(5)
            ledger, record = lab.rooms.ledger, lab.rooms.ledger.record
            killing: list[asyncio.Task[None]] = []

            async def behind(trade_id: str, *events: Event, **more: Any) -> Trade | None:
                if isinstance(events[0], EntryModified):
                    killing.append(asyncio.ensure_future(lab.rooms.controls.kill("hand", "test")))
                    while not lab.rooms.controls.controls.kill.on:
                        await turn()
                return await record(trade_id, *events, **more)

            ledger.record = behind  # type: ignore[method-assign]
            said = await lab.ordered(ModifyOrder(lab.first().entry_ref, limit="5.00", by="test"))
            assert (said.ok, said.code, len(killing)) == (False, "GATE", 1)
            await lab.step(5)
            assert lab.first().state is TradeState.FAILED

    play(work)
    assert paper_rows(tmp_path, "SELECT filled, limit_price, state FROM orders") == [("0", "0.20", "CANCELLED")]
    assert_sound(tmp_path)


def test_fault_44_reversal_that_a_halt_held_up_closes_and_buys_nothing(tmp_path: Path) -> None:
    halt = Fault("halt", at_et(DAY, "09:36:05") + 51 * MS, seconds=120, symbol="SPY")

    async def work() -> None:
        async with Hand(tmp_path, faults=[halt]) as lab:
            trade = await lab.until_protected()
            assert (await lab.ordered(ReverseTrade(trade.id, "r1", "test"))).ok
            await lab.step(110)
            assert lab.trade(trade.id).open_qty > 0
            await lab.step(20)
            assert (lab.trade(trade.id).open_qty, lab.trade(trade.id).cause) == (0, "manual")
            assert lab.entered() == [lab.trade(trade.id)]
            (said,) = (text for text in lab.events("alert") if "not turned round" in text)
            assert "nothing is bought" in said

    play(work)
    assert_sound(tmp_path)
