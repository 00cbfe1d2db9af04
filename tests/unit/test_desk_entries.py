"""Entries through the whole station: policies, time limits, what-if margin, and the caps at the send site."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest

from station.brokers.paper.faults import Fault
from station.calendars import at_et
from station.clock import VirtualClock
from station.domain.broker import Margin
from station.domain.clock import MILLISECOND, MINUTE
from station.domain.errors import Refused
from station.domain.instruments import SPX_OPTION_TICKS
from station.domain.market import Quote
from station.domain.orders import Action, OrderKind, OrderState, Purpose, Ticket, order_ref
from station.domain.specs import StrategySpec
from station.domain.trade import TradeState
from station.execution import SendCaps, Submitter
from station.execution.policy import entry_terms, walked
from tests.faults.station_stage import Stage, ours
from tests.lab import DAY, assert_sound, paper_rows, play
from tests.unit.domain_cases import ACCOUNT, CONTRACT, utc

START = "09:38:30"


def spec(policy: str, cap: str = "0") -> StrategySpec:
    return StrategySpec("T", "SPX", ("A",), (), entry_policy=policy, entry_cap_pct=Decimal(cap))


def quote(bid: str, ask: str) -> Quote:
    return Quote(CONTRACT, Decimal(bid), Decimal(ask), 10, 10, 0)


@pytest.mark.parametrize(
    ("policy", "cap", "kind", "limit"),
    [
        ("market", "0", OrderKind.MARKET, None),
        ("mid", "0", OrderKind.LIMIT, "5.10"),
        ("walk", "0", OrderKind.LIMIT, "5.10"),
        ("cap", "2", OrderKind.LIMIT, "5.20"),
        ("cap", "50", OrderKind.LIMIT, "5.30"),
    ],
)
def test_an_entry_is_priced_by_its_policy(policy: str, cap: str, kind: OrderKind, limit: str | None) -> None:
    terms = entry_terms(spec(policy, cap), quote("5.00", "5.30"), SPX_OPTION_TICKS)
    assert terms is not None
    assert (terms.kind, terms.limit) == (kind, Decimal(limit) if limit else None)
    assert terms.decision_mid == Decimal("5.15")


@pytest.mark.parametrize(
    ("steps", "cap", "limit"),
    [(0, "0", "2.90"), (1, "0", "2.95"), (2, "0", "3.00"), (3, "0", "3.10"), (99, "0", "3.40"),
     (99, "5", "3.00")],
)  # fmt: skip
def test_a_walk_goes_a_tick_a_step_over_the_tick_boundary_to_the_far_side(
    steps: int, cap: str, limit: str
) -> None:
    found = walked(spec("walk", cap), Decimal("2.92"), steps, quote("2.50", "3.40"), SPX_OPTION_TICKS)
    assert found == Decimal(limit)


def test_a_walk_waits_while_there_is_no_sane_ask() -> None:
    crossed = quote("3.40", "3.40")
    assert walked(spec("walk"), Decimal("2.92"), 3, crossed, SPX_OPTION_TICKS) is None


def test_a_walking_entry_steps_up_to_the_ask_and_fills(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, start=START, strategy={"entry_policy": "walk"}) as lab:
            trade, order = await lab.until_sent()
            assert order.ticket.limit is not None
            assert order.decision_mid is not None
            assert order.ticket.limit <= order.decision_mid
            await lab.step(4)
            assert lab.order(order.ref).ticket.limit == order.ticket.limit
            await lab.step(2)
            assert lab.order(order.ref).ticket.limit == order.ticket.limit + Decimal("0.01")
            await lab.until_true(lambda: lab.trade(trade.id).open_qty == trade.qty, limit_s=60)
            assert lab.order(order.ref).decision_price == order.ticket.limit

    play(work)
    assert ours(tmp_path, "SELECT COUNT(*) > 0 FROM trade_events WHERE type = 'trade.entry_modified'") == [(1,)]
    assert_sound(tmp_path)


def test_an_entry_that_nobody_fills_is_cancelled_after_60_s(tmp_path: Path) -> None:
    halt = Fault("halt", at_et(DAY, "09:40:00") + 10 * MILLISECOND, seconds=300, symbol="SPY")

    async def work() -> None:
        async with Stage(tmp_path, start=START, strategy={"entry_policy": "mid"}, faults=[halt]) as lab:
            trade, order = await lab.until_sent()
            await lab.step(59)
            assert lab.order(order.ref).state is OrderState.SUBMITTED
            await lab.step(2)
            assert lab.at_exchange(order.ref)[0] == "CANCELLED"
            assert lab.trade(trade.id).state is TradeState.FAILED
            sql = f"SELECT cause FROM cancel_registry WHERE order_ref = '{order.ref}'"
            assert ours(tmp_path, sql) == [("expiry",)]

    play(work)
    assert_sound(tmp_path)


def test_fault_21_what_if_margin_that_never_answers_denies_the_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the broker answers, with more than the account has; and then with what it truly takes."""

    async def work() -> None:
        async with Stage(tmp_path, start=START) as lab:
            exchange = lab.run.exchange

            async def silent(ticket: Ticket) -> Margin:
                await asyncio.Event().wait()
                raise AssertionError

            async def dear(ticket: Ticket) -> Margin:
                return Margin(Decimal(1_000_000), Decimal(0), None)

            monkeypatch.setattr(exchange, "what_if", silent)
            await lab.until("09:40:02")
            assert lab.trades()[0].state is TradeState.WEALTH_SIZED
            await lab.step(2)
            denied = lab.trades()[0]
            assert (denied.state, denied.cause) == (TradeState.FAILED, "WHAT_IF")
            assert "no answer within 3 s" in denied.reason
            monkeypatch.setattr(exchange, "what_if", dear)
            await lab.until("09:45:02")
            assert lab.trades()[1].cause == "MARGIN"
            assert "$1,000,000.00" in lab.trades()[1].reason
            monkeypatch.undo()
            await lab.until_true(lambda: bool(lab.entered()), limit_s=3_600)
            passed = lab.first()
            sql = f"SELECT verdict, reason FROM decisions WHERE stage = 'what-if' AND trade_id = '{passed.id}'"
            assert ours(tmp_path, sql) == [("pass", "the broker's margin for it")]
            sent = paper_rows(tmp_path, "SELECT order_ref FROM orders WHERE purpose = 'entry'")
            assert not any(denied.id in ref or lab.trades()[1].id in ref for (ref,) in sent)

    play(work)
    assert_sound(tmp_path)


def test_an_entry_refused_at_the_send_site_is_a_rejection_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with Stage(tmp_path, start=START) as lab:
            monkeypatch.setattr(lab.rooms.submitter, "_caps", SendCaps(Decimal(2), 10))
            await lab.until("09:40:02")
            (refused,) = lab.trades()
            assert (refused.state, refused.cause) == (TradeState.FAILED, "entry rejected")
            assert "is for 3 contracts, 2 is the most in one order" in refused.reason
            assert lab.order(refused.entry_ref).state is OrderState.REJECTED

    play(work)
    ((code, root, derived),) = ours(tmp_path, "SELECT code, root, derived FROM order_failures")
    assert (code, derived) == (0, "refused at the send site: ORDER_SIZE_CAP")
    assert "risk.contracts_per_order" in root
    assert paper_rows(tmp_path, "SELECT * FROM orders") == []
    assert_sound(tmp_path)


class Wire:
    """Takes whatever is sent."""

    def __init__(self) -> None:
        self.placed: list[Ticket] = []

    async def place(self, tickets: list[Ticket]) -> None:
        self.placed += tickets


def ticket(n: int, purpose: Purpose = Purpose.ENTRY) -> Ticket:
    leg, action = ("X", Action.SELL) if purpose.is_exit else ("E", Action.BUY)
    ref = order_ref(ACCOUNT, "T1", leg, n)
    return Ticket(ref, ACCOUNT, CONTRACT, action, Decimal(1), OrderKind.MARKET, purpose)


async def test_the_rate_refuses_entries_and_never_an_exit_and_forgets_after_a_minute() -> None:
    clock, wire = VirtualClock(utc(15)), Wire()
    site = Submitter(wire, clock, SendCaps(Decimal(20), 3))  # pyright: ignore[reportArgumentType]
    await site.place([ticket(1)])
    await site.place([ticket(1, Purpose.TARGET)])
    await site.place([ticket(2)])
    with pytest.raises(Refused, match="would be order 4 within a minute, 3 are allowed") as refused:
        await site.place([ticket(3)])
    assert refused.value.code == "ORDER_RATE_CAP"
    await site.place([ticket(2, Purpose.CLOSE)])
    assert len(wire.placed) == 4
    clock.move_to(utc(15) + MINUTE)
    await site.place([ticket(3)])
    assert len(wire.placed) == 5


def test_the_log_of_a_refused_step_is_undone(tmp_path: Path) -> None:
    """A change of a working entry that the exchange refuses leaves it as it was, and ends the walk."""

    async def work() -> None:
        async with Stage(
            tmp_path, start=START, strategy={"entry_policy": "walk"}, faults=[Fault("reject_modify")]
        ) as lab:
            _, order = await lab.until_sent()
            await lab.step(12)
            assert lab.order(order.ref).ticket.limit == order.ticket.limit
            steps = [json.loads(text)["reason"] for text in lab.events("trade.entry_modified")]
            assert len(steps) == 2
            assert steps[1].startswith("change refused: 105")

    play(work)
    assert_sound(tmp_path)
