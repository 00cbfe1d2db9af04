"""Where each pane stands, by the size of the terminal. Pure, and the layout that carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement

if TYPE_CHECKING:
    from textual.widget import Widget

NORMAL_FROM: Final = (110, 30)
LARGE_FROM: Final = (150, 38)
WIDE_FROM: Final = (180, 46)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a column, shared by panes of which one is seen. `rows` fixes its height; otherwise it takes
    its `share` of what is left."""

    panes: tuple[str, ...]
    rows: int = 0
    share: int = 1


@dataclass(frozen=True, slots=True)
class Column:
    """`cells` fixes its width; 0 takes what is left."""

    cells: int
    slots: tuple[Slot, ...]


NORMAL: Final = (
    Column(46, (
        Slot(("watch",), rows=8), Slot(("chain", "book"), share=5), Slot(("feed", "strategies"), share=3),
        Slot(("alerts", "wealth"), share=3),
    )),
    Column(0, (Slot(("chart",), share=5), Slot(("positions",), share=2), Slot(("orders",), rows=5))),
)  # fmt: skip
LARGE: Final = (
    Column(34, (
        Slot(("watch",), rows=11), Slot(("feed",), share=4), Slot(("strategies",), share=3),
        Slot(("wealth",), rows=8),
    )),
    Column(0, (Slot(("chart",)), Slot(("positions",), rows=10), Slot(("orders",), rows=7))),
    Column(62, (Slot(("chain",), share=4), Slot(("book",), share=3), Slot(("alerts",), share=3))),
)  # fmt: skip
WIDE: Final = (
    Column(46, LARGE[0].slots),
    LARGE[1],
    Column(66, LARGE[2].slots),
)
Plans = tuple[tuple[tuple[int, int], tuple[Column, ...]], ...]
"""Columns by the least size that has room for them, the largest first."""
PLANS: Final[Plans] = ((WIDE_FROM, WIDE), (LARGE_FROM, LARGE), (NORMAL_FROM, NORMAL))


def usual() -> tuple[str, ...]:
    """The panes as if asked for in the order of their worth: those that share a slot as second last."""
    slots = [slot.panes for column in NORMAL for slot in column.slots]
    firsts = [panes[0] for panes in slots if panes[0] != "positions"]
    return ("positions", *firsts, *(pane for panes in slots for pane in panes[1:]))


def columns_of(width: int, height: int) -> tuple[Column, ...]:
    """The columns of a terminal of this size; none where it shows one pane at a time."""
    return next((plan for (w, h), plan in PLANS if width >= w and height >= h), ())


def seen(width: int, height: int, fronts: tuple[str, ...], *, zoomed: bool) -> tuple[str, ...]:
    """The panes shown on a terminal of this size. `fronts` are panes asked for, the newest first; where two
    share a slot the one asked for last is seen."""
    columns = columns_of(width, height)
    return fronts[:1] if zoomed or not columns else chosen(columns, fronts)


def chosen(columns: tuple[Column, ...], fronts: tuple[str, ...]) -> tuple[str, ...]:
    """The pane seen in each slot: of those that share it the one asked for last."""
    return tuple(
        next((pane for pane in fronts if pane in slot.panes), slot.panes[0])
        for column in columns
        for slot in column.slots
    )


def behind(
    width: int, height: int, shown: tuple[str, ...], everyone: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """By pane shown, those that are out of sight in its place, in the order of `everyone`."""
    if len(shown) < 2:
        return {pane: tuple(one for one in everyone if one != pane) for pane in shown}
    slots = [slot.panes for column in columns_of(width, height) for slot in column.slots]
    return {
        pane: tuple(one for panes in slots if pane in panes for one in panes if one not in shown)
        for pane in shown
    }


def regions(width: int, height: int, area: Size, shown: tuple[str, ...]) -> dict[str, Region]:
    """The place of each shown pane of the floor inside `area`."""
    return placed(columns_of(width, height), area, shown)


def placed(columns: tuple[Column, ...], area: Size, shown: tuple[str, ...]) -> dict[str, Region]:
    """The place of each shown pane inside `area`, a cell apart from its neighbours at the side."""
    if len(shown) < 2:
        return {pane: Region(0, 0, area.width, area.height) for pane in shown}
    free = area.width - sum(column.cells for column in columns) - (len(columns) - 1)
    places: dict[str, Region] = {}
    x = 0
    for column in columns:
        cells = column.cells or free
        places |= _stacked(column, x, cells, area.height, shown)
        x += cells + 1
    return places


def _stacked(column: Column, x: int, cells: int, height: int, shown: tuple[str, ...]) -> dict[str, Region]:
    free = height - sum(slot.rows for slot in column.slots)
    shares = sum(slot.share for slot in column.slots if not slot.rows)
    places: dict[str, Region] = {}
    y = 0
    for slot in column.slots:
        rows = slot.rows
        if not rows:
            rows = free * slot.share // shares
            free, shares = free - rows, shares - slot.share
        pane = next((pane for pane in slot.panes if pane in shown), slot.panes[0])
        places[pane] = Region(x, y, cells, rows)
        y += rows
    return places


def beside(floor: Region, kept: Sequence[Region], least: int) -> Region:
    """The part of the floor at the left or the right of what is to stay in sight; all of it where neither side
    has `least` cells."""
    if not kept:
        return floor
    left = min(one.x for one in kept) - 1 - floor.x
    right = floor.right - max(one.right for one in kept) - 1
    if max(left, right) < least:
        return floor
    x, width = (floor.x, left) if left >= right else (floor.right - right, right)
    return Region(x, floor.y, width, floor.height)


class PlanLayout(Layout):
    """Places the floor's panes as the plan says."""

    name = "plan"

    def __init__(self) -> None:
        self.screen = Size(0, 0)
        self.shown: tuple[str, ...] = ()

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        parent.pre_layout(self)
        return _at(children, regions(self.screen.width, self.screen.height, size, self.shown))


class GridLayout(Layout):
    """Places panes in columns given from outside."""

    name = "columns"

    def __init__(self) -> None:
        self.columns: tuple[Column, ...] = ()
        self.shown: tuple[str, ...] = ()

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        parent.pre_layout(self)
        return _at(children, placed(self.columns, size, self.shown))


def _at(children: list[Widget], places: dict[str, Region]) -> ArrangeResult:
    return [
        WidgetPlacement(places[child.id], NULL_OFFSET, NULL_SPACING, child)
        for child in children
        if child.id in places
    ]
