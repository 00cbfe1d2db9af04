"""A hand on a ticket: keys pressed as slowly as one presses them, and what the ticket says."""

from __future__ import annotations

from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.stage import Stage
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


def said(stage: Stage) -> str:
    """What stands on the ticket, or on what changes an order."""
    return stage.app.screen.query_one(PanelCanvas).text()
