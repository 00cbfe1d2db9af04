"""Lines as a picture file that stands alone: SVG without scripts, fonts or links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from rich.cells import cell_len

from widgets import ink
from widgets.ink import Line

CELL: Final = 8.43
ROW: Final = 16.4
ASCENT: Final = 13.0
MARGIN: Final = 12.0
_FONT: Final = "DejaVu Sans Mono,Menlo,Consolas,monospace"


def svg_of(lines: Sequence[Line], width: int, title: str) -> str:
    """`width` cells and as many rows as there are lines, on the screen's ground."""
    across, down = width * CELL + 2 * MARGIN, (len(lines) + 1) * ROW + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across:.0f} {down:.0f}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" fill="{ink.GROUND}"/>',
        f'<g font-family="{_FONT}" font-size="14" xml:space="preserve">',
    ]
    for row, line in enumerate(lines):
        parts += _row(line, MARGIN + (row + 1) * ROW)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _row(line: Line, y: float) -> list[str]:
    found: list[str] = []
    x = MARGIN
    for text, style in line:
        wide = cell_len(text) * CELL
        ground = (
            style.bgcolor.triplet.hex if style.bgcolor is not None and style.bgcolor.triplet else ink.GROUND
        )
        if ground != ink.GROUND:
            found.append(
                f'<rect x="{x:.1f}" y="{y - ASCENT:.1f}" width="{wide:.1f}" height="{ROW}" fill="{ground}"/>'
            )
        if text.strip():
            fill = style.color.triplet.hex if style.color is not None and style.color.triplet else "#c9d2db"
            weight = ' font-weight="bold"' if style.bold else ""
            place = f'x="{x:.1f}" y="{y:.1f}" textLength="{wide:.1f}"'
            found.append(f'<text {place} fill="{fill}"{weight}>{escape(text)}</text>')
        x += wide
    return found
