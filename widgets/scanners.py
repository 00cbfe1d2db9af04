"""The scanners: every rule, how often it fired and was turned away, and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from textual.binding import BindingType

from station.link import EditConfig, Query
from station.link.screens import Change, ScannerLine, ScannerRoom, SwitchLine
from widgets import ink, screen_keys, words
from widgets.columns import Column, Table
from widgets.feed import GATES
from widgets.floorplan import Column as Side
from widgets.floorplan import Slot
from widgets.ink import Line, Span
from widgets.page import PagePane, Question
from widgets.pane import Block, Content
from widgets.rowpage import BY, RowPage
from widgets.scene import Scene

BARS: Final = "▁▂▃▄▅▆▇█"
COLUMNS: Final = (
    Column("scanner", 26, grows=True), Column("status", 7), Column("fired", 5, ">"), Column("pass", 4, ">"),
    Column("last", 11), Column("firings today", 13, rank=1), Column("cool", 5, ">", rank=2),
    Column("hrs", 4, ">", rank=3), Column("bar", 4, ">", rank=3), Column("cfg", 4, ">", rank=3),
    Column("cooldown", 8, ">", rank=4), Column("tf", 3, rank=5), Column("side", 4, rank=5),
    Column("warm", 10, ">", rank=6),
)  # fmt: skip
ORDERS: Final = ("catalogue", "fired most", "fired last")
DETAIL: Final = (Slot(("fields",), share=3), Slot(("versions", "switches"), share=2))


class ScannersPage(RowPage):
    """Every rule on the left; settings, versions and the master switches of the rule under the cursor."""

    TITLE = "Scanners"
    KIND = "scanner"
    BEHIND = frozenset({"switches"})
    EVERY_S = 3.0
    PLANS = (
        ((150, 38), (Side(0, (Slot(("list",)),)), Side(58, DETAIL))),
        ((110, 30), (Side(0, (Slot(("list",), share=5), Slot(("fields", "versions", "switches"), share=3))),)),
    )
    BINDINGS: ClassVar[list[BindingType]] = [*screen_keys.bindings("scanners")]
    _order = 0

    def questions(self) -> Mapping[str, Question]:
        return {"list": Question(Query("scanner_room"), ScannerRoom), **self.row_question()}

    def make(self) -> list[PagePane]:
        return [
            self.pane("list", "Scanners", "list", self._list, on_pick=self.pick),
            *self.row_panes(),
            self.pane("switches", "Master switches", "list", self._switches),
        ]

    # --- rows ---------------------------------------------------------------------------------------

    def _rows(self) -> list[ScannerLine]:
        room = self.document("list", ScannerRoom) or ScannerRoom()
        wanted = self._words.lower().split()
        rows = [row for row in room.rows if all(word in _text(row) for word in wanted)]
        if self._order == 1:
            rows.sort(key=lambda row: -row.fired)
        elif self._order == 2:
            rows.sort(key=lambda row: -row.last_ns)
        return rows

    def keys(self) -> tuple[str, ...]:
        return tuple(row.name for row in self._rows())

    def _line(self, key: str) -> ScannerLine | None:
        return next((row for row in self._rows() if row.name == key), None)

    def change_of(self, key: str) -> Change:
        row = self._line(key)
        return row.change if row is not None else Change()

    def enabled(self, key: str) -> bool:
        row = self._line(key)
        return row is not None and row.enabled

    # --- what is seen -------------------------------------------------------------------------------

    def _list(self, scene: Scene, width: int) -> Content:
        room = self.document("list", ScannerRoom) or ScannerRoom()
        rows, table = self._rows(), Table(COLUMNS, width)
        on = sum(row.enabled for row in room.rows)
        head = [_gates(room, width)]
        if self._words or self._order:
            said = f" only {self._words!r}" if self._words else ""
            head.append(((f"{said}  by {ORDERS[self._order]}", ink.KEY),))
        return Content(
            note=f"{on} of {len(room.rows)} on", head=(*head, table.heading) if room.rows else (),
            blocks=tuple(
                Block(_lines(row, table, scene, picked=row.name == self.key_picked), row.name) for row in rows
            ),
            empty="no scanner has these words: / shows all again" if self._words else "the catalogue is empty",
            picked=self.key_picked,
        )  # fmt: skip

    def _switches(self, scene: Scene, width: int) -> Content:
        del scene
        room = self.document("list", ScannerRoom) or ScannerRoom()
        blocks = tuple(Block((_switch(one, width),), one.name) for one in room.switches)
        return Content(blocks=blocks, empty="there are no master switches")

    # --- what keys do -------------------------------------------------------------------------------

    def action_find(self) -> None:
        self.find("FIND SCANNERS", "Words of name, family, instrument, timeframe or status.")

    def action_order(self) -> None:
        self._order = (self._order + 1) % len(ORDERS)
        self.floor.repaint()

    def action_master(self) -> None:
        self.look_at("switches")

    def action_toggle(self) -> None:
        pane = self.query_one(f"#{self.id}-switches", PagePane)
        room = self.document("list", ScannerRoom)
        switch = next((one for one in room.switches if one.name == pane.picked), None) if room else None
        if not pane.has_focus:
            super().action_toggle()
        elif switch is not None:
            value, version = "off" if switch.on else "on", switch.change.version
            self.send_soon(EditConfig("switch", switch.name, value, version, by=BY))


def _text(row: ScannerLine) -> str:
    return f"{row.name} {row.family} {row.instrument} {row.timeframe} {row.status}".lower()


def _gates(room: ScannerRoom, width: int) -> Line:
    fired, passed = (sum(getattr(row, name) for row in room.rows) for name in ("fired", "published"))
    spans = [(f" {fired} fired", ink.TEXT), (f"  {passed} passed", ink.UP if passed else ink.DIM),
             ("  turned away", ink.FAINT)]  # fmt: skip
    for gate, short in GATES.items():
        refused = room.rejected.get(gate, 0)
        spans += [(f"  {short} ", ink.FAINT), (str(refused), ink.TEXT if refused else ink.FAINT)]
    spans += [
        (f"  {one.name}", ink.WARN)
        for one in room.switches
        if one.on == (one.name == "es_only_mode")
    ]  # fmt: skip
    return ink.clipped(tuple(spans), width)


def _lines(row: ScannerLine, table: Table, scene: Scene, *, picked: bool) -> tuple[Line, ...]:
    """The row; where the columns of its gates have given way, they stand below the one under the cursor."""
    line = _row(row, table, scene)
    if not picked or "cfg" in table.titles:
        return (line,)
    spans: list[Span] = [("    away", ink.FAINT)]
    for gate, short in GATES.items():
        spans += [(f"  {short} ", ink.FAINT), (f"{row.rejected.get(gate, 0):,}", ink.TEXT)]
    rest = f"   cooldown {words.age_text(row.cooldown_s)}  {row.timeframe} {row.side}"
    return line, ink.clipped((*spans, (rest, ink.DIM)), table.width)


def _row(row: ScannerLine, table: Table, scene: Scene) -> Line:
    dim = ink.DIM if row.enabled else ink.FAINT
    word = row.status.split(" ")[0]
    status = {"READY": ink.UP, "DISABLED": ink.FAINT, "ELSEWHERE": ink.FAINT}.get(word, ink.WARN)
    last = ""
    if row.last_ns:
        arrow = "▲" if row.last_side == "CALL" else "▼"
        last = f"{_when(row.last_ns, scene)} {arrow}{row.last_score}"
    side = ink.UP if row.last_side == "CALL" else ink.DOWN
    refused = {gate: row.rejected.get(gate, 0) for gate in GATES}
    return table.line(
        [
            (row.name, ink.STRONG if row.enabled else ink.FAINT),
            ("off" if word == "DISABLED" else word.lower(), status),
            (_count(row.fired), ink.TEXT if row.fired else dim), (_count(row.published), dim),
            (last, side if row.enabled else ink.FAINT), (spark(row.spark), ink.ACCENT),
            *((_count(refused[gate]), dim) for gate in ("cooldown", "hours", "bar", "config")),
            (words.age_text(row.cooldown_s), dim), (row.timeframe, dim), (row.side, dim),
            (f"{row.have}/{row.need}" if row.need else "", ink.WARN if row.have < row.need else ink.FAINT),
        ]
    )  # fmt: skip


def _when(at_ns: int, scene: Scene) -> str:
    same = words.day_text(at_ns) == words.day_text(scene.now_ns)
    return words.minute_text(at_ns) if same else words.day_text(at_ns)


def _count(number: int) -> str:
    return f"{number:,}" if number else "-"


def spark(parts: tuple[int, ...]) -> str:
    """One cell a part, the fullest at full height."""
    most = max(parts, default=0)
    return "".join(BARS[-(-part * 8 // most) - 1] if part else " " for part in parts) if most else ""


def _switch(one: SwitchLine, width: int) -> Line:
    named = {
        "es_only_mode": "only ES scanners may fire", "email_all": "e-mail of firings",
        "telegram_all": "Telegram of firings",
    }  # fmt: skip
    state = ("on ", ink.UP) if one.on else ("off", ink.FAINT)
    return ink.clipped(
        ((" ", ink.TEXT), state, (f"  {one.name:<14}", ink.STRONG), (named.get(one.name, ""), ink.DIM)), width
    )
