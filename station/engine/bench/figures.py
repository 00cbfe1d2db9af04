"""What a benchmark found, against what is allowed: quantiles, the table for people and the rows for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

_NAME_WIDTH: Final = 52


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured path, in `unit`. A budget of None is none; `ok` is None where there is nothing to hold."""

    name: str
    unit: str
    p50: float
    p99: float
    samples: int
    budget_p50: float | None = None
    budget_p99: float | None = None
    note: str = ""

    @property
    def ok(self) -> bool | None:
        held = [
            value <= limit
            for value, limit in ((self.p50, self.budget_p50), (self.p99, self.budget_p99))
            if limit is not None
        ]
        return all(held) if held else None

    def shape(self) -> dict[str, Any]:
        return {
            "name": self.name, "unit": self.unit, "p50": _round(self.p50), "p99": _round(self.p99),
            "budget_p50": self.budget_p50, "budget_p99": self.budget_p99, "ok": self.ok,
            "samples": self.samples, "note": self.note,
        }  # fmt: skip


def quantile(samples: Iterable[float], share: float) -> float:
    """The value below which `share` of the samples lie. Raises ValueError without samples."""
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("a quantile needs at least one sample")
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def figure(
    name: str, unit: str, samples: Sequence[float], p50: float | None = None, p99: float | None = None,
    note: str = "",
) -> Figure:  # fmt: skip
    """The figure of `samples` under the budgets `p50` and `p99`."""
    return Figure(name, unit, quantile(samples, 0.5), quantile(samples, 0.99), len(samples), p50, p99, note)


def table(figures: Sequence[Figure]) -> str:
    """One aligned line a figure."""
    head = f"{'path':{_NAME_WIDTH}} {'p50':>9} {'p99':>9} {'unit':6} {'budget p50/p99':>15} {'':5}{'n':>6}"
    return "\n".join([head, "-" * len(head), *map(_line, figures)])


def _line(one: Figure) -> str:
    verdict = {True: "ok", False: "MISS", None: ""}[one.ok]
    limits = ""
    if one.ok is not None:
        limits = f"{_limit(one.budget_p50)} / {_limit(one.budget_p99)}"
    row = (
        f"{one.name:{_NAME_WIDTH}} {_round(one.p50):>9g} {_round(one.p99):>9g} {one.unit:6} "
        f"{limits:>15} {verdict:5}{one.samples:>6}"
    )
    return f"{row}  {one.note}".rstrip()


def _limit(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _round(value: float) -> float:
    return round(value, 3) if abs(value) < 100 else round(value, 1)
