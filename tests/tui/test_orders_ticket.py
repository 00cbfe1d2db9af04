"""The ticket on the floor: what it leaves in sight, and what becomes of it once its order is sent."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
from textual.widgets import Input

from station.link import AlertRow, CloseTrade, Command, LocalLink, Orders, Positions, Reply
from tests.tui import synthetic
from tests.tui.stage import Stage
from tests.tui.ticket_hand import press, said, until
from widgets.order_dialogs import OrderLineDialog
from widgets.preview import loud_lines, money_lines, preview_of
from widgets.ticket_dialog import TicketDialog

LARGE = [(120, 40), (160, 45), (200, 50)]


def trading() -> Stage:
    """An engine whose answer names the trade that an entry became: T4, which works on its floor."""
    stage = Stage(synthetic.calm())
    stage.engine.counterpart.names_trades = True
    return stage


def told(stage: Stage, **parts: object) -> None:
    stage.engine.floor = msgspec.structs.replace(stage.engine.floor, **parts)


# --- its place -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", LARGE)
@pytest.mark.parametrize("keys", [["o", "b"], ["o", "b", "enter"], ["o", "colon"]])
async def test_chain_and_matrix_stay_in_sight_beside_it(size: tuple[int, int], keys: list[str]) -> None:
    stage = Stage(synthetic.busy())
    stage.engine.counterpart.refuses = True
    async with stage.app.run_test(size=size) as pilot:
        await until(pilot, lambda: bool(stage.app.sight.contract))
        await press(stage, pilot, *keys)
        assert isinstance(stage.app.screen, TicketDialog | OrderLineDialog)
        box = stage.app.screen.query_one("#box").region
        kept = [pane for pane in stage.app.panes if pane.display and pane.id in ("chain", "book")]
        assert kept and not any(box.overlaps(pane.region) for pane in kept)
        floor = stage.app.screen_stack[0].query_one("#floor").region
        assert floor.contains_region(box) and box.height < floor.height * 2 // 3


async def test_on_a_small_terminal_it_is_as_high_as_what_it_says() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await press(stage, pilot, "o", "b")
        box = stage.app.screen.query_one("#box").region
        assert (box.width, box.height) == (80, 16)
        assert "more lines" in said(stage) or "duplicate_order" in said(stage)
        await press(stage, pilot, "r")
        assert stage.app.screen.query_one("#box").region.height == 19


async def test_what_the_engine_says_of_a_ticket_that_was_left_troubles_nobody() -> None:
    may_answer = asyncio.Event()

    async def late(stage: Stage, command: Command) -> Reply:
        await may_answer.wait()
        return await stage.engine.handle(command)

    def link(stage: Stage) -> LocalLink:
        engine = stage.engine
        return LocalLink(
            lambda command: late(stage, command), engine.picture, clock=stage.clock, answer=engine.answer
        )

    stage = Stage(synthetic.calm(), link)
    stage.engine.counterpart.refuses = True
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await stage.settle(pilot)
        before = stage.line("notice")
        await pilot.press("b")
        await stage.settle(pilot)
        stage.clock.advance(0.4)
        await pilot.press("escape")
        await stage.settle(pilot)
        assert len(stage.app.screen_stack) == 1
        may_answer.set()
        await stage.app.workers.wait_for_complete()
        await stage.settle(pilot)
        assert stage.line("notice") == before


async def test_every_rule_with_its_figures_is_a_key_away_and_the_floor_one_more() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await press(stage, pilot, "b")
        small = stage.app.screen.query_one("#box").region
        await press(stage, pilot, "r")
        assert "duplicate_order" in said(stage) and "$2,140 of $10,000" in said(stage)
        assert "within the limit" not in said(stage), "the tick says it, and its room is the figures'"
        await press(stage, pilot, "r")
        assert stage.app.screen.query_one("#box").region == small


async def test_what_is_asked_past_is_told_and_not_ticked_off() -> None:
    stage = Stage(synthetic.calm())
    stage.engine.counterpart.advises = True
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await press(stage, pilot, "b", "shift+tab", "shift+tab", "space")
        text = said(stage)
        assert "APPROVED past 1 of 28 rules" in text
        assert "! one_per_instrument: overridden" in text and "✓one_per_instrument" not in text


# --- once it is sent -----------------------------------------------------------------------------------


async def test_a_sent_ticket_tells_that_its_order_lives_and_closes_by_itself() -> None:
    stage = trading()
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await press(stage, pilot, "u", "b", "enter", "y")
        assert "LIVE at the broker at 3.10, 1 of 2 filled" in said(stage)
        stage.clock.advance(1.1)
        await stage.settle(pilot)
        assert len(stage.app.screen_stack) == 1
        assert "SPXW 5940C 0DTE: LIVE at the broker at 3.10" in stage.line("notice")
        await press(stage, pilot, "enter")
        assert len(stage.app.screen_stack) == 1, "the enter that would have closed it does nothing else"
        stage.clock.advance(1)
        await press(stage, pilot, "enter")
        assert len(stage.app.screen_stack) == 2, "later it is the pane's own key again"


async def test_it_waits_while_the_order_is_on_its_way_and_tells_of_the_fill() -> None:
    stage = trading()
    assert stage.engine.floor.orders is not None and stage.engine.floor.positions is not None
    (entry,) = [row for row in stage.engine.floor.orders.rows if row.trade_id == "T4"]
    sent = msgspec.structs.replace(entry, state="PENDING", filled=entry.filled * 0)
    held = stage.engine.floor.positions.rows
    told(stage, orders=Orders((sent,)), positions=Positions())
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await press(stage, pilot, "b", "enter", "y")
        assert "on its way to the broker at 3.10" in said(stage)
        stage.clock.advance(5)
        await stage.settle(pilot)
        assert isinstance(stage.app.screen, TicketDialog)
        filled = msgspec.structs.replace(held[0], trade_id="T4", protected=True)
        told(stage, orders=Orders(), positions=Positions((filled,)))
        await stage.settle(pilot)
        await stage.settle(pilot)
        assert "FILLED 2 @ 4.20: " in said(stage)
        stage.clock.advance(1.1)
        await stage.settle(pilot)
        assert len(stage.app.screen_stack) == 1


async def test_a_refusal_of_the_broker_stays_until_it_is_read() -> None:
    stage = trading()
    why = "no entry manual SPX CALL: Order rejected - reason: margin"
    alert = AlertRow(synthetic.NOON, "warn", why, "reject", "T4")
    assert stage.engine.floor.alerts is not None
    told(
        stage, orders=Orders(), positions=Positions(),
        alerts=msgspec.structs.replace(stage.engine.floor.alerts, rows=(alert,)),
    )  # fmt: skip
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await press(stage, pilot, "b", "enter", "y")
        assert "Order rejected - reason: margin" in said(stage)
        stage.clock.advance(60)
        await stage.settle(pilot)
        assert "Order rejected - reason: margin" in said(stage)
        await press(stage, pilot, "escape")
        assert len(stage.app.screen_stack) == 1


async def test_a_key_of_the_floor_closes_it_and_does_its_work() -> None:
    stage = trading()
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await press(stage, pilot, "p", "b", "enter", "y", "x")
        assert len(stage.app.screen_stack) == 1
        assert [one for one in stage.engine.heard if isinstance(one, CloseTrade)]
        await press(stage, pilot, "b", "enter", "y", "colon")
        assert isinstance(stage.app.screen, OrderLineDialog)
        assert stage.app.screen.query_one(Input).value == ""


async def test_a_limit_far_through_the_market_is_remarked_on_before_it_is_sent() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await press(stage, pilot, "colon", "buy 1 SPX 5940C @ 4.20", "enter")
        assert isinstance(stage.app.screen, TicketDialog)
        assert "fills at once" not in said(stage)
        await press(stage, pilot, "tab", "tab", *"42")
        assert "limit 42.00 is 900 % over the ask 4.20: it fills at once" in said(stage)
        await press(stage, pilot, "enter")
        assert "fills at once" in said(stage) and "SEND" in said(stage)


def test_what_is_refused_as_too_much_says_how_many_would_fit() -> None:
    rules = [{"rule": "position size", "ok": False, "severity": "block", "text": "too large for the equity"}]
    for fits, refusals, told in ((12, rules, True), (20, rules, False), (0, rules, False), (12, [], False)):
        found = preview_of(json.dumps({"qty": 20, "fits": fits, "verdict": "refused", "rules": refusals}))
        lines = ["".join(text for text, _ in line) for line in loud_lines(found, 40)]
        assert ("→ 12 would fit: take fewer" in lines) is told


@pytest.mark.parametrize(("notional", "label"), [(True, "notional"), (False, "cost")])
def test_what_a_future_stands_for_is_not_called_its_cost(notional: bool, label: str) -> None:
    found = preview_of(json.dumps({"cost": "302937.50", "fees": "2.25", "notional": notional}))
    assert "".join(text for text, _ in money_lines(found, 50)[0]).split()[:2] == [label, "$302,937.50,"]
