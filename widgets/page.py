"""A screen beside the floor: it asks while it is shown, and its panes draw what was answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.geometry import Size
from textual.layout import Layout
from textual.widget import Widget

from station.domain.clock import SECOND
from station.link import Ack, Data, LinkDown, LinkState, Query, Reply, Scanners, Story
from station.link.floor import ERROR, LOADING, READY
from widgets import ink, screen_keys
from widgets.actions import BY_NAME
from widgets.floorplan import Column, GridLayout, Plans, chosen
from widgets.ink import Line
from widgets.pane import Content, Pane, unheard
from widgets.scene import Scene

if TYPE_CHECKING:
    from widgets.app import FloorApp

_log = logging.getLogger(__name__)
Shape = TypeVar("Shape")


@dataclass(frozen=True, slots=True)
class Question:
    """What a page asks the engine, and the message its JSON is read as; `every_s` where it is to be asked again
    at another pace than the page's."""

    query: Query | Scanners | Story
    shape: type[Any] = dict
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one question. `state` and `note` are a part's: what its panes say instead of rows, or
    below them."""

    question: Question
    document: Any = None
    state: str = LOADING
    note: str = ""
    asked_ns: int = 0
    flying: bool = False
    raw: str = field(default="", repr=False)


class Page(Container):
    """Base of every screen beside the floor.

    A page says what it asks (`questions`, by slot, anew at every beat: another filter is another question) and
    what its panes draw. It is asked nothing and costs nothing while it is not shown.
    """

    TITLE: ClassVar[str]
    EVERY_S: ClassVar[float] = 2.0
    CURSOR: ClassVar[str] = "Move the cursor, or scroll."
    """What its cursor does, for its help."""
    BEHIND: ClassVar[frozenset[str]] = frozenset()
    """Panes that a key of their own brings up; tab passes them by where several panes are seen."""
    PLANS: ClassVar[Plans] = ()
    """Columns of panes by the size of the terminal, the largest first; below the last, one pane at a time."""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "floor", show=False)]

    def __init__(self, name: str, key: str, *, ascii_only: bool = False) -> None:
        super().__init__(id=f"page-{name}")
        self.key = key
        self.plain = ascii_only
        self.version = 0
        self.grid = GridLayout()
        self._answers: dict[str, Answer] = {}
        self._fronts: tuple[str, ...] = ()

    # --- what a page is made of ---------------------------------------------------------------------

    def hints(self) -> tuple[tuple[str, str], ...]:
        """Its keys in a word each, for the key line."""
        floor = self.floor
        own = screen_keys.hints(self.scope, self.front.SCOPE, floor.shown_key, edits=not floor.read_only)
        return (*own, (floor.shown_key(BY_NAME["next"]), "pane")) if len(self.panes) > 1 else own

    def help(self) -> tuple[tuple[str, str], ...]:
        """Its keys and what they do."""
        shown = self.floor.shown_key
        around = ", ".join(pane.title for pane in self.panes)
        tab = ((shown(BY_NAME["next"]), f"The next pane of {around}."),) if len(self.panes) > 1 else ()
        return (("up down", self.CURSOR), *screen_keys.helps(self.scope, shown), *tab)

    @property
    def scope(self) -> str:
        """Its name in the tables of keys."""
        return (self.id or "").removeprefix("page-")

    @property
    def picked_trade(self) -> str:
        """The trade under its cursor, empty where it shows none."""
        return ""

    def questions(self) -> Mapping[str, Question]:
        """What is wanted now, by slot."""
        return {}

    def make(self) -> list[PagePane]:
        """Its panes; the first has the keys at first."""
        return []

    def pane(
        self, name: str, title: str, slot: str, draw: Callable[[Scene, int], Content], *,
        on_pick: Callable[[str], None] = unheard, kind: type[PagePane] | None = None,
    ) -> PagePane:  # fmt: skip
        """A pane that draws the answer in `slot`; of a `kind` where the usual rows are not enough."""
        key = "" if self._fronts else self.key
        self._fronts = (*self._fronts, name)
        return (kind or PagePane)(key, title, self, slot, draw, id=f"{self.id}-{name}", on_pick=on_pick)

    def document(self, slot: str, shape: type[Shape]) -> Shape | None:
        """What was answered, None while nothing was."""
        known = self._answers.get(slot)
        return known.document if known is not None and isinstance(known.document, shape) else None

    # --- the frame ----------------------------------------------------------------------------------

    @property
    def floor(self) -> FloorApp:
        return cast("FloorApp", self.app)

    @property
    def layout(self) -> Layout:
        return self.grid

    @property
    def panes(self) -> list[PagePane]:
        return list(self.query(PagePane))

    @property
    def front(self) -> PagePane:
        """The pane that has the keys, or had them last."""
        return self.query_one(f"#{self.id}-{self._fronts[0]}", PagePane)

    def compose(self) -> ComposeResult:
        yield from self.others()
        yield from self.make()

    def others(self) -> list[Widget]:
        """What it has besides panes."""
        return []

    def settle(self, size: Size | None = None) -> None:
        """Columns where the terminal has room for them, one pane at a time where not. `size` is the terminal's
        where it just changed: the app knows it a moment later."""
        size = size or self.app.size
        columns = next((plan for (w, h), plan in self.PLANS if size.width >= w and size.height >= h), ())
        shown = chosen(columns, self._fronts) if columns else self._fronts[:1]
        for pane in self.panes:
            pane.display = self._short(pane) in shown
        self.grid.columns = _named(columns, self.id or "")
        self.grid.shown = tuple(f"{self.id}-{name}" for name in shown)
        self.refresh(layout=True)

    def look_at(self, name: str) -> None:
        """Bring a pane to the front and give it the keys."""
        self._fronts = (name, *(other for other in self._fronts if other != name))
        self.settle()
        self.screen.set_focus(self.front, scroll_visible=False)
        self.floor.tell_keys()
        self.floor.call_after_refresh(self.floor.repaint)

    def step(self, step: int) -> None:
        """Around the panes; one out of sight comes to the front."""
        seen = [pane for pane in self.panes if pane.display]
        around = self._round(seen)
        focused = self.screen.focused
        here = around.index(focused) if isinstance(focused, PagePane) and focused in around else 0
        self.look_at(self._short(around[(here + step) % len(around)]))

    def _round(self, seen: list[PagePane]) -> list[PagePane]:
        """The panes that tab goes around: all of them; where several are seen, without those out of sight that
        have a key of their own."""
        alone = len(seen) < 2
        return [one for one in self.panes if alone or one in seen or self._short(one) not in self.BEHIND]

    def behind(self, pane: PagePane) -> str:
        """The title of the pane that tab brings up in the place of this one; nothing where there is none."""
        seen = [one for one in self.panes if one.display]
        around = self._round(seen)
        if pane not in around or len(around) < 2:
            return ""
        slots = (slot.panes for column in self.grid.columns for slot in column.slots)
        place = next((panes for panes in slots if pane.id in panes), ())
        after = [*around[around.index(pane) + 1 :], *around[: around.index(pane)]]
        return next((one.title for one in after if len(seen) < 2 or one.id in place), "")

    def action_leave(self) -> None:
        self.floor.turn("")

    def _short(self, pane: PagePane) -> str:
        return (pane.id or "").removeprefix(f"{self.id}-")

    def paint(self, scene: Scene) -> None:
        for pane in self.panes:
            if pane.display:
                pane.paint(scene)

    # --- asking -------------------------------------------------------------------------------------

    def sees(self, name: str) -> bool:
        """Whether that pane of its own is in sight."""
        return self.query_one(f"#{self.id}-{name}", PagePane).display

    def part(self, slot: str, scene: Scene) -> Answer | None:
        """What a pane's title and states are made from; None while there is no engine to ask."""
        known = self._answers.get(slot)
        if known is None or (known.document is None and known.state == LOADING and not scene.live):
            return None
        return known

    def beat(self) -> None:
        """Ask what is due: a new question at once, a known one every EVERY_S."""
        if self.floor.link.state is not LinkState.CONNECTED:
            return
        now = self.floor.perf()
        wanted = self.questions()
        for slot in [slot for slot in self._answers if slot not in wanted]:
            del self._answers[slot]
        for slot, question in wanted.items():
            known = self._answers.get(slot)
            if known is None or known.question != question:
                known = Answer(question)
            elif known.flying or now - known.asked_ns < (question.every_s or self.EVERY_S) * SECOND:
                continue
            self._answers[slot] = replace(known, asked_ns=now, flying=True)
            self.app.run_worker(self._ask(slot, question), group=f"{self.id} {slot}", exit_on_error=False)

    def again(self) -> None:
        """Ask everything anew at the next beat, which is now."""
        self._answers = {slot: replace(known, asked_ns=-(10**18), flying=False) for slot, known in
                         self._answers.items()}  # fmt: skip
        self.floor.pump()

    async def _ask(self, slot: str, question: Question) -> None:
        try:
            reply = await self.floor.link.ask(question.query)
        except LinkDown as fault:
            self._take(slot, question, Ack(False, str(fault)))
            return
        self._take(slot, question, reply)

    def _take(self, slot: str, question: Question, reply: Reply) -> None:
        known = self._answers.get(slot)
        if known is None or known.question != question:
            return
        fresh = replace(known, flying=False, **_read(known, reply))
        self._answers[slot] = fresh
        if (fresh.raw, fresh.state, fresh.note) != (known.raw, known.state, known.note):
            self.version += 1
            self.answered(slot)
            self.floor.repaint()

    def copied(self) -> str:
        """What copying takes instead of the pane's own lines; nothing for those."""
        return ""

    def answered(self, slot: str) -> None:
        """A new answer has come."""


def _read(known: Answer, reply: Reply) -> dict[str, Any]:
    """The fields of an answer that a reply changes. A failure after a success keeps what was known, and says
    so below it."""
    if isinstance(reply, Data):
        if reply.json == known.raw and known.state == READY:
            return {"note": ""}
        try:
            document = msgspec.json.decode(reply.json, type=known.question.shape)
        except msgspec.DecodeError as fault:
            _log.error("the answer to %s cannot be read: %s", known.question.query, fault)
            return {"state": ERROR, "note": "the engine's answer cannot be read: it may be of another version"}
        return {"document": document, "state": READY, "note": "", "raw": reply.json}
    if known.document is not None:
        return {"note": f"not the newest: {reply.text}"}
    starting = reply.code == "STARTING"
    return {"state": LOADING if starting else ERROR, "note": reply.text}


def _named(columns: tuple[Column, ...], prefix: str) -> tuple[Column, ...]:
    """The plan with the ids of the widgets."""
    return tuple(
        replace(column, slots=tuple(
            replace(slot, panes=tuple(f"{prefix}-{name}" for name in slot.panes)) for slot in column.slots
        ))
        for column in columns
    )  # fmt: skip


class PagePane(Pane):
    """A pane of a page. SCOPE names its own keys, where it has any."""

    SCOPE: ClassVar[str] = ""

    def __init__(
        self, key: str, title: str, page: Page, slot: str, draw: Callable[[Scene, int], Content], *, id: str,
        on_pick: Callable[[str], None] = unheard,
    ) -> None:  # fmt: skip
        super().__init__(
            key, title, lambda scene: page.part(slot, scene), draw, id=id, ascii_only=page.plain,
            on_pick=on_pick,
        )  # fmt: skip
        self.room: Final = page

    def _beyond_note(self, style: ink.Style) -> Line:
        return ((f"{self.beyond} ", style),) if self.beyond else ()

    def _title_bar(self, scene: Scene, width: int) -> Line:
        """With the pane that tab brings up here, where there is room to say so."""
        behind = self.room.behind(self)
        whole, said = super()._title_bar(scene, width), f" tab {behind} "
        if not behind or self.lit or len(whole) < 2 or len(said) + 2 > len(whole[1][0]):
            return whole
        (name, style), (gap, fill), *rest = whole
        note = ink.TITLE_NOTE_FOCUS if self.has_focus else ink.TITLE_NOTE
        return ((name, style), (said, note), (gap[len(said) :], fill), *rest)
