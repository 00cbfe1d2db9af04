"""The kill key where it is hard to hear: in a dialog that swallows keys, in a paste, before a silent engine."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from textual.events import Key, Paste
from textual.pilot import Pilot
from textual.widgets import Static

from station.link import (
    Ack,
    Command,
    EditConfig,
    Kill,
    LinkClient,
    LinkServer,
    LinkState,
    LocalLink,
    PreviewReverse,
    Query,
    Reply,
)
from tests.lab import PATIENCE_S, Lab, play
from tests.tui import synthetic
from tests.tui.seat import seated
from tests.tui.stage import Stage, press
from tests.tui.terminals import Engine, Terminal
from widgets.dialogs import KillDialog

SMALL = (80, 24)
F12 = b"\x1b[24~"
STOPS, FLATTENS = Kill(flatten=False, by="screen"), Kill(flatten=True, by="screen")


def kills(stage: Stage) -> list[Command]:
    return [command for command in stage.engine.heard if isinstance(command, Kill)]


@pytest.mark.parametrize(
    "key", ["ctrl+w", "b", "colon", "slash", "minus", "g", "C", "q", "O", "question_mark", "ctrl+p"]
)
async def test_a_dialog_that_still_swallows_keys_swallows_no_kill(key: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await stage.settle(pilot)
        await pilot.press("p", key)
        await stage.app.workers.wait_for_complete()
        await stage.settle(pilot)
        assert len(stage.app.screen_stack) == 2
        await pilot.press("f12")
        await stage.settle(pilot)
        assert kills(stage) == [STOPS]
        assert isinstance(stage.app.screen, KillDialog)
        assert "KILL ON" in stage.line("header")


@pytest.mark.parametrize("keys", ["q", "colon", "o b", "J slash", "ctrl+p", "space", "f7 down down enter"])
async def test_leaving_a_dialog_with_the_kill_key_leaves_the_kill_dialog(keys: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await press(stage, pilot, *keys.split())
        assert len(stage.app.screen_stack) == 2
        stage.clock.advance(0.4)
        stage.app.post_message(Key("escape", "\x1b"))
        stage.app.post_message(Key("f12", None))
        await stage.settle(pilot)
        assert kills(stage) == [STOPS]
        assert isinstance(stage.app.screen, KillDialog)
        await tapped(stage, pilot, 400)
        await passed(stage, pilot, 0.12)
        assert kills(stage) == [STOPS, FLATTENS], "the second step is the next press"


@pytest.mark.parametrize("keys", ["i", "p V", "f7 down down enter 9 enter"])
async def test_an_answer_that_comes_after_a_kill_opens_nothing_over_its_dialog(keys: str) -> None:
    may_answer = asyncio.Event()

    async def late(stage: Stage, command: Command) -> Reply:
        if isinstance(command, EditConfig | PreviewReverse) or command == Query("profiles"):
            await may_answer.wait()
        return await stage.engine.handle(command)

    def link(stage: Stage) -> LocalLink:
        return LocalLink(
            lambda command: late(stage, command),
            stage.engine.picture,
            clock=stage.clock,
            answer=stage.engine.answer,
        )

    stage = Stage(synthetic.calm(), link)
    stage.engine.edits = [Ack(False, "it loosens a limit", "LOOSENS")]
    async with stage.app.run_test(size=SMALL) as pilot:
        for key in keys.split():
            stage.clock.advance(0.4)
            await press(stage, pilot, key)
        await tapped(stage, pilot, 400)
        await stage.settle(pilot)
        may_answer.set()
        await stage.app.workers.wait_for_complete()
        await stage.settle(pilot)
        assert isinstance(stage.app.screen, KillDialog) and len(stage.app.screen_stack) == 2
        await tapped(stage, pilot, 400)
        await passed(stage, pilot, 0.12)
        assert kills(stage) == [STOPS, FLATTENS]


async def test_ten_presses_at_once_stop_and_ten_in_a_row_flatten() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await stage.settle(pilot)
        await pilot.press(*["f12"] * 10)
        await stage.settle(pilot)
        assert kills(stage) == [STOPS]
        await tapped(stage, pilot, *[150] * 10)
        await passed(stage, pilot, 0.12)
        first, *rest = kills(stage)
        assert first == STOPS
        assert rest and set(rest) == {FLATTENS}
        assert not stage.app.hand.kill_pending
        assert "KILL ON" in stage.line("notice")


async def tapped(stage: Stage, pilot: Pilot[str], *after_ms: float) -> None:
    """F12 so long after whatever came before, each time."""
    for wait_ms in after_ms:
        stage.clock.advance(wait_ms / 1000)
        await pilot.press("f12")


async def passed(stage: Stage, pilot: Pilot[str], seconds: float) -> None:
    stage.clock.advance(seconds)
    await stage.app.workers.wait_for_complete()
    await stage.settle(pilot)


def next_step(stage: Stage) -> str:
    return str(stage.app.screen.query_one("#next", Static).render())


@pytest.mark.parametrize("delay_ms", [250, 500])
@pytest.mark.parametrize("every_ms", [20, 33, 66, 92])
async def test_a_kill_key_held_down_is_one_press(delay_ms: float, every_ms: float) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await tapped(stage, pilot, 0, delay_ms, *[every_ms] * 12)
        assert "held down counts once" in next_step(stage)
        await passed(stage, pilot, 1)
        assert kills(stage) == [STOPS]
        await tapped(stage, pilot, 0)
        assert kills(stage) == [STOPS]
        await passed(stage, pilot, 0.12)
        assert kills(stage) == [STOPS, FLATTENS]
        assert "ask for it once more" in next_step(stage) and "held" not in next_step(stage)


@pytest.mark.parametrize("after_ms", [(320,), (500,), (400, 90), (400, 80, 80), (500, 130, 130)])
async def test_a_second_press_is_meant_however_hurried(after_ms: tuple[float, ...]) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await tapped(stage, pilot, 0)
        await stage.settle(pilot)
        assert kills(stage) == [STOPS], "the first waits for nothing"
        await tapped(stage, pilot, *after_ms)
        await passed(stage, pilot, 0.12)
        first, *rest = kills(stage)
        assert first == STOPS and rest and set(rest) == {FLATTENS}


async def test_a_second_press_whose_dialog_is_left_at_once_still_counts() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await tapped(stage, pilot, 0, 500)
        await pilot.press("escape")
        await passed(stage, pilot, 0.12)
        assert kills(stage) == [STOPS, FLATTENS]
        assert isinstance(stage.app.screen, KillDialog) and "ask for it once more" in next_step(stage)


async def test_a_screenful_pasted_into_a_line_holds_up_no_kill() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await stage.settle(pilot)
        await pilot.press("colon")
        stage.app.post_message(Paste("buy 2 SPX " * 10_000))
        await pilot.press("f12")
        await stage.settle(pilot)
        assert kills(stage) == [STOPS]


async def test_a_kill_before_an_engine_that_does_not_answer_says_so_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "engine.sock"
    stage = Stage(synthetic.calm(), lambda one: LinkClient(path, clock=one.clock))
    engine, awake = stage.engine, asyncio.Event()

    async def stopped(command: Command) -> Reply:
        await awake.wait()
        return await engine.handle(command)

    server = LinkServer(path, stopped, engine.picture, clock=stage.clock, answer=engine.answer)
    await server.start()
    told, tell = list[str](), stage.app.tell

    def heard(text: str, tone: str = "info") -> None:
        told.append(text)
        tell(text, tone)

    monkeypatch.setattr(stage.app, "tell", heard)
    async with stage.app.run_test(size=SMALL) as pilot:
        while stage.app.link.state is not LinkState.CONNECTED:
            stage.clock.advance(1)
            await pilot.pause()
        await pilot.press("b", "f12")
        await stage.settle(pilot)
        assert any("waiting for the engine" in text for text in told)
        assert "KILL NOT DELIVERED" in stage.line("header")
        while "no answer" not in stage.line("notice"):
            stage.clock.advance(1)
            await stage.settle(pilot)
        assert "KILL NOT DELIVERED" in stage.line("notice")
        assert kills(stage) == []
        awake.set()
        while stage.app.hand.kill_pending:
            stage.clock.advance(0.5)
            await pilot.pause()
        await stage.settle(pilot)
        assert set(kills(stage)) == {STOPS}
        assert "KILL ON" in stage.line("notice")
    await server.stop()


def test_a_kill_from_another_shell_is_read_on_the_screen(tmp_path: Path) -> None:
    async def day() -> None:
        async with Lab(tmp_path) as lab:
            await lab.until("09:36")
            async with seated(lab, SMALL) as seat:
                await seat.look()
                assert "kill OFF" in seat.line("header")
                shell = lab.run.local_link()
                await shell.open()
                await lab.during(shell.ask(Kill(by="command line"), PATIENCE_S))
                await seat.until_told("by command line")
                assert "KILL ON" in seat.line("header")
                await seat.press("colon")
                await seat.type(f"buy 1 SPX {seat.money('SPX')}C")
                await seat.press("enter")
                assert "✗ kill switch" in await seat.until("REFUSED by")

    play(day)


def test_a_kill_before_a_stopped_process_is_told_undelivered_and_arrives_when_it_lives(
    repo_root: Path, tmp_path: Path
) -> None:
    engine = Engine(tmp_path / "engine.sock", repo_root, "calm")
    engine.beat()
    one = Terminal(engine, repo_root, tmp_path)
    try:
        one.painted()
        engine.process.send_signal(signal.SIGSTOP)
        one.press(F12)
        one.until(lambda text: "KILL NOT DELIVERED" in text and "no answer within 3 s" in text)
        engine.process.send_signal(signal.SIGCONT)
        one.until(lambda text: "KILL ON" in text)
        assert "Kill" in engine.heard()
    finally:
        one.close()
        engine.stop()
