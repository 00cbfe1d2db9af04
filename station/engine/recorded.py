"""What a replay plays: bar files by symbol, or one recorded session."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.settings import Settings
from station.brokers.replay import Recording, read_recording
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, enlist, equity
from station.engine.options import RunOptions
from station.series import BarFile, Bars, read_all_bars, read_bars, symbols_in

RECORDING: Final = ".jsonl"
_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9.]{0,9}")


@dataclass(frozen=True, slots=True)
class Recorded:
    """Files read for a replay: bars by symbol, or one recorded session. `dirt` counts quarantined rows."""

    bars: Mapping[str, Bars]
    dirt: Mapping[str, int]
    session: Recording | None = None


def read_recorded(options: RunOptions, settings: Settings) -> Recorded | None:
    """The replay's files, None where nothing is replayed. Raises BadInput, or what a bar file raises.

    Without `--symbol` every symbol of the catalogue is played; `--symbol A,B` plays those, and one that the
    catalogue does not have is taken for a share without options.
    """
    if settings.broker.kind != "replay":
        if options.bars:
            raise BadInput("--bars goes with --broker replay: add it, or leave the bars out")
        return None
    if not options.bars:
        raise BadInput("--broker replay needs bars: name at least one file with --bars")
    for path in options.bars:
        if path.suffix == RECORDING:
            if len(options.bars) > 1:
                raise BadInput(f"{path}: a recorded session is replayed alone, give no other --bars")
            session = read_recording(path)
            return Recorded({}, session.dirt, session)
    return _bars(options.bars, _wanted(options.symbol))


def _wanted(words: str | None) -> tuple[str, ...]:
    if words is None:
        return ()
    names = tuple(dict.fromkeys(words.split(",")))
    for name in names:
        if not _SYMBOL.fullmatch(name):
            raise BadInput(f"--symbol {words}: {name!r} is no symbol: write it as SPY, or SPY,QQQ for several")
    return names


def _bars(paths: Sequence[Path], wanted: Sequence[str]) -> Recorded:
    found: dict[str, Bars] = {}
    dirt: dict[str, int] = {}
    for path in paths:
        for file in _files(path, wanted):
            if file.symbol in found:
                raise BadInput(f"{path}: {file.symbol} was in an earlier file already: give each symbol once")
            found[file.symbol] = file.bars
            for code, count in file.dirt.items():
                dirt[code] = dirt.get(code, 0) + count
    where = ", ".join(map(str, paths))
    if not found:
        raise BadInput(f"no bars of {', '.join(INSTRUMENTS)} in {where}")
    for name in wanted:
        if name not in found:
            raise BadInput(f"no bars of {name} in {where}: leave it out of --symbol, or add its file")
    enlist(equity(name) for name in wanted if name not in INSTRUMENTS)
    return Recorded(found, dirt)


def _files(path: Path, wanted: Sequence[str]) -> Iterator[BarFile]:
    """What one file has of the wanted symbols; of the catalogue's where none are named."""
    if len(wanted) == 1:
        yield read_bars(path, wanted[0])
    elif wanted:
        names = symbols_in(path)
        if not names:
            raise BadInput(f"{path}: no symbol column: name its one symbol with --symbol")
        yield from (read_bars(path, name) for name in names if name in wanted)
    else:
        yield from (file for file in read_all_bars(path) if file.symbol in INSTRUMENTS)
