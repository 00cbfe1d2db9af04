"""The ticket's form: what keys make of it, and the order it means."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.domain.instruments import CENT_TICKS, SPX_OPTION_TICKS
from station.link import FiringRow, Ticket
from tests.tui import synthetic_panes
from widgets.contracts import order_of_firing, order_of_label
from widgets.order import LIMIT, MARKET, MID, Guard, Order, ticket_of
from widgets.orderline import parse
from widgets.sight import Sight
from widgets.ticket import FORM_KINDS, Form, FormFault, Market, form_of, order_of, stepped_price

MARKET_NOW = Market(Decimal("4.10"), Decimal("4.20"), Decimal("4.15"), Decimal("4.20"), SPX_OPTION_TICKS)


def form(line: str = "buy 2 SPX 5940C @ 4.20", **changes: object) -> Form:
    return form_of(parse(line), **changes)  # pyright: ignore[reportArgumentType]


def typed(one: Form, keys: str) -> Form:
    for key in keys:
        one = one.typed(key, MARKET_NOW)
    return one


@pytest.mark.parametrize(
    "line",
    [
        "buy 2 SPX 5940C 0dte @ mid tp 23% sl 22%",
        "sell 1 SPY 591P weekly @ market",
        "buy 3 SPX 5940C 20261120 @ 4.20 tp 5.20 sl 3.30 conf 70 override",
        "buy 1 ES stop 5950.25 @ 5951.00",
        "buy 1 SPY stop 600.00 conf 0",
    ],
)
def test_a_line_shown_as_a_form_means_the_same_order(line: str) -> None:
    assert order_of(form_of(parse(line))) == parse(line)


def test_the_first_character_in_a_field_replaces_what_stands_there() -> None:
    assert order_of(typed(form(), "15")).qty == 15
    kept = typed(typed(form(), "1"), "5").erased()
    assert kept.text("qty") == "1"


def test_a_point_in_a_whole_number_is_refused_and_not_left_out() -> None:
    with pytest.raises(FormFault, match="whole number"):
        order_of(typed(form(), "2.0"))
    with pytest.raises(FormFault, match="0 to 100"):
        order_of(typed(form(at="confidence"), "7.5"))


def test_letters_fetch_the_market_into_a_price_at_a_legal_tick() -> None:
    limit = form(at="limit")
    assert [typed(limit, key).text("limit") for key in "bal"] == ["4.10", "4.20", "4.20"]
    assert typed(limit, "m").text("limit") == "4.20", (
        "4.15 is no legal price over 3.00: the even tick beside it"
    )
    assert typed(form(), "m").text("qty") == "2", "a letter means nothing in a quantity"


def test_prices_step_by_the_tick_that_holds_there() -> None:
    cheap = form("buy 1 SPX 5940C @ 2.95", at="limit")
    up = cheap.stepped(1, MARKET_NOW)
    assert up.text("limit") == "3.00"
    assert up.stepped(1, MARKET_NOW).text("limit") == "3.10"
    assert up.stepped(-1, MARKET_NOW).text("limit") == "2.95"
    assert form("buy 1 SPX 5940C @ 0.05", at="limit").stepped(-10, MARKET_NOW).text("limit") == "0.05"


@given(st.decimals("0.01", "500", places=2), st.integers(-30, 30))
def test_a_stepped_price_is_legal_and_over_zero(price: Decimal, steps: int) -> None:
    for rule in (SPX_OPTION_TICKS, CENT_TICKS):
        moved = stepped_price(price, steps, rule)
        assert moved > 0
        if steps:
            assert rule.is_legal(moved) or moved == price
        assert (moved - price) * steps >= 0


@given(
    st.lists(
        st.sampled_from([*"0123456789.%bmalxyz", "up", "down", "tab", "left", "back", "pageup"]), max_size=40
    )
)
def test_no_run_of_keys_breaks_the_form(keys: list[str]) -> None:
    one = form()
    for key in keys:
        match key:
            case "up" | "down":
                one = one.stepped(1 if key == "up" else -1, MARKET_NOW)
            case "pageup":
                one = one.stepped(10, MARKET_NOW)
            case "tab":
                one = one.moved(1)
            case "left":
                one = one.stepped(-1, MARKET_NOW) if one.at in ("kind", "action") else one
            case "back":
                one = one.erased()
            case _:
                one = one.typed(key, MARKET_NOW)
        assert one.at in one.fields
    try:
        order = order_of(one)
    except FormFault as fault:
        assert fault.field in one.fields
    else:
        assert parse(str(order)) == order


def kinds() -> Iterator[tuple[str, tuple[str, ...]]]:
    one = form(at="kind")
    for _ in FORM_KINDS:
        yield one.kind, one.fields
        one = one.stepped(1, MARKET_NOW)


def test_a_sale_has_no_exits_of_its_own_and_is_called_no_bracket() -> None:
    one = form("sell 1 SPX 5940C @ 4.20 tp 23% sl 22%", at="kind")
    assert one.kind == "LIMIT"
    for _ in FORM_KINDS:
        one = one.stepped(1, MARKET_NOW)
        assert one.kind != "BRACKET"


def test_each_kind_asks_for_the_prices_it_needs() -> None:
    prices = {kind: [name for name in names if name in ("trigger", "limit")] for kind, names in kinds()}
    assert prices == {
        "MID": [], "LIMIT": ["limit"], "MARKET": [], "BRACKET": ["limit"], "STOP": ["trigger"],
        "STOP_LIMIT": ["trigger", "limit"],
    }  # fmt: skip


def test_a_bracket_wants_both_its_legs() -> None:
    bracket = Form("BUY", "SPX", Decimal(5940), "C", "0dte", "BRACKET", {"qty": "1", "limit": "4.20"})
    with pytest.raises(FormFault, match="needs both") as caught:
        order_of(bracket)
    assert caught.value.field == "target"
    whole = order_of(bracket.written("target", "23%").written("stop", "3.30"))
    assert (whole.kind, whole.target, whole.stop) == (LIMIT, Guard(Decimal(23), True), Guard(Decimal("3.30")))


def test_a_ticket_carries_every_term_as_text() -> None:
    order = parse("buy 2 SPX 5940C 0dte @ 4.20 tp 23% sl 3.30 conf 70 override")
    assert ticket_of(order) == Ticket(
        "SPX", "BUY", 2, "C", "5940", "0dte", "LIMIT", "4.20", "", "", "23", "3.30", "", True, "70"
    )
    assert ticket_of(parse("sell 5 SPY @ market")) == Ticket("SPY", "SELL", 5, kind=MARKET)


def test_a_label_names_its_contract() -> None:
    assert order_of_label("SPXW 20251120 5940C", "BUY") == Order(
        "BUY", 1, "SPX", Decimal(5940), "C", "20251120", MID
    )
    assert order_of_label("SPY", "SELL") == Order("SELL", 1, "SPY")


@pytest.mark.parametrize(("side", "right"), [("CALL", "C"), ("PUT", "P")])
def test_a_firing_proposes_the_option_nearest_the_house_s_delta(side: str, right: str) -> None:
    chain = synthetic_panes.chain(Sight("SPX").chain)
    order = order_of_firing(FiringRow(0, "SPX_V3_CALL", side, 61, instrument="SPX"), chain)
    assert order is not None
    assert (order.right, order.confidence, order.expiry) == (right, 61, "20251120")
    row = next(row for row in chain.rows if row.strike == order.strike)
    picked = row.call if right == "C" else row.put
    assert picked is not None and picked.delta is not None
    assert abs(abs(picked.delta) - (0.30 if right == "C" else 0.25)) < 0.03
