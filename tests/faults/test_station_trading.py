"""Trades that meet trouble, through the whole station: FAULTS.md about exits, data, time and dates."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from station.brokers.paper.faults import Fault
from station.calendars import at_et
from station.desk.settlement import Settlement
from station.domain.broker import ExecutionReport
from station.domain.clock import MILLISECOND, MINUTE, SECOND
from station.domain.instruments import Right, SecType, Timeframe
from station.domain.orders import Execution, OrderState, Purpose, Ticket
from station.domain.trade import Trade, TradeState
from station.link import CancelOrder, CloseTrade
from station.store import verify
from tests.crash import SCENES, session, trial
from tests.faults.station_stage import RICH, Stage, held, ours
from tests.lab import DAY, SEED, assert_sound, paper_rows, play
from tests.unit.test_desk_exits import many_contracts

START = "09:38:30"


def assert_our_books(runtime: Path) -> None:
    """Every book of ours agrees; the exchange's was bypassed."""
    checks = [check for check in verify(runtime).checks if not check.name.startswith("paper book")]
    assert not [text for check in checks for text in check.violations]


# --- orders ----------------------------------------------------------------------------------------------


def corrected(execution: Execution, price: Decimal) -> ExecutionReport:
    """The same execution again, by the broker's own correction."""
    return ExecutionReport(replace(execution, exec_id=f"{execution.root_id}.02", price=price))


def test_fault_02_execution_correction_restates_the_trade_and_the_wealth(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, start=START) as lab:
            trade = await lab.until_holding()
            bought = lab.run.exchange.floor.register.executions[0]
            lab.run.exchange.report(corrected(bought, bought.price + Decimal("0.01")))
            await lab.step(2)
            open_one = lab.trade(trade.id)
            assert open_one.entry_price == bought.price + Decimal("0.01")
            assert open_one.open_qty == trade.qty
            (sell,) = lab.exits(open_one)
            assert sell.ticket.limit == Decimal("0.85"), "23 % over the corrected price, up to a tick"
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=1_800)
            before = lab.trade(trade.id)
            sold = next(
                e for e in lab.run.exchange.floor.register.executions if e.order_ref == before.last_exit_ref
            )
            lab.run.exchange.report(corrected(sold, sold.price - Decimal("0.05")))
            await lab.step(2)
            after = lab.trade(trade.id)
            assert before.net_pnl is not None
            assert after.net_pnl == before.net_pnl - Decimal("0.05") * trade.qty * 100
            assert after.state is TradeState.WEALTH_UPDATED

    play(work)
    wealth = _wealth(tmp_path)
    ((net,),) = ours(tmp_path, "SELECT net_pnl FROM trades WHERE id LIKE '%0001'")
    assert wealth[0] == Decimal(net)
    sql = (
        "SELECT data ->> 'replaces_qty' FROM trade_events WHERE type = 'order.execution' AND data LIKE '%.02%'"
    )
    assert ours(tmp_path, sql) == [("3",), ("3",)]
    assert_our_books(tmp_path)


def _wealth(runtime: Path) -> list[Decimal]:
    connection = sqlite3.connect(f"file:{runtime / 'wealth.db'}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT net_pnl FROM trade_diary ORDER BY trade_id").fetchall()
    finally:
        connection.close()
    return [Decimal(row[0]) for row in rows]


def test_fault_09_cancel_of_an_order_the_broker_does_not_know_is_reconciled_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with Stage(tmp_path, start=START) as lab:
            place = lab.run.exchange.place

            async def losing(tickets: Sequence[Ticket]) -> None:
                return None

            monkeypatch.setattr(lab.run.exchange, "place", losing)
            trade, order = await lab.until_sent()
            monkeypatch.setattr(lab.run.exchange, "place", place)
            assert await lab.obeys(CancelOrder(order.ref, "test"))
            await lab.tick_until(lambda: any("10147" in text for text in lab.events("order.notice")))
            assert not lab.order(order.ref).state.is_terminal
            await lab.until_true(lambda: lab.order(order.ref).state is OrderState.CANCELLED, limit_s=15)
            asked = lab.events("reconciliation")
            assert any("never sent" in text for text in asked), "the end rests on the broker's own list"
            assert lab.entries_of(trade) == []

    play(work)
    assert_sound(tmp_path)


def test_fault_13_rejected_protective_order_is_replaced_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The station protects by an order of its own after the fill, not by a bracket's child; what happens to it
    is the same."""

    async def work() -> None:
        async with Stage(tmp_path, start=START) as lab:
            place = lab.run.exchange.place
            spoilt: list[str] = []

            async def spoiling(tickets: Sequence[Ticket]) -> None:
                (ticket,) = tickets
                if ticket.purpose is Purpose.TARGET and not spoilt:
                    spoilt.append(ticket.order_ref)
                    await place([replace(ticket, limit=Decimal("0.841"))])
                else:
                    await place(tickets)

            monkeypatch.setattr(lab.run.exchange, "place", spoiling)
            trade = await lab.until_holding()
            await lab.step(2)
            assert lab.order(spoilt[0]).state is OrderState.REJECTED
            (sell,) = lab.exits(trade)
            assert sell.ref != spoilt[0]
            assert lab.at_exchange(sell.ref) == ("SUBMITTED", trade.qty, 0)
            assert sell.created_ns - lab.order(spoilt[0]).created_ns <= 1_100 * MILLISECOND
            sql = f"SELECT code, derived FROM order_failures WHERE order_ref = '{spoilt[0]}'"
            assert ours(tmp_path, sql) == [(110, "price not on a legal tick")]

    play(work)
    assert_sound(tmp_path)


def test_fault_14_refused_change_leaves_the_old_sell_live_and_another_way_is_found(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, start=START, faults=[Fault("reject_modify")]) as lab:
            trade = await lab.until_holding()
            (sell,) = lab.exits(trade)
            assert await lab.obeys(CloseTrade(trade.id, "test"))
            await lab.tick_until(lambda: any("105" in text for text in lab.events("order.notice")))
            known = lab.order(sell.ref)
            assert (known.ticket, known.state) == (sell.ticket, OrderState.SUBMITTED)
            assert lab.at_exchange(sell.ref) == ("SUBMITTED", trade.qty, 0)
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)
            assert lab.at_exchange(sell.ref)[0] == "CANCELLED"
            assert lab.trade(trade.id).cause == "manual"
            assert lab.position(trade) == 0

    play(work)
    assert_sound(tmp_path)


def test_fault_18_exits_that_sell_too_much_are_bought_back_with_an_alert(tmp_path: Path) -> None:
    """As when both legs of a group fill: one more is sold than was held."""
    late = Fault("overfill", at_et(DAY, "09:41:00"), symbol="SPY")

    async def work() -> None:
        async with Stage(tmp_path, start=START, faults=[late]) as lab:
            trade = await lab.until_holding()
            await lab.until("09:41:30")
            assert await lab.obeys(CloseTrade(trade.id, "test"))
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)
            assert lab.position(trade) == 0
            booked = [json.loads(text) for text in lab.events("order.execution")]
            assert [(b["qty"], b["buys_back"]) for b in booked] == [("3", False), ("4", False), ("1", True)]
            assert "over-sold by 1: buying back" in lab.alerts()
            assert lab.rooms.controls.controls.quarantine_of(trade.symbol)

    play(work)
    names = {check.name for check in verify(tmp_path).checks if check.violations}
    assert names <= {"paper book: never over-sold"}, "the exchange did oversell; all else agrees"


def test_fault_20_resize_that_races_a_fill_never_offers_too_much(tmp_path: Path) -> None:
    """The entry fills in parts while the target, half a percent away, sells them."""
    racing = {"symbol": "SPX", "entry_policy": "cap", "entry_cap_pct": 5, "target_pct": "0.5", "shield": "none"}

    async def work() -> None:
        async with Stage(tmp_path, start=START, settings=RICH, strategy=racing) as lab:
            await many_contracts(lab)
            await lab.until_true(lambda: any(lab.is_over(t.id) and t.entry_ref for t in lab.trades()))

    play(work)
    ((trade_id, qty),) = ours(tmp_path, "SELECT id, entry_filled FROM trades WHERE net_pnl <> '' LIMIT 1")
    assert Decimal(qty) > 10
    assert held(tmp_path, trade_id) == 0
    assert len(ours(tmp_path, "SELECT seq FROM trade_events WHERE type = 'trade.exit_modified'")) > 3
    assert_sound(tmp_path)


@pytest.mark.parametrize(
    ("scene", "point"),
    [
        ("ladder", "commit.after:order.execution#3"),
        ("ladder", "send.before:modify#4"),
        ("ladder", "send.after:target#2"),
        ("replaces", "send.before:modify#3"),
        ("replaces", "book.after:modified#2"),
    ],
)
def test_fault_53_kill_9_within_partial_fills_ladders_and_replaces(
    tmp_path: Path, scene: str, point: str
) -> None:
    """A change that was committed and never sent is the hardest: only the broker's own list can tell."""
    assert trial(tmp_path, point, until="10:00", scene=SCENES[scene]) == []


# --- data ------------------------------------------------------------------------------------------------


def test_fault_42_43_44_delayed_data_missing_greeks_and_a_halt(tmp_path: Path) -> None:
    """SPY's data are delayed at its signal: no entry. SPX has no greeks from the broker: our own, and flagged.
    Then SPX halts while held: nothing is sent, the timers run on."""
    faults = [
        Fault("delayed", at_et(DAY, "09:35"), seconds=420, symbol="SPY"),
        Fault("no_greeks", at_et(DAY, "09:30"), seconds=1_800, symbol="SPX"),
        Fault("halt", at_et(DAY, "09:46"), seconds=1_200, symbol="SPX"),
    ]

    async def work() -> None:
        async with Stage(tmp_path, faults=faults) as lab:
            await lab.until("09:41")
            (refused,) = lab.trades()
            assert (refused.symbol, refused.state, refused.entry_ref) == ("SPY", TradeState.FAILED, "")
            trade = await lab.until_holding()
            assert trade.symbol == "SPX"
            chosen = [json.loads(text) for text in lab.events("trade.option_selected")][-1]
            assert chosen["greeks_source"] == "model"
            (sell,) = lab.exits(trade)
            await lab.until("09:47")
            looks = lab.rooms.protection.looks
            await lab.until("10:01")
            assert lab.exits(trade) == (sell,), "15 minutes are over, but there is no price to act on"
            assert lab.rooms.protection.looks - looks > 50
            await lab.until("10:07")
            assert lab.exits(trade) != (sell,) or lab.trade(trade.id).open_qty == 0

    play(work)
    assert_sound(tmp_path)


def test_fault_46_target_over_the_three_dollar_boundary_is_on_the_wider_tick(tmp_path: Path) -> None:
    cheap = {"symbol": "SPX", "delta_put": 0.12, "delta_call": 0.12}

    async def work() -> None:
        async with Stage(tmp_path, start=START, strategy=cheap) as lab:
            trade = await lab.until_holding()
            assert trade.entry_price == Decimal("2.85"), "a five-cent price, under the boundary"
            (sell,) = lab.exits(trade)
            assert sell.ticket.limit == Decimal("3.60"), "3.5055 up to a dime"
            assert lab.at_exchange(sell.ref)[0] == "SUBMITTED"

    play(work)
    assert ours(tmp_path, "SELECT * FROM order_failures") == []
    assert_sound(tmp_path)


# --- time ------------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """The host stands in New Zealand: another day, and a zone with half-hours in its history."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Pacific/Chatham"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def test_fault_48_host_in_another_zone_changes_nothing(tmp_path: Path, elsewhere: None) -> None:
    (tmp_path / "far").mkdir()
    far = session(tmp_path / "far", seed=SEED, day=DAY, until="09:46", probe=None)
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    (tmp_path / "near").mkdir()
    near = session(tmp_path / "near", seed=SEED, day=DAY, until="09:46", probe=None)
    assert far["digest"] == near["digest"]
    opened = ours(tmp_path / "far", "SELECT created_ns FROM orders WHERE purpose = 'entry' ORDER BY created_ns")
    assert opened[0][0] == at_et(DAY, "09:40"), "UTC inside, the exchange's zone outside"
    assert_sound(tmp_path / "far")


def test_fault_49_clock_off_against_the_venue_alarms_and_blocks_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with Stage(tmp_path, start=START) as lab:
            clock = lab.run.engine.outside.clock
            latency = lab.rooms.market.latency
            note = latency.note
            behind_ns = 6_000 * MILLISECOND

            def behind(venue_ns: int, at_ns: int) -> None:
                note(venue_ns - behind_ns, at_ns)

            monkeypatch.setattr(latency, "note", behind)
            await lab.until("09:41")
            (refused,) = lab.trades()
            assert (refused.state, refused.entry_ref) == (TradeState.FAILED, "")
            assert "clock" in lab.alerts()
            assert clock.now() == lab.at("09:41")

    play(work)
    assert_sound(tmp_path)


def test_fault_38_50_unsold_contract_settles_and_the_next_date_keeps_the_record(tmp_path: Path) -> None:
    """The last hours of a session in which nothing may leave before the close, and the morning after. SPX is
    sold at 15:55, SPY has no bid then and is settled."""
    patient = {
        "protection.target_pct": 30, "protection.grace_s": 86_400, "protection.late_mode": "alert_only",
        "risk.daily_loss_usd": 500_000, "risk.daily_loss_pct": 50, "signals.positions_day": 2,
    }  # fmt: skip
    strategy = {
        "target_pct": 1000, "shield": "none", "delta_put": 0.8, "delta_call": 0.8, "position_size_pct": 0,
    }  # fmt: skip
    no_bid = Fault("zero_bid", at_et(DAY, "15:54:50"), seconds=600, symbol="SPY")

    async def last_hours() -> list[Trade]:
        async with Stage(tmp_path, start="14:28", settings=patient, strategy=strategy, faults=[no_bid]) as lab:
            await lab.until("15:56:30")
            spx, spy = (next(t for t in lab.entered() if t.symbol == symbol) for symbol in ("SPX", "SPY"))
            assert (spx.cause, spx.state) == ("end of day", TradeState.WEALTH_UPDATED)
            assert spx.closed_ns - lab.at("15:55") <= 60 * SECOND
            assert spy.open_qty == spy.qty
            assert "has no bid at the close" in lab.alerts()
            await lab.until("16:00:30")
            settled = lab.trade(spy.id)
            assert (settled.cause, settled.open_qty) == ("expiry", 0)
            told = [text for text in lab.events("alert") if "still open after" in text and spy.id in text]
            assert len(told) == (lab.at("16:00") - spy.filled_ns) // (30 * MINUTE)
            assert f"{spy.id} SPY 20261118 687P is open 30 min before the close" in lab.alerts()
            return lab.trades()

    trades = play(last_hours)
    assert_sound(tmp_path)

    async def morning_after() -> None:
        async with Stage(tmp_path, day=DAY + timedelta(days=1), settings=patient, strategy=strategy) as lab:
            assert lab.trades() == trades
            assert lab.rooms.reconciler.clean
            assert lab.rooms.money.day_pnl() == 0
            await lab.until("09:31")
            found = [json.loads(text) for text in lab.events("reconciliation")][-2:]
            assert [each["discrepancies"] for each in found] == [[], []]

    play(morning_after)
    assert_sound(tmp_path)


def test_fault_51_third_friday_takes_the_class_that_settles_in_the_afternoon(tmp_path: Path) -> None:
    """SPX and SPXW are both listed for that date; the morning's class no longer trades."""
    friday = date(2026, 11, 20)

    async def work() -> None:
        async with Stage(tmp_path, day=friday, start="10:28", strategy={"symbol": "SPX"}) as lab:
            trade = await lab.until_holding()
            assert trade.contract is not None
            assert (trade.contract.trading_class, trade.contract.expiry) == ("SPXW", "20261120")
            outside, market = lab.run.engine.outside, lab.rooms.market
            settlement = Settlement(outside.clock, outside.calendar, market, outside.broker)
            evening, morning = trade.contract, replace(trade.contract, trading_class="SPX")
            assert settlement.is_expired(morning)
            assert not settlement.is_expired(evening)
            bars = lab.rooms.market.series("SPX", Timeframe.M5).bars.since(lab.at("09:30"))
            opened = Decimal(str(float(bars.open[0]))).quantize(Decimal("0.01"))
            over = opened - morning.strike if morning.right is Right.CALL else morning.strike - opened
            assert await settlement.price(morning) == max(over, Decimal(0))

    play(work)
    assert_sound(tmp_path)


def test_fault_52_futures_roll_leaves_the_held_contract_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The front month moves on while a futures option is held, and the link has to be made anew."""
    drop = Fault("disconnect", at_et(DAY, "09:41:30"), seconds=5)

    async def work() -> None:
        async with Stage(tmp_path, start=START, strategy={"symbol": "ES"}, faults=[drop]) as lab:
            trade = await lab.until_holding()
            assert trade.contract is not None
            assert trade.contract.sec_type is SecType.FUTURE_OPTION
            listing = lab.run.exchange.floor.listing
            monkeypatch.setattr(listing, "_front", "20270319")
            await lab.until("09:42")
            assert await lab.obeys(CloseTrade(trade.id, "test"))
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=60)
            assert lab.trade(trade.id).contract == trade.contract

    play(work)
    ids = paper_rows(tmp_path, "SELECT DISTINCT json_extract(contract, '$.con_id') FROM executions")
    assert len(ids) == 1
    assert_sound(tmp_path)
