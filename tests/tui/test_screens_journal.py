"""The journal, performance, data health, log and jobs: what they show, and what keys do there."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from station.link import Ack, Data, LinkClient, LinkServer, LinkState, NoteTrade, Query, TagTrade
from tests.tui import synthetic, synthetic_journal
from tests.tui.stage import Stage, press, typed
from widgets.film import FilmPane
from widgets.ledger import csv_of
from widgets.page import PagePane
from widgets.told import TradeTold

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x50": (200, 50)}
LARGE = (200, 50)
PAGES = {"journal": "J", "performance": "Y", "health": "H", "log": "L", "jobs": "T"}
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


def asked(stage: Stage, name: str) -> list[dict[str, str]]:
    return [one.args for one in stage.engine.heard if isinstance(one, Query) and one.name == name]


def said(stage: Stage) -> str:
    """What the dialog says."""
    return " ".join(str(one.render()) for one in stage.app.screen.query("Static"))


# --- pictures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("mood", "size"), [*(("calm", size) for size in SIZES), ("busy", "120x40")])
def test_a_screen_as_a_picture(snap_compare: Compare, page: str, size: str, mood: str) -> None:
    stage = Stage(getattr(synthetic, mood)())

    async def turn(pilot: Pilot[str]) -> None:
        await press(stage, pilot, PAGES[page])
        if mood == "busy" and page == "journal":
            await press(stage, pilot, "down", "tab", "end")

    assert snap_compare(stage.app, terminal_size=SIZES[size], run_before=turn)


@pytest.mark.parametrize("page", PAGES)
async def test_a_screen_says_what_is_wrong(page: str) -> None:
    stage = Stage(synthetic.calm())
    stage.engine.documents[page] = Ack(False, "the lifecycle database is locked", "STORAGEUNAVAILABLE")
    async with stage.app.run_test(size=SIZES["120x40"]) as pilot:
        text = await press(stage, pilot, PAGES[page])
        assert "the lifecycle database is locked" in " ".join(text.split()) and "ERROR" in text


@pytest.mark.parametrize("page", PAGES)
def test_a_lost_engine_leaves_a_dated_memory(snap_compare: Compare, page: str, tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    stage = Stage(synthetic.calm(), lambda one: LinkClient(path, clock=one.clock))

    async def lose(pilot: Pilot[str]) -> None:
        server = LinkServer(path, stage.engine.handle, stage.engine.picture, clock=stage.clock)
        await server.start()
        while stage.app.link.state is not LinkState.CONNECTED:
            stage.clock.advance(1)
            await pilot.pause()
        server.tick()
        await pilot.press(PAGES[page])
        while not any(pane.text().count("\n ") > 3 for pane in shown(stage)):
            stage.app.pump()
            await pilot.pause()
        await server.stop()
        while stage.app.link.state is not LinkState.LOST:
            await pilot.pause()
        stage.clock.move_to(stage.clock.now() + 12_000_000_000)
        await press(stage, pilot)

    assert snap_compare(stage.app, terminal_size=SIZES["120x40"], run_before=lose)


def shown(stage: Stage) -> list[PagePane]:
    page = stage.app.pages.shown
    return page.panes if page is not None else []


# --- the journal ---------------------------------------------------------------------------------------


async def test_the_trade_under_the_cursor_is_told_and_filmed() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        text = await press(stage, pilot, "J", "down")
        assert "Story  T0003" in text and "held through the pullback, as planned" in text
        assert "31 rules pass" in text and "#breakout #late" in text
        assert asked(stage, "film")[-1] == {"trade": "T0003"}


async def test_the_film_goes_bar_by_bar_and_shows_nothing_that_came_after() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        text = await press(stage, pilot, "J", "down", "enter")
        assert "bar 31 of 64" in text and "◆ signal" in text and "▲ entry" not in text
        text = await press(stage, pilot, "left")
        assert "bar 30 of 64" in text and "◆ signal" not in text
        text = await press(stage, pilot, "shift+right", "right")
        assert "bar 32 of 64" in text and "▲ entry" in text and "target 4.80" in text and "stop 3.05" in text
        text = await press(stage, pilot, "end")
        assert "bar 64 of 64" in text and "▼ exit" in text and "closed: target 176.00" in text
        text = await press(stage, pilot, "home", "space")
        assert "playing" in text
        stage.app.pump()
        stage.app.pump()
        assert stage.app.pages.shown is not None
        film = stage.app.pages.shown.query_one(FilmPane)
        assert film.playing and "bar 1 of" not in film.text()


def with_a_newer(told: dict[str, Any]) -> dict[str, Any]:
    """A trade more than there were."""
    return {**told, "trades": [{**told["trades"][0], "id": "T0009"}, *told["trades"]]}


@pytest.mark.parametrize("keys", [("enter",), ("enter", "right"), ("tab",), ("e",)])
async def test_a_newer_trade_takes_no_story_or_film_out_of_the_hand(keys: tuple[str, ...]) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "J", *keys)
        stage.engine.documents["journal"] = Data(json.dumps(with_a_newer(synthetic_journal.journal({}))))
        stage.clock.advance(11)
        text = await press(stage, pilot)
        assert "Game film  T0004" in text and asked(stage, "film")[-1] == {"trade": "T0004"}
        await press(stage, pilot, "n")
        assert "T0004" in str(stage.app.screen.query_one("#box").border_title)


async def test_the_list_alone_goes_on_to_the_newest_trade() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "J")
        stage.engine.documents["journal"] = Data(json.dumps(with_a_newer(synthetic_journal.journal({}))))
        stage.clock.advance(11)
        await press(stage, pilot)
        assert asked(stage, "film")[-1] == {"trade": "T0009"}


async def test_the_key_line_tells_the_keys_of_the_film_while_it_has_them() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZES["80x24"]) as pilot:
        await press(stage, pilot, "J")
        assert "bar" not in stage.line("keys") and "enter film" in stage.line("keys")
        await press(stage, pilot, "enter")
        assert "left right bar  space play" in stage.line("keys")
        await press(stage, pilot, "G")
        assert "[ ] week" in stage.line("keys") and "film" not in stage.line("keys")
        await press(stage, pilot, "tab")
        assert "week" not in stage.line("keys")


async def test_the_film_of_a_trade_that_is_over_is_asked_for_once() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "J", "down")
        for _ in range(4):
            stage.clock.advance(30)
            await press(stage, pilot)
        assert len([one for one in asked(stage, "film") if one["trade"] == "T0003"]) == 1
        assert len(asked(stage, "journal")) == 5


async def test_filters_are_a_line_of_words_and_a_wrong_one_is_told() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "J", "slash")
        text = await typed(stage, pilot, "spy loss #revenge")
        assert asked(stage, "journal")[-1] == {"symbol": "spy", "result": "loss", "tag": "revenge"}
        await press(stage, pilot, "slash")
        await typed(stage, pilot, "size:3")
        assert "no filter 'size'" in str(stage.app.screen.query_one("#wrong").render())  # pyright: ignore[reportAttributeAccessIssue]
        text = await typed(stage, pilot, "result:win")
        assert "only  result:win" in text.replace("only r", "only  r") and "2 of 4" in text
        assert "4 of 4" in await press(stage, pilot, "backspace")


async def test_a_note_and_a_tag_reach_the_engine() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "J", "down", "n")
        await typed(stage, pilot, "chased it")
        assert NoteTrade("T0003", "chased it", "screen") in stage.engine.heard
        assert "noted on T0003" in stage.line("notice")
        await press(stage, pilot, "number_sign")
        await typed(stage, pilot, "#Late")
        assert TagTrade("T0003", "late", False, "screen") in stage.engine.heard, "it was on, so it comes off"
        await press(stage, pilot, "number_sign")
        await typed(stage, pilot, "fomo")
        assert TagTrade("T0003", "fomo", True, "screen") in stage.engine.heard


async def test_a_note_that_was_not_taken_is_kept_with_the_reason() -> None:
    stage = Stage(synthetic.calm())
    stage.engine.edits = [Ack(False, f"the database is locked by {'x' * 500}: try again", "STORAGE")]
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "J", "down", "n")
        await typed(stage, pilot, "chased it")
        assert stage.app.screen.query_one("#word", Input).value == "chased it"
        assert "try again" in said(stage) and "xxx…" in said(stage)
        assert "try again" in stage.line("notice")
        await typed(stage, pilot, "chased it")
        assert len(stage.app.screen_stack) == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("date:banana", "date:banana is no day"), ("to:2026-02-30", "no day"), ("result:up", "use win, loss"),
        ("x" * 5000, "5,000 characters: a filter has at most 200"), ("result:", "wants a value"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["J", "Y"])
async def test_a_filter_that_cannot_be_stays_in_its_dialog(key: str, line: str, why: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        before = await press(stage, pilot, key)
        await press(stage, pilot, "slash")
        stage.clock.advance(0.4)
        stage.app.screen.query_one("#word", Input).value = line
        await pilot.press("enter")
        assert why in said(stage), "and what was shown before stands"
        assert stage.page() == before
        await press(stage, pilot, "escape")


async def test_the_events_are_told_whole_with_the_state_each_led_to() -> None:
    stage = Stage(synthetic.calm())
    shown = synthetic_journal.story("T0003")
    shown["transitions"] = [{"seq": 2, "state": "BUY_SUBMITTED", "ts_utc": shown["events"][0]["ts_utc"]}]
    shown["events"][2]["data"] = {"text": "word " * 60}
    stage.engine.documents["story"] = Data(json.dumps(shown))
    async with stage.app.run_test(size=LARGE) as pilot:
        rows = (await press(stage, pilot, "J", "down", "e")).splitlines()
        (place,) = [n for n, row in enumerate(rows) if "→ BUY_SUBMITTED" in row]
        assert sum(row.count("word") for row in rows[:place]) == 60
        assert rows[place - 1].strip().endswith("word")


async def test_the_list_is_exported_and_the_film_pictured(tmp_path: Path) -> None:
    (tmp_path / "screen.json").write_text('{"greeted": true}')
    stage = Stage(synthetic.calm(), folder=tmp_path)
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "J", "down", "E")
        rows = list(csv.DictReader((tmp_path / "exports" / "journal.csv").open()))
        assert [row["id"] for row in rows] == ["T0004", "T0003", "T0002", "T0001"]
        assert rows[1]["net_pnl"] == "176.00" and rows[1]["tags"] == "breakout late"
        assert (tmp_path / "exports" / "journal.csv").stat().st_mode & 0o777 == 0o600
        await press(stage, pilot, "V")
        assert "film-T0003.svg" in stage.line("notice")
        picture = ET.parse(tmp_path / "exports" / "film-T0003.svg").getroot()
        assert "SPX_V3_CALL" in "".join(picture.itertext())
        assert "◆ signal" in (tmp_path / "exports" / "film-T0003.txt").read_text(encoding="utf-8")


async def test_a_film_that_is_not_in_sight_is_pictured_too(tmp_path: Path) -> None:
    (tmp_path / "screen.json").write_text('{"greeted": true}')
    stage = Stage(synthetic.calm(), folder=tmp_path)
    async with stage.app.run_test(size=SIZES["80x24"]) as pilot:
        await press(stage, pilot, "J", "down", "V")
        text = (tmp_path / "exports" / "film-T0003.txt").read_text(encoding="utf-8")
        assert "◆ signal" in text and sum(any(one in row for one in "┃│╽╿") for row in text.splitlines()) > 5


async def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "exports").write_text("in the way")
    (tmp_path / "screen.json").write_text('{"greeted": true}')
    stage = Stage(synthetic.calm(), folder=tmp_path)
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "J", "E")
        assert "cannot be written" in stage.line("notice")


def test_a_csv_cell_never_begins_a_formula() -> None:
    trade = TradeTold("T1", "SPX", "=HYPERLINK()", "CLOSED", net_pnl="-12.50", cause="@x", tags=("a",))
    text = csv_of((trade,))
    assert "'=HYPERLINK()" in text and "'@x" in text and ",-12.50," in text


def test_a_csv_counts_contracts_in_whole_numbers() -> None:
    header, row, *_ = csv_of((TradeTold("T1", "SPX", "SPXW 5940C", "CLOSED", qty=9.0),)).splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=True))["qty"] == "9"


# --- the station's own ---------------------------------------------------------------------------------


async def test_the_log_is_filtered_by_level_and_words_and_held() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZES["120x40"]) as pilot:
        assert "7 lines" in await press(stage, pilot, "L")
        text = await press(stage, pilot, "plus")
        assert "3 lines" in text and "level:warning" in text
        await press(stage, pilot, "slash")
        text = await typed(stage, pilot, "trade t0004")
        assert asked(stage, "log")[-1] == {"component": "trade", "text": "t0004"} and "2 lines" in text
        assert "HELD" in await press(stage, pilot, "space")
        before = len(asked(stage, "log"))
        stage.clock.advance(30)
        await press(stage, pilot)
        assert len(asked(stage, "log")) == before
        assert "following" in await press(stage, pilot, "space")
        assert "HELD" in await press(stage, pilot, "down"), "a line that is read stays where it is"
        assert "following" in await press(stage, pilot, "home")


async def test_health_shows_the_feed_under_the_cursor() -> None:
    stage = Stage(synthetic.busy())
    async with stage.app.run_test(size=LARGE) as pilot:
        text = await press(stage, pilot, "H", "down")
        assert "Series of SPY" in text and "2 of 4 not well" in text
        throttled = {
            line.split()[0]: "YES" in line for line in text.splitlines() if "LIVE" in line or "ING" in line
        }
        assert throttled["ES"] and not throttled["SPX"]
        assert "market data is 312 ms late" in text


async def test_jobs_name_the_task_that_keeps_failing() -> None:
    stage = Stage(synthetic.busy())
    async with stage.app.run_test(size=LARGE) as pilot:
        text = await press(stage, pilot, "T")
        assert "market not well" in text and "FAILING" in text and "failed: the source does not answer" in text
