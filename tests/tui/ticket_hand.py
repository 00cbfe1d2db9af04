"""A hand on a ticket: keys pressed as slowly as one presses them, and what the ticket says."""

from __future__ import annotations

from collections.abc import Callable

from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.stage import Stage
from widgets.beside import BesideDialog
from widgets.panel import PanelCanvas


async def press(stage: Stage, pilot: Pilot[str], *keys: str) -> None:
    """Each key as a hand presses it: after the last was dealt with, and slower than a dialog swallows.
    A whole line is put into the dialog's input."""
    for key in keys:
        await pilot.pause()
        stage.clock.advance(0.4)
        if " " in key:
            stage.app.screen.query_one(Input).value = key
        else:
            await pilot.press(key)
        await stage.app.workers.wait_for_complete()
    await stage.settle(pilot)
    await until(pilot, lambda: has_its_place(stage))
    await stage.settle(pilot)


async def until(pilot: Pilot[str], done: Callable[[], bool]) -> None:
    """Until the screen has come so far."""
    for _ in range(1000):
        if done():
            return
        await pilot.pause()
    raise AssertionError("it did not come")


def has_its_place(stage: Stage) -> bool:
    """What stands beside the floor is where it was told to be."""
    top = stage.app.screen
    if not isinstance(top, BesideDialog):
        return True
    x, width, height = top.stood
    box = top.query_one("#box").region
    return not top.moving and (box.x, box.width) == (x, width) and (not height or box.height == height)


def said(stage: Stage) -> str:
    """What stands on the ticket, or on what changes an order."""
    return stage.app.screen.query_one(PanelCanvas).text()
