"""The shipped rows fit the station's own types, and a bad file says where it is bad."""

from __future__ import annotations

from dataclasses import fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from config import catalogue
from config.catalogue import load_instruments, load_keys, load_scanners, load_strategies, load_switches
from config.files import ConfigError
from config.plans import SHIPPED
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, SecType, enlist, equity
from station.domain.specs import ScannerSpec, StrategySpec, Switches
from station.domain.specs_parse import parse_scanner, parse_strategy
from station.engine.instruments import enlist_configured
from station.scanners import all_families, check
from widgets.actions import ACTIONS, FORBIDDEN
from widgets.keymap import remapped
from widgets.screen_keys import SCREEN_KEYS

FAMILIES = {
    "v3": {"fast": 9, "slow": 21, "trend": 200},
    "macd": {"fast": 12, "slow": 26, "signal": 9},
    "cross_21_200": {"fast": 21, "slow": 200},
    "rsi": {"period": 14, "low": 30, "high": 70},
    "adx": {"period": 14, "level": 25},
    "stochastic_momentum": {"period": 14, "slowing": 3, "signal": 3, "low": 20, "high": 80},
    "momentum": {"long": 20, "short": 5, "signal": 5, "level": 40},
    "fibonacci": {"pivot": 5, "low": 0.382, "high": 0.618},
    "zone_breakout": {"bars": 20, "height": 2, "atr": 14},
    "opening_range": {"range_min": 5, "wait_min": 10, "volume": 1.2},
    "vwap_reversion": {"stretch": 2},
    "trifecta": {"ema": 21, "fast": 12, "slow": 26, "macd_signal": 9, "long": 20, "short": 5},
    "goldback": {},
    "prior_day": {},
}
"""The default parameters of the specification."""

NAMED = {
    "SPX_V3_CALL": ("SPX", "5m", "CALL"), "SPX_V3_PUT": ("SPX", "5m", "PUT"),
    "ES_CALL_V3": ("ES", "5m", "CALL"), "ES_PUT_V3": ("ES", "5m", "PUT"),
    "SPX_10MIN_MACD_UP": ("SPX", "10m", "CALL"), "SPX_10MIN_MACD_DOWN": ("SPX", "10m", "PUT"),
    "SPX_1HR_MACD_UP": ("SPX", "1h", "CALL"), "SPX_1HR_MACD_DOWN": ("SPX", "1h", "PUT"),
    "SPY_21_200_CALL": ("SPY", "5m", "CALL"), "SPY_21_200_PUT": ("SPY", "5m", "PUT"),
    "VIX_21_200_CALL": ("VIX", "5m", "CALL"), "VIX_21_200_PUT": ("VIX", "5m", "PUT"),
    "SPX_FIB_1HR_CALL": ("SPX", "1h", "CALL"), "SPX_FIB_1HR_PUT": ("SPX", "1h", "PUT"),
    "SPX_FIB_10M_CALL": ("SPX", "10m", "CALL"), "SPX_FIB_10M_PUT": ("SPX", "10m", "PUT"),
    "ES_FIB_CALL_1HR": ("ES", "1h", "CALL"), "ES_FIB_PUT_1HR": ("ES", "1h", "PUT"),
    "ES_ZONE_BREAKOUT_CALL": ("ES", "5m", "CALL"), "ES_ZONE_BREAKOUT_PUT": ("ES", "5m", "PUT"),
    "SPX_10MIN_MOMENTUM_UP": ("SPX", "10m", "CALL"), "SPX_10MIN_MOMENTUM_DOWN": ("SPX", "10m", "PUT"),
    "SPX_4HR_STOCHASTIC_MOMENTUM_CALL": ("SPX", "4h", "CALL"),
    "SPX_4HR_STOCHASTIC_MOMENTUM_PUT": ("SPX", "4h", "PUT"),
    "SPX_EMA21_TRIFECTA_CALL": ("SPX", "5m", "CALL"), "SPX_EMA21_TRIFECTA_PUT": ("SPX", "5m", "PUT"),
    "SPX_ADX_5M": ("SPX", "5m", "BOTH"), "ES_ADX_5M": ("ES", "5m", "BOTH"),
    "SPX_15M_RSI_OVERSOLD": ("SPX", "15m", "CALL"),
    "SPX_ZONE_BREAKOUT_CALL": ("SPX", "5m", "CALL"), "SPX_ZONE_BREAKOUT_PUT": ("SPX", "5m", "PUT"),
    "NQ_CALL_V3": ("NQ", "5m", "CALL"), "NQ_PUT_V3": ("NQ", "5m", "PUT"),
    "NQ_1HR_MACD_UP": ("NQ", "1h", "CALL"), "NQ_1HR_MACD_DOWN": ("NQ", "1h", "PUT"),
    "QQQ_CALL_V3": ("QQQ", "5m", "CALL"), "QQQ_PUT_V3": ("QQQ", "5m", "PUT"),
}  # fmt: skip


def columns(kind: type) -> set[str]:
    return {each.name for each in fields(kind)}


def test_rows_have_the_columns_of_the_stations_specs() -> None:
    assert set(catalogue._SCANNER) == columns(ScannerSpec)
    assert set(catalogue._STRATEGY) == columns(StrategySpec)
    assert set(load_switches()) == columns(Switches)


def test_every_shipped_scanner_is_a_good_row_of_a_known_family() -> None:
    rows = load_scanners()
    specs = [parse_scanner(row) for row in rows]
    assert len(specs) >= 80 and len({spec.name for spec in specs}) == len(specs)
    assert {spec.family for spec in specs} == set(FAMILIES) == set(all_families())
    for spec in specs:
        assert spec.instrument in INSTRUMENTS
        filled = all_families()[spec.family].params(spec)
        wanted = FAMILIES[spec.family] | ({"invert": 1} if spec.instrument == "VIX" else {})
        assert {name: filled[name] for name in wanted} == wanted
        check(spec)
        words = set(spec.name.split("_"))
        up, down = words & {"CALL", "UP", "OVERSOLD"}, words & {"PUT", "DOWN", "OVERBOUGHT"}
        assert spec.side == ("CALL" if up else "PUT" if down else "BOTH")


@pytest.mark.parametrize("name", NAMED)
def test_the_catalogue_holds_the_names_of_the_specification(name: str) -> None:
    (spec,) = [parse_scanner(row) for row in load_scanners() if row["name"] == name]
    assert (spec.instrument, spec.timeframe.value, spec.side) == NAMED[name]


def test_scanners_come_in_pairs_that_differ_in_side_alone() -> None:
    specs = [spec for row in load_scanners() if (spec := parse_scanner(row)).side != "BOTH"]
    for call, put in zip(specs[::2], specs[1::2], strict=True):
        assert (call.side, put.side) == ("CALL", "PUT")
        assert (call.family, call.instrument, call.timeframe, call.params) == (
            put.family, put.instrument, put.timeframe, put.params,
        )  # fmt: skip


def test_every_shipped_strategy_is_good_and_its_patterns_meet_scanners_of_their_side() -> None:
    scanners = [parse_scanner(row) for row in load_scanners()]
    strategies = [parse_strategy(row) for row in load_strategies()]
    assert [spec.priority for spec in strategies] == sorted({spec.priority for spec in strategies})
    assert "rapid_shield" in {spec.shield for spec in strategies}
    for spec in strategies:
        assert INSTRUMENTS[spec.symbol].has_options and spec.wealth_plan in SHIPPED
        for side, patterns in (("CALL", spec.call_patterns), ("PUT", spec.put_patterns)):
            for glob in patterns:
                met = [scanner for scanner in scanners if fnmatchcase(scanner.name, glob)]
                assert met and {scanner.side for scanner in met} == {side}, f"{spec.strategy_id}: {glob}"
        for glob in spec.context_patterns:
            assert {scanner.side for scanner in scanners if fnmatchcase(scanner.name, glob)} == {"CALL", "PUT"}


def test_the_configured_equities_join_the_catalogue_once() -> None:
    shipped = [row["symbol"] for row in load_instruments()]
    assert "NVDA" in shipped and not set(shipped) & {"SPX", "SPY", "ES", "VIX", "NQ", "QQQ", "IWM"}
    before = dict(INSTRUMENTS)
    try:
        enlist_configured()
        enlist_configured()
        assert list(INSTRUMENTS) == [*before, *(each for each in shipped if each not in before)]
        nvda = INSTRUMENTS["NVDA"]
        assert (nvda.sec_type, nvda.hours, nvda.option_class) == (SecType.STOCK, Hours.REGULAR, "NVDA")
        row = {"name": "X", "family": "rsi", "instrument": "NVDA", "timeframe": "5m", "side": "CALL"}
        assert parse_scanner(row, INSTRUMENTS).instrument == "NVDA"
        with pytest.raises(BadInput, match="SPX is in the catalogue already, as index on CBOE"):
            enlist([equity("SPX")])
    finally:
        INSTRUMENTS.clear()
        INSTRUMENTS.update(before)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('equity = [\n  { symbol = "nvda" },\n]\n', ":2: equity nvda: symbol must be upper case letters"),
        (
            'equity = [\n  { symbol = "NVDA", strike_step = 0 },\n]\n',
            ":2: equity NVDA: strike_step = 0 must be",
        ),
        ('equity = [\n  { symbol = "NVDA", shares = 5 },\n]\n', ":2: equity NVDA: shares is no setting"),
    ],
)
def test_a_bad_equity_is_named(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "instruments.toml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_instruments(path)
    assert str(caught.value).startswith(f"{path}{words}")


def test_the_shipped_keys_are_the_screens_own_and_leave_out_the_kill_key() -> None:
    movable = [*(one for one in ACTIONS if not one.fixed), *(one for one in SCREEN_KEYS if not one.fixed)]
    assert load_keys() == {one.name: one.keys for one in movable}
    assert remapped(load_keys()) == {}


def test_no_shipped_key_is_one_that_must_stay_free() -> None:
    given = [key for name, value in load_keys().items() for key in value.split(",") if "." not in name]
    assert len(set(given)) == len(given)
    assert not {key.lower() for key in given} & set(catalogue.TAKEN_KEYS)
    assert set(catalogue.TAKEN_KEYS) >= FORBIDDEN


GOOD = '[[scanner]]\nname = "A"\nfamily = "v3"\ninstrument = "SPX"\ntimeframe = "5m"\nside = "CALL"\n'


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (GOOD + "perid = 3\n", 7, "scanner A: perid is no setting"),
        (GOOD + 'params = { fast = "x" }\n', 7, "scanner A: params = {'fast': 'x'} must be a table of numbers"),
        (GOOD + "cooldown_s = 2.5\n", 7, "scanner A: cooldown_s = 2.5 must be a whole number"),
        (GOOD + "cooldown_s = true\n", 7, "scanner A: cooldown_s = True must be a whole number"),
        (GOOD + "enabled = 1\n", 7, "scanner A: enabled = 1 must be true or false"),
        (GOOD + "\n" + GOOD, 9, "name = 'A' is there twice"),
        (GOOD.replace('side = "CALL"\n', ""), 2, "scanner A: side is missing"),
        (GOOD + "[scaner]\n", 7, "scaner is not known"),
        ('[scanner]\nname = "A"\n', 1, "scanner is one table: write [[scanner]]"),
        (GOOD + "fast = \n", 7, "fast: "),
    ],
    ids=lambda value: str(value)[:48],
)
def test_a_bad_scanner_file_names_file_line_and_key(
    tmp_path: Path, content: str, line: int, words: str
) -> None:
    path = tmp_path / "scanners.toml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_scanners(path)
    assert str(caught.value).startswith(f"{path}:{line}: {words}") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("load", "content", "words"),
    [
        (load_strategies, '[[strategy]]\nstrategy_id = "T"\nsymbol = "SPX"\ncall_patterns = "A*"\n',
         ":4: strategy T: call_patterns = 'A*' must be a list of texts"),
        (load_strategies, '[[strategy]]\nstrategy_id = "T"\nsymbol = "SPX"\ncall_patterns = []\n',
         ":2: strategy T: put_patterns is missing"),
        (load_switches, "[switches]\nemail_all = 1\n", ":2: switches: email_all = 1 must be true or false"),
        (load_switches, "switches = 1\n", ":1: switches is no table"),
        (load_keys, '[keys]\nbuy = "b"\nsell = "b"\n', ":3: keys.sell = 'b' already means buy"),
        (load_keys, '[keys]\nbuy = "F12"\n', ":2: keys.buy = 'F12' is the kill switch"),
        (load_keys, '[keys]\nbuy = "ctrl+i"\n', ":2: keys.buy = 'ctrl+i' arrives as tab"),
        (load_keys, "[keys]\nbuy = 1\n", ":2: keys: buy = 1 must be a text"),
        (load_keys, '[keys]\nbuy = "b,f12"\n', ":2: keys.buy = 'f12' is the kill switch"),
        (load_keys, '[keys]\nbuy = ""\n', ":2: keys.buy = '' is no key"),
        (load_keys, "[kees]\n", ":1: table kees is not known"),
    ],
    ids=lambda value: value.__name__ if callable(value) else str(value)[:40],
)  # fmt: skip
def test_every_other_file_complains_likewise(tmp_path: Path, load: Any, content: str, words: str) -> None:
    path = tmp_path / "rows.toml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}{words}") and "\n" not in str(caught.value)
