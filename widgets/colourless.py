"""NO_COLOR: what colour said is said by reverse, bold, dim and underline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from rich.color import Color as RichColor
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from widgets import ink

BRIGHT: Final = 0.25
"""A ground brighter than this (of 1) is a badge."""
FAINT: Final = 0.55
"""Ink darker than this (of 1) is dim."""
WITHOUT: Final = frozenset({"dumb", "unknown", "vt52", "vt100", "vt102", "vt220"})


def wants_no_colour(environ: Mapping[str, str]) -> bool:
    """Whether nothing is said by colour: asked for, or a terminal that has none."""
    return bool(environ.get("NO_COLOR")) or environ.get("TERM", "") in WITHOUT


def plain_console(like: Console) -> Console:
    """One that still says bold, dim, underline and reverse where the toolkit, seeing no colours, drops all."""
    return Console(
        color_system="standard", file=like.file, force_terminal=True, markup=True, highlight=False, emoji=False,
        legacy_windows=False, safe_box=False, soft_wrap=False,
    )  # fmt: skip


class Colourless(LineFilter):
    """Removes every colour from what is about to be painted."""

    def apply(self, segments: Sequence[Segment], background: Color) -> list[Segment]:
        return [Segment(text, bare(style) if style else None, control) for text, style, control in segments]


@lru_cache(1024)
def bare(style: Style) -> Style:
    """The style without colours, keeping its rank."""
    ground = style.bgcolor
    badge = _brightness(ground, 0.0) > BRIGHT or _is(ground, ink.BAR_FOCUS)
    return Style(
        bold=style.bold or None,
        italic=style.italic or None,
        underline=style.underline or _is(ground, ink.PICKED) or None,
        reverse=style.reverse or badge or None,
        dim=(not badge and _brightness(style.color, 1.0) < FAINT) or None,
    )


def _brightness(color: RichColor | None, default: float) -> float:
    return default if color is None or color.is_default else Color.from_rich_color(color).brightness


def _is(color: RichColor | None, name: str) -> bool:
    return color is not None and color.triplet is not None and color.triplet.hex == name
