"""Scanner and strategy rows: what is taken, and the one line that refuses the rest."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from station.domain.errors import BadInput
from station.domain.instruments import Timeframe
from station.domain.specs import ScannerSpec, StrategySpec
from station.domain.specs_parse import (
    parse_scanner,
    parse_strategy,
    spec_row,
)

STRATEGY: dict[str, Any] = {"strategy_id": "TREND", "symbol": "SPX", "call_patterns": ["SPX_*_CALL"]}
SCANNER: dict[str, Any] = {
    "name": "SPX_V3_CALL", "family": "ema_cross", "instrument": "SPX", "timeframe": "5m", "side": "CALL",
}  # fmt: skip


def test_a_short_row_takes_every_default() -> None:
    assert parse_strategy(STRATEGY) == StrategySpec("TREND", "SPX", ("SPX_*_CALL",), ())
    assert parse_scanner(SCANNER) == ScannerSpec("SPX_V3_CALL", "ema_cross", "SPX", Timeframe.M5, "CALL")


def test_a_full_row_comes_back_as_it_went() -> None:
    row = STRATEGY | {
        "put_patterns": ["SPX_*_PUT"], "context_patterns": ["SPX_1HR_*"], "window_s": 120, "veera": ["adx_5m"],
        "target_pct": 23.5, "shield": "rapid_shield", "wealth_plan": "WM2310K", "priority": 3, "enabled": False,
        "hunter": "context_plus_trigger", "version": 4, "autonomy": "propose", "min_confidence": 60,
        "max_signals_day": 5, "entry_policy": "walk", "entry_cap_pct": "1.5", "entry_timeout_s": 30,
        "expiry": "weekly", "delta_call": 0.4, "delta_put": 0.2, "opposite_exit": True, "schedule": "",
        "ladder": "23:0.5, 40:0.3, 60:0.2",
    }  # fmt: skip
    spec = parse_strategy(row)
    assert (spec.target_pct, spec.entry_cap_pct) == (Decimal("23.5"), Decimal("1.5"))
    assert parse_strategy(spec_row(spec)) == spec
    scanner = parse_scanner(SCANNER | {"params": {"slow": 21, "fast": 9}, "cooldown_s": 60, "email": True})
    assert scanner.params == (("fast", 9.0), ("slow", 21.0))
    assert parse_scanner(spec_row(scanner)) == scanner
    assert parse_scanner(spec_row(parse_scanner(SCANNER))).cooldown_s is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"strategy_id": "manual"}, "strategy_id = 'manual' is what trades of no strategy are under"),
        ({"symbol": "DAX"}, "symbol = 'DAX' is not known: use one of SPX, SPY, ES, VIX"),
        ({"target_pct": 0}, "target_pct = 0 must be a number from 0.1 to 1000"),
        ({"target_pct": "lots"}, "target_pct = 'lots' must be a number"),
        ({"target_pct": True}, "target_pct = True must be a number"),
        ({"target_pct": float("nan")}, "target_pct = nan must be a number"),
        ({"window_s": 0}, "window_s = 0 must be a whole number from 1 to 86400"),
        ({"window_s": 1.5}, "window_s = 1.5 must be a whole number"),
        ({"min_confidence": 49}, "min_confidence = 49 must be a whole number from 50 to 100"),
        ({"delta_call": 1.0}, "delta_call = 1.0 must be a number from 0.01 to 0.99"),
        ({"delta_put": float("nan")}, "delta_put = nan must be a number"),
        ({"enabled": "yes"}, "enabled = 'yes' must be true or false"),
        ({"veera": ["adx"]}, "veera = 'adx' is not known"),
        ({"veera": "adx_5m"}, "veera = 'adx_5m' must be a list of texts"),
        ({"call_patterns": []}, "and put_patterns are both empty"),
        ({"call_patterns": [""]}, "call_patterns = '' must be a list of texts"),
        ({"hunter": "context_plus_trigger"}, "context_patterns = None may not be empty"),
        ({"autonomy": "full"}, "use one of observe, propose, auto"),
        ({"ladder": "23:0.5 40:0.4"}, "needs fractions that add up to 1"),
        ({"ladder": "40:0.5 23:0.5"}, "needs percents that rise"),
        ({"ladder": "P1:0.5 40:0.5"}, "needs percents that rise, or P1, P2, P3 throughout"),
        ({"ladder": "P2:0.5 P1:0.5"}, "has a rung 'P2:0.5' that cannot be read"),
        ({"ladder": "23"}, "has a rung '23' that cannot be read"),
        ({"ladder": "1:0.2 2:0.2 3:0.3 4:0.3"}, "has 4 rungs, at most 3"),
        ({"ladder": "23:NaN"}, "needs fractions over 0"),
        ({"ladder": "23:-1 40:2"}, "needs fractions over 0"),
        ({"ladder": [[23, 1]]}, "must be a text"),
        ({"colour": "red"}, "colour = 'red' is no setting of a strategy"),
        ({"strategy_id": "a b"}, "may hold letters, digits"),
    ],
)  # fmt: skip
def test_a_bad_strategy_row_is_refused_by_key_value_and_limit(change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_strategy(STRATEGY | change)
    assert says in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"timeframe": "7m"}, "timeframe = '7m' is not known: use one of 1m, 2m"),
        ({"side": "LONG"}, "use one of CALL, PUT, BOTH"),
        ({"cooldown_s": -1}, "cooldown_s = -1 must be a whole number from 0"),
        ({"params": {"fast": "nine"}}, "params.fast = 'nine' must be a finite number"),
        ({"params": {"fast": True}}, "params.fast = True must be a finite number"),
        ({"params": 5}, "params = 5 must be a table of numbers"),
        ({"name": ""}, "scanner: name = ''"),
        ({"family": None}, "family = None must be a text"),
    ],
)  # fmt: skip
def test_a_bad_scanner_row_is_refused_by_key_value_and_limit(change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_scanner(SCANNER | change)
    assert says in str(refused.value)


def test_a_ladder_names_its_percents_or_leaves_them_to_the_house() -> None:
    stated = parse_strategy(STRATEGY | {"ladder": "23:0.5, 40:0.25 60:0.25"}).ladder
    assert [(rung.pct, rung.fraction) for rung in stated] == [
        (Decimal(23), Decimal("0.5")), (Decimal(40), Decimal("0.25")), (Decimal(60), Decimal("0.25")),
    ]  # fmt: skip
    house = parse_strategy(STRATEGY | {"ladder": "P1:0.5 p2:0.5"})
    assert [rung.pct for rung in house.ladder] == [0, 0]
    assert spec_row(house)["ladder"] == "P1:0.5 P2:0.5"
    assert parse_strategy(spec_row(house)) == house
    assert parse_strategy(STRATEGY | {"ladder": ""}).ladder == ()


def test_good_rows_have_no_complaint_and_other_instruments_may_be_named() -> None:
    parse_strategy(STRATEGY)
    with pytest.raises(BadInput, match="ZZ"):
        parse_scanner(SCANNER | {"instrument": "ZZ"})
    assert parse_scanner(SCANNER | {"instrument": "ZZ"}, ("ZZ",)).instrument == "ZZ"
