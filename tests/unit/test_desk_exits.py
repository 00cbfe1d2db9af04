"""Exits through the whole station: what takes a position out, the ladder, replacing, what each fill cost."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from station.brokers.paper.faults import Fault
from station.calendars import at_et
from station.domain.broker import Capabilities
from station.domain.instruments import Side, Timeframe
from station.domain.orders import Order, OrderKind, Ticket
from station.domain.ports import WealthState
from station.domain.signals import Firing, Signal
from station.domain.trade import Cause, Trade
from station.link import CloseTrade
from station.protection import LateMode, ProtectionSettings
from station.strategy import make_signal
from tests.faults.station_stage import RICH, Stage, ours
from tests.lab import DAY, assert_sound, paper_rows, play

START = "09:38:30"
LADDER = {"symbol": "SPX", "ladder": "20:0.5 40:0.25 60:0.25", "shield": "none"}


async def many_contracts(lab: Stage) -> None:
    """The wealth plan's last level: 49 contracts a trade."""
    store = lab.run.engine.outside.stores.wealth
    await store.begin(WealthState("WM235K", Decimal(500_000), 52, "T3", Decimal(0)))


async def many_held(lab: Stage) -> Trade:
    """The first trade once its 49 contracts have filled and every rung works."""
    await many_contracts(lab)
    await lab.until_true(lambda: any(t.entry_filled == 49 for t in lab.trades()))
    await lab.step(2)
    return lab.first()


def sums(lab: Stage, trade: Trade) -> tuple[Decimal, Decimal]:
    """What is open, and what its working exits stand for."""
    legs = lab.exits(trade)
    return lab.trade(trade.id).open_qty, sum((leg.remaining for leg in legs), Decimal(0))


# --- causes ----------------------------------------------------------------------------------------------


async def kill(lab: Stage, trade: Trade) -> None:
    await lab.rooms.controls.kill("test", "the table", flatten=True)


async def by_hand(lab: Stage, trade: Trade) -> None:
    assert (await lab.ask(CloseTrade(trade.id, "test"))).ok


async def by_strategy(lab: Stage, trade: Trade) -> None:
    await lab.rooms.desk.close_trade(trade.id, Cause.STRATEGY, "on_bar said so", "strategy")


def by_settings(**change: Any) -> Callable[[Stage, Trade], Awaitable[None]]:
    async def act(lab: Stage, trade: Trade) -> None:
        lab.rooms.protection.configure(ProtectionSettings(**change))

    return act


async def nothing(lab: Stage, trade: Trade) -> None:
    return None


NO_BID = Fault("zero_bid", at_et(DAY, "09:40:30"), seconds=45, symbol="SPY")


@pytest.mark.parametrize(
    ("cause", "act", "fault"),
    [
        (Cause.KILL, kill, None),
        (Cause.MANUAL, by_hand, None),
        (Cause.STRATEGY, by_strategy, None),
        (Cause.SHIELD, by_settings(rapid_shield_pct=Decimal(1)), None),
        (Cause.LATE, by_settings(late_mode=LateMode.FORCE_CLOSE, late_before_close_s=23_400), None),
        (Cause.END_OF_DAY, by_settings(flatten_before_close_s=23_400), None),
        (Cause.BREAK_EVEN, by_settings(grace_s=1, target_pct=Decimal(90)), None),
        (Cause.EMERGENCY, nothing, NO_BID),
        (Cause.TARGET, nothing, None),
    ],
    ids=lambda value: value.value if isinstance(value, Cause) else "",
)
def test_what_takes_a_position_out_is_what_closed_says(
    tmp_path: Path, cause: Cause, act: Callable[[Stage, Trade], Awaitable[None]], fault: Fault | None
) -> None:
    strategy = {"shield": "rapid_shield"} | ({"target_pct": 90} if cause is Cause.BREAK_EVEN else {})

    async def work() -> None:
        async with Stage(tmp_path, start=START, strategy=strategy, faults=[fault] if fault else []) as lab:
            trade = await lab.until_holding()
            await act(lab, trade)
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=1_200)
            assert lab.trade(trade.id).cause == cause.value
            assert lab.position(trade) == 0

    play(work)
    assert_sound(tmp_path)


def against(lab: Stage, trade: Trade, scanner: str) -> Signal:
    """A signal of the other side, newer than the one that opened the trade."""
    close_ns = lab.at("09:45")
    other = Side.CALL if trade.side is Side.PUT else Side.PUT
    firing = Firing(
        scanner, "SPY", Timeframe.M10, other, 80, close_ns - Timeframe.M10.ns, close_ns, 686.0, "test"
    )
    spec = next(s for s in lab.run.engine.desired.value.scanners if s.name == scanner)
    return make_signal(firing, spec, "S-against", lab.now())


@pytest.mark.parametrize("says_so", [True, False])
def test_an_opposite_signal_takes_out_the_trades_of_a_strategy_that_says_so(
    tmp_path: Path, says_so: bool
) -> None:
    async def work() -> None:
        async with Stage(tmp_path, start=START, strategy={"opposite_exit": says_so}) as lab:
            trade = await lab.until_holding()
            assert trade.side is Side.PUT
            await lab.step(60)
            lab.rooms.pool.publish(against(lab, trade, "SPY_10MIN_MACD_UP"))
            await lab.step(3)
            after = lab.trade(trade.id)
            assert (after.open_qty == 0) is says_so
            if says_so:
                await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)
                assert lab.trade(trade.id).cause == "strategy"
                assert any(
                    "opposite signal: SPY_10MIN_MACD_UP" in text for text in lab.events("trade.exit_modified")
                )

    play(work)
    assert_sound(tmp_path)


# --- the ladder ------------------------------------------------------------------------------------------


def test_the_ladder_sells_rung_by_rung_and_what_is_left_leaves_at_market_together(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, start=START, settings=RICH, strategy=LADDER) as lab:
            trade = await many_held(lab)
            legs = lab.exits(trade)
            assert [(leg.ticket.qty, leg.ticket.limit) for leg in legs] == [
                (25, Decimal("8.20")), (12, Decimal("9.60")), (12, Decimal("10.90")),
            ]  # fmt: skip
            await lab.until_true(lambda: lab.trade(trade.id).exit_filled >= 25, limit_s=1_800)
            assert sums(lab, trade) == (24, 24)
            quote = lab.rooms.market.quote(trade.contract) if trade.contract else None
            assert quote is not None
            await lab.rooms.controls.kill("test", "flatten what is left", flatten=True)
            await lab.until_true(lambda: lab.trade(trade.id).open_qty == 0, limit_s=10)
            left = [lab.order(leg.ref) for leg in legs[1:]]
            assert [(o.ticket.kind, o.ticket.qty, o.filled) for o in left] == [(OrderKind.MARKET, 12, 12)] * 2
            assert {o.decision_price for o in left} == {quote.bid}
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)

    play(work)
    slipped = [
        (b["purpose"], Decimal(b["slippage"]))
        for (data,) in ours(tmp_path, "SELECT data FROM trade_events WHERE type = 'order.execution'")
        for b in [json.loads(data)]
    ]
    assert [purpose for purpose, _ in slipped].count("target") >= 3
    assert ours(tmp_path, "SELECT cause FROM trades WHERE net_pnl <> ''") == [("kill",)]
    assert_sound(tmp_path)


def test_a_ladder_grows_with_the_entrys_parts_and_never_offers_more_than_is_held(tmp_path: Path) -> None:
    parts = LADDER | {"entry_policy": "cap", "entry_cap_pct": 5, "ladder": "1:0.5 2:0.25 3:0.25"}

    async def work() -> None:
        async with Stage(tmp_path, start=START, settings=RICH, strategy=parts) as lab:
            await many_contracts(lab)
            await lab.tick_until(lambda: any(t.open_qty > 0 for t in lab.trades()))
            trade = lab.first()
            for _ in range(600):
                await lab.tick()
                held, offered = sums(lab, trade)
                assert offered <= max(held, Decimal(0))
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=1_200)
            assert lab.position(trade) == 0

    play(work)
    assert_sound(tmp_path)


# --- replacing -------------------------------------------------------------------------------------------


def test_where_nothing_changes_in_place_exits_are_cancelled_proven_gone_and_placed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Capabilities(modify_in_place=False, depth=True, what_if=True)

    async def work() -> None:
        async with Stage(tmp_path, start=START, settings=RICH, strategy=LADDER) as lab:
            monkeypatch.setattr(type(lab.run.exchange), "capabilities", plain)
            trade = await many_held(lab)
            before = lab.exits(trade)
            await lab.step(1)
            await by_hand(lab, trade)
            await lab.until_true(lambda: lab.trade(trade.id).open_qty == 0, limit_s=10)
            assert [lab.at_exchange(leg.ref)[0] for leg in before] == ["CANCELLED"] * 3
            cancels = ours(tmp_path, "SELECT order_ref, cause FROM cancel_registry")
            assert cancels[-3:] == [(leg.ref, "replace") for leg in before]
            assert {cause for _, cause in cancels} == {"replace"}
            replaced = [json.loads(text)["replaces"] for text in lab.events("trade.exit_submitted")]
            assert replaced[-3:] == [leg.ref for leg in before]
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)

    play(work)
    assert_sound(tmp_path)


def test_a_change_that_never_arrived_is_found_and_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position rests on a sell that the station believes to be at market."""

    async def work() -> None:
        async with Stage(tmp_path, start=START) as lab:
            trade = await lab.until_holding()
            (sell,) = lab.exits(trade)
            lost: list[Ticket] = []
            modify = lab.run.exchange.modify

            async def losing(ticket: Ticket) -> None:
                if lost:
                    await modify(ticket)
                lost.append(ticket)

            monkeypatch.setattr(lab.run.exchange, "modify", losing)
            await by_hand(lab, trade)
            await lab.step(3)
            assert lab.order(sell.ref).ticket.kind is OrderKind.MARKET
            assert lab.position(trade) == trade.qty, "the exchange has never heard of it"
            await lab.step(10)
            assert lab.position(trade) == 0
            assert any("change that never arrived" in text for text in lab.events("reconciliation"))
            assert lost[0] == lost[1]

    play(work)
    assert_sound(tmp_path)


def test_a_protective_sell_that_vanished_is_placed_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, start=START) as lab:
            trade = await lab.until_holding()
            (sell,) = lab.exits(trade)
            floor = lab.run.exchange.floor
            floor.request("cancel", [sell.ref], [], lab.now())
            await lab.step(2)
            assert lab.order(sell.ref).state.is_terminal
            (again,) = lab.exits(trade)
            assert _same_terms(again, sell)
            assert lab.at_exchange(again.ref) == ("SUBMITTED", trade.qty, 0)

    play(work)
    assert_sound(tmp_path)


def _same_terms(one: Order, other: Order) -> bool:
    return replace(one.ticket, order_ref="") == replace(other.ticket, order_ref="")


def test_every_fill_has_its_slippage_against_what_was_decided(tmp_path: Path) -> None:
    """A market exit is measured by the bid at the decision, a resting target by its own limit."""

    async def work() -> None:
        async with Stage(tmp_path, start=START) as lab:
            trade = await lab.until_holding()
            await lab.until("09:45:30")
            await lab.rooms.controls.flatten("test")
            await lab.until_true(lambda: not lab.holding(), limit_s=30)
            assert lab.is_over(trade.id) or lab.trade(trade.id).open_qty == 0

    play(work)
    exits = {
        row[0]: row[1:]
        for row in ours(
            tmp_path, "SELECT order_ref, decision_price, decision_mid FROM orders WHERE purpose <> 'entry'"
        )
    }
    fills = [json.loads(data) for (data,) in ours(
        tmp_path, "SELECT data FROM trade_events WHERE type = 'order.execution'")]  # fmt: skip
    sold = [fill for fill in fills if fill["order_ref"] in exits]
    assert sold
    for fill in sold:
        decided, mid = exits[fill["order_ref"]]
        assert Decimal(fill["slippage"]) == Decimal(decided) - Decimal(fill["price"])
        assert Decimal(fill["slippage_mid"]) == Decimal(mid) - Decimal(fill["price"])
        assert Decimal(decided) < Decimal(mid), "the bid, not the mid"
    assert paper_rows(tmp_path, "SELECT COUNT(*) FROM executions") == [(len(fills),)]
    assert_sound(tmp_path)
