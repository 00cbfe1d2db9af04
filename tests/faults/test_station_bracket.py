"""A hand's stop rests at the broker beside its target: it works while the station is dead, and the two never
sell more than is held, whatever becomes of either."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from station.brokers.paper.faults import Fault
from station.calendars import at_et
from station.domain.events import ExitModified, ExitsSet
from station.domain.hand import OwnExits
from station.domain.orders import Order, OrderKind, OrderState
from station.domain.trade import Cause, Trade
from station.link import ClosePart, CloseTrade, Kill, ModifyOrder, ReverseTrade
from tests.crash import SCENES, trial
from tests.faults.station_stage import RICH, held, ours
from tests.faults.test_station_manual import Hand
from tests.lab import DAY, assert_sound, paper_rows, play


async def near_stop(lab: Hand, trade: Trade, under: str = "0.02") -> Order:
    """The resting stop moved closely under the bid."""
    _, stop = lab.pair(trade)
    assert trade.contract is not None
    quote = lab.rooms.market.quote(trade.contract)
    assert quote is not None and quote.bid is not None
    assert (await lab.ordered(ModifyOrder(stop.ref, stop=f"{quote.bid - Decimal(under)}", by="test"))).ok
    await lab.step(1)
    return lab.order(stop.ref)


def sells(runtime: Path) -> list[tuple[Any, ...]]:
    return paper_rows(
        runtime, "SELECT purpose, kind, state, filled FROM orders WHERE action = 'SELL' ORDER BY broker_id"
    )


def test_a_stop_that_rests_goes_off_at_the_broker_and_takes_the_target_with_it(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            trade = await lab.until_protected()
            target, stop = lab.pair(trade)
            moved = await near_stop(lab, trade)
            assert (moved.ref, moved.state) == (stop.ref, OrderState.SUBMITTED)
            await lab.until_true(lambda: lab.is_over(trade.id))
            assert lab.trade(trade.id).cause == "stop"
            assert lab.order(stop.ref).filled == 3
            assert lab.order(target.ref).state is OrderState.CANCELLED

    play(work)
    assert sells(tmp_path) == [("target", "LMT", "CANCELLED", "0"), ("stop", "STP", "FILLED", "3")]
    assert_sound(tmp_path)


@pytest.mark.parametrize("fires", [True, False])
def test_fault_53_a_stop_goes_off_while_the_station_is_dead(tmp_path: Path, fires: bool) -> None:
    """The process is gone between the change of the stop and its fill; the exchange goes on without it."""

    async def first() -> Trade:
        async with Hand(tmp_path) as lab:
            trade = await lab.until_protected()
            if fires:
                await near_stop(lab, trade)
            return trade

    async def then() -> None:
        async with Hand(tmp_path, start=None, away_s=900) as lab:
            await lab.step(10)
            if fires:
                assert lab.trade(trade.id).cause == "stop"
                assert lab.is_over(trade.id)
            else:
                target, stop = lab.pair(trade)
                assert (target.remaining, stop.remaining) == (3, 3)
                assert (await lab.ordered(CloseTrade(trade.id, "test"))).ok
                await lab.until_true(lambda: lab.is_over(trade.id))

    trade = play(first)
    play(then)
    assert held(tmp_path, trade.id) == 0
    assert_sound(tmp_path)


@pytest.mark.parametrize("point", ["send.after:target", "commit.after:order.reduced"])
def test_fault_53_kill_9_around_a_bracket(tmp_path: Path, point: str) -> None:
    """Bought in parts, both legs grown, the stop gone off in parts at the broker; killed within."""
    assert trial(tmp_path, f"{point}#1", until="10:02", scene=SCENES["bracket"]) == []


def fault(name: str, at: str, **more: Any) -> Fault:
    return Fault(name, at_et(DAY, at), symbol="SPY", **more)


def test_fault_13_a_stop_that_is_refused_is_watched_by_the_station_and_placed_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path, faults=[fault("reject_child", "09:36", count=3)]) as lab:
            await lab.until("09:36")
            assert (await lab.placed("t1")).ok
            trade = await lab.until_holding()
            await lab.step(1)
            (target,) = lab.exits(trade)
            assert target.ticket.kind is OrderKind.LIMIT
            assert "asked 3 times for the same SubmitExit in vain" in await told(lab)
            target, _ = lab.pair(trade)
            await near_stop(lab, trade)
            await lab.until_true(lambda: lab.is_over(trade.id))
            assert lab.trade(trade.id).cause == "stop"

    play(work)
    assert_sound(tmp_path)


async def told(lab: Hand) -> str:
    await lab.step(10)
    return lab.alerts()


@pytest.mark.parametrize(
    ("out", "name"),
    [
        ("kill", ""), ("kill", "drop_cancel"), ("close", "cancel_takes_group"),
        ("reverse", "cancel_takes_group"),
        ("reverse", "reject_modify"), ("shield", "drop_cancel"), ("shield", ""),
    ],
)  # fmt: skip
def test_an_out_ends_both_legs_and_sells_once_whatever_becomes_of_the_cancel(
    tmp_path: Path, out: str, name: str
) -> None:
    """The cancel of one leg may end the other too, or be lost, or the change to market be refused."""
    faults = [fault(name, "09:36:30")] if name else []

    async def work() -> None:
        async with Hand(tmp_path, faults=faults) as lab:
            trade = await lab.until_protected()
            target, stop = lab.pair(trade)
            await lab.until("09:36:40")
            match out:
                case "kill":
                    assert (await lab.ordered(Kill(flatten=True, by="test"))).ok
                case "close":
                    assert (await lab.ordered(CloseTrade(trade.id, "test"))).ok
                case "reverse":
                    assert (await lab.ordered(ReverseTrade(trade.id, "r", "test"))).ok
                case _:
                    assert await lab.rooms.desk.close_trade(trade.id, Cause.SHIELD, "a test", "test")
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)
            assert lab.trade(trade.id).cause == (out if out in ("kill", "shield") else "manual")
            await lab.step(3)
            assert all(lab.order(leg.ref).state.is_terminal for leg in (target, stop))

    play(work)
    assert_sound(tmp_path)


@pytest.mark.parametrize("name", ["oca_ignored", "backward_status", "duplicate_execution", "correct_execution"])
def test_fault_18_a_target_whose_stop_filled_is_cancelled_where_the_group_did_not(
    tmp_path: Path, name: str
) -> None:
    async def work() -> None:
        async with Hand(tmp_path, faults=[fault(name, "09:36:30")]) as lab:
            trade = await lab.until_protected()
            target, _ = lab.pair(trade)
            await lab.until("09:36:40")
            await near_stop(lab, trade)
            await lab.until_true(lambda: lab.is_over(trade.id))
            await lab.step(3)
            gone = lab.order(target.ref)
            assert gone.state is OrderState.CANCELLED
            assert lab.trade(trade.id).cause == "stop"

    play(work)
    assert_sound(tmp_path)


def test_parts_close_and_both_legs_follow_the_quantity(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            trade = await lab.until_protected()
            legs = lab.pair(trade)
            for left in (2, 1):
                assert (await lab.ordered(ClosePart(trade.id, 1, "test"))).ok
                await lab.step(2)
                assert lab.trade(trade.id).open_qty == left
                assert [leg.remaining for leg in lab.pair(trade)] == [left, left]
                assert [leg.ref for leg in lab.pair(trade)] == [leg.ref for leg in legs]
            assert (await lab.ordered(ClosePart(trade.id, 1, "test"))).ok
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=10)

    play(work)
    assert_sound(tmp_path)


def test_a_leg_that_fills_in_parts_takes_as_much_from_the_other(tmp_path: Path) -> None:
    """The entry fills in parts, and both grow; the stop does, and the broker makes the target smaller: our
    books say so too. What the stop then leaves, the station sells itself after its head start."""

    async def work() -> None:
        async with Hand(tmp_path, settings=RICH) as lab:
            await lab.until("09:36")
            assert (await lab.placed("t1", qty=400, target_pct="3")).ok
            await lab.until_true(lambda: bool(lab.events("order.reduced")))
            trade = lab.first()
            target, stop = lab.pair(trade)
            assert (target.filled, stop.filled) == (0, trade.exit_filled)
            assert 0 < target.remaining == stop.remaining == trade.open_qty
            assert [lab.at_exchange(leg.ref)[1] for leg in (target, stop)] == [trade.open_qty, 400]
            await lab.until_true(lambda: lab.is_over(trade.id))

    play(work)
    ((trade_id,),) = ours(tmp_path, "SELECT id FROM trades")
    assert held(tmp_path, trade_id) == 0
    assert_sound(tmp_path)


def test_fault_39_a_stale_quote_and_a_strategy_do_not_matter_to_a_stop_that_rests(tmp_path: Path) -> None:
    """No quote reaches the station any more; the broker has its own."""

    async def work() -> None:
        faults = [fault("stale_quotes", "09:36:45", seconds=3_600)]
        async with Hand(tmp_path, faults=faults) as lab:
            trade = await lab.until_protected()
            await near_stop(lab, trade)
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=3_000)
            assert lab.trade(trade.id).cause == "stop"
            assert lab.now() < lab.at("10:36")

    play(work)
    assert sells(tmp_path)[1][2:] == ("FILLED", "3")
    assert_sound(tmp_path)


def test_a_stop_that_a_hand_sets_later_comes_to_rest_beside_its_target(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            await lab.until("09:36")
            assert (await lab.placed("t1", stop_pct="")).ok
            trade = await lab.until_holding()
            await lab.step(2)
            (alone,) = lab.exits(trade)
            assert alone.ticket.oca_group == ""
            assert (await lab.ordered(ModifyOrder(alone.ref, stop="0.05", by="test"))).ok
            await lab.step(2)
            target, stop = lab.pair(trade)
            assert (target.ticket.limit, stop.ticket.stop) == (alone.ticket.limit, Decimal("0.05"))

    play(work)
    assert_sound(tmp_path)


def test_a_change_of_a_leg_that_never_left_is_measured_and_sent_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            trade = await lab.until_protected()
            _, stop = lab.pair(trade)
            ticket = replace(stop.ticket, stop=Decimal("0.05"))
            wish = ExitsSet(OwnExits(stop_price=ticket.stop), "test")
            change = ExitModified(ticket, "stop order", "the stop of a hand")
            await lab.rooms.ledger.record(trade.id, wish, change)
            await lab.during(lab.rooms.reconciler.reconcile("a test"))
            await lab.step(10)
            await lab.during(lab.rooms.reconciler.reconcile("a test"))
            await lab.step(2)
            (at_exchange,) = paper_rows(
                tmp_path, f"SELECT stop_price, qty FROM orders WHERE order_ref = '{stop.ref}'"
            )
            assert at_exchange == ("0.05", "3")
            assert any("the change had not arrived" in body for body in lab.events("trade.exit_modified"))

    play(work)
    assert_sound(tmp_path)
