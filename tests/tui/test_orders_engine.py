"""Orders by keyboard through a whole station: the screen, the engine and the paper exchange on one loop."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from station.brokers.paper.faults import Fault
from station.domain.orders import OrderState
from station.domain.trade import Trade, TradeState
from tests.faults.station_stage import Stage
from tests.lab import Lab, assert_sound, paper_rows, play
from tests.tui.seat import NAMED, Seat, seated
from widgets.dialogs import KillDialog
from widgets.ticket_dialog import TicketDialog

SIZES = [(80, 24), (160, 45)]
MANY: Mapping[str, Any] = {
    "risk.one_per_instrument": False, "risk.orders_per_minute": 1_000, "risk.max_spread_pct": 50,
    "paper.start_cash_usd": 200_000, "risk.capital_at_risk_usd": 100_000, "risk.daily_loss_pct": 50,
}  # fmt: skip
QUIET = {"enabled": False}


async def buy_two(seat: Seat) -> Trade:
    """Two of the option under the chain's cursor, from the key that opens the ticket to the working sell."""
    await seat.look()
    await seat.press("slash", *"SPY", "enter", "o", "b")
    assert isinstance(seat.app.screen, TicketDialog)
    await seat.press("up", "tab", "tab", *"30%", "tab", *"20%")
    await seat.until("APPROVED")
    await seat.press("enter")
    assert not [trade for trade in seat.lab.trades() if trade.hand is not None]
    assert "max loss" in await seat.until("SEND  PAPER: BUY 2 SPY")
    await seat.press("y")
    await seat.until("sent")
    await seat.lab.until_true(lambda: seat.is_protected(seat.trade()), limit_s=90)
    await seat.press("enter", "p")
    return seat.trade()


async def raise_target(seat: Seat, held: Trade) -> None:
    """The working sell is moved up by a tick from its pane, and the stop to a price."""
    before = seat.target(held).ticket.limit
    await seat.press("u")
    assert "target" in seat.pane("orders")
    await seat.press("home", "M", "up", "enter", "y")
    await seat.lab.until_true(lambda: seat.target(held).ticket.limit != before, limit_s=30)
    assert before is not None and seat.target(held).ticket.limit == before + Decimal("0.01")
    await seat.press("enter", "M", "tab", "ctrl+u", *"0.50", "enter", "y")
    own = seat.now(held).own
    assert own is not None and own.stop_price == Decimal("0.50")
    await seat.press("enter")


async def close_one(seat: Seat, held: Trade) -> None:
    await seat.press("p", "minus", "1", "enter")
    await seat.lab.until_true(lambda: seat.now(held).open_qty == 1, limit_s=60)
    await seat.lab.until_true(lambda: seat.target(held).remaining == 1, limit_s=60)


async def kill_from_a_ticket(seat: Seat, held: Trade) -> None:
    """A resting entry is cancelled from inside another ticket; what protects stays. F12 again flattens, and a
    word releases it."""
    await seat.ordered(f"buy 1 SPX {seat.money('SPX')}C 0dte @ 0.05")
    await seat.press("u")
    assert "entry" in seat.pane("orders")
    await seat.press("o", "b", "f12")
    await seat.lab.until_true(lambda: not seat.entries(), limit_s=30)
    assert isinstance(seat.app.screen, KillDialog)
    assert seat.target(held).remaining == 1
    assert "KILL ON" in seat.line("header")
    await seat.press("f12")
    await seat.lab.until_true(lambda: seat.now(held).state.is_terminal, limit_s=60)
    assert seat.now(held).cause == "kill"
    await seat.press("escape", "R")
    await seat.type("RELEASE")
    await seat.press("enter")
    await seat.until_told("KILL released")
    assert "kill OFF" in seat.line("header")


@pytest.mark.parametrize("size", SIZES)
def test_orders_by_keyboard_are_filled_protected_changed_closed_and_killed(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async def day() -> None:
        async with Lab(tmp_path) as lab:
            await lab.until("09:36")
            async with seated(lab, size) as seat:
                held = await buy_two(seat)
                assert seat.target(held).state is OrderState.SUBMITTED
                assert seat.target(held).ticket.qty == 2
                assert held.own is not None and held.own.stop_pct == 20
                assert "SPY" in seat.pane("positions") and "live" in seat.pane("positions")
                await raise_target(seat, held)
                await close_one(seat, held)
                await kill_from_a_ticket(seat, held)
        assert_sound(tmp_path)

    play(day)


RESTING = {
    "limit": ("@ 0.05", ["tab", *"0.05"], 1, ("LMT", Decimal("0.05"), None)),
    "stop": ("stop 90", ["tab", *"90"], 4, ("STP", None, Decimal(90))),
    "stop-limit": ("stop 90 @ 91", ["tab", *"90", "tab", *"91"], 5, ("STP LMT", Decimal(91), Decimal(90))),
}
"""A line's terms, the form's keys, how often `right` chooses the kind, and what works at the exchange."""
FILLING = {
    "market": ("@ market", [], 2),
    "bracket": ("@ 30 tp 40% sl 30%", ["tab", *"30", "tab", *"40%", "tab", *"30%"], 3),
}


WRONG = [
    ("buy 1 SPX 1C", "has no strike 1C"),
    ("buy 1 AAPL 100C", "AAPL is not watched here"),
    ("buy 1 SPX 6900C 20270102", "SPX lists no expiry 20270102"),
    ("sell 1 SPX 6900C @ market", "0 held, and no option is sold short here"),
]
"""What cannot be traded, and what the ticket says of it."""


def at_exchange(lab: Lab, ref: str) -> tuple[Any, ...]:
    sql = f"SELECT kind, limit_price, stop_price FROM orders WHERE order_ref = '{ref}'"
    ((kind, limit, stop),) = paper_rows(lab.runtime, sql)
    return kind, limit and Decimal(limit), stop and Decimal(stop)


def verdict(text: str) -> str:
    """The right half of a ticket in one line."""
    right = " ".join(line.partition("│")[2] for line in text.splitlines())
    return " ".join(right.split())


async def by_form(seat: Seat, strike: int, rights: int, keys: list[str]) -> Trade:
    """The order line gives the contract only; everything else is done in the form."""
    before = {trade.id for trade in seat.lab.trades()}
    await seat.press("colon")
    await seat.type(f"buy 1 SPY {strike}C")
    await seat.press("enter")
    await seat.rush("tab", *["right"] * rights, *(NAMED.get(key, key) for key in keys))
    await seat.send()
    return next(trade for trade in seat.lab.trades() if trade.id not in before)


async def rest_and_cancel(seat: Seat, strike: int, name: str) -> None:
    """By line and by form; one is cancelled by its key, the other with all."""
    terms, keys, rights, there = RESTING[name]
    for trade in (
        await seat.ordered(f"buy 1 SPY {strike}C {terms}"),
        await by_form(seat, strike + 1, rights, keys),
    ):
        assert at_exchange(seat.lab, seat.entry(trade).ref) == there
    await seat.press("u", "home", "c")
    await seat.lab.until_true(lambda: len(seat.entries()) == 1, limit_s=30)
    await seat.press("C", "y")
    await seat.lab.until_true(lambda: not seat.entries(), limit_s=30)


async def fill_and_leave(seat: Seat, strike: int, name: str) -> None:
    """By line and by form; one is closed by its key, the other flattened."""
    terms, keys, rights = FILLING[name]
    one = await seat.ordered(f"buy 1 SPY {strike}C {terms}")
    other = await by_form(seat, strike + 1, rights, keys)
    await seat.lab.until_true(lambda: seat.is_protected(one) and seat.is_protected(other), limit_s=60)
    for trade in (one, other):
        own = seat.now(trade).own
        assert (own is not None and own.stop_pct == 30) is (name == "bracket")
    await seat.press("p", "home", "x")
    await seat.lab.until_true(lambda: not all(map(seat.is_protected, (one, other))), limit_s=60)
    await seat.press("X")
    await seat.lab.until_true(lambda: not seat.lab.holding(), limit_s=60)
    await seat.press("g", "o")


@pytest.mark.parametrize("size", SIZES)
def test_each_kind_of_order_by_line_and_by_form(tmp_path: Path, size: tuple[int, int]) -> None:
    async def day() -> None:
        async with Stage(tmp_path, settings=MANY, start="09:34", strategy=QUIET) as lab:
            await lab.until("09:36")
            async with seated(lab, size) as seat:
                strike = seat.money("SPY", 1)
                for name in RESTING:
                    await rest_and_cancel(seat, strike, name)
                for name in FILLING:
                    await fill_and_leave(seat, strike, name)
        assert_sound(tmp_path)

    play(day)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_refused_is_read_with_its_reason_and_a_position_is_turned_round(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async def day() -> None:
        refusing = [Fault("reject_entry", symbol="QQQ")]
        async with Stage(tmp_path, settings=MANY, start="09:34", strategy=QUIET, faults=refusing) as lab:
            await lab.until("09:36")
            async with seated(lab, size) as seat:
                strike = seat.money("QQQ", 1)
                for line, told in WRONG:
                    await seat.press("colon")
                    await seat.type(line)
                    await seat.press("enter")
                    assert told in verdict(await seat.until("CANNOT BE SENT"))
                    await seat.press("enter", "y", "enter", "escape")
                await seat.press("colon")
                await seat.type(f"buy 9999 QQQ {strike}C")
                await seat.press("enter")
                assert "contracts" in await seat.until("REFUSED by")
                await seat.press("enter", "y")
                assert "has not approved it as it stands" in seat.dialog()
                assert lab.trades() == []
                await seat.press("enter", "escape")
                trade = await seat.ordered(f"buy 1 QQQ {strike}C @ market")
                told = await seat.until_told("Order rejected - reason: refused by the exchange")
                assert "no entry" in told
                assert seat.now(trade).state is TradeState.FAILED
                held = await seat.ordered(f"buy 2 QQQ {strike}C @ market tp 200% sl 80%")
                await lab.until_true(lambda: seat.is_protected(held), limit_s=60)
                await seat.press("p", "V")
                await seat.until("APPROVED")
                await seat.press("y")
                await lab.until_true(lambda: len(lab.entered()) == 3, limit_s=90)
                turned = lab.entered()[-1]
                await lab.until_true(lambda: seat.is_protected(turned), limit_s=90)
                assert seat.now(held).cause == "manual"
                assert turned.contract is not None
                assert turned.contract.label.endswith("P")
                assert "P" in seat.pane("positions")
        assert_sound(tmp_path)

    play(day)


@pytest.mark.parametrize("size", SIZES)
def test_what_a_strategy_proposes_is_taken_at_the_hand_s_own_prices(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async def day() -> None:
        proposing = {"autonomy": "propose"}
        async with Stage(tmp_path, start="09:38:30", strategy=proposing) as lab:
            await lab.until("09:40:01")
            async with seated(lab, size) as seat:
                await seat.look()
                assert "1 PROPOSED" in seat.line("header")
                await seat.press("P")
                await seat.until("APPROVED")
                await seat.rush("tab", "a", "tab", *"50", "percent_sign", "tab", *"30", "percent_sign")
                await seat.look()
                await seat.until("APPROVED")
                await seat.press("enter")
                assert "tp 50% sl 30%" in await seat.until("SEND  PAPER: BUY")
                await seat.press("y")
                await seat.until("sent")
                (trade,) = lab.entered()
                assert trade.offer is not None
                assert seat.entry(trade).ticket.limit == trade.offer.limit
                await lab.until_true(lambda: seat.is_protected(trade), limit_s=60)
                held = seat.now(trade)
                assert held.entry_price is not None and held.own is not None
                assert held.own.stop_pct == 30
                target = seat.target(held).ticket.limit
                assert target is not None
                assert abs(target / held.entry_price - Decimal("1.5")) < Decimal("0.02")
        assert_sound(tmp_path)

    play(day)
