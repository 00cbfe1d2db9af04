"""The floor: one immutable picture of the station, in parts that travel only when they change.

Instants are UTC ns of the station's clock (`Header.now_ns` is its now); a screen derives ages and countdowns
from them, so that a part does not change merely because time passes. Money and prices are Decimal.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from station.link.asked import (
    ERROR,
    LOADING,
    READY,
    Account,
    Book,
    Chain,
    Chart,
    Tip,
    Watch,
    Wealth,
)


class Price(msgspec.Struct, frozen=True):
    """An underlying's last print. `change_pct` against the previous close; stale past `stale_s` seconds."""

    symbol: str
    last: float | None = None
    change_pct: float | None = None
    at_ns: int = 0
    stale_s: float = 15.0


class Header(msgspec.Struct, frozen=True):
    """The strip that every size shows. `environment` is PAPER or LIVE, `gate` OPEN, REDUCING or CLOSED,
    `session` a word such as OPEN, CLOSED or PRE; `pace` says how time runs (`sim ×20`, empty for wall time);
    latencies are milliseconds. `quarantined` are (symbol, why) of those locked for entries."""

    environment: str
    gate: str
    now_ns: int
    account: str = ""
    broker: str = ""
    broker_up: bool = True
    gate_reason: str = ""
    kill: bool = False
    kill_reason: str = ""
    session: str = ""
    pace: str = ""
    prices: tuple[Price, ...] = ()
    equity: Decimal | None = None
    day_pnl: Decimal | None = None
    day_pct: float | None = None
    latency_ms: float | None = None
    lag_ms: float | None = None
    read_only: bool = False
    open_trades: int = 0
    working_orders: int = 0
    note: str = ""
    quarantined: tuple[tuple[str, str], ...] = ()


class FiringRow(msgspec.Struct, frozen=True):
    """One firing and its fate. `gate` names the gate that refused it, empty when published."""

    at_ns: int
    scanner: str
    side: str
    score: int
    gate: str = ""
    instrument: str = ""
    timeframe: str = ""


class Feed(msgspec.Struct, frozen=True):
    """The scanner feed, newest first, with refusals counted by gate over the session."""

    rows: tuple[FiringRow, ...] = ()
    rejected: dict[str, int] = {}
    published: int = 0
    scanners: int = 0
    warm: int = 0
    state: str = READY
    note: str = ""


class ExitRow(msgspec.Struct, frozen=True):
    """One working exit of a trade. `kind` is MKT, LMT, STP or STP LMT; `state` as the order's,
    CANCELLING where one that works is to be cancelled."""

    order_ref: str
    action: str
    kind: str
    qty: Decimal
    filled: Decimal = Decimal(0)
    limit: Decimal | None = None
    stop: Decimal | None = None
    state: str = ""


class PositionRow(msgspec.Struct, frozen=True):
    """One open trade. `entry` is None until the first fill; `entry_ref` is its entry order while that works.

    `timer` names what runs until `timer_until_ns` (grace, entry); `target` is the nearest one, `stop` a price
    or None, `shield` its words; `exits` are all that work, nearest first, and `protection` says so in words
    (`sell 5.20 live`), `protected` whether they cover the position; a mark older than `stale_s` is shown as
    stale. `leaving` says what a hand has asked for and is not done (`closing 1`, `reversing`).
    """

    trade_id: str
    label: str
    qty: Decimal
    state: str
    entry: Decimal | None = None
    mark: Decimal | None = None
    mark_at_ns: int = 0
    pnl: Decimal | None = None
    pnl_pct: float | None = None
    target: Decimal | None = None
    stop: Decimal | None = None
    shield: str = ""
    timer: str = ""
    timer_until_ns: int = 0
    protection: str = ""
    protected: bool = True
    entry_ref: str = ""
    strategy: str = ""
    stale_s: float = 5.0
    exits: tuple[ExitRow, ...] = ()
    leaving: str = ""


class Positions(msgspec.Struct, frozen=True):
    """Open trades, oldest first."""

    rows: tuple[PositionRow, ...] = ()
    state: str = READY
    note: str = ""


class WorkingOrder(msgspec.Struct, frozen=True):
    """One working order. `purpose` is entry, target, stop or close, `kind` MKT, LMT, STP or STP LMT; `at_ns` is
    when it was made. An exit is modified by its price and cancelled only with its trade."""

    order_ref: str
    trade_id: str
    label: str
    symbol: str
    purpose: str
    action: str
    kind: str
    qty: Decimal
    filled: Decimal = Decimal(0)
    limit: Decimal | None = None
    stop: Decimal | None = None
    state: str = ""
    at_ns: int = 0
    may_modify: bool = False
    may_cancel: bool = False


class Orders(msgspec.Struct, frozen=True):
    """Working orders, oldest first."""

    rows: tuple[WorkingOrder, ...] = ()
    state: str = READY
    note: str = ""


class AlertRow(msgspec.Struct, frozen=True):
    """`severity` is info, good, warn or critical; `kind` is fill, stop, reject, gate or proposal for what
    rings, else empty; `trade_id` is of the trade it tells of."""

    at_ns: int
    severity: str
    text: str
    kind: str = ""
    trade_id: str = ""


class Alerts(msgspec.Struct, frozen=True):
    """The alert log, newest first."""

    rows: tuple[AlertRow, ...] = ()
    state: str = READY
    note: str = ""


class StrategyRow(msgspec.Struct, frozen=True):
    """One strategy as the hunter sees it. `verdict` is MATCH, WAIT, BLOCK, HELD or OFF; `matched` names the
    signals that match, `blocks` what stops it and why, `waits` the patterns of the signals it waits for while
    none is there."""

    strategy: str
    verdict: str
    side: str = ""
    matched: str = ""
    blocks: str = ""
    hunter: str = ""
    priority: int = 1
    at_ns: int = 0
    waits: str = ""


class Strategies(msgspec.Struct, frozen=True):
    """Strategies by priority; `hunts` counts the hunter's cycles this session."""

    rows: tuple[StrategyRow, ...] = ()
    hunts: int = 0
    state: str = READY
    note: str = ""


class ProposalRow(msgspec.Struct, frozen=True):
    """A strategy's trade that waits for a hand until `until_ns`. `policy` is how it would be priced, `scanners`
    what fired."""

    trade_id: str
    strategy: str
    symbol: str
    side: str
    label: str
    qty: Decimal
    at_ns: int
    until_ns: int
    policy: str = ""
    scanners: tuple[str, ...] = ()
    confidence: int = 0


class Proposals(msgspec.Struct, frozen=True):
    """What strategies propose and nobody has taken, oldest first."""

    rows: tuple[ProposalRow, ...] = ()


class Floor(msgspec.Struct, frozen=True):
    """The whole picture. A None part is one the engine has nothing to say about yet; those from `account` on
    are only there while asked for."""

    header: Header | None = None
    feed: Feed | None = None
    positions: Positions | None = None
    alerts: Alerts | None = None
    strategies: Strategies | None = None
    orders: Orders | None = None
    proposals: Proposals | None = None
    account: Account | None = None
    watch: Watch | None = None
    wealth: Wealth | None = None
    chart: Chart | None = None
    tip: Tip | None = None
    chain: Chain | None = None
    book: Book | None = None


PART_NAMES: Final = ("header", "positions", "orders", "feed", "alerts", "strategies", "proposals")
"""What every screen gets, in the order of travel: what protects comes before what informs."""


def is_urgent(before: object, after: object) -> bool:
    """Whether a screen should not wait for its next beat to show it: an alert, a switch, the broker gone."""
    if isinstance(after, Header):
        return isinstance(before, Header) and switches(before) != switches(after)
    return isinstance(before, Alerts) and isinstance(after, Alerts)


def switches(header: Header) -> tuple[str, bool, bool]:
    """Gate, kill switch and broker."""
    return header.gate, header.kill, header.broker_up


class Versions:
    """Counts the changes of each part of a run of floors. Parts are compared by value."""

    def __init__(self) -> None:
        self.floor = Floor()
        self.of: dict[str, int] = dict.fromkeys(PART_NAMES, 0)

    def take(self, floor: Floor) -> tuple[str, ...]:
        """Adopt `floor`; the names of the parts that changed. A part that turned None is kept as it was."""
        changed: list[str] = []
        for name in PART_NAMES:
            new, old = getattr(floor, name), getattr(self.floor, name)
            if new is not None and new is not old and new != old:
                changed.append(name)
        if changed:
            self.floor = msgspec.structs.replace(self.floor, **{name: getattr(floor, name) for name in changed})
            for name in changed:
                self.of[name] += 1
        return tuple(changed)


__all__ = [
    "ERROR", "LOADING", "PART_NAMES", "READY", "AlertRow", "Alerts", "ExitRow", "Feed", "FiringRow", "Floor",
    "Header", "Orders", "PositionRow", "Positions", "Price", "ProposalRow", "Proposals", "Strategies",
    "StrategyRow", "Versions", "WorkingOrder",
]  # fmt: skip
