"""Rules about the book, the account and the trader, each at its limit and one unit to either side (SPEC §7)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from station.domain.clock import DAY, HOUR
from station.domain.instruments import INSTRUMENTS, Contract, SecType, option_contract, underlying_contract
from station.domain.instruments import Right as OptionRight
from station.domain.orders import Action
from station.risk import (
    OVERRIDABLE,
    RULES,
    ComingEvent,
    Controls,
    EquityFacts,
    Finding,
    Held,
    Limits,
    Proposal,
    RiskView,
    StrategyBook,
    StrategyTerms,
    index_pull,
    open_risk,
    preflight,
    risk_to_stop,
    weights,
)
from tests.unit.risk_cases import EQUITY, NOON, OPEN_NS, call, controls, greeks, held, proposal, quote, view

TABLE = (
    ("COIN", EquityFacts("financials", 3.0)), ("JPM", EquityFacts("financials", 1.0)),
    ("NVDA", EquityFacts("technology", 2.0)), ("SPX", EquityFacts("broad", 1.0)),
    ("SPY", EquityFacts("broad", 1.0)), ("QQQ", EquityFacts("broad", 1.5)),
)  # fmt: skip
LIMITS = Limits(equities=TABLE)
EXPIRY = NOON + 4 * HOUR


def finding(
    rule: str, the_view: RiskView | None = None, the_proposal: Proposal | None = None, limits: Limits = LIMITS
) -> Finding:
    verdict = preflight(the_proposal or proposal(), the_view or view(), limits)
    return next(each for each in verdict.findings if each.rule == rule)


def share(symbol: str) -> Contract:
    return Contract(symbol, SecType.STOCK, trading_class=symbol)


def stock(symbol: str = "NVDA", qty: str = "10", limit: str | None = "100", **more: Any) -> Proposal:
    price = None if limit is None else Decimal(limit)
    return proposal(qty, symbol=symbol, contract=share(symbol), limit=price, **more)


def shares(symbol: str, value: str, qty: int = 1) -> Held:
    return Held(symbol, share(symbol), Decimal(qty), Decimal(value), delta=1.0)


# --- the book's greeks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delta", "other", "code"),
    [
        (0.333, 0.0, ""), (0.3333, 0.0, ""), (0.3334, 0.0, "PORTFOLIO_DELTA"),
        (-0.3334, 0.0, "PORTFOLIO_DELTA"),
        (-0.333, 0.0, ""), (0.1, 0.69, ""), (0.1, 0.70, ""), (0.1, 0.71, "PORTFOLIO_DELTA"),
        (-0.30, 0.80, ""), (-0.10, 1.9, ""), (0.0, 1.9, "PORTFOLIO_DELTA"), (0.01, 1.9, "PORTFOLIO_DELTA"),
    ],
)  # fmt: skip
def test_the_books_delta_stops_at_a_hundred_units_and_a_hedge_passes(
    delta: float, other: float, code: str
) -> None:
    seen = view(greeks=greeks(delta=delta), held=(held("SPY", delta=other),))
    assert finding("portfolio delta", seen).code == code


def test_deltas_are_weighed_by_beta_and_by_what_the_underlying_costs() -> None:
    spy = replace(held("SPY", delta=0.5, qty=2), spot=591.0)
    assert weights(spy, NOON, 5910.0, LIMITS).delta == pytest.approx(10.0)
    assert weights(spy, NOON, None, LIMITS).delta == pytest.approx(100.0)
    assert weights(replace(spy, spot=None), NOON, 5910.0, LIMITS).delta == pytest.approx(100.0)
    assert weights(replace(spy, symbol="QQQ"), NOON, 5910.0, LIMITS).delta == pytest.approx(15.0)
    assert index_pull("SPY", 591.0, 0.0, LIMITS) == 1.0
    assert index_pull("SPY", 591.0, 1.0, LIMITS) == 591.0
    assert weights(replace(spy, gamma=0.1), NOON, 5910.0, LIMITS).gamma == pytest.approx(0.2)


def test_the_proposed_order_is_weighed_the_same_way() -> None:
    seen = view(index_level=5910.0, spot=591.0, greeks=greeks(delta=0.9), held=(held("QQQ", 500, delta=0.2),))
    on_spy = proposal("20", symbol="SPY", contract=call(590, "SPY"), limit=Decimal("0.50"))
    assert finding("portfolio delta", seen, on_spy).value == "+30.0 to +210.0"
    selling = replace(on_spy, action=Action.SELL, qty=Decimal(3))
    assert finding("portfolio delta", seen, selling).value == "+30.0 to +3.0"


@pytest.mark.parametrize(
    ("vega", "other", "code"),
    [
        (166.6, 0.0, ""), (166.7, 0.0, "PORTFOLIO_VEGA"), (-166.7, 0.0, "PORTFOLIO_VEGA"),
        (100.0, 200.0, ""), (100.0, 200.1, "PORTFOLIO_VEGA"), (-10.0, 600.0, ""),
        (0.0, 600.0, "PORTFOLIO_VEGA"),
    ],
)  # fmt: skip
def test_the_books_vega_stops_at_fifty_thousand_dollars(vega: float, other: float, code: str) -> None:
    seen = view(greeks=greeks(vega=vega), held=(held("SPY", vega=other),))
    assert finding("portfolio vega", seen).code == code


@pytest.mark.parametrize(
    ("theta", "other", "code"),
    [
        (-2.0, -13.9, ""), (-2.0, -14.0, ""), (-2.0, -14.1, "PORTFOLIO_THETA"), (0.0, -25.0, "PORTFOLIO_THETA"),
        (0.1, -25.0, ""), (-0.1, -25.0, "PORTFOLIO_THETA"),
    ],
)  # fmt: skip
def test_time_may_take_two_thousand_dollars_a_day_from_the_book(theta: float, other: float, code: str) -> None:
    seen = view(greeks=greeks(theta=theta), held=(held("SPY", value="9000", theta=other),))
    assert finding("portfolio theta", seen).code == code


def test_an_option_loses_to_time_only_until_its_expiry_and_no_more_than_it_is_worth() -> None:
    decaying = held("SPX", 5900, value="1000", theta=-16.0)
    assert weights(decaying, NOON, None, LIMITS).theta == -1000.0
    assert weights(replace(decaying, theta=-8.0), NOON, None, LIMITS).theta == -800.0
    assert weights(replace(decaying, expiry_ns=NOON + 6 * HOUR), NOON, None, LIMITS).theta == -400.0
    assert weights(replace(decaying, expiry_ns=NOON + 2 * DAY, theta=-8.0), NOON, None, LIMITS).theta == -800.0
    assert weights(replace(decaying, expiry_ns=NOON), NOON, None, LIMITS).theta == 0.0
    assert weights(replace(decaying, expiry_ns=NOON - DAY), NOON, None, LIMITS).theta == 0.0
    sold = replace(decaying, qty=Decimal(-1), value=Decimal(-1000))
    assert weights(sold, NOON, None, LIMITS).theta == 1600.0
    cheap = replace(decaying, qty=Decimal(0), theta=-8.0)
    assert weights(cheap, NOON, None, LIMITS).theta == 0.0
    assert weights(replace(decaying, value=Decimal(-1000)), NOON, None, LIMITS).theta == -1000.0


def test_a_morning_trade_of_the_shipped_size_passes_though_its_rate_a_day_is_far_over_the_limit() -> None:
    morning = greeks(theta=-17.0, vega=58.6, delta=0.25)
    seen = view(greeks=morning, expiry_ns=NOON + 6 * HOUR + 900 * 10**9, index_level=6880.0, spot=6880.0)
    found = finding("portfolio theta", seen, proposal("2", limit=Decimal("6.70")))
    assert 17.0 * 200 > 2000
    assert (found.passed, found.value) == (True, "+$0 to -$885")
    assert preflight(proposal("2", limit=Decimal("6.70")), seen, LIMITS).approved


def test_without_greeks_the_books_rules_leave_the_verdict_to_viability() -> None:
    for unusable in (None, greeks(delta=-2.0), greeks(iv=0.0)):
        verdict = preflight(proposal(), view(greeks=unusable), LIMITS)
        assert verdict.codes == ("NOT_VIABLE",)
        told = {each.rule: each for each in verdict.findings}
        for rule in ("portfolio delta", "portfolio vega", "portfolio theta"):
            assert (told[rule].value, told[rule].reason) == (
                "not known",
                "the contract's viability judges instead",
            )


def test_a_share_has_a_delta_of_one() -> None:
    seen = view(greeks=None, index_level=5000.0, spot=100.0)
    assert finding("portfolio delta", seen, stock(qty="2500")).code == ""
    assert finding("portfolio delta", seen, stock(qty="2501")).code == "PORTFOLIO_DELTA"
    assert finding("portfolio vega", seen, stock(qty="2501")).value == "+$0 to +$0"


# --- sector, beta, leverage ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ((shares("NVDA", "7750"),), ""), ((shares("NVDA", "7749.99"),), ""),
        ((shares("NVDA", "7750.01"),), "SECTOR"), ((shares("NVDA", "-7750.01", -1),), "SECTOR"),
        ((shares("JPM", "20000"),), ""), ((shares("SPY", "20000"),), ""),
        ((shares("NVDA", "4000"), shares("NVDA", "3750.01")), "SECTOR"),
    ],
)  # fmt: skip
def test_a_sector_takes_a_quarter_of_equity(others: tuple[Held, ...], code: str) -> None:
    assert finding("sector exposure", view(held=others), stock()).code == code


def test_a_broad_market_is_no_sector_and_what_is_not_listed_is_one_together() -> None:
    crowded = view(held=(shares("SPY", "30000"),))
    broad = finding("sector exposure", crowded, proposal(symbol="SPY"))
    assert (broad.passed, broad.limit) == (True, "25 % of equity")
    unlisted = view(held=(shares("ABCD", "7750.01"),))
    assert finding("sector exposure", unlisted, stock("EFGH")).code == "SECTOR"
    assert finding("sector exposure", view(quote=None), stock(limit=None)).code == "SECTOR"
    assert Limits().facts("SPX").sector == Limits().facts("ES").sector == "broad"
    assert Limits().facts("ABCD") == EquityFacts("unlisted", 1.0)


@pytest.mark.parametrize(
    ("symbol", "others", "code"),
    [
        ("NVDA", (), ""), ("COIN", (), "BETA"), ("COIN", (shares("JPM", "1000"),), ""),
        ("COIN", (shares("JPM", "999"),), "BETA"), ("COIN", (shares("JPM", "1001"),), ""),
        ("JPM", (shares("COIN", "9000"),), ""), ("COIN", (shares("COIN", "9000"),), "BETA"),
        ("COIN", (shares("JPM", "-1000", -1),), ""),
    ],
)  # fmt: skip
def test_the_mean_beta_stops_at_two_and_what_lowers_it_passes(
    symbol: str, others: tuple[Held, ...], code: str
) -> None:
    assert finding("beta", view(held=others), stock(symbol)).code == code


def test_a_beta_needs_a_price_and_its_size_counts_not_its_sign() -> None:
    assert finding("beta", view(quote=None), stock(limit=None)).code == "BETA"
    steep = replace(LIMITS, equities=(("VIX", EquityFacts("volatility", -4.0)),))
    on_vix = stock("VIX")
    assert finding("beta", view(), on_vix, steep).value == "4.00"
    assert finding("beta", view(held=(shares("VIX", "1000"),)), stock("JPM"), steep).value == "2.50"
    assert finding("beta", view(), stock(qty="0"), LIMITS).value == "0.00"


@pytest.mark.parametrize(
    ("value", "code"), [("138999.99", ""), ("139000.00", ""), ("139000.01", "LEVERAGE")]
)  # fmt: skip
def test_shares_may_be_levered_four_times(value: str, code: str) -> None:
    seen = view(held=(shares("JPM", value), held("SPX", value="9000")))
    assert finding("leverage", seen, stock()).code == code


def test_leverage_is_not_asked_of_an_option() -> None:
    found = finding("leverage", view(held=(shares("JPM", "900000"),)))
    assert (found.passed, found.value, found.limit) == (True, "an option", "4 × equity")
    assert finding("leverage", view(quote=None), stock(limit=None)).code == "LEVERAGE"


# --- the account ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "equity", "code"),
    [
        (2, "24999.99", ""), (3, "24999.99", "DAY_TRADES"), (4, "24999.99", "DAY_TRADES"),
        (3, "25000.00", ""), (3, "25000.01", ""), (9, "35000", ""),
    ],
)  # fmt: skip
def test_a_fourth_day_trade_under_25k_is_refused(made: int, equity: str, code: str) -> None:
    assert finding("day trades", view(day_trades=made, equity=Decimal(equity))).code == code


def test_day_trades_are_a_matter_of_margin_accounts_and_not_of_futures() -> None:
    poor = view(day_trades=9, equity=Decimal(1000))
    cash = replace(LIMITS, account_kind="cash")
    assert finding("day trades", poor, limits=cash).passed
    on_es = option_contract(INSTRUMENTS["ES"], "20261120", Decimal(5900), OptionRight.CALL)
    assert finding("day trades", poor, proposal(symbol="ES", contract=on_es)).passed
    future = underlying_contract(INSTRUMENTS["ES"], "20261218")
    assert finding("day trades", poor, proposal(symbol="ES", contract=future)).passed


@pytest.mark.parametrize(
    ("settled", "code"),
    [("1260.00", ""), ("1260.01", ""), ("1259.99", "UNSETTLED"), (None, "UNSETTLED")],
)  # fmt: skip
def test_a_cash_account_pays_with_settled_money(settled: str | None, code: str) -> None:
    cash = replace(LIMITS, account_kind="cash")
    seen = view(settled_cash=None if settled is None else Decimal(settled))
    assert finding("settled funds", seen, limits=cash).code == code
    assert finding("settled funds", seen).passed
    unpriced = view(settled_cash=Decimal(9000), quote=None)
    assert finding("settled funds", unpriced, proposal(limit=None), cash).code == "UNSETTLED"


def event(days: int, day: str = "20261125", symbol: str = "SPX") -> ComingEvent:
    return ComingEvent(symbol, day, "earnings", days)


@pytest.mark.parametrize(
    ("coming", "code"),
    [
        (event(0, "20261120"), "KNOWN_EVENT"), (event(1, "20261121"), "KNOWN_EVENT"),
        (event(2, "20261122"), ""),
        (event(-1, "20261119"), ""), (event(0, "20261120", "NVDA"), ""), (event(5, "20261120"), "KNOWN_EVENT"),
    ],
)  # fmt: skip
def test_an_event_before_the_expiry_or_tomorrow_refuses(coming: ComingEvent, code: str) -> None:
    assert finding("known events", view(events=(event(9), coming))).code == code


def test_an_event_is_named_and_the_rule_can_be_switched_off() -> None:
    seen = view(events=(event(0, "20261120"), event(1, "20261121")))
    assert finding("known events", seen).value == "earnings on 20261120, earnings on 20261121"
    assert finding("known events", seen, limits=replace(LIMITS, refuse_events=False)).passed
    assert finding("known events", view()).value == "none known"
    future = underlying_contract(INSTRUMENTS["ES"], "20261218")
    on_es = proposal(symbol="ES", contract=future)
    assert finding("known events", view(events=(event(9, symbol="ES"),)), on_es).passed


@pytest.mark.parametrize(
    ("stop", "action", "code"),
    [
        ("99", "BUY", ""), ("99.01", "BUY", "STOP_DISTANCE"), ("98.99", "BUY", ""), ("85", "BUY", ""),
        ("84.99", "BUY", "STOP_DISTANCE"), ("85.01", "BUY", ""), ("101", "BUY", "STOP_DISTANCE"),
        ("101", "SELL", ""), ("100.99", "SELL", "STOP_DISTANCE"), ("115", "SELL", ""),
        ("115.01", "SELL", "STOP_DISTANCE"), (None, "BUY", ""),
    ],
)  # fmt: skip
def test_a_shares_stop_is_one_to_fifteen_percent_away(stop: str | None, action: str, code: str) -> None:
    order = stock(stop=None if stop is None else Decimal(stop), action=Action(action))
    assert finding("stop distance", view(), order).code == code


def test_a_stop_is_asked_of_shares_alone_and_needs_a_price() -> None:
    assert finding("stop distance", view(), proposal(stop=Decimal("4.19"))).passed
    unpriced = stock(limit=None, stop=Decimal(90))
    assert finding("stop distance", view(quote=None), unpriced).code == "STOP_DISTANCE"
    assert finding("stop distance", view(), stock(limit="0", stop=Decimal(90))).code == "STOP_DISTANCE"
    assert finding("stop distance", view(quote=quote("99", "100")), unpriced).value == "10.00 %"
    assert finding("stop distance", view(), stock(limit="0.5", stop=Decimal("0.45"))).passed


# --- strategies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pnl", "pct", "code"),
    [
        ("-349.99", "1", ""), ("-350.00", "1", "STRATEGY_DAY_LOSS"), ("-350.01", "1", "STRATEGY_DAY_LOSS"),
        ("-9000", None, ""), ("350", "1", ""), ("-874.99", "2.5", ""), ("-875", "2.5", "STRATEGY_DAY_LOSS"),
    ],
)  # fmt: skip
def test_a_strategy_may_have_a_days_loss_of_its_own(pnl: str, pct: str | None, code: str) -> None:
    terms = StrategyTerms(1, day_loss_pct=None if pct is None else Decimal(pct))
    order = proposal(strategy="TREND", terms=terms)
    assert finding("strategy day loss", view(strategy_pnl=Decimal(pnl)), order).code == code


def test_a_strategys_day_loss_needs_a_baseline_and_a_strategy() -> None:
    terms = StrategyTerms(1, day_loss_pct=Decimal(1))
    blank = view(controls=controls(baseline=None))
    assert finding("strategy day loss", blank, proposal(strategy="T", terms=terms)).code == "STRATEGY_DAY_LOSS"
    assert finding("strategy day loss", blank, proposal(terms=terms)).passed


@pytest.mark.parametrize(
    ("own", "limit", "code"),
    [("2.5", "6.00", "POSITION_SIZE"), ("3.6", "4.20", ""), ("3.59", "4.20", "POSITION_SIZE"),
     (None, "4.20", ""), ("50", "5.84", "POSITION_SIZE"), ("50", "5.83", "")],
)  # fmt: skip
def test_a_strategys_own_position_size_can_only_be_tighter(own: str | None, limit: str, code: str) -> None:
    terms = StrategyTerms(1, position_size_pct=None if own is None else Decimal(own))
    assert finding("position size", None, proposal(terms=terms, limit=Decimal(limit))).code == code


def paused(version: int = 3) -> Controls:
    book = StrategyBook("TREND", version, Decimal(-900), Decimal(100), "fell $1000.00 from its peak")
    return replace(controls(), strategies=(book,))


def test_a_paused_strategy_takes_no_entries_until_its_row_is_edited() -> None:
    order = proposal(strategy="TREND", terms=StrategyTerms(3))
    found = finding("strategy paused", view(controls=paused()), order)
    assert (found.code, found.value) == ("STRATEGY_PAUSED", "-$1,000.00 from its peak")
    assert found.limit == "-$3,500.00 from its peak"
    edited = proposal(strategy="TREND", terms=StrategyTerms(4))
    assert finding("strategy paused", view(controls=paused()), edited).passed
    other = proposal(strategy="OTHER", terms=StrategyTerms(3))
    assert finding("strategy paused", view(controls=paused()), other).passed
    assert finding("strategy paused", view(controls=paused()), proposal(terms=StrategyTerms(3))).passed
    blank = replace(paused(), day=replace(paused().day, baseline=None))
    assert finding("strategy paused", view(controls=blank), order).limit == "unknown"


# --- the trader ----------------------------------------------------------------------------------------


def manual(**more: Any) -> Proposal:
    return proposal(confidence=None, origin="MANUAL", **more)


@pytest.mark.parametrize(("used", "code"), [(0, ""), (2, ""), (3, "OVERRIDES"), (4, "OVERRIDES")])
def test_a_fourth_override_of_a_day_is_refused(used: int, code: str) -> None:
    seen = view(controls=controls(overrides=used))
    assert finding("manual overrides", seen, manual(override=True)).code == code
    assert finding("manual overrides", seen, manual()).passed


def test_only_a_hand_overrides_and_only_advice() -> None:
    late = view(now_ns=OPEN_NS + 1, quote=quote("3.00", "4.10", OPEN_NS + 1), vix=40.0)
    assert set(preflight(manual(), late, LIMITS).codes) == {"OUTSIDE_WINDOW", "SPREAD", "VIX_HIGH"}
    by_hand = preflight(manual(override=True), late, LIMITS)
    assert by_hand.codes == ("VIX_HIGH",)
    told = {each.rule: each for each in by_hand.findings}
    assert told["spread"].reason == "overridden by hand: the spread is too wide"
    machine = preflight(proposal(override=True), late, LIMITS)
    assert set(machine.codes) == {"OUTSIDE_WINDOW", "SPREAD", "VIX_HIGH", "OVERRIDES"}


def test_the_advice_is_among_the_rules_and_no_limit_or_switch_is_advice() -> None:
    names = [name for name, _ in RULES]
    assert set(names) >= OVERRIDABLE
    assert len(set(names)) == len(names)
    assert not OVERRIDABLE & {"market gate", "kill switch", "daily loss", "drawdown", "position size"}


@pytest.mark.parametrize(
    ("said", "asked", "code"),
    [
        (None, False, ""), (None, True, "NO_SELF_REPORT"), (49, True, "LOW_SELF_REPORT"), (50, True, ""),
        (51, True, ""), (49, False, "LOW_SELF_REPORT"), (0, True, "LOW_SELF_REPORT"), (50, False, ""),
    ],
)  # fmt: skip
def test_a_hand_says_how_sure_it_is(said: int | None, asked: bool, code: str) -> None:
    limits = replace(LIMITS, self_report=asked)
    assert finding("self-report", None, manual(self_report=said), limits).code == code
    assert finding("self-report", None, proposal(self_report=said), limits).passed


# --- open risk -----------------------------------------------------------------------------------------


def test_open_risk_runs_to_the_stop_or_is_a_fifth_of_the_value() -> None:
    assert open_risk(held("SPX", value="1000"), LIMITS) == 200
    assert open_risk(held("SPX", value="-1000"), LIMITS) == 200
    assert open_risk(held("SPX", value="1000", open_risk=Decimal(7)), LIMITS) == 7
    assert risk_to_stop(Decimal("4.20"), Decimal("3.20"), Decimal(3), 100) == 300
    assert risk_to_stop(Decimal("3.00"), Decimal("3.20"), Decimal(3), 100) == 0


def test_the_account_of_the_plan_passes_every_rule_with_every_fact_known() -> None:
    seen = view(
        index_level=5912.0, spot=5912.0, expiry_ns=EXPIRY, day_trades=8, settled_cash=EQUITY,
        events=(event(9),), strategy_pnl=Decimal(-100),
        held=(held("SPY", 590, value="225", delta=0.3, spot=591.2),),
    )  # fmt: skip
    order = proposal(strategy="TREND", terms=StrategyTerms(1, Decimal(4), Decimal(1), Decimal(5)))
    verdict = preflight(order, seen, LIMITS)
    assert verdict.approved, verdict.text()


def test_what_a_position_can_lose_to_time_is_bounded_for_the_buyer_alone() -> None:
    one = replace(call(), multiplier=1)
    bought = Held("SPX", one, Decimal(1), Decimal(5), theta=-8.0)
    assert weights(bought, NOON, None, LIMITS).theta == -5.0
    sold = Held("SPX", one, Decimal("-0.5"), Decimal(-5), theta=16.0)
    assert weights(sold, NOON, None, LIMITS).theta == -8.0


def test_an_order_without_a_price_is_not_bounded_by_it() -> None:
    unpriced = view(quote=None, greeks=greeks(theta=-7.0))
    assert finding("portfolio theta", unpriced, proposal(limit=None)).value == "+$0 to -$2,100"


def test_an_option_that_moves_like_its_underlying_is_viable() -> None:
    assert finding("option viable", view(greeks=greeks(delta=1.0))).passed
    assert finding("option viable", view(greeks=greeks(delta=-1.0))).passed
    assert not finding("option viable", view(greeks=greeks(delta=1.001))).passed


def test_a_beta_is_weighed_in_cents_too() -> None:
    assert finding("beta", view(), stock("NVDA", "1", "0.5")).value == "2.00"
