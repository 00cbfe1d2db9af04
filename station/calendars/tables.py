"""Session tables from the calendar libraries, and their cache on disk.

Importing the libraries costs about half a second and 80 MiB, so a start reads one small `.npz` instead; where
there is none yet, a process of its own makes it.
The file is named by the libraries' versions: an update builds a new one by itself.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from station.calendars.eastern import at_et
from station.domain.instruments import Hours

FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2031, 12, 31)
_FORMAT: Final = 1
_COLUMNS: Final = ("day", "open_ns", "close_ns", "early")
_ROOT: Final = Path(__file__).resolve().parents[2]
_MAKE: Final = "import sys; from station.calendars.tables import make_cache; make_cache(sys.argv[1])"


@dataclass(frozen=True, slots=True, eq=False)
class SessionTable:
    """The sessions of one kind of hours in columns of equal length, ascending and disjoint.

    `day` is the trade date's proleptic ordinal, `open_ns` and `close_ns` are UTC ns (half-open),
    `early` is 1 where the session closes before its usual hour. All are read-only int64.
    """

    day: NDArray[np.int64]
    open_ns: NDArray[np.int64]
    close_ns: NDArray[np.int64]
    early: NDArray[np.int64]


Tables = Mapping[Hours, SessionTable]


def load_tables(cache_dir: Path | None = None) -> Tables:
    """The tables of all hours, from the cache in `cache_dir` (default: XDG cache) or the libraries.

    A missing, damaged or foreign cache is rebuilt; an unwritable directory costs speed, never an error.
    """
    path = (cache_dir or default_cache_dir()) / _cache_name()
    cached = _read(path)
    if cached is not None:
        return cached
    if "pandas" not in sys.modules:
        with contextlib.suppress(OSError):
            _make_beside(path)
        cached = _read(path)
        if cached is not None:
            return cached
    tables = build_tables()
    with contextlib.suppress(OSError):
        _write(path, tables)
    return tables


def _make_beside(path: Path) -> None:
    """Have a process of its own ask the libraries: what they bring along ends with it."""
    command = [sys.executable, "-c", _MAKE, str(path)]
    quiet = subprocess.DEVNULL
    subprocess.run(command, cwd=_ROOT, check=False, stdin=quiet, stdout=quiet, stderr=quiet)


def make_cache(path: str) -> None:
    """Ask the libraries and keep what they say. Raises OSError for a directory that cannot be written."""
    _write(Path(path), build_tables())


def default_cache_dir() -> Path:
    """`$XDG_CACHE_HOME/vigil`, else `~/.cache/vigil`."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(root) if root else Path("~/.cache").expanduser()) / "vigil"


def build_tables(first: date = FIRST_DAY, last: date = LAST_DAY) -> Tables:
    """Ask the libraries: XNYS of exchange_calendars, CME_Equity of pandas_market_calendars.

    Extended hours run 04:00–20:00 ET, to 17:00 on half days, on exchange days only (SPEC §1).
    """
    import exchange_calendars
    import pandas_market_calendars

    exchange: Any = exchange_calendars.get_calendar("XNYS", start=str(first), end=str(last))
    regular = _regular(exchange.schedule)
    futures: Any = pandas_market_calendars.get_calendar("CME_Equity")
    tables = {
        Hours.REGULAR: regular,
        Hours.EXTENDED: _extended(regular),
        Hours.FUTURES: _futures(futures.schedule(str(first), str(last))),
    }
    for hours, table in tables.items():
        if not _sound(table):
            raise ValueError(f"calendar library gave overlapping or disordered {hours.value} sessions")
    return tables


def _regular(schedule: Any) -> SessionTable:
    days = [day.toordinal() for day in schedule.index]
    closes = _instants(schedule["close"])
    usual = np.array([at_et(date.fromordinal(day), "16:00") for day in days])
    return _table(days, _instants(schedule["open"]), closes, closes < usual)


def _extended(regular: SessionTable) -> SessionTable:
    days = [date.fromordinal(day) for day in regular.day.tolist()]
    opens = [at_et(day, "04:00") for day in days]
    half = regular.early.astype(bool).tolist()
    closes = [at_et(day, "17:00" if early else "20:00") for day, early in zip(days, half, strict=True)]
    return _table(regular.day, opens, closes, regular.early)


def _futures(schedule: Any) -> SessionTable:
    days = [day.toordinal() for day in schedule.index]
    closes = _instants(schedule["market_close"])
    # From 2005 to 2012 the exchange closed at 16:15 every day: that was its usual hour, not an early one.
    usual = np.array([at_et(date.fromordinal(day), "16:00") for day in days])
    return _table(days, _instants(schedule["market_open"]), closes, closes < usual)


def _instants(column: Any) -> NDArray[np.int64]:
    return column.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]").astype(np.int64)


def _table(day: Any, open_ns: Any, close_ns: Any, early: Any) -> SessionTable:
    columns = [np.asarray(column).astype(np.int64) for column in (day, open_ns, close_ns, early)]
    for column in columns:
        column.flags.writeable = False
    return SessionTable(*columns)


def _sound(table: SessionTable) -> bool:
    columns = [getattr(table, name) for name in _COLUMNS]
    if any(column.ndim != 1 or len(column) != len(table.day) for column in columns) or not len(table.day):
        return False
    return bool(
        np.all(np.diff(table.day) > 0)
        and np.all(table.open_ns < table.close_ns)
        and np.all(table.close_ns[:-1] <= table.open_ns[1:])
        and np.all((table.early == 0) | (table.early == 1))
    )


def _cache_name() -> str:
    libraries = f"{version('exchange_calendars')}-{version('pandas_market_calendars')}"
    return f"sessions-{_FORMAT}-{libraries}-{FIRST_DAY:%Y%m%d}-{LAST_DAY:%Y%m%d}.npz"


def _read(path: Path) -> Tables | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            tables = {
                hours: _table(*(stored[f"{hours.value}_{column}"] for column in _COLUMNS)) for hours in Hours
            }
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    return tables if all(_sound(table) for table in tables.values()) else None


def _write(path: Path, tables: Tables) -> None:
    """Written beside and renamed over, so that a reader sees the whole file or none."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    columns = {
        f"{hours.value}_{column}": getattr(table, column)
        for hours, table in tables.items()
        for column in _COLUMNS
    }
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".draft")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **columns)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def coverage_ns() -> tuple[int, int]:
    """`[from, to)` in UTC ns: the span of instants about which the tables know."""
    return at_et(FIRST_DAY, "00:00"), at_et(LAST_DAY + timedelta(days=1), "00:00")
