"""Widgets that paint lines and send only the cells that changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from widgets import ink
from widgets.ink import Line

DRAWING_FAULTS: Final = (ArithmeticError, LookupError, TypeError, ValueError)
"""What a picture with a value nobody expected can raise while it is drawn."""


class LineCanvas(Widget):
    """A fixed grid of lines. `show` compares with what is there and refreshes the spans that differ."""

    GROUND: Final[Style] = ink.TEXT

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
                self._lines[row] = new
                self._strips.pop(row, None)
                self.refresh(_difference(old, new, row, width))

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


def _difference(old: Line, new: Line, row: int, width: int) -> Region:
    """The cells of `row` from the first span that differs to the last."""
    left = 0
    for before, after in zip(old, new, strict=False):
        if before != after:
            break
        left += cell_len(before[0])
    right = width
    if ink.width_of(old) == ink.width_of(new):
        for before, after in zip(reversed(old), reversed(new), strict=False):
            if before != after:
                break
            right -= cell_len(before[0])
    return Region(min(left, width), row, max(right - left, 1), 1)
