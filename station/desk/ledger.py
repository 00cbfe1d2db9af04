"""The one place where trades and orders change: evolve, commit, then remember.

An event is validated against the reducer, its projections are computed, everything is committed at once, and
only then do the memory images move. A commit that fails leaves both disk and memory as they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import cast, get_args

from station.desk.spool import ExitSpool
from station.domain.clock import Clock
from station.domain.errors import StorageUnavailable
from station.domain.events import Event, ExitModified, ExitSubmitted, Recorded, TradeEvent
from station.domain.orders import Execution, Order
from station.domain.ports import Changes, LifecycleStore, Snapshot
from station.domain.projection import order_ref_of, project_order
from station.domain.trade import Trade, TradeState, evolve
from station.execution import OrderBook

_TRADE_EVENTS = get_args(TradeEvent)
Listener = Callable[[Recorded], None]


class Ledger:
    """Trades and orders in memory, always equal to what the lifecycle database holds."""

    def __init__(
        self, store: LifecycleStore, book: OrderBook, clock: Clock, spool: ExitSpool | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._spool = spool
        self._backlog = Changes()
        self._line = asyncio.Lock()
        self.listeners: list[Listener] = []
        self.book = book
        self.trades: dict[str, Trade] = {}
        self._live: dict[str, None] = {}
        self.commits = 0

    def restore(self, snapshot: Snapshot) -> None:
        self.book.restore(snapshot.orders, snapshot.executions)
        for trade in snapshot.trades:
            self._remember(trade)

    def now(self) -> int:
        return self._clock.now()

    def live(self) -> tuple[Trade, ...]:
        """Trades that are not over, oldest first."""
        return tuple(self.trades[trade_id] for trade_id in self._live)

    def open_trades(self) -> tuple[Trade, ...]:
        """Trades that hold or may hold a position."""
        return tuple(trade for trade in self.live() if trade.state.is_open)

    @property
    def degraded(self) -> bool:
        """Exits are spooled, not committed: no entries until the database takes the backlog."""
        return bool(self._backlog.events)

    async def recover_spool(self) -> tuple[Recorded, ...]:
        """Carry what an earlier process spooled into the database. Returns what that was."""
        if self._spool is None or not self._spool.pending:
            return ()
        fresh = [item for item in self._spool.pending if not self._is_known(item)]
        if fresh:
            async with self._line:
                await self._take(tuple(fresh), None, urgent=False)
        self._spool.clear()
        return tuple(fresh)

    def _is_known(self, item: Recorded) -> bool:
        if isinstance(item.event, ExitSubmitted):
            return item.event.ticket.order_ref in self.book.orders
        if isinstance(item.event, ExitModified):
            order = self.book.orders.get(item.event.ticket.order_ref)
            return order is not None and order.ticket == item.event.ticket
        return False

    async def record(
        self, trade_id: str, *events: Event, extra: Changes | None = None, urgent: bool = False
    ) -> Trade | None:
        """Append events of one trade (or of the station, with an empty id) and everything in `extra`.

        Returns the trade after them. Raises IllegalTransition before anything changed, StorageUnavailable
        when the commit did not happen; an `urgent` exit goes to the reserved spool instead.
        """
        return await self.record_all([(trade_id, event) for event in events], extra, urgent=urgent)

    async def record_all(
        self, events: Sequence[tuple[str, Event]], extra: Changes | None = None, *, urgent: bool = False
    ) -> Trade | None:
        async with self._line:
            at_ns = self._clock.now()
            recorded = tuple(Recorded(event, at_ns, trade_id) for trade_id, event in events)
            await self._take(recorded, extra, urgent=urgent)
        for item in recorded:
            for listener in self.listeners:
                listener(item)
        last = events[-1][0] if events else ""
        return self.trades.get(last)

    async def _take(self, recorded: tuple[Recorded, ...], extra: Changes | None, *, urgent: bool) -> None:
        """Evolve, commit, remember: events keep the instants they carry, so a spooled exit keeps its own."""
        trades = self._evolved(recorded)
        orders = self._projected(recorded)
        changes = Changes(events=recorded, trades=tuple(trades.values()), orders=tuple(orders.values()))
        if extra is not None:
            changes = changes + extra
        await self._persist(changes, recorded, urgent=urgent)
        self._adopt(trades.values(), orders.values(), changes.executions)

    async def _persist(self, changes: Changes, recorded: Sequence[Recorded], *, urgent: bool) -> None:
        merged = self._backlog + changes
        try:
            await self._store.commit(merged)
        except StorageUnavailable:
            if not urgent or self._spool is None:
                raise
            self._spool.append(recorded)
            self._backlog = merged
            return
        self.commits += 1
        if self._backlog.events and self._spool is not None:
            self._backlog = Changes()
            self._spool.clear()

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
            if not ref:
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
