"""Rows in columns that give way, the least needed first, where the pane is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from widgets import ink
from widgets.ink import Line, Span
from widgets.pane import wrapped

MARGIN: Final = 1
GAP: Final = 2
INSET: Final = 4


@dataclass(frozen=True, slots=True)
class Column:
    """`cells` is its width; one that `grows` takes what is left besides. Columns of the highest `rank` are
    left out first; rank 0 always stays."""

    title: str
    cells: int
    align: str = "<"
    rank: int = 0
    grows: bool = False


class Table:
    """`columns` as they stand in `width` cells."""

    def __init__(self, columns: Sequence[Column], width: int) -> None:
        kept = list(columns)
        while _needed(kept) > width and any(column.rank for column in kept):
            worst = max(column.rank for column in kept)
            last = max(n for n, column in enumerate(kept) if column.rank == worst)
            del kept[last]
        self.width = width
        self._kept = [n for n, column in enumerate(columns) if column in kept]
        self._columns = kept
        spare = max(width - _needed(kept), 0)
        growing = [n for n, column in enumerate(kept) if column.grows]
        self._cells = [column.cells for column in kept]
        for place, n in enumerate(growing):
            share = spare // (len(growing) - place)
            self._cells[n] += share
            spare -= share

    @property
    def titles(self) -> tuple[str, ...]:
        """Of the columns that are kept."""
        return tuple(column.title for column in self._columns)

    @property
    def heading(self) -> Line:
        return self.line([(column.title, ink.FAINT) for column in self._columns], whole=True)

    def line(self, cells: Sequence[Span], *, whole: bool = False) -> Line:
        """One row: a span for every column given at the start, those left out included, unless `whole` says
        that they are the kept ones only."""
        chosen = list(cells) if whole else [cells[n] for n in self._kept]
        spans: list[Span] = [(" " * MARGIN, ink.TEXT)]
        for place, ((text, style), column, room) in enumerate(
            zip(chosen, self._columns, self._cells, strict=True)
        ):
            if place:
                spans.append((" " * GAP, ink.TEXT))
            spans.append((ink.fit(text, room, column.align), style))
        return ink.clipped(tuple(spans), self.width)


def whole(line: Line, told: Sequence[tuple[str, str]], width: int) -> tuple[Line, ...]:
    """A row and, where it had to cut something short, all of it below: (name, text)."""
    if not any("…" in text for text, _ in line):
        return (line,)
    below: list[Line] = []
    for name, text in told:
        for place, piece in enumerate(wrapped(text, max(width - INSET - 8, 10))):
            lead = " " * INSET + ink.fit("" if place else name, 7)
            below.append(((lead, ink.FAINT), (piece, ink.TEXT)))
    return (line, *below)


def _needed(columns: Sequence[Column]) -> int:
    return 2 * MARGIN + sum(column.cells for column in columns) + GAP * max(len(columns) - 1, 0)
