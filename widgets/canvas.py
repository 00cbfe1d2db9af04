"""Widgets that paint lines and send only the cells that changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar, Final

from rich.cells import cell_len
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from widgets import ink
from widgets.ink import Line

DRAWING_FAULTS: Final = (ArithmeticError, LookupError, TypeError, ValueError)
"""What a picture with a value nobody expected can raise while it is drawn."""
BRIDGED: Final = 3
"""So many unchanged cells cost no more than a move of the cursor over them."""
Cell = tuple[str, Style]
_NO_STYLE: Final = Style()


class LineCanvas(Widget):
    """A fixed grid of lines. `show` compares with what is there and refreshes the spans that differ."""

    GROUND: ClassVar[Style] = ink.TEXT

    def __init__(self, *, name: str | None = None, id: str | None = None, ascii_only: bool = False) -> None:
        super().__init__(name=name, id=id)
        self._ascii = ascii_only
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self._painted_width = 0

    def show(self, lines: Sequence[Line]) -> None:
        """Make these the lines shown, one a row from the top."""
        width, height = self.size
        fresh = [tuple(line) for line in lines[:height]]
        fresh += [ink.BLANK] * (height - len(fresh))
        if width != self._painted_width or len(self._lines) != height:
            self._lines, self._painted_width = fresh, width
            self._strips.clear()
            self.refresh()
            return
        for row, (old, new) in enumerate(zip(self._lines, fresh, strict=True)):
            if old != new:
                before = self.render_line(row)
                self._lines[row] = new
                self._strips.pop(row, None)
                self.refresh(*_differences(before, self.render_line(row), row))

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None or strip.cell_length != self.size.width:
            line = self._lines[y] if y < len(self._lines) else ink.BLANK
            strip = ink.strip(line, self.size.width, ascii_only=self._ascii, ground=self.GROUND)
            self._strips[y] = strip
        return strip

    def text(self) -> str:
        """What stands on it, for tests and for copying."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self._lines)


def _differences(old: Strip, new: Strip, row: int) -> list[Region]:
    """The cells of `row` that look otherwise, in runs; few cells between two runs are sent with them."""
    before, after = _cells(old), _cells(new)
    width = len(after)
    apart = (place for place in range(width) if before[place] != after[place])
    found: list[Region] = []
    first, stop = 0, 0
    for place in (*apart, width + BRIDGED + 1):
        if place > stop + BRIDGED:
            if stop > first:
                found.append(_whole_signs(after, first, stop, row))
            first = place
        stop = place + 1
    return found


def _whole_signs(cells: list[Cell], first: int, stop: int, row: int) -> Region:
    """A sign of two cells is not sent by halves."""
    while first and not cells[first][0]:
        first -= 1
    while stop < len(cells) and not cells[stop][0]:
        stop += 1
    return Region(first, row, stop - first, 1)


def _cells(strip: Strip) -> list[Cell]:
    """What stands in each cell and how; of a blank, what of its style is seen. The second cell of a wide sign
    is empty, a sign of none stands with the one before."""
    found: list[Cell] = []
    for text, style, _ in strip:
        style = style or _NO_STYLE
        blank = (" ", _seen_behind(style))
        if text.isascii():
            found += [blank if sign == " " else (sign, style) for sign in text]
            continue
        for sign in text:
            cells = cell_len(sign)
            if cells:
                found += [blank if sign == " " else (sign, style), *[("", style)] * (cells - 1)]
            elif found:
                found[-1] = (found[-1][0] + sign, style)
    return found


@lru_cache(1024)
def _seen_behind(style: Style) -> Style:
    """What a blank shows of its style."""
    if style.underline or style.reverse or style.strike:
        return style
    return Style(bgcolor=style.bgcolor)
