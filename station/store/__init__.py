"""The databases: connection, migrations, one repository per aggregate, verification and replay of the log."""

from station.store.archive import ArchiveRepository, PositionSnapshot
from station.store.config import ConfigRepository
from station.store.ids import SequentialIds
from station.store.lifecycle import LifecycleRepository, load_snapshot
from station.store.opening import Stores, open_stores
from station.store.reading import LifecycleReader, Logged, TradeFilter, Walk
from station.store.rebuild import Rebuilt, ReplayReport, rebuild, replay_log
from station.store.verification import Check, VerifyReport, verify
from station.store.viewing import Inline, viewed
from station.store.wealth import WealthReader, WealthRepository, WeekSummary

__all__ = [
    "ArchiveRepository",
    "Check",
    "ConfigRepository",
    "Inline",
    "LifecycleReader",
    "LifecycleRepository",
    "Logged",
    "PositionSnapshot",
    "Rebuilt",
    "ReplayReport",
    "SequentialIds",
    "Stores",
    "TradeFilter",
    "VerifyReport",
    "Walk",
    "WealthReader",
    "WealthRepository",
    "WeekSummary",
    "load_snapshot",
    "open_stores",
    "rebuild",
    "replay_log",
    "verify",
    "viewed",
]
