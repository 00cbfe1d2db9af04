"""A floor on a stage: the real app over a real link, with a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from station.link import Floor, Link, LinkServer, LinkState, LocalLink, Status
from tests.hand_clock import HandClock
from tests.tui.synthetic import NOON, SyntheticEngine
from widgets.app import FloorApp


class StillClock(HandClock):
    """Stands at noon."""

    def __init__(self) -> None:
        super().__init__(NOON)


def local(stage: Stage) -> Link:
    """Screen and engine on one loop."""
    engine = stage.engine
    return LocalLink(engine.handle, engine.picture, clock=stage.clock, answer=engine.answer)


class Stage:
    """An engine, a clock and the app that looks at them."""

    def __init__(self, floor: Floor, link: Callable[[Stage], Link] | None = None, **options: object) -> None:
        self.clock = StillClock()
        self.engine = SyntheticEngine(floor)
        make = link or local
        self.app = FloorApp(
            lambda: make(self), clock=self.clock, **{"ascii_only": False, **options}  # pyright: ignore[reportArgumentType]
        )  # fmt: skip

    async def settle(self, pilot: Pilot[str]) -> None:
        """Let everything asked for be painted."""
        await pilot.pause()
        self.app.repaint()
        await pilot.pause()

    def text(self) -> str:
        """All that stands on the floor's panes."""
        return "\n".join(pane.text() for pane in self.app.panes if pane.display)

    def page(self) -> str:
        """All that stands on the screen shown beside the floor."""
        page = self.app.pages.shown
        return "" if page is None else "\n".join(pane.text() for pane in page.panes if pane.display)

    def line(self, name: str) -> str:
        """What stands on the header, notice or keys."""
        found = self.app.screen_stack[0].query_one(f"#{name}")
        return found.text()  # pyright: ignore[reportAttributeAccessIssue]


async def connected(stage: Stage, pilot: Pilot[str], path: Path) -> LinkServer:
    """A door at `path`, and the stage's screen through it with its floor."""
    engine = stage.engine
    server = LinkServer(path, engine.handle, engine.picture, clock=stage.clock, answer=engine.answer)
    await server.start()
    while stage.app.link.state is not LinkState.CONNECTED:
        stage.clock.advance(1)
        await pilot.pause()
    await stage.app.link.ask(Status())
    server.tick()
    while stage.app.link.view.floor.strategies is None:
        await pilot.pause()
    await stage.settle(pilot)
    return server


async def lost(stage: Stage, pilot: Pilot[str]) -> None:
    """Until the screen knows that its engine is gone."""
    while stage.app.link.state is not LinkState.LOST:
        await pilot.pause()


async def press(stage: Stage, pilot: Pilot[str], *keys: str) -> str:
    """Press these one by one, everything answered between; what stands on the screen shown."""
    await stage.settle(pilot)
    for key in keys:
        await pilot.press(key)
        await stage.settle(pilot)
        await stage.settle(pilot)
    return stage.page()


async def typed(stage: Stage, pilot: Pilot[str], line: str) -> str:
    """A line into the dialog that is open, and enter."""
    stage.clock.advance(0.4)
    keys = {
        " ": "space", "#": "number_sign", ":": "colon", "-": "minus", ".": "full_stop", "_": "underscore",
        "=": "equals_sign",
    }  # fmt: skip
    await pilot.press("ctrl+u", *(keys.get(letter, letter) for letter in line), "enter")
    await stage.app.workers.wait_for_complete()
    return await press(stage, pilot)
