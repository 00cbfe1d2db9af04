"""Colours, glyphs and lines: what every pane draws with."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

GROUND: Final = "#0b0f14"
BAR: Final = "#151d26"
BAR_FOCUS: Final = "#1d3346"
PICKED: Final = "#18242f"

WHITE: Final = "#eef2f6"
GREY: Final = "#76838f"
AMBER: Final = "#e2ae4a"
GREEN: Final = "#46c08f"
RED: Final = "#ff7b72"

TEXT: Final = Style(color="#c9d2db", bgcolor=GROUND)
STRONG: Final = Style(color=WHITE, bgcolor=GROUND, bold=True)
DIM: Final = Style(color=GREY, bgcolor=GROUND)
FAINT: Final = Style(color="#4a5661", bgcolor=GROUND)
ACCENT: Final = Style(color="#69b1ea", bgcolor=GROUND)
UP: Final = Style(color=GREEN, bgcolor=GROUND)
DOWN: Final = Style(color="#f0665e", bgcolor=GROUND)
WARN: Final = Style(color=AMBER, bgcolor=GROUND)
ALARM: Final = Style(color=RED, bgcolor=GROUND, bold=True)
KEY: Final = Style(color=AMBER, bgcolor=GROUND, bold=True)

STUDY_FAST: Final = Style(color="#69b1ea", bgcolor=GROUND)
STUDY_SLOW: Final = Style(color=AMBER, bgcolor=GROUND)
STUDY_VWAP: Final = Style(color="#b38cd9", bgcolor=GROUND)
LAST: Final = Style(color="#0b0f14", bgcolor="#c9d2db", bold=True)
CURSOR: Final = Style(bgcolor="#2a3a48")

TITLE: Final = Style(color="#93a4b4", bgcolor=BAR)
TITLE_FOCUS: Final = Style(color="#e8f1f8", bgcolor=BAR_FOCUS, bold=True)
TITLE_NOTE: Final = Style(color=GREY, bgcolor=BAR)
TITLE_NOTE_FOCUS: Final = Style(color="#a9bccb", bgcolor=BAR_FOCUS)
TITLE_WARN: Final = Style(color=AMBER, bgcolor=BAR)
TITLE_WARN_FOCUS: Final = Style(color=AMBER, bgcolor=BAR_FOCUS)
TITLE_BAD: Final = Style(color=RED, bgcolor=BAR, bold=True)
TITLE_BAD_FOCUS: Final = Style(color=RED, bgcolor=BAR_FOCUS, bold=True)

PAPER: Final = Style(color="#08131d", bgcolor="#69b1ea", bold=True)
LIVE: Final = Style(color="#1c1200", bgcolor="#f2b134", bold=True)
KILL: Final = Style(color="#ffffff", bgcolor="#c62828", bold=True)
CAUTION: Final = Style(color="#1c1200", bgcolor=AMBER, bold=True)

Span = tuple[str, Style]
Line = tuple[Span, ...]
BLANK: Final[Line] = ()

_ASCII: Final = str.maketrans(
    "▲▼●○─│→×−…·▸✓↻–┄█░▁▂▃▄▅▆▇◆∘≈┊◂Δ┃╽╿╷╵╻╹▀ΓΘ▏↑↓←✗θ",
    "^v*o-|>x-~.>+@--#.__..-=+*o~:<d###||##=GT|^v<xt",
)


def wants_ascii(environ: Mapping[str, str], encoding: str) -> bool:
    """Whether glyphs beyond ASCII should be left out: asked for, a bare console, or not UTF-8."""
    asked = environ.get("VIGIL_ASCII", "")
    if asked:
        return asked != "0"
    bare = environ.get("TERM", "") in ("linux", "dumb", "unknown", "vt52", "vt100", "vt102", "vt220")
    return bare or "utf" not in encoding.lower() or not _speaks_utf8(environ)


def _speaks_utf8(environ: Mapping[str, str]) -> bool:
    """By the locale the user has set. In the C locale Python takes UTF-8 for itself, and says so in LC_CTYPE:
    the terminal knows nothing of that."""
    own = environ.get("LC_CTYPE", "")
    words = (environ.get("LC_ALL", ""), "" if own == "C.UTF-8" else own, environ.get("LANG", ""))
    said = next((word for word in words if word), own or "utf-8")
    return "utf" in said.lower()


def terminal_wants_ascii() -> bool:
    """The same, of this process's terminal."""
    return wants_ascii(os.environ, getattr(sys.__stdout__, "encoding", None) or "ascii")


def fit(text: str, width: int, align: str = "<") -> str:
    """`text` in exactly `width` cells, cut with an ellipsis where it is longer."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    room = " " * (width - length)
    if align == ">":
        return room + text
    if align == "^":
        half = len(room) // 2
        return room[:half] + text + room[half:]
    return text + room


def width_of(line: Iterable[Span]) -> int:
    return sum(cell_len(text) for text, _ in line)


def clipped(line: Line, width: int) -> Line:
    """The part of `line` that fits `width` cells, the cut span ending in an ellipsis."""
    out: list[Span] = []
    room = width
    for text, style in line:
        length = cell_len(text)
        if length <= room:
            out.append((text, style))
            room -= length
            continue
        if room > 0:
            out.append((fit(text, room), style))
        break
    return tuple(out)


def spread(left: Line, right: Line, width: int, fill: Style = TEXT) -> Line:
    """`left` at the left edge and `right` at the right one, `left` giving way."""
    right = clipped(right, width)
    room = width - width_of(right)
    left = clipped(left, max(room - 1, 0) if right else room)
    return (*left, (" " * (room - width_of(left)), fill), *right)


def packed(line: Line, more: Sequence[Line], width: int) -> Line:
    """`line` and as many of `more`, in order, as fit whole."""
    for one in more:
        longer = (*line, *one)
        if width_of(longer) <= width:
            line = longer
    return line


def faded(line: Line) -> Line:
    """The line as a memory: one dim ink, badges kept."""
    return tuple((text, style if style.bgcolor != TEXT.bgcolor else FAINT) for text, style in line)


def on_ground(line: Line, ground: str) -> Line:
    """The line on another ground, badges kept."""
    tint = Style(bgcolor=ground)
    return tuple((text, style + tint if style.bgcolor == TEXT.bgcolor else style) for text, style in line)


def strip(line: Line, width: int, *, ascii_only: bool = False, ground: Style = TEXT) -> Strip:
    """The line as Textual paints it: exactly `width` cells, neighbours of one style merged."""
    segments: list[Segment] = []
    for text, style in (*clipped(line, width), (" " * (width - min(width_of(line), width)), ground)):
        if not text:
            continue
        if segments and segments[-1].style == style:
            segments[-1] = Segment(segments[-1].text + text, style)
        else:
            segments.append(Segment(text, style))
    if ascii_only:
        segments = [Segment(plain(segment.text), segment.style) for segment in segments]
    return Strip(segments, width)


def plain(text: str) -> str:
    """`text` in ASCII, cell for cell."""
    swapped = text.translate(_ASCII)
    if swapped.isascii():
        return swapped
    return "".join(letter if letter.isascii() else "?" * cell_len(letter) for letter in swapped)
