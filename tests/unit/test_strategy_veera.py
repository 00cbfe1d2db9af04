"""The veera table: names, mirroring, the VIX's inverse sense, and unknown data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from station.calendars import load_calendar
from station.clock import VirtualClock
from station.domain.instruments import INSTRUMENTS, Side, Timeframe
from station.domain.specs_parse import VEERA_RULES
from station.market import Market
from station.series import Bars
from station.strategy import RULES, BarColumns, bars_from, judge

RISING = {"spy_ema21_200_5m", "macd_10m", "ema21_slope_5m", "stochastic_10m", "es_ema5_12_10m",
          "nq_ema5_12_10m", "qqq_ema5_12_10m"}  # fmt: skip
VIX = {"vix_ema5_12_5m", "vix_ema21_200_5m"}


def bars(closes: np.ndarray) -> Bars:
    return Bars(np.arange(len(closes)), closes, closes + 0.5, closes - 0.5, closes, np.ones(len(closes)))


def bent(sign: float, count: int = 1_000) -> Bars:
    """A curve that gathers pace, up or down, on which every average lags the right way."""
    steps = np.arange(count) / 100.0
    return bars(1_000.0 + sign * steps**2)


def always(found: BarColumns | None) -> Callable[[str, Timeframe], BarColumns | None]:
    return lambda symbol, timeframe: found


def test_the_table_has_the_rules_that_a_row_may_name_in_their_order() -> None:
    assert tuple(RULES) == VEERA_RULES


@pytest.mark.parametrize("name", sorted(RISING))
def test_a_rising_market_is_for_calls_and_a_falling_one_for_puts(name: str) -> None:
    up, down = always(bent(1)), always(bent(-1))
    assert judge(name, Side.CALL, "SPX", up).passed
    assert judge(name, Side.PUT, "SPX", down).passed
    assert not judge(name, Side.PUT, "SPX", up).passed
    assert not judge(name, Side.CALL, "SPX", down).passed


@pytest.mark.parametrize("name", sorted(VIX))
def test_a_falling_vix_is_for_calls(name: str) -> None:
    assert judge(name, Side.CALL, "SPX", always(bent(-1))).passed
    assert not judge(name, Side.CALL, "SPX", always(bent(1))).passed
    assert judge(name, Side.PUT, "SPX", always(bent(1))).passed


def test_a_strong_trend_suits_either_side_and_a_quiet_market_neither() -> None:
    quiet = bars(1_000.0 + np.tile([0.0, 0.2], 500))
    for side in Side:
        assert judge("adx_5m", side, "SPX", always(bent(1))).passed
        assert not judge("adx_5m", side, "SPX", always(quiet)).passed


@pytest.mark.parametrize("name", VEERA_RULES)
def test_unknown_data_fails_with_its_reason(name: str) -> None:
    for side in Side:
        gone = judge(name, side, "SPX", always(None))
        assert (gone.passed, gone.value) == (False, "unknown")
        cold = judge(name, side, "SPX", always(bent(1, RULES[name].bars - 1)))
        assert not cold.passed
        assert cold.reason.endswith("is warming")
        assert cold.value == f"{RULES[name].bars - 1} bars"


@pytest.mark.parametrize("name", sorted(RISING | VIX))
def test_equal_is_no_answer(name: str) -> None:
    flat = always(bars(np.full(1_000, 1_000.0)))
    for side in Side:
        assert not judge(name, side, "SPX", flat).passed


def test_each_rule_asks_for_its_own_series() -> None:
    asked: list[tuple[str, str]] = []

    def bars_of(symbol: str, timeframe: Timeframe) -> None:
        asked.append((symbol, timeframe.value))

    for name in VEERA_RULES:
        judge(name, Side.CALL, "SPX", bars_of)
    assert asked == [
        ("SPY", "5m"), ("VIX", "5m"), ("SPX", "10m"), ("SPX", "5m"), ("SPX", "5m"), ("VIX", "5m"),
        ("SPX", "10m"), ("ES", "10m"), ("NQ", "10m"), ("QQQ", "10m"),
    ]  # fmt: skip


def test_the_verdict_shows_both_numbers() -> None:
    verdict = judge("es_ema5_12_10m", Side.CALL, "SPX", always(bent(1)))
    assert verdict.reason == "ES 10m: EMA5 > EMA12 holds"
    assert verdict.limit.startswith("> ")
    assert float(verdict.value) > float(verdict.limit[2:])


def test_a_series_the_market_does_not_keep_or_has_not_warmed_is_unknown() -> None:
    calendar = load_calendar()
    market = Market(VirtualClock(0), calendar, {"SPX": INSTRUMENTS["SPX"]}, {"SPX": (Timeframe.M5,)})
    bars_of = bars_from(market)
    for symbol, frame in (("NQ", Timeframe.M10), ("SPX", Timeframe.M10), ("SPX", Timeframe.M5)):
        assert bars_of(symbol, frame) is None
    assert not judge("adx_5m", Side.CALL, "SPX", bars_of).passed
