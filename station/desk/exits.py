"""Protection's hands: each directive carried out under the instrument's lock, quantity derived again first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

from station.desk.inbox import OrderInbox
from station.desk.ledger import Ledger
from station.desk.stopwatch import FILL_TO_PROTECT, Stopwatch
from station.domain.broker import Broker
from station.domain.errors import BrokerUnavailable
from station.domain.events import CancelRequested, ExitModified, ExitSubmitted
from station.domain.orders import (
    Action,
    Order,
    OrderKind,
    OrderState,
    Purpose,
    Ticket,
    order_ref,
    trade_of,
)
from station.domain.ports import Changes
from station.domain.trade import Cause, Trade, TradeState
from station.execution import InstrumentLocks, Submitter
from station.protection import (
    CancelEntry,
    CancelExit,
    Directive,
    MarketOut,
    ModifyExit,
    RaiseAlert,
    RequestReconcile,
    SubmitExit,
)

REPLACE_WINDOW_S = 0.1
_CAN_EXIT = (TradeState.BUY_FILLED, TradeState.SELL_SUBMITTED, TradeState.SELL_FILLED)


class ExitHands:
    """Carries out protective directives. Every sell leaves through here, so there is never a second one."""

    def __init__(
        self,
        ledger: Ledger,
        inbox: OrderInbox,
        submitter: Submitter,
        broker: Broker,
        locks: InstrumentLocks,
        ask_reconcile: Callable[[str], None],
        alert: Callable[[str, str, str], Awaitable[None]],
        stopwatch: Stopwatch,
    ) -> None:
        self._ledger = ledger
        self._inbox = inbox
        self._submitter = submitter
        self._broker = broker
        self._locks = locks
        self._ask_reconcile = ask_reconcile
        self._alert = alert
        self._stopwatch = stopwatch

    async def carry_out(self, trade_id: str, directive: Directive) -> None:
        """Do what protection asks, unless the trade has moved on meanwhile."""
        if isinstance(directive, RaiseAlert):
            await self._alert(directive.severity, directive.text, trade_id)
            return
        if isinstance(directive, RequestReconcile):
            self._ask_reconcile(directive.reason)
            return
        async with self._locks.hold(self._ledger.trades[trade_id].symbol):
            trade = self._ledger.trades[trade_id]
            if isinstance(directive, CancelExit | CancelEntry):
                await self._cancel(directive.order_ref, str(getattr(directive.cause, "value", directive.cause)))
                return
            if trade.state not in _CAN_EXIT:
                return
            match directive:
                case SubmitExit():
                    await self._submit(trade, directive)
                case ModifyExit():
                    await self._modify(trade, directive)
                case MarketOut():
                    await self._market_out(trade, directive)

    async def _submit(self, trade: Trade, asked: SubmitExit) -> None:
        if trade.open_qty <= 0 or self._ledger.book.working_exits(trade.id):
            return
        await self._place(trade, asked.kind, asked.purpose, asked.limit, asked.stop, asked.cause.value)

    async def _place(
        self,
        trade: Trade,
        kind: OrderKind,
        purpose: Purpose,
        limit: Decimal | None,
        stop: Decimal | None,
        cause: str,
        replaces: str = "",
    ) -> None:
        ticket = self._ticket(trade, kind, purpose, limit, stop)
        await self._ledger.record(trade.id, ExitSubmitted(ticket, cause, replaces), urgent=True)
        await self.send(ticket)

    def _ticket(
        self, trade: Trade, kind: OrderKind, purpose: Purpose, limit: Decimal | None, stop: Decimal | None
    ) -> Ticket:
        assert trade.contract is not None
        ref = order_ref(trade.account, trade.id, "X", self._ledger.book.next_leg(trade.id, "X"))
        action = Action.SELL if trade.open_qty > 0 else Action.BUY
        return Ticket(
            ref, trade.account, trade.contract, action, abs(trade.open_qty), kind, purpose, limit, stop
        )

    async def send(self, ticket: Ticket) -> None:
        """Send a committed exit. A link that is down leaves it PENDING: the reconciliation that follows the
        link's return proves it absent and sends it then."""
        try:
            await self._submitter.place([ticket])
            self._stopwatch.stop(FILL_TO_PROTECT, trade_of(ticket.order_ref) or "")
        except BrokerUnavailable as error:
            self._ask_reconcile(f"exit {ticket.order_ref} was not sent: {error}")

    async def _modify(self, trade: Trade, asked: ModifyExit) -> None:
        order = self._ledger.book.orders.get(asked.order_ref)
        if order is None or not _is_certain(order):
            return
        qty = order.filled + max(trade.open_qty, Decimal(0))
        if qty <= order.filled:
            return
        ticket = replace(order.ticket, kind=asked.kind, qty=qty, limit=asked.limit, stop=asked.stop)
        await self._change(trade, order, ticket, asked.cause.value, asked.reason)

    async def _market_out(self, trade: Trade, asked: MarketOut) -> None:
        working = self._ledger.book.working_exits(trade.id)
        if any(order.state is OrderState.UNKNOWN for order in working):
            self._ask_reconcile(f"{asked.cause.value}: an exit of {trade.id} is UNKNOWN")
            return
        if trade.open_qty == 0:
            return
        if not working:
            await self._place(trade, OrderKind.MARKET, Purpose.CLOSE, None, None, asked.cause.value)
            return
        order = working[0]
        wanted = Action.SELL if trade.open_qty > 0 else Action.BUY
        if order.ticket.action is not wanted:
            await self._cancel(order.ref, asked.cause.value)
            return
        if order.ticket.kind is OrderKind.MARKET and order.remaining == abs(trade.open_qty):
            return
        ticket = replace(
            order.ticket, kind=OrderKind.MARKET, limit=None, stop=None,
            qty=order.filled + abs(trade.open_qty),
        )  # fmt: skip
        await self._change(trade, order, ticket, asked.cause.value, asked.reason)

    async def _change(self, trade: Trade, order: Order, ticket: Ticket, cause: str, reason: str) -> None:
        in_place = self._broker.capabilities.modify_in_place
        if not in_place or order.ref in self._ledger.book.unchangeable:
            await self._replace(trade, order, ticket, cause)
            return
        changed = ExitModified(ticket, cause, reason)
        await self._ledger.record(trade.id, changed, urgent=True)
        try:
            await self._submitter.modify(ticket)
        except BrokerUnavailable as error:
            self._ask_reconcile(f"change of {ticket.order_ref} was not sent: {error}")

    async def _replace(self, trade: Trade, order: Order, ticket: Ticket, cause: str) -> None:
        """Cancel, wait for the proof, derive the quantity again, place. In doubt: ask, never sell twice."""
        await self._cancel(order.ref, "replace")
        if not await self._inbox.terminal(order.ref, REPLACE_WINDOW_S):
            self._ask_reconcile(f"cancel of {order.ref} was not confirmed in {REPLACE_WINDOW_S} s")
            return
        fresh = self._ledger.trades[trade.id]
        if fresh.open_qty > 0:
            await self._place(
                fresh, ticket.kind, ticket.purpose, ticket.limit, ticket.stop, cause, replaces=order.ref
            )

    async def _cancel(self, ref: str, cause: str) -> None:
        order = self._ledger.book.orders.get(ref)
        if order is None or order.state.is_terminal:
            return
        at_ns = self._ledger.now()
        row = Changes(cancels=((ref, cause, at_ns),))
        await self._ledger.record(order.trade_id, CancelRequested(ref, cause), extra=row, urgent=True)
        try:
            await self._submitter.cancel(ref)
        except BrokerUnavailable as error:
            self._ask_reconcile(f"cancel of {ref} was not sent: {error}")

    async def cancel_entry(self, trade: Trade, cause: str) -> None:
        """Cancel what is left of an entry, under the instrument's lock."""
        async with self._locks.hold(trade.symbol):
            if trade.entry_ref:
                await self._cancel(trade.entry_ref, cause)

    async def close(self, trade_id: str, cause: Cause, reason: str) -> None:
        """Take a trade out at market for `cause`: first what is left of its entry, then the position."""
        trade = self._ledger.trades[trade_id]
        if not trade.entry_done:
            await self.cancel_entry(trade, cause.value)
        await self.carry_out(trade_id, MarketOut(cause, reason))


def _is_certain(order: Order) -> bool:
    return order.state in (OrderState.PENDING, OrderState.SUBMITTED, OrderState.PARTIALLY_FILLED)
