"""The wealth ladder: where the account stands on its plan, and how far the week's target is."""

from __future__ import annotations

from decimal import Decimal

from station.link import PlanRow, Wealth
from widgets import ink, words
from widgets.ink import Line, Span
from widgets.pane import Block, Content
from widgets.scene import Scene

NAMES = {"trade_start": "start"}


def part(scene: Scene) -> Wealth | None:
    return scene.floor.wealth


def content(scene: Scene, width: int) -> Content:
    wealth = scene.floor.wealth
    if wealth is None:
        return Content()
    head = wealth.plans[0] if wealth.plans else None
    return Content(
        title=f"Wealth {head.plan}" if head else "",
        note=f"week {head.week}/{head.weeks}" if head else "",
        blocks=tuple(Block(_plan(row, width, named=number > 0)) for number, row in enumerate(wealth.plans)),
        empty="no plan is in use",
    )


def share(row: PlanRow) -> float:
    """How much of the week's way is done, 0 to 1."""
    way = row.target - row.start
    return min(max(float((row.capital - row.start) / way), 0.0), 1.0) if way else 0.0


def _plan(row: PlanRow, width: int, *, named: bool) -> tuple[Line, ...]:
    done = share(row)
    bar = max(width - 8, 4)
    full = round(done * bar)
    lines: list[Line] = [((f" {row.plan} week {row.week}/{row.weeks}", ink.TEXT),)] if named else []
    lines += [
        _ladder(row, width),
        ((" ", ink.TEXT), ("█" * full, ink.UP), ("░" * (bar - full), ink.FAINT),
         (f" {done * 100:3.0f}%", ink.STRONG)),
        ink.clipped(_capital(row), width),
        ink.clipped(_size(row), width),
        ink.clipped(((" to date ", ink.DIM),
                     (f"{words.arrow(row.pnl_to_date)} {words.signed_money(row.pnl_to_date)}",
                      words.tone(row.pnl_to_date))), width),
    ]  # fmt: skip
    return tuple(lines)


def _capital(row: PlanRow) -> Line:
    return (
        (f" {words.whole(row.capital)}", ink.STRONG), (" of ", ink.DIM), (words.whole(row.target), ink.TEXT),
        (f"  from {words.whole(row.start)}", ink.DIM),
    )  # fmt: skip


def _ladder(row: PlanRow, width: int) -> Line:
    """`●start──●T1──○T2──○T3`."""
    spans: list[Span] = [(" ", ink.TEXT)]
    for number, rung in enumerate(row.rungs):
        reached = row.capital >= rung.capital or rung.level == row.level
        if number:
            spans.append(("──", ink.UP if reached else ink.FAINT))
        here = rung.level == row.level
        spans.append(("●" if reached else "○", ink.UP if reached else ink.DIM))
        spans.append((NAMES.get(rung.level, rung.level), ink.STRONG if here else ink.DIM))
    return ink.clipped(tuple(spans), width)


def _size(row: PlanRow) -> Line:
    here = next((rung for rung in row.rungs if rung.level == row.level), None)
    following = next((rung for rung in row.rungs if rung.capital > row.capital), None)
    spans: list[Span] = [(f" size {_contracts(here.contracts if here else 1)}", ink.TEXT)]
    if following is not None:
        missing = following.capital - row.capital
        spans.append((f"  {NAMES.get(following.level, following.level)} in {words.whole(missing)}", ink.DIM))
    elif row.capital < row.target:
        spans.append((f"  target in {words.whole(row.target - row.capital)}", ink.DIM))
    return tuple(spans)


def _contracts(count: int) -> str:
    return f"{Decimal(count)} contract{'' if count == 1 else 's'}"
