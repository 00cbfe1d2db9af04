"""What somebody new to the floor runs into: lists longer than their panes, nothing to act on, no engine."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from textual.widgets import Static

from station.link import (
    Ask,
    AskedPart,
    Data,
    Floor,
    Link,
    LinkClient,
    LinkState,
    LocalLink,
    Orders,
    Positions,
    Watch,
    WatchRow,
)
from tests.tui import synthetic
from tests.tui.stage import Stage, connected, lost, press
from widgets import words
from widgets.attention import Attention
from widgets.book import content as book_content
from widgets.pane import Pane
from widgets.preferences import Group
from widgets.scene import Scene
from widgets.sight import Sight

LONG_LIST = tuple(f"AA{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def of_many(stage: Stage) -> Link:
    """An engine that watches more than any pane has rows for."""

    def answer(ask: Ask) -> AskedPart | None:
        if ask.part == "watch":
            return Watch(ask, tuple(WatchRow(symbol, 5.0, 0.1, synthetic.NOON) for symbol in LONG_LIST))
        return stage.engine.answer(ask)

    return LocalLink(stage.engine.handle, stage.engine.picture, clock=stage.clock, answer=answer)


def watchlist(stage: Stage) -> Pane:
    return stage.app.screen_stack[0].query_one("#watch", Pane)


async def test_the_symbol_in_sight_is_seen_in_the_watchlist_however_it_was_chosen() -> None:
    stage = Stage(synthetic.calm(), of_many)
    async with stage.app.run_test(size=(120, 40)) as pilot:
        stage.app.aim(symbol="AAZ")
        await stage.settle(pilot)
        await stage.settle(pilot)
        assert "▸AAZ" in watchlist(stage).text()
        stage.app.aim(symbol="AAA")
        await stage.settle(pilot)
        assert "▸AAA" in watchlist(stage).text()


async def test_it_is_seen_in_another_group_too() -> None:
    stage = Stage(synthetic.calm(), of_many)
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await stage.settle(pilot)
        stage.app.manner.keep(groups=(Group("few", ("AAA", "AAZ")),))
        stage.app.aim(symbol="AAZ", group="few")
        await stage.settle(pilot)
        assert "▸AAZ" in watchlist(stage).text() and "AAC" not in watchlist(stage).text()
        stage.app.aim(group="")
        await stage.settle(pilot)
        assert "▸AAZ" in watchlist(stage).text()


async def test_it_is_still_seen_where_the_pane_becomes_smaller() -> None:
    stage = Stage(synthetic.calm(), of_many)
    async with stage.app.run_test(size=(80, 40)) as pilot:
        await stage.settle(pilot)
        await pilot.press("w")
        stage.app.aim(symbol="AAX")
        await stage.settle(pilot)
        await stage.settle(pilot)
        assert "▸AAX" in watchlist(stage).text()
        await pilot.resize_terminal(80, 24)
        await stage.settle(pilot)
        assert "▸AAX" in watchlist(stage).text()


async def test_a_list_that_somebody_scrolls_stays_where_it_was_put() -> None:
    stage = Stage(synthetic.calm(), of_many)
    async with stage.app.run_test(size=(120, 40)) as pilot:
        stage.app.aim(symbol="AAA")
        await stage.settle(pilot)
        await stage.settle(pilot)
        watchlist(stage).action_page(1)
        await stage.settle(pilot)
        assert "▸AAA" not in watchlist(stage).text()


@pytest.mark.parametrize(
    ("key", "told"),
    [("x", "flat: there is no position"), ("V", "flat: there is no position"), ("M", "no order works")],
)
async def test_where_there_is_nothing_to_pick_from_nobody_is_told_to_pick(key: str, told: str) -> None:
    nothing = msgspec.structs.replace(synthetic.calm(), positions=Positions(), orders=Orders())
    stage = Stage(nothing)
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await stage.settle(pilot)
        await pilot.press(key)
        assert told in stage.line("notice")
        assert stage.engine.heard == []


def test_a_book_that_is_on_its_way_is_not_asked_of_the_trader() -> None:
    nothing = Scene(Floor(synthetic.header()), LinkState.CONNECTED)
    asked = replace(nothing, sight=Sight("SPX", contract="5940C"))
    assert book_content(asked, 60, 12).empty == "asking for the prices of 5940C …"
    assert "choose an option" in book_content(nothing, 60, 12).empty


async def test_who_leaves_a_lost_engine_is_not_promised_that_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    stage = Stage(synthetic.calm(), lambda stage: LinkClient(path, clock=stage.clock))
    async with stage.app.run_test(size=(120, 40)) as pilot:
        server = await connected(stage, pilot, path)
        await server.stop()
        await lost(stage, pilot)
        await stage.settle(pilot)
        await pilot.press("q")
        await stage.settle(pilot)
        said = "\n".join(str(one.render()) for one in stage.app.screen.query("Static"))
        assert "not reached" in said and "goes on" not in said and "stop the engine" not in said
        stage.clock.advance(0.3)
        await pilot.press("enter")
        await pilot.pause()
    assert stage.app.return_value == "left"


async def test_help_that_goes_on_below_says_so() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.settle(pilot)
        await pilot.press("question_mark")
        await stage.settle(pilot)
        assert "more" in str(stage.app.screen.query_one("#box").border_subtitle)


async def test_a_journal_without_a_trade_says_where_its_curve_will_begin() -> None:
    stage = Stage(synthetic.calm())
    stage.engine.documents["performance"] = Data("{}")
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await stage.settle(pilot)
        assert "the curve begins with the first" in await press(stage, pilot, "Y")


def test_one_of_something_is_one() -> None:
    assert [words.counted(number, "trade") for number in (0, 1, 2)] == ["0 trades", "1 trade", "2 trades"]


def test_the_first_picture_waits_for_no_ticket(repo_root: Path) -> None:
    code = "import sys, widgets.running; print([one for one in sys.modules if one.startswith('widgets.')])"
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, check=True).stdout
    late = ("dealing", "ticket_dialog", "amend", "proposal_dialog", "jump", "journal")
    assert "'widgets.app'" in told and not [name for name in late if f"'widgets.{name}'" in told]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_an_account_stands_in_one_line(size: tuple[int, int]) -> None:
    account = {"name": "large", "account": "DU1000250", "start_cash": "250000.00", "result": "-12345.60",
               "fees": "1234.50", "executions": 1234, "open_contracts": 12, "running": True}  # fmt: skip
    stage = Stage(synthetic.calm())
    stage.engine.documents["profiles"] = Data(json.dumps({"profiles": [account, account]}))
    async with stage.app.run_test(size=size) as pilot:
        await stage.settle(pilot)
        await pilot.press("i")
        await stage.app.workers.wait_for_complete()
        await stage.settle(pilot)
        table = stage.app.screen.query_one("#pages Static", Static)
        assert table.size.height == 3
        assert "250,000.00" in str(table.render())


async def test_a_kill_that_flattens_does_not_offer_to_flatten() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.settle(pilot)
        await pilot.press("f12")
        await stage.app.workers.wait_for_complete()
        assert "close every position" in str(stage.app.screen.query_one("#next", Static).render())
        stage.clock.advance(0.4)
        await pilot.press("f12")
        stage.clock.advance(0.15)
        await stage.app.workers.wait_for_complete()
        assert "close every position" not in str(stage.app.screen.query_one("#next", Static).render())


def test_a_broker_that_was_not_there_yet_is_not_back() -> None:
    attention = Attention()

    def said(*, up: bool) -> list[str]:
        header = msgspec.structs.replace(synthetic.header(), broker_up=up)
        return [one.text for one in attention.news(Scene(Floor(header), LinkState.CONNECTED))]

    assert said(up=False) == []
    assert said(up=True) == ["the broker paper answers"]
    assert "BROKER DOWN" in said(up=False)[0]
    assert said(up=True) == ["the broker paper is back"]


async def test_what_an_engine_that_is_gone_last_told_is_not_said_to_be_the_present_and_ends_with_its_return(
    tmp_path: Path,
) -> None:
    path = tmp_path / "engine.sock"
    calm = synthetic.calm()
    flat = msgspec.structs.replace(calm, positions=Positions(()), orders=Orders(()))
    stage = Stage(flat, lambda stage: LinkClient(path, clock=stage.clock))
    async with stage.app.run_test(size=(120, 40)) as pilot:
        server = await connected(stage, pilot, path)
        await server.stop()
        await lost(stage, pilot)
        await stage.settle(pilot)
        await pilot.press("x")
        await stage.settle(pilot)
        assert "flat when the engine was last heard" in stage.line("notice")
        await pilot.press("b")
        await stage.settle(pilot)
        assert "There is no engine to deal with" in stage.line("notice")
        server = await connected(stage, pilot, path)
        assert "the engine is back" in stage.line("notice")
        await server.stop()
