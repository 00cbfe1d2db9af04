"""A folder of bar files as a source of history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from station.calendars import Calendar, series_hours
from station.clock import Activity
from station.domain.errors import BadInput, Refused
from station.domain.instruments import INSTRUMENTS, Instrument, Timeframe
from station.market.sources import SourceUnavailable
from station.series import (
    ADJUSTED,
    RAW,
    Bars,
    adjust,
    aggregate,
    concat,
    read_bars,
    read_factors,
    symbols_in,
)

SUFFIXES: Final = frozenset({".parquet", ".pq", ".csv"})


class FolderSource:
    """The Parquet and CSV files of `folder`, searched by symbol: their symbol column, else the first part of
    the file's name (`NVDA.csv`, `nvda_1m.parquet`).

    With `factors`, a folder of `SYMBOL.csv` factor files, prices are adjusted on the scale of `as_of`; a symbol
    without a file stays as it is. A file is read once, off the loop, when its symbol is first asked for.
    """

    name = "folder"

    def __init__(
        self, folder: Path, activity: Activity, calendar: Calendar, *, factors: Path | None = None,
        as_of: date | None = None, instruments: Mapping[str, Instrument] = INSTRUMENTS,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._activity = activity
        self._calendar = calendar
        self._factors = factors
        self._as_of = as_of
        self._instruments = instruments
        self._files: dict[str, list[Path]] | None = None
        self._known: dict[str, list[tuple[int, Bars]]] = {}

    def label(self, instrument: Instrument) -> str:
        """`adjusted` where a factor file is found."""
        return RAW if self._factor_file(instrument) is None else ADJUSTED

    async def bars(self, instrument: Instrument, timeframe: Timeframe, end_ns: int, count: int) -> Bars:
        """Raises Refused where no file has bars as fine as `timeframe`, SourceUnavailable where the folder or a
        file cannot be read."""
        parts = self._known.get(instrument.symbol)
        if parts is None:
            try:
                parts = await self._activity.off_loop(self._read, instrument)
            except (OSError, BadInput) as error:
                raise SourceUnavailable(f"{self._folder}: {error}") from None
            self._known[instrument.symbol] = parts
        fine = [bars for step_ns, bars in parts if timeframe is Timeframe.D1 or step_ns <= timeframe.ns]
        if not fine:
            raise Refused(
                "no_bars",
                f"{self._folder} holds no bars of {instrument.symbol} for {timeframe.value}: add a file",
            )
        hours = series_hours(instrument)
        found = _united([aggregate(bars, timeframe, hours, self._calendar) for bars in fine]).before(end_ns)
        return found.cut(max(len(found) - count, 0), None)

    async def close(self) -> None:
        """Nothing is held open."""

    def _read(self, instrument: Instrument) -> list[tuple[int, Bars]]:
        """Every file's bars of the symbol with their step, finest first."""
        if self._files is None:
            self._files = self._index()
        parts: list[tuple[int, Bars]] = []
        for path in self._files.get(instrument.symbol, ()):
            file = read_bars(path, instrument.symbol, self._calendar, self._instruments)
            parts.append((file.step_ns, self._scaled(instrument, file.bars)))
        return sorted(parts, key=lambda part: part[0])

    def _index(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in sorted(self._folder.iterdir()):
            if path.suffix.lower() in SUFFIXES:
                for symbol in symbols_in(path) or (path.stem.split("_")[0].upper(),):
                    found.setdefault(symbol, []).append(path)
        return found

    def _scaled(self, instrument: Instrument, bars: Bars) -> Bars:
        path = self._factor_file(instrument)
        if path is None:
            return bars
        return adjust(bars, read_factors(path), series_hours(instrument), self._calendar, self._as_of)

    def _factor_file(self, instrument: Instrument) -> Path | None:
        names = (instrument.symbol, instrument.symbol.lower())
        paths = [] if self._factors is None else [self._factors / f"{name}.csv" for name in names]
        return next((path for path in paths if path.is_file()), None)


def _united(parts: list[Bars]) -> Bars:
    """The bars of all parts by start; of two the earlier part's."""
    joined = concat(*parts)
    _, first = np.unique(joined.start_ns, return_index=True)
    return joined.take(first)
