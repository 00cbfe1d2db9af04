"""Themes: the one palette everything is drawn with, exchanged colour by colour on the way to the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from widgets import ink

DARK: Final = "dark"


@dataclass(frozen=True, slots=True)
class Theme:
    """`inks` and `grounds` exchange the palette's colours; `inverted` turns the lightness of any other."""

    name: str
    inks: Mapping[str, str]
    grounds: Mapping[str, str]
    inverted: bool = False


_LIGHT: Final = Theme(
    "light",
    {
        "#c9d2db": "#24303b", "#eef2f6": "#0b1016", "#76838f": "#5a6772", "#4a5661": "#8a96a1",
        "#69b1ea": "#1a5f9e", "#46c08f": "#0b6e45", "#f0665e": "#b3261e", "#e2ae4a": "#8a5800",
        "#ff7b72": "#b3261e", "#b38cd9": "#6b3fa0", "#93a4b4": "#3d4c59", "#e8f1f8": "#0b1016",
        "#a9bccb": "#3d4c59", "#08131d": "#ffffff", "#0b0f14": "#ffffff", "#ffffff": "#ffffff",
        "#1c1200": "#1c1200", "#35495a": "#8a9aa8",
    },
    {
        "#0b0f14": "#fbfbf8", "#151d26": "#e6e9ec", "#1d3346": "#c3d9ec", "#18242f": "#dde8f2",
        "#10171f": "#f1f3f4", "#05080b": "#d5d9dc", "#2a3a48": "#cfdce8", "#69b1ea": "#1f6fb2",
        "#c9d2db": "#24303b", "#f2b134": "#f2b134", "#c62828": "#c62828", "#e2ae4a": "#e2ae4a",
    },
    inverted=True,
)  # fmt: skip
_CONTRAST: Final = Theme(
    "high-contrast",
    {
        "#c9d2db": "#ffffff", "#eef2f6": "#ffffff", "#76838f": "#d0d0d0", "#4a5661": "#b0b0b0",
        "#69b1ea": "#7fd0ff", "#46c08f": "#33ff99", "#f0665e": "#ff8080", "#e2ae4a": "#ffd24d",
        "#ff7b72": "#ff9a9a", "#b38cd9": "#e0b3ff", "#93a4b4": "#ffffff", "#e8f1f8": "#ffffff",
        "#a9bccb": "#ffffff", "#35495a": "#ffffff",
    },
    {
        "#0b0f14": "#000000", "#151d26": "#262626", "#1d3346": "#004a80", "#18242f": "#003a63",
        "#10171f": "#000000", "#05080b": "#000000", "#2a3a48": "#444444", "#c62828": "#b00000",
    },
)  # fmt: skip
_COLOUR_BLIND: Final = Theme(
    "colour-blind",
    {
        "#46c08f": "#56b4e9", "#f0665e": "#e0641e", "#e2ae4a": "#f5ec5a", "#ff7b72": "#ff7a3d",
        "#69b1ea": "#d3b5e5", "#b38cd9": "#e58cbf",
    },
    {"#c62828": "#b34700", "#69b1ea": "#d3b5e5", "#e2ae4a": "#f5ec5a", "#f2b134": "#f5ec5a"},
)  # fmt: skip
"""Gains blue, losses orange and warnings yellow, which every kind of colour blindness tells apart (after Okabe
and Ito, 2008)."""
THEMES: Final = {one.name: one for one in (Theme(DARK, {}, {}), _LIGHT, _CONTRAST, _COLOUR_BLIND)}


def after(name: str) -> str:
    """The theme that follows, round and round."""
    names = list(THEMES)
    return names[(names.index(name) + 1) % len(names)] if name in names else DARK


class Themed(LineFilter):
    """Exchanges the colours of what is about to be painted."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme

    def apply(self, segments: Sequence[Segment], background: Color) -> list[Segment]:
        name = self.theme.name
        return [
            Segment(text, exchanged(style, name) if style else None, control)
            for text, style, control in segments
        ]


@lru_cache(4096)
def exchanged(style: Style, name: str) -> Style:
    """The style in the colours of theme `name`."""
    theme = THEMES[name]
    inks, grounds = style.color, style.bgcolor
    tint = Style(
        color=_exchanged(inks, theme.inks, inverted=theme.inverted),
        bgcolor=_exchanged(grounds, theme.grounds, inverted=theme.inverted),
    )
    return style + tint


def _exchanged(color: RichColor | None, colours: Mapping[str, str], *, inverted: bool) -> RichColor | None:
    if color is None or color.triplet is None:
        return color
    found = colours.get(color.triplet.hex)
    if found is not None:
        return RichColor.parse(found)
    if not inverted:
        return color
    hue, saturation, lightness = Color.from_rich_color(color).hsl
    return Color.from_hsl(hue, saturation, 1 - lightness).rich_color


def filters(name: str) -> tuple[LineFilter, ...]:
    """What makes theme `name` of the palette; nothing for the palette's own."""
    return () if name == DARK or name not in THEMES else (Themed(THEMES[name]),)


def palette() -> frozenset[str]:
    """Every colour of the palette, as `#rrggbb`."""
    styles = [value for value in vars(ink).values() if isinstance(value, Style)]
    colours = [color for style in styles for color in (style.color, style.bgcolor)]
    return frozenset(color.triplet.hex for color in colours if color is not None and color.triplet is not None)
