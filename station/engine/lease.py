"""One engine an account and runtime directory: a file lock that dies with its holder."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from station.domain.errors import Fatal


class Lease:
    """Held by an open, locked file; the kernel releases it however the process ends (FAULTS 57)."""

    def __init__(self, runtime: Path) -> None:
        self._path = runtime / "engine.lock"
        self._handle: int | None = None

    def acquire(self, account: str) -> None:
        """Raises Fatal, naming the holder, when another engine has it."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            holder = read_holder(self._path.parent)
            who = f"pid {holder['pid']}" if holder else "another process"
            raise Fatal(
                f"an engine ({who}) already runs in {self._path.parent}: attach to it with `python app.py`, "
                "or `python app.py takeover` to end it and start here"
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps({"pid": os.getpid(), "account": account}).encode())
        self._handle = handle

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def read_holder(runtime: Path) -> dict[str, str] | None:
    """Who wrote the lock file last, or None; it says nothing of whether the holder still lives."""
    try:
        found = json.loads((runtime / "engine.lock").read_text())
    except (OSError, ValueError):
        return None
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else None


def is_held(runtime: Path) -> bool:
    """Whether a living engine holds the runtime directory's lease."""
    try:
        handle = os.open(runtime / "engine.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
