"""Every screen and dialog, calm, busy, in error and without its engine, at three sizes, as plain text.

One app a state walks through them all; sizes are the outer loop, so that a terminal is resized twice. What
other tests hold as pictures already is left to them.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Input
from textual.worker import WorkerCancelled

import widgets
from station.link import Ack, Floor, LinkClient, LinkState, Reply
from tests.tui import synthetic
from tests.tui.shots import Sheet, differences, rows_of
from tests.tui.stage import Stage, connected, lost
from tests.tui.synthetic_orders import Counterpart, proposals
from widgets.actions import SCREENS
from widgets.amend import AmendDialog
from widgets.beside import BesideDialog
from widgets.dialogs import Dialog, LeftOnce, TypedDialog
from widgets.ticket_dialog import TicketDialog

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x50": (200, 50)}
COLOURS = Path(__file__).parent / "__snapshots__"
FLOOR_NAME = "floor"
FLOOR_WORDS = {"test_the_floor_of_a_day", "test_a_lost_engine_leaves_a_dated_memory"}
LOOSER = "risk.daily_loss_pct 99 loosens a limit of a live account, from 3"
LOCKED = "the lifecycle database is locked: entries are off, exits are spooled"


@dataclass(frozen=True)
class View:
    """`keys` bring it up from the floor; a key with a blank is a line for the dialog's input. Only `sizes`
    where the others are held elsewhere or show nothing new."""

    name: str
    keys: tuple[str, ...]
    sizes: tuple[str, ...] = tuple(SIZES)


def views(*rows: tuple[str, str], sizes: tuple[str, ...] = tuple(SIZES)) -> tuple[View, ...]:
    return tuple(View(name, tuple(keys.split(";")) if keys else (), sizes) for name, keys in rows)


SMALL = ("80x24",)
PAGES = views(("journal", "J"), ("performance", "Y"), ("health", "H"), ("log", "L"), ("jobs", "T"))
ROOMS = views(("signals", "f3"), ("risk", "f4"), ("scanners", "f5"), ("strategies", "f6"), ("settings", "f7"))
PARTS = views(
    ("watch", "w"), ("chart", "h"), ("orders", "u"), ("chain", "o"), ("book", "m"), ("ladder", "l"), sizes=SMALL
)
MORE_PARTS = views(("feed", "f"), ("strategies pane", "t"), ("alerts", "a"), sizes=SMALL)
SECOND = views(
    ("film", "J;down;enter;end"), ("story", "J;tab;tab"), ("events", "J;e"), ("groups", "Y;tab;tab"),
    ("series", "H;tab"), ("schedule", "T;tab"), sizes=SMALL,
)  # fmt: skip
TAKEN = views(("picture", "J;down;p"), ("gallery", "J;G"))
DIALOGS = views(
    ("kill", "f12"), ("ticket", "o;b"), ("armed", "o;b;enter"), ("modify", "u;end;M"), ("part", "p;minus"),
    ("reverse", "p;V"), ("cancel all", "C"),
)  # fmt: skip
STEADY = views(
    ("gate", "g"), ("quit", "q"), ("symbol", "slash"), ("help", "question_mark"),
    ("line", "colon;buy 2 SPX 5940C @ 4.20"),
)  # fmt: skip
QUIET = views(
    ("options", "O"), ("welcome", "ctrl+w"), ("setting", "f7;home;down;down;enter"), ("filter", "J;slash"),
    ("jump", "space"), ("palette", "ctrl+p"), ("accounts", "i"),
)  # fmt: skip
LOOSEN = views(("loosen", "f7;home;down;down;enter;9 9;enter"))
LOCKED_OUT = views(("lift", "Q"), sizes=SMALL)
LINES = views(
    ("group", "I"), ("copy of a strategy", "f6;D"), ("note", "J;n"), ("tag", "J;number_sign"),
    ("signal filter", "f3;slash"), ("log filter", "L;slash"),
    ("help of the journal", "J;question_mark"), sizes=SMALL,
)  # fmt: skip
SETTINGS = views(("settings", "f7"))
RELEASE = views(("release", "R"))
PROPOSED = views(("proposal", "P"))
FLOOR = views(("floor", ""))


PICTURED = {
    "kill": "80x24", "gate": "80x24", "quit": "120x40", "help": "120x40", "line": "80x24", "part": "80x24",
    "reverse": "80x24", "cancel all": "80x24", "options": "80x24 120x40", "welcome": "80x24 120x40",
    "armed": "80x24 120x40 200x50", "modify": "80x24 120x40 200x50", "palette": "80x24",
}  # fmt: skip
"""Calm sizes that the tests with pictures in colour hold."""
IN_COLOUR = {
    "calm": {"calm"}, "busy": {"busy"}, "error": {"test_a_question_that_fails"},
    "lost": {"test_an_engine_lost_under_a_screen", "test_a_lost_engine_leaves_a_dated_memory"},
}  # fmt: skip
"""By which of these words those tests name their pictures of screens."""
IMPOSSIBLE = {
    "calm": {"ReleaseDialog", "ProposalDialog"},
    "error": {"ProposalDialog", "ReleaseDialog", "ProfilesDialog", "PartDialog"},
    "lost": {"ProposalDialog", "ReleaseDialog", "ProfilesDialog", "WordDialog"},
}
"""Nothing is killed or proposed there, no position is known; or no engine answers what they would show."""


def missing(rows: tuple[View, ...]) -> tuple[View, ...]:
    left = (
        replace(view, sizes=tuple(one for one in view.sizes if one not in PICTURED.get(view.name, "").split()))
        for view in rows
    )
    return tuple(view for view in left if view.sizes)


BY_STATE = {
    "calm": (*PARTS, *SECOND, *TAKEN, *missing((*DIALOGS, *STEADY, *QUIET)), *LOOSEN, *LINES),
    "busy": (*PAGES, *PARTS, *MORE_PARTS, *DIALOGS, *STEADY, *QUIET, *LOOSEN, *RELEASE, *PROPOSED, *LOCKED_OUT),
    "error": (*FLOOR, *PAGES, *PARTS, *MORE_PARTS, *TAKEN, *DIALOGS, *STEADY, *QUIET, *LOOSEN, *RELEASE),
    "lost": (*PAGES, *PARTS, *MORE_PARTS, *DIALOGS, *STEADY, *QUIET, *RELEASE),
    "nobody": (*FLOOR, *PAGES, *ROOMS),
}


class Refusing(Counterpart):
    """An engine that can take no order."""

    def answer(self, command: object) -> Reply:
        del command
        return Ack(False, LOCKED, "STORAGEUNAVAILABLE")


def broken() -> Floor:
    """A floor on which no part could be made."""
    parts = {
        name: msgspec.structs.replace(getattr(synthetic.busy(), name), state="error", note=LOCKED, rows=())
        for name in ("feed", "positions", "alerts", "strategies", "orders")
    }
    return Floor(synthetic.header(), **parts)


def staged(state: str, folder: Path) -> Stage:
    if state == "nobody":
        return Stage(Floor(), lambda one: LinkClient(Path("engine.sock"), clock=one.clock))
    if state == "lost":
        return Stage(synthetic.calm(), lambda one: LinkClient(folder / "engine.sock", clock=one.clock))
    if state == "error":
        stage = Stage(broken())
        for part in ("chart", "tip", "chain", "book", "account", "wealth", "watch"):
            stage.engine.refusals[part] = ("error", LOCKED)
        stage.engine.counterpart = Refusing()
        for name in ("profiles", "journal", "performance", "health", "log", "jobs", "picture", "gallery"):
            stage.engine.documents[name] = Ack(False, LOCKED, "STORAGEUNAVAILABLE")
        return stage
    if state == "busy":
        return Stage(msgspec.structs.replace(synthetic.busy(), proposals=proposals(synthetic.NOON)))
    return Stage(synthetic.calm())


@asynccontextmanager
async def opened(state: str, folder: Path) -> AsyncGenerator[tuple[Stage, Pilot[str]]]:
    """The app of a state, as it is when it has come to that."""
    stage = staged(state, folder)
    async with stage.app.run_test(size=SIZES["80x24"]) as pilot:
        if state == "nobody":
            while stage.app.link.state is not LinkState.LOST:
                await pilot.pause()
        elif state == "lost":
            await _lose(stage, pilot, folder / "engine.sock")
        await stage.settle(pilot)
        yield stage, pilot


async def _lose(stage: Stage, pilot: Pilot[str], path: Path) -> None:
    server = await connected(stage, pilot, path)
    for view in (*PAGES, *SETTINGS, *PARTS):
        await pilot.press(*view.keys)
        await _answered(stage)
        await stage.settle(pilot)
    await server.stop()
    await lost(stage, pilot)
    stage.clock.move_to(stage.clock.now() + 12_000_000_000)


async def _bring_up(stage: Stage, pilot: Pilot[str], view: View) -> None:
    stage.engine.edits = [Ack(False, LOOSER, "LOOSENS")] if view.name == "loosen" else []
    floor = stage.engine.floor
    if view.name == "lift" and floor.header is not None:
        head = msgspec.structs.replace(floor.header, quarantined=(("QQQ", "overfill: 3 of 2 on V1"),))
        stage.engine.floor = msgspec.structs.replace(floor, header=head)
        await stage.settle(pilot)
    for key in view.keys:
        stage.clock.move_to(stage.clock.now() + 400_000_000)
        if " " in key:
            stage.app.screen.query_one(Input).value = key
        else:
            await pilot.press(key)
        await _stands(stage, pilot)


async def _stands(stage: Stage, pilot: Pilot[str]) -> None:
    """Until nothing on the screen changes any more."""
    before: object = None
    await stage.settle(pilot)
    await _answered(stage)
    while (now := rows_of(stage.app)) != before or _blank(stage):
        before = now
        await stage.settle(pilot)
        await _answered(stage)


def _blank(stage: Stage) -> bool:
    """A pane of the screen shown has not been painted yet."""
    page = stage.app.pages.shown
    return page is not None and any(pane.display and not pane.text().strip() for pane in page.panes)


async def _answered(stage: Stage) -> None:
    """Until every question is; a kill is tried until an engine takes it."""
    for worker in list(stage.app.workers):
        if worker.group != "kill":
            with suppress(WorkerCancelled):
                await worker.wait()


async def _put_away(stage: Stage, pilot: Pilot[str], view: View, floor: Floor) -> None:
    """The floor as it was; a screen that keys have changed is built anew."""
    stage.clock.move_to(stage.clock.now() + 400_000_000)
    while len(stage.app.screen_stack) > 1:
        stage.app.screen.dismiss(None)
        await pilot.pause()
    stage.engine.floor = floor
    stage.app.tell("")
    page = stage.app.pages.shown
    if page is not None:
        stage.app.turn("")
        if len(view.keys) > 1 and stage.app.link.state is not LinkState.LOST:
            await page.remove()


@pytest.mark.parametrize("state", BY_STATE)
async def test_every_screen_and_dialog_at_every_size(
    state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)
    sheets = {view.name: Sheet(state, view.name) for view in BY_STATE[state]}
    seen: dict[str, set[str]] = {size: set() for size in SIZES}
    shown_by = {"modify": AmendDialog.__name__, "armed": TicketDialog.__name__}
    async with opened(state, tmp_path) as (stage, pilot):
        floor = stage.engine.floor
        for size, (width, height) in SIZES.items():
            await pilot.resize_terminal(width, height)
            await _stands(stage, pilot)
            for view in BY_STATE[state]:
                if size in view.sizes:
                    await _bring_up(stage, pilot, view)
                    seen[size].add(shown_by.setdefault(view.name, _name_of(stage)))
                    box = stage.app.screen.query("#box")
                    area = box.first().region if box else stage.app.screen.size.region
                    place = f"{size}, {area.width} by {area.height} at {area.x},{area.y}" if box else size
                    sheets[view.name].add(place, rows_of(stage.app, area))
                    await _put_away(stage, pilot, view, floor)
    told = differences(sheets.values(), update=request.config.getoption("--snapshot-update"))
    assert not told, told
    for size in SIZES if state in IN_COLOUR else ():
        pictured = {shown_by[name] for name in PICTURED if state == "calm" and size in PICTURED[name].split()}
        known = seen[size] | pictured | screens_in_colour(state, size)
        assert everything() - known == IMPOSSIBLE.get(state, set()), f"{size}: not held by any picture"


def _name_of(stage: Stage) -> str:
    """What stands on top: a dialog by its class, a screen by its name."""
    top, page = stage.app.screen, stage.app.pages.shown
    if len(stage.app.screen_stack) > 1:
        return type(top).__name__
    return (page.id or "").removeprefix("page-") if page is not None else FLOOR_NAME


def everything() -> set[str]:
    """All that there is to be seen: every class of dialogs there is, every screen of the table."""
    for one in pkgutil.iter_modules(widgets.__path__, "widgets."):
        importlib.import_module(one.name)
    bare = (LeftOnce, Dialog, TypedDialog, BesideDialog)
    dialogs = {kind.__name__ for kind in kinds_of(ModalScreen) if kind not in bare}
    return {*dialogs, *(entry.name for entry in SCREENS), FLOOR_NAME}


def kinds_of(kind: type[ModalScreen[Any]]) -> set[type[ModalScreen[Any]]]:
    """The house's own of a kind, theirs too."""
    below = {one for sub in kind.__subclasses__() for one in (sub, *kinds_of(sub))}
    return {one for one in below if one.__module__.startswith("widgets.")}


def screens_in_colour(state: str, size: str) -> set[str]:
    """The screens that the tests with pictures in colour hold."""
    names = [set(re.split(r"[\[\]-]", path.stem)) for path in COLOURS.glob("*/*.svg")]
    held = {word for words in names if size in words and words & IN_COLOUR[state] for word in words}
    return held if not held & FLOOR_WORDS else held | {FLOOR_NAME}
