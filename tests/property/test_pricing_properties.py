"""What holds for every option price: parity, bounds, monotonicity, and the way back to volatility."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from station.pricing import greeks, implied_vol, price, smile_vol

forwards = st.floats(50.0, 8000.0)
moneyness = st.floats(-0.3, 0.3)
spans = st.floats(1e-5, 2.0)
vols = st.floats(0.02, 3.0)
kinds = st.booleans()


@given(forwards, moneyness, spans, vols)
def test_put_call_parity(forward: float, away: float, years: float, vol: float) -> None:
    strike = forward * np.exp(away)
    gap = price(forward, strike, years, vol, True) - price(forward, strike, years, vol, False)
    assert abs(gap - (forward - strike)) < 1e-9 * forward


@given(forwards, moneyness, spans, vols, kinds)
def test_no_negative_time_value_and_never_dearer_than_what_it_can_pay(
    forward: float, away: float, years: float, vol: float, call: bool
) -> None:
    strike = forward * np.exp(away)
    value = price(forward, strike, years, vol, call)
    assert max(forward - strike if call else strike - forward, 0.0) <= value <= (forward if call else strike)


@given(forwards, moneyness, spans, vols, kinds)
def test_more_time_more_volatility_and_a_nearer_strike_never_cost_less(
    forward: float, away: float, years: float, vol: float, call: bool
) -> None:
    strike = forward * np.exp(away)
    value = price(forward, strike, years, vol, call)
    slack = 1e-9 * forward
    assert price(forward, strike, years * 1.1, vol, call) >= value - slack
    assert price(forward, strike, years, vol * 1.1, call) >= value - slack
    assert price(forward, strike * (0.99 if call else 1.01), years, vol, call) >= value - slack


@given(forwards, moneyness, spans, vols, kinds)
def test_greeks_have_their_signs_and_bounds(
    forward: float, away: float, years: float, vol: float, call: bool
) -> None:
    found = greeks(forward, forward * np.exp(away), years, vol, call)
    assert 0.0 <= found.delta <= 1.0 if call else -1.0 <= found.delta <= 0.0
    assert found.gamma >= 0.0
    assert found.vega >= 0.0
    assert found.theta <= 0.0


@given(forwards, st.floats(-3.0, 3.0), spans, vols, kinds)
def test_implied_volatility_finds_the_way_back(
    forward: float, deviations: float, years: float, vol: float, call: bool
) -> None:
    strike = forward * np.exp(deviations * vol * np.sqrt(years))
    value = float(price(forward, strike, years, vol, call))
    back = float(implied_vol(value, forward, strike, years, call))
    intrinsic = max(forward - strike if call else strike - forward, 0.0)
    if value - intrinsic > 1e-8 * forward and value < 0.99 * (forward if call else strike):
        assert abs(float(price(forward, strike, years, back, call)) - value) <= 1e-11 * forward


@given(forwards, st.lists(moneyness, min_size=1, max_size=12), spans, vols)
def test_a_chain_solved_together_is_each_quote_solved_alone(
    forward: float, aways: list[float], years: float, vol: float
) -> None:
    strikes = forward * np.exp(np.array(aways))
    smile = smile_vol(forward, strikes, years, vol)
    quotes = price(forward, strikes, years, smile, False)
    together = implied_vol(quotes, forward, strikes, years, False)
    alone = [float(implied_vol(q, forward, k, years, False)) for q, k in zip(quotes, strikes, strict=True)]
    assert np.allclose(together, alone, rtol=1e-9, equal_nan=True)
