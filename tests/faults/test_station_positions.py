"""Positions that the broker and our trades tell differently: taken by another hand, expired, unknown, late."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from station.brokers.paper.faults import Fault
from station.calendars import at_et
from station.domain.broker import ExecutionReport, NoticeReport, OrderStatus, Position
from station.domain.clock import SECOND
from station.domain.instruments import INSTRUMENTS, Contract, Right, option_contract
from station.domain.orders import (
    Action,
    Execution,
    Order,
    OrderKind,
    OrderState,
    Purpose,
    Ticket,
    new_order,
    order_ref,
)
from station.domain.trade import Origin, Trade, TradeState
from station.execution import BrokerTruth, OrderBook, plan_reconciliation
from station.link import Ack, CloseTrade, Flatten, PlaceOrder
from station.link import Ticket as LinkTicket
from station.store import verify
from tests.faults.station_stage import Stage
from tests.lab import DAY, assert_sound, paper_rows, play

RICH: Mapping[str, Any] = {"paper.start_cash_usd": 2_000_000}


def by_hand(trade: Trade, action: Action, qty: Decimal, name: str = "HAND-1") -> Ticket:
    assert trade.contract is not None
    return Ticket(name, trade.account, trade.contract, action, qty, OrderKind.MARKET, Purpose.CLOSE)


async def at_broker(stage: Stage, contract: Contract | None) -> Decimal:
    positions = await stage.run.exchange.positions()
    return sum((p.qty for p in positions if p.contract == contract), Decimal(0))


def test_fault_37_sold_by_another_hand(tmp_path: Path) -> None:
    """The whole position goes by hand: its exits end, the trade closes as external, and nothing sells again."""

    async def session() -> None:
        async with Stage(tmp_path, settings=RICH) as stage:
            trade = await stage.until_holding()
            await stage.run.exchange.by_hand([by_hand(trade, Action.SELL, trade.open_qty)])
            await stage.until_true(lambda: stage.is_over(trade.id), limit_s=90)
            over = stage.trade(trade.id)
            assert (over.state, over.cause) == (TradeState.WEALTH_UPDATED, "external")
            assert not stage.exits(trade)
            controls = stage.rooms.controls.controls
            assert not controls.kill.on
            assert trade.symbol in dict(controls.quarantined)
            assert "by another hand" in stage.alerts()
            await stage.ask(Flatten(by="test"))
            await stage.step(60)
            assert await at_broker(stage, trade.contract) == 0
            (sold,) = paper_rows(tmp_path, "SELECT price FROM executions WHERE order_ref = 'HAND-1'")
            assert over.exit_price == Decimal(sold[0])

    play(session)
    assert_sound(tmp_path)


HOLD: Mapping[str, Any] = {
    "protection.grace_s": 23_400, "protection.late_mode": "alert_only", "paper.start_cash_usd": 200_000,
    "risk.daily_loss_usd": 500_000, "risk.daily_loss_pct": 50,
}  # fmt: skip
KEEP: Mapping[str, Any] = {"target_pct": "900", "shield": "none"}
"""Nothing but the end of the day takes a position out."""
LATE_SEED = 4
"""Opens SPX and SPY where a session begins at 15:00."""


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A runtime directory left at 15:54 with options of that day, and the trades that hold them."""
    runtime = tmp_path_factory.mktemp("late")

    async def session() -> list[str]:
        async with Stage(runtime, settings=HOLD, strategy=KEEP, seed=LATE_SEED, start="15:00") as stage:
            await stage.until("15:54:00")
            return [trade.id for trade in stage.trades() if trade.open_qty > 0]

    held = play(session)
    assert held
    return runtime, held


def copied(runtime: Path, into: Path) -> Path:
    return shutil.copytree(runtime, into / "runtime")


def assert_settled(stage: Stage, held: list[str]) -> None:
    """Closed at the exchange's own settlement price, each."""
    settled = {
        row[0]: Decimal(row[1]) for row in paper_rows(stage.runtime, "SELECT contract, price FROM settlements")
    }
    assert settled
    for trade in map(stage.trade, held):
        assert (trade.state, trade.cause) == (TradeState.WEALTH_UPDATED, "expiry")
        assert trade.exit_price in settled.values()


def test_fault_38_expired_while_the_station_was_away_the_same_day(
    late: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """Stopped at 15:54 with options of that day, started after the close: they are closed at settlement."""
    runtime, held = copied(late[0], tmp_path), late[1]

    async def later() -> None:
        stage = Stage(runtime, settings=HOLD, seed=LATE_SEED)
        stage.options = replace(stage.options, away_s=365)
        async with stage:
            await stage.until_true(lambda: all(map(stage.is_over, held)), limit_s=60)
            assert_settled(stage, held)

    play(later)
    assert_sound(runtime)


def test_fault_38_expired_contract_the_next_day(late: tuple[Path, list[str]], tmp_path: Path) -> None:
    """A contract that is no longer listed stops no start; what expired yesterday is closed at settlement."""
    runtime, held = copied(late[0], tmp_path), late[1]

    async def tomorrow() -> None:
        async with Stage(runtime, settings=HOLD, seed=LATE_SEED, day=date(2026, 11, 19)) as stage:
            await stage.until_true(lambda: all(map(stage.is_over, held)), limit_s=60)
            assert_settled(stage, held)
            assert not stage.rooms.controls.controls.kill.on

    play(tomorrow)
    assert_sound(runtime)


@pytest.mark.parametrize("after_s", ["0.05", "0.4"])
def test_fault_38_link_lost_at_the_market_out(
    late: tuple[Path, list[str]], tmp_path: Path, after_s: str
) -> None:
    """The link goes right after the market sell and is back after the close: nothing is settled without the
    broker's word, and the sell that filled is the exit."""
    runtime, held = copied(late[0], tmp_path), late[1]

    async def session() -> None:
        at_ns = at_et(DAY, "15:55:00") + int(Decimal(after_s) * SECOND)
        lost = [Fault("disconnect", at_ns=at_ns, seconds=330)]
        async with Stage(runtime, settings=HOLD, seed=LATE_SEED, faults=lost) as stage:
            await stage.until("16:00:24")
            assert not any(stage.trade(trade_id).settled for trade_id in held)
            await stage.until("16:00:55")
            for trade in map(stage.trade, held):
                assert trade.open_qty == 0
                assert trade.cause == ("expiry" if trade.settled else "end of day")
                assert stage.is_over(trade.id)

    play(session)
    assert_sound(runtime)


def late_fill(trade: Trade, ref: str, action: Action, at_ns: int) -> ExecutionReport:
    assert trade.contract is not None
    price = Decimal("0.68")
    return ExecutionReport(
        Execution("LATE.9.01", ref, trade.account, trade.contract, action, Decimal(2), price, at_ns)
    )


@pytest.mark.parametrize("action", [Action.BUY, Action.SELL])
def test_fault_11_fill_after_the_close_is_led_to_its_end(tmp_path: Path, action: Action) -> None:
    """Two contracts more of an entry, or two too many of an exit, told when all was over: the trade is taken
    back, what is held leaves at once for the cause it was closed for, and the restated result is recorded."""

    async def session() -> None:
        async with Stage(tmp_path, settings=RICH) as stage:
            trade = await stage.until_holding()
            await stage.ask(CloseTrade(by="test", trade_id=trade.id))
            await stage.until_true(lambda: stage.is_over(trade.id), limit_s=60)
            closed = stage.trade(trade.id)
            exchange = stage.run.exchange
            await exchange.by_hand([by_hand(trade, action, Decimal(2))])
            ref = trade.entry_ref if action is Action.BUY else closed.last_exit_ref
            exchange.report(late_fill(trade, ref, action, stage.now()))
            await stage.until_true(lambda: not stage.is_over(trade.id), limit_s=5)
            await stage.until_true(lambda: stage.is_over(trade.id), limit_s=60)
            over = stage.trade(trade.id)
            assert (over.open_qty, over.cause) == (0, "manual")
            assert await at_broker(stage, trade.contract) == 0
            assert over.net_pnl not in (None, closed.net_pnl)
            diary = await stage.run.engine.outside.stores.wealth.diary_row(trade.id)
            assert diary is not None
            assert diary.net_pnl == over.net_pnl
            assert not stage.rooms.controls.controls.kill.on

    play(session)
    checks = {check.name: check.violations for check in verify(tmp_path).checks}
    assert not checks["legal lifecycles"]
    assert not checks["projections equal the log"]


def test_fault_36_orders_of_ours_that_an_older_database_does_not_know(tmp_path: Path) -> None:
    """A database of 09:39 under a broker of 09:50: the positions are adopted, the sells that protect them keep
    working as theirs, no trade number is used twice, and all are flat at the end of the day."""
    older, newer = tmp_path / "older", tmp_path / "newer"

    async def run_until(runtime: Path, instant: str) -> list[Trade]:
        async with Stage(runtime, settings=RICH) as stage:
            await stage.until(instant)
            return [trade for trade in stage.trades() if trade.open_qty > 0]

    play(lambda: run_until(older, "09:39:50"))
    shutil.copytree(older, newer)
    lost = play(lambda: run_until(newer, "09:50:00"))
    assert lost
    for name in ("paper.db", "paper.db-wal"):
        if (newer / name).exists():
            shutil.copy(newer / name, older / name)

    async def back() -> None:
        async with Stage(older, settings=RICH) as stage:
            await stage.step(20)
            adopted = {t.contract: t for t in stage.trades() if t.origin is Origin.ADOPTED}
            working = {order.order_ref: order for order in await stage.run.exchange.open_orders()}
            for trade in lost:
                ours = adopted[trade.contract]
                assert (ours.open_qty, ours.state) == (trade.open_qty, TradeState.SELL_SUBMITTED)
                assert ours.id not in {t.id for t in lost}
                sells = [order for order in stage.exits(ours) if order.ref in working]
                assert sum(order.remaining for order in sells) == trade.open_qty
            assert stage.alerts().count("adopted ") == len(lost)
            assert "cancelled a stray" not in stage.alerts()
            assert not stage.rooms.controls.controls.kill.on
            await stage.until_true(lambda: not stage.holding(), limit_s=3_600)
            for trade in lost:
                assert await at_broker(stage, trade.contract) == 0

    play(back)


def test_fault_36_position_of_another_hand_is_told_once(tmp_path: Path) -> None:
    """Someone else's contracts: one alert, counted in risk, never touched."""

    async def session() -> None:
        async with Stage(tmp_path, settings=RICH) as stage:
            trade = await stage.until_holding()
            assert trade.contract is not None
            other = replace(trade.contract, strike=trade.contract.strike - 1)
            listed = await stage.run.exchange.qualify([other])
            ticket = replace(by_hand(trade, Action.BUY, Decimal(2)), contract=listed[0])
            await stage.run.exchange.by_hand([ticket])
            await stage.step(200)
            assert stage.alerts().count("never touched") == 1
            assert [(p.contract, p.qty) for p in stage.rooms.reconciler.foreign] == [(listed[0], Decimal(2))]
            assert not stage.rooms.controls.controls.kill.on

    play(session)
    assert_sound(tmp_path)


@pytest.mark.parametrize("sells", [False, True])
def test_fault_36_what_another_hand_buys_beside_ours_is_told_counted_in_risk_and_left_alone(
    tmp_path: Path, sells: bool
) -> None:
    """The very contract that a trade of ours holds: no break, and our exits sell ours alone. Where that hand is
    short of it once ours is sold, so it is told."""

    async def session() -> None:
        async with Stage(tmp_path, settings=RICH) as stage:
            trade = await stage.until_holding()
            ours, book = trade.open_qty, stage.rooms.reconciler
            before = stage.rooms.judgement.portfolio().greeks.delta
            await stage.run.exchange.by_hand([by_hand(trade, Action.BUY, Decimal(2))])
            await stage.step(70)
            assert [(p.contract, p.qty) for p in book.foreign] == [(trade.contract, Decimal(2))]
            assert abs(stage.rooms.judgement.portfolio().greeks.delta) > abs(before)
            assert stage.alerts().count("never touched") == 1
            assert await stage.during(book.reconcile("a test"))
            assert [order.remaining for order in stage.exits(trade)] == [ours]
            await stage.ask(CloseTrade(trade.id, "test"))
            await stage.until_true(lambda: stage.is_over(trade.id), limit_s=60)
            left = Decimal(2)
            if sells:
                await stage.run.exchange.by_hand([by_hand(trade, Action.SELL, Decimal(3), "HAND-2")])
                left = Decimal(-1)
            await stage.step(70)
            assert await at_broker(stage, trade.contract) == left
            assert [(p.contract, p.qty) for p in book.foreign] == [(trade.contract, left)]
            assert not stage.rooms.controls.controls.kill.on
            assert not stage.rooms.controls.controls.quarantined

    play(session)


def test_fault_19_a_combination_counts_leg_by_leg_naked_until_it_is_whole(tmp_path: Path) -> None:
    """Another hand sells a call spread: its short leg counts alone until the other is filled, no entry is made
    on the instrument meanwhile, each leg is told once, and our own trade keeps its exits."""

    async def session() -> None:
        async with Stage(tmp_path, settings=RICH) as stage:
            trade = await stage.until_holding()
            await stage.step(5)
            exits = [(order.ref, order.state, order.remaining) for order in stage.exits(trade)]
            spot, day = stage.rooms.market.last_price("SPX"), f"{DAY:%Y%m%d}"
            assert spot is not None
            strikes = [Decimal(round(spot / 5) * 5 + away) for away in (0, 25)]
            calls = [option_contract(INSTRUMENTS["SPX"], day, strike, Right.CALL) for strike in strikes]
            short, long = await stage.run.exchange.qualify(calls)
            own = stage.rooms.judgement.portfolio().greeks.delta
            sold = replace(by_hand(trade, Action.SELL, Decimal(1), "SHORT"), contract=short)
            await stage.run.exchange.by_hand([sold])
            await stage.step(4)
            assert [(p.contract, p.qty) for p in stage.rooms.reconciler.foreign] == [(short, Decimal(-1))]
            naked = stage.rooms.judgement.portfolio().greeks.delta
            assert naked < own - 30
            buy = LinkTicket("SPX", "BUY", 1, "C", f"{strikes[0] + 50}", "0dte", "MARKET")
            reply = await stage.during(stage.ask(PlaceOrder(buy, "one", "ann")))
            assert isinstance(reply, Ack) and not reply.ok
            assert "SPX has a position or a working entry already" in reply.text
            bought = replace(by_hand(trade, Action.BUY, Decimal(1), "LONG"), contract=long)
            await stage.run.exchange.by_hand([bought])
            await stage.step(4)
            foreign = {p.contract: p.qty for p in stage.rooms.reconciler.foreign}
            assert foreign == {short: Decimal(-1), long: Decimal(1)}
            assert naked < stage.rooms.judgement.portfolio().greeks.delta < own
            notice = NoticeReport(0, "order 771 in BAG SPX is not of a kind that is traded here", stage.now())
            for _ in range(2):
                stage.rooms.desk.on_report(notice)
            await stage.step(65)
            assert stage.alerts().count("never touched") == 2
            assert stage.alerts().count("order 771 in BAG SPX") == 1
            assert [(order.ref, order.state, order.remaining) for order in stage.exits(trade)] == exits
            assert not stage.rooms.controls.controls.kill.on

    play(session)
    assert_sound(tmp_path)


def reported(order: Order, held: Decimal, at_ns: int) -> BrokerTruth:
    """A broker that has forgotten an order and its executions, and holds `held`."""
    position = Position("DU1000001", order.ticket.contract, held, Decimal("4.10"))
    return BrokerTruth((), (), (position,), at_ns, since_ns=at_et(date(2026, 11, 19), "00:00"))


@pytest.mark.parametrize(
    ("action", "here", "there", "filled"),
    [(Action.BUY, 0, 3, 3), (Action.BUY, 0, 2, 2), (Action.BUY, 0, 0, 0), (Action.SELL, 3, 1, 2),
     (Action.SELL, 3, 3, 0)],
)  # fmt: skip
def test_fault_50_order_that_is_gone_after_midnight_is_told_by_the_position(
    action: Action, here: int, there: int, filled: int
) -> None:
    """Executions of yesterday cannot be asked for: what the position shows is filled, the rest cancelled."""
    bought = action is Action.BUY
    ref = order_ref("DU1000001", "T2611180001", "E" if bought else "X", 1)
    contract = option_contract(INSTRUMENTS["SPY"], "20261120", Decimal(686), Right.PUT)
    purpose, limit = (Purpose.ENTRY, "4.20") if bought else (Purpose.TARGET, "5.00")
    ticket = Ticket(
        ref, "DU1000001", contract, action, Decimal(3), OrderKind.LIMIT, purpose, Decimal(limit)
    )  # fmt: skip
    book, born_ns = OrderBook(Decimal("0.65")), at_et(DAY, "15:50")
    book.put(replace(new_order(ticket, "T2611180001", born_ns), state=OrderState.SUBMITTED, broker_id=7))
    truth = reported(book.orders[ref], Decimal(there), at_et(date(2026, 11, 19), "09:00"))
    plan = plan_reconciliation(book, truth, {contract: Decimal(here)})
    booked = [r.execution for r in plan.reports if isinstance(r, ExecutionReport)]
    assert sum((e.qty for e in booked), Decimal(0)) == filled
    assert all(e.inferred and e.price == Decimal("4.10" if bought else "5.00") for e in booked)
    ends = [r.state for r in plan.reports if isinstance(r, OrderStatus)]
    assert ends == ([] if filled == 3 else [OrderState.CANCELLED])
