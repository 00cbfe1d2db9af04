"""Proposals written by hand: what is taken, and the one line for what is not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from station.domain.errors import BadInput
from station.domain.instruments import (
    INSTRUMENTS,
    Contract,
    Right,
    SecType,
    option_contract,
    underlying_contract,
)
from station.domain.orders import Action
from station.risk import Proposal, parse_proposal

OPTION: dict[str, Any] = {"symbol": "SPX", "expiry": "20261118", "strike": "6900", "right": "C", "qty": 3}


def test_an_option_is_written_in_a_few_words() -> None:
    contract = option_contract(INSTRUMENTS["SPX"], "20261118", Decimal(6900), Right.CALL)
    assert parse_proposal(OPTION) == Proposal("SPX", contract, Action.BUY, Decimal(3), origin="MANUAL")


def test_everything_that_can_be_said_is_taken() -> None:
    found = parse_proposal(
        OPTION | {
            "action": "sell", "limit": "4.20", "stop": 3.5, "strategy": "5MIN_TREND", "confidence": 74,
            "self_report": 100, "override": True, "opens_risk": False, "protective": True, "origin": "manual",
        }
    )  # fmt: skip
    assert (found.action, found.limit, found.stop) == (Action.SELL, Decimal("4.20"), Decimal("3.5"))
    assert (found.strategy, found.confidence, found.self_report) == ("5MIN_TREND", 74, 100)
    assert (found.override, found.opens_risk, found.protective, found.origin) == (True, False, True, "MANUAL")
    assert parse_proposal(OPTION | {"strategy": "X"}).origin == "STRATEGY"
    assert parse_proposal(OPTION | {"confidence": 0}).confidence == 0
    assert parse_proposal(OPTION | {"symbol": " SPX "}).symbol == "SPX"


def test_shares_futures_and_options_of_what_is_not_in_the_catalogue() -> None:
    assert parse_proposal({"symbol": "NVDA", "qty": 10}).contract == Contract(
        "NVDA", SecType.STOCK, trading_class="NVDA"
    )
    listed = parse_proposal(
        {"symbol": "NVDA", "qty": 1, "expiry": "20261120", "strike": 150, "right": "p"}
    ).contract
    assert listed == Contract("NVDA", SecType.OPTION, "20261120", Decimal(150), Right.PUT, "NVDA", 100)
    assert listed.trading_class == "NVDA"
    future = parse_proposal({"symbol": "ES", "qty": 1, "expiry": "20261218"}).contract
    assert future == underlying_contract(INSTRUMENTS["ES"], "20261218")
    assert parse_proposal({"symbol": "SPY", "qty": 1}).contract.sec_type is SecType.STOCK


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"symbol": None}, "symbol = None must be a text"),
        ({"symbol": 7}, "symbol = 7 must be a text"),
        ({"symbol": " "}, "symbol = ' ' must be a text"),
        ({"qty": None}, "qty = None must be a number over 0"),
        ({"qty": 0}, "qty = 0 must be a number over 0"),
        ({"qty": -1}, "qty = -1"),
        ({"qty": True}, "qty = True"),
        ({"qty": "many"}, "qty = 'many'"),
        ({"qty": "NaN"}, "qty = 'NaN'"),
        ({"qty": [3]}, "qty = [3]"),
        ({"qty": 1_000_001}, "up to 1000000"),
        ({"limit": 0}, "limit = 0"),
        ({"stop": "x"}, "stop = 'x'"),
        ({"action": "HOLD"}, "action = 'HOLD' is not known: use BUY, SELL"),
        ({"right": "X"}, "right = 'X' is not known: use C, P"),
        ({"right": None}, "right = None is missing beside a strike"),
        ({"strike": None}, "strike = None must be a number"),
        ({"expiry": None}, "expiry = None is missing for an option"),
        ({"expiry": "2026-11-18"}, "must be a day YYYYMMDD"),
        ({"expiry": "20261318"}, "must be a day YYYYMMDD"),
        ({"expiry": "2026111"}, "must be a day YYYYMMDD"),
        ({"expiry": "2026W021"}, "must be a day YYYYMMDD"),
        ({"symbol": "VIX"}, "VIX has no options"),
        ({"confidence": 101}, "confidence = 101 must be a whole number from 0 to 100"),
        ({"confidence": -1}, "confidence = -1"),
        ({"self_report": 7.5}, "self_report = 7.5"),
        ({"self_report": True}, "self_report = True"),
        ({"override": "yes"}, "override = 'yes' must be true or false"),
        ({"opens_risk": 1}, 'write "opens_risk": true'),
        ({"protective": 0}, 'write "protective": false'),
        ({"origin": "NOBODY"}, "use STRATEGY, MANUAL, ADOPTED"),
        ({"colour": "red"}, "colour = 'red' is no part of a proposal: use symbol, expiry"),
    ],
)  # fmt: skip
def test_what_makes_no_proposal_is_one_line(change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_proposal(OPTION | change)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_bounds_themselves_are_allowed() -> None:
    assert parse_proposal(OPTION | {"qty": 1_000_000}).qty == 1_000_000
    assert parse_proposal(OPTION | {"confidence": 100, "self_report": 0}).self_report == 0
