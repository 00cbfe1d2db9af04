"""What looks odd in the books and is honest: the auditor stays silent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from station.domain.events import PositionAdopted
from station.domain.orders import Action, Execution, OrderKind, Purpose, Ticket, order_ref
from station.store import verify
from tests.unit.store_books import ACCOUNT, Exchange, Hand, opened, spx

SELLS = "working sells outside one OCA group ≤ open quantity"


async def test_a_running_runtime_can_be_verified(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "runtime")
    hand = Hand(stores)
    trade_id = await hand.enter(1, spx(5940))
    await hand.fill(order_ref(ACCOUNT, trade_id, "E", 1), 1, "3.10")
    assert verify(tmp_path / "runtime").ok
    await stores.close()


async def test_a_corrected_execution_withdraws_the_one_before_it(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "runtime")
    hand = Hand(stores)
    trade_id = await hand.enter(1, spx(5940))
    entry = order_ref(ACCOUNT, trade_id, "E", 1)
    first = await hand.fill(entry, 1, "3.10", exec_id="0000e.7.01")
    await hand.fill(entry, 1, "3.05", exec_id="0000e.7.02", corrects=first)
    assert hand.orders[entry].avg_price == Decimal("3.05")
    await stores.close()
    report = verify(tmp_path / "runtime")
    assert report.ok, report.shape()


async def test_an_exit_raised_by_the_brokers_correction_is_no_act_of_ours(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "runtime")
    hand = Hand(stores)
    trade_id = await hand.enter(2, spx(5940))
    entry = order_ref(ACCOUNT, trade_id, "E", 1)
    first = await hand.fill(entry, 2, "3.10", exec_id="0000e.7.01")
    exit_ref = await hand.sell(trade_id, 1, 2, "3.80")
    await hand.fill(entry, 1, "3.10", exec_id="0000e.7.02", corrects=replace(first))
    assert "now: working sells" in verify(tmp_path / "runtime").check(SELLS).violations[0]
    await hand.modify(exit_ref, 1, "3.80")
    assert verify(tmp_path / "runtime").check(SELLS).violations == ()
    await stores.close()


async def by_hand(exchange: Exchange, at_ns: int) -> None:
    """Two contracts bought at the exchange by somebody else."""
    ticket = Ticket("by-hand", ACCOUNT, spx(5900), Action.BUY, Decimal(2), OrderKind.MARKET, Purpose.ENTRY)
    exchange.received(ticket, at_ns)
    bought = Execution(
        "PX20261118.900001.01", "by-hand", ACCOUNT, spx(5900), Action.BUY, Decimal(2), Decimal(4), at_ns
    )
    exchange.executed(bought, Decimal("2.60"))


@pytest.mark.parametrize("end", ["left alone", "settled", "adopted", "adopted and sold", "adopted and settled"])
async def test_a_position_bought_by_hand_is_none_of_ours_until_it_is_adopted(tmp_path: Path, end: str) -> None:
    runtime = tmp_path / "runtime"
    stores = await opened(runtime)
    exchange = Exchange(runtime / "paper.db")
    hand = Hand(stores, exchange)
    await by_hand(exchange, hand.now)
    if "adopted" in end:
        await hand.record("T2611180001", PositionAdopted(ACCOUNT, "paper", spx(5900), Decimal(2), Decimal(4)))
    if "sold" in end:
        await hand.fill(await hand.sell("T2611180001", 1, 2, "4.50"), 2, "4.50")
        await hand.close("T2611180001")
    if end == "adopted and settled":
        await hand.settle("T2611180001", 2, "1.25")
        await hand.close("T2611180001")
    if end == "settled":
        exchange.settled(spx(5900), Decimal(2), Decimal("1.25"), hand.now)
    exchange.close()
    await stores.close()
    report = verify(runtime)
    assert report.ok, report.shape()
