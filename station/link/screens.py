"""Documents of the screens beside the floor: the JSON that answers a Query of the name given with each.

Instants are UTC ns, 0 where there is none; latencies milliseconds; money and prices decimal text.
"""

from __future__ import annotations

import msgspec


class SignalLine(msgspec.Struct, frozen=True):
    """One signal and what it led to. `bar_ns` is when its bar closed, `ordered_ns` when the entry's intent was
    committed, `filled_ns` its first fill; `why` what stopped it or took it out."""

    id: str
    at_ns: int
    scanner: str
    instrument: str
    timeframe: str
    side: str
    confidence: int
    state: str
    bar_ns: int = 0
    trade_id: str = ""
    strategy: str = ""
    contract: str = ""
    trade_state: str = ""
    order_ref: str = ""
    order_state: str = ""
    ordered_ns: int = 0
    filled_ns: int = 0
    filled: str = ""
    price: str = ""
    net_pnl: str = ""
    why: str = ""


class Lap(msgspec.Struct, frozen=True):
    """A path that is measured on the host's clock, over the laps since the start."""

    name: str
    laps: int
    p50_ms: float | None = None
    p99_ms: float | None = None


class Signals(msgspec.Struct, frozen=True):
    """`signals` (args: day YYYY-MM-DD, symbol, side, state; the newest 300). `counts` is by state before that
    filter, `days` the sessions there are."""

    rows: tuple[SignalLine, ...] = ()
    counts: dict[str, int] = {}
    day: str = ""
    days: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    laps: tuple[Lap, ...] = ()


class StepLine(msgspec.Struct, frozen=True):
    """One verdict of a decision trace."""

    at_ns: int
    stage: str
    verdict: str
    reason: str
    value: str = ""
    limit: str = ""


class OrderLine(msgspec.Struct, frozen=True):
    order_ref: str
    purpose: str
    action: str
    kind: str
    qty: str
    filled: str
    state: str
    created_ns: int
    updated_ns: int
    limit: str = ""
    stop: str = ""
    average: str = ""
    reason: str = ""


class FillLine(msgspec.Struct, frozen=True):
    order_ref: str
    at_ns: int
    action: str
    qty: str
    price: str
    commission: str = ""


class SignalStory(msgspec.Struct, frozen=True):
    """`signal` (args: id): all that a signal led to."""

    id: str
    scanner: str
    at_ns: int
    valid_until_ns: int
    rationale: str = ""
    warnings: tuple[str, ...] = ()
    provenance: str = ""
    steps: tuple[StepLine, ...] = ()
    orders: tuple[OrderLine, ...] = ()
    fills: tuple[FillLine, ...] = ()


class FieldLine(msgspec.Struct, frozen=True):
    """One field of a row that can be edited: its value as it is written, the default, what it may be."""

    name: str
    value: str
    default: str
    kind: str
    limit: str = ""


class Change(msgspec.Struct, frozen=True):
    """Who changed a row last, and to which version; `origin` is shipped or edited."""

    version: int = 0
    origin: str = "shipped"
    by: str = ""
    at_ns: int = 0


class ScannerLine(msgspec.Struct, frozen=True):
    """One scanner. `status` is READY, DISABLED, WARMING n/m, BACKFILLING, DEGRADED …, or ELSEWHERE where its
    instrument is not watched; `spark` counts firings in equal parts of the session so far."""

    name: str
    family: str
    instrument: str
    timeframe: str
    side: str
    enabled: bool
    status: str
    cooldown_s: int
    have: int = 0
    need: int = 0
    evaluated: int = 0
    fired: int = 0
    published: int = 0
    rejected: dict[str, int] = {}
    last_ns: int = 0
    last_side: str = ""
    last_score: int = 0
    spark: tuple[int, ...] = ()
    change: Change = Change()


class SwitchLine(msgspec.Struct, frozen=True):
    """A master switch."""

    name: str
    on: bool
    change: Change = Change()


class ScannerRoom(msgspec.Struct, frozen=True):
    """`scanner_room`: every scanner, the master switches, refusals by gate since the start."""

    rows: tuple[ScannerLine, ...] = ()
    switches: tuple[SwitchLine, ...] = ()
    rejected: dict[str, int] = {}


class StrategyLine(msgspec.Struct, frozen=True):
    """One strategy. `verdict` and `why` are the hunter's last; `trades` opened this session, `net_pnl` of those
    closed; `paused` says why its own limit stopped it."""

    strategy_id: str
    symbol: str
    enabled: bool
    priority: int
    autonomy: str
    hunter: str
    verdict: str = ""
    why: str = ""
    at_ns: int = 0
    trades: int = 0
    net_pnl: str = "0"
    paused: str = ""
    change: Change = Change()


class StrategyRoom(msgspec.Struct, frozen=True):
    """`strategy_room`: every strategy, by priority."""

    rows: tuple[StrategyLine, ...] = ()
    hunts: int = 0


class SettingLine(msgspec.Struct, frozen=True):
    """One setting. `source` is default, the file, the environment, the command line or the database; `live`
    ones are in force at once; `waiting` is what was running before an edit that waits for a start."""

    key: str
    section: str
    value: str
    default: str
    kind: str
    limit: str = ""
    source: str = "default"
    editable: bool = True
    live: bool = False
    waiting: str = ""
    change: Change = Change()


class SettingsRoom(msgspec.Struct, frozen=True):
    """`settings`: every setting, section by section."""

    rows: tuple[SettingLine, ...] = ()


class ChangeLine(msgspec.Struct, frozen=True):
    """One field of an edit; None where it was not there."""

    field: str
    before: str | None
    after: str | None


class VersionLine(msgspec.Struct, frozen=True):
    """One version of a row, and what it changed of the one before."""

    version: int
    at_ns: int
    by: str
    origin: str
    changes: tuple[ChangeLine, ...] = ()


class RowStory(msgspec.Struct, frozen=True):
    """`config_row` (args: kind, key): what can be edited of a scanner or strategy, and every version of the
    row, the newest first; none of one that was never stored."""

    kind: str
    key: str
    fields: tuple[FieldLine, ...] = ()
    versions: tuple[VersionLine, ...] = ()
    change: Change = Change()
