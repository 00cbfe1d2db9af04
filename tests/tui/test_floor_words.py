"""How the screen writes numbers, times and lines: signs and widths, in any terminal."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from station.domain.clock import SECOND
from widgets import colourless, ink, words
from widgets.pane import wrapped

NOON = 1_763_666_527 * SECOND
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("SPXW 20251120 5940C", "SPXW 5940C 0DTE"),
        ("SPXW 20251121 5940C", "SPXW 5940C Nov21"),
        ("SPY 20260116 600P", "SPY 600P Jan16'26"),
        ("ES 20251219", "ES 20251219"),
        ("SPX", "SPX"),
    ],
)
def test_a_contract_is_said_as_a_trader_says_it(label: str, said: str) -> None:
    assert words.contract(label, NOON) == said


def test_times_are_exchange_times() -> None:
    assert words.clock_text(NOON) == "14:22:07"
    assert words.clock_text(NOON + 180 * 86400 * SECOND) == "15:22:07", "daylight saving is the zone's business"


@pytest.mark.parametrize(("seconds", "said"), [(0.9, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (2e5, "2d")])
def test_ages_are_short(seconds: float, said: str) -> None:
    assert words.age_text(seconds) == said


@pytest.mark.parametrize(("left_s", "said"), [(432, "07:12"), (0, "00:00"), (-1, "due"), (4000, "1:06:40")])
def test_countdowns_end(left_s: int, said: str) -> None:
    assert words.countdown(NOON + left_s * SECOND, NOON) == said


@given(st.text("ab c", max_size=60), st.integers(1, 20))
@example("a" * 25, 10)
def test_of_what_is_wrapped_no_letter_is_lost(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(0 < len(line) <= width for line in lines)


@given(st.decimals("-1e6", "1e6", places=2))
def test_profit_and_loss_are_told_by_sign_and_arrow(value: Decimal) -> None:
    text = words.signed_money(value)
    assert text[0] in "+-" and words.arrow(value) == ("▲" if value > 0 else "▼" if value < 0 else "·")


@given(ANY_TEXT, st.integers(0, 40), st.sampled_from("<>^"))
def test_what_is_fitted_has_exactly_its_width(text: str, width: int, align: str) -> None:
    assert cell_len(ink.fit(text, width, align)) == width


@given(st.lists(ANY_TEXT, max_size=4), st.lists(ANY_TEXT, max_size=2), st.integers(1, 60), st.booleans())
def test_a_painted_line_fills_its_width_in_any_alphabet(
    left: list[str], right: list[str], width: int, ascii_only: bool
) -> None:
    line = ink.spread(tuple((text, ink.TEXT) for text in left), tuple((text, ink.UP) for text in right), width)
    strip = ink.strip(line, width, ascii_only=ascii_only)
    assert sum(cell_len(segment.text) for segment in strip) == width
    assert not ascii_only or strip.text.isascii()


@pytest.mark.parametrize(
    ("environ", "encoding", "plain"),
    [
        ({}, "utf-8", False),
        ({"TERM": "xterm-256color"}, "UTF-8", False),
        ({"TERM": "linux"}, "utf-8", True),
        ({"TERM": "xterm"}, "ascii", True),
        ({"TERM": "vt100"}, "utf-8", True),
        ({"LANG": "C"}, "utf-8", True),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", True),
        ({"LC_CTYPE": "C.UTF-8"}, "utf-8", False),
        ({"LANG": "en_US.ISO-8859-1"}, "utf-8", True),
        ({"LANG": "en_US.UTF-8"}, "utf-8", False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, "utf-8", True),
        ({"LANG": "C", "LC_CTYPE": "de_DE.utf8"}, "utf-8", False),
        ({"VIGIL_ASCII": "1"}, "utf-8", True),
        ({"VIGIL_ASCII": "0", "TERM": "linux"}, "utf-8", False),
    ],
)
def test_ascii_is_chosen_where_glyphs_would_break(environ: dict[str, str], encoding: str, plain: bool) -> None:
    assert ink.wants_ascii(environ, encoding) is plain


@pytest.mark.parametrize("style", [ink.KILL, ink.LIVE, ink.PAPER, ink.CAUTION, ink.TITLE_FOCUS])
def test_badges_stand_out_without_colour(style: ink.Style) -> None:
    bare = colourless.bare(style)
    assert bare.reverse and bare.color is None and bare.bgcolor is None


def test_memories_are_dim_and_figures_are_not_without_colour() -> None:
    assert colourless.bare(ink.FAINT).dim and not colourless.bare(ink.TEXT).dim
    assert not colourless.bare(ink.UP).dim and not colourless.bare(ink.DOWN).dim
