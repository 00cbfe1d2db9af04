"""A screen's ticket: what it reads as, and the one line that each mistake is worth."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.desk.asked import Asked, Pricing, check_prices, check_tick
from station.domain.errors import BadInput
from station.domain.hand import OwnExits
from station.domain.instruments import CENT_TICKS, SPX_OPTION_TICKS, Right
from station.domain.market import Quote
from station.domain.orders import Action, OrderKind
from station.engine.tickets import read_ticket
from station.link import Ticket
from tests.unit.domain_cases import CONTRACT

D = Decimal
PLAIN = Ticket("spx", "buy", 2, "c", "5940", "0DTE", "limit", limit="4.20", target_pct="23%", stop_price="3.00")


def test_a_ticket_reads_as_the_order_it_asks_for() -> None:
    asked = read_ticket(PLAIN)
    assert asked == Asked(
        "SPX", Action.BUY, D(2), Pricing.LIMIT, "0dte", D(5940), Right.CALL, D("4.20"), None, None, D(23),
        D("3.00"), None,
    )  # fmt: skip
    assert asked.own_exits() == OwnExits(stop_price=D("3.00"))
    assert read_ticket(Ticket("SPY", kind="MARKET")).own_exits() is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"action": "HOLD"}, "action = 'HOLD': give BUY or SELL"),
        ({"qty": 0}, "qty = 0: give a whole number from 1"),
        ({"right": "X"}, "right = 'X': give C or P"),
        ({"strike": ""}, "an option needs its strike"),
        ({"expiry": ""}, "an option needs its expiry"),
        ({"right": ""}, "strike and expiry are of an option"),
        ({"strike": "59x"}, "strike = '59x': give a number over 0"),
        ({"strike": "-5"}, "strike = '-5': give a number over 0"),
        ({"kind": "ICEBERG"}, "kind = 'ICEBERG': give MID, MARKET, LIMIT, STOP, STOP_LIMIT"),
        ({"limit": ""}, "a LIMIT order needs a limit"),
        ({"kind": "MID"}, "a MID order has no limit: leave '4.20' out"),
        ({"kind": "STOP_LIMIT"}, "a STOP_LIMIT order needs a stop"),
        ({"limit": "NaN"}, "limit = 'NaN': give a number over 0"),
        ({"limit": "inf"}, "limit = 'inf': give a number over 0"),
        ({"target_price": "6"}, "the target is a price or a percent, not both"),
        ({"stop_pct": "20"}, "the stop is a price or a percent, not both"),
        ({"target_pct": "1001"}, "target_pct = '1001': give a percent over 0 and up to 1000"),
        ({"stop_price": "", "stop_pct": "100"}, "stop_pct = '100': give a percent over 0 and up to 99"),
        ({"self_report": "101"}, "self_report = '101': give a whole number from 0 to 100"),
        ({"self_report": "very"}, "self_report = 'very'"),
        ({"valid_s": -1}, "valid_s = -1: give 0 to 86400 seconds"),
    ],
)
def test_each_mistake_is_one_line_that_names_the_field(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=r"^ticket: ") as told:
        read_ticket(msgspec.structs.replace(PLAIN, **change))
    assert said in str(told.value)
    assert "\n" not in str(told.value)


TEXT = st.text(max_size=8)


@given(
    st.builds(
        Ticket, symbol=TEXT, action=st.sampled_from(["BUY", "sell", "x"]), qty=st.integers(-3, 30), right=TEXT,
        strike=TEXT, expiry=TEXT, kind=st.sampled_from([*(each.value for each in Pricing), "y"]), limit=TEXT,
        stop=TEXT, target_price=TEXT, target_pct=TEXT, stop_price=TEXT, stop_pct=TEXT, self_report=TEXT,
    )
)  # fmt: skip
def test_no_ticket_does_more_than_read_or_be_refused(ticket: Ticket) -> None:
    try:
        asked = read_ticket(ticket)
    except BadInput:
        return
    assert asked.qty >= 1
    for price in (asked.limit, asked.stop, asked.target_price, asked.stop_price, asked.strike):
        assert price is None or (price.is_finite() and price >= 0)


def test_a_kind_is_the_brokers_and_says_whether_it_rests() -> None:
    assert [each.kind for each in Pricing] == [
        OrderKind.LIMIT, OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP, OrderKind.STOP_LIMIT,
    ]  # fmt: skip
    assert [each.name for each in Pricing if each.rests] == ["LIMIT", "STOP", "STOP_LIMIT"]


@pytest.mark.parametrize(
    ("price", "near"),
    [
        ("4.23", "4.20 or 4.30 is"),
        ("2.97", "2.95 or 3.00 is"),
        ("0.01", "0.05 is"),
        ("3.05", "3.00 or 3.10 is"),
    ],
)
def test_a_price_off_the_tick_is_told_the_legal_ones_beside_it(price: str, near: str) -> None:
    with pytest.raises(BadInput, match=f"limit {price} is no price of SPXW 20261118 5940C: {near}"):
        check_tick("limit", D(price), CONTRACT, SPX_OPTION_TICKS)


def test_exits_on_the_wrong_side_of_the_entry_are_refused() -> None:
    ticket = Ticket("SPX", "BUY", 1, "C", "5940", "0dte", "LIMIT", limit="4.00", target_price="4.00")
    with pytest.raises(BadInput, match=r"target_price 4\.00 is not over the entry of 4\.00"):
        check_prices(read_ticket(ticket), CONTRACT, CENT_TICKS, None)
    ticket = Ticket("SPX", "BUY", 1, "C", "5940", "0dte", "LIMIT", limit="4.00", stop_price="4.10")
    with pytest.raises(BadInput, match=r"stop_price 4\.10 is not under the entry of 4\.00"):
        check_prices(read_ticket(ticket), CONTRACT, CENT_TICKS, None)
    check_prices(read_ticket(PLAIN), CONTRACT, SPX_OPTION_TICKS, None)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"kind": "MARKET", "limit": "", "stop_price": "3.90"}, True),
        ({"kind": "MARKET", "limit": "", "stop_price": "3.80"}, False),
        ({"kind": "MARKET", "limit": "", "stop_price": "", "stop_pct": "2"}, True),
        ({"kind": "MID", "limit": "", "stop_price": "", "stop_pct": "1"}, True),
        ({"kind": "MID", "limit": "", "stop_price": "", "stop_pct": "40"}, False),
        ({"limit": "6.00", "stop_price": "5.00"}, True),
        ({"limit": "3.50", "stop_price": "3.40"}, False),
        ({"kind": "STOP", "limit": "", "stop": "5.00", "stop_price": "4.50"}, False),
    ],
)
def test_a_stop_that_would_go_off_as_the_entry_fills_is_refused(change: dict[str, str], refused: bool) -> None:
    """3.90 bid, 4.00 asked: a dear limit buys at the ask, and a stop between would sell it again at the bid."""
    ticket = msgspec.structs.replace(PLAIN, **{"target_pct": "", **change})
    quote = Quote(CONTRACT, D("3.90"), D("4.00"), 10, 10, 1)
    if refused:
        with pytest.raises(BadInput, match=r"not under the bid of 3\.90: it would go off at once"):
            check_prices(read_ticket(ticket), CONTRACT, CENT_TICKS, quote)
    else:
        check_prices(read_ticket(ticket), CONTRACT, CENT_TICKS, quote)
