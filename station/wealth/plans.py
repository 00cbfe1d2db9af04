"""Wealth plans (SPEC §11): 52 weeks of start and target, and the contracts of each ladder level.

A plan file is CSV with the columns `week,start,target` and, where given, `trade_start,T1,T2,T3`: the
contracts of each level, which must be what the sizing rule says. Dollars; the plan's name is the file's.
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
_REQUIRED: Final = ("week", "start", "target")


def contracts_of(level_capital: Decimal) -> int:
    """max(1, floor(0.05 × level capital / 500)), SPEC §11."""
    whole = (RISK_SHARE * level_capital / DOLLARS_A_CONTRACT).to_integral_value(rounding=ROUND_FLOOR)
    return max(1, int(whole))


@dataclass(frozen=True, slots=True)
class Week:
    """One week of a plan; the ladder's levels are its quarters, so that all four come before the target."""

    number: int
    start: Decimal
    target: Decimal

    def level_capital(self, level: str) -> Decimal:
        """The capital at which `level` begins: the start plus 0, 1, 2 or 3 quarters of the way."""
        return self.start + (self.target - self.start) * LEVELS.index(level) / len(LEVELS)

    def level_at(self, capital: Decimal) -> str:
        """The highest level that `capital` has reached; trade_start below the week's start too."""
        reached = [level for level in LEVELS if capital >= self.level_capital(level)]
        return reached[-1] if reached else LEVELS[0]

    def contracts(self, level: str) -> int:
        return contracts_of(self.level_capital(level))


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
        raise BadInput(
            f"wealth plan {name}: it has {len(weeks)} weeks, it must have {WEEKS}: complete the file"
        )
    return Plan(name, tuple(weeks))


def plan_rows(plan: Plan) -> tuple[dict[str, str], ...]:
    """The plan as CSV rows, contracts included; parsing them gives the plan again."""
    return tuple(
        {"week": str(week.number), "start": str(week.start), "target": str(week.target)}
        | {level: str(week.contracts(level)) for level in LEVELS}
        for week in plan.weeks
    )


def steady_plan(name: str, start: Decimal, goal: Decimal) -> Plan:
    """A plan that grows by the same factor each week from `start` to exactly `goal`, whole dollars."""
    edges = [
        (start * (goal / start) ** (Decimal(n) / WEEKS)).to_integral_value(rounding=ROUND_FLOOR)
        for n in range(WEEKS)
    ]
    edges.append(goal)
    return Plan(name, tuple(Week(n + 1, edges[n], edges[n + 1]) for n in range(WEEKS)))


def _week(name: str, number: int, row: Mapping[str, str]) -> Week:
    missing = [column for column in _REQUIRED if not row.get(column)]
    if missing:
        raise BadInput(f"wealth plan {name}: row {number} has no {missing[0]}: give {', '.join(_REQUIRED)}")
    if row["week"].strip() != str(number):
        _refuse(name, number, "week", row["week"], f"must be {number}: weeks count from 1 without a gap")
    start = _dollars(name, number, "start", row["start"])
    target = _dollars(name, number, "target", row["target"])
    if target <= start:
        _refuse(name, number, "target", target, f"must be over the week's start {start}")
    week = Week(number, start, target)
    for level in LEVELS:
        given = (row.get(level) or "").strip()
        if given and given != str(week.contracts(level)):
            _refuse(name, number, level, given, f"must be {week.contracts(level)} contracts by the sizing rule")
    return week


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
