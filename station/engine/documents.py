"""Documents that need no engine: the scanner catalogue and a scan over a bar file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from station.calendars import Calendar, series_hours
from station.domain.clock import utc_text
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe
from station.domain.specs import ScannerSpec
from station.scanners import family_of, scan_all, warmup_bars
from station.series import aggregate, read_bars


def scanner_document(specs: Iterable[ScannerSpec]) -> dict[str, Any]:
    """The `scanners` document: the whole catalogue, in its order, parameters filled with their defaults."""
    rows = [
        {
            "name": spec.name,
            "family": spec.family,
            "instrument": spec.instrument,
            "timeframe": spec.timeframe.value,
            "side": spec.side,
            "params": dict(family_of(spec).params(spec)),
            "cooldown_s": spec.effective_cooldown_s,
            "enabled": spec.enabled,
            "warmup_bars": warmup_bars(spec),
        }
        for spec in specs
    ]
    return {"v": 1, "scanners": rows}


def scan_document(
    spec: ScannerSpec, path: Path, symbol: str | None, timeframe: str | None, calendar: Calendar
) -> dict[str, Any]:
    """Every firing of `spec` over a bar file, ungated. Symbol and timeframe override the catalogue's."""
    frame = _timeframe(timeframe) if timeframe else spec.timeframe
    file = read_bars(path, symbol, calendar)
    file.require(frame)
    hours = series_hours(INSTRUMENTS[file.symbol]) if file.symbol in INSTRUMENTS else Hours.REGULAR
    bars = aggregate(file.bars, frame, hours, calendar)
    moved = replace(spec, instrument=file.symbol, timeframe=frame)
    firings = scan_all(moved, bars, calendar, hours)
    return {
        "v": 1,
        "scanner": spec.name,
        "symbol": file.symbol,
        "timeframe": frame.value,
        "bars": len(bars),
        "warmup_bars": warmup_bars(moved),
        "dirt": dict(sorted(file.dirt.items())),
        "firings": [
            {"ts_utc": utc_text(f.bar_start_ns), "side": f.side.value, "score": f.score} for f in firings
        ],
    }


def _timeframe(text: str) -> Timeframe:
    try:
        return Timeframe(text)
    except ValueError:
        known = " ".join(frame.value for frame in Timeframe)
        raise BadInput(f"timeframe {text!r} is not one of {known}") from None
