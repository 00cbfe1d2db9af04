"""The pictures of a runtime directory: one folder a day, one file a trade and moment; kept so many days."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from station.calendars import et_date
from station.domain.trade import Trade
from station.journal.picture import MOMENTS

FOLDER: Final = "pictures"
_NAME: Final = re.compile(r"([A-Za-z0-9_]+)-(entry|exit)\.svg")


@dataclass(frozen=True, slots=True)
class Kept:
    """One picture file."""

    day: date
    trade_id: str
    moment: str
    path: Path


class Album:
    """Blocking: whoever has a loop to keep free asks on another thread. Raises OSError where the disk does."""

    def __init__(self, runtime: Path) -> None:
        self.folder = runtime / FOLDER

    def path(self, trade: Trade, moment: str) -> Path:
        """Where the picture of a trade is, or would be."""
        return self.folder / et_date(trade.opened_ns).isoformat() / f"{trade.id}-{moment}.svg"

    def of(self, trade: Trade) -> tuple[Path, ...]:
        """The pictures that a trade has, in the order of MOMENTS."""
        return tuple(self.path(trade, moment) for moment in self.moments(trade))

    def moments(self, trade: Trade) -> list[str]:
        """The moments that a trade has pictures of."""
        return [moment for moment in MOMENTS if self.path(trade, moment).is_file()]

    def keep(self, path: Path, svg: str) -> None:
        """Write a picture, whole or not at all, for its owner alone."""
        for folder in (self.folder, path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        fresh = path.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(svg)
        fresh.replace(path)

    def between(self, first: date, last: date) -> tuple[Kept, ...]:
        """The pictures of those days, both included, in order of day, trade and moment."""
        found = [kept for day in self._days() if first <= day <= last for kept in self._of(day)]
        return tuple(sorted(found, key=lambda one: (one.day, one.trade_id, MOMENTS.index(one.moment))))

    def markdown(self, trades: Sequence[Trade], first: date, last: date) -> list[str]:
        """The gallery of those days for a report beside the album: each trade of `trades` that has pictures."""
        kept = self.between(first, last)
        lines: list[str] = []
        for trade in trades:
            mine = [one for one in kept if one.trade_id == trade.id]
            if mine:
                label = trade.contract.label if trade.contract is not None else trade.symbol
                net = f" {trade.net_pnl:+.2f}" if trade.net_pnl is not None else ""
                lines += [f"### {trade.id} {label}{net}", ""]
                lines += [f"![{one.moment}](../{FOLDER}/{one.day}/{one.path.name})" for one in mine]
                lines.append("")
        return ["## Pictures", "", *lines] if lines else []

    def prune(self, before: date) -> int:
        """Remove the days before one; returns how many."""
        old = [day for day in self._days() if day < before]
        for day in old:
            shutil.rmtree(self.folder / day.isoformat())
        return len(old)

    def _days(self) -> Iterator[date]:
        names = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else ()
        for name in names:
            try:
                yield date.fromisoformat(name)
            except ValueError:
                continue

    def _of(self, day: date) -> Iterator[Kept]:
        for path in (self.folder / day.isoformat()).iterdir():
            if found := _NAME.fullmatch(path.name):
                yield Kept(day, found[1], found[2], path)
