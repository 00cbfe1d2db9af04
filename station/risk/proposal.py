"""What preflight judges: the proposed order, and everything measured that the rules look at."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from station.domain.instruments import Contract
from station.domain.market import FeedMode, Greeks, Quote
from station.domain.orders import Action
from station.risk.controls import Controls
from station.risk.limits import OPEN_TERMS, StrategyTerms

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A sized order before it is sent. `limit` is its limit price, None for a market order.

    `opens_risk` is False for whatever can only shrink exposure; `protective` marks those of them that
    protection or the kill switch's flatten asks for, which pass every gate. `confidence` is None for a
    manual order. `origin` is STRATEGY, MANUAL or ADOPTED. `stop` is the price of its stop, None where none is
    set. A manual order may ask to `override` the advice among the rules, and carry the trader's
    `self_report` of confidence, 0–100.
    """

    symbol: str
    contract: Contract
    action: Action
    qty: Decimal
    limit: Decimal | None = None
    opens_risk: bool = True
    protective: bool = False
    origin: str = "STRATEGY"
    strategy: str = ""
    confidence: int | None = None
    stop: Decimal | None = None
    terms: StrategyTerms = OPEN_TERMS
    override: bool = False
    self_report: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A position or a working entry, as risk sees it, ours or foreign. `qty` signed; `value` dollars of
    market value (of its limit for a working entry); `open_risk` dollars to its stop, None where it has none.
    Greeks are a unit, as `domain.market.Greeks` has them (a share's delta is 1). `spot` is the underlying's
    price, `iv` the contract's volatility a year, `expiry_ns` when it ends; None where not known."""

    symbol: str
    contract: Contract
    qty: Decimal
    value: Decimal
    open_risk: Decimal | None = None
    delta: float = 0.0
    gamma: float = 0.0
    vega: float = 0.0
    theta: float = 0.0
    strategy: str = ""
    spot: float | None = None
    iv: float | None = None
    expiry_ns: int | None = None


@dataclass(frozen=True, slots=True)
class ComingEvent:
    """Earnings or a corporate action that is known: New York day `YYYYMMDD`, and `days` from today to it
    (0 today)."""

    symbol: str
    day: str
    what: str
    days: int


@dataclass(frozen=True, slots=True)
class Working:
    """A working order of any origin."""

    contract: Contract
    action: Action
    opens_risk: bool = True


@dataclass(frozen=True, slots=True)
class RiskView:
    """The station at one instant. What could not be measured is None, and a rule that needs it says so.

    `session_open_ns`/`session_close_ns` bound the proposed contract's session that holds `now_ns`, None
    outside one. `feed_*` are of the underlying. `positions` are open positions and `working` working orders;
    `held` covers positions and working entries. `reconciled` is that the books agreed with the broker since
    the last start or reconnect, `storage_ok` that the database takes what is committed. `avg_volume` is
    contracts a day. Without a VIX on the tape (`vix_watched` False) the volatility ceiling alone judges.
    `index_level` is the S&P 500's level, None where it is not known: then a unit of any underlying counts as
    one of the index. `spot` and `expiry_ns` are of the proposed contract. `day_trades` counts five sessions,
    this one included, with what is open since today; `settled_cash` is None unless the account is a cash
    account. `events` are those known of any symbol, `strategy_pnl` the proposing strategy's dollars today.
    `future_margins` are dollars of initial margin of one contract, by symbol, as far as the broker said.
    """

    now_ns: int
    controls: Controls
    session_open_ns: int | None = None
    session_close_ns: int | None = None
    link_up: bool = True
    reconciled: bool = True
    storage_ok: bool = True
    instrument_enabled: bool = True
    halted: bool = False
    quote: Quote | None = None
    greeks: Greeks | None = None
    feed_mode: FeedMode = FeedMode.LIVE
    feed_age_s: float = 0.0
    feed_score: int = 100
    vix: float | None = None
    vix_watched: bool = True
    avg_volume: float | None = None
    equity: Decimal = ZERO
    buying_power: Decimal = ZERO
    day_pnl: Decimal = ZERO
    month_pnl: Decimal = ZERO
    held: tuple[Held, ...] = ()
    working: tuple[Working, ...] = ()
    orders_today: int = 0
    orders_last_minute: int = 0
    index_level: float | None = None
    spot: float | None = None
    expiry_ns: int | None = None
    day_trades: int = 0
    settled_cash: Decimal | None = None
    events: tuple[ComingEvent, ...] = ()
    strategy_pnl: Decimal = ZERO
    future_margins: tuple[tuple[str, Decimal], ...] = ()
