"""Which edits let a station do more than it was allowed: in live trading they need a typed word."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from station.domain.errors import Refused
from station.domain.specs_parse import AUTONOMY

LOOSEN_WORD: Final = "LOOSEN"
LIVE: Final = "live"
_RISK_UP: Final = (
    "quote_stale_s", "feed_stale_s", "max_spread_pct", "max_volume_share_pct", "daily_loss_pct",
    "daily_loss_usd", "monthly_loss_pct", "drawdown_pct", "vix_ceiling", "volatility_ceiling_pct",
    "max_positions", "portfolio_delta", "portfolio_vega", "position_size_pct", "notional_pct",
    "sector_exposure_pct", "beta", "capital_at_risk_usd", "stop_max_pct", "orders_per_day",
    "orders_per_minute", "contracts_per_order", "leverage", "pdt_day_trades", "kill_loss_factor",
    "entry_window.until_et", "gamma_per_contract.SPX", "gamma_per_contract.ES", "gamma_per_contract.SPY",
    "gamma_per_contract.QQQ",
)  # fmt: skip
_RISK_DOWN: Final = (
    "min_quality_score", "portfolio_theta_usd_day", "future_margin_pct", "stop_min_pct", "pdt_equity_usd",
    "event_days", "min_confidence", "entry_window.from_et", "open_risk_pct",
)  # fmt: skip
UP: Final = frozenset(
    {
        *(f"risk.{name}" for name in _RISK_UP), "safeguards.cooling_off_losses",
        "safeguards.manual_overrides_day", "safeguards.strategy_drawdown_pct", "signals.strategy_runs_day",
        "signals.signals_per_strategy_day", "signals.positions_day", "options.max_spread_pct",
        "protection.rapid_shield_pct", "protection.day_shield_loss_usd", "protection.emergency_checks",
        "protection.stale_after_s", "protection.stop_head_start_s", "market.clock_skew_block_ms",
        "signals.pool_max_age_s", "signals.valid_s",
    }
)  # fmt: skip
"""Settings that allow more the larger they are."""
DOWN: Final = frozenset(
    {
        *(f"risk.{name}" for name in _RISK_DOWN), "safeguards.cooling_off_min", "options.min_volume",
        "options.min_open_interest", "protection.late_before_close_s", "protection.flatten_before_close_s",
    }
)  # fmt: skip
"""Settings that allow more the smaller they are."""
GUARDS: Final = frozenset(
    {"risk.one_per_instrument", "risk.refuse_known_events", "safeguards.self_report", "execution.what_if"}
)
"""Settings that allow more when they are off."""
OTHERS: Final = frozenset(
    {
        "risk.entry_windows",
        "risk.disabled_instruments",
        "risk.known_events",
        "risk.account_kind",
        "protection.late_mode",
        "protection.trail_pct",
    }
)
"""Settings that cannot be compared: any change may allow more."""

_OPEN_AT_ZERO: Final = ("position_size_pct", "day_loss_pct", "drawdown_pct", "stop_pct")


def loosens(key: str, before: Any, after: Any) -> bool:
    """Whether a setting allows more than it did."""
    if before == after:
        return False
    if key in UP:
        return bool(after > before)
    if key in DOWN:
        return bool(after < before)
    return key in OTHERS or (key in GUARDS and not after)


def field_loosens(name: str, before: Any, after: Any) -> bool:
    """The same of a strategy's field, as its row holds it; a limit of 0 is none."""
    if before == after:
        return False
    if name in _OPEN_AT_ZERO:
        was, now = Decimal(str(before or 0)), Decimal(str(after or 0))
        return was > 0 and (now == 0 or now > was)
    if name == "max_signals_day":
        return int(after) > int(before)
    if name == "min_confidence":
        return int(after) < int(before)
    if name == "shield":
        return before != "none"
    return name == "autonomy" and AUTONOMY.index(after) > AUTONOMY.index(before)


def require_word(environment: str, what: str, word: str) -> None:
    """Raises Refused where an edit that loosens is made in live trading without its word."""
    if environment == LIVE and word != LOOSEN_WORD:
        raise Refused("LOOSENS", f"{what} loosens a limit, and this is LIVE: type {LOOSEN_WORD} to mean it")


def field_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields of a strategy's row that a change loosens."""
    names = (*_OPEN_AT_ZERO, "max_signals_day", "min_confidence", "shield", "autonomy")
    return tuple(name for name in names if field_loosens(name, before.get(name), after.get(name)))
