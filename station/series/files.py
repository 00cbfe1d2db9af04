"""Bar files: Parquet or CSV with `ts_utc` (bar start, UTC), open, high, low, close, volume, and `symbol`
or the symbol as an argument. A bad file is refused, a bad row quarantined and counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from station.calendars import Calendar, load_calendar, series_hours
from station.domain.clock import SECOND
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, Instrument, SecType, Timeframe
from station.series.aggregate import grid_starts
from station.series.bars import Bars, Int64s

Arrow = Any
"""pyarrow ships no types; its tables and columns pass through here untyped and leave as NumPy arrays."""
PRICES: Final = ("open", "high", "low", "close")
BROKEN_LIMIT: Final = 0.01
_COLUMNS: Final = frozenset({"ts_utc", *PRICES, "volume", "symbol"})
_UTC_ZONES: Final = frozenset({"UTC", "Etc/UTC", "Z", "+00:00", "GMT"})
_UTC_TEXT: Final = re.compile(r"(?:Z|[+-]00:?00| ?UTC)$")
_ZONED_TEXT: Final = re.compile(r"[+-]\d\d:?\d\d$")


class UnusableFile(BadInput):
    """The file cannot be read as bars at all (VERBS: exit 2)."""

    exit_code = 2


class DirtyFile(BadInput):
    """More rows are broken than a result could survive (VERBS: exit 1)."""

    exit_code = 1


@dataclass(frozen=True, slots=True, eq=False)
class BarFile:
    """The clean bars of one symbol, strictly ascending; `dirt` counts quarantined rows by code (absent: none);
    `step_ns` is the smallest distance between two bars, 0 with fewer than two."""

    symbol: str
    bars: Bars
    dirt: dict[str, int]
    step_ns: int

    def require(self, timeframe: Timeframe) -> None:
        """Raises UnusableFile where the bars are coarser than `timeframe`."""
        if timeframe is not Timeframe.D1 and self.step_ns > timeframe.ns:
            raise UnusableFile(
                f"{self.symbol}: the file's bars are {self.step_ns // SECOND} s apart, coarser than "
                f"{timeframe.value}: give finer bars or a longer timeframe"
            )


def read_bars(
    path: Path,
    symbol: str | None = None,
    calendar: Calendar | None = None,
    instruments: Mapping[str, Instrument] = INSTRUMENTS,
) -> BarFile:
    """The bars of one symbol in a file.

    Raises UnusableFile (exit 2): unreadable, a missing column, a naive or non-UTC `ts_utc`, no such symbol, or
    several symbols and none asked for. Raises DirtyFile (exit 1): over 1 % of rows NaN or with broken OHLC.
    """
    table = _read_table(path)
    found = _symbols(table)
    if symbol is None:
        if len(found) != 1:
            raise UnusableFile(
                f"{path}: {len(found)} symbols in the file and none asked for: choose one with --symbol"
                if found
                else f"{path}: no symbol column: name the symbol with --symbol"
            )
        symbol = found[0]
    elif found and symbol not in found:
        shown = ", ".join(found[:5]) + (" …" if len(found) > 5 else "")
        raise UnusableFile(f"{path}: no rows of {symbol}; the file holds {shown}")
    return _bar_file(path, table, symbol, calendar or load_calendar(), instruments)


def read_all_bars(
    path: Path,
    symbol: str | None = None,
    calendar: Calendar | None = None,
    instruments: Mapping[str, Instrument] = INSTRUMENTS,
) -> tuple[BarFile, ...]:
    """Every symbol of a file, in name order; `symbol` names the rows of a file that has no symbol column, and
    picks one where it has. Errors as `read_bars`."""
    if symbol is not None:
        return (read_bars(path, symbol, calendar, instruments),)
    table = _read_table(path)
    found = _symbols(table)
    if not found:
        raise UnusableFile(f"{path}: no symbol column: name the symbol with --symbol")
    known = calendar or load_calendar()
    return tuple(_bar_file(path, table, name, known, instruments) for name in found)


def symbols_in(path: Path) -> tuple[str, ...]:
    """The symbols that a bar file names, in name order; none without a symbol column. Raises UnusableFile."""
    return tuple(_symbols(_read_table(path, frozenset({"symbol"}))))


def _read_table(path: Path, wanted: frozenset[str] = _COLUMNS) -> Arrow:
    import pyarrow as pa

    if not path.is_file():
        raise UnusableFile(f"{path}: no such file")
    try:
        return _read_parquet(path, wanted) if _is_parquet(path) else _read_csv(path)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnusableFile(f"{path}: cannot be read as Parquet or CSV: {reason[:160]}") from None


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1" or path.suffix.lower() in {".parquet", ".pq"}


def _read_parquet(path: Path, wanted: frozenset[str]) -> Arrow:
    import pyarrow.parquet as pq

    names = set(pq.read_schema(path).names)
    return pq.read_table(path, columns=sorted(names & wanted))


def _read_csv(path: Path) -> Arrow:
    import pyarrow as pa
    from pyarrow import csv

    types: dict[str, Any] = {name: pa.float64() for name in (*PRICES, "volume")}
    types |= {"ts_utc": pa.string(), "symbol": pa.string()}
    return csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=types))


def _symbols(table: Arrow) -> list[str]:
    if "symbol" not in table.column_names:
        return []
    import pyarrow as pa

    names = table.column("symbol").cast(pa.string()).unique().to_pylist()
    return sorted(name for name in names if name)


def _bar_file(
    path: Path, table: Arrow, symbol: str, calendar: Calendar, instruments: Mapping[str, Instrument]
) -> BarFile:
    instrument = instruments.get(symbol)
    index = instrument is not None and instrument.sec_type is SecType.INDEX
    needed = ["ts_utc", *PRICES] + ([] if index else ["volume"])
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise UnusableFile(f"{path}: missing column {', '.join(missing)}; needed are {', '.join(needed)}")
    if "symbol" in table.column_names:
        pc: Arrow = import_module("pyarrow.compute")

        table = table.filter(pc.equal(table.column("symbol").cast("string"), symbol))
    starts, dated = _instants(path, table)
    columns = {name: _floats(path, table, name) for name in PRICES}
    columns["volume"] = _volume(path, table, index)
    rows = Bars(starts, *(columns[name] for name in (*PRICES, "volume")))
    hours = Hours.REGULAR if instrument is None else series_hours(instrument)
    bars, dirt = quarantine(rows, dated, hours, calendar)
    broken = dirt.get("nan", 0) + dirt.get("ohlc", 0)
    if broken > BROKEN_LIMIT * len(rows):
        raise DirtyFile(
            f"{path}: {broken} of {len(rows)} {symbol} rows are NaN or have broken OHLC "
            f"({broken / len(rows):.1%}, limit {BROKEN_LIMIT:.0%}): repair the file"
        )
    if len(bars) == 0:
        raise UnusableFile(f"{path}: no usable {symbol} bars among {len(rows)} rows ({_shown(dirt)})")
    step = int(np.diff(bars.start_ns).min()) if len(bars) > 1 else 0
    return BarFile(symbol, bars, dirt, step)


def _shown(dirt: dict[str, int]) -> str:
    return ", ".join(f"{code} {count}" for code, count in dirt.items()) or "the file is empty"


def _instants(path: Path, table: Arrow) -> tuple[Int64s, NDArray[np.bool_]]:
    """Starts in UTC ns (0 where null) and which rows have one."""
    import pyarrow as pa

    pc: Arrow = import_module("pyarrow.compute")

    column = table.column("ts_utc").combine_chunks()
    kind = column.type
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            raise UnusableFile(f"{path}: ts_utc is naive: store bar starts with the zone UTC")
        if kind.tz not in _UTC_ZONES:
            raise UnusableFile(f"{path}: ts_utc is in {kind.tz}, not UTC: convert it")
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        column = _parse_instants(path, column)
    else:
        raise UnusableFile(f"{path}: ts_utc is {kind}, not a UTC timestamp")
    dated = np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), np.bool_)
    whole = column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).fill_null(0)
    return np.array(whole.to_numpy(zero_copy_only=False), np.int64), dated


def _parse_instants(path: Path, texts: Arrow) -> Arrow:
    import pyarrow as pa

    pc: Arrow = import_module("pyarrow.compute")

    for row, text in enumerate(texts.to_pylist()):
        if not text or _UTC_TEXT.search(text):
            continue
        fault = "not in UTC" if _ZONED_TEXT.search(text) and ":" in text else "naive"
        raise UnusableFile(f"{path}: ts_utc {text!r} in row {row + 1} is {fault}: write 2024-07-01T13:30:00Z")
    plain = pc.replace_substring_regex(texts, r"(Z|[+-]00:?00| ?UTC)$", "")
    plain = pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.string()), plain)
    try:
        return plain.cast(pa.timestamp("ns")).cast(pa.timestamp("ns", "UTC"))
    except pa.ArrowInvalid as error:
        raise UnusableFile(f"{path}: ts_utc holds text that is no time: {error}") from None


def _floats(path: Path, table: Arrow, name: str) -> NDArray[np.float64]:
    import pyarrow as pa

    try:
        column = table.column(name).cast(pa.float64(), safe=False).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UnusableFile(f"{path}: column {name} is {table.column(name).type}, not numbers") from None
    return np.array(column.to_numpy(zero_copy_only=False), np.float64)


def _volume(path: Path, table: Arrow, index: bool) -> NDArray[np.float64]:
    if "volume" not in table.column_names:
        return np.zeros(table.num_rows)
    volume = _floats(path, table, "volume")
    return np.nan_to_num(volume, nan=0.0) if index else volume


def quarantine(
    rows: Bars, dated: NDArray[np.bool_], hours: Hours, calendar: Calendar
) -> tuple[Bars, dict[str, int]]:
    """Part the clean bars from the dirt. A row is counted once, under the first code that holds:
    nan (a value or the time is absent or not finite), ohlc (not low ≤ open, close ≤ high, all above 0, or a
    negative volume), off_session, duplicate (a start seen before), disorder (starts before an earlier row)."""
    dirt: dict[str, int] = {}
    kept = np.flatnonzero(_noted(dirt, "nan", dated & _finite(rows)))
    kept = kept[_noted(dirt, "ohlc", sound(rows.take(kept)))]
    inside = grid_starts(rows.start_ns[kept], Timeframe.M1, hours, calendar) >= 0
    kept = kept[_noted(dirt, "off_session", inside)]
    starts = rows.start_ns[kept]
    if len(starts) > 1 and not (np.diff(starts) > 0).all():
        _, first = np.unique(starts, return_index=True)
        fresh = np.zeros(len(starts), np.bool_)
        fresh[first] = True
        kept = kept[_noted(dirt, "duplicate", fresh)]
        starts = rows.start_ns[kept]
        kept = kept[_noted(dirt, "disorder", starts == np.maximum.accumulate(starts))]
    return rows.take(kept), dirt


def _noted(dirt: dict[str, int], code: str, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    bad = len(good) - int(np.count_nonzero(good))
    if bad:
        dirt[code] = bad
    return good


def _finite(rows: Bars) -> NDArray[np.bool_]:
    good = np.ones(len(rows), np.bool_)
    for column in rows.columns[1:]:
        good &= np.isfinite(column)
    return good


def sound(rows: Bars) -> NDArray[np.bool_]:
    """Which bars hold low ≤ open, close ≤ high, prices above 0 and volume at least 0."""
    return (
        (rows.low > 0)
        & (rows.low <= np.minimum(rows.open, rows.close))
        & (rows.high >= np.maximum(rows.open, rows.close))
        & (rows.volume >= 0)
    )
