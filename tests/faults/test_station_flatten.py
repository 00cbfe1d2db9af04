"""A flatten of a hand, and what crosses it: an entry that fills before its cancel, a database that refuses."""

from __future__ import annotations

import asyncio
from pathlib import Path

from station.domain.clock import MILLISECOND
from station.domain.trade import Cause
from station.link import Ack, Flatten, Reply
from tests.faults.station_stage import held
from tests.faults.test_station_in_flight import _locked
from tests.faults.test_station_manual import Hand
from tests.lab import assert_sound, play


def test_an_entry_that_fills_before_the_cancel_of_a_flatten_leaves_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            await lab.until("09:36")
            clock, asked = lab.run.engine.outside.clock, list[asyncio.Future[Reply]]()
            on_its_way = lab.at("09:36:01") + 100 * MILLISECOND
            clock.call_at(on_its_way, lambda: asked.append(asyncio.ensure_future(lab.ask(Flatten("test")))))
            assert (await lab.placed("t1")).ok
            assert isinstance(said := await lab.during(asked[0]), Ack)
            assert said.text == "flattening 0 positions, gate CLOSED"
            trade = lab.first()
            assert (trade.entry_filled, lab.order(trade.entry_ref).cancel_cause) == (3, "manual")
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)
            assert (lab.trade(trade.id).cause, held(tmp_path, trade.id)) == (Cause.MANUAL.value, 0)

    play(work)
    assert_sound(tmp_path)


def test_fault_54_a_flatten_does_not_wait_for_the_database(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            trade = await lab.until_protected()
            other = _locked(lab)
            assert (await lab.ordered(Flatten("test"))).ok
            await lab.until_true(lambda: lab.trade(trade.id).open_qty == 0, limit_s=30)
            assert held(tmp_path, trade.id) == 0
            other.close()
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)
            assert lab.floor().header.gate == "CLOSED"
            assert lab.trade(trade.id).cause == Cause.MANUAL.value

    play(work)
    assert_sound(tmp_path)
