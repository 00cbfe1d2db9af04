"""What is left of a pair: a leg whose position is gone must not stay at the broker, whatever was lost."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from station.brokers.paper.faults import Fault
from station.calendars import at_et
from station.domain.orders import Order, OrderState
from station.domain.trade import Origin, Trade
from station.link import CloseTrade, Flatten, Kill, ModifyOrder
from tests.faults.station_stage import RICH, held, ours
from tests.faults.test_station_bracket import fault, near_stop
from tests.faults.test_station_manual import Hand
from tests.lab import DAY, assert_sound, paper_rows, play


@pytest.mark.parametrize("lost", [1, 2])
def test_fault_13_a_leg_that_outlives_its_position_is_cancelled_until_it_is_gone(
    tmp_path: Path, lost: int
) -> None:
    """The group did not take it and its cancel is lost: a sell of nothing must not wait for its price."""

    async def work() -> None:
        faults = [fault("oca_ignored", "09:36:30"), fault("drop_cancel", "09:36:30", count=lost)]
        async with Hand(tmp_path, faults=faults) as lab:
            trade = await lab.until_protected()
            target, _ = lab.pair(trade)
            await lab.until("09:36:40")
            await near_stop(lab, trade)
            await lab.until_true(lambda: lab.is_over(trade.id))
            await lab.until_true(lambda: lab.at_exchange(target.ref)[0] == "CANCELLED", limit_s=180)
            await lab.step(2)
            assert lab.order(target.ref).state is OrderState.CANCELLED

    play(work)
    assert_sound(tmp_path)


def test_fault_22_a_change_that_never_arrived_offers_no_more_than_the_group_has_left(tmp_path: Path) -> None:
    """The target is moved while the link is down, and the stop goes off in part before it is back."""

    async def work() -> None:
        faults = [Fault("disconnect", at_et(DAY, "09:36:20"), seconds=8.5)]
        async with Hand(tmp_path, settings=RICH, faults=faults) as lab:
            await lab.until("09:36")
            assert (await lab.placed("t1", qty=400, target_pct="90")).ok
            trade = await lab.until_holding()
            await lab.until_true(lambda: lab.trade(trade.id).entry_done)
            await lab.step(4)
            await near_stop(lab, lab.trade(trade.id))
            await lab.until("09:36:21")
            target, stop = lab.pair(trade)
            assert (await lab.ordered(ModifyOrder(target.ref, limit="3.50", by="test"))).ok
            await lab.until("09:36:30")
            sold = lab.order(stop.ref).filled
            assert 0 < sold < 400
            assert lab.at_exchange(target.ref) == ("SUBMITTED", 400 - sold, 0)
            await lab.until_true(lambda: lab.is_over(trade.id))

    play(work)
    assert not ours(tmp_path, "SELECT 1 FROM order_failures")
    assert_sound(tmp_path)


def test_fault_53_a_leg_that_outlived_its_trade_is_cancelled_after_a_restart(tmp_path: Path) -> None:
    async def first() -> str:
        faults = [fault("oca_ignored", "09:36:30"), fault("drop_cancel", "09:36:30")]
        async with Hand(tmp_path, faults=faults) as lab:
            trade = await lab.until_protected()
            target, _ = lab.pair(trade)
            await lab.until("09:36:40")
            await near_stop(lab, trade)
            await lab.tick_until(lambda: lab.order(target.ref).cancel_cause != "")
            return target.ref

    async def then() -> None:
        async with Hand(tmp_path, start=None, away_s=30) as lab:
            await lab.until_true(lambda: lab.order(ref).state is OrderState.CANCELLED, limit_s=60)
            assert lab.at_exchange(ref)[0] == "CANCELLED"

    ref = play(first)
    play(then)
    assert_sound(tmp_path)


def test_fault_36_a_stop_that_rests_is_taken_over_with_its_position(tmp_path: Path) -> None:
    """A database from before the trade under a broker that holds it: target and stop stay where they are."""
    older, newer = tmp_path / "older", tmp_path / "newer"

    async def before() -> None:
        async with Hand(older) as lab:
            await lab.until("09:35:50")

    async def bought() -> tuple[Trade, Order]:
        async with Hand(newer) as lab:
            trade = await lab.until_protected()
            return trade, lab.pair(trade)[1]

    async def back() -> None:
        async with Hand(older, start=None) as lab:
            await lab.step(30)
            (adopted,) = [t for t in lab.trades() if t.origin is Origin.ADOPTED]
            assert adopted.open_qty == trade.open_qty
            assert lab.at_exchange(stop.ref)[0] == "SUBMITTED"
            target, still = lab.pair(adopted)
            assert still.ticket == stop.ticket
            await near_stop(lab, adopted)
            await lab.until_true(lambda: lab.is_over(adopted.id))
            assert lab.trade(adopted.id).cause == "stop"
            assert lab.at_exchange(target.ref)[0] == "CANCELLED"

    play(before)
    shutil.copytree(older, newer)
    trade, stop = play(bought)
    for book in newer.glob("paper.db*"):
        shutil.copy(book, older / book.name)
    play(back)


@pytest.mark.parametrize("out", ["kill", "stop", ""])
@pytest.mark.parametrize("lost", [1, 2])
def test_fault_16_an_exit_that_the_broker_never_accepts_does_not_hold_up_the_way_out(
    tmp_path: Path, lost: int, out: str
) -> None:
    """It lists the order and does nothing with it: the order is taken back, and what it was for goes anew."""

    async def work() -> None:
        async with Hand(tmp_path, faults=[fault("drop_order", "09:36:10", count=lost)]) as lab:
            await lab.until("09:36")
            assert (await lab.placed("t1", stop_pct="")).ok
            trade = await lab.until_holding()
            await lab.until("09:36:11")
            (alone,) = lab.exits(trade)
            assert trade.contract is not None
            quote = lab.rooms.market.quote(trade.contract)
            assert quote is not None and quote.bid is not None
            level = quote.bid - Decimal("0.02") if out == "stop" else Decimal("0.05")
            assert (await lab.ordered(ModifyOrder(alone.ref, stop=f"{level}", by="test"))).ok
            await lab.step(2)
            assert any(order.state is OrderState.PENDING for order in lab.exits(trade))
            if out == "kill":
                assert (await lab.ordered(Kill(flatten=True, by="test"))).ok
            if out:
                await lab.until_true(lambda: lab.is_over(trade.id), limit_s=120)
                assert lab.trade(trade.id).cause == out
            else:
                await lab.step(20)
                assert [leg.state for leg in lab.pair(trade)] == [OrderState.SUBMITTED] * 2

    play(work)
    assert_sound(tmp_path)


@pytest.mark.parametrize("fills", ["target", "stop"])
def test_fault_10_a_leg_that_its_group_took_is_not_replaced_before_the_fill_is_known(
    tmp_path: Path, fills: str
) -> None:
    """That the other leg is gone comes before the execution that took it: a new one would sell what is sold."""

    async def work() -> None:
        async with Hand(tmp_path, faults=[fault("status_before_fill", "09:36:10")]) as lab:
            trade = await lab.until_protected()
            await lab.until("09:36:11")
            target, _ = lab.pair(trade)
            if fills == "stop":
                await near_stop(lab, trade)
            else:
                assert trade.contract is not None
                quote = lab.rooms.market.quote(trade.contract)
                assert quote is not None
                assert (await lab.ordered(ModifyOrder(target.ref, limit=f"{quote.bid}", by="test"))).ok
            await lab.until_true(lambda: lab.is_over(trade.id))
            assert lab.trade(trade.id).cause == fills

    play(work)
    assert len(paper_rows(tmp_path, "SELECT 1 FROM orders WHERE action = 'SELL'")) == 2
    assert_sound(tmp_path)


def test_fault_2_of_a_fill_that_was_corrected_while_the_station_was_dead_the_last_word_counts(
    tmp_path: Path,
) -> None:
    faults = [fault("correct_execution", "09:36:10")]

    async def first() -> Trade:
        async with Hand(tmp_path, faults=faults) as lab:
            trade = await lab.until_protected()
            await near_stop(lab, trade)
            return trade

    async def then() -> None:
        async with Hand(tmp_path, start=None, away_s=900, faults=faults) as lab:
            await lab.step(10)
            assert lab.is_over(trade.id)

    trade = play(first)
    play(then)
    told = paper_rows(tmp_path, "SELECT exec_id FROM executions WHERE action = 'SELL' ORDER BY exec_id")
    booked = ours(tmp_path, "SELECT exec_id FROM order_fills WHERE action = 'SELL'")
    assert (len(told), booked) == (2, told[1:])
    assert_sound(tmp_path)


@pytest.mark.parametrize("whole", [True, False])
def test_fault_53_a_way_out_that_waits_for_its_stops_cancel_is_gone_on_with_after_a_restart(
    tmp_path: Path, whole: bool
) -> None:
    """Asked for and answered while the link is down; the process ends before the cancel could leave."""
    faults = [Fault("disconnect", at_et(DAY, "09:36:30"), seconds=60)]

    async def first() -> Trade:
        async with Hand(tmp_path, faults=faults) as lab:
            trade = await lab.until_protected()
            await lab.until("09:36:40")
            assert (await lab.ordered(Flatten("test") if whole else CloseTrade(trade.id, "test"))).ok
            await lab.step(2)
            target, stop = lab.pair(trade)
            assert (target.cancel_cause, stop.cancel_cause) == ("", "manual")
            return trade

    async def then() -> None:
        async with Hand(tmp_path, start=None, faults=faults) as lab:
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=120)
            assert lab.trade(trade.id).cause == "manual"

    trade = play(first)
    play(then)
    assert held(tmp_path, trade.id) == 0
    assert_sound(tmp_path)
