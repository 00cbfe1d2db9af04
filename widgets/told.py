"""Documents of the engine as the screens read them; what a newer engine adds is passed over."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from station.domain.clock import from_datetime


def instant(utc: str | None) -> int:
    """UTC ns of `YYYY-MM-DDTHH:MM:SS.ffffffZ`; 0 for none."""
    return from_datetime(datetime.fromisoformat(utc)) if utc else 0


# --- the journal ---------------------------------------------------------------------------------------


class TradeTold(msgspec.Struct, frozen=True):
    """A trade of the journal; money as decimal text. `result` is win, loss, flat, open or refused."""

    id: str
    symbol: str
    strategy: str
    state: str
    qty: float = 0
    entry: str | None = None
    exit: str | None = None
    net_pnl: str | None = None
    commission: str = "0.00"
    cause: str | None = None
    reason: str | None = None
    opened_utc: str | None = None
    closed_utc: str | None = None
    origin: str = ""
    strategy_version: int = 0
    side: str = ""
    label: str = ""
    result: str = ""
    hold_s: int | None = None
    scanners: tuple[str, ...] = ()
    notes: int = 0
    tags: tuple[str, ...] = ()


class JournalTold(msgspec.Struct, frozen=True):
    """The list, newest first, and what there is to choose from."""

    trades: tuple[TradeTold, ...] = ()
    total: int = 0
    found: int = 0
    symbols: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    tags: dict[str, int] = {}


class Verdict(msgspec.Struct, frozen=True):
    """One step of the decision trace."""

    stage: str
    verdict: str
    reason: str
    value: str | None = None
    limit: str | None = None
    ts_utc: str = ""


class Transition(msgspec.Struct, frozen=True):
    """The event of `seq` led to it."""

    state: str
    ts_utc: str
    seq: int = 0


class EventTold(msgspec.Struct, frozen=True):
    seq: int
    ts_utc: str
    type: str
    data: dict[str, object] = {}


class NoteTold(msgspec.Struct, frozen=True):
    ts_utc: str
    text: str
    by: str = ""


class StoryTold(msgspec.Struct, frozen=True):
    """One trade from its signal to its end."""

    trade: TradeTold
    transitions: tuple[Transition, ...] = ()
    events: tuple[EventTold, ...] = ()
    decision: tuple[Verdict, ...] = ()
    notes: tuple[NoteTold, ...] = ()
    tags: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()


class FilmMark(msgspec.Struct, frozen=True):
    """`price` is the contract's."""

    at_ns: int
    kind: str
    text: str
    price: str | None = None


class FilmLine(msgspec.Struct, frozen=True):
    """A working exit's price; `until_ns` 0 while it stands."""

    kind: str
    price: str
    from_ns: int
    until_ns: int = 0


class FilmGreeks(msgspec.Struct, frozen=True):
    at_ns: int
    bid: str | None = None
    ask: str | None = None
    delta: float | None = None
    theta: float | None = None
    iv: float | None = None


class FilmLevel(msgspec.Struct, frozen=True):
    """A price of the underlying to draw across; `about` where it was worked out from the contract's."""

    kind: str
    text: str
    price: float
    about: bool = False


class FilmTold(msgspec.Struct, frozen=True):
    """The underlying's bars, oldest first, and everything that happened on them. A picture is a film that ends
    at its `moment`; `moments` are those that its trade has pictures of."""

    trade: TradeTold
    timeframe: str = "1m"
    bars: tuple[tuple[int, float, float, float, float, float], ...] = ()
    marks: tuple[FilmMark, ...] = ()
    lines: tuple[FilmLine, ...] = ()
    greeks: tuple[FilmGreeks, ...] = ()
    note: str = ""
    levels: tuple[FilmLevel, ...] = ()
    moment: str = ""
    at_ns: int = 0
    moments: tuple[str, ...] = ()
    path: str = ""


class GalleryTold(msgspec.Struct, frozen=True):
    """The pictures of a week, one a trade, the newest first; `found` of them in all. `before` and `after` are
    the weeks beside it that have pictures."""

    week: str = ""
    pictures: tuple[FilmTold, ...] = ()
    found: int = 0
    before: str = ""
    after: str = ""
    note: str = ""


# --- performance ---------------------------------------------------------------------------------------


class Figures(msgspec.Struct, frozen=True):
    """Of closed trades: dollars as text, rates as fractions of 1, None where nothing can be divided."""

    trades: int = 0
    wins: int = 0
    losses: int = 0
    net_pnl: str = "0.00"
    commissions: str = "0.00"
    win_rate: float | None = None
    profit_factor: float | None = None
    expectancy: str | None = None
    average_win: str | None = None
    average_loss: str | None = None
    max_drawdown: str = "0.00"
    sharpe: float | None = None
    sortino: float | None = None
    mean_hold_s: int | None = None


class CurvePoint(msgspec.Struct, frozen=True):
    at_ns: int
    trade: str
    net_pnl: str
    total: str
    fall: str


class DayTold(msgspec.Struct, frozen=True):
    session: str
    trades: int
    net_pnl: str
    equity_end: str
    wins: int = 0
    max_drawdown: str = "0.00"
    return_pct: float | None = None


class PerformanceTold(msgspec.Struct, frozen=True):
    """`by` is strategy, scanner, hour or cause → name → figures."""

    all: Figures = Figures()
    by: dict[str, dict[str, Figures]] = {}
    curve: tuple[CurvePoint, ...] = ()
    days: tuple[DayTold, ...] = ()


# --- the station itself --------------------------------------------------------------------------------


class SeriesTold(msgspec.Struct, frozen=True):
    timeframe: str
    bars: int
    ready: bool
    newest_ns: int = 0
    divergent: int = 0
    trouble: str = ""


class FeedTold(msgspec.Struct, frozen=True):
    """One instrument's data; `age_s` None before its first update."""

    symbol: str
    mode: str
    source: str = ""
    age_s: float | None = None
    last: float | None = None
    gaps: int = 0
    score: int = 0
    throttled: bool = False
    halted: bool = False
    note: str = ""
    counts: dict[str, int] = {}
    series: tuple[SeriesTold, ...] = ()


class LatencyTold(msgspec.Struct, frozen=True):
    samples: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    skew_ms: float | None = None
    limit_ms: float = 200.0


class HealthTold(msgspec.Struct, frozen=True):
    now_ns: int = 0
    broker: str = ""
    broker_up: bool = True
    latency: LatencyTold = LatencyTold()
    alarms: dict[str, str] = {}
    feeds: tuple[FeedTold, ...] = ()


class TaskTold(msgspec.Struct, frozen=True):
    name: str
    critical: bool = False
    running: bool = False
    beat_ns: int = 0
    started_ns: int = 0
    restarts: int = 0
    failing: bool = False
    last_error: str = ""
    last_failure_ns: int = 0


class JobTold(msgspec.Struct, frozen=True):
    name: str
    cron: str
    next_ns: int = 0
    last_ns: int = 0
    runs: int = 0
    failures: int = 0
    last: str = ""


class StepTold(msgspec.Struct, frozen=True):
    name: str
    ok: bool
    detail: str = ""


class JobsTold(msgspec.Struct, frozen=True):
    now_ns: int = 0
    phase: str = ""
    lag_ms: dict[str, float | None] = {}
    tasks: tuple[TaskTold, ...] = ()
    jobs: tuple[JobTold, ...] = ()
    day_end: tuple[StepTold, ...] = ()


class LogLine(msgspec.Struct, frozen=True):
    ts_utc: str
    level: str
    event: str
    trade_id: str = ""
    text: str = ""


class LogTold(msgspec.Struct, frozen=True):
    """Newest first; `whole` False where the log goes further back than was looked."""

    lines: tuple[LogLine, ...] = ()
    components: tuple[str, ...] = ()
    whole: bool = True


RESULTS: Final = ("win", "loss", "flat", "open", "refused", "any")
