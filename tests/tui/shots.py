"""What stands on the screen as plain text with its styles, and the files that it is held against.

A file holds one thing in one state at every size: the lines, then below each block the runs of styles of its
rows (`12a 3b`: twelve cells of style a, three of b; rows alike are named once), and at the end what the letters
mean. `pytest --snapshot-update` writes the files anew.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from string import ascii_letters

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.geometry import Region

FOLDER = Path(__file__).parent / "__shots__"
Rows = list[list[tuple[str, Style]]]


def rows_of(app: App[str], region: Region | None = None) -> Rows:
    """The screen's runs of text and style, row by row; of a region where one is given."""
    strips = app.screen._compositor.render_strips()  # pyright: ignore[reportPrivateUsage]
    area = region or app.screen.size.region
    found: Rows = []
    for strip in strips[area.y : area.bottom]:
        segments = Segment.simplify(strip.crop(area.x, area.right))
        found.append([(one.text, one.style or Style.null()) for one in segments])
    return found


class Sheet:
    """One thing in one state: `add` a picture of each size, then hold it against its file."""

    def __init__(self, state: str, name: str) -> None:
        self.path = FOLDER / state / f"{name}.txt"
        self._letters: dict[str, str] = {}
        self._parts: list[str] = []

    def add(self, size: str, rows: Rows) -> None:
        lines = ["".join(text for text, _ in row).rstrip() for row in rows]
        self._parts += [f"== {size} ==", *lines, "-- styles --", *self._styles(rows)]

    def _styles(self, rows: Rows) -> Iterator[str]:
        marks = [" ".join(f"{len(text)}{self._letter(style)}" for text, style in row) for row in rows]
        for mark, alike in groupby(enumerate(marks), key=lambda one: one[1]):
            numbers = [number for number, _ in alike]
            yield f"{numbers[0]}" + (f"-{numbers[-1]}" if len(numbers) > 1 else "") + f": {mark}"

    def _letter(self, style: Style) -> str:
        return self._letters.setdefault(str(style.without_color) + _colours(style), _name(len(self._letters)))

    def text(self) -> str:
        legend = [f"{letter} {style}" for style, letter in self._letters.items()]
        return "\n".join([*self._parts, "== letters ==", *legend, ""])


def _name(number: int) -> str:
    """a … Z, then aa, ab …"""
    count = len(ascii_letters)
    return (ascii_letters[number // count - 1] if number >= count else "") + ascii_letters[number % count]


def _colours(style: Style) -> str:
    ground = f" on {style.bgcolor.name}" if style.bgcolor is not None else ""
    return f" {style.color.name if style.color is not None else '-'}{ground}"


def differences(sheets: Iterable[Sheet], *, update: bool) -> str:
    """Empty where every sheet is as its file; else the names of those that are not, and what differs first."""
    wrong: list[Sheet] = []
    for sheet in sheets:
        if update:
            sheet.path.parent.mkdir(parents=True, exist_ok=True)
            sheet.path.write_text(sheet.text(), encoding="utf-8")
        elif not sheet.path.is_file() or sheet.path.read_text(encoding="utf-8") != sheet.text():
            wrong.append(sheet)
    if not wrong:
        return ""
    first = wrong[0]
    before = first.path.read_text(encoding="utf-8") if first.path.is_file() else ""
    told = difflib.unified_diff(before.splitlines(), first.text().splitlines(), "kept", "now", n=1, lineterm="")
    names = ", ".join(f"{sheet.path.parent.name}/{sheet.path.stem}" for sheet in wrong)
    return "\n".join([f"{len(wrong)} pictures differ: {names}", *list(told)[:60]])
