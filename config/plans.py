"""Wealth plans: 52 weeks of geometric growth, and the contracts each level of the ladder trades.

With `r` = goal / start, week w (1 to 52) starts at start · r^((w − 1) / 52) and targets start · r^(w / 52).
Inside a week the ladder climbs the same curve: `trade_start` at its start, `T1`, `T2` and `T3` after one, two
and three quarters. Capitals are whole dollars, rounded half up. A level trades
max(1, floor(0.05 · capital / 500)) contracts (SPEC §11): five percent of its capital in contracts of $500.

`python -m config.plans` writes the shipped files anew.
"""

from __future__ import annotations

import csv
import io
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, localcontext
from pathlib import Path
from typing import Final

from config.files import CONFIG_DIR, ConfigError

WEEKS: Final = 52
LEVELS: Final = ("trade_start", "T1", "T2", "T3")
POSITION_FRACTION: Final = Decimal("0.05")
CONTRACT_DOLLARS: Final = Decimal(500)
SHIPPED: Final = {
    "WM235K": (Decimal(35_000), Decimal(500_000)),
    "WM2310K": (Decimal(10_000), Decimal(150_000)),
    "WM2320K": (Decimal(20_000), Decimal(300_000)),
}
"""Start capital and the year's goal of each shipped plan, dollars."""

COLUMNS: Final = (
    "week",
    "start",
    "target",
    *(f"{level}_{what}" for level in LEVELS for what in ("capital", "contracts")),
)


def contracts_at(capital: Decimal) -> int:
    """Contracts that a ladder level of `capital` dollars trades; at least one."""
    return max(1, int((POSITION_FRACTION * capital / CONTRACT_DOLLARS).to_integral_value(ROUND_FLOOR)))


def generate_plan(start: Decimal, goal: Decimal) -> list[dict[str, str]]:
    """The plan's 52 rows with the keys of `COLUMNS`; capitals in whole dollars as text.

    Raises ConfigError unless 0 < start < goal.
    """
    if not 0 < start < goal:
        raise ConfigError(f"wealth plan from {start} to {goal}: needs 0 < start < goal: raise the goal")
    with localcontext(Context(prec=40)):
        growth = (goal / start).ln() / (WEEKS * len(LEVELS))
        curve = [
            (start * (growth * step).exp()).quantize(Decimal(1), ROUND_HALF_UP)
            for step in range(WEEKS * len(LEVELS) + 1)
        ]
    return [_week(week, curve) for week in range(1, WEEKS + 1)]


def _week(week: int, curve: list[Decimal]) -> dict[str, str]:
    first = (week - 1) * len(LEVELS)
    row = {"week": str(week), "start": str(curve[first]), "target": str(curve[first + len(LEVELS)])}
    for offset, level in enumerate(LEVELS):
        capital = curve[first + offset]
        row[f"{level}_capital"] = str(capital)
        row[f"{level}_contracts"] = str(contracts_at(capital))
    return row


def plan_text(name: str) -> str:
    """The CSV text of a shipped plan, as its formula gives it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(generate_plan(*SHIPPED[name]))
    return out.getvalue()


def plan_names() -> list[str]:
    """The names of the plans there are, sorted."""
    return sorted(found.stem for found in CONFIG_DIR.glob("*.csv"))


def plan_path(name: str) -> Path:
    """Where the plan called `name` lies. Raises ConfigError for a name that is no plan's."""
    path = CONFIG_DIR / f"{name}.csv"
    if not name.isalnum() or not path.is_file():
        known = ", ".join(plan_names())
        raise ConfigError(f"wealth plan {name!r} does not exist: use one of {known}, or add {path}")
    return path


def write_shipped(directory: Path = CONFIG_DIR) -> None:
    """Write every shipped plan into `directory`."""
    for name in SHIPPED:
        (directory / f"{name}.csv").write_text(plan_text(name), encoding="utf-8")


if __name__ == "__main__":
    write_shipped()
