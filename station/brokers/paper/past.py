"""Bars of the sessions before the tape's own, aggregated once and kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np

from station.brokers.paper.universe import listed
from station.calendars import Calendar, series_hours
from station.domain.instruments import Hours, Timeframe
from station.series import Bars, aggregate, concat

_VERSION: Final = 1
_DEPTHS: Final = (8, 40, 80, 160, 1000)
_LONG: Final = (Timeframe.H1, Timeframe.H4, Timeframe.D1)
_CHUNK: Final = 40
_SESSION_S: Final = {Hours.REGULAR: 6 * 3600 + 1800, Hours.FUTURES: 23 * 3600, Hours.EXTENDED: 16 * 3600}


class Past:
    """`earlier(symbol, back, count)` gives the minutes of `count` sessions, the first of them `back` before the
    tape's; this gives any timeframe, from memory, disk, or by making it.

    A damaged or unwritable cache costs time, never an error.
    """

    def __init__(
        self, calendar: Calendar, earlier: Callable[[str, int, int], Bars], cache_dir: Path | None, name: str
    ) -> None:
        self._calendar = calendar
        self._earlier = earlier
        self._dir = cache_dir
        self._name = name
        self._kept: dict[tuple[str, Timeframe], tuple[int, Bars]] = {}

    def bars(self, symbol: str, timeframe: Timeframe, session: date, count: int) -> Bars:
        """At least `count` bars where there are as many, ending before `session`."""
        hours = series_hours(listed(symbol))
        each = 1 if timeframe is Timeframe.D1 else -(-_SESSION_S[hours] // timeframe.seconds)
        wanted = count // each + 6
        depth = next((depth for depth in _DEPTHS if depth >= wanted), _DEPTHS[-1])
        kept = self._kept.get((symbol, timeframe))
        if kept is not None and kept[0] >= depth:
            return kept[1]
        together = _LONG if timeframe in _LONG else (timeframe,)
        depth = _DEPTHS[-1] if timeframe in _LONG else depth
        made: dict[Timeframe, Bars] = {}
        found: dict[Timeframe, Bars] = {}
        for one in together:
            path = self._path(symbol, one, session, depth)
            bars = _read(path)
            if bars is None:
                made = made or self._made(symbol, together, hours, depth)
                bars = made[one]
                _write(path, bars)
            self._kept[symbol, one] = (depth, bars)
            found[one] = bars
        return found[timeframe]

    def _made(
        self, symbol: str, timeframes: tuple[Timeframe, ...], hours: Hours, depth: int
    ) -> dict[Timeframe, Bars]:
        """Chunk by chunk, so that a thousand sessions of minutes never stand in memory at once."""
        parts: dict[Timeframe, list[Bars]] = {timeframe: [] for timeframe in timeframes}
        for back in range(depth, 0, -_CHUNK):
            minutes = self._earlier(symbol, back, min(_CHUNK, back))
            for timeframe in timeframes:
                parts[timeframe].append(aggregate(minutes, timeframe, hours, self._calendar))
        return {timeframe: concat(*found) for timeframe, found in parts.items()}

    def _path(self, symbol: str, timeframe: Timeframe, session: date, depth: int) -> Path | None:
        if self._dir is None:
            return None
        stem = f"{self._name}-{session}-{symbol}-{timeframe.value}-{depth}-v{_VERSION}"
        return self._dir / f"tape-{stem}.npz"


def _digest(columns: list[np.ndarray]) -> str:
    total = hashlib.blake2b(digest_size=16)
    for column in columns:
        total.update(column.tobytes())
    return total.hexdigest()


def _read(path: Path | None) -> Bars | None:
    if path is None or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            columns = [stored[name] for name in ("start_ns", "open", "high", "low", "close", "volume")]
            sound = str(stored["digest"]) == _digest(columns)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    return Bars(*columns) if sound else None


def _write(path: Path | None, bars: Bars) -> None:
    if path is None:
        return
    columns = list(bars.columns)
    names = ("start_ns", "open", "high", "low", "close", "volume")
    fresh = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            np.savez(file, digest=np.array(_digest(columns)), **dict(zip(names, columns, strict=True)))
        fresh.chmod(0o600)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
