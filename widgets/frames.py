"""Frames of as few bytes as a change needs: exactly the cells that changed, and no style said twice.

The toolkit sends a line again from its widget's left edge to the change, each run with its whole style and a
reset. Here the cursor goes to the cells that changed, all of one pen together, and a pen says only what differs
from the last; of a blank only its ground shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

PLAIN: Final = ("0", "39", "49")
ATTRIBUTES: Final = (
    ("bold", "1"), ("dim", "2"), ("italic", "3"), ("underline", "4"), ("blink", "5"), ("reverse", "7"),
    ("strike", "9"),
)  # fmt: skip
ENDS: Final = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "9": "29"}
"""What ends an attribute; bold and dim end together."""
UNSEEN: Final = frozenset({"0", "1", "2", "1;2"})
"""The attributes that a blank does not show, no more than its ink."""
NOWHERE: Final = -1
SHORT: Final = 4
"""A way back of fewer cells is cheaper cell by cell."""
NEAR: Final = 9
"""Further up or down and aside than this, a place is told in no more bytes than a way."""
Pen = tuple[str, str, str]
"""Attributes, ink and ground, each as the codes that set it."""
Run = tuple[int, int, str]
"""Row, column and text."""
Placed = tuple[Region, Region]
"""Where a widget stands, and what its containers let through."""


class FrameCompositor(Compositor):
    """Textual's compositor with exact partial updates, which draws nothing that stands wholly behind others:
    the grounds of screen and containers were a good part of a picture's work."""

    _whole: Mapping[Widget, Placed] | None = None
    _seen: Mapping[Widget, Placed]

    def _get_renders(self, crop: Region | None = None) -> Iterator[tuple[Region, Region, list[Strip]]]:
        whole = self.visible_widgets
        if whole is not self._whole:
            self._whole, self._seen = whole, uncovered(whole)
        for widget, (region, clip) in self._seen.items():
            shown = region.intersection(clip)
            if shown and (crop is None or crop.overlaps(shown)):
                yield region, clip, widget.render_lines(shown.translate((-region.x, -region.y)))

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        return None if update is None else FrameUpdate(update.chops, update.spans, update.chop_ends)


def uncovered(widgets: Mapping[Widget, Placed]) -> dict[Widget, Placed]:
    """Those of which something is seen. The first stands in front of all; whatever is in front hides."""
    covered: dict[int, int] = {}
    seen: dict[Widget, Placed] = {}
    for widget, (region, clip) in widgets.items():
        x, _, width, _ = shown = region.intersection(clip)
        # In a terminal too small for what is docked a region is less than nothing wide.
        cells = ((1 << max(width, 0)) - 1) << max(x, 0)
        rows = shown.line_range
        if any(cells & ~covered.get(y, 0) for y in rows):
            seen[widget] = (region, clip)
            covered.update((y, covered.get(y, 0) | cells) for y in rows)
    return seen


class FrameUpdate(ChopsUpdate):
    """Sends the spans it was made for, and nothing left or right of them."""

    def render_segments(self, console: Console) -> str:
        system = console._color_system or ColorSystem.TRUECOLOR  # pyright: ignore[reportPrivateUsage]
        runs: dict[Pen, list[Run]] = {}
        for y, x1, x2 in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                left, right = max(x1, x), min(end, x2)
                for pen, run in _runs(strip.crop(left - x, right - x), y, left, system):
                    runs.setdefault(pen, []).append(run)
        return _written(runs, max((ends[-1] for ends in self.chop_ends if ends), default=0))


def _runs(strip: Strip, y: int, x: int, system: ColorSystem) -> Iterator[tuple[Pen, Run]]:
    """The strip in runs of one pen; a blank goes with its neighbour, whatever the ink, if it looks the same."""
    held, text, start = PLAIN, "", x
    for piece, style, control in strip:
        if control or not piece:
            continue
        pen = pen_of(style, system) if style else PLAIN
        if text and pen != held and not _alike(held, text, pen, piece):
            yield held, (y, start, text)
            start, text = start + cell_len(text), ""
        if not text or not piece.isspace():
            held = pen
        text += piece
    if text:
        yield held, (y, start, text)


def _alike(held: Pen, text: str, pen: Pen, piece: str) -> bool:
    """Whether one of two neighbours is blank and looks the same in the other's pen."""
    same = held[2] == pen[2] and held[0] in UNSEEN and pen[0] in UNSEEN
    return same and (text.isspace() or piece.isspace())


def _written(runs: Mapping[Pen, Sequence[Run]], width: int) -> str:
    """Pen after pen, so that each is said once."""
    out, held, row, column = ["\x1b[0m"], PLAIN, NOWHERE, NOWHERE
    for pen in sorted(runs, key=lambda pen: (pen[2], pen[0])):
        codes = change(held, pen)
        out.append(f"\x1b[{codes}m" if codes else "")
        held = pen
        for y, x, text in runs[pen]:
            out += (_way(row, column, y, x), text)
            row, column = y, x + len(text)
            # A terminal may take a sign for wider than it is, and at its edge the cursor hangs between columns.
            if column >= width or not text.isascii():
                column = NOWHERE
    out.append("\x1b[0m")
    return "".join(out)


def _way(row: int, column: int, y: int, x: int) -> str:
    """How the cursor gets to a cell in few bytes: told its place, or led there from where it surely stands."""
    if y == row:
        return f"\x1b[{x + 1}G" if column < 0 else _steps(x - column)
    place = f"\x1b[{y + 1};{x + 1}H"
    if column < 0 or abs(y - row) > NEAR or abs(x - column) > NEAR:
        return place
    way = f"{_steps(y - row, 'B', 'A')}{_steps(x - column)}"
    return way if len(way) < len(place) else place


@lru_cache(1024)
def _steps(count: int, ahead: str = "C", back: str = "D") -> str:
    if -SHORT < count < 0 and back == "D":
        return "\b" * -count
    number = "" if abs(count) == 1 else f"{abs(count)}"
    return f"\x1b[{number}{ahead if count > 0 else back}" if count else ""


@lru_cache(4096)
def change(before: Pen, after: Pen) -> str:
    """The codes that turn one pen into another; empty where they are the same."""
    if before == after:
        return ""
    anew = ";".join(("0", *(code for code, bare in zip(after, PLAIN, strict=True) if code != bare)))
    if after[1:] == PLAIN[1:]:
        # A terminal so old that it knows no colours may know no other end of an attribute.
        return anew
    codes = [new for old, new in zip(before[1:], after[1:], strict=True) if old != new]
    had, has = (set(pen[0].split(";")) - {PLAIN[0]} for pen in (before, after))
    ends = {ENDS[code] for code in had - has}
    begins = [code for _, code in ATTRIBUTES if code in has and (code not in had or ENDS[code] in ends)]
    small = ";".join((*sorted(ends), *begins, *codes))
    return small if len(small) <= len(anew) else anew


@lru_cache(4096)
def pen_of(style: Style, system: ColorSystem) -> Pen:
    """The style as the codes of a terminal with so many colours."""
    attributes = ";".join(code for name, code in ATTRIBUTES if getattr(style, name))
    ink = ground = ""
    if style.color is not None:
        ink = ";".join(style.color.downgrade(system).get_ansi_codes(foreground=True))
    if style.bgcolor is not None:
        ground = ";".join(style.bgcolor.downgrade(system).get_ansi_codes(foreground=False))
    return attributes or PLAIN[0], ink or PLAIN[1], ground or PLAIN[2]
