"""Repository ports: what the rooms need of the databases. The store fulfils them over SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, Protocol

from station.domain.events import Recorded
from station.domain.orders import Execution, Order
from station.domain.signals import Decision, Signal
from station.domain.trade import Trade


@dataclass(frozen=True, slots=True)
class OrderFailure:
    """A rejection: the broker's root cause and ours, derived."""

    order_ref: str
    code: int
    root: str
    derived: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Changes:
    """One atomic commit to the lifecycle database: everything below becomes durable together, or nothing.

    Events are appended and chained in the order given; the other fields upsert by key (execution by exec id).
    `scanner_marks` is scanner name → start of its last published bar; `controls` small persisted switches
    (gate, kill, quarantine, day baseline) by name, JSON text.
    """

    events: tuple[Recorded, ...] = ()
    trades: tuple[Trade, ...] = ()
    orders: tuple[Order, ...] = ()
    executions: tuple[Execution, ...] = ()
    signals: tuple[Signal, ...] = ()
    decisions: tuple[Decision, ...] = ()
    failures: tuple[OrderFailure, ...] = ()
    cancels: tuple[tuple[str, str, int], ...] = ()
    scanner_marks: Mapping[str, int] = field(default_factory=dict[str, int])
    controls: Mapping[str, str] = field(default_factory=dict[str, str])

    def __add__(self, other: Changes) -> Changes:
        return Changes(
            self.events + other.events, self.trades + other.trades, self.orders + other.orders,
            self.executions + other.executions, self.signals + other.signals,
            self.decisions + other.decisions, self.failures + other.failures,
            self.cancels + other.cancels, {**self.scanner_marks, **other.scanner_marks},
            {**self.controls, **other.controls},
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a start needs of the lifecycle database. `last_ns` is the newest instant on the log, 0 if empty."""

    trades: tuple[Trade, ...]
    orders: tuple[Order, ...]
    executions: tuple[Execution, ...]
    signals: tuple[Signal, ...]
    scanner_marks: Mapping[str, int]
    controls: Mapping[str, str]
    last_ns: int


@dataclass(frozen=True, slots=True)
class DailyMetrics:
    """One session's result (SPEC §12). Dollars; `session` is `YYYY-MM-DD`."""

    session: str
    trades: int
    wins: int
    losses: int
    net_pnl: Decimal
    commissions: Decimal
    max_drawdown: Decimal
    equity_start: Decimal
    equity_end: Decimal
    at_ns: int


class Committed(NamedTuple):
    """How many of several commits are durable, in the order given, and what stopped the next one."""

    done: int
    error: Exception | None = None


class LifecycleStore(Protocol):
    """The database of record. A commit that returns is durable (synchronous=FULL)."""

    async def commit(self, changes: Changes) -> None:
        """Append and upsert atomically. Raises StorageUnavailable (locked after bounded retry, disk full)."""
        ...

    async def commit_each(self, steps: Sequence[Changes]) -> Committed:
        """Each of `steps` as an atomic commit of its own, one after the other, in one hand-over: a crash leaves
        the first so many of them, and what is done is durable on return. The first that fails is where it
        ends."""
        ...

    async def load(self, since_ns: int) -> Snapshot:
        """All that is not terminal, and everything updated at or after `since_ns`."""
        ...


@dataclass(frozen=True, slots=True)
class WealthState:
    """Where the account stands on its plan. `level` is trade_start, T1, T2 or T3."""

    plan: str
    capital: Decimal
    week: int
    level: str
    pnl_to_date: Decimal


@dataclass(frozen=True, slots=True)
class DiaryRow:
    """One closed trade in the wealth diary; `trade_id` is unique."""

    trade_id: str
    closed_ns: int
    symbol: str
    label: str
    qty: Decimal
    entry: Decimal
    exit: Decimal
    net_pnl: Decimal
    cause: str
    hold_s: int
    delta_at_entry: float
    capital_after: Decimal
    week: int
    level: str


class WealthStore(Protocol):
    async def state(self, plan: str) -> WealthState | None: ...

    async def diary_row(self, trade_id: str) -> DiaryRow | None: ...

    async def record(self, state: WealthState, row: DiaryRow) -> None:
        """Write the new state and the diary row in one commit. A repeated `trade_id` replaces its row
        (a restated fee); the caller derives the state from the old row, so repeating changes nothing."""
        ...

    async def begin(self, state: WealthState) -> None:
        """Write a plan's first state, only where there is none."""
        ...
