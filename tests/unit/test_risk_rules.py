"""Every preflight rule at its limit and one unit to each side (SPEC §7)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from station.domain.clock import MINUTE, SECOND
from station.domain.instruments import INSTRUMENTS, underlying_contract
from station.domain.market import FeedMode, Grade
from station.domain.orders import Action
from station.risk import (
    RULES,
    EntryWindow,
    Finding,
    Gate,
    GateState,
    KillState,
    Limits,
    Proposal,
    RiskView,
    Working,
    fit,
    preflight,
)
from tests.unit.risk_cases import CLOSE_NS, NOON, OPEN_NS, call, controls, greeks, held, proposal, quote, view

LIMITS = Limits()


def finding(rule: str, the_view: RiskView | None = None, the_proposal: Proposal | None = None) -> Finding:
    verdict = preflight(the_proposal or proposal(), the_view or view(), LIMITS)
    return next(each for each in verdict.findings if each.rule == rule)


def test_a_sound_three_contract_spx_trade_of_a_35k_account_passes_every_rule() -> None:
    verdict = preflight(proposal(), view(), LIMITS)
    assert verdict.approved, verdict.text()
    assert [each.rule for each in verdict.findings] == [name for name, _ in RULES]


def test_five_contracts_pass_at_an_afternoon_premium() -> None:
    late = view(greeks=greeks(delta=0.2, vega=60.0))
    assert preflight(proposal("5", limit=Decimal("3.50")), late, LIMITS).approved


def test_every_rule_is_judged_though_the_first_fails() -> None:
    closed = replace(controls(), gate=GateState(Gate.CLOSED, "hand", "lunch"))
    verdict = preflight(proposal("30"), view(controls=closed, vix=40.0, feed_score=10), LIMITS)
    assert {"GATE_CLOSED", "VIX_HIGH", "DATA_QUALITY", "CONTRACTS"} <= set(verdict.codes)
    assert len(verdict.findings) == len(RULES)


@pytest.mark.parametrize(
    ("rule", "facts", "code"),
    [
        ("session", {"session_open_ns": None, "session_close_ns": None}, "OUT_OF_SESSION"),
        ("session", {"now_ns": OPEN_NS - 1}, "OUT_OF_SESSION"),
        ("session", {"now_ns": OPEN_NS}, ""),
        ("session", {"now_ns": CLOSE_NS - 1}, ""),
        ("session", {"now_ns": CLOSE_NS}, "OUT_OF_SESSION"),
        ("entry window", {"now_ns": OPEN_NS + 5 * MINUTE - 1}, "OUTSIDE_WINDOW"),
        ("entry window", {"now_ns": OPEN_NS + 5 * MINUTE}, ""),
        ("entry window", {"now_ns": CLOSE_NS - 30 * MINUTE - 1}, ""),
        ("entry window", {"now_ns": CLOSE_NS - 30 * MINUTE}, "OUTSIDE_WINDOW"),
        ("entry window", {"session_open_ns": None}, "OUTSIDE_WINDOW"),
        ("reconciliation", {"reconciled": False}, "NOT_RECONCILED"),
        ("reconciliation", {"storage_ok": False}, "STORAGE_DOWN"),
        ("reconciliation", {"link_up": False}, "LINK_DOWN"),
        ("instrument", {"instrument_enabled": False}, "INSTRUMENT_DISABLED"),
        ("instrument", {"halted": True}, "HALTED"),
        ("option viable", {"greeks": None}, "NOT_VIABLE"),
        ("option viable", {"greeks": greeks(delta=-2.0)}, "NOT_VIABLE"),
        ("option viable", {"greeks": greeks(delta=float("nan"))}, "NOT_VIABLE"),
        ("quote age", {"quote": None}, "NO_QUOTE"),
        ("quote age", {"quote": quote(at_ns=NOON - 5 * SECOND + 1)}, ""),
        ("quote age", {"quote": quote(at_ns=NOON - 5 * SECOND)}, ""),
        ("quote age", {"quote": quote(at_ns=NOON - 5 * SECOND - 1)}, "QUOTE_STALE"),
        ("quote age", {"quote": quote(grade=Grade.DELAYED)}, "QUOTE_STALE"),
        ("quote age", {"quote": quote(grade=Grade.FROZEN)}, "QUOTE_STALE"),
        ("quote sides", {"quote": replace(quote(), bid=None)}, "ONE_SIDED"),
        ("quote sides", {"quote": replace(quote(), ask=None)}, "ONE_SIDED"),
        ("quote sides", {"quote": quote("4.20", "4.20")}, "CROSSED"),
        ("quote sides", {"quote": quote("4.21", "4.20")}, "CROSSED"),
        ("quote sides", {"quote": quote("4.19", "4.20")}, ""),
        ("spread", {"quote": quote("3.90", "4.09")}, ""),
        ("spread", {"quote": quote("3.90", "4.10")}, ""),
        ("spread", {"quote": quote("3.89", "4.10")}, "SPREAD"),
        ("spread", {"quote": None}, "SPREAD"),
        ("feed age", {"feed_age_s": 14.9}, ""),
        ("feed age", {"feed_age_s": 15.0}, ""),
        ("feed age", {"feed_age_s": 15.1}, "FEED_STALE"),
        ("feed mode", {"feed_mode": FeedMode.DELAYED}, "FEED_NOT_LIVE"),
        ("feed mode", {"feed_mode": FeedMode.BACKFILLING}, "FEED_NOT_LIVE"),
        ("data quality", {"feed_score": 69}, "DATA_QUALITY"),
        ("data quality", {"feed_score": 70}, ""),
        ("data quality", {"feed_score": 71}, ""),
        ("VIX ceiling", {"vix": None}, "VIX_UNKNOWN"),
        ("VIX ceiling", {"vix": 34.99}, ""),
        ("VIX ceiling", {"vix": 35.0}, ""),
        ("VIX ceiling", {"vix": 35.01}, "VIX_HIGH"),
        ("gamma", {"greeks": greeks(gamma=0.15)}, ""),
        ("gamma", {"greeks": greeks(gamma=0.1501)}, "GAMMA"),
        ("size against volume", {"avg_volume": 30.0}, ""),
        ("size against volume", {"avg_volume": 29.9}, "VOLUME_SHARE"),
        ("size against volume", {"avg_volume": 30.1}, ""),
        ("size against volume", {"avg_volume": None}, ""),
        ("daily loss", {"day_pnl": Decimal("-499.99")}, ""),
        ("daily loss", {"day_pnl": Decimal("-500.00")}, "DAY_LOSS"),
        ("daily loss", {"day_pnl": Decimal("-500.01")}, "DAY_LOSS"),
        ("monthly loss", {"month_pnl": Decimal("-2099.99")}, ""),
        ("monthly loss", {"month_pnl": Decimal("-2100.00")}, "MONTH_LOSS"),
        ("drawdown", {"equity": Decimal("31500.01")}, ""),
        ("drawdown", {"equity": Decimal("31500.00")}, "DRAWDOWN"),
        ("drawdown", {"equity": Decimal("31499.99")}, "DRAWDOWN"),
        ("orders a minute", {"orders_last_minute": 9}, ""),
        ("orders a minute", {"orders_last_minute": 10}, "ORDERS_MINUTE"),
        ("orders a day", {"orders_today": 49}, ""),
        ("orders a day", {"orders_today": 50}, "ORDERS_DAY"),
        ("open positions", {"held": (held("SPY"), held("ES", 5905))}, ""),
        ("open positions", {"held": (held("SPY"), held("ES", 5905), held("QQQ", 500))}, "MAX_POSITIONS"),
        ("one per instrument", {"held": (held("SPX", 5900),)}, "ONE_PER_INSTRUMENT"),
        ("one per instrument", {"held": (held("SPY", 590),)}, ""),
        ("position size", {"equity": Decimal("25200.00")}, ""),
        ("position size", {"equity": Decimal("25199.99")}, "POSITION_SIZE"),
        ("position size", {"equity": Decimal(0)}, "POSITION_SIZE"),
        ("notional", {"held": (held("SPY", value="31990.00"),)}, ""),
        ("notional", {"held": (held("SPY", value="31990.01"),)}, "NOTIONAL"),
        ("capital at risk", {"held": (held("SPY", value="43700"),)}, ""),
        ("capital at risk", {"held": (held("SPY", value="43700.05"),)}, "CAPITAL_AT_RISK"),
        ("capital at risk", {"held": (held("SPY", value="0", open_risk=Decimal(8740)),)}, ""),
        ("capital at risk", {"held": (held("SPY", value="0", open_risk=Decimal(8741)),)}, "CAPITAL_AT_RISK"),
        ("buying power", {"buying_power": Decimal("1260.00")}, ""),
        ("buying power", {"buying_power": Decimal("1259.99")}, "BUYING_POWER"),
        ("duplicate order", {"working": (Working(call(), Action.BUY),)}, "DUPLICATE"),
        ("duplicate order", {"working": (Working(call(), Action.SELL),)}, ""),
        ("duplicate order", {"working": (Working(call(5945), Action.BUY),)}, ""),
    ],
)  # fmt: skip
def test_a_rule_holds_exactly_at_its_limit(rule: str, facts: dict[str, Any], code: str) -> None:
    found = finding(rule, view(**facts))
    assert (found.code, found.passed) == (code, code == ""), found


@pytest.mark.parametrize(
    ("rule", "change", "code"),
    [
        ("contracts an order", {"qty": Decimal(20)}, ""),
        ("contracts an order", {"qty": Decimal(21)}, "CONTRACTS"),
        ("contracts an order", {"qty": Decimal(1)}, ""),
        ("contracts an order", {"qty": Decimal(0)}, "CONTRACTS"),
        ("contracts an order", {"qty": Decimal("2.5")}, "CONTRACTS"),
        ("confidence", {"confidence": 49}, "LOW_CONFIDENCE"),
        ("confidence", {"confidence": 50}, ""),
        ("confidence", {"confidence": None, "origin": "MANUAL"}, ""),
        ("position size", {"qty": Decimal(4), "limit": Decimal("4.37")}, ""),
        ("position size", {"qty": Decimal(4), "limit": Decimal("4.38")}, "POSITION_SIZE"),
        ("position size", {"limit": None}, ""),
    ],
)  # fmt: skip
def test_a_rule_about_the_order_holds_exactly_at_its_limit(
    rule: str, change: dict[str, Any], code: str
) -> None:
    assert finding(rule, the_proposal=proposal(**change)).code == code


def test_two_percent_is_the_nearer_limit_of_a_small_account() -> None:
    small = controls(baseline=Decimal(20_000))
    assert finding("daily loss", view(controls=small, day_pnl=Decimal("-399.99"))).passed
    assert not finding("daily loss", view(controls=small, day_pnl=Decimal("-400.00"))).passed


def test_unknown_baselines_and_prices_refuse_rather_than_pass() -> None:
    blank = controls(baseline=None, month_baseline=None, peak=None)
    unpriced = view(controls=blank, quote=None)
    verdict = preflight(proposal(limit=None), unpriced, LIMITS)
    assert {
        "DAY_LOSS", "MONTH_LOSS", "DRAWDOWN", "POSITION_SIZE", "NOTIONAL", "CAPITAL_AT_RISK", "BUYING_POWER",
    } <= set(verdict.codes)  # fmt: skip


def test_a_half_day_ends_the_entry_window_half_an_hour_before_its_own_close() -> None:
    early = OPEN_NS + 210 * MINUTE
    assert finding("entry window", view(session_close_ns=early, now_ns=early - 31 * MINUTE)).passed
    assert not finding("entry window", view(session_close_ns=early, now_ns=early - 30 * MINUTE)).passed


def test_an_instrument_may_have_an_entry_window_of_its_own() -> None:
    limits = Limits(windows=(("SPX", EntryWindow(3600, 7200)),))
    verdict = preflight(proposal(), view(now_ns=OPEN_NS + 59 * MINUTE), limits)
    assert "OUTSIDE_WINDOW" in verdict.codes


def test_a_quarantined_symbol_is_refused_and_another_is_not() -> None:
    locked = replace(controls(), quarantined=(("ES", "overfill"),))
    assert finding("quarantine", view(controls=locked)).passed
    locked = replace(locked, quarantined=(("SPX", "overfill"),))
    assert finding("quarantine", view(controls=locked)).code == "QUARANTINED"


def test_cooling_off_ends_at_its_instant() -> None:
    assert finding("cooling-off", view(controls=controls(cooling_until_ns=NOON + 1))).code == "COOLING_OFF"
    assert finding("cooling-off", view(controls=controls(cooling_until_ns=NOON))).passed


def test_a_stock_needs_no_greeks() -> None:
    stock = underlying_contract(INSTRUMENTS["SPY"])
    assert finding("option viable", view(greeks=None), proposal(symbol="SPY", contract=stock)).passed


@pytest.mark.parametrize("gate", [Gate.CLOSED, Gate.REDUCING])
def test_gate_and_kill_refuse_what_opens_and_pass_a_protective_exit(gate: Gate) -> None:
    shut = replace(controls(), gate=GateState(gate, "hand", "x"), kill=KillState(True, True, "hand", "x", 1))
    worst = view(
        controls=shut, quote=None, greeks=None, link_up=False, reconciled=False, vix=None,
        held=(held("SPX", 5940, qty=3),),
    )  # fmt: skip
    exit_order = proposal(action=Action.SELL, opens_risk=False, protective=True, limit=None)
    assert preflight(exit_order, worst, LIMITS).approved
    assert {f"GATE_{gate.value}", "KILL_ON"} <= set(preflight(proposal(), worst, LIMITS).codes)


def test_a_manual_exit_passes_a_reducing_gate_and_not_a_closed_one() -> None:
    exit_order = proposal(action=Action.SELL, opens_risk=False, origin="MANUAL")
    for gate, passes in ((Gate.OPEN, True), (Gate.REDUCING, True), (Gate.CLOSED, False)):
        shut = replace(controls(), gate=GateState(gate, "hand", "x"))
        seen = view(controls=shut, held=(held("SPX", 5940, qty=3),))
        assert preflight(exit_order, seen, LIMITS).approved is passes


def test_an_exit_larger_than_the_position_is_refused() -> None:
    exit_order = proposal("4", action=Action.SELL, opens_risk=False, protective=True)
    assert preflight(exit_order, view(held=(held("SPX", 5940, qty=3),)), LIMITS).codes == ("NOT_REDUCING",)


@pytest.mark.parametrize(
    ("qty", "price", "facts", "fits", "bound"),
    [
        ("3", "4.20", {}, 3, None),
        ("5", "4.20", {"greeks": greeks(delta=0.1, vega=60.0)}, 4, "position size"),
        ("5", "3.50", {"greeks": greeks(vega=60.0)}, 3, "portfolio delta"),
        ("5", "3.50", {"greeks": greeks(delta=0.1)}, 3, "portfolio vega"),
        ("3", "4.20", {"greeks": greeks(theta=-7.0), "held": (held("SPY", theta=-9.0),)}, 2, "portfolio theta"),
        ("3", "17.50", {}, 1, "position size"),
        ("3", "17.55", {}, 0, "position size"),
        ("25", "0.50", {"greeks": greeks(delta=0.02, vega=9.0, theta=-0.5)}, 20, "contracts an order"),
        ("3", "4.20", {"buying_power": Decimal(900)}, 2, "buying power"),
        ("3", "4.20", {"held": (held("SPY", value="32410", open_risk=Decimal(0)),)}, 2, "notional"),
        ("3", "4.20", {"avg_volume": 10.0}, 1, "size against volume"),
        ("0", "4.20", {}, 0, "contracts an order"),
    ],
)  # fmt: skip
def test_fit_finds_the_largest_quantity_that_passes(
    qty: str, price: str, facts: dict[str, Any], fits: int, bound: str | None
) -> None:
    found = fit(proposal(qty, limit=Decimal(price)), view(**facts), LIMITS)
    assert found.qty == fits
    assert (found.bound_by.rule if found.bound_by else None) == bound
    assert found.decision("T1", NOON).verdict == ("pass" if fits else "block")


def test_a_refusal_names_the_rule_its_value_and_its_limit() -> None:
    verdict = preflight(proposal(), view(vix=40.0), LIMITS)
    assert verdict.text() == "VIX ceiling: the VIX is over its ceiling (40.00, limit 35)"
    blocks = [each for each in verdict.decisions("T1", NOON) if each.verdict == "block"]
    assert [(each.value, each.limit, each.trade_id) for each in blocks] == [("40.00", "35", "T1")]
