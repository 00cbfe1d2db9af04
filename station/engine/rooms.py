"""The rooms of a running engine: what they stand in, and what they ask of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from config.settings import Settings
from station.calendars import Calendar
from station.clock import Activity
from station.desk.changes import ChangeDesk
from station.desk.controls import ControlDesk
from station.desk.desk import Desk
from station.desk.hunting import BarCloser, Hunt
from station.desk.inbox import OrderInbox
from station.desk.judgement import Judgement
from station.desk.ledger import Ledger
from station.desk.manual import ManualDesk
from station.desk.money import MoneyDesk
from station.desk.preparation import Identity
from station.desk.proposals import ProposalDesk
from station.desk.reconciler import Reconciler
from station.desk.spool import ExitSpool
from station.desk.stopwatch import Stopwatch
from station.desk.way import TradeWay
from station.domain.broker import Broker, LinkReport
from station.domain.clock import Clock
from station.domain.specs import Desired
from station.engine.tuning import Tuned
from station.execution import Submitter
from station.market import Market
from station.options import OptionDesk
from station.protection import ProtectionWorker
from station.scanners import ScannerRoom
from station.store import Stores
from station.strategy import Hunter, Pool
from station.wealth import WealthBook

Fault = Callable[[str, BaseException], Awaitable[None]]
PROVISIONAL_FEE = Decimal("0.65")
"""Dollars a contract, IBKR's tiered US option commission, until the broker reports the true one."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What the engine is built around."""

    settings: Settings
    runtime: Path
    clock: Clock
    calendar: Calendar
    stores: Stores
    broker: Broker
    probe: Callable[[str], None] | None
    symbols: tuple[str, ...]
    activity: Activity = field(default_factory=lambda: Activity(ordered=False))
    base: Settings | None = None
    """The settings without the database's, where it has any."""
    pinned: Mapping[str, str] = field(default_factory=dict[str, str])
    """Settings that something stronger than the database gives, and what."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the rooms ask of the engine itself; each is O(1) and synchronous unless it says otherwise."""

    desired: Callable[[], Desired]
    session: Callable[[], date]
    day_start: Callable[[], int]
    identity: Callable[[], Identity]
    on_fault: Fault
    on_fault_soon: Callable[[str, BaseException], None]
    on_link: Callable[[LinkReport], None]
    kill_soon: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that runs."""

    market: Market
    scanners: ScannerRoom
    pool: Pool
    hunter: Hunter
    options: OptionDesk
    wealth: WealthBook
    ledger: Ledger
    inbox: OrderInbox
    submitter: Submitter
    money: MoneyDesk
    judgement: Judgement
    controls: ControlDesk
    reconciler: Reconciler
    way: TradeWay
    desk: Desk
    protection: ProtectionWorker
    bars: BarCloser
    hunt: Hunt
    stopwatch: Stopwatch
    spool: ExitSpool
    tuned: Tuned
    manual: ManualDesk
    changes: ChangeDesk
    proposals: ProposalDesk
