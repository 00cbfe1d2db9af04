"""Volume under the bars: a few rows of columns, the live one apart. Pure."""

from __future__ import annotations

from typing import Final

from station.link import Candle
from widgets import candles, ink, words
from widgets.ink import Span
from widgets.plot import EMPTY, Cell, Window

BY_HEIGHT: Final = ((26, 4), (17, 3), (10, 2))
"""Rows of volume by the least rows of the whole plot."""


def rows_for(rows: int, view: Window) -> int:
    """How many of a plot's `rows` are volume's: none where there is no room, or an index trades nothing."""
    if not any(bar.volume for bar in view.bars):
        return 0
    return next((count for least, count in BY_HEIGHT if rows >= least), 0)


def top_of(view: Window) -> float:
    """The volume of a full column: round, so that a new highest seldom changes the picture."""
    live = (view.live,) if view.live is not None else ()
    most = max((bar.volume for bar in (*view.bars, *live)), default=0.0)
    return candles.nice(most) if most > 0 else 1.0


def grid(view: Window, rows: int, top: float) -> list[list[Cell]]:
    """The cells under the finished bars, top row first."""
    pad = view.columns - 1 - len(view.bars)
    cells: list[list[Cell]] = [[EMPTY] * (view.columns - 1) for _ in range(rows)]
    for place, bar in enumerate(view.bars):
        for row, cell in enumerate(_column(bar, rows, top)):
            cells[row][pad + place] = cell
    return cells


def live_cells(view: Window, rows: int, top: float) -> list[Cell]:
    """The forming bar's, top row first."""
    return _column(view.live, rows, top) if view.live is not None else [EMPTY] * rows


def axis(rows: int, top: float) -> list[Span]:
    """What stands right of each row."""
    return [(f" {words.compact(top)}" if row == 0 else " vol" if row == rows - 1 else " ", ink.FAINT)
            for row in range(rows)]  # fmt: skip


def _column(bar: Candle, rows: int, top: float) -> list[Cell]:
    style = ink.UP if bar.close >= bar.open else ink.DOWN
    eighths = min(round(bar.volume / top * 8 * rows), 8 * rows)
    if bar.volume > 0:
        eighths = max(eighths, 1)
    return [
        (candles.BLOCKS[min(max(eighths - 8 * row, 0), 8)], style) for row in range(rows - 1, -1, -1)
    ]  # fmt: skip
