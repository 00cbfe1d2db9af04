"""The wealth repository: state and diary row in one commit, each closed trade once."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final

from station.domain.orders import ZERO
from station.domain.ports import DiaryRow, WealthState
from station.store.connection import Database
from station.store.lifecycle import Owner
from station.store.reading import Run
from station.store.rows import RowMap

_DIARY: Final = RowMap(DiaryRow, "trade_diary", "trade_id", extra=("plan", "account", "environment"))
_STATE: Final = RowMap(
    WealthState, "wealth_state", "plan", extra=("start_capital", "account", "environment"),
    keep={"start_capital": "start_capital"},
)  # fmt: skip
_BEGIN: Final = _STATE.upsert.partition(" ON CONFLICT")[0] + " ON CONFLICT (plan) DO NOTHING"
_WEEK: Final = (
    "INSERT INTO weekly_summary (plan, week, account, environment, trades, wins, net_pnl, start_capital, "
    "end_capital) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (plan, week) DO UPDATE SET "
    "trades = excluded.trades, wins = excluded.wins, net_pnl = excluded.net_pnl, "
    "start_capital = excluded.start_capital, end_capital = excluded.end_capital"
)


@dataclass(frozen=True, slots=True)
class WeekSummary:
    """A plan's week as the diary tells it; dollars. `wins` are trades with a positive result."""

    plan: str
    week: int
    trades: int
    wins: int
    net_pnl: Decimal
    start_capital: Decimal
    end_capital: Decimal


class WealthReader:
    """Questions to a wealth database."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def states(self) -> tuple[WealthState, ...]:
        """Where every plan that has begun stands, by name."""
        rows = await self._run(lambda c: c.execute(f"{_STATE.select} ORDER BY plan").fetchall())
        return tuple(map(_STATE.decode, rows))

    async def diary(self, plan: str = "") -> tuple[DiaryRow, ...]:
        """Every diary row (of one plan where it is given), in order of closing."""
        rows = await self._run(
            lambda c: c.execute(
                f"{_DIARY.select} WHERE ? IN ('', plan) ORDER BY closed_ns, trade_id", (plan,)
            ).fetchall()
        )
        return tuple(map(_DIARY.decode, rows))

    async def weeks(self, plan: str) -> tuple[WeekSummary, ...]:
        """The plan's weeks so far, oldest first."""
        rows = await self._run(
            lambda c: c.execute(
                "SELECT plan, week, trades, wins, net_pnl, start_capital, end_capital FROM weekly_summary "
                "WHERE plan = ? ORDER BY week",
                (plan,),
            ).fetchall()
        )
        return tuple(
            WeekSummary(plan, week, trades, wins, Decimal(net), Decimal(start), Decimal(end))
            for plan, week, trades, wins, net, start, end in rows
        )


class WealthRepository(WealthReader):
    """Fulfils `domain.ports.WealthStore`. States are remembered: sizing asks on the way to every order, and
    nobody else writes the file."""

    def __init__(self, database: Database, owner: Owner) -> None:
        super().__init__(database.read)
        self._database = database
        self._owner = owner
        self._states: dict[str, WealthState] = {}

    async def state(self, plan: str) -> WealthState | None:
        known = self._states.get(plan)
        if known is not None:
            return known
        row = await self._database.read(
            lambda c: c.execute(f"{_STATE.select} WHERE plan = ?", (plan,)).fetchone()
        )
        return None if row is None else self._states.setdefault(plan, _STATE.decode(row))

    async def diary_row(self, trade_id: str) -> DiaryRow | None:
        row = await self._database.read(
            lambda c: c.execute(f"{_DIARY.select} WHERE trade_id = ?", (trade_id,)).fetchone()
        )
        return None if row is None else _DIARY.decode(row)

    async def begin(self, state: WealthState) -> None:
        """Write a plan's first state, only where there is none; its capital is what the plan starts from."""
        row = _STATE.encode(state, str(state.capital), *self._owner)
        await self._database.commit(lambda c: c.execute(_BEGIN, row) and None, "other")

    async def record(self, state: WealthState, row: DiaryRow) -> None:
        """Write the new state, the diary row and its week's summary in one commit. A repeated `trade_id`
        replaces its row; a plan that never began starts at its capital before its P&L to date."""
        start = str(state.capital - state.pnl_to_date)
        written = _STATE.encode(state, start, *self._owner)
        diary = _DIARY.encode(row, state.plan, *self._owner)
        work = partial(_record, self._owner, state.plan, row, written, diary)
        self._states.pop(state.plan, None)
        await self._database.commit(work, "trade.wealth_updated")
        self._states[state.plan] = state


def _record(
    owner: Owner, plan: str, row: DiaryRow, state: tuple[object, ...], diary: tuple[object, ...],
    connection: sqlite3.Connection,
) -> None:  # fmt: skip
    before = connection.execute(
        "SELECT plan, week FROM trade_diary WHERE trade_id = ?", (row.trade_id,)
    ).fetchone()
    connection.execute(_STATE.upsert, state)
    connection.execute(_DIARY.upsert, diary)
    for known_plan, week in dict.fromkeys(((plan, row.week), before or (plan, row.week))):
        _summarise(owner, known_plan, week, connection)


def _summarise(owner: Owner, plan: str, week: int, connection: sqlite3.Connection) -> None:
    found = connection.execute(
        "SELECT net_pnl, capital_after FROM trade_diary WHERE plan = ? AND week = ? "
        "ORDER BY closed_ns, trade_id",
        (plan, week),
    ).fetchall()
    if not found:
        connection.execute("DELETE FROM weekly_summary WHERE plan = ? AND week = ?", (plan, week))
        return
    results = [Decimal(net) for net, _ in found]
    total, end = sum(results, ZERO), Decimal(found[-1][1])
    wins = sum(1 for net in results if net > 0)
    connection.execute(_WEEK, (plan, week, *owner, len(results), wins, str(total), str(end - total), str(end)))
