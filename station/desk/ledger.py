"""The one place where trades and orders change: evolve, commit, then remember.

An event is validated against the reducer, its projections are computed, everything is committed at once, and
only then do the memory images move. A commit that fails leaves both disk and memory as they were; what is
urgent is then synced to the spool instead, and the next commit that works carries it into the database.
"""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final, cast, get_args

from station.desk.spool import Batch, ExitSpool, Rows
from station.domain.clock import Clock
from station.domain.errors import Fatal, IllegalTransition, StorageUnavailable
from station.domain.events import (
    Alerted,
    Event,
    Recorded,
    TradeEvent,
)
from station.domain.instruments import Contract
from station.domain.lifecycle import evolve
from station.domain.orders import ZERO, Execution, Order
from station.domain.ports import Changes, Committed, LifecycleStore, Snapshot
from station.domain.projection import order_ref_of, project_order
from station.domain.trade import Trade
from station.execution import OrderBook

CARRIED: Final = "spool carried"
"""The switch that holds the number of the last spooled batch in the database; written with that batch."""
_TRADE_EVENTS = get_args(TradeEvent)
Listener = Callable[[Recorded], None]


class Ledger:
    """Trades and orders in memory: what the lifecycle database holds and, while `degraded`, the spool."""

    def __init__(
        self, store: LifecycleStore, book: OrderBook, clock: Clock, spool: ExitSpool | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._spool = spool
        self._unrecovered = False
        self._backlog = Changes()
        self._line = asyncio.Lock()
        self.listeners: list[Listener] = []
        self.book = book
        self.trades: dict[str, Trade] = {}
        self._live: dict[str, None] = {}
        self.turned: list[str] = []
        """Trades in the order in which they ended, or went on after an end."""
        self._tokens: dict[str, str] = {}
        self.commits = 0

    def restore(self, snapshot: Snapshot) -> None:
        if self._spool is not None:
            self._spool.resume_after(int(snapshot.controls.get(CARRIED, "0")))
            self._unrecovered = bool(self._spool.pending or self._spool.torn)
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

    def by_token(self, token: str) -> Trade | None:
        """The trade that an order of a hand was for; None where that token was never seen."""
        trade_id = self._tokens.get(token)
        return None if trade_id is None else self.trades[trade_id]

    def held(self, contract: Contract) -> Decimal:
        """What our trades together hold of a contract."""
        return sum((trade.open_qty for trade in self.live() if trade.contract == contract), ZERO)

    @property
    def degraded(self) -> bool:
        """The newest changes are spooled, not committed: no entries until the database takes the backlog."""
        return bool(self._backlog.events)

    async def recover_spool(self) -> Changes:
        """Carry what an earlier process spooled into the database, in one commit. Returns what that was. Raises
        StorageUnavailable with everything still spooled, Fatal where the two do not belong together."""
        spool = self._spool
        if spool is None or not self._unrecovered:
            return Changes()
        carried = Changes()
        for batch in spool.pending:
            carried = carried + Changes(events=batch.events) + batch.rows.changes
        if spool.torn:
            carried = carried + Changes(events=(Recorded(Alerted("critical", spool.torn), self._clock.now()),))
        if carried != Changes():
            await self._carry_over(spool, carried)
        self._unrecovered = False
        return carried

    async def _carry_over(self, spool: ExitSpool, carried: Changes) -> None:
        extra = replace(carried, events=(), controls={**carried.controls, CARRIED: str(spool.last)})
        async with self._line:
            try:
                await self._take(carried.events, extra, urgent=False)
            except IllegalTransition as error:
                raise Fatal(
                    f"exits.spool does not fit lifecycle.db ({error}): restore the database it belongs to, or "
                    "move exits.spool away: reconciliation takes what is missing from the broker"
                ) from None
        spool.clear()

    async def record(
        self, trade_id: str, *events: Event, extra: Changes | None = None, urgent: bool = False
    ) -> Trade | None:
        """Append events of one trade (or of the station, with an empty id) and everything in `extra`.

        Returns the trade after them. Raises IllegalTransition before anything changed, StorageUnavailable
        when the commit did not happen; what is `urgent` goes to the reserved spool instead.
        """
        return await self.record_all([(trade_id, event) for event in events], extra, urgent=urgent)

    async def record_all(
        self, events: Sequence[tuple[str, Event]], extra: Changes | None = None, *, urgent: bool = False
    ) -> Trade | None:
        async with self._line:
            at_ns = self._clock.now()
            recorded = tuple(Recorded(event, at_ns, trade_id) for trade_id, event in events)
            told = await self._take(recorded, extra, urgent=urgent)
        for item in (*recorded, *told):
            for listener in self.listeners:
                listener(item)
        last = events[-1][0] if events else ""
        return self.trades.get(last)

    async def record_each(
        self, trade_id: str, steps: Sequence[tuple[Sequence[TradeEvent], Changes]]
    ) -> Trade | None:
        """Several transitions of one trade, each a durable commit of its own and in this order, in one
        hand-over to the database; only the last may speak of orders.

        Returns the trade after them. Where one of them fails, those before it stand and its error is raised.
        """
        async with self._line:
            at_ns = self._clock.now()
            taken = [tuple(Recorded(event, at_ns, trade_id) for event in events) for events, _ in steps]
            error = await self._take_each(taken, [extra for _, extra in steps])
        for item in (each for recorded in taken for each in recorded):
            for listener in self.listeners:
                listener(item)
        if error is not None:
            raise error
        return self.trades.get(trade_id)

    async def _take_each(
        self, taken: list[tuple[Recorded, ...]], extras: Sequence[Changes]
    ) -> Exception | None:
        """Drops from `taken` what was not committed; returns why."""
        after: dict[str, Trade] = {}
        images: list[dict[str, Trade]] = []
        for recorded in taken:
            images.append(self._evolved(recorded, after))
            after |= images[-1]
        orders = [self._projected(recorded) for recorded in taken]
        steps = [
            Changes(events=recorded, trades=tuple(trades.values()), orders=tuple(projected.values())) + extra
            for recorded, trades, projected, extra in zip(taken, images, orders, extras, strict=True)
        ]
        count, error = await self._persist_each(steps)
        for trades, projected in zip(images[:count], orders[:count], strict=True):
            self._adopt(trades.values(), projected.values(), ())
        del taken[count:]
        return error

    async def _persist_each(self, steps: Sequence[Changes]) -> Committed:
        if not self.degraded:
            done = await self._store.commit_each(steps)
            self.commits += done.done
            return done
        for count, changes in enumerate(steps):
            try:
                await self._commit(changes)
            except Exception as error:  # noqa: BLE001 - whatever it is, those before it are durable
                return Committed(count, error)
        return Committed(len(steps))

    async def _take(
        self, recorded: tuple[Recorded, ...], extra: Changes | None, *, urgent: bool
    ) -> tuple[Recorded, ...]:
        """Evolve, commit, remember: events keep the instants they carry, so a spooled exit keeps its own."""
        trades = self._evolved(recorded)
        orders = self._projected(recorded)
        changes = Changes(events=recorded, trades=tuple(trades.values()), orders=tuple(orders.values()))
        if extra is not None:
            changes = changes + extra
        told = await self._persist(changes, urgent=urgent)
        self._adopt(trades.values(), orders.values(), changes.executions)
        return told

    async def carry(self) -> None:
        """Commit what is spooled. Raises StorageUnavailable while the database still refuses."""
        async with self._line:
            if self.degraded:
                await self._commit(Changes())

    async def _persist(self, changes: Changes, *, urgent: bool) -> tuple[Recorded, ...]:
        """Commit, with everything spooled before; in an outage what is urgent does not wait for the database to
        refuse again. Returns what was recorded besides: the alert that begins an outage."""
        if self._spool is None or not urgent or self._unrecovered:
            await self._commit(changes)
            return ()
        if self.degraded:
            self._spooled(self._spool, changes)
            return ()
        try:
            await self._commit(changes)
        except StorageUnavailable as error:
            text = f"database: {error}; entries are off, exits are spooled"
            told = (Recorded(Alerted("critical", text), self._clock.now()),)
            self._spooled(self._spool, changes + Changes(events=told))
            return told
        return ()

    async def _commit(self, changes: Changes) -> None:
        if not self.degraded or self._spool is None:
            await self._store.commit(changes)
            self.commits += 1
            return
        carried = Changes(controls={CARRIED: str(self._spool.last)})
        await self._store.commit(self._backlog + changes + carried)
        self.commits += 1
        self._backlog = Changes()
        self._spool.clear()

    def _spooled(self, spool: ExitSpool, changes: Changes) -> None:
        spool.append(Batch(changes.events, Rows.of(changes)))
        self._backlog = self._backlog + changes

    def _evolved(
        self, recorded: Iterable[Recorded], planned: dict[str, Trade] | None = None
    ) -> dict[str, Trade]:
        known = ChainMap(planned, self.trades) if planned else self.trades
        after: dict[str, Trade] = {}
        for item in recorded:
            if not item.trade_id or not isinstance(item.event, _TRADE_EVENTS):
                continue
            before = after.get(item.trade_id, known.get(item.trade_id))
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
        before = self.trades.get(trade.id)
        self.trades[trade.id] = trade
        if trade.state.is_terminal or (before is not None and before.state.is_terminal):
            self.turned.append(trade.id)
        for token in tokens_of(trade):
            self._tokens[token] = trade.id
        if trade.state.is_terminal:
            self._live.pop(trade.id, None)
        else:
            self._live.setdefault(trade.id, None)


def tokens_of(trade: Trade) -> tuple[str, ...]:
    """The tokens of the orders that a hand has placed with it."""
    placed = trade.hand.token if trade.hand is not None else ""
    turned = trade.reversal.token if trade.reversal is not None else ""
    taken = trade.offer.token if trade.offer is not None else ""
    return tuple(token for token in (placed, *trade.part_tokens, turned, taken) if token)
