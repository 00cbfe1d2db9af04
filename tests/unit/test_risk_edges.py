"""Where a rule has nothing to divide by, hardly anything, or something no market should say."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from station.domain.instruments import INSTRUMENTS, underlying_contract
from station.domain.orders import Action
from station.risk import EquityFacts, Finding, Limits, Proposal, RiskView, preflight
from station.risk.rules_book import delta
from tests.unit.risk_cases import controls, greeks, held, proposal, quote, view

LIMITS = Limits()
TWICE = Limits(equities=(("SPX", EquityFacts("broad", 2.0)),))


def finding(rule: str, the_view: RiskView | None = None, the_proposal: Proposal | None = None) -> Finding:
    verdict = preflight(the_proposal or proposal(), the_view or view(), LIMITS)
    return next(each for each in verdict.findings if each.rule == rule)


@pytest.mark.parametrize(
    ("rule", "facts", "code", "value"),
    [
        ("volatility ceiling", {"greeks": greeks(iv=0.5)}, "", "50.0 %"),
        ("volatility ceiling", {"greeks": greeks(iv=0.501)}, "VOLATILITY_HIGH", "50.1 %"),
        ("volatility ceiling", {"greeks": greeks(iv=0.499)}, "", "49.9 %"),
        ("volatility ceiling", {"greeks": greeks(iv=math.inf)}, "VOLATILITY_HIGH", "inf %"),
        ("volatility ceiling", {"greeks": greeks(iv=-math.inf)}, "VOLATILITY_HIGH", "-inf %"),
        ("volatility ceiling", {"greeks": None}, "", "not known"),
        ("gamma", {"greeks": greeks(gamma=-0.151)}, "GAMMA", "-0.1510 a contract"),
        ("gamma", {"greeks": greeks(gamma=math.nan)}, "GAMMA", "nan a contract"),
        ("gamma", {"greeks": greeks(gamma=math.inf)}, "GAMMA", "inf a contract"),
        ("spread", {"quote": quote("-1", "1")}, "SPREAD", "unknown"),
        ("spread", {"quote": quote("-0.6", "-0.4")}, "SPREAD", "unknown"),
        ("spread", {"quote": quote("0.50", "0.51")}, "", "1.98 %"),
        ("spread", {"quote": quote("39.00", "41.00")}, "", "5.00 %"),
        ("spread", {"quote": quote("39.00", "41.01")}, "SPREAD", "5.02 %"),
        ("size against volume", {"avg_volume": 0.0}, "", "not known"),
        ("size against volume", {"avg_volume": -0.5}, "", "not known"),
        ("size against volume", {"avg_volume": 0.5}, "VOLUME_SHARE", "600.00 %"),
        ("size against volume", {"avg_volume": 1.0}, "VOLUME_SHARE", "300.00 %"),
        ("drawdown", {"controls": controls(peak=Decimal(0))}, "DRAWDOWN", "unknown"),
        ("drawdown", {"controls": controls(peak=Decimal("-0.5"))}, "DRAWDOWN", "unknown"),
        ("drawdown", {"controls": controls(peak=Decimal("0.5")), "equity": Decimal(0)}, "DRAWDOWN", "100.00 %"),
        ("drawdown", {"controls": controls(peak=Decimal(1)), "equity": Decimal(1)}, "", "0.00 %"),
        ("drawdown", {"controls": controls(peak=Decimal(2)), "equity": Decimal(3)}, "", "0.00 %"),
        ("position size", {"equity": Decimal("0.5")}, "POSITION_SIZE", "252000.00 % ($1,260.00)"),
        ("position size", {"equity": Decimal(1)}, "POSITION_SIZE", "126000.00 % ($1,260.00)"),
        ("VIX ceiling", {"vix": math.nan}, "VIX_UNKNOWN", "unknown"),
        ("VIX ceiling", {"vix": math.inf}, "VIX_UNKNOWN", "unknown"),
        ("cooling-off", {"controls": controls(cooling_until_ns=1)}, "", "0 s left"),
    ],
)  # fmt: skip
def test_a_rule_with_little_to_go_by(rule: str, facts: dict[str, Any], code: str, value: str) -> None:
    found = finding(rule, view(**facts))
    assert (found.code, found.value) == (code, value)


@pytest.mark.parametrize(
    ("qty", "others", "code", "limit"),
    [
        ("1", (), "NOT_REDUCING", "0 open"), ("1", (held("SPX", 5940, qty=-1),), "NOT_REDUCING", "0 open"),
        ("1", (held("SPX", 5940, qty=1),), "", "1 open"), ("3", (held("SPX", 5940, qty=3),), "", "3 open"),
        ("4", (held("SPX", 5940, qty=3),), "NOT_REDUCING", "3 open"),
        ("1", (held("SPX", 5945, qty=3),), "NOT_REDUCING", "0 open"),
        ("4", (held("SPX", 5940, qty=3), held("SPX", 5940, qty=1)), "", "4 open"),
    ],
)  # fmt: skip
def test_an_exit_may_be_as_large_as_what_it_closes(qty: str, others: Any, code: str, limit: str) -> None:
    found = finding("reduces only", view(held=others), proposal(qty, action=Action.SELL, opens_risk=False))
    assert (found.code, found.limit) == (code, limit)


def test_a_share_has_neither_volatility_nor_gamma() -> None:
    share = proposal(symbol="SPY", contract=underlying_contract(INSTRUMENTS["SPY"]))
    steep = view(greeks=greeks(iv=9.0, gamma=9.0))
    assert finding("volatility ceiling", steep, share).value == "not known"
    assert (finding("gamma", steep, share).value, finding("gamma", steep, share).limit) == ("not known", "0.6")
    assert finding("gamma", steep, proposal(symbol="IWM")).limit == "none"


def test_a_sound_view_is_sound_in_every_kind_of_account() -> None:
    for kind in ("margin", "cash"):
        limits = replace(LIMITS, account_kind=kind)
        assert preflight(proposal(), view(settled_cash=Decimal(5000)), limits).approved


def test_the_weights_of_an_order_are_those_of_the_view_and_the_limits_that_were_asked_about() -> None:
    """Three rules in turn ask about one order; nothing of another order, view or limits answers them."""
    order, here = proposal(), view(index_level=5_912.0, spot=5_912.0)
    other_order, elsewhere = proposal("1"), view(index_level=5_912.0, spot=2_956.0)
    asked = [
        (order, here, LIMITS),
        (order, here, TWICE),
        (order, elsewhere, TWICE),
        (other_order, elsewhere, TWICE),
    ]
    assert [delta(*each).value for each in (*asked, *reversed(asked))] == [
        "+0.0 to +90.0", "+0.0 to +180.0", "+0.0 to +90.0", "+0.0 to +30.0",
        "+0.0 to +30.0", "+0.0 to +90.0", "+0.0 to +180.0", "+0.0 to +90.0",
    ]  # fmt: skip
