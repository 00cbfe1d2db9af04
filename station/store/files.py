"""What a runtime directory holds on disk, and who may read it: 0700, every file 0600."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from station.domain.errors import Fatal

LIFECYCLE: Final = "lifecycle.db"
CONFIG: Final = "config.db"
WEALTH: Final = "wealth.db"
ARCHIVE: Final = "archive.db"
PAPER: Final = "paper.db"
BACKUP: Final = "backup"
_SIDE_FILES: Final = ("-wal", "-shm", "-journal")


def prepare_directory(path: Path) -> None:
    """Make the directory with mode 0700. Raises Fatal where it cannot be made or written."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise Fatal(f"runtime directory {path} cannot be used: {_why(error)}; give a writable one") from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise Fatal(f"runtime directory {path} is not writable; change its owner or give another")


def prepare_file(path: Path) -> None:
    """Make the database file with mode 0600 before SQLite does with its own; its WAL inherits the mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
        for side in side_files(path):
            side.chmod(0o600)
    except OSError as error:
        raise Fatal(f"{path} cannot be opened for writing: {_why(error)}; mend its owner or mode") from error


def side_files(path: Path) -> tuple[Path, ...]:
    """The WAL, shared-memory and journal files that exist beside a database."""
    beside = (path.with_name(path.name + suffix) for suffix in _SIDE_FILES)
    return tuple(file for file in beside if file.exists())


def set_aside(path: Path) -> Path:
    """Move a disposable database and its side files away under the first free `….corrupt-N` name."""
    n = 1
    while (aside := path.with_name(f"{path.name}.corrupt-{n}")).exists():
        n += 1
    for side in side_files(path):
        side.rename(side.with_name(side.name.replace(path.name, aside.name, 1)))
    path.rename(aside)
    return aside


class CorruptDatabase(Fatal):
    """A file is broken; the text is the one line a trader needs to mend it (FAULTS 56)."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path} is corrupt ({why}): move it and its -wal/-shm away, copy the newest {path.name} under "
            f"{path.parent / BACKUP} in its place if there is one, and start again: reconciliation takes "
            "what is missing from the broker"
        )


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
