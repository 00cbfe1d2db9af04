"""Opening a runtime directory: the four databases, checked, migrated and handed over."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from station.clock import Activity
from station.domain.clock import Clock
from station.store.archive import ArchiveRepository
from station.store.backup import back_up
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


@dataclass(frozen=True, slots=True)
class Stores:
    """The open databases. `notices` are lines the trader should see (an archive that was set aside)."""

    lifecycle: LifecycleRepository
    config: ConfigRepository
    wealth: WealthRepository
    archive: ArchiveRepository
    ids: SequentialIds
    notices: tuple[str, ...] = ()
    _of_record: tuple[Database, ...] = field(default=(), repr=False)
    _open: AsyncExitStack = field(default_factory=AsyncExitStack, repr=False)

    async def backup(self, label: str) -> Path:
        """Copy the databases of record to `backup/<label>/`, each as it stands between two commits; returns
        that directory. An earlier backup of the label is replaced once the new one is whole. Raises
        StorageUnavailable."""
        return await back_up(self._of_record, label)

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
    async with AsyncExitStack() as stack:
        opening = _Opening(runtime, clock, activity, stack)
        lifecycle = await opening.database(LIFECYCLE, LIFECYCLE_STEPS, probe or silent)
        config = await opening.database(CONFIG, CONFIG_STEPS)
        wealth = await opening.database(WEALTH, WEALTH_STEPS, probe or silent)
        disposable, notices = await opening.archive()
        archive = ArchiveRepository(disposable, owner)
        stack.push_async_callback(archive.flush)
        ids = SequentialIds(await lifecycle.read(last_taken))
        return Stores(
            LifecycleRepository(lifecycle, owner), ConfigRepository(config, clock, validate),
            WealthRepository(wealth, owner), archive, ids, notices, (lifecycle, config, wealth),
            stack.pop_all(),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Opening:
    """Opens files one by one; what was opened is closed again should a later one refuse."""

    runtime: Path
    clock: Clock
    activity: Activity
    stack: AsyncExitStack

    async def database(
        self, name: str, steps: Sequence[Migration], probe: Probe = silent, synchronous: str = "FULL"
    ) -> Database:
        path = self.runtime / name
        database = await open_database(
            path, synchronous=synchronous, prepare=_prepared(path, steps), clock=self.clock,
            activity=self.activity, probe=probe,
        )  # fmt: skip
        self.stack.push_async_callback(database.close)
        return database

    async def archive(self) -> tuple[Database, tuple[str, ...]]:
        """The disposable database, anew where it was corrupt, and what the trader should know of that."""
        try:
            return await self.database(ARCHIVE, ARCHIVE_STEPS, synchronous="NORMAL"), ()
        except CorruptDatabase:
            aside = set_aside(self.runtime / ARCHIVE)
        notice = f"{ARCHIVE} was corrupt: kept as {aside.name}, begun anew"
        return await self.database(ARCHIVE, ARCHIVE_STEPS, synchronous="NORMAL"), (notice,)


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
