"""Wealth plans (SPEC §11): 52 weeks of start and target, and the ladder of each week.

A plan file is CSV with the columns `week,start,target` and, for each level of trade_start, T1, T2 and T3,
`<level>_capital` (dollars from which it holds, inside the week) and `<level>_contracts`, which must be what
the sizing rule says of that capital. The plan's name is the file's.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from pathlib import Path
from typing import Final, NoReturn

from station.domain.errors import BadInput

LEVELS: Final = ("trade_start", "T1", "T2", "T3")
WEEKS: Final = 52
RISK_SHARE: Final = Decimal("0.05")
DOLLARS_A_CONTRACT: Final = Decimal(500)
COLUMNS: Final = (
    "week", "start", "target", *(f"{level}_{what}" for level in LEVELS for what in ("capital", "contracts")),
)  # fmt: skip


def contracts_of(level_capital: Decimal) -> int:
    """max(1, floor(0.05 × level capital / 500)), SPEC §11."""
    whole = (RISK_SHARE * level_capital / DOLLARS_A_CONTRACT).to_integral_value(rounding=ROUND_FLOOR)
    return max(1, int(whole))


@dataclass(frozen=True, slots=True)
class Rung:
    """One level of a week's ladder: it holds from `capital` dollars on."""

    level: str
    capital: Decimal

    @property
    def contracts(self) -> int:
        return contracts_of(self.capital)


@dataclass(frozen=True, slots=True)
class Week:
    """One week of a plan; `rungs` ascend from trade_start at the week's start to T3 under its target."""

    number: int
    start: Decimal
    target: Decimal
    rungs: tuple[Rung, ...]

    def rung_at(self, capital: Decimal) -> Rung:
        """The highest rung that `capital` has reached; trade_start below the week's start too."""
        reached = [rung for rung in self.rungs if capital >= rung.capital]
        return reached[-1] if reached else self.rungs[0]


@dataclass(frozen=True, slots=True)
class Plan:
    """A year's plan; `weeks` are numbered from 1 without a gap, each starting where the last one ends."""

    name: str
    weeks: tuple[Week, ...]

    @property
    def start(self) -> Decimal:
        return self.weeks[0].start

    @property
    def goal(self) -> Decimal:
        return self.weeks[-1].target

    def week(self, number: int) -> Week:
        """The week, or the last one for any later number."""
        return self.weeks[min(max(number, 1), len(self.weeks)) - 1]


def read_plan(path: Path) -> Plan:
    """The plan in a CSV file, named after the file. Raises BadInput naming the row and the mend."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return parse_plan(path.stem, csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as bad:
        raise BadInput(f"wealth plan {path}: cannot be read ({bad}): give a CSV file") from bad


def parse_plan(name: str, rows: Iterable[Mapping[str, str]]) -> Plan:
    """The plan of rows with the file's columns. Raises BadInput naming the row and the mend."""
    weeks: list[Week] = []
    for row in rows:
        week = _week(name, len(weeks) + 1, row)
        if weeks and week.start != weeks[-1].target:
            _refuse(name, week.number, "start", week.start, f"must be week {weeks[-1].number}'s target")
        weeks.append(week)
    if len(weeks) != WEEKS:
        raise BadInput(f"wealth plan {name}: {len(weeks)} weeks, there must be {WEEKS}: complete the file")
    return Plan(name, tuple(weeks))


def _week(name: str, number: int, row: Mapping[str, str]) -> Week:
    missing = [column for column in COLUMNS if not row.get(column)]
    if missing:
        raise BadInput(f"wealth plan {name}: row {number} has no {missing[0]}: give {', '.join(COLUMNS)}")
    if row["week"].strip() != str(number):
        _refuse(name, number, "week", row["week"], f"must be {number}: weeks count from 1 without a gap")
    start = _dollars(name, number, "start", row["start"])
    target = _dollars(name, number, "target", row["target"])
    if target <= start:
        _refuse(name, number, "target", target, f"must be over the week's start {start}")
    rungs = tuple(Rung(level, _dollars(name, number, f"{level}_capital", row[f"{level}_capital"]))
                  for level in LEVELS)  # fmt: skip
    week = Week(number, start, target, rungs)
    _check_ladder(name, week, row)
    return week


def _check_ladder(name: str, week: Week, row: Mapping[str, str]) -> None:
    floor = week.start
    for rung in week.rungs:
        if not floor <= rung.capital <= week.target:
            _refuse(
                name, week.number, f"{rung.level}_capital", rung.capital, f"must be {floor} to {week.target}"
            )
        floor = rung.capital
        given = row[f"{rung.level}_contracts"].strip()
        if given != str(rung.contracts):
            limit = f"must be {rung.contracts}: max(1, floor(0.05 × {rung.capital} / 500))"
            _refuse(name, week.number, f"{rung.level}_contracts", given, limit)
    if week.rungs[0].capital != week.start:
        _refuse(name, week.number, "trade_start_capital", week.rungs[0].capital, f"must be {week.start}")


def _dollars(name: str, number: int, column: str, text: str) -> Decimal:
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        _refuse(name, number, column, text, "must be dollars over 0")
    return amount


def _refuse(name: str, number: int, column: str, value: object, limit: str) -> NoReturn:
    raise BadInput(f"wealth plan {name}: week {number}: {column} = {value} {limit}: mend the file")
