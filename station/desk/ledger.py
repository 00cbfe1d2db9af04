"""The one place where trades and orders change: evolve, commit, then remember.

An event is validated against the reducer, its projections are computed, everything is committed at once, and
only then do the memory images move. A commit that fails leaves both disk and memory as they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast, get_args

from station.domain.clock import Clock
from station.domain.events import Event, Recorded, TradeEvent
from station.domain.orders import Execution, Order
from station.domain.ports import Changes, LifecycleStore, Snapshot
from station.domain.projection import order_ref_of, project_order
from station.domain.trade import Trade, TradeState, evolve
from station.execution import OrderBook

_TRADE_EVENTS = get_args(TradeEvent)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one record call asks to be made durable beside its events."""

    events: tuple[tuple[str, Event], ...] = ()
    extra: Changes = field(default_factory=Changes)


class Ledger:
    """Trades and orders in memory, always equal to what the lifecycle database holds."""

    def __init__(self, store: LifecycleStore, book: OrderBook, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._line = asyncio.Lock()
        self.book = book
        self.trades: dict[str, Trade] = {}
        self._live: dict[str, None] = {}
        self.commits = 0

    def restore(self, snapshot: Snapshot) -> None:
        self.book.restore(snapshot.orders, snapshot.executions)
        for trade in snapshot.trades:
            self._remember(trade)

    def live(self) -> tuple[Trade, ...]:
        """Trades that are not over, oldest first."""
        return tuple(self.trades[trade_id] for trade_id in self._live)

    def open_trades(self) -> tuple[Trade, ...]:
        """Trades that hold or may hold a position."""
        return tuple(trade for trade in self.live() if trade.state.is_open)

    async def record(self, trade_id: str, *events: Event, extra: Changes | None = None) -> Trade | None:
        """Append events of one trade (or of the station, with an empty id) and everything in `extra`.

        Returns the trade after them. Raises IllegalTransition before anything changed, StorageUnavailable
        when the commit did not happen.
        """
        return await self.record_all([(trade_id, event) for event in events], extra)

    async def record_all(
        self, events: Sequence[tuple[str, Event]], extra: Changes | None = None
    ) -> Trade | None:
        async with self._line:
            at_ns = self._clock.now()
            recorded = tuple(Recorded(event, at_ns, trade_id) for trade_id, event in events)
            trades = self._evolved(recorded)
            orders = self._projected(recorded)
            changes = Changes(events=recorded, trades=tuple(trades.values()), orders=tuple(orders.values()))
            if extra is not None:
                changes = changes + extra
            await self._store.commit(changes)
            self.commits += 1
            self._adopt(trades.values(), orders.values(), changes.executions)
        last = events[-1][0] if events else ""
        return self.trades.get(last)

    def _evolved(self, recorded: Iterable[Recorded]) -> dict[str, Trade]:
        after: dict[str, Trade] = {}
        for item in recorded:
            if not item.trade_id or not isinstance(item.event, _TRADE_EVENTS):
                continue
            before = after.get(item.trade_id, self.trades.get(item.trade_id))
            event = cast("TradeEvent", item.event)
            after[item.trade_id] = evolve(before, item.trade_id, event, item.at_ns)
        return after

    def _projected(self, recorded: Iterable[Recorded]) -> dict[str, Order]:
        after: dict[str, Order] = {}
        for item in recorded:
            ref = order_ref_of(item.event)
            if ref is None:
                continue
            order = project_order(after.get(ref, self.book.orders.get(ref)), item)
            if order is not None:
                after[ref] = order
        return after

    def _adopt(self, trades: Iterable[Trade], orders: Iterable[Order], executions: Iterable[Execution]) -> None:
        for order in orders:
            self.book.put(order)
        for execution in executions:
            self.book.put_execution(execution)
        for trade in trades:
            self._remember(trade)

    def _remember(self, trade: Trade) -> None:
        self.trades[trade.id] = trade
        if trade.state.is_terminal or trade.state is TradeState.FAILED:
            self._live.pop(trade.id, None)
        else:
            self._live.setdefault(trade.id, None)
