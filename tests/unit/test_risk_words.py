"""What every rule says: its measured value, its limit and its reason, word for word.

The words are in risk_words.txt; a rule that measures wrongly or names the wrong limit differs from them.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from station.domain.clock import SECOND
from station.domain.instruments import Contract, SecType
from station.domain.market import FeedMode
from station.domain.orders import Action
from station.risk import (
    ComingEvent,
    EquityFacts,
    Gate,
    GateState,
    Held,
    KillState,
    Limits,
    Proposal,
    RiskView,
    StrategyBook,
    StrategyTerms,
    Working,
    preflight,
)
from station.risk.figures import dollars, lasting, signed_dollars, whole_dollars
from tests.unit.risk_cases import CLOSE_NS, NOON, call, controls, greeks, proposal, quote, view

WORDS = Path(__file__).with_name("risk_words.txt")
D = Decimal
NVDA = Contract("NVDA", SecType.STOCK, trading_class="NVDA")
TABLE = Limits(equities=(("NVDA", EquityFacts("technology", 3.0)),))
ROTTEN = replace(
    controls(cooling_until_ns=CLOSE_NS, losses=3, overrides=3), gate=GateState(Gate.CLOSED, "hand", "lunch"),
    kill=KillState(True, False, "shell", "smoke", 1), quarantined=(("NVDA", "overfill"),),
    strategies=(StrategyBook("TREND", 2, D(-900), D(100), "fell $1000.00"),),
)  # fmt: skip
BAD = view(
    controls=ROTTEN, now_ns=CLOSE_NS - 60 * SECOND, reconciled=False, instrument_enabled=False,
    quote=quote("4.20", "4.10", NOON), feed_mode=FeedMode.STALE, feed_age_s=16.25, feed_score=69, vix=40.5,
    equity=D(10_000), buying_power=D(100), day_pnl=D(-600), month_pnl=D(-2200), avg_volume=50.0,
    held=(Held("NVDA", NVDA, D(500), D(50_000), delta=1.0), Held("SPX", call(), D(1), D(100)),
          Held("SPX", call(5945), D(1), D(100))),
    working=(Working(NVDA, Action.BUY),), orders_today=50, orders_last_minute=10, day_trades=3,
    settled_cash=D(5), events=(ComingEvent("NVDA", "20261120", "earnings", 0),), strategy_pnl=D(-400),
)  # fmt: skip
TERMS = StrategyTerms(2, D(1), D(1), D(1))
SHARE = Proposal(
    "NVDA", NVDA, Action.BUY, D(30), D(100), strategy="TREND", confidence=40, stop=D("99.5"), terms=TERMS,
    override=True,
)  # fmt: skip
HAND = replace(
    SHARE, symbol="SPX", contract=call(), limit=D("4.2"), origin="MANUAL", confidence=None, self_report=10
)
STEEP = replace(BAD, greeks=greeks(delta=0.9, vega=900.0, theta=-90.0, gamma=0.2, iv=0.6))
BLIND = replace(
    view(quote=None, greeks=None, vix=None, link_up=False, halted=True, session_open_ns=None, avg_volume=None),
    controls=controls(baseline=None, month_baseline=None, peak=None),
)  # fmt: skip
CASES: dict[str, tuple[Proposal, RiskView, Limits]] = {
    "sound": (proposal(), view(avg_volume=3_000.0), Limits()),
    "wide": (proposal(), view(quote=quote("3.50", "4.10"), day_pnl=D("-99.5"), equity=D(34_000)), Limits()),
    "bad": (SHARE, BAD, TABLE),
    "cash": (SHARE, BAD, replace(TABLE, account_kind="cash")),
    "hand": (HAND, STEEP, Limits(self_report=True)),
    "blind": (proposal(limit=None, stop=D(1)), BLIND, Limits(account_kind="cash", one_per_instrument=False)),
    "blind share": (replace(SHARE, limit=None, strategy=""), BLIND, TABLE),
    "no vix": (proposal(), view(vix_watched=False, controls=replace(controls(), gate=GateState(Gate.REDUCING))),
               Limits(refuse_events=False)),
    "exit": (proposal("4", action=Action.SELL, opens_risk=False), BAD, Limits()),
}  # fmt: skip


def said(name: str) -> list[str]:
    order, seen, limits = CASES[name]
    return [
        " | ".join((name, each.rule, each.code or "pass", each.value, each.limit, each.reason))
        for each in preflight(order, seen, limits).findings
    ]


@pytest.mark.parametrize("name", CASES)
def test_every_rule_says_what_it_measured_against_which_limit_and_why(name: str) -> None:
    kept = [line for line in WORDS.read_text().splitlines() if line.startswith(f"{name} | ")]
    assert said(name) == kept


def test_figures_are_written_as_a_trader_reads_them() -> None:
    cents = [dollars(D(text)) for text in ("-100.8", "0", "-0.00", "12345.675")]
    assert cents == ["-$100.80", "$0.00", "$0.00", "$12,345.68"]
    limits = [whole_dollars(D(text)) for text in ("10000", "-2000.0", "25000.50")]
    assert limits == ["$10,000", "-$2,000", "$25,000.50"]
    assert [signed_dollars(value) for value in (0.0, -884.6, 12630.0)] == ["+$0", "-$885", "+$12,630"]
    assert [lasting(value) for value in (0.0, 95.4, 150, 300, 12_630)] == [
        "0 s",
        "95 s",
        "2m 30s",
        "5m",
        "3h 30m",
    ]
