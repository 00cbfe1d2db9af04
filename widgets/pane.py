"""What every live pane is: a title bar, rows, a cursor where rows can be picked, and its states."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from textual.binding import Binding, BindingType
from textual.events import Click, MouseScrollDown, MouseScrollUp

from station.link import LinkState
from station.link.floor import ERROR, LOADING
from widgets import ink, words
from widgets.canvas import DRAWING_FAULTS, LineCanvas
from widgets.ink import Line
from widgets.scene import Scene

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Block:
    """One item of a pane: its lines, and the key by which it can be picked (empty: it cannot)."""

    lines: tuple[Line, ...]
    key: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A pane's content: `note` stands at the right of the title (in amber where `warn`), `head` rows never
    scroll, `empty` is said where there is no block. `title` replaces the pane's own; `picked` is the key under
    the cursor where the cursor is not the pane's to keep; the block of key `anchor` is kept in the middle until
    somebody scrolls; in a `shy` one nothing is picked until somebody moves the cursor."""

    note: str = ""
    head: tuple[Line, ...] = ()
    blocks: tuple[Block, ...] = ()
    empty: str = ""
    title: str = ""
    warn: bool = False
    picked: str | None = None
    anchor: str = ""
    shy: bool = False


class PartState(Protocol):
    """What every pane's part carries."""

    @property
    def state(self) -> str: ...

    @property
    def note(self) -> str: ...


def unheard(_key: str) -> None:
    """A listener to picks that does not listen."""


Render = Callable[[Scene, int], Content]
PartOf = Callable[[Scene], PartState | None]


class Pane(LineCanvas, can_focus=True):
    """Paints a `Render` of one part of the floor and looks after scrolling, the cursor and what is wrong.

    `behind` are key and name of the panes out of sight in its place: its title tells them where there is room.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home", "edge(0)", "first", show=False),
        Binding("end", "edge(1)", "last", show=False),
    ]

    HELP: ClassVar[tuple[tuple[str, str], ...]] = (("up down", "Move the cursor, or scroll."),)
    """Keys that only this pane knows, for its help."""

    def __init__(
        self, key: str, title: str, part: PartOf, render: Render, *, id: str, ascii_only: bool = False,
        on_pick: Callable[[str], None] = unheard,
    ) -> None:  # fmt: skip
        super().__init__(id=id, ascii_only=ascii_only)
        self.key = key
        self.title = title
        self.picked = ""
        self.lit = False
        self.behind: tuple[tuple[str, str], ...] = ()
        self._on_pick = on_pick
        self._scrolled = False
        self._part = part
        self._draw = render
        self._content = Content()
        self._scene: Scene | None = None
        self._top = 0
        self.beyond = ""
        self._had: list[str] = []

    # --- painting ----------------------------------------------------------------------------------

    def paint(self, scene: Scene) -> None:
        """Bring the pane up to `scene`. A fault in drawing becomes the pane's own error state."""
        self._scene = scene
        width, height = self.size
        if not width or not height:
            return
        try:
            before = self._content.title
            self._content = self.draw(scene, width, height - 1)
            self._scrolled = self._scrolled and self._content.title == before
            self._follow()
            self.beyond = ""
            body = self._body(scene, width, height - 1)
            lines = [self._title_bar(scene, width), *body]
        except DRAWING_FAULTS:
            _log.exception("pane %s cannot draw its part", self.title)
            said = centred("this pane could not be drawn; the log says why", ink.ALARM, width)
            lines = [((f" {self.title}", ink.TITLE_BAD),), said]
        self.show(lines)

    def draw(self, scene: Scene, width: int, height: int) -> Content:
        """The content for a body of this size."""
        del height
        return self._draw(scene, width)

    def repaint(self) -> None:
        if self._scene is not None:
            self.paint(self._scene)

    def _title_bar(self, scene: Scene, width: int) -> Line:
        focused = self.has_focus
        title, note_style = (ink.TITLE_FOCUS, ink.TITLE_NOTE_FOCUS) if focused else (ink.TITLE, ink.TITLE_NOTE)
        name = f"{self._content.title or self.title} "
        left: Line = ((f"{'▸' if focused else ' '}{self.key} {name}", title),)
        if self.lit:
            left = ((f" {self.key} ", ink.CAUTION), (name, title))
        bad = ink.TITLE_BAD_FOCUS if focused else ink.TITLE_BAD
        warn = ink.TITLE_WARN_FOCUS if focused else ink.TITLE_WARN
        note, style = self._content.note, warn if self._content.warn else note_style
        part = self._part(scene)
        if part is None:
            note = ""
        elif part.state == ERROR:
            note, style = "ERROR", bad
        elif not scene.live:
            note, style = f"as of {words.clock_text(scene.now_ns)}", bad
        right: Line = ((f"{note} ", style), *self._beyond_note(note_style))
        return ink.spread((*left, *self._others(width - ink.width_of((*left, *right)))), right, width, title)

    def _beyond_note(self, style: ink.Style) -> Line:
        """Arrows to the rows out of sight; the floor's panes, which move by themselves, show none."""
        del style
        return ()

    def _others(self, room: int) -> Line:
        """The panes behind this one, by name, or by their letters alone."""
        style = ink.TITLE_NOTE_FOCUS if self.has_focus else ink.TITLE_NOTE
        named = "".join(f"  {key} {name}" for key, name in self.behind)
        letters = f"  {' '.join(key for key, _ in self.behind)}" if self.behind else ""
        text = next((one for one in (named, letters) if len(one) < room), "")
        return ((text, style),) if text else ()

    def _body(self, scene: Scene, width: int, height: int) -> list[Line]:
        part = self._part(scene)
        said = said_of(scene, part, self._content.empty or "waiting for the engine …")
        if said is not None:
            text, style = said
            return [ink.BLANK, *(centred(line, style, width) for line in wrapped(text, width - 4))]
        if not self._content.blocks:
            text = (part.note if part is not None else "") or self._content.empty
            empty = [centred(line, ink.DIM, width) for line in wrapped(text, width - 4)]
            return [*self._aged(self._content.head, scene), ink.BLANK, *empty]
        rows: list[Line] = []
        for block in self._content.blocks:
            chosen = bool(block.key) and block.key == self.picked
            if block.key and block.key == self._content.anchor and not self._scrolled:
                self._top = len(rows) - (height - len(self._content.head)) // 2
            lines = self._aged(block.lines, scene)
            rows += [_picked(line, width) for line in lines] if chosen else lines
        room = height - len(self._content.head)
        self._top = max(min(self._top, len(rows) - room), 0)
        self.beyond = f"{'↑' if self._top else ''}{'↓' if self._top + room < len(rows) else ''}"
        shown = rows[self._top : self._top + room]
        if part is not None and part.note:
            shown = [*shown[: room - 1], ink.clipped(((f" {part.note}", ink.WARN),), width)]
        return [*self._aged(self._content.head, scene), *shown]

    def _aged(self, rows: Sequence[Line], scene: Scene) -> list[Line]:
        return list(rows) if scene.live else [ink.faded(row) for row in rows]

    # --- the cursor --------------------------------------------------------------------------------

    def _keys(self) -> list[str]:
        return [block.key for block in self._content.blocks if block.key]

    def _follow(self) -> None:
        """A picked row that is gone leaves nothing picked, so that no key hits its neighbour by surprise."""
        keys = self._keys()
        if self._content.picked is not None:
            others = keys != self._had and not self._content.anchor
            unseen = others or self.picked != self._content.picked
            self.picked = self._content.picked
            if unseen:
                self._reveal()
        elif self.picked not in keys:
            self.picked = keys[0] if keys and not self._had and not self._content.shy else ""
        self._had = keys

    def action_move(self, step: int) -> None:
        keys = self._keys()
        if not keys:
            self._top += step
        elif self.picked in keys:
            self.picked = keys[max(min(keys.index(self.picked) + step, len(keys) - 1), 0)]
        else:
            self.picked = keys[0 if step > 0 else -1]
        self._scrolled = True
        if keys:
            self._on_pick(self.picked)
        self._reveal()
        self.repaint()

    def choose(self, key: str) -> None:
        """Put the cursor on a row."""
        self.picked = key
        self._scrolled = True
        self._on_pick(key)
        self._reveal()
        self.repaint()

    def action_page(self, step: int) -> None:
        self._scrolled = True
        self._top = max(self._top + step * max(self.size.height - 3, 1), 0)
        self.repaint()

    def action_edge(self, end: int) -> None:
        keys = self._keys()
        if keys:
            self.picked = keys[-1 if end else 0]
            self._on_pick(self.picked)
        self._scrolled = True
        self._top = 10**6 if end else 0
        self.repaint()

    def _reveal(self) -> None:
        row = 0
        room = self.size.height - 1 - len(self._content.head)
        for block in self._content.blocks:
            if block.key and block.key == self.picked:
                self._top = max(min(self._top, row), row + len(block.lines) - room)
                return
            row += len(block.lines)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self._scrolled = True
        self._top += 2
        self.repaint()

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self._scrolled = True
        self._top = max(self._top - 2, 0)
        self.repaint()

    def on_click(self, event: Click) -> None:
        row = event.y - 1 - len(self._content.head) + self._top
        for block in self._content.blocks:
            if 0 <= row < len(block.lines) and block.key:
                self.picked = block.key
                self._on_pick(block.key)
                self.repaint()
                return
            row -= len(block.lines)

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        if all(one.display for one in self.ancestors_with_self):
            self.repaint()

    def on_resize(self) -> None:
        self._reveal()
        self.repaint()


def said_of(
    scene: Scene, part: PartState | None, waiting: str = "waiting for the engine …"
) -> tuple[str, ink.Style] | None:
    """What a pane says instead of its rows: disconnected, loading or in error."""
    if part is None:
        if scene.state in (LinkState.CONNECTED, LinkState.CONNECTING):
            return (
                "waiting for the engine's first picture …" if scene.floor.header is None else waiting,
                ink.DIM,
            )
        if scene.state is LinkState.MISMATCH:
            return scene.detail, ink.ALARM
        return "no engine to look at; the screen keeps trying", ink.DIM
    if part.state == LOADING:
        return part.note or "loading …", ink.DIM
    if part.state == ERROR:
        return part.note or "the engine could not make this picture", ink.ALARM
    return None


def _picked(line: Line, width: int) -> Line:
    padded = (*line, (" " * max(width - ink.width_of(line), 0), ink.TEXT))
    return ink.on_ground(padded, ink.PICKED)


def centred(text: str, style: ink.Style, width: int) -> Line:
    return ((ink.fit(text, width, "^"), style),)


def wrapped(text: str, width: int) -> list[str]:
    """`text` broken at spaces into lines of at most `width` cells, and a word that is longer wherever it has to
    be: none of it is lost."""
    lines: list[str] = []
    width = max(width, 1)
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines += [word[at : at + width] for at in range(0, len(word), width)]
    return lines
