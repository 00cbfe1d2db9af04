"""The link to the broker going away under the whole station: rows 22 and 23, with orders on their way."""

from __future__ import annotations

from pathlib import Path

import pytest

from station.brokers.paper.faults import Fault
from station.calendars import at_et
from station.domain.clock import MILLISECOND
from station.domain.orders import OrderState
from station.domain.trade import Trade, TradeState
from station.link import Kill
from tests.faults.station_stage import Stage, ends_of, ours
from tests.lab import DAY, assert_sound, paper_rows, play

SENT = at_et(DAY, "09:40")
"""Seed 3 on the wire: the entry leaves at 0 ms, fills at 79, is heard of at 105, its target arrives at 178."""
IN_FLIGHT = SENT + 50 * MILLISECOND
TARGET_IN_FLIGHT = SENT + 150 * MILLISECOND


def _dropped(at_ns: int, seconds: float = 20) -> Fault:
    return Fault("disconnect", at_ns, seconds=seconds)


def _doubted(runtime: Path, ref: str) -> bool:
    sql = (
        "SELECT COUNT(*) FROM trade_events WHERE type = 'order.moved' "
        f"AND data ->> 'order_ref' = '{ref}' AND data ->> 'state' = 'UNKNOWN'"
    )
    return ours(runtime, sql)[0][0] == 1


def test_fault_22_entry_in_flight_is_unknown_and_reconciled_before_anything_is_sent(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, faults=[_dropped(IN_FLIGHT)]) as lab:
            await lab.until("09:40:10")
            trade = lab.first()
            order = lab.order(trade.entry_ref)
            assert (order.state, trade.state) == (OrderState.UNKNOWN, TradeState.BUY_SUBMITTED)
            assert lab.at_exchange(order.ref)[0] == "FILLED", "the exchange went on without us"
            assert lab.rooms.submitter.sent == 1
            assert not lab.rooms.reconciler.ready
            await lab.until("09:40:25")
            trade = lab.first()
            assert lab.order(order.ref).state is OrderState.FILLED
            assert trade.state is TradeState.SELL_SUBMITTED
            (sell,) = lab.exits(trade)
            assert lab.at_exchange(sell.ref) == ("SUBMITTED", trade.qty, 0)
            assert lab.entries_of(trade) == [order.ref]
            found = lab.events("reconciliation")[-1]
            assert "missed execution" in found
            sql = "SELECT MIN(seq) FROM trade_events WHERE type = '{}' AND at_ns > " + str(IN_FLIGHT)
            (booked,) = ours(tmp_path, sql.format("order.execution"))
            (meant,) = ours(tmp_path, sql.format("trade.exit_submitted"))
            assert booked < meant
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    assert _doubted(tmp_path, ours(tmp_path, "SELECT entry_ref FROM trades ORDER BY id")[0][0])
    assert_sound(tmp_path)


def test_fault_22_exit_in_flight_is_unknown_and_never_sent_twice(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, faults=[_dropped(TARGET_IN_FLIGHT)]) as lab:
            await lab.until("09:40:10")
            trade = lab.first()
            (sell,) = lab.exits(trade)
            assert sell.state is OrderState.UNKNOWN
            assert lab.rooms.submitter.sent == 2
            await lab.until("09:40:30")
            assert lab.order(sell.ref).state is OrderState.SUBMITTED
            assert lab.rooms.submitter.sent == 2
            sells = paper_rows(tmp_path, "SELECT order_ref, state FROM orders WHERE action = 'SELL'")
            assert sells == [(sell.ref, "SUBMITTED")]
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    assert ends_of(tmp_path)[0] == ("WEALTH_UPDATED", "target")
    assert_sound(tmp_path)


def test_fault_22_fill_of_a_resting_entry_while_away_is_booked_and_protected(tmp_path: Path) -> None:
    """The entry rests for 39 s and fills while nobody listens."""

    async def work() -> None:
        faults = [_dropped(SENT + 10_000 * MILLISECOND, 40)]
        async with Stage(tmp_path, faults=faults, strategy={"entry_policy": "mid"}) as lab:
            await lab.until("09:40:45")
            trade = lab.first()
            assert lab.order(trade.entry_ref).state is OrderState.SUBMITTED
            assert lab.at_exchange(trade.entry_ref)[0] == "FILLED"
            await lab.until("09:40:55")
            trade = lab.first()
            (sell,) = lab.exits(trade)
            assert lab.at_exchange(sell.ref)[:2] == ("SUBMITTED", trade.qty)

    play(work)
    assert_sound(tmp_path)


def test_fault_22_exit_that_closed_the_position_while_away_is_booked(tmp_path: Path) -> None:
    """Both targets fill at 09:54:35 and 39 while the link is down; no second sell follows."""

    async def work() -> None:
        async with Stage(tmp_path, faults=[_dropped(at_et(DAY, "09:54:10"), 40)]) as lab:
            await lab.until("09:54:45")
            assert lab.holding()
            assert [lab.position(trade) for trade in lab.entered()] == [0, 0]
            await lab.until("09:54:59")
            assert not lab.rooms.ledger.open_trades()

    play(work)
    assert ends_of(tmp_path)[:2] == [("WEALTH_UPDATED", "target")] * 2
    assert paper_rows(tmp_path, "SELECT COUNT(*) FROM orders WHERE action = 'SELL'") == [(2,)]
    sold = "SELECT SUM(CAST(qty AS REAL) * (CASE action WHEN 'BUY' THEN 1 ELSE -1 END)) FROM executions"
    assert paper_rows(tmp_path, sold)[0][0] == 0
    assert_sound(tmp_path)


def test_fault_22_no_entry_leaves_or_queues_while_the_link_is_down(tmp_path: Path) -> None:
    """The venue is lost after the bar's last tick, so the firing stands; its entry is refused for good."""

    async def work() -> None:
        lost = Fault("link_lost", SENT - 5 * MILLISECOND, seconds=30)
        async with Stage(tmp_path, faults=[lost]) as lab:
            await lab.until("09:41:30")
            assert all(trade.state is TradeState.FAILED for trade in lab.trades())
            assert paper_rows(tmp_path, "SELECT * FROM orders") == []
            assert lab.rooms.reconciler.ready

    play(work)
    assert_sound(tmp_path)


def test_fault_23_link_lost_and_back_with_its_data_pauses_reconciles_and_goes_on(tmp_path: Path) -> None:
    async def work() -> None:
        lost = Fault("link_lost", IN_FLIGHT, seconds=20)
        async with Stage(tmp_path, faults=[lost]) as lab:
            await lab.until("09:40:15")
            assert lab.order(lab.first().entry_ref).state is OrderState.UNKNOWN
            assert not lab.rooms.judgement.entries_open("SPX")
            await lab.until("09:40:22")
            trade = lab.first()
            assert trade.state is TradeState.SELL_SUBMITTED
            assert lab.rooms.reconciler.ready
            assert lab.rooms.judgement.entries_open("SPX")
            texts = [text for text in lab.events("link") if "1100" in text or "1102" in text]
            assert len(texts) == 2
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    assert ends_of(tmp_path)[0] == ("WEALTH_UPDATED", "target")
    assert_sound(tmp_path)


@pytest.mark.parametrize("name", ["link_lost", "disconnect"])
@pytest.mark.parametrize("after_ms", [-1_000, 0, 1, 100])
def test_fault_22_a_start_with_a_position_in_an_outage_waits_it_out(
    tmp_path: Path, name: str, after_ms: int
) -> None:
    """Also where the link is lost again between connecting and the first question."""

    async def first() -> tuple[Trade, int]:
        async with Stage(tmp_path) as stage:
            trade = await stage.until_holding()
            await stage.step(3)
            return trade, stage.now()

    async def then() -> None:
        outage = Fault(name, ended_ns + after_ms * MILLISECOND, seconds=40)
        async with Stage(tmp_path, faults=[outage]) as stage:
            await stage.step(60)
            assert stage.rooms.reconciler.ready
            assert await stage.obeys(Kill(flatten=True, by="test"))
            await stage.until_true(lambda: stage.is_over(trade.id), limit_s=60)

    trade, ended_ns = play(first)
    play(then)
    assert_sound(tmp_path)
