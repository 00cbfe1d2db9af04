"""Wealth against plan, as the document of the command line and as a part of the reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from station.journal.shapes import Json, decimal_text
from station.journal.tables import markdown_table
from station.store import WealthReader
from station.wealth import Plan
from station.wealth.progress import Progress, WeekProgress, progress


async def wealth_progress(reader: WealthReader, plans: Mapping[str, Plan]) -> tuple[Progress, ...]:
    """Every plan that has begun and whose file is there, by name."""
    states = [state for state in await reader.states() if state.plan in plans]
    return tuple(
        [progress(plans[state.plan], state, await reader.weeks(state.plan)) for state in states]
    )  # fmt: skip


def wealth_document(found: Iterable[Progress]) -> Json:
    """`{v, plans: [{plan, capital, pnl_to_date, week, level, contracts, target, share, left, weeks: [{week,
    start, target, capital, trades, wins, net_pnl, met}]}]}`."""
    return {"v": 1, "plans": [_plan(one) for one in found]}


def _plan(one: Progress) -> Json:
    return {
        "plan": one.plan,
        "capital": decimal_text(one.capital),
        "pnl_to_date": decimal_text(one.pnl_to_date),
        "week": one.week,
        "level": one.level,
        "contracts": one.contracts,
        "target": decimal_text(one.target),
        "share": round(one.share, 4),
        "left": decimal_text(one.left),
        "weeks": [_week(week) for week in one.weeks],
    }


def _week(week: WeekProgress) -> Json:
    return {
        "week": week.number, "start": decimal_text(week.start), "target": decimal_text(week.target),
        "capital": decimal_text(week.capital), "trades": week.trades, "wins": week.wins,
        "net_pnl": decimal_text(week.net_pnl), "met": week.met,
    }  # fmt: skip


def wealth_markdown(found: Iterable[Progress]) -> list[str]:
    """A section of a report: where each plan stands, then its weeks; nothing where no plan has begun."""
    lines: list[str] = []
    for one in found:
        lines += ["", f"**{one.plan}**: {wealth_line(one)}", ""]
        rows = [
            (
                f"{week.number}", f"{week.start:,.0f}", f"{week.target:,.0f}", f"{week.capital:,.2f}",
                f"{week.trades}", f"{week.wins}", f"{week.net_pnl:+.2f}", "yes" if week.met else "not yet",
            )
            for week in one.weeks
        ]  # fmt: skip
        lines += markdown_table(
            ("week", "start", "target", "capital", "trades", "won", "net", "target met"), rows
        )
    return ["## Wealth against plan", *lines, ""] if lines else []


def wealth_line(one: Progress) -> str:
    """Where one plan stands, in one line."""
    return (
        f"week {one.week}, level {one.level}, {one.contracts} contracts, capital {one.capital:,.2f} of "
        f"{one.target:,.0f} ({one.share:.0%} of the week's way, {one.left:,.2f} left)"
    )
