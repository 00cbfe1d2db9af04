"""The strategies: every row, what the hunter says of it, all its fields, and the difference of its versions."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar, Final

from textual.binding import BindingType

from station.link import CopyStrategy, Query
from station.link.screens import Change, StrategyLine, StrategyRoom
from widgets import ink, screen_keys, words
from widgets.columns import Column, Table, whole
from widgets.floorplan import Column as Side
from widgets.floorplan import Slot
from widgets.ink import Line
from widgets.page import PagePane, Question
from widgets.pane import Block, Content
from widgets.rowpage import BY, RowPage, author
from widgets.scene import Scene

COLUMNS: Final = (
    Column("pri", 3, ">"), Column("strategy", 14), Column("", 3), Column("autonomy", 8, rank=1),
    Column("says", 6), Column("why", 12, rank=1, grows=True), Column("trades", 6, ">", rank=2),
    Column("net", 10, ">"), Column("symbol", 6, rank=3), Column("hunter", 15, rank=6),
    Column("ver", 4, ">", rank=4), Column("edited", 14, rank=5),
)  # fmt: skip
VERDICTS: Final = {"MATCH": ink.UP, "HELD": ink.ACCENT, "WAIT": ink.TEXT, "BLOCK": ink.WARN, "OFF": ink.FAINT}
LAST: Final = 1000
AUTONOMY: Final = ("observe", "propose", "auto")


class StrategiesPage(RowPage):
    """The list by priority above, the fields and versions of the strategy under the cursor below."""

    TITLE = "Strategies"
    KIND = "strategy"
    EVERY_S = 3.0
    PLANS = (
        ((190, 46), (
            Side(0, (Slot(("list",), rows=12), Slot(("fields",)))), Side(48, (Slot(("versions",)),)),
        )),
        ((110, 30), (
            Side(0, (Slot(("list",), share=2), Slot(("fields",), share=5), Slot(("versions",), share=2))),
        )),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [*screen_keys.bindings("tactics")]
    _copy = ""

    def questions(self) -> Mapping[str, Question]:
        return {"list": Question(Query("strategy_room"), StrategyRoom), **self.row_question()}

    def make(self) -> list[PagePane]:
        return [
            self.pane("list", "Strategies", "list", self._list, on_pick=self.pick), *self.row_panes(),
        ]  # fmt: skip

    def _rows(self) -> tuple[StrategyLine, ...]:
        room = self.document("list", StrategyRoom)
        return room.rows if room is not None else ()

    def keys(self) -> tuple[str, ...]:
        return tuple(row.strategy_id for row in self._rows())

    @property
    def row_picked(self) -> StrategyLine | None:
        """The strategy under the cursor."""
        return next((row for row in self._rows() if row.strategy_id == self.key_picked), None)

    def change_of(self, key: str) -> Change:
        return next((row.change for row in self._rows() if row.strategy_id == key), Change())

    def enabled(self, key: str) -> bool:
        return any(row.enabled for row in self._rows() if row.strategy_id == key)

    def _list(self, scene: Scene, width: int) -> Content:
        rows, table = self._rows(), Table(COLUMNS, width)
        room = self.document("list", StrategyRoom) or StrategyRoom()
        net = sum((Decimal(row.net_pnl) for row in rows), Decimal(0))
        on = sum(row.enabled for row in rows)
        blocks: list[Block] = []
        for row in rows:
            line = _row(row, table, scene)
            here = row.strategy_id == self.key_picked
            lines = list(whole(line, (("why", row.why),), width)) if here else [line]
            if row.paused:
                lines.append(
                    ink.clipped(((f"     PAUSED: {row.paused}; any edit starts it again", ink.WARN),), width)
                )
            blocks.append(Block(tuple(lines), row.strategy_id))
        return Content(
            note=f"{on} of {len(rows)} on  hunts {room.hunts}  {words.arrow(net)} {words.signed_money(net)}",
            head=(table.heading,) if rows else (), blocks=tuple(blocks), empty="there is no strategy",
            picked=self.key_picked,
        )  # fmt: skip

    def action_duplicate(self) -> None:
        row = self.row_picked
        if row is None:
            return

        async def send(name: str) -> str:
            wrong = await self.send(CopyStrategy(row.strategy_id, name.strip(), BY))
            self._copy = "" if wrong else name.strip()
            return wrong

        told = (("copies", row.strategy_id), ("name", "letters, digits, _ . and -"))
        self.ask_value("DUPLICATE", f"{row.strategy_id}_2", told, send)

    def answered(self, slot: str) -> None:
        """What the next key edits is the copy, which is off, and not the strategy it was made of."""
        if slot == "list" and self._copy in self.keys():
            self.pick(self._copy)
            self._copy = ""
        super().answered(slot)

    def action_priority(self, step: int) -> None:
        row = self.row_picked
        if row is None:
            return
        if 1 <= row.priority + step <= LAST:
            self._edit("priority", str(row.priority + step))
        else:
            self.floor.tell(f"{row.strategy_id}: priority {row.priority} is as far as it goes", "warn")

    def action_autonomy(self) -> None:
        row = self.row_picked
        if row is not None:
            here = AUTONOMY.index(row.autonomy) if row.autonomy in AUTONOMY else -1
            self._edit("autonomy", AUTONOMY[(here + 1) % len(AUTONOMY)])


def _row(row: StrategyLine, table: Table, scene: Scene) -> Line:
    net = Decimal(row.net_pnl)
    dim = ink.DIM if row.enabled else ink.FAINT
    return table.line(
        [
            (str(row.priority), dim), (row.strategy_id, ink.STRONG if row.enabled else ink.DIM),
            ("on" if row.enabled else "off", ink.UP if row.enabled else ink.FAINT),
            (row.autonomy, ink.WARN if row.autonomy != "auto" else dim),
            (row.verdict, VERDICTS.get(row.verdict, ink.TEXT)), (row.why, dim),
            (str(row.trades) if row.trades else "-", dim),
            (f"{words.arrow(net)} {words.signed_money(net)}" if row.trades else "-", words.tone(net)),
            (row.symbol, dim), (row.hunter.replace("_plus_", "+"), dim), (f"v{row.change.version}", dim),
            (author(row.change, scene), ink.DIM),
        ]
    )  # fmt: skip
