"""Settings turned into each room's own values."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

from config.equities import load_equities
from config.sections import EntryWindow as ConfiguredWindow
from config.settings import Settings
from station.desk.manual import HandTerms
from station.execution import ExecutionTerms, SendCaps
from station.options import PickLimits
from station.protection import LateMode, ProtectionSettings
from station.risk import EntryWindow, EquityFacts, Limits
from station.strategy import Caps

_OPEN = time(9, 30)
_CLOSE = time(16, 0)


def limits(settings: Settings) -> Limits:
    """The preflight limits of SPEC §7 as configured."""
    risk, safe = settings.risk, settings.safeguards
    gamma = risk.gamma_per_contract
    return Limits(
        quote_age_s=float(risk.quote_stale_s), feed_age_s=float(risk.feed_stale_s),
        min_quality=risk.min_quality_score, max_spread_pct=risk.max_spread_pct,
        max_volume_pct=risk.max_volume_share_pct, day_loss_pct=risk.daily_loss_pct,
        day_loss_usd=risk.daily_loss_usd, flatten_factor=risk.kill_loss_factor,
        month_loss_pct=risk.monthly_loss_pct, drawdown_pct=risk.drawdown_pct,
        vix_ceiling=risk.vix_ceiling, volatility_ceiling_pct=float(risk.volatility_ceiling_pct),
        max_positions=risk.max_positions, one_per_instrument=risk.one_per_instrument,
        portfolio_delta=risk.portfolio_delta, portfolio_vega=risk.portfolio_vega,
        portfolio_theta=risk.portfolio_theta_usd_day,
        gamma_ceilings=tuple(sorted((name, float(value)) for name, value in gamma.model_dump().items())),
        position_size_pct=risk.position_size_pct, notional_pct=risk.notional_pct,
        future_margin_pct=risk.future_margin_pct, sector_pct=risk.sector_exposure_pct, max_beta=risk.beta,
        capital_at_risk_usd=risk.capital_at_risk_usd,
        stop_distance_pct=(risk.stop_min_pct, risk.stop_max_pct), orders_a_day=risk.orders_per_day,
        orders_a_minute=risk.orders_per_minute, contracts_an_order=risk.contracts_per_order,
        leverage=risk.leverage, day_trades=risk.pdt_day_trades, day_trade_equity_usd=risk.pdt_equity_usd,
        min_confidence=risk.min_confidence, cooling_losses=safe.cooling_off_losses,
        cooling_s=safe.cooling_off_min * 60, manual_overrides=safe.manual_overrides_day,
        strategy_drawdown_pct=safe.strategy_drawdown_pct, self_report=safe.self_report,
        account_kind=risk.account_kind, refuse_events=risk.refuse_known_events, event_days=risk.event_days,
        open_risk_share=risk.open_risk_pct / Decimal(100), var_sigmas=risk.var_sigmas,
        stress_pct=risk.stress_pct, equities=equities(),
        window=_window(risk.entry_window),
        windows=tuple((name, _window(one)) for name, one in sorted(risk.entry_windows.items())),
    )  # fmt: skip


def equities() -> tuple[tuple[str, EquityFacts], ...]:
    """The shipped table of sectors and betas."""
    return tuple((symbol, EquityFacts(sector, beta)) for symbol, sector, beta in load_equities())


def known_events(settings: Settings) -> tuple[tuple[str, date, str], ...]:
    """The calendar of events as configured: (symbol, New York day, what)."""
    return tuple((event.symbol, event.day, event.what) for event in settings.risk.known_events)


def _window(configured: ConfiguredWindow) -> EntryWindow:
    return EntryWindow(
        _seconds_between(_OPEN, configured.from_et), _seconds_between(configured.until_et, _CLOSE)
    )


def protection(settings: Settings) -> ProtectionSettings:
    """The six rules' numbers of SPEC §10 as configured."""
    rules = settings.protection
    return ProtectionSettings(
        target_pct=rules.target_pct, grace_s=rules.grace_s, trail_pct=rules.trail_pct or None,
        unclosed_alert_s=rules.unclosed_alert_s, late_before_close_s=rules.late_before_close_s,
        late_mode=LateMode(rules.late_mode), flatten_before_close_s=rules.flatten_before_close_s,
        flat_within_s=rules.flat_within_s,
        emergency_checks=rules.emergency_checks, check_s=rules.check_s,
        rapid_shield_pct=rules.rapid_shield_pct, stale_after_s=rules.stale_after_s,
        stop_head_start_s=rules.stop_head_start_s,
        fast_poll_s=rules.fast_poll_s, fast_poll_for_s=rules.fast_poll_for_s,
        slow_poll_s=rules.slow_poll_s, ack_timeout_s=settings.execution.ack_timeout_s,
        p2_pct=rules.p2_pct, p3_pct=rules.p3_pct, max_contracts=Decimal(settings.risk.contracts_per_order),
    )  # fmt: skip


def execution(settings: Settings) -> ExecutionTerms:
    """How orders are worked (SPEC §8) as configured."""
    rows = settings.execution
    return ExecutionTerms(
        max_contracts=Decimal(settings.risk.contracts_per_order), walk_step_s=rows.walk_step_s,
        partial_rest_s=rows.partial_timeout_s, ack_timeout_s=rows.ack_timeout_s,
        cancel_confirm_s=rows.cancel_confirm_ms / 1000, what_if=rows.what_if,
        what_if_timeout_s=float(rows.what_if_timeout_s),
    )  # fmt: skip


def hand_terms(settings: Settings) -> HandTerms:
    """What an order of a hand gets where its ticket says nothing."""
    return HandTerms(
        settings.execution.entry_timeout_s, settings.protection.target_pct, settings.wealth.plan
    )  # fmt: skip


def send_caps(settings: Settings) -> SendCaps:
    """The last guard before the wire as configured."""
    return SendCaps(Decimal(settings.risk.contracts_per_order), settings.risk.orders_per_minute)


def pick_limits(settings: Settings) -> PickLimits:
    """What a contract must offer to be picked (SPEC §6)."""
    rows = settings.options
    return PickLimits(
        quote_age_s=float(settings.risk.quote_stale_s), max_spread_pct=rows.max_spread_pct,
        min_volume=rows.min_volume, min_open_interest=rows.min_open_interest, refresh_s=rows.ladder_refresh_s,
    )  # fmt: skip


def caps(settings: Settings) -> Caps:
    """The day's ceilings of SPEC §5."""
    return Caps(settings.signals.strategy_runs_day, settings.signals.positions_day)


def _seconds_between(early: time, late: time) -> int:
    """Seconds from one wall time to a later one of the same day, at least 0."""
    day = datetime(2000, 1, 3)  # noqa: DTZ001 - a difference of two wall times of one day has no zone
    gap = datetime.combine(day, late) - datetime.combine(day, early)
    return max(int(gap.total_seconds()), 0)
