"""The shipped limits are those of the specification, and the settings reach every one of them."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from config.equities import load_equities
from config.files import ConfigError
from config.settings import load_settings
from station.domain.market import FeedMode
from station.domain.orders import Action
from station.engine import mapping
from station.risk import Controls, EntryWindow, EquityFacts, Held, Limits, Proposal, RiskView, StrategyTerms
from station.risk.limits import INDEXES, OPEN_TERMS
from tests.unit.risk_cases import call

D = Decimal
DEFAULTS: dict[str, Any] = {
    "quote_age_s": 5.0, "feed_age_s": 15.0, "min_quality": 70, "max_spread_pct": D(5), "max_volume_pct": D(10),
    "day_loss_pct": D(2), "day_loss_usd": D(500), "flatten_factor": D("1.5"), "month_loss_pct": D(6),
    "drawdown_pct": D(10), "vix_ceiling": 35.0, "volatility_ceiling_pct": 50.0, "max_positions": 3,
    "one_per_instrument": True, "portfolio_delta": 100.0, "portfolio_vega": 50_000.0,
    "portfolio_theta": -2_000.0,
    "gamma_ceilings": (("ES", 0.15), ("QQQ", 0.60), ("SPX", 0.15), ("SPY", 0.60)),
    "position_size_pct": D(5), "notional_pct": D(95), "sector_pct": D(25), "max_beta": 2.0,
    "future_margin_pct": D(10),
    "capital_at_risk_usd": D(10_000), "stop_distance_pct": (D(1), D(15)), "orders_a_day": 50,
    "orders_a_minute": 10, "contracts_an_order": 20, "leverage": D(4), "day_trades": 3,
    "day_trade_equity_usd": D(25_000), "min_confidence": 50, "cooling_losses": 3, "cooling_s": 1800,
    "manual_overrides": 3, "strategy_drawdown_pct": D(10), "self_report": False, "account_kind": "margin",
    "refuse_events": True, "event_days": 1, "open_risk_share": D("0.20"), "var_sigmas": 1.645,
    "stress_pct": D(-30), "equities": INDEXES, "window": EntryWindow(300, 1800), "windows": (),
}  # fmt: skip


def test_the_defaults_are_those_of_the_specification() -> None:
    assert {each.name: getattr(Limits(), each.name) for each in fields(Limits)} == DEFAULTS
    broad = EquityFacts("broad", 1.0)
    assert (("ES", broad), ("SPX", broad), ("SPY", broad)) == INDEXES
    assert StrategyTerms(0, None, None, None) == OPEN_TERMS


def test_the_shipped_settings_are_the_same_limits() -> None:
    shipped = mapping.limits(load_settings(environ={}))
    differing = {name for name in DEFAULTS if getattr(shipped, name) != DEFAULTS[name]}
    assert differing <= {"equities", "gamma_ceilings"}
    assert set(DEFAULTS["gamma_ceilings"]) <= set(shipped.gamma_ceilings)
    assert set(INDEXES) <= set(shipped.equities)


@pytest.mark.parametrize(
    ("setting", "value", "name", "limit"),
    [
        ("risk.portfolio_delta", 50, "portfolio_delta", 50.0),
        ("risk.portfolio_vega", 9, "portfolio_vega", 9.0),
        ("risk.portfolio_theta_usd_day", -7, "portfolio_theta", -7.0),
        ("risk.beta", 1, "max_beta", 1.0),
        ("risk.sector_exposure_pct", 10, "sector_pct", D(10)),
        ("risk.future_margin_pct", 7, "future_margin_pct", D(7)),
        ("risk.leverage", 2, "leverage", D(2)),
        ("risk.account_kind", "cash", "account_kind", "cash"),
        ("risk.event_days", 3, "event_days", 3),
        ("risk.refuse_known_events", False, "refuse_events", False),
        ("risk.pdt_day_trades", 1, "day_trades", 1),
        ("risk.pdt_equity_usd", 1, "day_trade_equity_usd", D(1)),
        ("risk.stress_pct", -20, "stress_pct", D(-20)),
        ("risk.var_sigmas", 2.33, "var_sigmas", 2.33),
        ("safeguards.self_report", True, "self_report", True),
        ("safeguards.strategy_drawdown_pct", 4, "strategy_drawdown_pct", D(4)),
        ("risk.open_risk_pct", 30, "open_risk_share", D("0.3")),
        ("risk.stop_min_pct", 2, "stop_distance_pct", (D(2), D(15))),
    ],
)  # fmt: skip
def test_a_setting_reaches_its_limit(setting: str, value: object, name: str, limit: object) -> None:
    assert getattr(mapping.limits(load_settings({setting: value}, environ={})), name) == limit


def test_a_limit_is_looked_up_by_symbol() -> None:
    limits = Limits(windows=(("ES", EntryWindow(0, 60)),))
    assert limits.gamma_ceiling("SPY") == 0.60
    assert limits.gamma_ceiling("IWM") is None
    assert (limits.window_of("ES"), limits.window_of("SPX")) == (EntryWindow(0, 60), EntryWindow())
    assert limits.day_loss(D(20_000)) == 400
    assert limits.day_loss(D(35_000)) == 500


def test_the_calendar_of_events_is_a_setting() -> None:
    row = {"symbol": "NVDA", "day": "2026-11-25"}
    settings = load_settings({"risk.known_events": [row]}, environ={})
    assert mapping.known_events(settings) == (("NVDA", date(2026, 11, 25), "earnings"),)
    assert mapping.known_events(load_settings(environ={})) == ()


def test_the_shipped_table_knows_the_indexes_and_the_large_names() -> None:
    table = {symbol: (sector, beta) for symbol, sector, beta in load_equities()}
    assert table["SPX"] == table["SPY"] == table["ES"] == ("broad", 1.0)
    assert table["NVDA"][0] == "technology"
    assert {"QQQ", "IWM", "SOFI", "TSLA"} <= set(table)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[ABC]\nsector = "x"', "must be a table of sector and beta"),
        ("ABC = 1", "must be a table of sector and beta"),
        ('[ABC]\nsector = ""\nbeta = 1', "sector = '' must be a text"),
        ("[ABC]\nsector = 3\nbeta = 1", "sector = 3 must be a text"),
        ('[ABC]\nsector = "x"\nbeta = true', "beta = True must be a number"),
        ('[ABC]\nsector = "x"\nbeta = nan', "beta = nan must be a number"),
        ('[ABC]\nsector = "x"\nbeta = 20.1', "beta = 20.1 must be a number from -20 to 20"),
        ('[ABC]\nsector = "x"\nbeta = "2"', "beta = '2' must be a number"),
    ],
)  # fmt: skip
def test_a_bad_row_of_the_table_is_one_line(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "equities.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_equities(file)
    assert says in str(refused.value) and f"{file}:1: ABC" in str(refused.value)


def unset(kind: type, *given: object) -> dict[str, object]:
    value = kind(*given)
    return {each.name: getattr(value, each.name) for each in fields(kind)[len(given) :]}


def test_what_is_not_measured_is_not_there() -> None:
    assert unset(RiskView, 7, Controls()) == {
        "session_open_ns": None, "session_close_ns": None, "link_up": True, "reconciled": True,
        "storage_ok": True,
        "instrument_enabled": True, "halted": False, "quote": None, "greeks": None, "feed_mode": FeedMode.LIVE,
        "feed_age_s": 0.0, "feed_score": 100, "vix": None, "vix_watched": True, "avg_volume": None,
        "equity": 0, "buying_power": 0, "day_pnl": 0, "month_pnl": 0, "held": (), "working": (),
        "orders_today": 0, "orders_last_minute": 0, "index_level": None, "spot": None, "expiry_ns": None,
        "day_trades": 0, "settled_cash": None, "events": (), "strategy_pnl": 0,
        "future_margins": (),
    }  # fmt: skip
    assert unset(Held, "SPX", call(), D(1), D(100)) == {
        "open_risk": None, "delta": 0.0, "gamma": 0.0, "vega": 0.0, "theta": 0.0, "strategy": "", "spot": None,
        "iv": None, "expiry_ns": None,
    }  # fmt: skip
    assert unset(Proposal, "SPX", call(), Action.BUY, D(1)) == {
        "limit": None, "opens_risk": True, "protective": False, "origin": "STRATEGY", "strategy": "",
        "confidence": None, "stop": None, "terms": OPEN_TERMS, "override": False, "self_report": None,
    }  # fmt: skip
