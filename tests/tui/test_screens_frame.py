"""The frame of the screens beside the floor: turning to them, asking while shown, states, keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from station.link import (
    Ack,
    ClosePart,
    Command,
    Data,
    EditConfig,
    Kill,
    LinkClient,
    LinkServer,
    LinkState,
    LocalLink,
    PreviewOrder,
    PreviewReverse,
    Query,
    Reply,
)
from tests.tui import synthetic
from tests.tui.stage import Stage, lost, press
from widgets.actions import ACTIONS, SCREEN, SCREENS
from widgets.columns import Column, Table
from widgets.dialogs import Dialog, HelpDialog, KillDialog
from widgets.film import FilmPane
from widgets.gallery import GalleryPane
from widgets.ink import TEXT
from widgets.pages import PAGES, page_class
from widgets.palette import ActionProvider
from widgets.roles import ordered
from widgets.rowpage import RowPage
from widgets.screen_keys import SCREEN_KEYS

SIZE = (120, 40)


async def turned(stage: Stage, pilot: Pilot[str], *keys: str) -> str:
    """What stands on the screen shown, after these keys."""
    await stage.settle(pilot)
    await pilot.press(*keys)
    await stage.settle(pilot)
    await stage.settle(pilot)
    return stage.page()


def test_every_screen_of_the_table_exists() -> None:
    assert [entry.name for entry in SCREENS] == list(PAGES)
    assert all(page_class(name).TITLE for name in PAGES)


def test_every_key_of_a_screen_does_something_there() -> None:
    inside = {"film": FilmPane, "gallery": GalleryPane, "rows": RowPage}
    for key in SCREEN_KEYS:
        where = inside.get(key.scope) or page_class(key.scope)
        assert hasattr(where, f"action_{key.run.partition('(')[0]}"), key.name


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_a_key_turns_to_a_screen_and_escape_back(size: tuple[int, int]) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=size) as pilot:
        assert "SPX_V3_CALL" in await turned(stage, pilot, "f5")
        assert "day" in stage.line("header") and "KILL" in stage.line("keys")
        assert stage.app.link.view.asks == (), "the floor behind it asks for nothing"
        await turned(stage, pilot, "escape")
        assert stage.app.pages.shown is None and stage.app.focused_pane is stage.app.positions
        await turned(stage, pilot, "f5", "f2")
        assert stage.app.pages.shown is None


async def test_a_screen_follows_its_terminal_at_once() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await turned(stage, pilot, "J")
        page = stage.app.pages.shown
        assert page is not None
        wide = [pane.display for pane in page.panes]
        assert sum(wide) > 1
        for size, expected in (((80, 24), 1), ((120, 40), sum(wide)), ((1, 1), 1), ((120, 40), sum(wide))):
            await pilot.resize_terminal(*size)
            await stage.settle(pilot)
            assert sum(pane.display for pane in page.panes) == expected, size


async def test_no_screen_and_no_dialog_dies_of_a_small_terminal() -> None:
    stage = Stage(synthetic.busy())
    async with stage.app.run_test(size=(120, 40)) as pilot:
        keys = [entry.keys.split(",")[0] for entry in ACTIONS if entry.group == SCREEN]
        for key in ("f12", "g", "b", "O", "question_mark", *keys):
            await turned(stage, pilot, key)
            for size in ((1, 1), (10, 2), (120, 40)):
                await pilot.resize_terminal(*size)
            assert "KILL" in stage.line("keys"), key
            while len(stage.app.screen_stack) > 1:
                stage.clock.advance(0.5)
                await pilot.press("escape")


@pytest.mark.parametrize(
    ("opening", "key"),
    [("p minus", "enter"), ("J slash", "enter"), ("ctrl+p", "enter"), ("space", "a"), ("ctrl+w", "enter"),
     ("question_mark", "q"), ("q", "escape"), ("i", "enter")],
)  # fmt: skip
async def test_a_key_pressed_twice_at_once_leaves_a_dialog_once(opening: str, key: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await press(stage, pilot, *opening.split())
        assert len(stage.app.screen_stack) == 2
        stage.clock.advance(0.4)
        for _ in range(3):
            stage.app.post_message(Key(key, key if len(key) == 1 else None))
        await stage.settle(pilot)
        assert stage.app.is_running and len(stage.app.screen_stack) <= 2
        closed = [one for one in stage.engine.heard if isinstance(one, ClosePart)]
        assert len(closed) == (opening == "p minus")


@pytest.mark.parametrize(
    "keys", ["g o", "q s", "q enter", "C y", "p V y", "o b enter y", "p minus enter", "question_mark q"]
)
async def test_keys_under_way_while_a_dialog_opens_answer_it_as_little_as_later_ones(keys: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await press(stage, pilot, "p")
        for key in keys.split():
            letter = {"minus": "-", "question_mark": "?"}.get(key, key)
            stage.app.post_message(Key(key, letter if len(letter) == 1 else None))
        await press(stage, pilot)
        assert isinstance(stage.app.screen, Dialog)
        asked = (Query, PreviewOrder, PreviewReverse)
        assert [one for one in stage.engine.heard if not isinstance(one, asked)] == []


@pytest.mark.parametrize("opening", ["slash", "colon", "p minus", "R"])
async def test_a_dialog_that_was_typed_into_is_left_however_soon(opening: str) -> None:
    stage = Stage(synthetic.busy())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, *opening.split())
        await pilot.press("escape")
        assert len(stage.app.screen_stack) == 2, "nothing says that the key was meant for it"
        await pilot.press("1", "escape")
        await stage.settle(pilot)
        assert len(stage.app.screen_stack) == 1


async def test_an_edit_is_sent_once_and_told_of_though_its_dialog_was_left_before_the_answer() -> None:
    may_answer = asyncio.Event()

    async def late(stage: Stage, command: Command) -> Reply:
        reply = await stage.engine.handle(command)
        if isinstance(command, EditConfig):
            await may_answer.wait()
        return reply

    def link(stage: Stage) -> LocalLink:
        engine = stage.engine
        return LocalLink(
            lambda command: late(stage, command), engine.picture, clock=stage.clock, answer=engine.answer
        )

    stage = Stage(synthetic.calm(), link)
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "f7", "down", "down", "enter", "9", "enter", "enter")
        stage.clock.advance(0.4)
        await press(stage, pilot, "escape")
        assert len(stage.app.screen_stack) == 1
        may_answer.set()
        await stage.app.workers.wait_for_complete()
        await stage.settle(pilot)
        assert "taken" in stage.line("notice")
        assert len([one for one in stage.engine.heard if isinstance(one, EditConfig)]) == 1


async def test_an_answer_that_comes_late_takes_no_other_dialog_away() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await press(stage, pilot, "f7", "down", "down", "enter")
        edit = stage.app.screen
        stage.clock.advance(0.4)
        await pilot.press("f12")
        await stage.settle(pilot)
        edit.dismiss("1.9")
        await stage.settle(pilot)
        assert isinstance(stage.app.screen, KillDialog)


async def test_a_pane_called_by_its_letter_brings_the_floor_back() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await turned(stage, pilot, "f5", "h")
        assert stage.app.pages.shown is None
        assert stage.app.focused_pane is not None and stage.app.focused_pane.id == "chart"


async def test_the_screens_go_round_with_the_floor_among_them() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        for name in ordered((entry.name for entry in SCREENS), "trader"):
            await turned(stage, pilot, "full_stop")
            assert stage.app.pages.shown is not None and stage.app.pages.shown.id == f"page-{name}"
        await turned(stage, pilot, "full_stop")
        assert stage.app.pages.shown is None
        await turned(stage, pilot, "comma")
        assert stage.app.pages.shown is not None


async def test_the_palette_turns_too() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        stage.app.action_act("scanners")
        assert "SPX_V3_CALL" in await turned(stage, pilot)


async def test_a_screen_asks_only_while_it_is_shown_and_no_oftener_than_it_says() -> None:
    stage = Stage(synthetic.calm())

    def asked() -> int:
        return sum(command == Query("scanner_room") for command in stage.engine.heard)

    async with stage.app.run_test(size=SIZE) as pilot:
        await turned(stage, pilot, "f5")
        assert asked() == 1
        stage.clock.advance(page_class("scanners").EVERY_S - 0.1)
        await stage.settle(pilot)
        assert asked() == 1
        stage.clock.advance(0.2)
        await stage.settle(pilot)
        assert asked() == 2
        await turned(stage, pilot, "escape")
        stage.clock.advance(60)
        await stage.settle(pilot)
        assert asked() == 2


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            Ack(False, "the engine is still starting (warming): try again", "STARTING"),
            "still starting (warming)",
        ),
        (Ack(False, "the config database is locked", "STORAGEUNAVAILABLE"), "the config database is locked"),
        (Data("no json"), "cannot be read"),
        (Data("{}"), "the catalogue is empty"),
    ],
)
async def test_a_screen_says_what_is_wrong(reply: Ack | Data, said: str) -> None:
    stage = Stage(synthetic.calm())
    stage.engine.documents["scanner_room"] = reply
    async with stage.app.run_test(size=SIZE) as pilot:
        text = await turned(stage, pilot, "f5")
        assert said in " ".join(text.split())
        assert ("ERROR" in text) == ("locked" in said or "cannot" in said)


async def test_what_was_known_stays_when_asking_again_fails() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await turned(stage, pilot, "f5")
        stage.engine.documents["scanner_room"] = Ack(False, "the config database is locked", "X")
        stage.clock.advance(10)
        text = await turned(stage, pilot)
        assert "SPX_V3_CALL" in text and "not the newest: the config database is locked" in text


async def test_a_lost_engine_leaves_a_dated_memory_on_a_screen_too(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    stage = Stage(synthetic.calm(), lambda one: LinkClient(path, clock=one.clock))
    async with stage.app.run_test(size=SIZE) as pilot:
        server = LinkServer(
            path, stage.engine.handle, stage.engine.picture, clock=stage.clock, answer=stage.engine.answer
        )
        await server.start()
        while stage.app.link.state is not LinkState.CONNECTED:
            stage.clock.advance(1)
            await pilot.pause()
        server.tick()
        await pilot.press("f5")
        while "SPX_V3_CALL" not in stage.page():
            stage.app.pump()
            await pilot.pause()
        await server.stop()
        await lost(stage, pilot)
        assert "as of" in await turned(stage, pilot)
        assert "SPX_V3_CALL" in stage.page()


async def test_a_screen_never_answered_says_that_there_is_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stage = Stage(synthetic.calm(), lambda one: LinkClient(Path("engine.sock"), clock=one.clock))
    async with stage.app.run_test(size=SIZE) as pilot:
        await lost(stage, pilot)
        assert "no engine to look at" in await turned(stage, pilot, "f5")


async def test_the_kill_key_works_on_a_screen() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await turned(stage, pilot, "f5", "f12")
        assert isinstance(stage.app.screen, KillDialog)
        assert Kill(by="screen") in stage.engine.heard
        assert "KILL ON" in stage.line("header")


async def test_help_begins_with_the_screen_shown() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await turned(stage, pilot, "f5", "question_mark")
        assert isinstance(stage.app.screen, HelpDialog)
        assert "In scanners" in str(stage.app.screen.query("Static")[0].render())


async def test_what_must_be_seen_is_seen_on_every_small_screen_and_over_every_dialog() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        for entry in SCREENS:
            await turned(stage, pilot, entry.keys.split(",")[0])
            assert "F12 KILL" in stage.line("keys") and "? help" in stage.line("keys"), entry.name
            header = stage.line("header")
            assert "kill OFF" in header and "day ▲" in header, entry.name
        await turned(stage, pilot, "question_mark")
        box = stage.app.screen.query_one("#box").region
        assert box.y >= 3 and box.bottom <= 23


async def test_one_who_looks_on_is_offered_nothing_that_edits() -> None:
    stage = Stage(synthetic.calm(), read_only=True)
    async with stage.app.run_test(size=SIZE) as pilot:
        await turned(stage, pilot, "J")
        assert "note" not in stage.line("keys") and "filter" in stage.line("keys")
        await turned(stage, pilot, "f7")
        await stage.app.workers.wait_for_complete()
        await turned(stage, pilot, "down", "down", "down", "enter")
        assert len(stage.app.screen_stack) == 1 and "read-only" in stage.line("notice")


async def test_a_key_of_a_screen_is_moved_in_every_place_that_names_it() -> None:
    stage = Stage(synthetic.calm(), keys={"journal.note": "W"})
    async with stage.app.run_test(size=SIZE) as pilot:
        await turned(stage, pilot, "J", "n")
        assert len(stage.app.screen_stack) == 1
        assert "W note" in stage.line("keys")
        page = stage.app.pages.shown
        assert page is not None and ("W", "Write a note.") in page.help()
        await turned(stage, pilot, "W")
        assert isinstance(stage.app.screen, Dialog)


async def test_the_cursor_of_the_palette_stands_still_as_in_every_line() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        for key in ("ctrl+p", "slash"):
            await press(stage, pilot, key)
            assert not stage.app.screen.query_one(Input).cursor_blink
            stage.clock.advance(0.4)
            await press(stage, pilot, "escape")


@pytest.mark.parametrize("key", ["pageup", "pagedown"])
async def test_keys_of_a_palette_in_which_nothing_stands_yet_end_nothing(key: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(60, 20)) as pilot:
        await stage.settle(pilot)
        for one in ("ctrl+p", key):
            stage.app.post_message(Key(one, None))
        await stage.settle(pilot)
        await pilot.press("Q", "Q", "Q", key)
        await stage.settle(pilot)
        assert stage.app.is_running and stage.app.failure is None and len(stage.app.screen_stack) == 2


async def test_the_palette_begins_with_what_the_screen_shown_can_do() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await turned(stage, pilot, "f5")
        hits = [hit async for hit in ActionProvider(stage.app.screen).discover()]
        assert "find · /" in str(hits[2].display)
        found = [hit async for hit in ActionProvider(stage.app.screen).search("master")]
        found[0].command()
        await turned(stage, pilot)
        assert stage.app.focused_pane is not None and stage.app.focused_pane.title == "Master switches"


async def test_tab_brings_up_what_stands_behind() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await turned(stage, pilot, "f7")
        page = stage.app.pages.shown
        assert page is not None and "tab History" in page.panes[1].text()
        seen = []
        for _ in range(3):
            await turned(stage, pilot, "tab")
            seen.append(stage.app.focused_pane.title if stage.app.focused_pane is not None else "")
        assert seen == ["Setting", "History", "Configuration"]


async def test_no_position_is_closed_from_a_screen_that_does_not_show_it() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await turned(stage, pilot, "f5", "x")
        assert "press p first" in stage.line("notice")


def test_columns_give_way_by_rank() -> None:
    columns = (Column("name", 6, grows=True), Column("n", 3, ">", rank=1), Column("note", 8, rank=2))
    cells = [("SPX", TEXT), ("7", TEXT), ("whatever", TEXT)]

    def said(width: int) -> str:
        return "".join(text for text, _ in Table(columns, width).line(cells)).rstrip()

    assert said(40).split() == ["SPX", "7", "whatever"] and said(40)[-8:] == "whatever"
    assert said(20).split() == ["SPX", "7"] and said(9).split() == ["SPX"]
    assert "".join(text for text, _ in Table(columns, 40).heading).split() == ["name", "n", "note"]


@pytest.mark.parametrize("size", [(40, 11), (12, 4)])
async def test_no_terminal_is_too_small_for_a_screen(size: tuple[int, int]) -> None:
    stage = Stage(synthetic.busy())
    async with stage.app.run_test(size=size) as pilot:
        for entry in SCREENS:
            assert "could not be drawn" not in await turned(stage, pilot, entry.keys.split(",")[0]), entry.name
        for keys in ("f8", "G"), ("e",), ("p",):
            assert "could not be drawn" not in await turned(stage, pilot, *keys), keys
