"""What keys do, and what they must never do."""

from __future__ import annotations

import asyncio
import json
import logging
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input, Static

from station.clock import Lockstep, LockstepLoop, VirtualClock
from station.domain.clock import SECOND
from station.domain.errors import BadInput
from station.link import (
    PROTOCOL,
    CancelOrder,
    CloseTrade,
    Data,
    Flatten,
    Floor,
    Gate,
    Kill,
    KillRelease,
    LiftQuarantine,
    LinkClient,
    LinkServer,
    LinkState,
    LocalLink,
    Positions,
    Reconcile,
    Stop,
)
from tests.tui import synthetic
from tests.tui.stage import Stage
from tests.tui.synthetic import NOON
from widgets import words
from widgets.actions import ACTIONS, BY_NAME
from widgets.app import FloorApp
from widgets.dialogs import GateDialog, HelpDialog, KillDialog, QuitDialog, ReleaseDialog
from widgets.keymap import remapped

SIZE = (120, 40)


async def opened(stage: Stage, pilot: Pilot[str], *keys: str) -> None:
    await stage.settle(pilot)
    await pilot.press(*keys)
    await stage.settle(pilot)


# --- the kill switch -----------------------------------------------------------------------------------


async def test_f12_kills_at_once_and_f12_again_flattens() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "f12")
        assert stage.engine.heard == [Kill(flatten=False, by="screen")]
        assert isinstance(stage.app.screen, KillDialog)
        assert "KILL ON" in stage.line("header") and "KILL ON" in stage.line("notice")
        await pilot.press("f12")
        assert len(stage.engine.heard) == 1, "a key held down must not be the second step"
        stage.clock.advance(0.3)
        await pilot.press("f12")
        stage.clock.advance(0.15)
        await stage.app.workers.wait_for_complete()
        await stage.settle(pilot)
        assert stage.engine.heard[1:] == [Kill(flatten=True, by="screen")]


@pytest.mark.parametrize("first", [("g",), ("q",), ("question_mark",), ("R", "R", "E"), ("ctrl+p", "g")])
async def test_the_kill_key_works_from_every_modal_and_the_palette(first: tuple[str, ...]) -> None:
    floor = synthetic.busy()
    stage = Stage(floor)
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        await pilot.press(first[0])
        await stage.settle(pilot)
        assert len(stage.app.screen_stack) == 2
        stage.clock.advance(1)
        await pilot.press(*first[1:], "f12")
        await stage.settle(pilot)
        assert Kill(flatten=False, by="screen") in stage.engine.heard
        assert isinstance(stage.app.screen, KillDialog)


async def test_no_keymap_moves_the_kill_key() -> None:
    with pytest.raises(BadInput, match="stays on F12"):
        remapped({"kill": "k"})
    with pytest.raises(BadInput, match="no action"):
        remapped({"dance": "d"})
    for key in ("f12", "ctrl+q", "ctrl+m", "ctrl+h", "ctrl+i"):
        with pytest.raises(BadInput, match="another key"):
            remapped({"close": key})
    stage = Stage(synthetic.calm(), keys={"reconcile": "f12x"})
    async with stage.app.run_test(size=SIZE) as pilot:
        stage.app.set_keymap({"vigil.kill": "k", "kill": "k"})
        await opened(stage, pilot, "f12")
        assert stage.engine.heard == [Kill(flatten=False, by="screen")]


async def test_a_moved_key_is_moved_everywhere() -> None:
    stage = Stage(synthetic.calm(), keys={"close": "K"})
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "x")
        assert stage.engine.heard == []
        await opened(stage, pilot, "K")
        assert stage.engine.heard == [CloseTrade("T1", by="screen")]
        assert " K close" in stage.line("keys")


async def test_no_suspend_no_ctrl_q_and_no_aliasing_keys() -> None:
    stage = Stage(synthetic.calm())
    taken = {key for action in ACTIONS for key in action.keys.split(",")}
    assert not taken & {"ctrl+q", "ctrl+z", "ctrl+m", "ctrl+h", "ctrl+i"}
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "ctrl+q", "ctrl+z")
        assert stage.app.is_running and len(stage.app.screen_stack) == 1


async def test_a_kill_that_finds_no_engine_is_repeated_until_it_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    stage = Stage(synthetic.calm(), lambda one: LinkClient(path, clock=one.clock))
    async with stage.app.run_test(size=SIZE) as pilot:
        while stage.app.link.state is not LinkState.LOST:
            await pilot.pause()
        await opened(stage, pilot, "f12")
        assert "NOT DELIVERED" in stage.line("notice")
        assert stage.app.hand.kill_pending
        server = LinkServer(
            path, stage.engine.handle, stage.engine.picture, clock=stage.clock, answer=stage.engine.answer
        )
        await server.start()
        while stage.app.hand.kill_pending:
            stage.clock.advance(0.5)
            await pilot.pause()
        assert stage.engine.heard == [Kill(flatten=False, by="screen")]
        assert "KILL ON" in stage.line("notice")
        await server.stop()


async def test_a_read_only_screen_says_so_and_kills_nothing() -> None:
    stage = Stage(
        synthetic.calm(),
        lambda one: LocalLink(one.engine.handle, one.engine.picture, clock=one.clock, read_only=True),
        read_only=True,
    )
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "f12")
        assert stage.engine.heard == []
        assert "READ-ONLY" in stage.line("header") and "REFUSED" in stage.line("notice")
        assert "flatten" not in stage.line("keys") and "zoom" in stage.line("keys")
        offered = str(stage.app.screen.query_one("#next").render())
        assert "Nothing here" in offered and "close every position" not in offered
        stage.clock.advance(1)
        await pilot.press("escape")
        for key in "bs:xXcC-gMVPr":
            await opened(stage, pilot, {":": "colon", "-": "minus"}.get(key, key))
            assert "attached read-only" in stage.line("notice"), key
            assert len(stage.app.screen_stack) == 1, key
            stage.app.tell("")
        assert stage.engine.heard == []


async def test_a_quarantine_is_lifted_by_a_word_and_its_symbol_and_accounts_stand_side_by_side() -> None:
    floor = synthetic.calm()
    assert floor.header is not None
    locked = (("SPX", "overfill: 3 of 2 on V1"), ("SPY", "a [position] nobody explains"))
    header = msgspec.structs.replace(floor.header, quarantined=locked)
    stage = Stage(msgspec.structs.replace(floor, header=header))
    account = {"name": "default", "account": "DU1", "running": True, "settings": {"paper.seed": "9"}}
    stage.engine.documents["profiles"] = Data(json.dumps({"profiles": [account]}))
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "Q")
        assert "LOCKED SPX SPY" in stage.line("header")
        assert "SPY: a [position] nobody explains" in words_of(stage)
        stage.clock.advance(1)
        for line in ("RELEASE", "SPX", "RELEASE QQQ"):
            stage.app.screen.query_one(Input).value = line
            await pilot.press("enter")
            await stage.settle(pilot)
        assert stage.engine.heard == [] and "is not RELEASE and one of SPX, SPY" in words_of(stage)
        stage.app.screen.query_one(Input).value = "RELEASE spx"
        await pilot.press("enter")
        await stage.settle(pilot)
        assert stage.engine.heard == [LiftQuarantine("SPX", "RELEASE", "screen")]
        await opened(stage, pilot, "i")
        await stage.app.workers.wait_for_complete()
        await stage.settle(pilot)
        assert "default DU1         runs" in words_of(stage) and "paper.seed 9" in words_of(stage)


def words_of(stage: Stage) -> str:
    """All that stands in the dialog that is open."""
    return "\n".join(str(one.render()) for one in stage.app.screen.query(Static))


async def test_release_takes_the_whole_word() -> None:
    stage = Stage(synthetic.busy())
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "R")
        assert isinstance(stage.app.screen, ReleaseDialog)
        await pilot.press("enter")
        stage.clock.advance(1)
        await pilot.press(*"release", "enter")
        await stage.settle(pilot)
        assert stage.engine.heard == [] and isinstance(stage.app.screen, ReleaseDialog)
        await pilot.press(*"RELEASE", "enter")
        await stage.settle(pilot)
        assert stage.engine.heard == [KillRelease("RELEASE", by="screen")]
        assert "kill OFF" in stage.line("header")


async def test_release_is_not_offered_while_the_switch_is_off() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "R")
        assert len(stage.app.screen_stack) == 1 and "is off" in stage.line("notice")


# --- protection takes one key --------------------------------------------------------------------------


async def test_one_key_closes_the_picked_position_and_tells_the_result() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "x")
        assert stage.engine.heard == [CloseTrade("T1", by="screen")]
        assert "market sell sent" in stage.line("notice")
        await opened(stage, pilot, "down", "x")
        assert stage.engine.heard[-1] == CloseTrade("T2", by="screen")
        assert "[FILLED]" in stage.line("notice"), "a refusal shows its code"


@pytest.mark.parametrize("key", ["X", "F"])
async def test_one_key_flattens(key: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, key)
        assert stage.engine.heard == [Flatten(by="screen")]


async def test_a_word_for_a_line_that_did_not_open_closes_nothing() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        for key in "2SpX":
            stage.clock.advance(0.12)
            await pilot.press(key)
        assert stage.engine.heard == [] and "part of a word: nothing was closed" in stage.line("notice")
        stage.clock.advance(0.3)
        await pilot.press("X")
        await stage.app.workers.wait_for_complete()
        assert stage.engine.heard == [Flatten(by="screen")], "pressed by itself it closes"


@pytest.mark.parametrize("keys", ["XXXX", "pX"])
async def test_a_hand_in_haste_flattens(keys: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        for key in keys:
            stage.clock.advance(0.08)
            await pilot.press(key)
        await stage.app.workers.wait_for_complete()
        assert set(stage.engine.heard) == {Flatten(by="screen")}


async def test_a_position_that_goes_leaves_nothing_picked() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        assert stage.app.positions.picked == "T1"
        left = Positions(synthetic.positions().rows[1:])
        stage.engine.floor = msgspec.structs.replace(stage.engine.floor, positions=left)
        await opened(stage, pilot, "x")
        assert stage.engine.heard == [] and "no position is picked" in stage.line("notice")
        await opened(stage, pilot, "down", "x")
        assert stage.engine.heard == [CloseTrade("T2", by="screen")]


async def test_what_is_not_seen_is_not_closed() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await opened(stage, pilot, "a", "x")
        assert stage.engine.heard == [] and "press p first" in stage.line("notice")
        await opened(stage, pilot, "p", "x")
        assert stage.engine.heard == [CloseTrade("T1", by="screen")]


async def test_cancel_is_for_working_entries() -> None:
    stage = Stage(synthetic.busy())
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "c")
        assert stage.engine.heard == [] and "no working entry" in stage.line("notice")
        await opened(stage, pilot, "end", "c")
        assert stage.engine.heard == [CancelOrder("V1-DU1-T4-E-1", by="screen")]


@pytest.mark.parametrize(("key", "state"), [("o", "open"), ("r", "reducing"), ("c", "closed")])
async def test_the_gate_takes_one_key_more(key: str, state: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "g", key)
        assert isinstance(stage.app.screen, GateDialog), "keys are swallowed while the dialog is fresh"
        assert stage.engine.heard == []
        stage.clock.advance(0.3)
        await opened(stage, pilot, key)
        assert stage.engine.heard == [Gate(state, by="screen")]
        assert f"gate {state.upper()}" in stage.line("header")


async def test_reconcile_is_a_key_too() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "r")
        assert stage.engine.heard == [Reconcile(by="screen")]


# --- leaving -------------------------------------------------------------------------------------------


async def test_quit_asks_and_enter_detaches_while_something_is_open() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "q")
        assert isinstance(stage.app.screen, QuitDialog)
        stage.clock.advance(0.3)
        await pilot.press("enter")
        await pilot.pause()
    assert stage.app.return_value == "detach" and stage.engine.heard == []


@pytest.mark.parametrize("key", ["f5", "b"])
async def test_what_is_typed_after_leaving_does_nothing(key: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "q")
        stage.clock.advance(0.3)
        for one in ("enter", key):
            stage.app.post_message(Key(one, None))
        await pilot.pause()
    assert stage.app.failure is None and stage.app.return_value == "detach"


async def test_enter_stops_when_nothing_is_open() -> None:
    flat = msgspec.structs.replace(synthetic.header(), open_trades=0, working_orders=0)
    stage = Stage(Floor(flat, positions=Positions()))
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "ctrl+c")
        stage.clock.advance(0.3)
        await pilot.press("enter")
        await stage.app.workers.wait_for_complete()
        await pilot.pause()
    assert stage.app.return_value == "stop" and stage.engine.heard == [Stop(by="screen")]


async def test_a_screen_that_is_the_engine_cannot_detach() -> None:
    stage = Stage(synthetic.calm(), can_detach=False)
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "q")
        stage.clock.advance(0.3)
        await opened(stage, pilot, "d")
        assert isinstance(stage.app.screen, QuitDialog)
        await opened(stage, pilot, "escape")
        assert len(stage.app.screen_stack) == 1 and stage.app.is_running


# --- what is shown -------------------------------------------------------------------------------------


async def test_help_and_palette_and_footer_come_from_the_one_table() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await opened(stage, pilot, "question_mark")
        assert isinstance(stage.app.screen, HelpDialog)
    assert {binding.action for binding in FloorApp.BINDINGS} == {f"act('{name}')" for name in BY_NAME}  # pyright: ignore[reportAttributeAccessIssue]


async def test_nothing_is_painted_when_nothing_changed() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        painted: list[object] = []
        for pane in stage.app.panes:
            pane.refresh = lambda *regions, **_: painted.append(regions)  # type: ignore[method-assign]
        for _ in range(3):
            stage.app.pump()
        assert painted == []


async def test_one_changed_number_repaints_a_few_cells() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        row, other = synthetic.positions().rows
        moved = msgspec.structs.replace(row, mark=Decimal("4.65"), pnl=Decimal("90.00"), pnl_pct=10.71)
        stage.engine.floor = msgspec.structs.replace(stage.engine.floor, positions=Positions((moved, other)))
        pane, regions = stage.app.positions, []
        refresh = pane.refresh
        pane.refresh = lambda *found, **more: (regions.extend(found), refresh(*found, **more))[1]  # type: ignore[method-assign]
        stage.app.pump()
        assert sum(region.area for region in regions) < 60
        assert "+90.00" in stage.text()


async def test_a_critical_alert_is_told_whatever_pane_is_shown() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.settle(pilot)
        stage.engine.floor = msgspec.structs.replace(stage.engine.floor, alerts=synthetic.busy_alerts())
        await stage.settle(pilot)
        assert "protective sell was rejected" in stage.line("notice")
        stage.clock.advance(16)
        stage.app.pump()
        await pilot.pause()


async def test_a_picture_that_cannot_be_drawn_is_one_pane_s_trouble(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        row = msgspec.structs.replace(synthetic.positions().rows[0], pnl=Decimal("NaN"))
        stage.engine.floor = msgspec.structs.replace(stage.engine.floor, positions=Positions((row,)))
        with caplog.at_level(logging.CRITICAL):
            await stage.settle(pilot)
        assert "could not be drawn" in stage.app.positions.text()
        assert "SPX_FIB_1HR_CALL" in stage.text()


async def test_an_engine_failing_in_process_leaves_the_screen_alive(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        stage.engine.fault = ZeroDivisionError("a bug")
        with caplog.at_level(logging.CRITICAL):
            await opened(stage, pilot, "x")
        assert "failed inside the engine" in stage.line("notice")
        assert stage.app.link.state is LinkState.SILENT
        assert "as of" in stage.text() and stage.app.is_running
        stage.engine.fault = None
        await stage.settle(pilot)
        assert "as of" not in stage.text()


@pytest.mark.parametrize(
    ("size", "shown", "following"),
    [
        ((80, 24), 1, "orders"),
        ((109, 60), 1, "orders"),
        ((120, 40), 7, "orders"),
        ((160, 45), 10, "orders"),
        ((200, 50), 10, "orders"),
    ],
)
async def test_each_size_has_its_arrangement(size: tuple[int, int], shown: int, following: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=size) as pilot:
        await stage.settle(pilot)
        assert sum(pane.display for pane in stage.app.panes) == shown
        assert "gate OPEN" in stage.line("header") and "F12 KILL" in stage.line("keys")
        await opened(stage, pilot, "tab")
        assert stage.app.focused is not None and stage.app.focused.id == following


@pytest.mark.parametrize(("newer", "remedy"), [(1, "restart the engine"), (-1, "restart the screen")])
async def test_a_screen_of_another_version_says_so_and_can_still_kill(
    tmp_path: Path, newer: int, remedy: str
) -> None:
    path = tmp_path / "engine.sock"
    stage = Stage(synthetic.calm(), lambda one: LinkClient(path, clock=one.clock, protocol=PROTOCOL + newer))
    server = LinkServer(
        path, stage.engine.handle, stage.engine.picture, clock=stage.clock, answer=stage.engine.answer
    )
    await server.start()
    async with stage.app.run_test(size=SIZE) as pilot:
        while stage.app.link.state is not LinkState.MISMATCH:
            await pilot.pause()
        await stage.settle(pilot)
        assert remedy in stage.text() and "OTHER VERSION" in stage.line("header")
        await pilot.press("f12")
        while stage.app.hand.kill_pending:
            await pilot.pause()
        assert stage.engine.heard == [Kill(flatten=False, by="screen")]
    await server.stop()


def test_screen_and_engine_share_a_lockstep_loop() -> None:
    """In process, the virtual day runs to its end beside the painting screen, as fast as it can."""

    class Day:
        steps = 0

        def next_instant(self) -> int | None:
            return clock.now() + SECOND if self.steps < 5_000 else None

        async def advance(self, at_ns: int) -> None:
            self.steps += 1
            stage.engine.floor = Floor(synthetic.header(at_ns))

    async def live() -> None:
        async with stage.app.run_test(size=(80, 24)) as pilot:
            await Lockstep(clock, day).run(NOON + 20_000 * SECOND)
            await stage.settle(pilot)
            assert words.clock_text(clock.now()) in stage.line("header")

    clock, day = VirtualClock(NOON), Day()
    stage = Stage(synthetic.calm())
    with asyncio.Runner(loop_factory=LockstepLoop) as runner:
        runner.run(live())
    assert day.steps == 5_000


async def test_a_resize_from_wide_to_narrow_keeps_the_focused_pane() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(200, 50)) as pilot:
        await opened(stage, pilot, "t")
        await pilot.resize_terminal(80, 24)
        await stage.settle(pilot)
        assert [pane.id for pane in stage.app.panes if pane.display] == ["strategies"]
        assert "HELD CALL" in stage.text()
