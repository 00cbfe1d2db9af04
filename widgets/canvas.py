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
Cells = tuple[list[str], list[Style]]
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
    """The cells of `row` that look otherwise, in runs; few cells between two runs of one pen are sent with
    them."""
    before, after = _cells(old), _cells(new)
    width = len(after[0])
    found: list[Region] = []
    first, stop = 0, 0
    for place in (*_apart(before, after), width + BRIDGED + 1):
        if place > stop + BRIDGED or (place > stop > first and not _bridged(after, stop, place)):
            if stop > first:
                found.append(_whole_signs(after[0], first, stop, row))
            first = place
        stop = place + 1
    return found


def _bridged(cells: Cells, stop: int, place: int) -> bool:
    """Whether what stands between two runs goes with them: of the same pen, and in signs of one byte."""
    signs, styles = cells
    pen = styles[place]
    if styles[stop - 1] is not pen:
        return False
    for between in range(stop, place):
        sign, style = signs[between], styles[between]
        if style is not pen and (sign != " " or _seen_behind(style) != _seen_behind(pen)):
            return False
        if not sign.isascii():
            return False
    return True


def _apart(before: Cells, after: Cells) -> list[int]:
    """Where another sign stands, or the same in another style; of a blank only what is seen of its style."""
    return [
        place
        for place, (one, other, style, fresh) in enumerate(
            zip(before[0], after[0], before[1], after[1], strict=True)
        )
        if one != other
        or (
            style is not fresh and style != fresh and (one != " " or _seen_behind(style) != _seen_behind(fresh))
        )
    ]


def _whole_signs(signs: Sequence[str], first: int, stop: int, row: int) -> Region:
    """A sign of two cells is not sent by halves."""
    while first and not signs[first]:
        first -= 1
    while stop < len(signs) and not signs[stop]:
        stop += 1
    return Region(first, row, stop - first, 1)


def _cells(strip: Strip) -> Cells:
    """The sign in each cell, and its style. The second cell of a wide sign is empty, a sign of none stands with
    the one before."""
    signs: list[str] = []
    styles: list[Style] = []
    for text, style, _ in strip:
        style = style or _NO_STYLE
        if text.isascii() or _is_narrow(text):
            signs += text
        else:
            for sign in text:
                cells = cell_len(sign)
                if cells:
                    signs += (sign, *("" for _ in range(cells - 1)))
                elif signs:
                    signs[-1] += sign
        styles += [style] * (len(signs) - len(styles))
    return signs, styles


@lru_cache(4096)
def _is_narrow(text: str) -> bool:
    return all(cell_len(sign) == 1 for sign in text)


@lru_cache(1024)
def _seen_behind(style: Style) -> Style:
    """What a blank shows of its style."""
    if style.underline or style.reverse or style.strike:
        return style
    return Style(bgcolor=style.bgcolor)
