"""Small frames draw the same picture as whole ones, in any number of colours."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyte.screens import Char
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual.strip import Strip

from widgets import ink
from widgets.canvas import _differences  # pyright: ignore[reportPrivateUsage]
from widgets.frames import FrameUpdate, change, pen_of
from widgets.ink import Line

WIDTH, HEIGHT = 40, 4
STYLES = (
    ink.TEXT,
    ink.UP,
    ink.KILL,
    ink.DIM,
    ink.TITLE_FOCUS,
    Style(underline=True),
    Style(bold=True, reverse=True),
)
SYSTEMS = {"truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT, "standard": ColorSystem.STANDARD}

SPAN = st.tuples(st.text("abc 0123▲·界", max_size=9), st.sampled_from(STYLES))
LINE = st.lists(SPAN, max_size=7).map(tuple)
PICTURE = st.lists(LINE, min_size=HEIGHT, max_size=HEIGHT)


class Terminal:
    """An emulated terminal and what stands on it, styles and all."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.Stream(self.screen)

    def feed(self, data: str) -> None:
        self._stream.feed(data)

    def cells(self) -> list[list[object]]:
        """What is seen in each: of a blank its ground, and lines through or under it."""
        return [[seen(self.screen.buffer[y][x]) for x in range(WIDTH)] for y in range(HEIGHT)]


def seen(cell: Char) -> Char:
    if cell.data != " " or cell.reverse or cell.underscore or cell.strikethrough:
        return cell
    return cell._replace(fg="default", bold=False, italics=False)


def console(system: str) -> Console:
    return Console(force_terminal=True, color_system=system, width=WIDTH)  # pyright: ignore[reportArgumentType]


def update(lines: list[Line], spans: list[tuple[int, int, int]]) -> FrameUpdate:
    strips: list[Strip] = [ink.strip(line, WIDTH) for line in lines]
    return FrameUpdate([{0: strip} for strip in strips], spans, [[WIDTH]] * HEIGHT)


def whole(lines: list[Line]) -> FrameUpdate:
    return update(lines, [(y, 0, WIDTH) for y in range(HEIGHT)])


@settings(max_examples=150)
@given(PICTURE, PICTURE, st.sampled_from(list(SYSTEMS)))
def test_what_changed_over_what_was_is_what_is(before: list[Line], after: list[Line], system: str) -> None:
    painter, patched, fresh = console(system), Terminal(), Terminal()
    patched.feed(whole(before).render_segments(painter))
    spans = [
        (y, one.x, one.right)
        for y, (old, new) in enumerate(zip(before, after, strict=True))
        if old != new
        for one in _differences(ink.strip(old, WIDTH), ink.strip(new, WIDTH), y)
    ]
    if spans:
        patched.feed(update(after, spans).render_segments(painter))
    fresh.feed(whole(after).render_segments(painter))
    assert patched.cells() == fresh.cells()


@given(LINE)
def test_an_exact_frame_draws_what_the_toolkit_draws(line: Line) -> None:
    painter, ours, theirs = console("truecolor"), Terminal(), Terminal()
    ours.feed(update([line] * HEIGHT, [(0, 0, WIDTH)]).render_segments(painter))
    theirs.feed(ink.strip(line, WIDTH).render(painter))
    assert ours.cells()[0] == theirs.cells()[0]


def test_one_figure_is_a_few_bytes() -> None:
    old: Line = (
        (" SPX ", ink.DIM),
        ("6,892.26", ink.STRONG),
        (" ▼0.40%", ink.DOWN),
        ("  rest of the line", ink.TEXT),
    )
    new: Line = (old[0], ("6,892.31", ink.STRONG), *old[2:])
    (region,) = _differences(ink.strip(old, WIDTH), ink.strip(new, WIDTH), 0)
    assert (region.x, region.width) == (11, 2)
    frame = update([new] * HEIGHT, [(0, region.x, region.right)]).render_segments(console("truecolor"))
    assert len(frame) < 60 and "31" in frame and "SPX" not in frame


def test_a_style_is_said_once() -> None:
    line: Line = (("one", ink.UP), ("two", ink.UP), ("three", ink.DOWN), ("four", ink.DOWN))
    frame = update([line] * HEIGHT, [(0, 0, 15)]).render_segments(console("truecolor"))
    assert frame.count("48;2;") == 1, "the ground stays what it was"
    assert frame.count("38;2;") == 2


def test_a_pen_is_said_once_a_frame_and_what_is_blank_needs_none_of_its_own() -> None:
    line: Line = (("7 ", ink.UP), (" ", ink.TEXT), ("8", ink.DOWN), (" ", ink.STRONG), ("9", ink.UP))
    frame = update([line] * HEIGHT, [(y, 0, 6) for y in range(HEIGHT)]).render_segments(console("truecolor"))
    assert frame.count("38;2;") == 2 and frame.count("48;2;") == 1


def test_a_cursor_that_surely_stands_somewhere_is_led_not_placed() -> None:
    line: Line = ((f"{'1':>10}{'2':>5}", ink.TEXT),)
    frame = update([line] * HEIGHT, [(1, 9, 10), (1, 14, 15), (2, 14, 15), (3, 12, 13)])
    drawn = frame.render_segments(console("truecolor"))
    assert drawn.endswith("m\x1b[2;10H1\x1b[4C2\x1b[B\b2\x1b[B\b\b\b \x1b[0m")


@pytest.mark.parametrize("sign", ["▲", "·", "界"])
def test_after_a_sign_that_may_be_wider_than_it_is_the_cursor_is_placed(sign: str) -> None:
    line: Line = ((f"{sign} 1", ink.TEXT),)
    frame = update([line] * HEIGHT, [(0, 0, 2), (0, 5, 6), (1, 0, 2), (2, 5, 6)])
    drawn = frame.render_segments(console("truecolor"))
    assert "\x1b[6G" in drawn and "\x1b[3;6H" in drawn


def test_from_the_last_column_where_a_cursor_may_hang_it_is_placed() -> None:
    line: Line = (("x" * WIDTH, ink.TEXT),)
    frame = update([line] * HEIGHT, [(0, WIDTH - 1, WIDTH), (1, WIDTH - 2, WIDTH - 1)])
    assert f"x\x1b[2;{WIDTH - 1}Hx" in frame.render_segments(console("truecolor"))


@pytest.mark.parametrize(
    ("between", "style", "runs"),
    [("ab", ink.TEXT, 1), ("  ", ink.UP, 1), ("ab", ink.UP, 2), ("·a", ink.TEXT, 2)],
)
def test_few_cells_between_two_changes_are_sent_where_that_is_less_than_a_move(
    between: str, style: Style, runs: int
) -> None:
    old, new = (((sign, ink.TEXT), (between, style), (sign, ink.TEXT)) for sign in "12")
    assert len(_differences(ink.strip(old, WIDTH), ink.strip(new, WIDTH), 0)) == runs


def test_an_attribute_ends_without_the_colours_being_said_again() -> None:
    bold, plain = pen_of(ink.STRONG, ColorSystem.TRUECOLOR), pen_of(ink.UP, ColorSystem.TRUECOLOR)
    assert change(bold, plain) == f"22;{plain[1]}"
    assert change(("1;2", *plain[1:]), ("2", *plain[1:])) == "22;2"
    assert change(("1;4", "39", "49"), ("1", "39", "49")) == "0;1", "knows no other end"


@pytest.mark.parametrize("system", SYSTEMS.values())
@pytest.mark.parametrize("style", STYLES)
def test_a_pen_knows_when_it_is_right_already(style: Style, system: ColorSystem) -> None:
    pen = pen_of(style, system)
    assert change(pen, pen) == ""
    assert change(("0", "39", "49"), pen) or pen == ("0", "39", "49")
