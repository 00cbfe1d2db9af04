"""The limits of SPEC §7, with its defaults; all are settings, per environment."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class EntryWindow:
    """When a new entry may be sent: from `after_open_s` into the session to `before_close_s` from its end
    (09:35–15:30 ET on a full day, and as far from an early close on a half day)."""

    after_open_s: int = 300
    before_close_s: int = 1800


@dataclass(frozen=True, slots=True)
class EquityFacts:
    """What is known of an underlying: its sector, and its beta against the index."""

    sector: str
    beta: float


BROAD: Final = "broad"
"""The sector of a whole market: no sector, so no sector limit holds for it."""
UNLISTED: Final = EquityFacts("unlisted", 1.0)
"""What stands for a symbol that the table does not know."""


@dataclass(frozen=True, slots=True)
class StrategyTerms:
    """A strategy's own limits (SPEC §5), percents of equity; None leaves one to the common limit. They can
    only be tighter than it. `version` is the row they come from."""

    version: int = 0
    position_size_pct: Decimal | None = None
    day_loss_pct: Decimal | None = None
    drawdown_pct: Decimal | None = None


INDEXES: Final = tuple((name, EquityFacts(BROAD, 1.0)) for name in ("ES", "SPX", "SPY"))
"""What every table of underlyings must know."""
OPEN_TERMS: Final = StrategyTerms()
"""No limits of its own."""

GAMMA_CEILINGS: Final = (("ES", 0.15), ("QQQ", 0.60), ("SPX", 0.15), ("SPY", 0.60))


@dataclass(frozen=True, slots=True)
class Limits:
    """Percents are of 100; `_usd` dollars; `_s` seconds.

    Readings the specification leaves open. *Position size* is what the order pays (price × contracts ×
    multiplier) against equity: five percent buys seven contracts at $2.50 from $35,000, or three at $5.80,
    and it meets the wealth ladder exactly at the $500 a contract that the ladder assumes. *Notional* is the
    market value of all that would then be held, against equity. A bought option's whole premium is at risk,
    so *capital at risk* adds the premium to the open risk of what is held.
    A *future* outright is not paid for: it ties up its initial margin, by the broker's word of one contract or
    `future_margin_pct` of its notional without it, and that is what counts as notional and for buying power.
    What it can lose is to its stop, `open_risk_share` of its notional without one, and that is its position
    size and its capital at risk. Leverage counts it at its full notional, like shares.

    Units of the portfolio's greeks, chosen so that the figures mean something for a book of same-day options:
    *delta* is beta-weighted to the index, in units of it (three SPX calls of 0.30 are 90; three SPY calls
    about 8); *vega* is dollars per 1.00 of volatility (three such calls in the morning some $17,000); *theta*
    is what time can take from the book until the same hour tomorrow, dollars: an option loses no longer than
    to its expiry and no more than it is worth. A same-day option's rate a calendar day would be four times
    its premium in the morning and a hundred times in the last hour, and no limit could be set on it.
    *Beta* is the mean beta of what would be held, weighted by market value.
    """

    quote_age_s: float = 5.0
    feed_age_s: float = 15.0
    min_quality: int = 70
    max_spread_pct: Decimal = Decimal(5)
    max_volume_pct: Decimal = Decimal(10)
    day_loss_pct: Decimal = Decimal(2)
    day_loss_usd: Decimal = Decimal(500)
    flatten_factor: Decimal = Decimal("1.5")
    month_loss_pct: Decimal = Decimal(6)
    drawdown_pct: Decimal = Decimal(10)
    vix_ceiling: float = 35.0
    volatility_ceiling_pct: float = 50.0
    max_positions: int = 3
    one_per_instrument: bool = True
    portfolio_delta: float = 100.0
    portfolio_vega: float = 50_000.0
    portfolio_theta: float = -2_000.0
    gamma_ceilings: tuple[tuple[str, float], ...] = GAMMA_CEILINGS
    position_size_pct: Decimal = Decimal(5)
    notional_pct: Decimal = Decimal(95)
    future_margin_pct: Decimal = Decimal(10)
    sector_pct: Decimal = Decimal(25)
    max_beta: float = 2.0
    capital_at_risk_usd: Decimal = Decimal(10_000)
    stop_distance_pct: tuple[Decimal, Decimal] = (Decimal(1), Decimal(15))
    orders_a_day: int = 50
    orders_a_minute: int = 10
    contracts_an_order: int = 20
    leverage: Decimal = Decimal(4)
    day_trades: int = 3
    day_trade_equity_usd: Decimal = Decimal(25_000)
    min_confidence: int = 50
    cooling_losses: int = 3
    cooling_s: int = 1800
    manual_overrides: int = 3
    strategy_drawdown_pct: Decimal = Decimal(10)
    self_report: bool = False
    account_kind: str = "margin"
    refuse_events: bool = True
    event_days: int = 1
    open_risk_share: Decimal = Decimal("0.20")
    var_sigmas: float = 1.645
    stress_pct: Decimal = Decimal(-30)
    equities: tuple[tuple[str, EquityFacts], ...] = INDEXES
    window: EntryWindow = EntryWindow()
    windows: tuple[tuple[str, EntryWindow], ...] = ()

    def window_of(self, symbol: str) -> EntryWindow:
        """The entry window of an instrument: its own, else the common one."""
        return next((window for name, window in self.windows if name == symbol), self.window)

    def day_loss(self, baseline: Decimal) -> Decimal:
        """Dollars of loss at which the day is over: the nearer of the percent of `baseline` (equity at the
        session's start) and the dollar limit."""
        return min(baseline * self.day_loss_pct / 100, self.day_loss_usd)

    def gamma_ceiling(self, symbol: str) -> float | None:
        """The most gamma a unit a contract on `symbol` may carry; None where there is no limit."""
        return next((most for name, most in self.gamma_ceilings if name == symbol), None)

    def facts(self, symbol: str) -> EquityFacts:
        """Sector and beta of an underlying."""
        return next((facts for name, facts in self.equities if name == symbol), UNLISTED)
