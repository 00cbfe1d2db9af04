"""The configuration: every setting with type, range, default and origin, who changed it, its history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from textual.binding import BindingType

from station.link import EditConfig, Query, RevertConfig
from station.link.screens import RowStory, SettingLine, SettingsRoom
from widgets import ink, screen_keys
from widgets.columns import Column, Table, whole
from widgets.floorplan import Column as Side
from widgets.floorplan import Slot
from widgets.ink import Line
from widgets.page import PagePane, Question
from widgets.pane import Block, Content, wrapped
from widgets.rowpage import BY, FLAG, UNCHANGED, EditPage, author, version_lines
from widgets.scene import Scene

SETTING: Final = "setting"
SHORT: Final = 12
"""A value of so many letters is always seen whole."""
COLUMNS: Final = (
    Column("setting", 24, grows=True), Column("value", 12, grows=True), Column("default", 10, rank=3),
    Column("may be", 20, rank=2, grows=True), Column("from", 15, rank=1), Column("changed", 14, rank=4),
)  # fmt: skip


class SettingsPage(EditPage):
    """Every setting, section by section; what is known of the one under the cursor beside or below."""

    TITLE = "Configuration"
    EVERY_S = 5.0
    PLANS = (
        ((150, 38), (Side(0, (Slot(("list",)),)), Side(58, (Slot(("one",), rows=14), Slot(("history",)))))),
        ((110, 30), (Side(0, (Slot(("list",), share=5), Slot(("one", "history"), share=2))),)),
    )
    BINDINGS: ClassVar[list[BindingType]] = [*screen_keys.bindings("settings")]
    _picked = ""

    def questions(self) -> Mapping[str, Question]:
        wanted = {"list": Question(Query("settings"), SettingsRoom)}
        row = self.row_picked
        if row is not None:
            args = {"kind": SETTING, "key": row.key}
            wanted["row"] = Question(Query("config_row", args), RowStory)
        return wanted

    def make(self) -> list[PagePane]:
        return [
            self.pane("list", "Configuration", "list", self._list, on_pick=self._pick),
            self.pane("one", "Setting", "list", self._one),
            self.pane("history", "History", "row", self._history),
        ]

    def answered(self, slot: str) -> None:
        if slot == "list":
            self.call_next(self.floor.pump)

    def _pick(self, key: str) -> None:
        self._picked = key
        self.floor.pump()

    def _rows(self) -> list[SettingLine]:
        room = self.document("list", SettingsRoom) or SettingsRoom()
        wanted = self._words.lower().split()
        return [row for row in room.rows if all(word in f"{row.key} {row.source}".lower() for word in wanted)]

    @property
    def row_picked(self) -> SettingLine | None:
        """The setting under the cursor, the first until one is picked."""
        rows = self._rows()
        return next((row for row in rows if row.key == self._picked), rows[0] if rows else None)

    # --- what is seen -------------------------------------------------------------------------------

    def _list(self, scene: Scene, width: int) -> Content:
        rows, table, here = self._rows(), Table(COLUMNS, width), self.row_picked
        room = self.document("list", SettingsRoom) or SettingsRoom()
        edited = sum(row.source == "the database" for row in room.rows)
        head = ((f" only {self._words!r}", ink.KEY),) if self._words else ()
        blocks: list[Block] = []
        section = ""
        for row in rows:
            if row.section != section:
                section = row.section
                blocks.append(Block((((f" {section}", ink.ACCENT),),)))
            line = _row(row, table, scene)
            opened = row is here and not self.sees("one")
            told = [("value", row.value)] if len(row.value) > SHORT else []
            told.append(("may be", row.limit or row.kind))
            blocks.append(Block(whole(line, told, width) if opened else (line,), row.key))
        return Content(
            note=f"{len(room.rows)} settings, {edited} edited here",
            head=(*((head,) if head else ()), table.heading) if rows else (), blocks=tuple(blocks),
            empty="no setting has these words: / shows all again", picked=here.key if here is not None else "",
        )  # fmt: skip

    def _one(self, scene: Scene, width: int) -> Content:
        row = self.row_picked
        if row is None:
            return Content(empty="pick a setting")
        told = [
            ("value", row.value or "(empty)"), ("default", row.default or "(empty)"), ("write", row.kind),
            ("range", row.limit), ("from", row.source), ("changed", author(row.change, scene)),
        ]  # fmt: skip
        lines: list[Line] = [((f" {row.key}", ink.STRONG),)]
        for name, said in told:
            for place, piece in enumerate(wrapped(said, max(width - 11, 8)) if said else ()):
                lines.append(((f" {'' if place else name:<9}", ink.DIM), (piece, ink.TEXT)))
        lines += [((f" {line}", style),) for text, style in _notes(row) for line in wrapped(text, width - 2)]
        return Content(title="Setting", blocks=(Block(tuple(lines)),))

    def _history(self, scene: Scene, width: int) -> Content:
        story = self.document("row", RowStory)
        versions = story.versions if story is not None else ()
        return Content(
            title=f"History of {story.key}" if story is not None else "",
            blocks=tuple(Block(version_lines(one, scene, width), f"v{one.version}") for one in versions),
            empty="never changed here",
        )  # fmt: skip

    # --- what keys do -------------------------------------------------------------------------------

    def _editable(self) -> SettingLine | None:
        row = self.row_picked
        if row is not None and not row.editable:
            self.floor.tell(f"{row.key}: {_fixed(row)}", "warn")
            return None
        return row

    def action_edit(self) -> None:
        row = self._editable()
        if row is None:
            return

        async def send(text: str) -> str:
            command = EditConfig(SETTING, row.key, text, row.change.version, by=BY)
            return UNCHANGED if text == row.value else await self.send(command)

        told = [("now", row.value or "(empty)"), ("default", row.default or "(empty)"), ("write", row.kind)]
        told += [("range", row.limit)] if row.limit else []
        told.append(("applies", "at once" if row.live else "at the next start"))
        self.ask_value(row.key, row.value, tuple(told), send)

    def action_toggle(self) -> None:
        row = self._editable()
        if row is not None and row.kind == FLAG:
            value = "off" if row.value == "on" else "on"
            self.send_soon(EditConfig(SETTING, row.key, value, row.change.version, by=BY))

    def action_revert(self) -> None:
        row = self.row_picked
        if row is not None:
            self.send_soon(RevertConfig(SETTING, row.key, row.change.version, BY))

    def action_find(self) -> None:
        self.find("FIND SETTINGS", "Words of the name or the origin: risk loss, the database.")

    def action_section(self) -> None:
        rows, here = self._rows(), self.row_picked
        if here is None:
            return
        sections = list(dict.fromkeys(row.section for row in rows))
        following = sections[(sections.index(here.section) + 1) % len(sections)]
        key = next(row.key for row in rows if row.section == following)
        pane = self.query_one(f"#{self.id}-list", PagePane)
        pane.choose(key)


def _fixed(row: SettingLine) -> str:
    if row.source in ("the environment", "the command line"):
        return f"{row.source} goes before: change it there"
    return "secret: it lives in the environment" if row.section == "secrets" else "set it in the file"


def _notes(row: SettingLine) -> list[tuple[str, ink.Style]]:
    notes: list[tuple[str, ink.Style]] = []
    if not row.editable:
        notes.append((_fixed(row), ink.WARN))
    elif row.waiting:
        notes.append((f"running with {row.waiting} until the next start", ink.WARN))
    else:
        notes.append(("an edit is in force at once" if row.live else "an edit waits for a start", ink.DIM))
    return notes


def _row(row: SettingLine, table: Table, scene: Scene) -> Line:
    own = row.source in ("the database", "the environment", "the command line")
    name = row.key.removeprefix(f"{row.section}.")
    value = ink.WARN if row.waiting else ink.STRONG if row.value != row.default else ink.TEXT
    return table.line(
        [
            (f"  {name}", ink.TEXT if row.editable else ink.DIM), (row.value or "-", value),
            (row.default or "-", ink.FAINT), (row.limit or row.kind, ink.FAINT),
            (row.source, ink.ACCENT if own else ink.FAINT), (author(row.change, scene), ink.DIM),
        ]
    )  # fmt: skip
