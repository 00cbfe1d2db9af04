"""Orders of a hand through the whole station: placed once whatever is lost, protected, changed, refused."""

from __future__ import annotations

import asyncio
import json
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from station.domain.orders import Order, OrderKind, OrderState
from station.domain.trade import Trade, TradeState
from station.link import (
    Ack,
    CancelAll,
    ClosePart,
    Command,
    Data,
    Gate,
    Kill,
    ModifyOrder,
    PlaceOrder,
    PreviewOrder,
    PreviewReverse,
    ReverseTrade,
    Ticket,
)
from tests.crash import SCENES, trial
from tests.faults.station_stage import Stage, held, ours
from tests.lab import assert_sound, paper_rows, play

BUY = Ticket("SPY", "BUY", 3, "C", "", "0dte", "MARKET", target_pct="90", stop_pct="60")
QUIET = {"enabled": False}
START = "09:34"


class Hand(Stage):
    """A station whose strategies are off, and a hand at its door."""

    def __init__(self, runtime: Path, *, start: str | None = START, **more: Any) -> None:
        super().__init__(runtime, start=start, strategy=QUIET, **more)
        self.minted = 0

    def near(self, ticket: Ticket = BUY, step: int = 1, off: int = 0, **change: Any) -> Ticket:
        """The ticket at the strike nearest the money, `off` steps further."""
        spot = self.rooms.market.last_price(ticket.symbol)
        assert spot is not None
        strike = str(round(spot / step) * step + off * step)
        return msgspec.structs.replace(ticket, strike=strike, **change)

    async def ordered(self, command: Command) -> Ack:
        """The answer; an order that brings no token of its own gets a new one."""
        if isinstance(command, ClosePart | ModifyOrder) and not command.token:
            self.minted += 1
            command = msgspec.structs.replace(command, token=f"n{self.minted}")
        reply = await self.during(self.ask(command))
        assert isinstance(reply, Ack)
        return reply

    async def placed(self, token: str, **change: Any) -> Ack:
        return await self.ordered(PlaceOrder(self.near(**change), token, "test"))

    async def preview(self, ticket: Ticket) -> dict[str, Any]:
        return await self.shown(PreviewOrder(ticket))

    async def shown(self, command: Command) -> dict[str, Any]:
        reply = await self.during(self.ask(command))
        assert isinstance(reply, Data)
        return json.loads(reply.json)

    def pair(self, trade: Trade) -> tuple[Order, Order]:
        """The target and the stop that work at the broker for a trade."""
        target, stop = sorted(self.exits(trade), key=lambda order: order.ticket.kind is OrderKind.STOP)
        assert (target.ticket.kind, stop.ticket.kind) == (OrderKind.LIMIT, OrderKind.STOP)
        assert target.ticket.oca_group == stop.ticket.oca_group != ""
        return target, stop

    async def until_protected(self) -> Trade:
        await self.until("09:36")
        assert (await self.placed("t1")).ok
        trade = await self.until_holding()
        await self.step(2)
        return self.trade(trade.id)


def tokens(runtime: Path) -> list[str]:
    return [
        json.loads(row[0])["token"] for row in ours(runtime, "SELECT hand FROM trades WHERE hand IS NOT NULL")
    ]


def test_an_order_placed_again_after_a_lost_answer_is_one_order_also_after_a_restart(tmp_path: Path) -> None:
    async def first() -> None:
        async with Hand(tmp_path) as lab:
            await lab.until("09:36")
            placed = await lab.placed("t1")
            assert (placed.ok, placed.code) == (True, "")
            again = await lab.placed("t1", off=2)
            assert again == msgspec.structs.replace(placed, text=f"{placed.text} (it was placed before)")
            await lab.until_holding()

    async def then() -> None:
        async with Hand(tmp_path, start=None) as lab:
            await lab.until("09:38")
            again = await lab.placed("t1")
            assert again.ok
            assert "it was placed before" in again.text
            await lab.step(2)

    play(first)
    play(then)
    assert tokens(tmp_path) == ["t1"]
    assert len(paper_rows(tmp_path, "SELECT 1 FROM orders WHERE purpose = 'entry'")) == 1
    assert_sound(tmp_path)


def test_two_screens_that_send_one_order_at_once_place_it_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            await lab.until("09:36")
            orders = [PlaceOrder(lab.near(), "t1", who) for who in ("a", "b")]
            one, other = await lab.during(asyncio.gather(*map(lab.ask, orders)))
            assert isinstance(one, Ack)
            assert isinstance(other, Ack)
            assert (one.ok, other.ok) == (True, True)
            await lab.step(3)

    play(work)
    assert tokens(tmp_path) == ["t1"]


@pytest.mark.parametrize(
    "point",
    [
        "commit.after:trade.manual",
        "commit.after:trade.entry_submitted",
        "commit.after:trade.exit_modified",
        "commit.after:trade.closed",
    ],
)
def test_fault_53_kill_9_around_an_order_of_a_hand(tmp_path: Path, point: str) -> None:
    """Bought, sold in part, its target moved, a resting entry changed, turned round, closed; killed within."""
    assert trial(tmp_path, f"{point}#1", until="09:40", scene=SCENES["manual"]) == []


def test_the_tickets_target_and_stop_stand_from_the_fill_on(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            trade = await lab.until_protected()
            assert trade.entry_price is not None
            sell, rests = lab.pair(trade)
            assert sell.ticket.limit == (trade.entry_price * Decimal("1.9")).quantize(Decimal("0.01"))
            level = trade.entry_price * Decimal("0.4")
            assert rests.ticket.stop == level.quantize(Decimal("0.01"), ROUND_FLOOR)
            positions = lab.floor().positions
            assert positions is not None
            (row,) = positions.rows
            assert row.stop == round(trade.entry_price * Decimal("0.4"), 2)
            assert [each.order_ref for each in row.exits] == [rests.ref, sell.ref]
            legs = f"stop 3 @ {rests.ticket.stop} live, 3 @ {sell.ticket.limit} live"
            assert (row.protection, row.protected) == (f"sell {legs}", True)
            orders = lab.floor().orders
            assert orders is not None
            assert [(one.purpose, one.kind, one.may_modify) for one in orders.rows] == [
                ("target", "LMT", True), ("stop", "STP", True),
            ]  # fmt: skip
            assert (await lab.ordered(ModifyOrder(sell.ref, stop="9.99", by="test"))).code == "BADINPUT"
            assert trade.contract is not None
            quote = lab.rooms.market.quote(trade.contract)
            assert quote is not None
            assert quote.bid is not None
            near = f"{quote.bid - Decimal('0.01')}"
            assert (await lab.ordered(ModifyOrder(sell.ref, stop=near, by="test"))).ok
            await lab.until_true(lambda: lab.is_over(trade.id))
            assert lab.trade(trade.id).cause == "stop"

    play(work)
    assert_sound(tmp_path)


def test_a_target_is_moved_in_place_and_never_leaves_the_position_alone(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            trade = await lab.until_protected()
            sell, rests = lab.pair(trade)
            assert sell.ticket.limit is not None
            wanted = sell.ticket.limit + Decimal("0.50")
            off_tick = await lab.ordered(ModifyOrder(sell.ref, limit="1.234", by="test"))
            assert "is no price of SPY" in off_tick.text
            assert "close a part" in (await lab.ordered(ModifyOrder(sell.ref, qty=1, by="test"))).text
            frame = ModifyOrder(sell.ref, limit=f"{wanted}", by="test", token="moved")
            assert (await lab.ordered(frame)).ok
            assert (await lab.ordered(frame)).text == f"{sell.ref} was changed by this very order before"
            await lab.step(2)
            moved, still = lab.pair(trade)
            assert (moved.ref, moved.ticket.limit, moved.ticket.qty) == (sell.ref, wanted, 3)
            assert still.ticket == rests.ticket

    play(work)
    states = paper_rows(
        tmp_path, "SELECT purpose, state FROM orders WHERE purpose <> 'entry' ORDER BY broker_id"
    )
    assert states == [("target", "SUBMITTED"), ("stop", "SUBMITTED")]
    assert_sound(tmp_path)


def test_a_stop_and_a_target_that_are_set_at_once_both_stand(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            trade = await lab.until_protected()
            sell, _ = lab.pair(trade)
            assert sell.ticket.limit is not None
            target = sell.ticket.limit + Decimal("0.50")
            stops = ModifyOrder(sell.ref, stop="0.50", by="one", token="a")
            aims = ModifyOrder(sell.ref, limit=f"{target}", by="two", token="b")
            await lab.during(asyncio.gather(lab.ask(stops), lab.ask(aims)))
            own = lab.trade(trade.id).own
            assert own is not None
            assert (own.stop_price, own.targets) == (Decimal("0.50"), (target,))

    play(work)


def test_a_part_closes_while_the_rest_stays_protected(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            trade = await lab.until_protected()
            frame = ClosePart(trade.id, 1, "test", "once")
            one, again = await lab.during(asyncio.gather(lab.ask(frame), lab.ask(frame)))
            assert isinstance(one, Ack) and isinstance(again, Ack) and one.ok and again.ok
            assert "3 cannot be closed, 2 is left" in (await lab.ordered(ClosePart(trade.id, 3, "test"))).text
            await lab.step(3)
            assert (lab.trade(trade.id).open_qty, lab.trade(trade.id).leaving) == (2, 0)
            assert "it was placed before" in (await lab.ordered(frame)).text
            assert "needs a token" in (await lab.during(lab.ask(ClosePart(trade.id, 1, "test")))).text
            assert lab.trade(trade.id).open_qty == 2
            assert [order.remaining for order in lab.pair(trade)] == [2, 2]
            sold = await lab.placed("s1", ticket=Ticket("SPY", "SELL", 2, "C", "", "0dte", "MARKET"))
            assert sold.ok
            assert (
                "it was placed before"
                in (await lab.placed("s1", ticket=Ticket("SPY", "SELL", 2, "C", "", "0dte", "MARKET"))).text
            )
            await lab.until_true(lambda: lab.is_over(trade.id))
            assert lab.trade(trade.id).cause == "manual"

    play(work)
    assert_sound(tmp_path)


def test_a_reverse_buys_the_other_right_only_once_the_close_has_filled(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            trade = await lab.until_protected()
            other = await lab.shown(PreviewReverse(trade.id))
            assert (other["verdict"], other["qty"], other["contract"][-1]) == ("approved", 3, "P")
            await lab.ordered(Gate("closed", "test"))
            assert "set the gate to reducing" in (await lab.shown(PreviewReverse(trade.id)))["problems"][0]
            await lab.ordered(Gate("open", "test"))
            assert (await lab.ordered(ReverseTrade(trade.id, "r1", "test"))).ok
            assert (await lab.ordered(ReverseTrade(trade.id, "r1", "test"))).ok
            await lab.until_true(lambda: len(lab.entered()) == 2)
            await lab.step(3)
            closed, opened = lab.trades()
            assert (closed.open_qty, closed.cause) == (0, "manual")
            assert opened.contract is not None
            assert (opened.contract.label[-1], opened.open_qty) == ("P", 3)

    play(work)
    (sold,) = paper_rows(tmp_path, "SELECT MAX(at_ns) FROM executions WHERE action = 'SELL'")[0]
    (bought,) = paper_rows(tmp_path, "SELECT MAX(received_ns) FROM orders WHERE purpose = 'entry'")[0]
    assert bought > sold
    assert_sound(tmp_path)


def test_a_reverse_buys_no_more_than_was_held_when_it_was_written_down(tmp_path: Path) -> None:
    """A part leaves while the other side is looked up."""

    async def work() -> None:
        async with Hand(tmp_path) as lab:
            trade = await lab.until_protected()
            turns = asyncio.ensure_future(lab.ask(ReverseTrade(trade.id, "r1", "test")))
            assert (await lab.ordered(ClosePart(trade.id, 1, "test"))).ok
            assert await lab.during(turns) == Ack(
                True, f"closing {trade.id} at market, then BUY 2 SPY 20261118 690P"
            )
            await lab.until_true(lambda: len(lab.entered()) == 2)
            await lab.step(3)
            assert lab.trades()[1].open_qty == 2

    play(work)
    assert_sound(tmp_path)


def test_a_resting_entry_is_changed_in_place_judged_again_and_cancelled(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            await lab.until("09:36")
            assert (await lab.placed("t1", kind="LIMIT", limit="0.20", target_pct="", stop_pct="")).ok
            await lab.until("09:39")
            trade = lab.first()
            order = lab.rooms.ledger.book.orders[trade.entry_ref]
            assert order.state is OrderState.SUBMITTED, "a limit of a hand waits longer than a minute"
            orders = lab.floor().orders
            assert orders is not None
            (row,) = orders.rows
            assert (row.may_modify, row.may_cancel, row.purpose) == (True, True, "entry")
            huge = await lab.ordered(ModifyOrder(order.ref, qty=400, by="test"))
            assert (huge.ok, "stays as it is" in huge.text) == (False, True)
            assert (await lab.ordered(ModifyOrder(order.ref, qty=2, limit="0.25", by="test"))).ok
            await lab.step(2)
            changed = lab.rooms.ledger.book.orders[order.ref].ticket
            assert (changed.qty, changed.limit) == (2, Decimal("0.25"))
            assert (await lab.ordered(CancelAll("test"))).text == "cancelling 1 working entry"
            await lab.step(2)
            assert lab.trade(trade.id).state is TradeState.FAILED

    play(work)
    assert paper_rows(tmp_path, "SELECT qty, limit_price, state FROM orders") == [("2", "0.25", "CANCELLED")]
    assert_sound(tmp_path)


def test_a_stop_entry_waits_for_its_price_and_is_protected_when_it_fills(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            await lab.until("09:36")
            ask = (await lab.preview(lab.near()))["price_basis"]["ask"]
            stop = f"{Decimal(ask) + Decimal('0.02')}"
            assert (await lab.placed("t1", kind="STOP", stop=stop)).ok
            order = lab.rooms.ledger.book.orders[lab.first().entry_ref]
            assert (order.ticket.kind, order.ticket.stop) == (OrderKind.STOP, Decimal(stop))
            trade = await lab.until_holding()
            assert trade.entry_price is not None
            assert trade.entry_price >= Decimal(stop)

    play(work)
    assert_sound(tmp_path)


def test_what_a_hand_may_not_do_is_refused_in_words(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            await lab.until("09:36")
            naked = await lab.placed("n", action="SELL", target_pct="", stop_pct="")
            assert (naked.code, "no option is sold short here" in naked.text) == ("NAKED", True)
            unknown = await lab.ordered(PlaceOrder(msgspec.structs.replace(BUY, strike="1"), "u"))
            assert "has no strike 1C: the nearest are" in unknown.text
            index = await lab.ordered(PlaceOrder(Ticket("SPX", kind="MARKET"), "i"))
            assert "is an index, which takes no orders" in index.text
            assert "needs a token" in (await lab.placed("")).text
            assert lab.trades() == [], "nothing of it was written down"
            await lab.ordered(Gate("reducing", "test"))
            gated = await lab.placed("g")
            assert (gated.ok, gated.code) == (False, "GATE_REDUCING")
            (trade,) = lab.trades()
            assert (trade.state, trade.cause) == (TradeState.FAILED, "GATE_REDUCING")
            await lab.ordered(Gate("open", "test"))
            held_now = await lab.placed("t1")
            assert held_now.ok
            await lab.until_holding()
            await lab.ordered(Gate("reducing", "test"))
            assert (await lab.ordered(ClosePart(lab.entered()[0].id, 1, "test"))).ok, "hands may shrink"

    play(work)
    assert_sound(tmp_path)


def test_a_closed_gate_and_the_kill_switch_cancel_a_resting_entry_of_a_hand(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            await lab.until("09:36")
            rest = {"kind": "LIMIT", "limit": "0.20", "target_pct": "", "stop_pct": ""}
            assert (await lab.placed("t1", **rest)).ok
            await lab.ordered(Gate("closed", "test"))
            await lab.step(2)
            assert lab.entered()[0].state is TradeState.FAILED
            await lab.ordered(Gate("open", "test"))
            assert (await lab.placed("t2", **rest)).ok
            await lab.ordered(Kill(by="test"))
            await lab.step(2)
            assert [trade.state for trade in lab.entered()] == [TradeState.FAILED] * 2
            assert (await lab.placed("t3", **rest)).code == "KILL_ON"

    play(work)
    assert_sound(tmp_path)


def test_advice_is_overridden_by_hand_a_few_times_a_day_and_counted(tmp_path: Path) -> None:
    async def work() -> None:
        settings = {
            "risk.entry_window": {"from_et": "10:30", "until_et": "15:30"},
            "safeguards.manual_overrides_day": 1,
        }
        async with Hand(tmp_path, settings=settings) as lab:
            await lab.until("09:36")
            early = await lab.placed("t1")
            assert (early.ok, early.code) == (False, "OUTSIDE_WINDOW")
            assert (await lab.placed("t2", override=True)).ok
            assert lab.rooms.controls.controls.day.overrides == 1
            trade = await lab.until_holding()
            assert (await lab.ordered(ClosePart(trade.id, 3, "test"))).ok
            await lab.until_true(lambda: lab.is_over(trade.id))
            spent = await lab.placed("t3", override=True)
            assert (spent.ok, spent.code) == (False, "OVERRIDES")

    play(work)
    assert_sound(tmp_path)


def test_a_preview_says_cost_break_even_loss_exits_and_every_rule_and_sends_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            await lab.until("09:36")
            ticket = lab.near(kind="LIMIT", limit="2.00", target_pct="", target_price="3.00", stop_pct="50")
            seen = await lab.preview(ticket)
            assert (seen["v"], seen["verdict"], seen["problems"]) == (1, "approved", [])
            assert (seen["cost"], seen["fees"], seen["max_loss"]) == ("600.00", "1.95", "601.95")
            assert Decimal(seen["break_even"][0]) == Decimal(ticket.strike) + 2
            assert (Decimal(seen["target"]), Decimal(seen["stop"]), seen["stop_rests"]) == (3, 1, True)
            assert 0.2 < seen["greeks"]["delta"] < 0.8
            assert Decimal(seen["margin"]["initial"]) >= 600
            assert len(seen["rules"]) > 40
            one = await lab.preview(msgspec.structs.replace(ticket, qty=1))
            assert (one["fees"], one["max_loss"]) == ("1.00", "201.00"), "what the broker takes at least"
            mid = await lab.preview(msgspec.structs.replace(ticket, kind="MID", limit="", target_price=""))
            size = next(each for each in mid["rules"] if each["rule"] == "position size")
            assert f"(${Decimal(mid['cost']):,.2f})" in size["text"], "judged by what it may pay"
            large = await lab.preview(lab.near(kind="LIMIT", limit="2.00", qty=21))
            failed = {each["rule"]: each["severity"] for each in large["rules"] if not each["ok"]}
            assert (large["verdict"], failed["contracts an order"]) == ("refused", "block")
            wrong = await lab.preview(msgspec.structs.replace(ticket, limit="2.001"))
            assert (wrong["contract"], wrong["rules"]) == ("", [])
            assert "is no price of SPY" in wrong["problems"][0]
            assert lab.trades() == []

    play(work)
    assert paper_rows(tmp_path, "SELECT 1 FROM orders") == []


def test_a_days_manual_trades_end_flat_and_on_the_wealth_plan(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path, start="15:20") as lab:
            await lab.until("15:24")
            assert (await lab.placed("t1")).ok
            trade = await lab.until_holding()
            await lab.until("15:57")
            assert lab.is_over(trade.id)

    play(work)
    ((trade_id,),) = ours(tmp_path, "SELECT id FROM trades WHERE state = 'WEALTH_UPDATED'")
    assert held(tmp_path, trade_id) == 0
    assert_sound(tmp_path)
