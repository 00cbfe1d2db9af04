"""Reports and wealth of a runtime directory, whether an engine runs there or not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from config.plans import plan_names, plan_path
from station.domain.trade import Trade
from station.journal.album import Album
from station.journal.periods import Period, day_of, month_of, week_of
from station.journal.report import period_csv, period_markdown
from station.journal.wealth import wealth_markdown, wealth_progress
from station.store import Inline, WealthReader, viewed
from station.store.files import WEALTH
from station.wealth import read_plan
from station.wealth.progress import Progress

DAYS_OF_A_GALLERY = 7
PERIODS = {"day": day_of, "week": week_of, "month": month_of}


def report_of(runtime: Path, trades: Sequence[Trade], day: date, period: str, *, as_csv: bool) -> str:
    """The report of the day, or of the week or month up to it."""
    one = PERIODS[period](day)
    if as_csv:
        return period_csv(trades, one.first, one.last)
    wealth = wealth_markdown(standing_of(runtime)) if (runtime / WEALTH).is_file() else ()
    return period_markdown(
        trades, one.first, one.last, f"Vigil, {one.title}", wealth=wealth,
        gallery=gallery_of(runtime, trades, one),
    )  # fmt: skip


def gallery_of(runtime: Path, trades: Sequence[Trade], period: Period) -> list[str]:
    """The pictures of a day or a week in Markdown; a longer period has none; a disk that refuses is said."""
    if (period.last - period.first).days >= DAYS_OF_A_GALLERY:
        return []
    try:
        return Album(runtime).markdown(trades, period.first, period.last)
    except OSError as error:
        return ["## Pictures", "", f"cannot be read: {error.strerror or error}", ""]


def standing_of(runtime: Path) -> tuple[Progress, ...]:
    """Every plan that has begun. Raises BadInput where there is no wealth database."""
    plans = {name: read_plan(plan_path(name)) for name in plan_names()}
    with viewed(runtime / WEALTH) as connection:
        return asyncio.run(wealth_progress(WealthReader(Inline(connection)), plans))
