"""Screens of rows edited field by field: a list, the fields of the row under the cursor, its versions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Final

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input, Static

from station.link import Ack, Command, EditConfig, LinkDown, Query, RevertConfig
from station.link.screens import Change, FieldLine, RowStory, VersionLine
from widgets import ink, screen_keys, words
from widgets.asking import LineDialog, WordDialog, ask_late
from widgets.columns import Column, Table, whole
from widgets.dialogs import TypedDialog
from widgets.ink import AMBER, GREY, WHITE, Line
from widgets.page import Page, PagePane, Question
from widgets.pane import Block, Content, wrapped
from widgets.scene import Scene

BY: Final = "screen"
LOOSENS: Final = "LOOSENS"
LOOSEN_WORD: Final = "LOOSEN"
FLAG: Final = "on or off"
UNCHANGED: Final = "that is what it is already: write another value, or esc leaves it"
LOOKING_ON: Final = "this screen is attached read-only: nothing is edited here"
Sender = Callable[[str], Awaitable[str]]
"""Sends what was typed; what is wrong with it, empty when it was taken."""

FIELDS: Final = (
    Column("field", 18, rank=0), Column("value", 14, grows=True), Column("default", 12, rank=1),
    Column("what may be written", 26, rank=2, grows=True),
)  # fmt: skip


class EditDialog(TypedDialog):
    """One value typed anew. It stays open, saying why, until the engine takes the value."""

    def __init__(
        self, perf: Callable[[], int], title: str, value: str, facts: tuple[tuple[str, str], ...], send: Sender,
    ) -> None:  # fmt: skip
        super().__init__(perf)
        self._title, self._value, self._facts, self._send = title, value, facts, send
        self._sending = False

    def inside(self) -> ComposeResult:
        text = Text()
        for name, said in self._facts:
            text.append(f"{name:<9}", style=GREY).append(f"{said}\n", style=WHITE)
        yield Static(text)
        yield from self.line(self._value)
        yield Static(Text.assemble(("Enter", f"bold {AMBER}"), " takes it, ", ("Esc", AMBER), " leaves it"))

    def on_mount(self) -> None:
        self.query_one("#box").border_title = self._title

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not self._sending:
            self._sending = True
            # The app's own: what was sent is told of, though the dialog be left before the answer.
            self.app.run_worker(self._try(event.value), group="edit", exit_on_error=False)

    async def _try(self, text: str) -> None:
        try:
            wrong = await self._send(text)
        finally:
            self._sending = False
        if not wrong:
            self.dismiss(text)
        elif self.is_running:
            self.refuse(words.brief(wrong), anew=False)


class EditPage(Page):
    """What every screen that edits configuration can do."""

    _words = ""
    """What the rows listed have in them."""

    def find(self, title: str, said: str) -> None:
        """Ask for the words; none of them shows every row again."""

        def found(line: str | None) -> None:
            if line is not None:
                self._words = line.strip()
                self.floor.repaint()

        self.app.push_screen(LineDialog(self.floor.perf, title, said, value=self._words), found)

    async def send(self, command: Command) -> str:
        """Tell the engine; what it refused, empty when it was done. Either way the trader is told."""
        if self.floor.read_only:
            return self._refused(LOOKING_ON)
        try:
            reply = await self.floor.link.ask(command)
        except LinkDown as fault:
            return self._refused(f"NO ANSWER, {fault}. It may not have happened.")
        if isinstance(reply, Ack) and reply.code == LOOSENS and isinstance(command, EditConfig | RevertConfig):
            self.call_later(self._ask_word, command, reply.text)
            return ""
        if isinstance(reply, Ack) and not reply.ok:
            return self._refused(reply.text)
        self.floor.tell(reply.text if isinstance(reply, Ack) else "done", "good")
        self.again()
        return ""

    def _ask_word(self, command: EditConfig | RevertConfig, said: str) -> None:
        """Once the dialog of the value is gone: what was refused for the lack of a word is sent with it."""

        def answered(word: str | None) -> None:
            if word is not None:
                self.send_soon(msgspec.structs.replace(command, word=word))

        ask_late(self.floor, WordDialog(self.floor.perf, "LOOSEN A LIMIT", said, LOOSEN_WORD), answered)

    def _refused(self, text: str) -> str:
        self.floor.tell(words.brief(text), "bad")
        return text

    def send_soon(self, command: Command) -> None:
        """The same, without waiting for it."""

        async def send() -> None:
            await self.send(command)

        self.app.run_worker(send(), group=f"{self.id} edit", exit_on_error=False)

    def ask_value(self, title: str, value: str, facts: tuple[tuple[str, str], ...], send: Sender) -> None:
        """Open the dialog for one value."""
        if self.floor.read_only:
            self._refused(LOOKING_ON)
            return
        self.app.push_screen(EditDialog(self.floor.perf, title, value, facts, send))


class RowPage(EditPage):
    """A screen of scanners or strategies: KIND names them to the engine."""

    KIND: ClassVar[str]
    BINDINGS: ClassVar[list[BindingType]] = [*screen_keys.bindings("rows")]
    _picked = ""

    # --- what a subclass says -----------------------------------------------------------------------

    def keys(self) -> tuple[str, ...]:
        """The rows listed, in their order."""
        return ()

    def change_of(self, key: str) -> Change:
        """The version of a row as it was last read."""
        del key
        return Change()

    def enabled(self, key: str) -> bool:
        del key
        return False

    # --- what is asked ------------------------------------------------------------------------------

    @property
    def key_picked(self) -> str:
        """The row under the cursor, the first until one is picked."""
        keys = self.keys()
        return self._picked if self._picked in keys else keys[0] if keys else ""

    def row_question(self) -> Mapping[str, Question]:
        key = self.key_picked
        return {"row": Question(Query("config_row", {"kind": self.KIND, "key": key}), RowStory)} if key else {}

    def row_panes(self) -> list[PagePane]:
        return [
            self.pane("fields", "Fields", "row", self._fields),
            self.pane("versions", "Versions", "row", self._versions),
        ]

    def answered(self, slot: str) -> None:
        if slot == "list":
            self.call_next(self.floor.pump)

    def pick(self, key: str) -> None:
        """The list's cursor moved."""
        self._picked = key
        self.floor.pump()

    # --- what is seen -------------------------------------------------------------------------------

    def _fields(self, _scene: Scene, width: int) -> Content:
        story = self.document("row", RowStory)
        if story is None:
            return Content(empty="pick a row")
        table, picked = Table(FIELDS, width), self.query_one(f"#{self.id}-fields", PagePane).picked
        return Content(
            title=story.key, note=f"version {story.change.version}, {story.change.origin}",
            head=(table.heading,),
            blocks=tuple(
                Block(_field(line, table, opened=line.name == picked), line.name) for line in story.fields
            ),
            empty="nothing can be edited here",
        )  # fmt: skip

    def _versions(self, scene: Scene, width: int) -> Content:
        story = self.document("row", RowStory)
        versions = story.versions if story is not None else ()
        return Content(
            title=f"Versions of {story.key}" if story is not None else "",
            note=str(len(versions)) if versions else "",
            blocks=tuple(Block(version_lines(one, scene, width), f"v{one.version}") for one in versions),
            empty="never edited: the shipped default is in force",
        )  # fmt: skip

    # --- what keys do -------------------------------------------------------------------------------

    def action_toggle(self) -> None:
        key = self.key_picked
        if key:
            self._edit("enabled", "off" if self.enabled(key) else "on")

    def action_edit(self) -> None:
        fields = self.query_one(f"#{self.id}-fields", PagePane)
        story = self.document("row", RowStory)
        if not fields.has_focus:
            self.look_at("fields")
            return
        line = next((one for one in story.fields if one.name == fields.picked), None) if story else None
        if story is None or line is None:
            return
        if line.kind == FLAG:
            self._edit(line.name, "off" if line.value == "on" else "on")
            return
        command = EditConfig(self.KIND, story.key, "", self.change_of(story.key).version, line.name, BY)

        async def send(text: str) -> str:
            return UNCHANGED if text == line.value else await self.send(_with_value(command, text))

        self.ask_value(f"{story.key} · {line.name}", line.value, facts(line), send)

    def action_revert(self) -> None:
        key = self.key_picked
        if key:
            self.send_soon(RevertConfig(self.KIND, key, self.change_of(key).version, BY))

    def _edit(self, field: str, value: str) -> None:
        key = self.key_picked
        self.send_soon(EditConfig(self.KIND, key, value, self.change_of(key).version, field, BY))


def _with_value(command: EditConfig, value: str) -> EditConfig:
    return EditConfig(command.kind, command.key, value, command.version, command.field, command.by)


def facts(line: FieldLine) -> tuple[tuple[str, str], ...]:
    """What the dialog says of a field."""
    told = [("now", line.value or "(empty)"), ("default", line.default or "(empty)"), ("write", line.kind)]
    return (*told, ("range", line.limit)) if line.limit else tuple(told)


def _field(line: FieldLine, table: Table, *, opened: bool) -> tuple[Line, ...]:
    own, write = line.value != line.default, line.limit or line.kind
    row = table.line(
        [
            (line.name, ink.TEXT), (line.value or "-", ink.STRONG if own else ink.TEXT),
            (line.default or "-", ink.FAINT), (write, ink.FAINT),
        ]
    )  # fmt: skip
    return whole(row, (("value", line.value), ("write", write)), table.width) if opened else (row,)


def version_lines(one: VersionLine, scene: Scene, width: int) -> tuple[Line, ...]:
    """A version: who and when, and what it changed, a line each."""
    when = changed_text(one.at_ns, scene.now_ns)
    head: Line = (
        (f" v{one.version:<3}", ink.STRONG), (f" {when}", ink.DIM), (f"  by {one.by or '?'}", ink.TEXT),
        (f"  {one.origin}", ink.FAINT if one.origin == "shipped" else ink.WARN),
    )  # fmt: skip
    lines = [ink.clipped(head, width)]
    for change in one.changes:
        was, now = _told(change.before), _told(change.after)
        line: Line = (
            (f"      {change.field}  ", ink.DIM), (was, ink.DOWN), (" → ", ink.FAINT), (now, ink.UP),
        )  # fmt: skip
        lines += [line] if ink.width_of(line) <= width else _below(change.field, was, now, width)
    return tuple(lines)


def _below(field: str, was: str, now: str, width: int) -> list[Line]:
    """A change that is too long for a line: what was, then what is, all of it."""
    lines: list[Line] = [((f"      {field}", ink.DIM),)]
    for mark, text, style in (("-", was, ink.DOWN), ("+", now, ink.UP)):
        for n, piece in enumerate(wrapped(text, max(width - 9, 8))):
            lines.append(((f"      {' ' if n else mark} ", ink.FAINT), (piece, style)))
    return lines


def _told(value: str | None) -> str:
    return "(default)" if value is None else value or "(empty)"


def changed_text(at_ns: int, now_ns: int) -> str:
    """`14:02` of today, `Nov 18 14:02` of another day."""
    if not at_ns:
        return "-"
    same = words.day_text(at_ns) == words.day_text(now_ns)
    return words.minute_text(at_ns) if same else f"{words.day_text(at_ns)} {words.minute_text(at_ns)}"


def author(change: Change, scene: Scene) -> str:
    """`screen 14:02`: who edited a row last; empty for one that never was."""
    if change.origin == "shipped" or not change.version:
        return ""
    return f"{change.by or '?'} {changed_text(change.at_ns, scene.now_ns)}"
