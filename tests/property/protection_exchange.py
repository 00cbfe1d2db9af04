"""A small fair exchange and the desk before it: carries protection's wishes out, and misbehaves on demand.

`live` is the exchange's own book; the station's orders may lag behind it, be lost or be unknown. At every
change it checks what must never happen: more offered for sale than is held. Orders of one OCA group stand for
the largest of them: a fill of one takes as much from the others, also from a change of theirs on its way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from station.clock import VirtualClock
from station.domain.clock import SECOND
from station.domain.events import (
    CloseAsked,
    EntryEnded,
    EntrySubmitted,
    ExecutionBooked,
    ExitModified,
    ExitSubmitted,
    TradeEvent,
)
from station.domain.instruments import SPX_OPTION_TICKS
from station.domain.lifecycle import evolve
from station.domain.market import Quote
from station.domain.orders import (
    Action,
    Execution,
    Order,
    OrderKind,
    OrderState,
    Purpose,
    Ticket,
    filled,
    moved,
    new_order,
    order_ref,
)
from station.domain.specs import Rung
from station.domain.trade import Cause, Trade, TradeState
from station.protection import (
    AskClose,
    CancelEntry,
    CancelExit,
    Directive,
    Holding,
    MarketOut,
    ModifyExit,
    ProtectionWorker,
    RaiseAlert,
    RequestReconcile,
    SubmitExit,
)
from tests.property.protection_account import Account
from tests.unit.domain_cases import ACCOUNT, CONTRACT, option_selected, signal_accepted, sized, strategy_passed

FOREVER: Final = 10**6
Ladder = tuple[Rung, ...]


class FairExchange:
    """An `ExitPort` and a lockstep `Venue`. `script` is (instant, what to do), `moods` how each order directive
    fares in turn: slow (no answer yet; a change arrives a second later), unknown, lost, rejected, refused,
    broken; ok when they run out. One that does not block leaves a group's other orders as they are."""

    def __init__(self, clock: VirtualClock, moods: Sequence[str] = ()) -> None:
        self.clock = clock
        self.moods = deque(moods)
        self.accounts: dict[str, Account] = {}
        self.script: list[tuple[int, int, Callable[[], None]]] = []
        self.bid: Decimal | None = Decimal("10.00")
        self.size = Decimal(FOREVER)
        self.quoted_ns = clock.now()
        self.halted = False
        self.kill = False
        self.blocks = True
        self.excess = Decimal(0)
        self.log: list[tuple[int, str, Directive]] = []
        self.alerts: list[RaiseAlert] = []
        self.worker: ProtectionWorker | None = None
        self.fills = 0

    # --- the venue ----------------------------------------------------------------------------------

    def at(self, at_ns: int, action: Callable[[], None]) -> None:
        self.script.append((at_ns, len(self.script), action))
        self.script.sort(key=lambda line: line[:2])

    def next_instant(self) -> int | None:
        return self.script[0][0] if self.script else None

    async def advance(self, at_ns: int) -> None:
        while self.script and self.script[0][0] <= at_ns:
            self.script.pop(0)[2]()

    def quote(self, bid: Decimal | None, size: int = FOREVER) -> None:
        self.bid, self.size, self.quoted_ns = bid, Decimal(size), self.clock.now()
        self._match()
        for trade_id in sorted(self.accounts):
            if self.worker is not None:
                self.worker.quote_moved(trade_id)

    def halt(self, halted: bool) -> None:
        self.halted = halted
        self._tell_all()

    def throw_kill(self) -> None:
        self.kill = True
        self._tell_all()

    # --- trades -------------------------------------------------------------------------------------

    def open_trade(self, trade_id: str, qty: int, shield: str = "none", ladder: Ladder = ()) -> None:
        """A trade whose entry works at the broker, nothing filled yet."""
        ref = order_ref(ACCOUNT, trade_id, "E", 1)
        entry = Ticket(ref, ACCOUNT, CONTRACT, Action.BUY, Decimal(qty), OrderKind.MARKET, Purpose.ENTRY)
        trade: Trade | None = None
        for event in (
            signal_accepted(), replace(strategy_passed(shield), ladder=ladder), option_selected(), sized(qty),
            EntrySubmitted(entry, Decimal(10), Decimal(10), self.clock.now()),
        ):  # fmt: skip
            trade = evolve(trade, trade_id, event, self.clock.now())
        assert trade is not None
        order = replace(new_order(entry, trade_id, self.clock.now()), state=OrderState.SUBMITTED)
        self.accounts[trade_id] = Account(trade, {ref: order})

    def fill_entry(self, trade_id: str, qty: int, price: Decimal) -> None:
        account = self.accounts[trade_id]
        part = min(Decimal(qty), account.trade.qty - account.trade.entry_filled)
        if part > 0 and not account.trade.entry_done:
            self._booked(trade_id, account.trade.entry_ref, Purpose.ENTRY, part, price)

    def end_entry(self, trade_id: str) -> None:
        account = self.accounts[trade_id]
        if account.trade.entry_filled > 0:
            self._evolve(trade_id, EntryEnded(account.trade.entry_ref, OrderState.CANCELLED))

    def hand(self, trade_id: str, event: TradeEvent) -> None:
        """What a hand asks of a trade that holds something."""
        trade = self.accounts[trade_id].trade
        if trade.open_qty > 0 and trade.state in (TradeState.BUY_FILLED, TradeState.SELL_SUBMITTED):
            self._evolve(trade_id, event)

    def _booked(self, trade_id: str, ref: str, purpose: Purpose, qty: Decimal, price: Decimal) -> None:
        self.fills += 1
        exec_id = f"e{self.fills}.01"
        account = self.accounts[trade_id]
        order = account.orders[ref]
        one = Execution(exec_id, ref, ACCOUNT, CONTRACT, order.ticket.action, qty, price, self.clock.now())
        before = replace(one, exec_id="before", qty=order.filled, price=order.avg_price)
        account.orders[ref] = filled(order, (before, one) if order.filled else (one,), self.clock.now())
        fee = Decimal("0.65") * qty
        self._evolve(
            trade_id,
            ExecutionBooked(
                exec_id,
                ref,
                purpose,
                qty,
                price,
                100,
                fee,
                Decimal(0),
                Decimal(0),
                buys_back=purpose.is_exit and order.ticket.action is Action.BUY,
            ),
        )

    def _evolve(self, trade_id: str, event: TradeEvent) -> None:
        account = self.accounts[trade_id]
        account.trade = evolve(account.trade, trade_id, event, self.clock.now())
        self._check(account)
        if self.worker is not None:
            self.worker.notify(trade_id)

    def _tell_all(self) -> None:
        for trade_id in sorted(self.accounts):
            if self.worker is not None:
                self.worker.notify(trade_id)

    def _match(self) -> None:
        """Working sells meet the bid, oldest first, up to its size."""
        if self.bid is None or self.halted:
            return
        for trade_id in sorted(self.accounts):
            account = self.accounts[trade_id]
            for ref, (ticket, done) in list(account.live.items()):
                if ref not in account.live:
                    continue
                ticket, done = account.live[ref]
                take = min(ticket.qty - done, self.size)
                if take > 0 and self._fits(ticket, self.bid):
                    self.size -= take
                    account.live[ref] = (ticket, done + take)
                    if done + take == ticket.qty:
                        del account.live[ref]
                    price = self.bid if ticket.limit is None else ticket.limit
                    smaller = account.shared(ticket, take) if self.blocks else []
                    self._booked(trade_id, ref, ticket.purpose, take, price)
                    for other in smaller:
                        account.told(other, self.clock.now())
                        self._tell_all()

    def _fits(self, ticket: Ticket, bid: Decimal) -> bool:
        if ticket.kind is OrderKind.STOP:
            return ticket.stop is not None and bid <= ticket.stop
        return ticket.kind is OrderKind.MARKET or (ticket.limit is not None and ticket.limit <= bid)

    def _check(self, account: Account) -> None:
        offered, held = account.offered, account.trade.open_qty
        if not self.blocks:
            self.excess = max(self.excess, -held)
            return
        assert held >= 0, f"over-sold: {held}"
        assert offered <= held, f"{offered} offered, {held} held"

    # --- the desk: ExitPort -------------------------------------------------------------------------

    def holdings(self) -> Sequence[Holding]:
        found = (self.holding(trade_id) for trade_id in sorted(self.accounts))
        return [holding for holding in found if holding is not None]

    def holding(self, trade_id: str) -> Holding | None:
        account = self.accounts[trade_id]
        trade = account.trade
        entering = not trade.entry_done and trade.state is not TradeState.FAILED
        if trade.open_qty == 0 and not account.exits and not entering:
            return None
        ask = self.bid + Decimal("0.10") if self.bid is not None else None
        top = Quote(CONTRACT, self.bid, ask, 1, 1, self.quoted_ns)
        return Holding(
            trade, account.exits, top, SPX_OPTION_TICKS, entering, self.kill, self.halted,
            unconfirmed=tuple(account.unconfirmed.items()), stop_rests=True,
        )  # fmt: skip

    async def carry_out(self, trade_id: str, directive: Directive) -> None:
        self.log.append((self.clock.now(), trade_id, directive))
        account = self.accounts[trade_id]
        await self.clock.sleep(0)
        match directive:
            case RaiseAlert():
                self.alerts.append(directive)
            case AskClose():
                asked = CloseAsked(directive.cause.value, directive.reason, "protection")
                self._evolve(trade_id, asked)
            case RequestReconcile():
                self.at(self.clock.now() + SECOND, lambda: self._reconcile(trade_id))
            case CancelEntry():
                self.at(self.clock.now() + SECOND, lambda: self.end_entry(trade_id))
            case CancelExit():
                self._cancel(account, directive.order_ref)
            case SubmitExit():
                self._place(trade_id, directive)
            case MarketOut():
                self._market_out(trade_id, directive.cause.value)
            case ModifyExit():
                order = account.orders[directive.order_ref]
                qty = min(directive.qty, order.filled + account.room(order.ref))
                if qty > order.filled and order.state is not OrderState.UNKNOWN and order.state.is_working:
                    changed = replace(
                        order.ticket, kind=directive.kind, limit=directive.limit, stop=directive.stop, qty=qty
                    )
                    self._modify(trade_id, order, changed, directive.cause.value)
        self._match()
        self._check(account)

    def _market_out(self, trade_id: str, cause: str) -> None:
        account = self.accounts[trade_id]
        if account.trade.open_qty < 0:
            self._buy_back(trade_id, cause)
            return
        left, room = account.trade.open_qty, max(account.room(), Decimal(0))
        for order in sorted(account.exits, key=lambda order: order.ticket.kind is OrderKind.STOP):
            if order.state is OrderState.UNKNOWN:
                continue
            own = min(order.remaining + room, left)
            left, room = left - own, room - max(own - order.remaining, Decimal(0))
            if own > 0:
                qty = order.filled + own
                changed = replace(order.ticket, kind=OrderKind.MARKET, limit=None, stop=None, qty=qty)
                self._modify(trade_id, order, changed, cause)
            else:
                self._cancel(account, order.ref)
        self._submit(trade_id, OrderKind.MARKET, None, min(left, account.room()), cause)

    def _place(self, trade_id: str, asked: SubmitExit) -> None:
        """One exit, one that joins another in its group, or a pair."""
        account = self.accounts[trade_id]
        mate = next((o for o in account.exits if o.ticket.oca_group == asked.oca_group != ""), None)
        if asked.oca_group and mate is None:
            return
        qty = min(asked.qty, account.room(mate.ref if mate is not None else ""))
        if asked.kind is OrderKind.LIMIT and asked.stop is not None:
            group = f"G{len(account.orders)}"
            self._submit(trade_id, asked.kind, asked.limit, qty, asked.cause.value, None, group)
            self._submit(trade_id, OrderKind.STOP, None, qty, Cause.STOP_ORDER.value, asked.stop, group)
        else:
            self._submit(trade_id, asked.kind, asked.limit, qty, asked.cause.value, asked.stop, asked.oca_group)

    def _buy_back(self, trade_id: str, cause: str) -> None:
        account = self.accounts[trade_id]
        for order in account.exits:
            if order.ticket.action is Action.SELL:
                self._cancel(account, order.ref)
        qty = -account.trade.open_qty
        buy = account.new_exit(Action.BUY, qty, OrderKind.MARKET)
        ref = buy.order_ref
        account.orders[ref] = replace(new_order(buy, trade_id, self.clock.now()), state=OrderState.SUBMITTED)
        self._evolve(trade_id, ExitSubmitted(buy, cause))
        self._booked(trade_id, ref, buy.purpose, qty, self.bid or Decimal(1))

    def _mood(self) -> str:
        mood = self.moods.popleft() if self.moods else "ok"
        if mood == "broken":
            raise ConnectionResetError("the wire broke before anything was sent")
        return mood

    def _submit(
        self, trade_id: str, kind: OrderKind, limit: Decimal | None, qty: Decimal, cause: str,
        stop: Decimal | None = None, group: str = "",
    ) -> None:  # fmt: skip
        if qty <= 0:
            return
        mood = self._mood()
        account = self.accounts[trade_id]
        assert limit is None or SPX_OPTION_TICKS.is_legal(limit)
        assert stop is None or SPX_OPTION_TICKS.is_legal(stop)
        sell = account.new_exit(Action.SELL, qty, kind, limit, stop, group)
        ref = sell.order_ref
        order = new_order(sell, trade_id, self.clock.now())
        state = {"slow": OrderState.PENDING, "unknown": OrderState.UNKNOWN, "lost": OrderState.UNKNOWN,
                 "rejected": OrderState.REJECTED}.get(mood, OrderState.SUBMITTED)  # fmt: skip
        account.orders[ref] = replace(order, state=state)
        if mood not in ("lost", "rejected"):
            account.live[ref] = (sell, Decimal(0))
        self._evolve(trade_id, ExitSubmitted(sell, cause))

    def _modify(self, trade_id: str, order: Order, changed: Ticket, cause: str) -> None:
        mood = self._mood()
        account = self.accounts[trade_id]
        assert changed.limit is None or SPX_OPTION_TICKS.is_legal(changed.limit)
        self._evolve(trade_id, ExitModified(changed, cause, "asked"))
        if mood in ("refused", "rejected") or order.ref not in account.live:
            self._evolve(trade_id, ExitModified(order.ticket, "target", "refused"))
            return
        state = OrderState.UNKNOWN if mood == "unknown" else order.state
        account.orders[order.ref] = replace(order, ticket=changed, state=state, updated_ns=self.clock.now())
        if mood == "slow":
            known = account.unconfirmed.get(order.ref, order.ticket.qty)
            account.unconfirmed[order.ref] = max(known, changed.qty)
            taken = account.taken.get(order.ref, Decimal(0))
            self.at(self.clock.now() + SECOND, lambda: self._arrive(trade_id, changed, taken))
        else:
            account.live[order.ref] = (changed, account.live[order.ref][1])

    def _arrive(self, trade_id: str, changed: Ticket, taken: Decimal) -> None:
        """A slow change is at the exchange, and confirmed at once where it is the newest. What its group took
        meanwhile is off."""
        account, ref = self.accounts[trade_id], changed.order_ref
        since = account.taken.get(ref, Decimal(0)) - taken
        if ref in account.live:
            done = account.live[ref][1]
            if done < changed.qty - since:
                account.live[ref] = (replace(changed, qty=changed.qty - since), done)
            else:
                del account.live[ref]
                account.gone(ref, self.clock.now())
        if account.orders[ref].ticket == changed:
            account.unconfirmed.pop(ref, None)
            if ref in account.live:
                account.told(ref, self.clock.now())
        self._match()
        self._check(account)
        self._tell_all()

    def _cancel(self, account: Account, ref: str) -> None:
        account.live.pop(ref, None)
        account.gone(ref, self.clock.now())
        self._tell_all()

    def _reconcile(self, trade_id: str) -> None:
        account = self.accounts[trade_id]
        for order in account.exits:
            state = OrderState.SUBMITTED if order.ref in account.live else OrderState.CANCELLED
            account.unconfirmed.pop(order.ref, None)
            known = moved(order, state, self.clock.now())
            if known is not None:
                account.orders[order.ref] = known
            if order.ref in account.live:
                live = account.live[order.ref][0]
                account.orders[order.ref] = replace(account.orders[order.ref], ticket=live)
        self._tell_all()
