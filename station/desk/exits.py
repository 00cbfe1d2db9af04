"""Protection's hands: each directive carried out under the instrument's lock, quantity derived again first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from station.desk.inbox import OrderInbox
from station.desk.ledger import Ledger
from station.desk.stopwatch import FILL_TO_PROTECT, FILL_TO_SEND, Stopwatch
from station.domain.broker import Broker
from station.domain.clock import SECOND
from station.domain.errors import BrokerUnavailable, IllegalTransition
from station.domain.events import CancelRequested, CloseAsked, ExitModified, ExitSubmitted
from station.domain.instruments import Contract
from station.domain.market import Quote
from station.domain.orders import (
    ZERO,
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
from station.execution import ExecutionTerms, InstrumentLocks, Submitter
from station.protection import (
    AskClose,
    CancelEntry,
    CancelExit,
    Directive,
    MarketOut,
    ModifyExit,
    RaiseAlert,
    RequestReconcile,
    SubmitExit,
)
from station.protection.pairs import oca_group_of
from station.protection.rules import is_resting

GROUP_S: Final = 1
"""An execution is known no later than this after what it has ended in its OCA group."""
PROTECTION: Final = "protection"
_CAN_EXIT = (TradeState.BUY_FILLED, TradeState.SELL_SUBMITTED, TradeState.SELL_FILLED)


@dataclass(frozen=True, slots=True)
class _Exit:
    """What one exit is to be; a LIMIT with a stop is a pair."""

    kind: OrderKind
    purpose: Purpose
    limit: Decimal | None = None
    stop: Decimal | None = None
    oca_group: str = ""

    @classmethod
    def of(cls, ticket: Ticket) -> _Exit:
        return cls(ticket.kind, ticket.purpose, ticket.limit, ticket.stop, ticket.oca_group)


class ExitHands:
    """Carries out protective directives. Every sell leaves through here, and together the working ones never
    stand for more than is open, whatever the broker has not confirmed yet."""

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
        quote: Callable[[Contract], Quote | None],
        terms: ExecutionTerms,
    ) -> None:
        self._ledger = ledger
        self._inbox = inbox
        self._submitter = submitter
        self._broker = broker
        self._locks = locks
        self._ask_reconcile = ask_reconcile
        self._alert = alert
        self._stopwatch = stopwatch
        self._quote = quote
        self._terms = terms
        self._limits: dict[Contract, Decimal] = {}

    @property
    def pairs(self) -> bool:
        """Whether the broker holds two exits to one quantity."""
        return self._broker.capabilities.oca

    def configure(self, terms: ExecutionTerms) -> None:
        """New terms, in force with the next order."""
        self._terms = terms

    def limit(self, held: Mapping[Contract, Decimal]) -> None:
        """The contracts of which the broker holds less than our trades: no exit may be for more than that."""
        self._limits = dict(held)

    async def carry_out(self, trade_id: str, directive: Directive) -> None:
        """Do what protection asks, unless the trade has moved on meanwhile."""
        if isinstance(directive, RaiseAlert):
            await self._alert(directive.severity, directive.text, trade_id)
            return
        if isinstance(directive, RequestReconcile):
            self._ask_reconcile(directive.reason)
            return
        if isinstance(directive, AskClose):
            await self.ask_close(trade_id, directive.cause, directive.reason, PROTECTION)
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

    async def ask_close(self, trade_id: str, cause: Cause, reason: str, by: str) -> None:
        """Write down, once, that all of a trade is to leave at market; what left meanwhile needs nothing."""
        if self._ledger.trades[trade_id].closing is None:
            with contextlib.suppress(IllegalTransition):
                await self._ledger.record(trade_id, CloseAsked(cause.value, reason, by), urgent=True)

    # --- new exits ----------------------------------------------------------------------------------

    def room(self, trade: Trade, but: str = "") -> Decimal:
        """What may leave and is not promised to a working exit, one left out."""
        return self._allowed(trade) - self._ledger.book.promised(trade.id, but)

    def _allowed(self, trade: Trade) -> Decimal:
        """What is open; no more than the broker holds, less what other trades' exits stand for."""
        limit = None if trade.contract is None else self._limits.get(trade.contract)
        if limit is None or trade.open_qty <= 0:
            return abs(trade.open_qty)
        others = (t.id for t in self._ledger.live() if t.contract == trade.contract and t.id != trade.id)
        return max(min(trade.open_qty, limit - sum(map(self._ledger.book.promised, others), ZERO)), ZERO)

    async def _submit(self, trade: Trade, asked: SubmitExit) -> None:
        if trade.open_qty <= 0:
            return
        mates = self._ledger.book.working_exits(trade.id) if asked.oca_group else ()
        mate = next((order for order in mates if order.ticket.oca_group == asked.oca_group), None)
        if asked.oca_group and (mate is None or self._may_have_filled(mate)):
            return
        qty = min(asked.qty, self.room(trade, mate.ref if mate is not None else ""))
        exit_ = _Exit(asked.kind, asked.purpose, asked.limit, asked.stop, asked.oca_group)
        await self._place(trade, qty, exit_, asked.cause.value)

    def _may_have_filled(self, leg: Order) -> bool:
        """Whether the broker has just ended another of its group, as a fill of `leg` does, or says that it
        filled: until the execution is here, nothing may join it."""
        book, since_ns = self._ledger.book, self._ledger.now() - GROUP_S * SECOND
        taken = any(
            order.ticket.oca_group == leg.ticket.oca_group
            and order.state is OrderState.CANCELLED and not order.cancel_cause and order.updated_ns > since_ns
            for order in book.of_trade(leg.trade_id)
        )  # fmt: skip
        return taken or leg.ref in book.claims

    async def _place(self, trade: Trade, qty: Decimal, asked: _Exit, cause: str, replaces: str = "") -> None:
        """Commit one intent, or several where `qty` is more than one order may be for, then send them; a pair
        leaves together."""
        sent: list[tuple[Ticket, ...]] = []
        number = self._ledger.book.next_leg(trade.id, "X")
        while qty > 0:
            part = min(qty, self._terms.max_contracts)
            sent.append(self._tickets(trade, part, asked, number))
            number += len(sent[-1])
            qty -= part
        if not sent:
            return
        events = [
            ExitSubmitted(
                ticket, Cause.STOP_ORDER.value if place else cause, replaces, *self._decision(ticket)
            )
            for tickets in sent for place, ticket in enumerate(tickets)
        ]  # fmt: skip
        await self._ledger.record(trade.id, *events, urgent=True)
        if len(sent) == 1:
            await self.send(*sent[0])
        else:
            await asyncio.gather(*(self.send(*tickets) for tickets in sent))

    def _tickets(self, trade: Trade, qty: Decimal, asked: _Exit, number: int) -> tuple[Ticket, ...]:
        """The ticket, and for a limit with a stop that of its stop, in one OCA group of their own."""
        assert trade.contract is not None
        action = Action.SELL if trade.open_qty > 0 else Action.BUY
        one, other = (order_ref(trade.account, trade.id, "X", n) for n in (number, number + 1))
        paired = asked.kind is OrderKind.LIMIT and asked.stop is not None
        ticket = Ticket(
            one, trade.account, trade.contract, action, qty, asked.kind, asked.purpose, asked.limit,
            None if paired else asked.stop, oca_group=oca_group_of(one) if paired else asked.oca_group,
        )  # fmt: skip
        if not paired:
            return (ticket,)
        stop = replace(
            ticket, order_ref=other, kind=OrderKind.STOP, purpose=Purpose.STOP, limit=None, stop=asked.stop
        )
        return ticket, stop

    def _decision(self, ticket: Ticket) -> tuple[Decimal | None, Decimal | None]:
        """What the exit should bring, and the mid it is measured by: at a limit that is the limit, of a stop
        its level, at market the side it meets and the mid, now."""
        stated = ticket.limit if ticket.limit is not None else ticket.stop
        if stated is not None:
            return stated, stated
        quote = self._quote(ticket.contract)
        if quote is None:
            return None, None
        return (quote.bid if ticket.action is Action.SELL else quote.ask), quote.mid

    async def send(self, *tickets: Ticket) -> None:
        """Send a committed exit, or a pair as one. A link that is down leaves it PENDING: the reconciliation
        that follows the link's return proves it absent and sends it then."""
        trade_id = trade_of(tickets[0].order_ref) or ""
        self._stopwatch.split(FILL_TO_PROTECT, trade_id, FILL_TO_SEND)
        try:
            await self._submitter.place(tickets)
            self._stopwatch.stop(FILL_TO_PROTECT, trade_id)
        except BrokerUnavailable as error:
            self._ask_reconcile(f"exit {tickets[0].order_ref} was not sent: {error}")

    # --- changes ------------------------------------------------------------------------------------

    async def _modify(self, trade: Trade, asked: ModifyExit) -> None:
        order = self._ledger.book.orders.get(asked.order_ref)
        if order is None or not _is_certain(order):
            return
        qty = min(asked.qty, order.filled + self.room(trade, order.ref))
        if qty > order.filled:
            ticket = replace(order.ticket, kind=asked.kind, qty=qty, limit=asked.limit, stop=asked.stop)
            await self._change(trade, [(order, ticket)], asked.cause.value, asked.reason)

    async def _market_out(self, trade: Trade, asked: MarketOut) -> None:
        """Every working exit to market for what it has left, the first also for what none covers; what the
        broker has not answered on is left alone, and counts."""
        working = self._ledger.book.working_exits(trade.id)
        if any(order.state is OrderState.UNKNOWN for order in working):
            self._ask_reconcile(f"{asked.cause.value}: an exit of {trade.id} is UNKNOWN")
        if trade.open_qty == 0:
            return
        wanted = Action.SELL if trade.open_qty > 0 else Action.BUY
        wrong = [order for order in working if order.ticket.action is not wanted]
        if wrong:
            for order in wrong:
                await self._cancel(order.ref, asked.cause.value)
            return
        left, room = self._allowed(trade), max(self.room(trade), ZERO)
        changes: list[tuple[Order, Ticket]] = []
        for order in sorted(filter(_is_certain, working), key=is_resting):
            own = order.remaining + (room if order.remaining + room <= self._terms.max_contracts else ZERO)
            own = min(own, left)
            left -= own
            room -= max(own - order.remaining, ZERO)
            if own <= 0:
                await self._cancel(order.ref, asked.cause.value)
                continue
            ticket = replace(order.ticket, kind=OrderKind.MARKET, limit=None, stop=None, qty=order.filled + own)
            if ticket != order.ticket:
                changes.append((order, ticket))
        if any(not self._in_place(order) for order, _ in changes):
            await self.ask_close(trade.id, asked.cause, asked.reason, PROTECTION)
        await self._change(trade, changes, asked.cause.value, asked.reason)
        uncovered, fresh = min(room, left), self._ledger.trades[trade.id]
        if uncovered > 0 and fresh.open_qty * trade.open_qty > 0:
            qty = min(uncovered, self.room(fresh))
            await self._place(fresh, qty, _Exit(OrderKind.MARKET, Purpose.CLOSE), asked.cause.value)

    async def _change(
        self, trade: Trade, changes: Sequence[tuple[Order, Ticket]], cause: str, reason: str
    ) -> None:
        """Change in place, all in one commit; what cannot be is cancelled and placed anew."""
        tickets = [ticket for order, ticket in changes if self._in_place(order)]
        if tickets:
            events = [ExitModified(ticket, cause, reason, *self._decision(ticket)) for ticket in tickets]
            await self._ledger.record(trade.id, *events, urgent=True)
            for ticket in tickets:
                await self.send_change(ticket)
        await self._replace(trade, [pair for pair in changes if pair[1] not in tickets], cause)

    def _in_place(self, order: Order) -> bool:
        can = self._broker.capabilities.modify_in_place
        return can and order.ref not in self._ledger.book.unchangeable

    async def change_again(self, trade: Trade, order: Order) -> None:
        """A committed change of an exit, for no more than there is room for now."""
        ticket, cause = order.ticket, Cause(trade.cause_of(order.ref))
        asked = ModifyExit(
            order.ref, ticket.kind, ticket.qty, ticket.limit, ticket.stop, cause, "the change had not arrived"
        )
        await self.carry_out(trade.id, asked)

    async def send_change(self, ticket: Ticket) -> None:
        """Send a committed change. A link that is down leaves the order as it was: the reconciliation that
        follows finds the difference and sends it then."""
        try:
            await self._submitter.modify(ticket)
        except BrokerUnavailable as error:
            self._ask_reconcile(f"change of {ticket.order_ref} was not sent: {error}")

    async def _replace(self, trade: Trade, changes: Sequence[tuple[Order, Ticket]], cause: str) -> None:
        """Cancel, wait for the proof, derive the quantity again, place. In doubt: ask, never sell twice."""
        for order, _ in changes:
            await self._cancel(order.ref, "replace")
        for order, ticket in changes:
            if not await self._inbox.terminal(order.ref, self._terms.cancel_confirm_s):
                wait_ms = round(self._terms.cancel_confirm_s * 1000)
                self._ask_reconcile(f"cancel of {order.ref} was not confirmed in {wait_ms} ms")
                continue
            fresh = self._ledger.trades[trade.id]
            rest = ticket.qty - self._ledger.book.orders[order.ref].filled
            if fresh.open_qty * trade.open_qty > 0:
                room = self.room(fresh, order.ref)
                await self._place(fresh, min(rest, room), _Exit.of(ticket), cause, replaces=order.ref)

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

    async def cancel(self, symbol: str, ref: str, cause: str) -> None:
        """Cancel an order under the instrument's lock; one that is over already is left alone."""
        async with self._locks.hold(symbol):
            await self._cancel(ref, cause)

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
