"""One engine an account and runtime directory: a file lock that dies with its holder."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Final

from station.domain.errors import Fatal

PROBES: Final = 5
PROBE_S: Final = 0.02
"""A probe of `is_held` lasts microseconds: a lock that is still held after these looks is an engine's."""


class Lease:
    """Held by open, locked files; the kernel releases them however the process ends (FAULTS 57).
    `account_lock` is the lock of an account at a real broker, one for every runtime directory of this user."""

    def __init__(self, runtime: Path, account_lock: Path | None = None) -> None:
        self._path = runtime / "engine.lock"
        self._account_lock = account_lock
        self._handles: list[int] = []

    def acquire(self, account: str) -> None:
        """Raises Fatal, naming the holder, when another engine has the directory or the account."""
        handle = _locked(self._path)
        if handle is None:
            holder = read_holder(self._path.parent)
            who = f"pid {holder['pid']}" if holder else "another process"
            raise Fatal(
                f"an engine ({who}) already runs in {self._path.parent}: attach to it with `python app.py`, "
                "or `python app.py takeover` to end it and start here"
            )
        self._handles.append(handle)
        if self._account_lock is not None:
            self._acquire_account(self._account_lock, account)
        _write(handle, {"pid": os.getpid(), "account": account})

    def _acquire_account(self, path: Path, account: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = _locked(path)
        except OSError as error:
            self.release()
            raise Fatal(
                f"{path}: {error.strerror}: this account cannot be locked; give a writable one"
            ) from None
        if handle is None:
            holder = _read(path)
            who = f"pid {holder['pid']} in {holder['runtime']}" if holder else "another process"
            self.release()
            raise Fatal(
                f"an engine ({who}) already runs account {account}: end it, or use its --runtime directory"
            )
        self._handles.append(handle)
        _write(handle, {"pid": os.getpid(), "runtime": str(self._path.parent.resolve())})

    def release(self) -> None:
        while self._handles:
            os.close(self._handles.pop())


def account_lock(name: str) -> Path:
    """Where an account's lock lies: in `$XDG_STATE_HOME/vigil`, else `~/.local/state/vigil`."""
    state = os.environ.get("XDG_STATE_HOME")
    plain = "".join(letter if letter.isalnum() else "_" for letter in name)
    return (Path(state) if state else Path.home() / ".local" / "state") / "vigil" / f"{plain}.lock"


def _locked(path: Path) -> int | None:
    """An open handle that alone holds `path`'s lock, None where an engine has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for left in reversed(range(PROBES)):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(PROBE_S)  # noqa: TID251 - a probe of another process passes, no engine runs here yet
        else:
            return handle
    os.close(handle)
    return None


def _write(handle: int, holder: dict[str, object]) -> None:
    os.ftruncate(handle, 0)
    os.write(handle, json.dumps(holder).encode())


def read_holder(runtime: Path) -> dict[str, str] | None:
    """Who wrote the lock file last, or None; it says nothing of whether the holder still lives."""
    return _read(runtime / "engine.lock")


def _read(path: Path) -> dict[str, str] | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else None


def is_held(runtime: Path) -> bool:
    """Whether a living engine holds the runtime directory's lease. The lock it looks with is shared and gone at
    once, so that looks do not disturb each other and an engine that starts meanwhile only looks again. Raises
    Fatal where nobody may look."""
    path = runtime / "engine.lock"
    try:
        handle = os.open(path, os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise Fatal(f"{path} cannot be opened: {error.strerror}; mend its owner or mode") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
