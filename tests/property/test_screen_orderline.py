"""Order lines: what is printed parses to the same order, and no text breaks the parser."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from widgets.order import BUY, LIMIT, MARKET, MID, SELL, STOP, STOP_LIMIT, Guard, Order
from widgets.orderline import Known, LineFault, completed, completions, parse

prices = st.decimals(Decimal("0.01"), Decimal(99_999), places=2)
guards = st.builds(Guard, prices, st.just(False)) | st.builds(
    Guard, st.decimals(Decimal("0.1"), Decimal("99.9"), places=1), st.just(True)
)
expiries = (
    st.sampled_from(("weekly", "monthly"))
    | st.integers(0, 365).map(lambda days: f"{days}dte")
    | st.dates(date(2000, 1, 1)).map(lambda day: f"{day:%Y%m%d}")
)
symbols = st.from_regex(r"\A[A-Z][A-Z0-9.]{0,9}\Z")


@st.composite
def orders(draw: st.DrawFn) -> Order:
    option = draw(st.booleans())
    kind = draw(st.sampled_from((MID, MARKET, LIMIT, STOP, STOP_LIMIT)))
    return Order(
        draw(st.sampled_from((BUY, SELL))),
        draw(st.integers(1, 9999)),
        draw(symbols),
        draw(st.decimals(Decimal("0.5"), Decimal(99_999), places=1)) if option else None,
        draw(st.sampled_from("CP")) if option else "",
        draw(expiries) if option else "",
        kind,
        draw(prices) if kind in (LIMIT, STOP_LIMIT) else None,
        draw(prices) if kind in (STOP, STOP_LIMIT) else None,
        draw(st.none() | guards),
        draw(st.none() | guards),
        draw(st.none() | st.integers(0, 100)),
        draw(st.booleans()),
    )


@given(orders())
def test_an_order_printed_parses_to_itself(order: Order) -> None:
    assert parse(str(order)) == order


PIECES = (
    "buy sell 2 0 SPX 5940C 0dte 20261120 20261340 @ @mid mid market 4.20 -1 tp sl 23% 120% stop conf 70 "
    "override 5940c 1e9 NaN ∞ ٣"
)
pieces = st.sampled_from(PIECES.split())


@given(st.text(max_size=60) | st.lists(pieces, max_size=14).map(" ".join))
@example("\U00011747" * 20)
def test_any_text_is_an_order_or_one_fault_that_points_at_a_word(text: str) -> None:
    try:
        order = parse(text)
    except LineFault as fault:
        assert 0 <= fault.start < fault.end
        assert fault.start <= len(text) + 1
        assert "\n" not in str(fault)
        assert len(str(fault)) < 110
    else:
        assert parse(str(order)) == order
        assert parse(str(order).upper()) == order
        assert parse(str(order).replace("@ ", "@")) == order


@given(st.text(max_size=30) | st.lists(pieces, max_size=9).map(" ".join))
def test_a_completion_only_adds_to_what_was_typed(text: str) -> None:
    known = Known(("SPX", "SPY"), "SPX", ("5940C", "5940P"))
    for offer in completions(text, known):
        assert offer
    assert completed(text, known).lower().replace("@ ", "@").startswith(text.lower().replace("@ ", "@"))


@pytest.mark.parametrize(
    ("line", "word", "says"),
    [
        ("", "", "buy or sell is missing"),
        ("bye 2 SPX", "bye", "begin with buy or sell"),
        ("buy two SPX", "two", "no quantity"),
        ("buy 2", "", "a symbol, as SPX is missing"),
        ("buy 2 SPX 5940X", "5940X", "means nothing here"),
        ("buy 2 SPX 5940C 20261340", "20261340", "no day of the calendar"),
        ("buy 2 SPX 0dte", "0dte", "no strike stands before it"),
        ("buy 2 SPX 5940C 4.20", "4.20", "a limit is @ 4.20"),
        ("buy 2 SPX 5940", "5940", "a strike is 5940C or 5940P, a limit is @ 5940"),
        ("buy 2 SPX C @ mid", "C", "wants the strike before it, as 5940C"),
        ("buy 2 SPX C5940 @ mid", "C5940", "wants the strike before it, as 5940C"),
        ("buy 2 SPX 5940C @ soon", "soon", "no price"),
        ("buy 2 SPX 5940C @", "", "mid, market or a limit"),
        ("buy 2 SPX 5940C @ mid tp 23% tp 24%", "tp", "said twice"),
        ("buy 2 SPX 5940C sl 100%", "100%", "under 100%"),
        ("buy 2 SPX 5940C stop 4.50 @ mid", "@", "not at mid"),
        ("buy 2 SPX tp 23% 5940C", "5940C", "right behind the symbol"),
        ("buy 2 SPX conf 101", "101", "0 to 100"),
    ],
)
def test_a_fault_points_at_its_word_and_says_what_to_do(line: str, word: str, says: str) -> None:
    with pytest.raises(LineFault, match=says) as caught:
        parse(line)
    assert line[caught.value.start : caught.value.end] == word


def test_the_example_of_the_specification() -> None:
    assert parse("buy 2 SPX 5940C 0dte @ mid tp 23% sl 22%") == Order(
        BUY, 2, "SPX", Decimal(5940), "C", "0dte", MID, None, None, Guard(Decimal(23), True),
        Guard(Decimal(22), True),
    )  # fmt: skip
    assert str(parse("s 5 spy @4.2")) == "sell 5 SPY @ 4.20"


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("b", "buy"),
        ("buy 2 s", "buy 2 SPX"),
        ("buy 2 SPX ", "buy 2 SPX 5940C"),
        ("buy 2 SPX 5940p", "buy 2 SPX 5940P"),
        ("buy 2 SPX 5940C ", "buy 2 SPX 5940C 0dte"),
        ("buy 2 SPX 5940C 0dte ", "buy 2 SPX 5940C 0dte @"),
        ("buy 2 SPX 5940C @m", "buy 2 SPX 5940C @ mid"),
        ("buy 2 SPX 5940C @ mid t", "buy 2 SPX 5940C @ mid tp"),
        ("buy 2 SPX zzz", "buy 2 SPX zzz"),
    ],
)
def test_tab_completes_the_likeliest_word(line: str, whole: str) -> None:
    assert completed(line, Known(("SPX", "SPY"), "SPX", ("5940C", "5940P"))) == whole
