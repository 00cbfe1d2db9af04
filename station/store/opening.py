"""Opening a runtime directory: the four databases, checked, migrated and handed over."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from station.clock import Activity
from station.domain.clock import Clock
from station.store.archive import ArchiveRepository
from station.store.chain import first_break
from station.store.config import ConfigRepository, Validate, json_object
from station.store.connection import Database, Probe, Work, grow_wal, open_database, silent
from station.store.files import (
    ARCHIVE,
    CONFIG,
    LIFECYCLE,
    WEALTH,
    CorruptDatabase,
    prepare_directory,
    set_aside,
)
from station.store.ids import SequentialIds, last_taken
from station.store.lifecycle import LifecycleRepository, Owner
from station.store.migrations import Migration, check_intact, migrate
from station.store.schema import ARCHIVE_STEPS, CONFIG_STEPS, LIFECYCLE_STEPS, WEALTH_STEPS
from station.store.wealth import WealthRepository

_DURABLE: Final = "FULL"
_DISPOSABLE: Final = "NORMAL"


@dataclass(frozen=True, slots=True)
class Stores:
    """The open databases. `notices` are lines the trader should see (an archive that was set aside)."""

    lifecycle: LifecycleRepository
    config: ConfigRepository
    wealth: WealthRepository
    archive: ArchiveRepository
    ids: SequentialIds
    notices: tuple[str, ...] = ()
    _open: AsyncExitStack = field(default_factory=AsyncExitStack, repr=False)

    async def close(self) -> None:
        """Flush the archive, let commits finish, close every file. Idempotent."""
        await self._open.aclose()


async def open_stores(
    runtime_dir: Path | str,
    *,
    clock: Clock,
    activity: Activity,
    probe: Probe | None = None,
    account: str = "",
    environment: str = "paper",
    validate: Validate = json_object,
) -> Stores:
    """Open or create the databases of `runtime_dir` (0700, files 0600).

    `account` and `environment` mark the rows that do not name their own; `validate(kind, key, body)` raises
    BadInput for a configuration body that must be refused; `probe` is called around each lifecycle and wealth
    commit. Raises Fatal, one line, for a directory that cannot be written, a database that is locked, corrupt,
    has a broken hash chain, or is newer than this code. A corrupt archive is set aside and begun anew.
    """
    runtime = Path(runtime_dir)
    prepare_directory(runtime)
    owner = Owner(account, environment)
    watched = probe or silent
    async with AsyncExitStack() as stack:

        async def opened(
            name: str, steps: Sequence[Migration], synchronous: str, point: Probe = silent
        ) -> Database:
            path = runtime / name
            database = await open_database(
                path, synchronous=synchronous, prepare=_prepared(path, steps), clock=clock,
                activity=activity, probe=point,
            )  # fmt: skip
            stack.push_async_callback(database.close)
            return database

        lifecycle = await opened(LIFECYCLE, LIFECYCLE_STEPS, _DURABLE, watched)
        config = await opened(CONFIG, CONFIG_STEPS, _DURABLE)
        wealth = await opened(WEALTH, WEALTH_STEPS, _DURABLE, watched)
        notices: tuple[str, ...] = ()
        try:
            archive = await opened(ARCHIVE, ARCHIVE_STEPS, _DISPOSABLE)
        except CorruptDatabase:
            aside = set_aside(runtime / ARCHIVE)
            notices = (f"{ARCHIVE} was corrupt: kept as {aside.name}, begun anew",)
            archive = await opened(ARCHIVE, ARCHIVE_STEPS, _DISPOSABLE)
        bulk = ArchiveRepository(archive, owner)
        stack.push_async_callback(bulk.flush)
        ids = SequentialIds(await lifecycle.read(last_taken))
        return Stores(
            LifecycleRepository(lifecycle, owner), ConfigRepository(config, clock, validate),
            WealthRepository(wealth, owner), bulk, ids, notices, stack.pop_all(),
        )  # fmt: skip


def _prepared(path: Path, steps: Sequence[Migration]) -> Work[None]:
    """Check what is there before touching it, then migrate it."""

    def prepare(connection: sqlite3.Connection) -> None:
        complaint = check_intact(connection, path)
        if complaint:
            raise CorruptDatabase(path, complaint)
        migrate(connection, steps, path)
        if path.name == LIFECYCLE:
            if broken := first_break(connection):
                raise CorruptDatabase(path, f"hash chain: {broken}")
            grow_wal(connection)

    return prepare
