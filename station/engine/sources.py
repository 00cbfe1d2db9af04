"""Where bars come from and how far they are believed, as configured."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from config.settings import Settings
from station.calendars import Calendar
from station.clock import Activity
from station.domain.clock import Clock
from station.market import BarSource, MarketLimits, Sources
from station.market.folder import FolderSource
from station.market.rest import RestAccess, RestSource


def market_limits(settings: Settings) -> MarketLimits:
    """The alarms of SPEC §2 as configured."""
    rows = settings.market
    return MarketLimits(
        latency_p95_ms=float(rows.latency_alert_p95_ms), divergence_pct=float(rows.divergence_alert_pct),
        skew_alarm_ms=float(rows.clock_skew_alarm_ms), skew_block_ms=float(rows.clock_skew_block_ms),
    )  # fmt: skip


def market_sources(
    settings: Settings, clock: Clock, calendar: Calendar, activity: Activity, day: date
) -> Sources:
    """The folder and the service where configured, in the configured order. Nothing is read yet."""
    rows = settings.market
    others: list[BarSource] = []
    if rows.bars_folder:
        factors = Path(rows.factors_folder).expanduser() if rows.factors_folder else None
        folder = Path(rows.bars_folder).expanduser()
        others.append(FolderSource(folder, activity, calendar, factors=factors, as_of=day))
    if rows.rest_url:
        key = settings.secrets.rest_key.get_secret_value()
        access = RestAccess(rows.rest_url, key, rows.rest_requests_per_s)
        others.append(RestSource(access, clock, calendar, activity))
    return Sources(others, rows.sources)
