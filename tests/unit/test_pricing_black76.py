"""Black-76 against vollib and against its own derivatives, the smile against arbitrage, time."""

from __future__ import annotations

import warnings
from datetime import date

import numpy as np
import pytest

from station.calendars import at_et, load_calendar
from station.domain.clock import DAY
from station.pricing import (
    TradingTime,
    expiry_instant,
    expiry_vol,
    greeks,
    implied_vol,
    price,
    price_and_greeks,
    smile_vol,
    year_fraction,
)

CASES = [
    (forward, strike, years, vol, flag)
    for forward, strike in (
        (5900.0, 5900.0),
        (5900.0, 5700.0),
        (5900.0, 6000.0),
        (671.4, 668.0),
        (100.0, 140.0),
    )
    for years in (1 / 8760, 0.0007, 0.02, 1.0)
    for vol in (0.08, 0.33, 1.2)
    for flag in "cp"
]


@pytest.mark.parametrize(("forward", "strike", "years", "vol", "flag"), CASES)
def test_prices_and_greeks_are_vollibs(
    forward: float, strike: float, years: float, vol: float, flag: str
) -> None:
    # Imported here: it brings the whole of SciPy, which no other test needs.
    from vollib.black import undiscounted_black
    from vollib.black.greeks.analytical import delta, gamma, theta, vega

    call = flag == "c"
    assert price(forward, strike, years, vol, call) == pytest.approx(
        undiscounted_black(forward, strike, vol, years, flag), rel=1e-9, abs=1e-9
    )
    found = greeks(forward, strike, years, vol, call)
    assert found.delta == pytest.approx(delta(flag, forward, strike, years, 0.0, vol), rel=1e-9, abs=1e-12)
    assert found.gamma == pytest.approx(gamma(flag, forward, strike, years, 0.0, vol), rel=1e-9, abs=1e-12)
    assert found.vega == pytest.approx(vega(flag, forward, strike, years, 0.0, vol) * 100, rel=1e-9, abs=1e-9)
    assert found.theta == pytest.approx(theta(flag, forward, strike, years, 0.0, vol), rel=1e-9, abs=1e-9)


def test_greeks_are_the_slopes_of_the_price_in_the_units_they_claim() -> None:
    forward, strike, years, vol = 5900.0, 5930.0, 0.01, 0.2
    found = greeks(forward, strike, years, vol, True)
    up, mid, down = (float(price(forward + move, strike, years, vol, True)) for move in (0.5, 0.0, -0.5))
    assert found.delta == pytest.approx(up - down, rel=1e-5)
    assert found.gamma == pytest.approx((up - 2 * mid + down) / 0.25, rel=1e-3)
    more = float(price(forward, strike, years, vol + 0.001, True)) - float(
        price(forward, strike, years, vol - 0.001, True)
    )
    assert found.vega == pytest.approx(more / 0.002, rel=1e-5)
    hour = 1 / 24 / 365
    decay = float(price(forward, strike, years - hour, vol, True)) - float(
        price(forward, strike, years + hour, vol, True)
    )
    assert found.theta == pytest.approx(decay * 12, rel=1e-4)


def test_the_fast_path_of_a_chain_is_the_same_to_the_last_bit() -> None:
    strikes = np.arange(5600.0, 6200.0, 5.0)
    calls = np.arange(len(strikes)) % 2 == 0
    years, vol = np.full(len(strikes), 0.0006), np.linspace(0.2, 0.5, len(strikes))
    value, slopes = price_and_greeks(5900.0, strikes, years, vol, calls)
    assert np.array_equal(value, price(5900.0, strikes, years, vol, calls))
    for fast, plain in zip(slopes, greeks(5900.0, strikes, years, vol, calls), strict=True):
        assert np.allclose(fast, plain, rtol=1e-13, atol=1e-13)


def test_nothing_sound_can_be_said_is_nan_and_never_a_warning() -> None:
    nan = float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for bad in ((nan, 1, 1, 1), (1, nan, 1, 1), (1, 1, nan, 1), (1, 1, 1, nan), (-1, 1, 1, 1), (0, 1, 1, 1),
                    (1, 0, 1, 1), (1, 1, -1, 1), (1, 1, 1, -1), (float("inf"), 1, 1, 1)):  # fmt: skip
            assert np.isnan(price(*bad, True))
            assert all(np.isnan(value) for value in greeks(*bad, False))
        for bad in (
            (nan, 1, 1),
            (1, nan, 1),
            (1, 1, nan),
            (-1, 1, 1),
            (1, 0, 1),
            (1, 1, -1),
            (1, 1, float("inf")),
        ):
            assert np.isnan(implied_vol(0.1, *bad, True))
        mixed = price([100.0, nan, 100.0], 100.0, [0.1, 0.1, 0.0], 0.2, [True, True, False])
        assert np.isnan(mixed).tolist() == [False, True, False]


def test_without_time_or_volatility_only_intrinsic_value_is_left() -> None:
    assert price([110.0, 90.0], 100.0, 0.0, 0.2, True).tolist() == [10.0, 0.0]
    assert price([110.0, 90.0], 100.0, 0.5, 0.0, False).tolist() == [0.0, 10.0]
    found = greeks([110.0, 100.0, 90.0], 100.0, 0.0, 0.2, True)
    assert found.delta.tolist() == [1.0, 0.5, 0.0]
    assert greeks([110.0, 100.0, 90.0], 100.0, 0.0, 0.2, False).delta.tolist() == [0.0, -0.5, -1.0]
    assert found.gamma.tolist() == found.vega.tolist() == found.theta.tolist() == [0.0, 0.0, 0.0]


def test_a_quote_without_an_implied_volatility_says_nan() -> None:
    assert np.isnan(implied_vol(10.0, 110.0, 100.0, 0.1, True)), "at intrinsic value"
    assert np.isnan(implied_vol(9.0, 110.0, 100.0, 0.1, True)), "under it"
    assert np.isnan(implied_vol(110.0, 110.0, 100.0, 0.1, True)), "a call as dear as the forward"
    assert np.isnan(implied_vol(100.0, 90.0, 100.0, 0.1, False)), "a put as dear as the strike"
    assert np.isnan(implied_vol(1.0, 100.0, 100.0, 0.0, True)), "no time left"
    assert np.isnan(implied_vol(np.full(3, np.nan), 100.0, 100.0, 0.1, True)).all()


@pytest.mark.parametrize("base", [0.1, 0.33, 0.9])
@pytest.mark.parametrize("years", [1e-5, 0.0007, 0.01])
def test_the_smile_slopes_to_puts_and_leaves_no_butterfly_for_free(base: float, years: float) -> None:
    forward = 5900.0
    strikes = np.arange(4000.0, 8000.0, 5.0)
    vols = smile_vol(forward, strikes, years, base)
    deviation = base * np.sqrt(years)
    left, middle, right = smile_vol(
        forward, forward * np.exp(np.array([-1.5, 0.0, 1.5]) * deviation), years, base
    )
    assert left > right > 0.9 * middle
    assert float(middle) == pytest.approx(base)
    for call in (True, False):
        values = price(forward, strikes, years, vols, call)
        assert (np.diff(values) * (-1 if call else 1) >= -1e-9).all(), "monotone in the strike"
        assert (np.diff(values, 2) >= -1e-7).all(), "convex in the strike"


def test_a_year_has_365_days_and_time_never_runs_below_zero() -> None:
    assert year_fraction(0, 365 * DAY) == 1.0
    assert year_fraction(5, 5) == year_fraction(9, 5) == 0.0


def test_trading_time_counts_sessions_and_nights() -> None:
    calendar = load_calendar()
    day = date(2026, 7, 22)
    open_ns, noon = at_et(day, "09:30"), at_et(day, "12:45")
    today = TradingTime(calendar, open_ns, expiry_instant("20260722", calendar))
    tomorrow = TradingTime(calendar, open_ns, expiry_instant("20260723", calendar))
    assert today.years(open_ns) == pytest.approx(0.75 / 252)
    assert today.years(noon) == pytest.approx(0.375 / 252)
    assert tomorrow.years(noon) == pytest.approx(1.375 / 252)
    assert today.years(at_et(day, "16:00")) == 0.0


def test_a_half_day_expires_at_its_own_close() -> None:
    calendar = load_calendar()
    half = date(2026, 11, 27)
    assert expiry_instant("20261127", calendar) == at_et(half, "13:00")
    span = TradingTime(calendar, at_et(half, "09:30"), at_et(half, "13:00"))
    assert span.years(at_et(half, "09:30")) == pytest.approx(0.75 * 3.5 / 6.5 / 252)


def test_the_calendar_reads_todays_volatility_higher_than_the_vix() -> None:
    open_to_close = 6.5 / 24 / 365
    assert expiry_vol(0.16, 0.75 / 252, open_to_close) == pytest.approx(0.16 * 2.003, rel=1e-3)
    assert expiry_vol(0.16, 0.0, 0.0) == 0.0
