"""Sixteen colours: each of the palette's is named by its hue, and ink is never lost in its ground."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from widgets import ink
from widgets.themes import THEMES

BLACK: Final = 0
WHITE: Final = 15
SILVER: Final = 7
GREY: Final = 8
BLUE: Final = 4
PALE: Final = 0.17
"""Less of a colour than this (of 1) is grey."""
READABLE: Final = (2.0, 2.5)
"""Contrast by WCAG's measure that a coloured ink needs on a bright and a dark ground; with less it is black or
white."""
_HUES: Final = ((35, 1), (75, 3), (165, 2), (190, 6), (255, 4), (345, 5), (361, 1))
"""Up to which degree a hue is which of the eight colours: orange is red, so that a loss stays one."""
_XTERM: Final = (
    "#000000", "#cd0000", "#00cd00", "#cdcd00", "#0000ee", "#cd00cd", "#00cdcd", "#e5e5e5",
    "#7f7f7f", "#ff0000", "#00ff00", "#ffff00", "#5c5cff", "#ff00ff", "#00ffff", "#ffffff",
)  # fmt: skip
_BRIGHT: Final = 8
_FOCUSED: Final = {
    theme.grounds.get(ink.BAR_FOCUS, ink.BAR_FOCUS): SILVER if theme.inverted else BLUE
    for theme in THEMES.values()
}
"""The title that has the keys stands out, where its ground would be that of all."""


class Sixteen(LineFilter):
    """Names the colours of what is about to be painted."""

    def apply(self, segments: Sequence[Segment], background: Color) -> list[Segment]:
        return [Segment(text, named(style) if style else None, control) for text, style, control in segments]


@lru_cache(4096)
def named(style: Style) -> Style:
    """The style in colours of the sixteen."""
    ground = None if style.bgcolor is None or style.bgcolor.is_default else _ground(style.bgcolor)
    if style.color is None or style.color.is_default:
        shown = None
    else:
        shown = _ink(style.color, BLACK if ground is None else ground)
    return style + Style(
        color=None if shown is None else RichColor.from_ansi(shown),
        bgcolor=None if ground is None else RichColor.from_ansi(ground),
    )


def contrast(one: int, other: int) -> float:
    """Of two of the sixteen, as xterm shows them, by WCAG's measure: 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _ground(color: RichColor) -> int:
    if color.triplet is not None and color.triplet.hex in _FOCUSED:
        return _FOCUSED[color.triplet.hex]
    if color.triplet is None and color.number is not None:
        return color.number
    return color.downgrade(ColorSystem.STANDARD).number or BLACK


def _ink(color: RichColor, ground: int) -> int:
    """The nearest of its hue that can be read there, bright on dark and dark on bright."""
    if color.triplet is None and color.number is not None:
        return color.number
    exact = Color.from_rich_color(color)
    hue, _, lightness = exact.hsl
    dark = _luminance(ground) < 0.3
    if max(exact.normalized) - min(exact.normalized) < PALE:
        wished = (_grey(lightness, dark=dark),)
    else:
        plain = next(number for upto, number in _HUES if hue * 360 < upto)
        wished = (plain + _BRIGHT, plain) if dark else (plain, plain + _BRIGHT)
    readable = [number for number in wished if contrast(number, ground) >= READABLE[dark]]
    return readable[0] if readable else max((BLACK, WHITE), key=lambda number: contrast(number, ground))


def _grey(lightness: float, *, dark: bool) -> int:
    if lightness > 0.85:
        return WHITE
    if (lightness < 0.55) is dark:
        return GREY
    return SILVER if dark else BLACK


@lru_cache(16)
def _luminance(number: int) -> float:
    parts = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in Color.parse(_XTERM[number]).normalized
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
