"""How many contracts the plan's ladder allows now."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from station.domain.ports import WealthState
from station.domain.signals import Decision
from station.wealth.plans import LEVELS, Plan


@dataclass(frozen=True, slots=True)
class Sizing:
    """`qty` contracts, and the ladder that said so."""

    qty: Decimal
    plan: str
    week: int
    level: str
    capital: Decimal
    decisions: tuple[Decision, ...]


def first_state(plan: Plan) -> WealthState:
    """Where every account begins on `plan`: its start capital, week 1, nothing earned."""
    return WealthState(plan.name, plan.start, 1, LEVELS[0], Decimal(0))


def size(plan: Plan, state: WealthState, at_ns: int, trade_id: str = "") -> Sizing:
    """The ladder's size for an account in `state`. Pure. Raises ValueError for another plan's state."""
    if state.plan != plan.name:
        raise ValueError(f"state of plan {state.plan} cannot be sized by plan {plan.name}")
    week = plan.week(state.week)
    rung = week.rung_at(state.capital)
    decision = Decision(
        trade_id, "size", "pass", f"{plan.name} week {week.number}, level {rung.level}", at_ns,
        value=f"{rung.contracts} contracts at capital {state.capital}",
        limit=f"floor(0.05 × {rung.capital} / 500), at least 1",
    )  # fmt: skip
    return Sizing(Decimal(rung.contracts), plan.name, week.number, rung.level, state.capital, (decision,))
