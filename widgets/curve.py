"""A still curve as characters: two steps a line, or one star a column in ASCII. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from widgets import ink
from widgets.ink import Line

HALVES: Final = " ▀▄█"
"""By which halves of a cell the curve goes through: none, the upper, the lower, both."""
LABEL: Final = 13


def curve(
    values: Sequence[float], width: int, rows: int, style: ink.Style, *, plain: bool = False
) -> list[Line]:
    """The values from left to right between their least and their most, zero within, with labels at the right:
    the most, the least and zero."""
    columns = max(width - LABEL, 4)
    low, high = min(0.0, *values), max(0.0, *values)
    span = high - low or 1.0
    picture = _stars(values, columns, rows, low, span) if plain else _steps(values, columns, rows, low, span)
    zero = _row_of(0.0, rows, low, span)
    labels = {zero: "0", 0: f"{high:,.0f}", rows - 1: f"{low:,.0f}"}
    if high <= 0:
        labels[0] = "0"
    if low >= 0:
        labels[rows - 1] = "0"
    lines: list[Line] = []
    for row, text in enumerate(picture):
        body = text if row != zero else "".join("┄" if letter == " " else letter for letter in text)
        lines.append(((" ", ink.TEXT), *_toned(body, style), (f" {labels.get(row, ''):>{LABEL - 3}}", ink.DIM)))
    return lines


def _toned(text: str, style: ink.Style) -> list[ink.Span]:
    """The zero line is fainter than the curve on it."""
    spans: list[ink.Span] = []
    for letter in text:
        tone = ink.FAINT if letter == "┄" else style
        if spans and spans[-1][1] is tone:
            spans[-1] = (spans[-1][0] + letter, tone)
        else:
            spans.append((letter, tone))
    return spans


def _row_of(value: float, rows: int, low: float, span: float) -> int:
    return min(int((1 - (value - low) / span) * rows), rows - 1)


def _sampled(values: Sequence[float], steps: int) -> list[float]:
    """As many values as steps, each the last of its stretch; fewer values are held."""
    count = len(values)
    return [values[min(max((place + 1) * count // steps - 1, 0), count - 1)] for place in range(steps)]


def _stars(values: Sequence[float], columns: int, rows: int, low: float, span: float) -> list[str]:
    cells = [[" "] * columns for _ in range(rows)]
    for column, value in enumerate(_sampled(values, columns)):
        cells[_row_of(value, rows, low, span)][column] = "*"
    return ["".join(row) for row in cells]


def _steps(values: Sequence[float], columns: int, rows: int, low: float, span: float) -> list[str]:
    """Two half-lines a row; a step between neighbours is drawn through."""
    cells = [[0] * columns for _ in range(rows)]
    before: int | None = None
    for column, value in enumerate(_sampled(values, columns)):
        at = round((1 - (value - low) / span) * (2 * rows - 1))
        first, last = (at, at) if before is None else (min(at, before), max(at, before))
        for half in range(first, last + 1):
            cells[half // 2][column] |= 1 << half % 2
        before = at
    return ["".join(HALVES[cell] for cell in row) for row in cells]
