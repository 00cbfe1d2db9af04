"""The end of the day, in order (SPEC §20): each step's outcome is told, and a failed step stops no later one.

Stop new signals, let pending orders finish or cancel them, flatten what must be, reconcile, compute the day,
write the report, send the summary, rotate logs, checkpoint and back up.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from station.calendars import at_et
from station.domain.clock import DAY, SECOND
from station.domain.errors import VigilError
from station.domain.events import Alerted, SessionMarked
from station.domain.ports import Changes, DailyMetrics
from station.domain.trade import Cause, Trade
from station.engine.logs import LOG
from station.engine.reports import gallery_of
from station.engine.rooms import Rooms
from station.journal.periods import periods_ending
from station.journal.report import period_csv, period_markdown
from station.journal.shapes import decimal_text
from station.journal.statistics import closed_trades, of_day, statistics
from station.journal.wealth import wealth_line, wealth_markdown, wealth_progress
from station.store import Stores, TradeFilter
from station.wealth.progress import Progress

AFTER_CLOSE_S: Final = 30
KEPT_BACKUPS: Final = 14
KEPT_LOGS: Final = 30
KEPT_ARCHIVE_DAYS: Final = 30
DONE: Final = "day ended"
SUMMED: Final = "day summed"
"""Switches with the session they were done for; each is written in the commit of what it stands for."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step of the checklist."""

    name: str
    ok: bool
    detail: str


class DayEnd:
    """The checklist of one session. Running it again changes nothing that is right already, and tells nothing
    twice: `summed` when the summary was sent before. `probe` is called around every step."""

    def __init__(
        self, rooms: Rooms, stores: Stores, runtime: Path, session: date, next_session: date,
        now: Callable[[], int], *, summed: bool = False, probe: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        self._summed = summed
        self._probe = probe or _unseen
        self._rooms = rooms
        self._stores = stores
        self._runtime = runtime
        self._day = session
        self._next_session = next_session
        self._session = session.isoformat()
        self._now = now
        self.results: tuple[StepResult, ...] = ()

    async def run(self) -> tuple[StepResult, ...]:
        """Perform every step in order and record what each came to."""
        steps: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
            ("stop signals", self._stop_signals),
            ("pending orders", self._pending),
            ("flatten", self._flatten),
            ("reconcile", self._reconcile),
            ("the day", self._compute),
            ("report", self._report),
            ("summary", self._summary),
            ("logs", self._rotate),
            ("backup", self._back_up),
        )
        results: list[StepResult] = []
        for name, step in steps:
            self._probe(f"day.before:{name}")
            try:
                results.append(StepResult(name, True, await step()))
            except (VigilError, OSError) as error:
                results.append(StepResult(name, False, str(error)))
            self._probe(f"day.after:{name}")
        self.results = tuple(results)
        detail = "; ".join(f"{r.name}: {r.detail if r.ok else 'FAILED ' + r.detail}" for r in results)
        stored = Changes(controls={DONE: self._session})
        await self._rooms.ledger.record("", SessionMarked(DONE, self._session, detail), extra=stored)
        return self.results

    async def _stop_signals(self) -> str:
        self._rooms.hunt.stopped = True
        ended = await self._stores.lifecycle.expire_signals(self._now())
        return f"no new entries, {ended} signals expired"

    async def _pending(self) -> str:
        cancelled = await self._rooms.controls.cancel_entries("end of day")
        return f"{cancelled} cancelled"

    async def _flatten(self) -> str:
        """Protection has flattened at close − 5 min; what is left is asked for again and told."""
        left = [trade for trade in self._rooms.ledger.open_trades() if trade.open_qty != 0]
        for trade in left:
            reason = "still open at the end of the day"
            await self._rooms.desk.close_trade(trade.id, Cause.END_OF_DAY, reason, "end of day")
        return f"{len(left)} still open" if left else "flat"

    async def _reconcile(self) -> str:
        clean = await self._rooms.reconciler.reconcile("end of day")
        return "the books agree" if clean else "; ".join(self._rooms.reconciler.unresolved)

    async def _compute(self) -> str:
        found = statistics(closed_trades(self._todays()))
        await self._rooms.money.refresh()
        day = self._rooms.controls.controls.day
        equity = self._rooms.money.equity
        await self._stores.lifecycle.record_day(
            DailyMetrics(
                self._session, found.trades, found.wins, found.losses, found.net_pnl, found.commissions,
                found.max_drawdown, day.baseline if day.baseline is not None else equity, equity, self._now(),
            )
        )  # fmt: skip
        return f"{found.trades} trades, net {decimal_text(found.net_pnl)}"

    def _todays(self) -> list[Trade]:
        return of_day(self._rooms.ledger.trades.values(), self._day)

    async def _report(self) -> str:
        folder = self._runtime / "reports"
        folder.mkdir(mode=0o700, exist_ok=True)
        notes = list(self._rooms.reconciler.unresolved) or ["the books agree with the broker"]
        equity = decimal_text(self._rooms.money.equity)
        wealth = wealth_markdown(await self._wealth())
        periods = periods_ending(self._day, self._next_session)
        since = at_et(min(period.first for period in periods), "00:00")
        trades = await self._stores.lifecycle.trades(TradeFilter(since_ns=since))
        for one in periods:
            text = period_markdown(
                trades, one.first, one.last, f"Vigil, {one.title}", equity=equity, notes=notes, wealth=wealth,
                gallery=gallery_of(self._runtime, trades, one),
            )  # fmt: skip
            _write(folder / f"{one.name}.md", text)
            _write(folder / f"{one.name}.csv", period_csv(trades, one.first, one.last))
        return ", ".join(f"reports/{one.name}.md" for one in periods)

    async def _wealth(self) -> tuple[Progress, ...]:
        return await wealth_progress(self._stores.wealth, self._rooms.wealth.plans)

    async def _summary(self) -> str:
        if self._summed:
            return "sent before"
        found = statistics(closed_trades(self._todays()))
        text = (
            f"{self._session}: {found.trades} trades, {found.wins} won, net {decimal_text(found.net_pnl)}, "
            f"equity {decimal_text(self._rooms.money.equity)}"
        )
        text += "".join(f"; {one.plan} {wealth_line(one)}" for one in await self._wealth())
        stored = Changes(controls={SUMMED: self._session})
        await self._rooms.ledger.record("", Alerted("info", text), extra=stored)
        self._summed = True
        return text

    async def _rotate(self) -> str:
        """Keep the day's log under its date, in one move; the next line begins another."""
        log = self._runtime / LOG
        if not log.exists():
            return "no log"
        kept, number = self._runtime / f"vigil-{self._session}.log", 1
        while kept.exists():
            number += 1
            kept = self._runtime / f"vigil-{self._session}.{number}.log"
        log.rename(kept)
        for old in sorted(self._runtime.glob("vigil-*.log"))[:-KEPT_LOGS]:
            old.unlink()
        return kept.name

    async def _back_up(self) -> str:
        await self._stores.archive.flush()
        await self._stores.archive.prune(self._now() - KEPT_ARCHIVE_DAYS * DAY)
        made = await self._stores.backup(self._session)
        kept = sorted(path for path in made.parent.iterdir() if path.is_dir())
        for old in kept[:-KEPT_BACKUPS]:
            shutil.rmtree(old)
        return f"backup/{made.name}"


def _unseen(_point: str) -> None:
    return None


def due_at(close_ns: int) -> int:
    """When the checklist runs: after settlement, before the run's end."""
    return close_ns + AFTER_CLOSE_S * SECOND


def _write(path: Path, text: str) -> None:
    """Whole or not at all, 0600."""
    fresh = path.with_suffix(path.suffix + ".new")
    fresh.write_text(text)
    fresh.chmod(0o600)
    fresh.replace(path)
