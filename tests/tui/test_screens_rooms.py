"""Signals, risk, scanners, strategies and configuration: what they show, and what keys do there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from station.link import (
    Ack,
    CopyStrategy,
    Data,
    EditConfig,
    Floor,
    Kill,
    LinkClient,
    LocalLink,
    Query,
    RevertConfig,
)
from station.link.screens import ChangeLine, VersionLine
from tests.tui import synthetic, synthetic_rooms
from tests.tui.stage import Stage, connected, lost, press, typed
from widgets.asking import WordDialog
from widgets.dialogs import KillDialog
from widgets.page import PagePane
from widgets.risk import _columns_kept  # pyright: ignore[reportPrivateUsage]
from widgets.rowpage import EditDialog, RowPage
from widgets.scanners import spark
from widgets.signals import took

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x50": (200, 50)}
NORMAL, LARGE = (120, 40), (200, 50)
PAGES = {"signals": "f3", "risk": "f4", "scanners": "f5", "tactics": "f6", "settings": "f7"}
QUESTIONS = {
    "signals": "signals", "risk": "risk", "scanners": "scanner_room", "tactics": "strategy_room",
    "settings": "settings",
}  # fmt: skip
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


def said(stage: Stage) -> str:
    """What the dialog says."""
    return " ".join(str(one.render()) for one in stage.app.screen.query("Static"))


def edits(stage: Stage) -> list[object]:
    kinds = (EditConfig, CopyStrategy, RevertConfig)
    return [command for command in stage.engine.heard if isinstance(command, kinds)]


def asked(stage: Stage, name: str) -> dict[str, str]:
    """The newest arguments of a question."""
    return [one.args for one in stage.engine.heard if isinstance(one, Query) and one.name == name][-1]


def has_keys(stage: Stage) -> str:
    focused = stage.app.screen.focused
    return (focused.id or "") if isinstance(focused, PagePane) else ""


# --- pictures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("mood", ["calm", "busy"])
@pytest.mark.parametrize("size", SIZES)
def test_a_screen_as_a_picture(snap_compare: Compare, page: str, size: str, mood: str) -> None:
    stage = Stage(getattr(synthetic, mood)())

    async def turn(pilot: Pilot[str]) -> None:
        await press(stage, pilot, PAGES[page])

    assert snap_compare(stage.app, terminal_size=SIZES[size], run_before=turn)


@pytest.mark.parametrize(
    ("page", "keys"),
    [
        ("signals", ("tab",)), ("risk", ("tab", "tab")), ("scanners", ("tab",)), ("tactics", ("tab", "tab")),
        ("settings", ("end", "tab")),
    ],
)  # fmt: skip
def test_the_second_pane_of_a_small_terminal(snap_compare: Compare, page: str, keys: tuple[str, ...]) -> None:
    stage = Stage(synthetic.calm())

    async def turn(pilot: Pilot[str]) -> None:
        await press(stage, pilot, PAGES[page], *keys)

    assert snap_compare(stage.app, terminal_size=SIZES["80x24"], run_before=turn)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("size", SIZES)
def test_a_question_that_fails(snap_compare: Compare, page: str, size: str) -> None:
    stage = Stage(synthetic.calm())
    stage.engine.documents[QUESTIONS[page]] = Ack(False, "the config database is locked: try again", "STORAGE")

    async def turn(pilot: Pilot[str]) -> None:
        await press(stage, pilot, PAGES[page])

    assert snap_compare(stage.app, terminal_size=SIZES[size], run_before=turn)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("size", SIZES)
def test_an_engine_lost_under_a_screen(snap_compare: Compare, page: str, size: str, tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    stage = Stage(synthetic.calm(), lambda one: LinkClient(path, clock=one.clock))

    async def lose(pilot: Pilot[str]) -> None:
        server = await connected(stage, pilot, path)
        await pilot.press(PAGES[page])
        while not any(isinstance(one, Query) for one in stage.engine.heard) or stage.app.workers:
            stage.app.pump()
            await pilot.pause()
        await press(stage, pilot)
        await stage.app.workers.wait_for_complete()
        await server.stop()
        await lost(stage, pilot)
        stage.clock.move_to(stage.clock.now() + 12_000_000_000)
        await stage.settle(pilot)

    assert snap_compare(stage.app, terminal_size=SIZES[size], run_before=lose)


def test_a_value_edited_in_its_dialog(snap_compare: Compare) -> None:
    stage = Stage(synthetic.calm())
    stage.engine.edits = [
        Ack(False, "risk.max_positions = '0' must be at least 1: try 3; the old value stays", "X")
    ]

    async def edit(pilot: Pilot[str]) -> None:
        await press(stage, pilot, "f7", "down", "down", "down", "enter")
        await typed(stage, pilot, "0")

    assert snap_compare(stage.app, terminal_size=SIZES["80x24"], run_before=edit)


async def test_a_value_taken_over_as_it_was_is_no_edit() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "f7", "down", "down", "down", "enter")
        stage.clock.advance(0.4)
        await pilot.press("enter")
        await press(stage, pilot)
        assert "already" in said(stage)
        assert not [one for one in stage.engine.heard if isinstance(one, EditConfig)]


async def test_what_a_key_edits_is_what_the_cursor_stands_on() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "f5", "o", "o")
        page = stage.app.pages.shown
        assert isinstance(page, RowPage)
        assert page.panes[0].picked == page.key_picked == page.keys()[0]
        await press(stage, pilot, "space")
        (edit,) = [one for one in stage.engine.heard if isinstance(one, EditConfig)]
        assert edit.key == page.panes[0].picked
        await press(stage, pilot, "down", "down", "o")
        assert page.panes[0].picked == page.key_picked != page.keys()[2]


# --- signals -------------------------------------------------------------------------------------------


async def test_signals_are_filtered_and_what_is_wrong_is_said() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        assert "SPX_FIB_1HR_CALL" in await press(stage, pilot, "f3", "slash")
        await typed(stage, pilot, "sideways")
        assert "is no filter" in said(stage)
        await typed(stage, pilot, "status:done")
        assert "'done' is not known" in said(stage)
        text = await typed(stage, pilot, "es call rejected")
        assert asked(stage, "signals") == {"symbol": "ES", "side": "CALL", "state": "REJECTED"}
        assert "ES_CALL_V3" in text and "SPX_V3_PUT" not in text
        text = await press(stage, pilot, "backspace")
        assert asked(stage, "signals") == {} and "SPX_V3_PUT" in text


async def test_days_and_states_are_stepped_through() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "f3", "left")
        assert asked(stage, "signals") == {"day": "2025-11-19"}
        await press(stage, pilot, "left", "left")
        assert "no session beyond" in stage.line("notice")
        await press(stage, pilot, "backspace", "s")
        first = asked(stage, "signals")["state"]
        for _ in range(7):
            await press(stage, pilot, "s")
            if not asked(stage, "signals"):
                break
        assert first and asked(stage, "signals") == {}, "after the last state all are shown again"


async def test_the_way_follows_the_cursor() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        text = await press(stage, pilot, "f3")
        assert "BUY 2 LMT @ 4.20" in text and "fee 1.30" in text and "72ms" in text
        text = await press(stage, pilot, "down", "down")
        assert asked(stage, "signal") == {"id": "S2"}
        assert "spread is too wide (7.1 %, limit 5 % of mid)" in " ".join(text.split())


async def test_one_pane_tells_the_row_under_the_cursor_whole() -> None:
    stage = Stage(synthetic.calm())
    room = synthetic_rooms.settings(busy=False)
    windows = msgspec.structs.replace(
        room.rows[1], limit="HH:MM-HH:MM by symbol, at least one, none overlapping"
    )
    told = synthetic_rooms.signals({}, busy=False)
    long = msgspec.structs.replace(told.rows[0], scanner="SPX_4HR_STOCHASTIC_MOMENTUM_CALL")
    for name, document in (
        ("settings", msgspec.structs.replace(room, rows=(room.rows[0], windows))),
        ("signals", msgspec.structs.replace(told, rows=(long,))),
    ):
        stage.engine.documents[name] = Data(msgspec.json.encode(document).decode())
    async with stage.app.run_test(size=SIZES["80x24"]) as pilot:
        assert windows.limit not in await press(stage, pilot, "f7")
        assert windows.limit in " ".join((await press(stage, pilot, "down")).split())
        assert long.scanner in await press(stage, pilot, "f3")


async def test_a_newer_signal_takes_no_way_out_of_the_hand() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "f3", "tab")
        first = asked(stage, "signal")
        told = synthetic_rooms.signals({}, busy=False)
        newer = msgspec.structs.replace(told.rows[1], id="S1")
        rows = (newer, *(row for row in told.rows if row.id != newer.id))
        stage.engine.documents["signals"] = Data(
            msgspec.json.encode(msgspec.structs.replace(told, rows=rows)).decode()
        )
        stage.clock.advance(4)
        await press(stage, pilot)
        assert asked(stage, "signal") == first


def test_time_taken_is_told_in_its_own_unit() -> None:
    second = 1_000_000_000
    assert [took(second, second + one) for one in (0, 12_400_000, 1_200_000_000, 180 * second)] == [
        "0ms", "12ms", "1.20s", "3m",
    ]  # fmt: skip
    assert took(0, second) == took(second, 0) == ""


# --- risk ----------------------------------------------------------------------------------------------


async def test_the_rules_that_refuse_come_first_and_alone_on_a_key() -> None:
    stage = Stage(synthetic.busy())
    async with stage.app.run_test(size=NORMAL) as pilot:
        text = await press(stage, pilot, "f4")
        lines = text.splitlines()
        assert "REFUSED by 2 of 18 rules" in lines[1] and any("×  spread" in line for line in lines[4:6])
        assert "✓  market gate" in text
        assert "✓" not in (await press(stage, pilot, "b")).split("The book")[0]


async def test_risk_is_asked_of_another_side_and_symbol() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=NORMAL) as pilot:
        await press(stage, pilot, "f4", "s")
        assert asked(stage, "risk") == {"side": "PUT"}
        await press(stage, pilot, "right")
        assert asked(stage, "risk") == {"symbol": "SPY", "side": "PUT"}
        assert "SPYW 5940P 0DTE" in stage.page()


@pytest.mark.parametrize("room", range(2, 10))
def test_a_narrow_grid_keeps_its_edges_and_its_middle(room: int) -> None:
    kept = _columns_kept(9, room)
    assert {0, 4, 8} <= set(kept) and len(kept) <= max(room, 3) and kept == sorted(kept)


# --- scanners ------------------------------------------------------------------------------------------


async def test_a_scanner_is_switched_with_the_version_that_was_read() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "f5", "space", "down", "down", "down", "space", "U")
        assert edits(stage) == [
            EditConfig("scanner", "SPX_V3_CALL", "off", 1, "enabled", "screen"),
            EditConfig("scanner", "ES_FIB_PUT_1HR", "on", 3, "enabled", "screen"),
            RevertConfig("scanner", "ES_FIB_PUT_1HR", 3, "screen"),
        ]
        assert "taken" in stage.line("notice")


async def test_scanners_are_found_by_words_and_ordered() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "f5", "slash")
        text = await typed(stage, pilot, "spx 5m")
        assert "SPX_V3_CALL" in text and "SPY_21_200_PUT" not in text
        text = await press(stage, pilot, "o")
        assert text.index("SPX_V3_PUT") < text.index("SPX_V3_CALL"), "fired most comes first"


async def test_a_small_terminal_tells_the_gates_of_the_scanner_under_the_cursor() -> None:
    stage = Stage(synthetic.busy())
    async with stage.app.run_test(size=SIZES["80x24"]) as pilot:
        text = await press(stage, pilot, "f5")
        assert "firings today" in text and text.count("    away  cfg") == 1
        first = next(line for line in text.splitlines() if "    away  cfg" in line)
        assert "cooldown" in first and "5m" in first
        await press(stage, pilot, "down")
        assert stage.page().count("    away  cfg") == 1


async def test_a_title_says_where_rows_are_out_of_sight() -> None:
    stage = Stage(synthetic.busy())
    async with stage.app.run_test(size=SIZES["80x24"]) as pilot:
        title = (await press(stage, pilot, "f3")).splitlines()[0]
        assert title.rstrip().endswith("↓") and "↑" not in title
        title = (await press(stage, pilot, "pagedown")).splitlines()[0]
        assert title.rstrip().endswith("↑↓")
        title = (await press(stage, pilot, "end")).splitlines()[0]
        assert title.rstrip().endswith("↑")


async def test_a_change_too_long_for_a_line_is_told_whole() -> None:
    long = " ".join(f"SPX_{n}MIN_MACD_UP" for n in (1, 2, 3, 5, 10, 15))
    change = ChangeLine("call_patterns", "SPX_V3_CALL", long)
    one = VersionLine(2, synthetic.NOON, "screen", "edited", (change,))
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZES["80x24"]) as pilot:
        told = synthetic_rooms.config_row({"kind": "strategy", "key": "5MIN_TREND"})
        told = msgspec.structs.replace(told, versions=(one,))
        stage.engine.documents["config_row"] = Data(msgspec.json.encode(told).decode())
        text = await press(stage, pilot, "f6", "shift+tab")
        assert "- SPX_V3_CALL" in text and "SPX_15MIN_MACD_UP" in text


async def test_a_master_switch_is_turned() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=NORMAL) as pilot:
        await press(stage, pilot, "f5", "M", "down", "space")
        assert edits(stage) == [EditConfig("switch", "es_only_mode", "on", 1, by="screen")]


def test_a_spark_has_a_cell_a_part() -> None:
    assert spark((0, 1, 8, 4)) == " ▁█▄" and spark((0, 0)) == spark(()) == ""


# --- strategies ----------------------------------------------------------------------------------------


async def test_a_field_is_edited_and_what_is_refused_can_be_mended() -> None:
    stage = Stage(synthetic.calm())
    stage.engine.edits = [Ack(False, "target_pct = 9999 must be a number from 0.1 to 1000", "CONFIG_INVALID")]
    async with stage.app.run_test(size=NORMAL) as pilot:
        await press(stage, pilot, "f6", "enter")
        assert has_keys(stage) == "page-tactics-fields"
        await press(stage, pilot, "down", "down", "down", "down", "enter")
        assert isinstance(stage.app.screen, EditDialog) and "0.1 to 1000" in said(stage)
        await typed(stage, pilot, "9999")
        assert isinstance(stage.app.screen, EditDialog) and "must be a number" in said(stage)
        await typed(stage, pilot, "31.5")
        assert not isinstance(stage.app.screen, EditDialog)
        assert edits(stage)[-1] == EditConfig("strategy", "5MIN_TREND", "31.5", 3, "target_pct", "screen")


async def test_a_strategy_is_duplicated_moved_and_made_to_propose() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=NORMAL) as pilot:
        await press(stage, pilot, "f6", "down", "plus", "A", "D")
        await typed(stage, pilot, "MINE")
        assert edits(stage) == [
            EditConfig("strategy", "SPX_CONTEXT", "1", 1, "priority", "screen"),
            EditConfig("strategy", "SPX_CONTEXT", "auto", 1, "autonomy", "screen"),
            CopyStrategy("SPX_CONTEXT", "MINE", "screen"),
        ]


async def test_what_a_key_edits_after_duplicating_is_the_copy() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=NORMAL) as pilot:
        await press(stage, pilot, "f6", "down", "D")
        room = synthetic_rooms.strategy_room(busy=False)
        copy = msgspec.structs.replace(room.rows[1], strategy_id="MINE", enabled=False)
        rows = (*room.rows[:2], copy, *room.rows[2:])
        document = msgspec.json.encode(msgspec.structs.replace(room, rows=rows)).decode()
        stage.engine.documents["strategy_room"] = Data(document)
        await typed(stage, pilot, "MINE")
        await press(stage, pilot, "A")
        assert edits(stage)[-1] == EditConfig("strategy", "MINE", "auto", 1, "autonomy", "screen")


async def test_a_priority_that_goes_no_further_says_so() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=NORMAL) as pilot:
        await press(stage, pilot, "f6", "plus")
        assert edits(stage) == [] and "as far as it goes" in stage.line("notice")


async def test_the_difference_of_versions_is_shown() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        text = await press(stage, pilot, "f6")
        assert "target_pct  22 → 25" in text and "target_pct  (default) → 22" in text and "risk desk" in text


async def test_a_paused_strategy_says_so() -> None:
    stage = Stage(synthetic.busy())
    async with stage.app.run_test(size=NORMAL) as pilot:
        assert "PAUSED: fell $3,550.00 from its peak" in await press(stage, pilot, "f6")


# --- configuration -------------------------------------------------------------------------------------


async def test_settings_are_found_edited_and_given_back() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "f7", "slash")
        text = await typed(stage, pilot, "daily loss")
        assert "daily_loss_pct" in text and "max_positions" not in text
        await press(stage, pilot, "enter")
        assert "at once" in said(stage)
        await typed(stage, pilot, "1.2")
        await press(stage, pilot, "U")
        assert edits(stage) == [
            EditConfig("setting", "risk.daily_loss_pct", "1.2", 3, by="screen"),
            RevertConfig("setting", "risk.daily_loss_pct", 3, "screen"),
        ]


async def test_what_is_fixed_elsewhere_says_where() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "f7", "enter")
        assert edits(stage) == [] and "set it in the file" in stage.line("notice")
        await press(stage, pilot, "end", "enter")
        assert "secret" in stage.line("notice")
        await press(stage, pilot, "up", "space")
        assert "the environment goes before" in stage.line("notice") and edits(stage) == []


async def test_space_turns_a_setting_and_sections_are_stepped_through() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "f7", "N", "N", "down", "down", "space")
        assert edits(stage) == [EditConfig("setting", "risk.one_per_instrument", "off", 0, by="screen")]


async def test_a_limit_loosened_in_live_trading_is_meant_by_a_typed_word() -> None:
    stage = Stage(synthetic.calm())
    stage.engine.edits = [Ack(False, "it loosens a limit, and this is LIVE", "LOOSENS")]
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "f7", "N", "N", "down", "down", "space")
        assert isinstance(stage.app.screen, WordDialog)
        await typed(stage, pilot, "")
        await typed(stage, pilot, "yes")
        assert len(edits(stage)) == 1
        await typed(stage, pilot, "LOOSEN")
        assert len(stage.app.screen_stack) == 1
        assert edits(stage)[-1] == EditConfig(
            "setting", "risk.one_per_instrument", "off", 0, by="screen", word="LOOSEN"
        )


# --- everywhere ----------------------------------------------------------------------------------------


async def test_a_screen_that_only_looks_edits_nothing() -> None:
    def observer(stage: Stage) -> LocalLink:
        return LocalLink(stage.engine.handle, stage.engine.picture, clock=stage.clock, read_only=True)

    stage = Stage(synthetic.calm(), observer, read_only=True)
    async with stage.app.run_test(size=NORMAL) as pilot:
        await press(stage, pilot, "f5", "space")
        assert edits(stage) == [] and "read-only" in stage.line("notice")


@pytest.mark.parametrize("page", PAGES)
async def test_the_kill_key_works_in_the_midst_of_an_edit(page: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZES["80x24"]) as pilot:
        await press(stage, pilot, PAGES[page], "slash" if page != "tactics" else "D")
        await press(stage, pilot, "f12")
        assert isinstance(stage.app.screen, KillDialog) and Kill(by="screen") in stage.engine.heard


@pytest.mark.parametrize("page", PAGES)
async def test_an_empty_station_has_its_words(page: str) -> None:
    stage = Stage(Floor(synthetic.header()))
    stage.engine.documents = {
        "signals": Data("{}"), "scanner_room": Data("{}"), "strategy_room": Data("{}"),
        "settings": Data("{}"),
        "risk": Data('{"proposal":{"symbol":"SPX","contract":"SPX","action":"BUY","qty":1},"approved":true}'),
    }  # fmt: skip
    async with stage.app.run_test(size=NORMAL) as pilot:
        text = await press(stage, pilot, PAGES[page])
        words = {
            "signals": "no signal yet", "risk": "flat", "scanners": "the catalogue is empty",
            "tactics": "there is no strategy", "settings": "no setting",
        }  # fmt: skip
        assert words[page] in text and "could not be drawn" not in text
