"""The settings, section by section: every number of the specification with its bounds.

Names carry units: `_s` seconds, `_ms` milliseconds, `_min` minutes, `_usd` dollars, `_pct` percent (2 is 2 %),
`_et` a time of day in New York.
"""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator


def _naive(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("is exchange time: write HH:MM without an offset")
    return value


ExchangeTime = Annotated[time, AfterValidator(_naive)]
Environment = Literal["paper", "live"]
Usd = Annotated[Decimal, Field(gt=0, le=1_000_000_000)]
Pct = Annotated[Decimal, Field(gt=0, le=100)]
Ratio = Annotated[float, Field(gt=0, le=100)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
Score = Annotated[int, Field(ge=0, le=100)]
Gamma = Annotated[float, Field(gt=0, le=10)]


class Section(BaseModel):
    """A group of settings; frozen, and a key nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class StationSection(Section):
    """Who runs."""

    environment: Environment = "paper"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    config_ttl_s: Annotated[int, Field(ge=1, le=5)] = 5
    heartbeat_s: Annotated[int, Field(ge=1, le=300)] = 5


PORTS = {"paper": (7497, 4002), "live": (7496, 4001)}


class BrokerSection(Section):
    """Which broker answers. `port` 0 takes the environment's TWS port; `armed` is needed for live orders."""

    kind: Literal["paper", "replay", "ibkr"] = "paper"
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    client_id: Annotated[int, Field(ge=0, le=999)] = 17
    account: str = ""
    armed: bool = False
    clock: Literal["wall", "broker"] = "wall"
    connect_timeout_s: Annotated[int, Field(ge=1, le=120)] = 10
    query_timeout_s: Annotated[int, Field(ge=1, le=120)] = 10
    heartbeat_timeout_s: Annotated[int, Field(ge=2, le=300)] = 15


class PaperSection(Section):
    """The embedded exchange. `speed` 0 is as fast as it goes; else simulated seconds a second. `rare_halts_pct`
    is the chance that a share stops for five minutes some time in a session, by the seed."""

    account: Annotated[str, Field(pattern=r"^DU\d{5,9}$", description="DU and 5 to 9 digits")] = "DU1000001"
    start_cash_usd: Usd = Decimal(35_000)
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 7
    speed: Annotated[float, Field(ge=0, le=1_000_000)] = 1.0
    history_sessions: Annotated[int, Field(ge=0, le=5_000)] = 1_000
    rare_halts_pct: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(0)


class MarketSection(Section):
    """Feeds, series and their quality (SPEC §2).

    `record` writes what the broker reports to recordings/DATE.jsonl: all but quotes, greeks and depth (enough
    to replay the session), or all. Beside the broker, history comes from `bars_folder` with its
    `factors_folder`, and from a Polygon-style service at `rest_url`; `sources` gives the order by symbol
    (`*`: the others), `second_source` what closed bars are compared with.
    """

    latency_alert_p95_ms: Annotated[int, Field(ge=1, le=60_000)] = 200
    divergence_alert_pct: Annotated[Decimal, Field(gt=0, le=10)] = Decimal("0.1")
    rest_requests_per_s: Annotated[int, Field(ge=1, le=100)] = 5
    clock_skew_alarm_ms: Annotated[int, Field(ge=50, le=60_000)] = 1_000
    clock_skew_block_ms: Annotated[int, Field(ge=50, le=600_000)] = 5_000
    record: Literal["off", "market", "all"] = "off"
    bars_folder: str = ""
    factors_folder: str = ""
    rest_url: Annotated[
        str, Field(pattern=r"^(https?://[^/\s]+.*)?$", description="http:// or https:// address")
    ] = ""
    second_source: Literal["none", "folder", "rest"] = "none"
    sources: dict[str, tuple[Literal["broker", "folder", "rest"], ...]] = {}

    @model_validator(mode="after")
    def _configured(self) -> MarketSection:
        needs = {"folder": ("bars_folder", self.bars_folder), "rest": ("rest_url", self.rest_url)}
        named = {self.second_source: "second_source"} | {
            name: f"sources.{symbol}" for symbol, names in self.sources.items() for name in names
        }
        for name, where in named.items():
            if name in needs and not needs[name][1]:
                raise ValueError(f"{where} names {name}, which needs market.{needs[name][0]}: set it")
        return self

    @model_validator(mode="after")
    def _alarm_before_block(self) -> MarketSection:
        if self.clock_skew_alarm_ms > self.clock_skew_block_ms:
            raise ValueError(
                f"clock_skew_alarm_ms {self.clock_skew_alarm_ms} may not be over "
                f"clock_skew_block_ms {self.clock_skew_block_ms}: alarm first, block later"
            )
        return self


class SignalsSection(Section):
    """The pool, and the caps of the cycle (SPEC §4, §5)."""

    pool_max_age_s: Seconds = 300
    valid_s: Seconds = 900
    strategy_runs_day: Annotated[int, Field(ge=1, le=10_000)] = 100
    signals_per_strategy_day: Annotated[int, Field(ge=1, le=1_000)] = 10
    positions_day: Annotated[int, Field(ge=1, le=1_000)] = 20
    proposal_s: Seconds = 300


class OptionsSection(Section):
    """Contract selection (SPEC §6). Deltas absolute; spread against the mid."""

    delta_call: Annotated[float, Field(ge=0.01, le=0.99)] = 0.30
    delta_put: Annotated[float, Field(ge=0.01, le=0.99)] = 0.25
    ladder_refresh_s: Seconds = 60
    max_spread_pct: Pct = Decimal(5)
    min_volume: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    min_open_interest: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class GammaLimits(Section):
    """Largest gamma a contract, by underlying."""

    SPX: Gamma = 0.15
    ES: Gamma = 0.15
    SPY: Gamma = 0.60
    QQQ: Gamma = 0.60


class EntryWindow(Section):
    """When an instrument may be entered, exchange time."""

    from_et: ExchangeTime = time(9, 35)
    until_et: ExchangeTime = time(15, 30)

    @model_validator(mode="after")
    def _ordered(self) -> EntryWindow:
        if self.from_et >= self.until_et:
            raise ValueError(f"from_et {self.from_et:%H:%M} must be before until_et {self.until_et:%H:%M}")
        return self


class KnownEvent(Section):
    """Something scheduled on an underlying: its day in New York, and what (earnings, split, dividend …)."""

    symbol: Annotated[str, Field(min_length=1)]
    day: date
    what: Annotated[str, Field(min_length=1)] = "earnings"


class RiskSection(Section):
    """Preflight's limits (SPEC §7). `entry_windows` by symbol go before the general one. Loss percents are of
    account equity. `portfolio_delta` in units of the index, `portfolio_vega` dollars per 1.00 of volatility,
    `portfolio_theta_usd_day` the most that time may take in a day, dollars. `known_events` is the calendar
    that `refuse_known_events` goes by, from `event_days` before an event on."""

    entry_window: EntryWindow = EntryWindow()
    entry_windows: dict[str, EntryWindow] = {}
    disabled_instruments: tuple[str, ...] = ()
    quote_stale_s: Seconds = 5
    feed_stale_s: Seconds = 15
    min_quality_score: Score = 70
    max_spread_pct: Pct = Decimal(5)
    max_volume_share_pct: Pct = Decimal(10)
    daily_loss_pct: Pct = Decimal(2)
    daily_loss_usd: Usd = Decimal(500)
    monthly_loss_pct: Pct = Decimal(6)
    drawdown_pct: Pct = Decimal(10)
    vix_ceiling: Ratio = 35.0
    volatility_ceiling_pct: Annotated[Decimal, Field(gt=0, le=500)] = Decimal(50)
    max_positions: Annotated[int, Field(ge=1, le=100)] = 3
    one_per_instrument: bool = True
    portfolio_delta: Annotated[float, Field(gt=0, le=1_000_000)] = 100.0
    portfolio_vega: Annotated[float, Field(gt=0, le=100_000_000)] = 50_000.0
    portfolio_theta_usd_day: Annotated[float, Field(ge=-1_000_000, lt=0)] = -2_000.0
    gamma_per_contract: GammaLimits = GammaLimits()
    position_size_pct: Pct = Decimal(5)
    notional_pct: Annotated[Decimal, Field(gt=0, le=1_000)] = Decimal(95)
    future_margin_pct: Pct = Decimal(10)
    sector_exposure_pct: Pct = Decimal(25)
    beta: Ratio = 2.0
    capital_at_risk_usd: Usd = Decimal(10_000)
    stop_min_pct: Pct = Decimal(1)
    stop_max_pct: Pct = Decimal(15)
    orders_per_day: Annotated[int, Field(ge=1, le=10_000)] = 50
    orders_per_minute: Annotated[int, Field(ge=1, le=1_000)] = 10
    contracts_per_order: Annotated[int, Field(ge=1, le=1_000)] = 20
    leverage: Annotated[Decimal, Field(ge=1, le=10)] = Decimal(4)
    pdt_equity_usd: Usd = Decimal(25_000)
    pdt_day_trades: Annotated[int, Field(ge=1, le=100)] = 3
    account_kind: Literal["margin", "cash"] = "margin"
    refuse_known_events: bool = True
    event_days: Annotated[int, Field(ge=0, le=30)] = 1
    known_events: tuple[KnownEvent, ...] = ()
    min_confidence: Annotated[int, Field(ge=50, le=100)] = 50
    kill_loss_factor: Annotated[Decimal, Field(ge=1, le=10)] = Decimal("1.5")
    open_risk_pct: Pct = Decimal(20)
    var_sigmas: Annotated[float, Field(gt=0, le=10)] = 1.645
    stress_pct: Annotated[Decimal, Field(ge=-100, lt=0)] = Decimal(-30)

    @model_validator(mode="after")
    def _ordered(self) -> RiskSection:
        if self.stop_min_pct > self.stop_max_pct:
            raise ValueError(
                f"stop_min_pct {self.stop_min_pct} may not be over stop_max_pct {self.stop_max_pct}"
            )
        return self


class SafeguardsSection(Section):
    """The trader's own brakes (SPEC §7). `strategy_drawdown_pct` of equity pauses a strategy that sets none;
    with `self_report` a manual entry must say how sure its trader is."""

    cooling_off_losses: Annotated[int, Field(ge=1, le=50)] = 3
    cooling_off_min: Annotated[int, Field(ge=1, le=1_440)] = 30
    manual_overrides_day: Annotated[int, Field(ge=0, le=100)] = 3
    strategy_drawdown_pct: Pct = Decimal(10)
    self_report: bool = False


class ExecutionSection(Section):
    """The one send site (SPEC §8). A walking entry stands `walk_step_s` at each tick; with `what_if` the broker
    is asked for an entry's margin, and no answer within `what_if_timeout_s` denies it."""

    entry_timeout_s: Annotated[int, Field(ge=1, le=3_600)] = 60
    partial_timeout_s: Annotated[int, Field(ge=1, le=3_600)] = 30
    cancel_confirm_ms: Annotated[int, Field(ge=10, le=5_000)] = 100
    replace_window_ms: Annotated[int, Field(ge=10, le=5_000)] = 150
    ack_timeout_s: Annotated[int, Field(ge=1, le=60)] = 5
    walk_step_s: Annotated[int, Field(ge=1, le=600)] = 5
    what_if: bool = True
    what_if_timeout_s: Annotated[int, Field(ge=1, le=60)] = 3
    time_in_force: Literal["DAY"] = "DAY"

    @model_validator(mode="after")
    def _ordered(self) -> ExecutionSection:
        if self.cancel_confirm_ms > self.replace_window_ms:
            raise ValueError(
                f"cancel_confirm_ms {self.cancel_confirm_ms} may not be over "
                f"replace_window_ms {self.replace_window_ms}"
            )
        return self


class ProtectionSection(Section):
    """The six rules (SPEC §10). Percents are of the entry price; `p2_pct` and `p3_pct` only where a strategy
    says so. `trail_pct` 0 is off."""

    target_pct: Annotated[Decimal, Field(gt=0, le=1_000)] = Decimal(23)
    p2_pct: Annotated[Decimal, Field(gt=0, le=1_000)] = Decimal(40)
    p3_pct: Annotated[Decimal, Field(gt=0, le=1_000)] = Decimal(60)
    grace_s: Annotated[int, Field(ge=0, le=86_400)] = 900
    trail_pct: Annotated[Decimal, Field(ge=0, le=99)] = Decimal(0)
    unclosed_alert_s: Seconds = 1_800
    late_before_close_s: Annotated[int, Field(ge=60, le=14_400)] = 1_800
    late_mode: Literal["modify_to_entry", "alert_only", "force_close"] = "modify_to_entry"
    flatten_before_close_s: Annotated[int, Field(ge=60, le=3_600)] = 300
    flat_within_s: Annotated[int, Field(ge=10, le=60)] = 60
    emergency_checks: Annotated[int, Field(ge=1, le=100)] = 8
    check_s: Annotated[int, Field(ge=1, le=60)] = 5
    fast_poll_s: Annotated[int, Field(ge=1, le=60)] = 5
    fast_poll_for_s: Annotated[int, Field(ge=0, le=86_400)] = 600
    slow_poll_s: Annotated[int, Field(ge=1, le=300)] = 30
    stale_after_s: Seconds = 15
    stop_head_start_s: Annotated[int, Field(ge=0, le=60)] = 2
    rapid_shield_pct: Annotated[Decimal, Field(gt=0, le=99)] = Decimal(22)
    day_shield_loss_usd: Usd = Decimal(250)

    @model_validator(mode="after")
    def _ordered(self) -> ProtectionSection:
        if not self.target_pct < self.p2_pct < self.p3_pct:
            raise ValueError(
                f"target_pct {self.target_pct}, p2_pct {self.p2_pct}, p3_pct {self.p3_pct} must rise in order"
            )
        if self.flatten_before_close_s >= self.late_before_close_s:
            raise ValueError(
                f"flatten_before_close_s {self.flatten_before_close_s} must be under "
                f"late_before_close_s {self.late_before_close_s}"
            )
        return self


class WealthSection(Section):
    """Which plan sizes the trades (SPEC §11): the name of a CSV in this directory."""

    plan: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$", description="letters and digits")] = "WM235K"


class JournalSection(Section):
    """What is kept of trades beside the databases: `pictures_kept_days` for pictures at entry and exit, 0 for
    none being taken."""

    pictures_kept_days: Annotated[int, Field(ge=0, le=3_650)] = 90


class AlertsSection(Section):
    """Lanes (SPEC §18). A lane without its secret stays silent and says so in `doctor`."""

    telegram: bool = False
    telegram_chat: str = ""
    telegram_scanner: bool = False
    telegram_scanner_chat: str = ""
    discord: bool = False
    email: bool = False
    email_from: str = ""
    email_to: tuple[str, ...] = ()
    smtp_host: str = ""
    smtp_port: Annotated[int, Field(ge=1, le=65_535)] = 587
    bell: bool = True
    heartbeat_s: Seconds = 300
    retry_limit: Annotated[int, Field(ge=0, le=100)] = 5
    per_minute: Annotated[int, Field(ge=1, le=1_000)] = 20
    dedupe_s: Annotated[int, Field(ge=0, le=86_400)] = 60


class ScheduleSection(Section):
    """When jobs run on an exchange day that closes at 16:00 (SPEC §20)."""

    scans_et: tuple[ExchangeTime, ...] = (time(9, 30), time(12, 0))
    opening_range_et: ExchangeTime = time(9, 35)
    reconcile_et: ExchangeTime = time(16, 0)
    report_et: ExchangeTime = time(17, 0)
    nightly_sync_et: ExchangeTime = time(20, 30)
    hygiene_et: ExchangeTime = time(21, 0)
    reconcile_every_s: Annotated[int, Field(ge=5, le=3_600)] = 60


class SecretsSection(Section):
    """Tokens and passwords: from VIGIL_SECRETS__… or a 0600 .env, nowhere else; never printed."""

    telegram_token: SecretStr = SecretStr("")
    telegram_scanner_token: SecretStr = SecretStr("")
    discord_webhook: SecretStr = SecretStr("")
    smtp_user: SecretStr = SecretStr("")
    smtp_password: SecretStr = SecretStr("")
    rest_key: SecretStr = SecretStr("")
    assistant_key: SecretStr = SecretStr("")
