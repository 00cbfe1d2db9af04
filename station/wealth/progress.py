"""Where an account stands against its plan, week by week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from station.domain.ports import WealthState
from station.store import WeekSummary
from station.wealth.plans import Plan


@dataclass(frozen=True, slots=True)
class WeekProgress:
    """A week of the plan as it was traded; dollars. `capital` is where it ended, or stands now; `met` that its
    target was reached. A plan's week lasts until then, however many of the calendar's that takes."""

    number: int
    start: Decimal
    target: Decimal
    capital: Decimal
    trades: int
    wins: int
    net_pnl: Decimal
    met: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """A plan's account: `share` of the way from this week's start to its target (1 is there, negative below the
    start), `left` dollars to it."""

    plan: str
    capital: Decimal
    pnl_to_date: Decimal
    week: int
    level: str
    contracts: int
    target: Decimal
    share: float
    left: Decimal
    weeks: tuple[WeekProgress, ...]


def progress(plan: Plan, state: WealthState, traded: Sequence[WeekSummary]) -> Progress:
    """The account in `state` against `plan`. Pure. Raises ValueError for another plan's state."""
    if state.plan != plan.name:
        raise ValueError(f"state of plan {state.plan} cannot be held against plan {plan.name}")
    week = plan.week(state.week)
    way = week.target - week.start
    return Progress(
        plan.name, state.capital, state.pnl_to_date, week.number, state.level,
        week.rung_at(state.capital).contracts, week.target, float((state.capital - week.start) / way),
        max(week.target - state.capital, Decimal(0)), tuple(_week(plan, one) for one in traded),
    )  # fmt: skip


def _week(plan: Plan, traded: WeekSummary) -> WeekProgress:
    planned = plan.week(traded.week)
    return WeekProgress(
        planned.number, planned.start, planned.target, traded.end_capital, traded.trades, traded.wins,
        traded.net_pnl, traded.end_capital >= planned.target,
    )  # fmt: skip
