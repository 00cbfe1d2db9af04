"""Working orders changed by a hand: an entry's size and price, a position's target and stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from station.desk.asked import check_tick
from station.desk.entries import WORKING, EntryDesk, costs_more
from station.desk.judgement import Judgement
from station.desk.ledger import Ledger
from station.domain.broker import Broker
from station.domain.errors import BadInput, Refused
from station.domain.events import ExitsSet
from station.domain.hand import OwnExits
from station.domain.orders import Order, OrderKind, Ticket
from station.domain.trade import Cause, Trade
from station.execution import InstrumentLocks
from station.risk import Proposal

LIMITED: Final = (OrderKind.LIMIT, OrderKind.STOP_LIMIT)
STOPPED: Final = (OrderKind.STOP, OrderKind.STOP_LIMIT)
_LOWERED: Final = (Cause.BREAK_EVEN.value, Cause.LATE.value)


@dataclass(frozen=True, slots=True)
class _Wish:
    """A change as a hand asks for it; what is 0 or None stays."""

    order_ref: str
    qty: Decimal
    limit: Decimal | None
    stop: Decimal | None
    token: str
    by: str


class ChangeDesk:
    """An entry is changed in place at the broker. Of an exit only the price is a hand's to change: it is
    written down as the trade's own target or stop, and protection moves the order there, so that the position
    is never without one."""

    def __init__(
        self, *, ledger: Ledger, entries: EntryDesk, judgement: Judgement, locks: InstrumentLocks,
        broker: Broker, protect: Callable[[str], None], rungs: Callable[[Trade], tuple[Decimal, ...]],
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._entries = entries
        self._judgement = judgement
        self._locks = locks
        self._broker = broker
        self._protect = protect
        self._rungs = rungs
        self._begun: set[str] = set()
        self._exits = asyncio.Lock()
        """A target and a stop that two changes set at once are both kept."""

    async def change(
        self, order_ref: str, qty: Decimal, limit: Decimal | None, stop: Decimal | None, token: str, by: str
    ) -> str:
        """What was done, in a line; a `qty` of 0 and prices of None stay. Done once, however often this token
        asks. Raises BadInput and Refused."""
        if not token:
            raise BadInput("changing an order needs a token: make a new one for each change")
        if self._ledger.by_token(token) is not None:
            return f"{order_ref} was changed by this very order before"
        if token in self._begun:
            raise Refused("BUSY", f"{order_ref}: this very change is on its way")
        self._begun.add(token)
        try:
            return await self._change(_Wish(order_ref, qty, limit, stop, token, by))
        finally:
            self._begun.discard(token)

    async def _change(self, wish: _Wish) -> str:
        order = self._working(wish.order_ref)
        if wish.qty <= 0 and wish.limit is None and wish.stop is None:
            raise BadInput(f"order {order.ref}: nothing to change, give qty, limit or stop")
        if order.ticket.purpose.is_exit:
            async with self._exits:
                return await self._exit(self._working(order.ref), wish)
        async with self._locks.hold(order.ticket.contract.symbol):
            return await self._entry(self._working(order.ref), wish)

    def _working(self, order_ref: str) -> Order:
        order = self._ledger.book.orders.get(order_ref)
        if order is None or order.state.is_terminal:
            raise BadInput(f"order {order_ref!r} does not work: nothing to change")
        return order

    # --- entries ------------------------------------------------------------------------------------

    async def _entry(self, order: Order, wish: _Wish) -> str:
        self._refuse_busy(order)
        ticket = self._changed(order, wish.qty, wish.limit, wish.stop)
        if ticket == order.ticket:
            raise BadInput(f"order {order.ref} stands so already: nothing to change")
        if costs_more(order.ticket, ticket):
            self._refuse_dearer(order, ticket)
        if not await self._entries.change(ticket, f"changed by {wish.by}", wish.token):
            raise Refused("GATE", f"{order.ref} stays as it is: entries were closed before that was sent")
        return f"changing it to {_words(ticket)}"

    def _refuse_busy(self, order: Order) -> None:
        book = self._ledger.book
        if order.ref in book.unchangeable or not self._broker.capabilities.modify_in_place:
            raise Refused("FIXED", f"{order.ref} cannot be changed in place: cancel it and place a new one")
        if order.cancel_cause or book.is_changing(order.ref) or order.state not in WORKING:
            state = "is being cancelled" if order.cancel_cause else f"is {order.state.value.lower()}"
            state = "has a change on its way" if book.is_changing(order.ref) else state
            raise Refused("BUSY", f"{order.ref} {state}: try again in a moment")

    def _changed(self, order: Order, qty: Decimal, limit: Decimal | None, stop: Decimal | None) -> Ticket:
        ticket = order.ticket
        for name, price, kinds in (("limit", limit, LIMITED), ("stop", stop, STOPPED)):
            if price is None:
                continue
            if ticket.kind not in kinds:
                raise BadInput(f"order {order.ref} is {ticket.kind.value} and has no {name} to change")
            check_tick(name, price, ticket.contract, self._judgement.tick_rule(ticket.contract))
        size = qty if qty > 0 else ticket.qty
        if size <= order.filled:
            raise BadInput(f"order {order.ref}: {order.filled} have filled, {size} is too few: cancel the rest")
        return replace(ticket, qty=size, limit=limit or ticket.limit, stop=stop or ticket.stop)

    def _refuse_dearer(self, order: Order, ticket: Ticket) -> None:
        trade = self._ledger.trades[order.trade_id]
        price = ticket.limit if ticket.limit is not None else ticket.stop
        most = self._entries.most_paid(trade)
        if most is not None and price is not None and price > most:
            text = (
                f"{order.ref} stays as it is: limit {price} is over {most}, the most that {trade.strategy} pays"
            )
            raise Refused("CAP", text)
        asked = Proposal(
            trade.symbol, ticket.contract, ticket.action, ticket.qty, limit=price, origin="MANUAL",
            override=trade.hand is not None and trade.hand.override,
            self_report=trade.hand.self_report if trade.hand is not None else None,
        )  # fmt: skip
        _, verdict = self._judgement.verdict(asked, but=trade.id)
        if not verdict.approved:
            raise Refused(verdict.failed[0].code, f"{order.ref} stays as it is: {verdict.text()}")

    # --- exits --------------------------------------------------------------------------------------

    async def _exit(self, order: Order, wish: _Wish) -> str:
        qty, limit, stop = wish.qty, wish.limit, wish.stop
        if qty > 0 and qty != order.ticket.qty:
            raise BadInput(f"{order.ref} protects its position and has its size: close a part instead")
        trade = self._ledger.trades[order.trade_id]
        own, said = trade.own or OwnExits(), list[str]()
        if limit is not None:
            own = replace(own, targets=own.with_target(self._rung(trade, order), self._price(order, limit)))
            said.append(f"target {limit}{self._but(trade, order)}")
        if stop is not None:
            own = replace(own, stop_price=self._stop(order, stop), stop_pct=None)
            said.append(f"stop {stop}")
        await self._ledger.record(trade.id, ExitsSet(own, wish.by, wish.token))
        self._protect(trade.id)
        return f"{trade.id}: {', '.join(said)}"

    def _price(self, order: Order, limit: Decimal) -> Decimal:
        if order.ticket.kind not in LIMITED:
            raise BadInput(f"{order.ref} goes at market: it has no target to change")
        check_tick("limit", limit, order.ticket.contract, self._judgement.tick_rule(order.ticket.contract))
        return limit

    def _stop(self, order: Order, stop: Decimal) -> Decimal:
        contract = order.ticket.contract
        check_tick("stop", stop, contract, self._judgement.tick_rule(contract))
        quote = self._judgement.quote(contract)
        if quote is not None and quote.bid is not None and stop >= quote.bid:
            raise BadInput(f"stop {stop} is not under the bid of {quote.bid}: it would go off at once")
        return stop

    def _rung(self, trade: Trade, order: Order) -> int:
        """The rung of the ladder that an exit stands for: the nearest by price."""
        price = order.ticket.limit or Decimal(0)
        rungs = self._rungs(trade)
        return min(range(len(rungs)), key=lambda n: (abs(rungs[n] - price), n), default=0)

    def _but(self, trade: Trade, order: Order) -> str:
        lowered = trade.cause_of(order.ref) in _LOWERED
        return " (while the sell is lowered to entry + fees, whichever is lower holds)" if lowered else ""


def _words(ticket: Ticket) -> str:
    prices = [f"{price}" for price in (ticket.stop, ticket.limit) if price is not None]
    return f"{ticket.action.value} {ticket.qty} {ticket.contract.label} {ticket.kind.value} {' '.join(prices)}"
