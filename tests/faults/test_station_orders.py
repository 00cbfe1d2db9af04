"""Orders that go wrong, through the whole station: what FAULTS.md asks of rows 1 to 17."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from station.brokers.paper.faults import Fault
from station.domain.broker import ExecutionReport, OpenOrder, OrderStatus
from station.domain.orders import Execution, OrderState, Ticket
from station.domain.ports import WealthState
from station.domain.trade import TradeState
from station.link import CancelOrder
from station.risk import Gate
from tests.faults.station_stage import RICH, Stage, ends_of, held, ours
from tests.lab import assert_sound, paper_rows, play

BOTH_AT_TARGET = [("WEALTH_UPDATED", "target"), ("WEALTH_UPDATED", "target")]
RESTING = {"entry_policy": "mid"}
"""Bids the mid: seed 3's entries then rest for 39 s before they fill."""
IN_PARTS = {"symbol": "SPX", "entry_policy": "cap", "entry_cap_pct": 5}


@dataclass(frozen=True)
class Told:
    """What a run in disorder left."""

    runtime: Path
    ignored: dict[str, int]


@pytest.fixture(scope="module")
def disorder(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """SPY hears its fill twice and before its acknowledgement; SPX hears its acknowledgement never, its fee
    never, and an old status after its fill. The next SPX trade hears the fee before the fill."""
    runtime = tmp_path_factory.mktemp("disorder")
    faults = [
        Fault("duplicate_execution", symbol="SPY", count=2), Fault("fill_before_ack", symbol="SPY"),
        Fault("drop_ack", symbol="SPX"), Fault("commission_lost", symbol="SPX"),
        Fault("backward_status", symbol="SPX"), Fault("commission_early", symbol="SPX"),
    ]  # fmt: skip

    async def work() -> Told:
        async with Stage(runtime, faults=faults) as lab:
            await lab.until("09:56")
            return Told(runtime, dict(lab.rooms.ledger.book.ignored))

    return play(work)


def _log_of(runtime: Path, ref: str) -> list[str]:
    sql = f"SELECT type FROM trade_events WHERE json_extract(data, '$.order_ref') = '{ref}' ORDER BY seq"
    return [row[0] for row in ours(runtime, sql)]


def _entry(runtime: Path, symbol: str) -> str:
    sql = f"SELECT entry_ref FROM trades WHERE symbol = '{symbol}' ORDER BY id LIMIT 1"
    return ours(runtime, sql)[0][0]


def test_fault_01_same_execution_id_twice_is_booked_once(disorder: Told) -> None:
    assert disorder.ignored["duplicate execution"] == 2
    for (ref,) in ours(disorder.runtime, "SELECT order_ref FROM orders WHERE trade_id LIKE '%0001'"):
        there = paper_rows(disorder.runtime, f"SELECT exec_id, qty FROM executions WHERE order_ref = '{ref}'")
        here = ours(disorder.runtime, f"SELECT exec_id, qty FROM order_fills WHERE order_ref = '{ref}'")
        assert here == there
        assert _log_of(disorder.runtime, ref).count("order.execution") == len(there) == 1
    assert ends_of(disorder.runtime)[:2] == BOTH_AT_TARGET
    assert_sound(disorder.runtime)


def test_fault_03_fill_before_acknowledgement_is_applied_and_acknowledged(disorder: Told) -> None:
    ref = _entry(disorder.runtime, "SPY")
    log = _log_of(disorder.runtime, ref)
    assert log[0] == "order.execution"
    sql = f"SELECT state, ack_synthesised, broker_id > 0 FROM orders WHERE order_ref = '{ref}'"
    assert ours(disorder.runtime, sql) == [("FILLED", 1, 1)]


def test_fault_04_fill_before_the_permanent_id_is_matched_by_reference(disorder: Told) -> None:
    ref = _entry(disorder.runtime, "SPX")
    log = _log_of(disorder.runtime, ref)
    assert log[0] == "order.execution", "nothing had told the order's ids before its fill"
    sql = f"SELECT trade_id, inferred FROM order_fills WHERE order_ref = '{ref}'"
    assert ours(disorder.runtime, sql) == [(ref.split("-")[2], 0)]
    (there,) = paper_rows(disorder.runtime, f"SELECT perm_id FROM orders WHERE order_ref = '{ref}'")
    assert ours(disorder.runtime, f"SELECT perm_id FROM orders WHERE order_ref = '{ref}'") == [there]


def test_fault_05_lost_commission_leaves_the_fill_booked_and_the_fee_provisional(disorder: Told) -> None:
    ref = _entry(disorder.runtime, "SPX")
    trade_id = ref.split("-")[2]
    sql = f"SELECT qty, commission FROM order_fills WHERE order_ref = '{ref}'"
    ((qty, commission),) = ours(disorder.runtime, sql)
    assert commission is None
    sql = f"SELECT fees_owed, state, commission, net_pnl FROM trades WHERE id = '{trade_id}'"
    ((owed, state, fees, net),) = ours(disorder.runtime, sql)
    assert (owed, state) == (1, "WEALTH_UPDATED")
    sql = f"SELECT SUM(CAST(commission AS REAL)) FROM executions WHERE order_ref LIKE '%-{trade_id}-X-%'"
    ((exit_fee,),) = paper_rows(disorder.runtime, sql)
    assert Decimal(fees) == Decimal(qty) * Decimal("0.65") + Decimal(str(exit_fee))
    sql = f"SELECT data ->> 'provisional', data ->> 'net_pnl' FROM trade_events WHERE type = 'trade.closed' " \
          f"AND trade_id = '{trade_id}'"  # fmt: skip
    assert ours(disorder.runtime, sql) == [(1, net)]


def test_fault_06_commission_before_its_fill_waits_for_it(disorder: Told) -> None:
    sql = "SELECT exec_id, commission FROM executions WHERE order_ref LIKE '%0002-X-1'"
    there = paper_rows(disorder.runtime, sql)
    assert there
    sql = "SELECT exec_id, commission FROM order_fills WHERE order_ref LIKE '%0002-X-1'"
    assert [(e, Decimal(c)) for e, c in ours(disorder.runtime, sql)] == [(e, Decimal(c)) for e, c in there]


def test_fault_12_status_that_goes_backwards_is_ignored_and_counted(disorder: Told) -> None:
    ref = _entry(disorder.runtime, "SPX")
    assert ours(disorder.runtime, f"SELECT state FROM orders WHERE order_ref = '{ref}'") == [("FILLED",)]
    assert disorder.ignored["backwards"] >= 1
    assert _log_of(disorder.runtime, ref).count("trade.entry_ended") == 1


# --- partial fills and cancels ---------------------------------------------------------------------------


async def _until_partial(lab: Stage) -> str:
    """Until the first entry has filled in part; its reference."""
    store = lab.run.engine.outside.stores.wealth
    await store.begin(WealthState("WM235K", Decimal(500_000), 52, "T3", Decimal(0)))
    await lab.until("09:39")
    await lab.tick_until(lambda: any(0 < t.open_qty < t.qty for t in lab.trades()))
    return lab.first().entry_ref


def test_fault_07_partial_fill_then_cancel_protects_what_filled(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, settings=RICH, strategy=IN_PARTS) as lab:
            ref = await _until_partial(lab)
            got = lab.first().open_qty
            reply = await lab.ask(CancelOrder(ref, "test"))
            assert reply.ok
            await lab.step(2)
            trade = lab.first()
            assert lab.at_exchange(ref) == ("CANCELLED", trade.qty, got)
            assert lab.order(ref).state is OrderState.CANCELLED
            assert (trade.state, trade.entry_done, trade.open_qty) == (TradeState.SELL_SUBMITTED, True, got)
            (sell,) = lab.exits(trade)
            assert lab.at_exchange(sell.ref) == ("SUBMITTED", got, 0)
            assert lab.position(trade) == got
            sql = f"SELECT cause FROM cancel_registry WHERE order_ref = '{ref}'"
            assert ours(tmp_path, sql) == [("manual",)]
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=600)
            assert lab.position(trade) == 0

    play(work)
    assert_sound(tmp_path)


def test_fault_07_rest_of_a_partial_fill_is_cancelled_after_30_s(tmp_path: Path) -> None:
    """The exit follows every further part, and never stands for more than is held."""

    async def work() -> None:
        async with Stage(tmp_path, settings=RICH, strategy=IN_PARTS | {"shield": "none"}) as lab:
            ref = await _until_partial(lab)
            began = lab.now()
            order = lab.order(ref)
            floor = lab.run.exchange.floor
            floor.request("modify", [ref], [_smaller_limit(order.ticket)], began)
            await lab.step(29)
            got = lab.first().open_qty
            assert lab.at_exchange(ref)[0] == "PARTIALLY_FILLED"
            await lab.step(3)
            assert lab.at_exchange(ref) == ("CANCELLED", order.ticket.qty, got)
            (sell,) = lab.exits(lab.first())
            assert lab.at_exchange(sell.ref)[1] == got == lab.position(lab.first())

    play(work)
    assert_sound(tmp_path)


def _smaller_limit(ticket: Ticket) -> Ticket:
    """The market has run away from the order: at this limit nothing more fills."""
    assert ticket.limit is not None
    return replace(ticket, limit=ticket.limit / 2)


def test_fault_08_cancel_refused_because_filled_ends_in_filled(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade, order = await lab.until_sent()
            await lab.tick_until(lambda: lab.at_exchange(order.ref)[0] == "FILLED")
            assert lab.order(order.ref).filled == 0, "the fill is on its way"
            assert (await lab.ask(CancelOrder(order.ref, "test"))).ok
            await lab.step(2)
            assert lab.order(order.ref).state is OrderState.FILLED
            assert any("10148" in text for text in lab.events("order.notice"))
            trade = lab.first()
            (sell,) = lab.exits(trade)
            assert lab.at_exchange(sell.ref) == ("SUBMITTED", trade.qty, 0)
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    assert ends_of(tmp_path)[0] == ("WEALTH_UPDATED", "target")
    assert_sound(tmp_path)


# --- executions that lag or go too far -------------------------------------------------------------------


def test_fault_10_filled_without_execution_is_queried(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, faults=[Fault("status_before_fill", count=1)]) as lab:
            await lab.until("09:39")
            trade = await lab.until_holding()
            (row,) = paper_rows(tmp_path, "SELECT exec_id FROM executions")
            sql = f"SELECT exec_id, inferred FROM order_fills WHERE trade_id = '{trade.id}'"
            assert ours(tmp_path, sql) == [(row[0], 0)]
            assert any("missed execution" in text for text in lab.events("reconciliation"))

    play(work)
    assert_sound(tmp_path)


def test_fault_10_execution_the_broker_cannot_name_is_inferred_and_later_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status says Filled, the execution query lags: the position is protected on an inferred fill with a
    deterministic id; the true one takes its place and nothing counts twice."""

    async def work() -> None:
        async with Stage(tmp_path, faults=[Fault("status_before_fill", symbol="SPY")]) as lab:
            await lab.until("09:39")

            async def lagging() -> tuple[Execution, ...]:
                return ()

            monkeypatch.setattr(lab.run.exchange, "executions", lagging)
            trade = await lab.until_holding()
            ref = trade.entry_ref
            sql = f"SELECT exec_id, inferred, qty FROM order_fills WHERE order_ref = '{ref}'"
            assert ours(tmp_path, sql) == [(f"inferred:{ref}:{trade.qty}", 1, str(trade.qty))]
            (sell,) = lab.exits(trade)
            assert lab.at_exchange(sell.ref)[1] == trade.qty
            monkeypatch.undo()
            await lab.step(70)
            after = lab.trade(trade.id)
            assert (after.open_qty, after.entry_filled) == (trade.qty, trade.qty)
            (real,) = paper_rows(tmp_path, f"SELECT exec_id, price FROM executions WHERE order_ref = '{ref}'")
            assert (real[0], 0, str(trade.qty)) in ours(tmp_path, sql)
            assert after.entry_price == Decimal(real[1])
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    assert_sound(tmp_path)


def test_fault_11_overfill_is_booked_protected_and_quarantined(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade = await lab.until_holding()
            floor = lab.run.exchange.floor
            order = floor.register.orders[trade.entry_ref]
            extra = floor.register.fill(order, Decimal(1), 68, lab.now())
            lab.run.exchange.report(ExecutionReport(extra))
            await lab.step(2)
            after = lab.trade(trade.id)
            assert after.open_qty == trade.qty + 1 == lab.position(after)
            (sell,) = lab.exits(after)
            assert lab.at_exchange(sell.ref)[1] == trade.qty + 1
            assert lab.rooms.controls.controls.quarantine_of(trade.symbol)
            assert "overfill" in lab.alerts()
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)
            assert lab.position(after) == 0

    play(work)
    assert_sound(tmp_path)


# --- no acknowledgement ----------------------------------------------------------------------------------


def test_fault_16_missing_acknowledgement_is_queried_not_resent(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, faults=[Fault("drop_ack", symbol="SPY")], strategy=RESTING) as lab:
            await lab.until("09:39")
            trade, order = await lab.until_sent()
            await lab.step(4)
            assert lab.order(order.ref).state is OrderState.PENDING
            await lab.step(3)
            assert lab.order(order.ref).state is OrderState.SUBMITTED
            assert lab.order(order.ref).broker_id > 0
            assert any("no acknowledgement" in text for text in lab.events("reconciliation"))
            assert lab.entries_of(trade) == [order.ref]
            assert lab.rooms.submitter.sent == 1

    play(work)
    assert_sound(tmp_path)


def test_fault_16_order_still_pending_at_the_broker_is_asked_about_and_ends_with_its_time(
    tmp_path: Path,
) -> None:
    """The broker has it and says nothing more: no proof of absence, so never sent again."""

    async def work() -> None:
        async with Stage(tmp_path, faults=[Fault("drop_order", symbol="SPY")]) as lab:
            await lab.until("09:39")
            trade, order = await lab.until_sent()
            before = len(lab.events("reconciliation"))
            await lab.step(21)
            assert lab.order(order.ref).state is OrderState.PENDING
            asked = len(lab.events("reconciliation")) - before
            assert 3 <= asked <= 5, "every 5 s, not in a storm"
            await lab.step(42)
            assert lab.order(order.ref).state is OrderState.CANCELLED
            assert lab.trade(trade.id).state is TradeState.FAILED
            assert lab.at_exchange(order.ref)[0] == "CANCELLED"
            assert lab.entries_of(trade) == [order.ref]

    play(work)
    assert_sound(tmp_path)


def _losing(lab: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The next order is lost before the exchange hears of it; its reference, once it is."""
    lost, place = list[str](), lab.run.exchange.place

    async def losing(tickets: Sequence[Ticket]) -> None:
        if not lost:
            lost.append(tickets[0].order_ref)
            return
        await place(tickets)

    monkeypatch.setattr(lab.run.exchange, "place", losing)
    return lost


def test_fault_16_order_proven_absent_is_sent_again_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            lost = _losing(lab, monkeypatch)
            trade, order = await lab.until_sent()
            assert lost == [order.ref]
            await lab.step(4)
            assert lab.entries_of(trade) == []
            await lab.until_holding()
            assert lab.entries_of(trade) == [order.ref]
            (received,) = paper_rows(
                tmp_path, f"SELECT received_ns FROM orders WHERE order_ref = '{order.ref}'"
            )
            assert received[0] == order.created_ns + 6_000_000_000, "the second answer without it"
            assert held(tmp_path, trade.id) == trade.qty

    play(work)
    assert_sound(tmp_path)


def test_fault_16_entry_proven_absent_is_not_sent_after_the_gate_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            _losing(lab, monkeypatch)
            trade, order = await lab.until_sent()
            await lab.rooms.controls.set_gate(Gate.CLOSED, "test", "no more")
            await lab.step(7)
            assert lab.order(order.ref).state is OrderState.CANCELLED
            assert lab.trade(trade.id).state is TradeState.FAILED
            assert lab.entries_of(trade) == []

    play(work)
    assert_sound(tmp_path)


def test_fault_16_order_sent_while_the_broker_answers_is_not_taken_for_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of open orders was made before the entry left: it proves nothing about it."""

    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39:59")
            asked = lab.run.exchange.open_orders

            async def slow() -> tuple[OpenOrder, ...]:
                answer = await asked()
                await lab.run.engine.outside.clock.sleep(2)
                return answer

            monkeypatch.setattr(lab.run.exchange, "open_orders", slow)
            lab.run.engine.soon(lab.rooms.reconciler.reconcile("beat", quiet=True))
            _, order = await lab.until_sent()
            await lab.step(5)
            assert lab.rooms.submitter.sent == 2, "the entry and its target"
            trade = lab.first()
            assert lab.order(order.ref).state is OrderState.FILLED
            assert lab.entries_of(trade) == [order.ref]
            assert lab.position(trade) == trade.qty

    play(work)
    assert_sound(tmp_path)


def test_fault_16_lost_cancel_is_sent_again(tmp_path: Path) -> None:
    async def work() -> None:
        faults = [Fault("drop_cancel", symbol="SPY")]
        async with Stage(tmp_path, faults=faults, strategy=RESTING) as lab:
            await lab.until("09:39")
            trade, order = await lab.until_sent()
            assert (await lab.ask(CancelOrder(order.ref, "test"))).ok
            await lab.step(3)
            assert lab.at_exchange(order.ref)[0] == "SUBMITTED", "the first cancel was lost"
            await lab.step(4)
            assert lab.at_exchange(order.ref)[0] == "CANCELLED"
            assert lab.trade(trade.id).state is TradeState.FAILED

    play(work)
    assert_sound(tmp_path)


def test_fault_17_same_trigger_twice_is_one_intent_and_one_order(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade, order = await lab.until_sent()
            boundary = lab.at("09:40")
            rooms = lab.rooms
            for signal in rooms.pool.snapshot(lab.now()):
                rooms.pool.publish(signal)
            await rooms.bars.close(boundary)
            await rooms.hunt.cycle()
            await rooms.way.advance(trade.id)
            await lab.step(120)
            assert len(lab.trades()) == 1
            assert lab.entries_of(trade) == [order.ref]
            sql = "SELECT COUNT(*) FROM trade_events WHERE type = 'trade.entry_submitted'"
            assert ours(tmp_path, sql) == [(1,)]
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    assert ends_of(tmp_path)[0] == ("WEALTH_UPDATED", "target")
    assert_sound(tmp_path)


def test_fault_12_late_status_of_a_finished_order_changes_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade = await lab.until_holding()
            await lab.step(1)
            before, ignored = lab.order(trade.entry_ref), lab.rooms.ledger.book.ignored.total()
            for state in (OrderState.SUBMITTED, OrderState.CANCELLED, OrderState.REJECTED):
                late = OrderStatus(trade.entry_ref, state, Decimal(0), trade.qty, lab.now())
                lab.run.exchange.report(late)
            await lab.step(2)
            assert lab.order(trade.entry_ref) == before
            assert lab.rooms.ledger.book.ignored.total() == ignored + 3
            assert lab.trade(trade.id).state is TradeState.SELL_SUBMITTED

    play(work)
    assert_sound(tmp_path)
