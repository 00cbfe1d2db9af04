"""A closed trade's result in the wealth books, once: capital, week, level and the diary.

The diary row is the proof that a trade was counted. Applying a trade whose row exists moves capital by the
difference only, so a repeated call changes nothing and a restated fee adjusts. A row's `week` and `level`
are those the trade was made in; the week moves on at most once for one trade, and never back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from station.domain.clock import SECOND
from station.domain.events import WealthRecorded
from station.domain.ports import DiaryRow, WealthState, WealthStore
from station.domain.trade import Trade
from station.wealth.plans import Plan
from station.wealth.sizing import first_state


def apply_result(
    plan: Plan, state: WealthState, old: DiaryRow | None, trade: Trade
) -> tuple[WealthState, DiaryRow]:
    """The state and diary row after `trade` (closed, `net_pnl` known). `old` is its row if it was counted
    before. Pure. Raises ValueError for a trade without a result."""
    if trade.net_pnl is None:
        raise ValueError(f"trade {trade.id} is {trade.state.value}: it has no result to record")
    change = trade.net_pnl - (old.net_pnl if old else Decimal(0))
    made_week = old.week if old else state.week
    capital = state.capital + change
    reached = capital >= plan.week(state.week).target
    advances = reached and state.week == made_week and state.week < len(plan.weeks)
    week = state.week + 1 if advances else state.week
    after = WealthState(
        plan.name, capital, week, plan.week(week).rung_at(capital).level, state.pnl_to_date + change
    )
    row = _row(trade, trade.net_pnl, state, capital)
    if old is not None:
        row = replace(row, week=old.week, level=old.level, capital_after=old.capital_after + change)
    return after, row


async def record(store: WealthStore, plan: Plan, trade: Trade) -> WealthRecorded:
    """Write the trade's result to the wealth database and say what it then holds. Idempotent: repeating it
    with an equal trade writes nothing. One call at a time a database (`WealthBook` sees to that). Raises
    StorageUnavailable as the store does, ValueError for a trade without a result."""
    state = await store.state(plan.name)
    if state is None:
        state = first_state(plan)
        await store.begin(state)
    old = await store.diary_row(trade.id)
    after, row = apply_result(plan, state, old, trade)
    if (after, row) != (state, old):
        await store.record(after, row)
    return WealthRecorded(row.net_pnl, after.capital, after.week, after.level)


DEFAULT_PLAN: Final = "WM235K"
"""What a trade without a plan of its own, an adopted position, is booked on."""


class WealthBook:
    """The plans and the wealth database; results are recorded one after another."""

    def __init__(self, store: WealthStore, plans: Mapping[str, Plan]) -> None:
        self.plans = plans
        self._store = store
        self._turn = asyncio.Lock()

    def plan_of(self, trade: Trade) -> Plan | None:
        """The plan that a trade is sized by and booked on; None where it is not loaded. Never another one."""
        return self.plans.get(trade.wealth_plan or DEFAULT_PLAN)

    async def state(self, plan: Plan) -> WealthState:
        """Where the account stands; the plan's first state where nothing was recorded yet."""
        return await self._store.state(plan.name) or first_state(plan)

    async def record(self, plan: Plan, trade: Trade) -> WealthRecorded:
        """As the function `record`, in turn."""
        async with self._turn:
            return await record(self._store, plan, trade)


def _row(trade: Trade, net_pnl: Decimal, state: WealthState, capital: Decimal) -> DiaryRow:
    held_ns = trade.closed_ns - trade.filled_ns if trade.filled_ns else 0
    return DiaryRow(
        trade_id=trade.id, closed_ns=trade.closed_ns, symbol=trade.symbol,
        label=trade.contract.label if trade.contract else "", qty=trade.entry_filled,
        entry=_price(trade.entry_price), exit=_price(trade.exit_price), net_pnl=net_pnl, cause=trade.cause,
        hold_s=max(held_ns, 0) // SECOND, delta_at_entry=trade.delta, capital_after=capital,
        week=state.week, level=state.level,
    )  # fmt: skip


def _price(price: Decimal | None) -> Decimal:
    return Decimal(0) if price is None else price
