"""Readiness before the open: every check a line, none of them changes anything."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Final

from config.files import ConfigError
from config.settings import load_settings
from station.calendars import et_text, load_calendar
from station.clock import WallClock
from station.domain.errors import VigilError
from station.domain.instruments import Hours
from station.engine.desired import shipped, shipped_rows, validate
from station.engine.lease import is_held, read_holder
from station.engine.profiles import profile_of
from station.scanners import warmup_bars
from station.store.files import ARCHIVE, CONFIG, LIFECYCLE, WEALTH

PACKAGES: Final = ("textual", "ib_async", "numpy", "talib", "aiosqlite", "msgspec", "pydantic", "pyarrow")
NEEDED_FREE: Final = 512 * 1024 * 1024
_DISTRIBUTION: Final = {"talib": "TA-Lib"}


def examine(runtime: Path) -> dict[str, Any]:
    """`{v, ok, checks: [{name, ok, detail}]}`; ok when every check is."""
    rows = [_checked(name, check, runtime) for name, check in CHECKS]
    return {"v": 1, "ok": all(row["ok"] for row in rows), "checks": rows}


def _checked(name: str, check: Callable[[Path], str], runtime: Path) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "detail": check(runtime)}
    except (VigilError, ConfigError, OSError, ImportError, sqlite3.Error) as error:
        return {"name": name, "ok": False, "detail": str(error)}


class _NotReady(VigilError):
    """A check's complaint."""


def _python(_: Path) -> str:
    return sys.version.split()[0]


def _packages(_: Path) -> str:
    for name in PACKAGES:
        import_module(name)
    return ", ".join(f"{name} {metadata.version(_DISTRIBUTION.get(name, name))}" for name in PACKAGES)


def _configuration(runtime: Path) -> str:
    settings = load_settings(profile=profile_of(runtime))
    for kind, key, body in shipped_rows():
        validate(kind, key, body)
    return (
        f"{settings.station.environment}, broker {settings.broker.kind}, {len(shipped().strategies)} strategies"
    )


def _scanners(_: Path) -> str:
    specs = shipped().scanners
    longest = max(warmup_bars(spec) for spec in specs)
    return f"{len(specs)} scanners, longest warm-up {longest} bars"


def _directory(runtime: Path) -> str:
    parent = runtime if runtime.exists() else runtime.parent
    if not os.access(parent, os.W_OK):
        raise _NotReady(f"{parent} cannot be written: choose another --runtime or change its owner")
    if runtime.exists():
        with tempfile.NamedTemporaryFile(dir=runtime):
            pass
    return str(runtime)


def _disk(runtime: Path) -> str:
    free = shutil.disk_usage(runtime if runtime.exists() else runtime.parent).free
    if free < NEEDED_FREE:
        raise _NotReady(f"{free // 2**20} MiB free, {NEEDED_FREE // 2**20} MiB are needed: make room")
    return f"{free // 2**30} GiB free"


def _databases(runtime: Path) -> str:
    found: list[str] = []
    for name in (LIFECYCLE, CONFIG, WEALTH, ARCHIVE):
        path = runtime / name
        if not path.exists():
            continue
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
        if answer != "ok":
            raise _NotReady(f"{path} is corrupt: {answer}; restore the last backup and reconcile")
        found.append(name)
    return ", ".join(found) or "none yet; they are made at the first start"


def _lease(runtime: Path) -> str:
    if runtime.exists() and is_held(runtime):
        holder = read_holder(runtime) or {}
        return f"an engine runs here (pid {holder.get('pid', '?')}): the floor will attach to it"
    return "free"


def _session(runtime: Path) -> str:
    calendar = load_calendar(runtime / "cache" if runtime.exists() else None)
    now = WallClock().now()
    span = calendar.at(Hours.REGULAR, now) or calendar.next_after(Hours.REGULAR, now)
    early = ", early close" if span.early else ""
    return f"{span.day} {et_text(span.open_ns)}–{et_text(span.close_ns)} ET{early}"


CHECKS: Final[tuple[tuple[str, Callable[[Path], str]], ...]] = (
    ("python", _python),
    ("packages", _packages),
    ("configuration", _configuration),
    ("scanners", _scanners),
    ("runtime directory", _directory),
    ("disk", _disk),
    ("databases", _databases),
    ("lease", _lease),
    ("session", _session),
)
