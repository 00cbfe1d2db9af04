"""The whole station with one thing wrong: settings, strategy rows and fine steps on top of the lab."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from config.settings import load_settings
from station.brokers.paper.faults import Fault
from station.clock import VirtualClock
from station.domain.orders import Order
from station.domain.trade import Trade
from station.engine.simulated import SimulatedRun
from station.engine.view import FloorView
from station.link import Ack, Command, Floor, Reply
from tests.lab import DAY, PATIENCE_S, SEED, Lab, paper_rows

FIRST_ENTRY = "09:40"
"""When seed 3 enters SPY; SPX follows at 09:45."""

RICH: Mapping[str, Any] = {
    "paper.start_cash_usd": 2_000_000, "risk.capital_at_risk_usd": 500_000, "risk.max_volume_share_pct": 100,
    "risk.contracts_per_order": 1_000, "risk.daily_loss_usd": 500_000, "risk.daily_loss_pct": 50,
    "risk.portfolio_vega": 50_000_000, "risk.portfolio_delta": 1_000_000,
    "risk.portfolio_theta_usd_day": -1_000_000,
}  # fmt: skip
"""An account and limits so wide that the book shows less than is asked for: fills come in parts."""


class Stage(Lab):
    """A lab with settings, edited strategies and a start of its own."""

    def __init__(
        self, runtime: Path, *, seed: int = SEED, day: date = DAY, faults: Sequence[Fault] = (),
        settings: Mapping[str, Any] | None = None, start: str | None = None,
        strategy: Mapping[str, Any] | None = None, away_s: float = 0,
    ) -> None:  # fmt: skip
        super().__init__(runtime, seed=seed, day=day, faults=faults)
        self.options = replace(self.options, start=start, away_s=away_s)
        self._settings = {"broker.kind": "paper", "paper.seed": seed, **(settings or {})}
        self._strategy = strategy

    async def __aenter__(self) -> Self:
        self.run = await SimulatedRun.prepare(self.options, load_settings(self._settings), self.said.append)
        await self.run.open()
        await self.run.advance(self.now())
        if self._strategy:
            await self.edit_strategies(**self._strategy)
        return self

    async def edit_strategies(self, **fields: Any) -> None:
        """The same change to every strategy row, as the screens make it."""
        desired, store = self.run.engine.desired, self.run.engine.outside.stores.config
        for row in await store.rows():
            if row.kind == "strategy":
                body = json.dumps(json.loads(row.body) | fields)
                await desired.edit("strategy", row.key, body, row.version, "test")

    async def tick(self) -> None:
        """On to the very next instant at which anything is due."""
        clock = self.run.engine.outside.clock
        assert isinstance(clock, VirtualClock)
        due = [at for at in (clock.next_timer, self.run.exchange.next_instant()) if at is not None]
        await self.run.advance(min(due))

    async def tick_until(self, condition: Callable[[], bool], *, limit: int = 20_000) -> None:
        """Instant by instant until `condition` holds."""
        for _ in range(limit):
            if condition():
                return
            await self.tick()
        raise AssertionError(f"not within {limit} instants")

    async def until_sent(self) -> tuple[Trade, Order]:
        """Until the first entry is at the exchange's door and nothing has come back."""
        await self.tick_until(lambda: bool(self.entered()))
        trade = self.first()
        return trade, self.rooms.ledger.book.orders[trade.entry_ref]

    async def ask(self, command: Command) -> Reply:
        """A screen's command, answered at this very instant."""
        link = self.run.local_link()
        await link.open()
        return await link.ask(command, PATIENCE_S)

    async def obeys(self, command: Command) -> bool:
        """Whether a screen's command is acknowledged as done."""
        reply = await self.ask(command)
        return isinstance(reply, Ack) and reply.ok

    def alerts(self) -> str:
        """Every alert so far, as one text."""
        return "\n".join(self.events("alert"))

    def floor(self) -> Floor:
        """What a screen would be shown now."""
        return FloorView(self.run.engine, "", lambda: None).floor()

    def trade(self, trade_id: str) -> Trade:
        return self.rooms.ledger.trades[trade_id]

    def order(self, ref: str) -> Order:
        return self.rooms.ledger.book.orders[ref]

    # --- the exchange's side, by SQL ----------------------------------------------------------------

    def at_exchange(self, ref: str) -> tuple[str, Decimal, Decimal]:
        """State, quantity and filled quantity of an order in the paper book."""
        (row,) = paper_rows(self.runtime, f"SELECT state, qty, filled FROM orders WHERE order_ref = '{ref}'")
        return row[0], Decimal(row[1]), Decimal(row[2])

    def entries_of(self, trade: Trade) -> list[str]:
        sql = f"SELECT order_ref FROM orders WHERE purpose = 'entry' AND order_ref LIKE '%-{trade.id}-%'"
        return [row[0] for row in paper_rows(self.runtime, sql)]

    def position(self, trade: Trade) -> Decimal:
        """What the exchange's executions of this trade leave open."""
        return held(self.runtime, trade.id)


def ours(runtime: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the lifecycle database, by independent SQL."""
    connection = sqlite3.connect(f"file:{runtime / 'lifecycle.db'}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def ends_of(runtime: Path) -> list[tuple[Any, ...]]:
    """State and cause of every trade that sent an entry, in order."""
    return ours(runtime, "SELECT state, cause FROM trades WHERE entry_ref <> '' ORDER BY id")


def held(runtime: Path, trade_id: str) -> Decimal:
    sql = f"SELECT action, qty FROM executions WHERE order_ref LIKE '%-{trade_id}-%'"
    signed = (Decimal(qty) if action == "BUY" else -Decimal(qty) for action, qty in paper_rows(runtime, sql))
    return sum(signed, Decimal(0))
