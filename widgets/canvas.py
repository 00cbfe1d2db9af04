"""Widgets that paint lines and send only the cells that changed."""

from __future__ import annotations

from collections.abc import Sequence
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
                self._lines[row] = new
                self._strips.pop(row, None)
                self.refresh(*_differences(old, new, row, width))

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


def _differences(old: Line, new: Line, row: int, width: int) -> list[Region]:
    """The cells of `row` under spans that came, went or moved; what stands where it stood is not sent again."""
    before, after = _placed(old, width), _placed(new, width)
    kept = {(start, end, style): text for start, end, text, style in before - after}
    changed = sorted(
        {
            _narrowed(start, end, kept.pop((start, end, style), ""), text)
            for start, end, text, style in after - before
        }
        | {(start, end) for start, end, _ in kept}
    )
    found: list[Region] = []
    first, stop = 0, 0
    for start, end in (*changed, (width + 1, width + 1)):
        if start > stop:
            if stop > first:
                found.append(Region(first, row, stop - first, 1))
            first = start
        stop = max(stop, end)
    return found


def _narrowed(start: int, end: int, old: str, new: str) -> tuple[int, int]:
    """The cells in which two texts at one place differ."""
    if len(old) != len(new) or len(new) != end - start:
        return start, end
    apart = [place for place, (one, other) in enumerate(zip(old, new, strict=True)) if one != other]
    return start + apart[0], start + apart[-1] + 1


def _placed(line: Line, width: int) -> set[tuple[int, int, str, Style]]:
    """Each span with the cells it covers; what is left of the line is a span of ground."""
    found: set[tuple[int, int, str, Style]] = set()
    start = 0
    for text, style in line:
        end = min(start + cell_len(text), width)
        if end > start:
            found.add((start, end, text, style))
        start = end
    if start < width:
        found.add((start, width, "", ink.TEXT))
    return found
