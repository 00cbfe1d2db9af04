"""Order reports, one at a time: interpret, commit, then tell the trade's leader and protection.

Live reports and those that a reconciliation feeds take the same way through `apply`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from station.desk.ledger import Ledger
from station.domain.broker import NoticeReport
from station.domain.clock import Clock
from station.domain.errors import Fatal, StorageUnavailable
from station.domain.ports import Changes, OrderFailure
from station.domain.projection import order_ref_of
from station.domain.trade import Trade
from station.execution import Interpretation
from station.execution.reports import OrderReport

STORAGE_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Nudge:
    """Look at a trade again: a deadline has come."""

    trade_id: str


@dataclass(frozen=True, slots=True)
class Mishandled:
    """A report whose handler raised; `symbol` is empty where it is of no instrument."""

    what: str
    symbol: str
    error: Exception


Item = OrderReport | NoticeReport | Nudge | Mishandled


class Leader(Protocol):
    """Who goes on with a trade once a report about it is booked."""

    async def booked(self, trade: Trade, found: Interpretation) -> None: ...

    async def nudged(self, trade_id: str) -> None: ...

    def confirmed(self, trade_id: str) -> None: ...

    async def foreign(self, report: OrderReport) -> None: ...

    async def noticed(self, notice: NoticeReport) -> None: ...

    async def quarantine(self, symbol: str, reason: str) -> None: ...

    def ask_reconcile(self, reason: str) -> None: ...


class OrderInbox:
    """The lane of order reports. `offer` is synchronous and cheap; `run` is a supervised task."""

    def __init__(
        self, ledger: Ledger, clock: Clock, on_fault: Callable[[str, BaseException], Awaitable[None]]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._on_fault = on_fault
        self._queue: asyncio.Queue[Item] = asyncio.Queue()
        self._line = asyncio.Lock()
        self._leading: dict[asyncio.Task[None], None] = {}
        self._watchers: dict[str, asyncio.Event] = {}
        self.leader: Leader | None = None

    def offer(self, item: Item) -> None:
        self._queue.put_nowait(item)

    async def run(self) -> None:
        try:
            while True:
                await self._handle(await self._queue.get())
        finally:
            for task in self._leading:
                task.cancel()
            await asyncio.gather(*self._leading, return_exceptions=True)

    async def _handle(self, item: Item) -> None:
        try:
            if isinstance(item, Nudge):
                self.lead(item.trade_id)
            elif isinstance(item, NoticeReport):
                await self._lead().noticed(item)
            elif isinstance(item, Mishandled):
                await self._mishandled(item)
            else:
                await self._apply_stubbornly(item)
        except Fatal:
            raise
        except Exception as error:  # noqa: BLE001 - one bad report must not stop the lane (FAULTS 59)
            await self._fault(item, error)

    def lead(self, trade_id: str) -> None:
        """Go on with a trade beside the lane: what it needs may wait for an instrument's lock, whose holder may
        wait for the lane's next report. In the order of the calls."""
        task = asyncio.create_task(self._led(Nudge(trade_id)), name=f"lead {trade_id}")
        self._leading[task] = None
        task.add_done_callback(self._led_on)

    def _led_on(self, task: asyncio.Task[None]) -> None:
        self._leading.pop(task, None)

    async def _led(self, nudge: Nudge) -> None:
        try:
            await self._lead().nudged(nudge.trade_id)
        except Exception as error:  # noqa: BLE001 - the boundary where a fault becomes a record
            await self._fault(nudge, error)

    async def apply(self, report: OrderReport) -> None:
        """Book one report and go on with its trade; where the database cannot take it the spool does, so that
        a fill is protected all the same. Raises StorageUnavailable with nothing booked."""
        async with self._line:
            found = self._ledger.book.interpret(report)
            trade = await self._book(found) if found.events else None
        if found.foreign:
            await self._lead().foreign(report)
        if found.query:
            self._lead().ask_reconcile(f"{type(report).__name__} needs the broker's word")
        if found.confirms and trade is None:
            self._lead().confirmed(found.trade_id)
        if trade is not None:
            self._wake_watchers(found.trade_id)
            await self._lead().booked(trade, found)

    async def terminal(self, order_ref: str, timeout_s: float) -> bool:
        """Wait until an order can fill no further; False when `timeout_s` passed first."""
        order = self._ledger.book.orders[order_ref]
        deadline = self._clock.now() + round(timeout_s * 1e9)
        while not self._ledger.book.orders[order_ref].state.is_terminal:
            if self._clock.now() >= deadline:
                return False
            changed = self._watchers.setdefault(order.trade_id, asyncio.Event())
            timer = self._clock.call_at(deadline, changed.set)
            await changed.wait()
            timer.cancel()
        return True

    async def _apply_stubbornly(self, report: OrderReport) -> None:
        """What the broker said is true whether or not the disk takes it now: try until it does."""
        while True:
            try:
                return await self.apply(report)
            except StorageUnavailable as error:
                await self._on_fault("orders", error)
                await self._clock.sleep(STORAGE_RETRY_S)

    async def _book(self, found: Interpretation) -> Trade | None:
        extra = Changes(executions=found.executions)
        if found.failure is not None:
            code, root = found.failure
            ref = order_ref_of(found.events[0])
            row = OrderFailure(ref, code, root, derived_cause(code, root), self._clock.now())
            extra = extra + Changes(failures=(row,))
        return await self._ledger.record(found.trade_id, *found.events, extra=extra, urgent=True)

    def _wake_watchers(self, trade_id: str) -> None:
        changed = self._watchers.pop(trade_id, None)
        if changed is not None:
            changed.set()

    async def _mishandled(self, item: Mishandled) -> None:
        await self._on_fault(item.what, item.error)
        if item.symbol:
            await self._lead().quarantine(item.symbol, f"{item.what} could not be handled: {item.error}")

    async def _fault(self, item: Item, error: Exception) -> None:
        await self._on_fault("orders", error)
        ref = getattr(item, "order_ref", "") or getattr(getattr(item, "execution", None), "order_ref", "")
        order = self._ledger.book.orders.get(ref)
        if order is not None:
            await self._lead().quarantine(order.ticket.contract.symbol, f"a report failed: {error}")
        self._lead().ask_reconcile("a report could not be handled")

    def _lead(self) -> Leader:
        assert self.leader is not None, "the inbox has no leader"
        return self.leader


def derived_cause(code: int, root: str) -> str:
    """Our word for a broker's rejection code (IBKR.md)."""
    if code == 201 and ("margin" in root.lower() or "cash" in root.lower() or "funds" in root.lower()):
        return "insufficient funds"
    return {
        110: "price not on a legal tick", 103: "duplicate order id", 200: "unknown contract",
        201: "rejected by the broker", 329: "change refused", 105: "change refused", 104: "order already done",
    }.get(code, f"broker code {code}")  # fmt: skip
