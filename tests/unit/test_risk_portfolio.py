"""The portfolio's figures against arithmetic done by hand and prices from our own model."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from station.domain.clock import HOUR
from station.domain.instruments import Contract, Right, SecType
from station.pricing import price, year_fraction
from station.risk import EquityFacts, Exposure, Held, Limits, assess, correlation, stressed
from station.risk.book import market_value, net_weights
from station.risk.portfolio import SPOTS_PCT, VOLS_PCT, concentration, exposures, grid, value_at_risk
from tests.unit.risk_cases import NOON, call, held

TABLE = (
    ("NVDA", EquityFacts("technology", 2.0)), ("SPX", EquityFacts("broad", 1.0)),
    ("SPY", EquityFacts("broad", 1.0)),
)  # fmt: skip
LIMITS = Limits(equities=TABLE)
EXPIRY = NOON + 4 * HOUR
YEARS = year_fraction(NOON, EXPIRY)
STEADY = np.array([0.01, -0.01, 0.01, -0.01, 0.01, -0.01])
SIGMA = float(STEADY.std(ddof=1))


def option(qty: int = 2, strike: int = 5940, right: Right = Right.CALL, **more: Any) -> Held:
    contract = replace(call(strike), right=right)
    worth = float(price(5912.0, strike, YEARS, 0.18, right is Right.CALL))
    value = Decimal(repr(worth)) * qty * 100
    position = Held(
        "SPX", contract, Decimal(qty), value, delta=0.3, gamma=0.008, vega=100.0, theta=-6.0, strategy="TREND",
        spot=5912.0, iv=0.18, expiry_ns=EXPIRY,
    )  # fmt: skip
    return replace(position, **more)


def shares(symbol: str, qty: int, spot: float, **more: Any) -> Held:
    contract = Contract(symbol, SecType.STOCK, trading_class=symbol)
    value = Decimal(repr(spot)) * qty
    return replace(Held(symbol, contract, Decimal(qty), value, delta=1.0, spot=spot), **more)


def test_exposure_is_by_underlying_strategy_and_sector_the_largest_first() -> None:
    book = [held("SPX", value="1000", strategy="A"), held("SPY", value="-3000", strategy="B"),
            held("NVDA", value="1000"), held("SPX", 5905, value="500", strategy="B")]  # fmt: skip
    found = assess(book, NOON, Decimal(10_000), None, {}, LIMITS)
    rows = [(each.name, each.value, each.pct) for each in found.by_underlying]
    assert rows == [("SPY", 3000, 30.0), ("SPX", 1500, 15.0), ("NVDA", 1000, 10.0)]
    assert [(each.name, each.value) for each in found.by_strategy] == [("B", 3500), ("A", 1000), ("none", 1000)]
    assert [(each.name, each.value) for each in found.by_sector] == [("broad", 4500), ("technology", 1000)]
    assert (found.positions, found.value) == (4, 5500)
    assert found.open_risk == Decimal("1100.00")
    assert exposures(book, lambda each: each.symbol, Decimal(0))[0].pct is None
    assert exposures(book, lambda each: each.symbol, Decimal(1))[0].pct == 300_000.0


def test_concentration_is_the_largest_share_and_the_sum_of_squares() -> None:
    book = [held("SPX", value="3000"), held("SPY", value="1000")]
    found = assess(book, NOON, Decimal(10_000), None, {}, LIMITS)
    assert (found.largest, found.largest_pct, found.herfindahl) == ("SPX", 75.0, 0.625)
    assert concentration(()) == ("", 0.0, 0.0)
    assert concentration((Exposure("SPX", Decimal("0.5"), None),)) == ("SPX", 100.0, 1.0)


def test_an_empty_book_is_all_zeros() -> None:
    found = assess([], NOON, Decimal(35_000), 5912.0, {}, LIMITS)
    assert (found.positions, found.value, found.var_95, found.stress, found.sigma_pct) == (0, 0, 0, 0, 0.0)
    assert {cell for row in found.grid.pnl for cell in row} == {Decimal("0.00")}
    assert found.correlation.matrix == ()


def test_the_greeks_are_the_sums_of_the_positions() -> None:
    book = [option(), shares("NVDA", 10, 118.24)]
    found = assess(book, NOON, Decimal(35_000), 5912.0, {}, LIMITS)
    assert found.greeks == net_weights(book, NOON, 5912.0, LIMITS)
    assert found.greeks.delta == pytest.approx(60.0 + 10 * 2 * 118.24 / 5912)
    assert found.greeks.gamma == pytest.approx(1.6)
    assert found.greeks.vega == pytest.approx(20_000.0)
    assert found.greeks.theta == pytest.approx(-200.0)


def test_value_at_risk_is_1645_sigma_v() -> None:
    book = [shares("SPY", 100, 500.0)]
    returns = {"SPY": STEADY}
    expected = Decimal(repr(1.645 * SIGMA * 50_000)).quantize(Decimal("0.01"))
    assert value_at_risk(book, returns, LIMITS) == expected
    found = assess(book, NOON, Decimal(35_000), None, returns, LIMITS)
    assert found.var_95 == expected
    assert found.sigma_pct == pytest.approx(SIGMA * 100, rel=1e-5)


def test_value_at_risk_adds_underlyings_by_their_correlation() -> None:
    with_it, against = [shares("SPY", 100, 500.0)], [shares("SPY", 100, 500.0), shares("NVDA", -100, 500.0)]
    both = [*with_it, shares("NVDA", 100, 500.0)]
    alone = value_at_risk(with_it, {"SPY": STEADY}, LIMITS)
    moves = {"SPY": STEADY, "NVDA": STEADY * 2}
    assert value_at_risk(both, moves, LIMITS) == pytest.approx(3 * alone, abs=Decimal("0.02"))
    assert value_at_risk(against, moves, LIMITS) == pytest.approx(alone, abs=Decimal("0.02"))
    opposite = {"SPY": STEADY, "NVDA": -STEADY}
    assert value_at_risk(both, opposite, LIMITS) == 0
    apart = {
        "SPY": np.array([1.0, -1, 1, -1, 0, 0, 0, 0]) / 100,
        "NVDA": np.array([0.0, 0, 0, 0, 1, -1, 1, -1]) / 100,
    }
    one = value_at_risk(with_it, apart, LIMITS)
    assert float(value_at_risk(both, apart, LIMITS)) == pytest.approx(math.sqrt(2) * float(one), rel=1e-5)
    unknown = {"SPY": STEADY, "NVDA": STEADY[:4]}
    assumed = 1.645 * (SIGMA + 0.20 / math.sqrt(252)) * 50_000
    assert float(value_at_risk(both, unknown, LIMITS)) == pytest.approx(assumed, abs=0.006)


def test_without_returns_the_options_own_volatility_stands_in() -> None:
    sold = option(-2)
    expected = 1.645 * 200 * 0.3 * 5912.0 * 0.18 / math.sqrt(252)
    assert float(value_at_risk([sold], {}, LIMITS)) == pytest.approx(expected, rel=1e-6)
    both = [sold, option(-1, iv=0.36), option(-1, iv=None)]
    expected = 1.645 * 400 * 0.3 * 5912.0 * 0.36 / math.sqrt(252)
    assert float(value_at_risk(both, {"SPX": STEADY[:4]}, LIMITS)) == pytest.approx(expected, rel=1e-6)
    assert value_at_risk([sold], {"SPX": STEADY[:5]}, LIMITS) != value_at_risk([sold], {}, LIMITS)
    placeless = option(-2, spot=None, iv=None)
    expected = 1.645 * abs(float(placeless.value)) * 0.20 / math.sqrt(252)
    assert float(value_at_risk([placeless], {}, LIMITS)) == pytest.approx(expected, abs=0.006)


def test_bought_options_cannot_lose_more_than_they_are_worth() -> None:
    book = [option(value=Decimal("500.004"))]
    assert value_at_risk(book, {}, LIMITS) == Decimal("500.00")
    assert value_at_risk([*book, option(-1, strike=5950)], {}, LIMITS) > 1500
    assert value_at_risk([option(0, value=Decimal(0))], {}, LIMITS) == 0


def test_the_stress_reprices_every_option_thirty_percent_down() -> None:
    puts, calls = option(right=Right.PUT, strike=5900), option()
    down = 5912.0 * 0.7
    gain = 200 * (float(price(down, 5900, YEARS, 0.18, False)) - float(price(5912.0, 5900, YEARS, 0.18, False)))
    assert float(stressed([puts], NOON, -30.0, 0.0, LIMITS)) == pytest.approx(gain, abs=0.006)
    assert stressed([calls], NOON, -30.0, 0.0, LIMITS) == -calls.value.quantize(Decimal("0.01"))
    found = assess([puts, calls], NOON, Decimal(35_000), None, {}, LIMITS)
    assert (found.stress_pct, found.stress) == (Decimal(-30), stressed([puts, calls], NOON, -30.0, 0.0, LIMITS))


def test_shares_move_by_their_beta_and_fall_to_nothing_at_the_worst() -> None:
    assert stressed([shares("SPY", 100, 500.0)], NOON, -30.0, 0.0, LIMITS) == -15_000
    assert stressed([shares("NVDA", 100, 500.0)], NOON, -30.0, 0.0, LIMITS) == -30_000
    assert stressed([shares("NVDA", 100, 500.0)], NOON, -60.0, 0.0, LIMITS) == -50_000
    assert stressed([shares("NVDA", -100, 500.0)], NOON, -30.0, 0.0, LIMITS) == 30_000
    assert stressed([shares("SPY", -100, 500.0)], NOON, 120.0, 0.0, LIMITS) == -60_000
    assert stressed([shares("NVDA", -100, 500.0)], NOON, -60.0, 0.0, LIMITS) == 50_000


def test_at_zero_a_put_is_worth_its_strike_and_a_call_nothing() -> None:
    put = option(1, right=Right.PUT, strike=5900)
    assert stressed([put], NOON, -100.0, 0.0, LIMITS) == (590_000 - put.value).quantize(Decimal("0.01"))
    bought = option(1)
    assert stressed([bought], NOON, -100.0, 0.0, LIMITS) == -bought.value.quantize(Decimal("0.01"))


def test_a_position_without_a_volatility_moves_by_its_delta_and_loses_at_most_its_worth() -> None:
    blind = option(iv=None, value=Decimal(1000))
    assert stressed([blind], NOON, 1.0, 0.0, LIMITS) == Decimal("3547.20")
    assert stressed([blind], NOON, -0.1, 0.0, LIMITS) == Decimal("-354.72")
    assert stressed([blind], NOON, -30.0, 0.0, LIMITS) == -1000
    timeless = option(expiry_ns=None, value=Decimal(1000))
    assert stressed([timeless], NOON, 1.0, 50.0, LIMITS) == Decimal("3547.20")
    assert stressed([option(-2, iv=None, value=Decimal(-1000))], NOON, 30.0, 0.0, LIMITS) == Decimal(
        "-106416.00"
    )
    placeless = option(spot=None, value=Decimal(1000))
    assert stressed([placeless], NOON, -10.0, 0.0, LIMITS) == -100
    assert stressed([option(0, iv=None, value=Decimal(0))], NOON, -10.0, 0.0, LIMITS) == 0


def test_the_grid_has_every_spot_under_every_volatility() -> None:
    book = [option(), option(right=Right.PUT, strike=5880)]
    found = grid(book, NOON, LIMITS)
    assert (found.spots_pct, found.vols_pct) == (SPOTS_PCT, VOLS_PCT)
    assert (len(found.pnl), {len(row) for row in found.pnl}) == (len(VOLS_PCT), {len(SPOTS_PCT)})
    for i, vol in enumerate(VOLS_PCT):
        for j, spot in enumerate(SPOTS_PCT):
            assert found.pnl[i][j] == stressed(book, NOON, spot, vol, LIMITS)
    still = found.pnl[VOLS_PCT.index(0.0)]
    assert still[SPOTS_PCT.index(0.0)] == 0
    assert still[0] > still[3] and still[-1] > still[5]
    assert SPOTS_PCT == (-10, -5, -3, -1, 0, 1, 3, 5, 10)
    assert VOLS_PCT == (-50, -25, 0, 25, 50)


def test_volatility_up_helps_what_is_bought() -> None:
    quarter = 200 * float(price(5912.0, 5940, YEARS, 0.225, True)) - float(option().value)
    assert float(stressed([option()], NOON, 0.0, 25.0, LIMITS)) == pytest.approx(quarter, abs=0.006)


def test_correlation_is_of_the_days_that_both_have() -> None:
    longer = np.concatenate([np.array([0.5, -0.5]), STEADY])
    found = correlation(("A", "B", "C", "D", "E"), {"A": STEADY, "B": longer, "C": -STEADY, "D": STEADY[:4],
                                                    "E": np.zeros(6)})  # fmt: skip
    assert found.symbols == ("A", "B", "C", "D", "E")
    assert found.matrix[0][:3] == (1.0, pytest.approx(1.0), pytest.approx(-1.0))
    assert found.matrix[3] == (None, None, None, 1.0, None)
    assert found.matrix[4][0] is None
    assert correlation(("A", "X"), {"A": STEADY}).matrix == ((1.0, None), (None, 1.0))
    five = correlation(("A", "D"), {"A": STEADY, "D": STEADY[:5]}).matrix[0][1]
    assert five == pytest.approx(-1.0, abs=0.5)
    lifted = correlation(("A", "B"), {"A": STEADY + 1.0, "B": STEADY * 3 - 2.0}).matrix[0][1]
    assert lifted == pytest.approx(1.0)


def test_market_value_counts_both_ways() -> None:
    assert market_value([held("SPX", value="100"), held("SPY", value="-40")]) == 140
    assert market_value([]) == 0


def test_equal_exposures_are_in_the_order_of_their_names() -> None:
    book = [held("SPY", value="100"), held("SPX", value="100")]
    assert [each.name for each in exposures(book, lambda each: each.symbol, Decimal(1))] == ["SPX", "SPY"]


def test_a_single_contract_is_bounded_by_its_worth_and_half_a_share_sold_is_not() -> None:
    one = option(1, iv=None, value=Decimal(500))
    assert value_at_risk([one], {}, LIMITS) == 500
    assert stressed([one], NOON, -30.0, 0.0, LIMITS) == -500
    half = replace(shares("SPY", 1, 500.0), qty=Decimal("-0.5"), value=Decimal("-0.01"))
    assert value_at_risk([half], {"SPY": STEADY}, LIMITS) > Decimal("0.01")
    assert stressed([half], NOON, 10.0, 0.0, LIMITS) == -25


def test_an_underlying_that_costs_cents_is_priced_as_any_other() -> None:
    cheap = option(1, right=Right.PUT, strike=1, spot=0.5, iv=0.5)
    assert stressed([cheap], NOON, -50.0, 0.0, LIMITS) == 25


def test_the_stress_leaves_volatility_alone_and_follows_its_limit() -> None:
    mild = replace(LIMITS, stress_pct=Decimal(-1))
    found = assess([option()], NOON, Decimal(35_000), None, {}, mild)
    assert (found.stress_pct, found.stress) == (Decimal(-1), stressed([option()], NOON, -1.0, 0.0, mild))
    assert found.stress != stressed([option()], NOON, -1.0, 1.0, mild)
