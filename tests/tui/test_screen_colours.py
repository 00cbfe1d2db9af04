"""Colours where there are few of them, or few that an eye can tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pytest
from rich.color import Color as RichColor
from rich.style import Style
from textual.color import Color

from tests.tui import synthetic
from tests.tui.stage import Stage
from widgets import ink, themes
from widgets.colourless import wants_no_colour
from widgets.driver import TerminalDriver
from widgets.sixteen import BLACK, WHITE, Sixteen, contrast, named

LINEAR = {
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881),
    ),
    "protanopia": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900),
    ),
}  # fmt: skip
"""What such an eye sees of linear red, green and blue (Machado, Oliveira and Fernandes, 2009)."""
XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
WHITE_POINT = (0.9505, 1.0, 1.089)
CLEAR = 30.0
"""Distance in CIE L*a*b* at which two inks are told apart at a glance; 2.3 can just be noticed."""

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]


def times(matrix: Matrix, vector: Vector) -> Vector:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def seen(style: Style, eye: Matrix) -> Vector:
    """The ink in L*a*b*, as that eye sees it."""
    assert style.color is not None
    parts = Color.from_rich_color(style.color).normalized
    linear = tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    known = tuple(min(max(part, 0.0), 1.0) for part in times(eye, linear))
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (part / white for part, white in zip(times(XYZ, known), WHITE_POINT, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: Vector, other: Vector) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5


def palette(name: str) -> Iterator[tuple[str, Style]]:
    """Every style that has ink and ground, in a theme."""
    for label, style in vars(ink).items():
        if isinstance(style, Style) and style.color is not None and style.bgcolor is not None:
            yield label, themes.exchanged(style, name)


@pytest.mark.parametrize("eye", LINEAR)
def test_every_eye_tells_gains_losses_and_warnings_apart_in_the_theme_for_it(eye: str) -> None:
    inks = {label: seen(style, LINEAR[eye]) for label, style in palette("colour-blind")}
    for one, other in combinations(("UP", "DOWN", "WARN"), 2):
        assert distance(inks[one], inks[other]) > CLEAR, (one, other)


@pytest.mark.parametrize("name", list(themes.THEMES))
def test_of_sixteen_colours_no_ink_is_lost_in_its_ground(name: str) -> None:
    for label, style in palette(name):
        shown = named(style)
        assert shown.color is not None and shown.bgcolor is not None
        assert shown.color.number is not None and shown.bgcolor.number is not None
        assert contrast(shown.color.number, shown.bgcolor.number) >= 2.0, label
    up, down = (named(themes.exchanged(style, name)).color for style in (ink.UP, ink.DOWN))
    assert up is not None and down is not None and up.number != down.number
    assert {up.number, down.number}.isdisjoint({BLACK, WHITE, 7, 8}), "gains and losses are never grey"


@pytest.mark.parametrize("name", list(themes.THEMES))
def test_of_sixteen_colours_the_title_with_the_keys_stands_out(name: str) -> None:
    bar, focus = (named(themes.exchanged(style, name)).bgcolor for style in (ink.TITLE, ink.TITLE_FOCUS))
    assert bar is not None and focus is not None and bar.number != focus.number


def test_what_has_no_colour_gets_none_of_the_sixteen() -> None:
    assert named(Style(bold=True)) == Style(bold=True)
    assert named(Style(color=RichColor.from_ansi(9))).color == RichColor.from_ansi(9)


@pytest.mark.parametrize(("term", "sixteen"), [("xterm", True), ("screen", True), ("xterm-256color", False)])
async def test_a_terminal_of_sixteen_colours_is_told_their_names(
    monkeypatch: pytest.MonkeyPatch, term: str, sixteen: bool
) -> None:
    for name in ("NO_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", term)
    app = Stage(synthetic.calm(), driver_class=TerminalDriver).app
    assert any(isinstance(one, Sixteen) for one in app.get_line_filters()) is sixteen


@pytest.mark.parametrize(
    ("environ", "none"),
    [
        ({"TERM": "xterm"}, False),
        ({"TERM": "dumb"}, True),
        ({"TERM": "vt100"}, True),
        ({"NO_COLOR": "1"}, True),
    ],
)
def test_a_terminal_without_colours_is_known(environ: dict[str, str], none: bool) -> None:
    assert wants_no_colour(environ) is none
