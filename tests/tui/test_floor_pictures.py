"""The floor as pictures: three sizes, calm, busy, disconnected, and each pane's other states."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from station.link import (
    Alerts,
    Feed,
    Floor,
    LinkClient,
    LinkState,
    Positions,
    Strategies,
)
from tests.tui import synthetic
from tests.tui.stage import Stage, connected, lost

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "160x45": (160, 45), "200x50": (200, 50)}
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mood", ["calm", "busy"])
def test_the_floor_of_a_day(snap_compare: Compare, size: str, mood: str) -> None:
    stage = Stage(getattr(synthetic, mood)())
    assert snap_compare(stage.app, terminal_size=SIZES[size], run_before=stage.settle)


@pytest.mark.parametrize("size", SIZES)
def test_a_lost_engine_leaves_a_dated_memory(snap_compare: Compare, size: str, tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    stage = Stage(synthetic.calm(), lambda one: LinkClient(path, clock=one.clock))

    async def lose(pilot: Pilot[str]) -> None:
        server = await connected(stage, pilot, path)
        await server.stop()
        await lost(stage, pilot)
        stage.clock.move_to(stage.clock.now() + 12_000_000_000)
        await stage.settle(pilot)

    assert snap_compare(stage.app, terminal_size=SIZES[size], run_before=lose)


def test_no_engine_at_all(snap_compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stage = Stage(Floor(), lambda one: LinkClient(Path("engine.sock"), clock=one.clock))

    async def wait(pilot: Pilot[str]) -> None:
        while stage.app.link.state is not LinkState.LOST:
            await pilot.pause()
        await stage.settle(pilot)

    assert snap_compare(stage.app, terminal_size=SIZES["120x40"], run_before=wait)


def test_empty_loading_and_error_are_told_apart(snap_compare: Compare) -> None:
    stage = Stage(
        Floor(
            synthetic.header(),
            Feed(scanners=84, warm=31),
            Positions(state="error", note="the lifecycle database is locked; entries off, exits spooled"),
            Alerts(),
            Strategies(state="loading", note="reading strategies from the config database"),
        )
    )
    assert snap_compare(stage.app, terminal_size=SIZES["120x40"], run_before=stage.settle)


def test_ascii_alone_is_enough(snap_compare: Compare) -> None:
    stage = Stage(synthetic.busy(), ascii_only=True)

    async def kill(pilot: Pilot[str]) -> None:
        await stage.settle(pilot)
        await pilot.press("g")
        await stage.settle(pilot)

    assert snap_compare(stage.app, terminal_size=SIZES["80x24"], run_before=kill)


@pytest.mark.parametrize(
    ("name", "keys", "size"),
    [
        ("kill", ["f12"], "80x24"),
        ("gate", ["g"], "80x24"),
        ("quit", ["q"], "120x40"),
        ("help", ["question_mark"], "120x40"),
        ("feed", ["f"], "80x24"),
        ("strategies", ["t"], "80x24"),
        ("alerts", ["a"], "80x24"),
        ("palette", ["ctrl+p", "g", "a", "t", "e"], "80x24"),
    ],
)
def test_what_keys_bring_up(snap_compare: Compare, name: str, keys: list[str], size: str) -> None:
    stage = Stage(synthetic.calm())

    async def press(pilot: Pilot[str]) -> None:
        await stage.settle(pilot)
        await pilot.press(*keys)
        await asyncio.gather(*(worker.wait() for worker in stage.app.workers if name == "palette"))
        await stage.settle(pilot)

    assert snap_compare(stage.app, terminal_size=SIZES[size], run_before=press), name
