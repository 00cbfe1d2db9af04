"""The scanners: every rule of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from station.link import Scanners
from widgets import ink
from widgets.columns import Column, Table
from widgets.page import Page, PagePane, Question
from widgets.pane import Block, Content
from widgets.scene import Scene

COLUMNS: Final = (
    Column("scanner", 20, grows=True), Column("family", 20, rank=2), Column("on", 4), Column("tf", 4),
    Column("side", 5), Column("cooldown", 8, ">", rank=1), Column("warm-up", 7, ">", rank=3),
)  # fmt: skip


class ScannersPage(Page):
    """Every rule, whether it is on, and how long it rests."""

    TITLE = "Scanners"
    HINTS = (("up down", "pick"),)
    HELP = (("up down", "Pick a scanner."),)

    def questions(self) -> Mapping[str, Question]:
        return {"list": Question(Scanners())}

    def make(self) -> list[PagePane]:
        return [self.pane("list", "Scanners", "list", self._list)]

    def _list(self, _scene: Scene, width: int) -> Content:
        known = self.document("list", dict) or {}
        rows = cast("list[dict[str, Any]]", known.get("scanners", []))
        table = Table(COLUMNS, width)
        on = sum(bool(row["enabled"]) for row in rows)
        return Content(
            note=f"{on} of {len(rows)} on", head=(table.heading,) if rows else (),
            blocks=tuple(_block(row, table) for row in rows), empty="the catalogue is empty",
        )  # fmt: skip


def _block(row: Mapping[str, Any], table: Table) -> Block:
    on = bool(row["enabled"])
    style = ink.TEXT if on else ink.FAINT
    line = table.line(
        [
            (str(row["name"]), ink.STRONG if on else ink.DIM), (str(row["family"]), ink.DIM),
            ("on" if on else "off", ink.UP if on else ink.FAINT), (str(row["timeframe"]), style),
            (str(row["side"]), style), (f"{row['cooldown_s']:,} s", style), (str(row["warmup_bars"]), ink.DIM),
        ]
    )  # fmt: skip
    return Block((line,), str(row["name"]))
