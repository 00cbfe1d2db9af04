"""Kill, gate and day loss under the circumstances that an adversary would choose."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from station.domain.broker import QuoteReport
from station.domain.errors import Refused
from station.link import Ack, Flatten, Gate, Kill
from station.risk import Gate as GateState
from tests.lab import Lab, assert_sound, play


def test_fault_61_a_kill_that_comes_during_the_start_is_thrown_and_no_other_command_is_taken(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with Lab(tmp_path) as lab:
            await lab.rooms.controls.kill("hand", "first day", flatten=True)
        second = Lab(tmp_path)
        async with second as lab:
            assert lab.rooms.controls.controls.kill.on

    play(work)


def test_commands_before_the_books_are_loaded_change_nothing_and_a_kill_waits_for_them(tmp_path: Path) -> None:
    async def work() -> None:
        async with Lab(tmp_path) as lab:
            engine, handle = lab.run.engine, lab.run.local_link()._handler
            engine._loaded = False
            for command in (Gate("closed", "x"), Flatten("x")):
                try:
                    await handle(command)
                except Refused as refused:
                    assert refused.code == "STARTING"
                else:
                    raise AssertionError(f"{command} was taken during the start")
            asked = asyncio.ensure_future(handle(Kill(flatten=True, by="x")))
            await lab.step(1)
            assert not asked.done(), "an engine that dies now has promised nothing"
            assert not lab.rooms.controls.controls.kill.on
            await engine._load()
            assert isinstance(answer := await asked, Ack)
            assert answer.ok
            assert lab.rooms.controls.controls.kill.on
            assert lab.rooms.controls.controls.kill.flatten

    play(work)


def test_one_refused_cancel_does_not_stop_the_kill(tmp_path: Path) -> None:
    async def work() -> None:
        async with Lab(tmp_path) as lab:
            trade = await lab.until_holding()
            hands, told = lab.rooms.controls._hands, []
            whole = hands.cancel_entry

            async def refusing(held: object, cause: str) -> None:
                told.append(cause)
                raise Refused("FOREIGN", "the order belongs to another client")

            hands.cancel_entry = refusing
            entry = lab.rooms.ledger.book.orders[trade.entry_ref]
            lab.rooms.ledger.book.orders[trade.entry_ref] = replace(entry, state=type(entry.state).SUBMITTED)
            await lab.rooms.controls.kill("hand", "test", flatten=True)
            hands.cancel_entry = whole
            lab.rooms.ledger.book.orders[trade.entry_ref] = entry
            assert told == ["kill"]
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)
            assert lab.rooms.ledger.trades[trade.id].cause == "kill"
        assert_sound(tmp_path)

    play(work)


def test_a_position_that_only_sellers_are_left_for_is_worth_no_more_than_they_ask(tmp_path: Path) -> None:
    async def work() -> None:
        async with Lab(tmp_path) as lab:
            trade = await lab.until_holding()
            assert trade.contract is not None
            quote = lab.rooms.market.quote(trade.contract)
            assert quote is not None
            lab.rooms.market.on_report(QuoteReport(replace(quote, bid=None, ask=Decimal("0.01"))))
            worth = Decimal("0.01") * trade.open_qty * trade.contract.multiplier
            assert lab.rooms.money.value_of(trade) == worth
            assert lab.rooms.money.day_pnl() <= worth - trade.entry_value

    play(work)


def test_a_late_fee_of_an_earlier_session_is_not_todays_loss(tmp_path: Path) -> None:
    async def work() -> None:
        async with Lab(tmp_path) as lab:
            await lab.until("09:55")
            money, ledger = lab.rooms.money, lab.rooms.ledger
            done = next(t for t in lab.trades() if t.net_pnl is not None)
            before = money.day_pnl()
            old = replace(done, closed_ns=lab.at("00:00") - 20 * 3600 * 10**9)
            ledger._remember(old)
            assert done.net_pnl is not None
            assert money.day_pnl() == before - done.net_pnl
            ledger._remember(done)
            assert money.day_pnl() == before

    play(work)


def test_an_operator_who_closes_after_the_day_loss_keeps_it_closed(tmp_path: Path) -> None:
    async def work() -> None:
        async with Lab(tmp_path) as lab:
            controls = lab.rooms.controls
            await controls.watch_day(Decimal(-600), Decimal(34400))
            assert controls.controls.gate.state is GateState.CLOSED
            await controls.set_gate(GateState.CLOSED, "hand", "stay out tomorrow")
            await controls.begin_session("2026-11-19", Decimal(34400))
            assert controls.controls.gate.state is GateState.CLOSED

    play(work)


def test_the_baseline_is_taken_with_the_first_answer_of_the_account(tmp_path: Path) -> None:
    async def work() -> None:
        async with Lab(tmp_path) as lab:
            controls = lab.rooms.controls
            controls.controls = replace(
                controls.controls, day=replace(controls.controls.day, session="", baseline=None)
            )
            await lab.rooms.money.refresh()
            assert controls.controls.day.baseline == Decimal(35000)
            assert controls.controls.day.session == "2026-11-18"

    play(work)
