"""Positions that the broker has and our trades do not, or the other way round: explained where that is safe.

What someone else sold is booked at the last known price, what expired at settlement, each only once the exits
that stood for it have ended at the broker and it has said again what it holds (FAULTS 37, 38).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from enum import Enum
from typing import Final

from station.desk.exits import ExitHands
from station.desk.inbox import OrderInbox
from station.desk.ledger import Ledger
from station.desk.settlement import Settlement
from station.domain.events import SettledAtExpiry
from station.domain.instruments import Contract
from station.domain.orders import ZERO, Action, Execution
from station.domain.trade import Cause, Trade
from station.execution import BrokerTruth, Finding, InstrumentLocks

END_WAIT_S: Final = 5.0


class Outcome(Enum):
    """What became of a difference: explained and booked, still waiting for the broker, or not explicable."""

    EXPLAINED = "explained"
    WAITING = "waiting"
    UNEXPLAINED = "unexplained"


class BreakDesk:
    """Books what left the account without an order of ours. Called within a reconciliation; `look` asks the
    broker again within the same one."""

    def __init__(
        self, *, ledger: Ledger, inbox: OrderInbox, hands: ExitHands, locks: InstrumentLocks,
        settlement: Settlement, look: Callable[[], Awaitable[BrokerTruth]],
        mark: Callable[[Trade], Decimal | None], quarantine: Callable[[str, str], Awaitable[None]],
        alert: Callable[[str, str, str], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._inbox = inbox
        self._hands = hands
        self._locks = locks
        self._settlement = settlement
        self._look = look
        self._mark = mark
        self._quarantine = quarantine
        self._alert = alert
        self._unpriced: set[Contract] = set()

    def overdue(self) -> tuple[Contract, ...]:
        """Contracts that have expired and that our trades still hold."""
        held = dict.fromkeys(trade.contract for trade in self._ledger.live() if trade.open_qty > 0)
        return tuple(c for c in held if c is not None and self._settlement.is_expired(c))

    async def explain(self, finding: Finding) -> Outcome:
        """Book the part of our trades that the broker no longer holds. Raises BrokerUnavailable where it does
        not answer; nothing is booked then."""
        contract = finding.contract
        if contract is None or not ZERO <= finding.there < finding.here:
            return Outcome.UNEXPLAINED
        if not await self._ended(contract, finding.there):
            return Outcome.WAITING
        truth = await self._look()
        here, there = self._ledger.held(contract), truth.held(contract)
        if here == there:
            return Outcome.EXPLAINED
        if not ZERO <= there < here or self._promised(contract) > there:
            return Outcome.WAITING
        if self._settlement.is_expired(contract):
            return await self._expired(contract, here, there)
        price = _sold_by_others(truth, self._ledger, contract, here - there)
        await self._taken(contract, here, there, price)
        return Outcome.EXPLAINED

    async def _ended(self, contract: Contract, there: Decimal) -> bool:
        """Exits that together stand for more than the broker holds are cancelled, and their end is awaited."""
        if self._promised(contract) <= there:
            return True
        working = [order for trade in self._holders(contract) for order in self._working(trade)]
        for ref in working:
            await self._hands.cancel(contract.symbol, ref, "reconcile")
        for ref in working:
            if not await self._inbox.terminal(ref, END_WAIT_S):
                return False
        return True

    async def _expired(self, contract: Contract, here: Decimal, there: Decimal) -> Outcome:
        if there != ZERO:
            return Outcome.WAITING
        price = await self._settlement.price(contract)
        if price is None:
            if contract not in self._unpriced:
                self._unpriced.add(contract)
                text = f"{contract.label} has expired and its settlement price is not known: it stays open here"
                await self._alert("critical", text, "")
            return Outcome.EXPLAINED
        await self._book(contract, here, there, Cause.EXPIRY, lambda _: price)
        return Outcome.EXPLAINED

    async def _taken(self, contract: Contract, here: Decimal, there: Decimal, price: Decimal | None) -> None:
        def last_known(trade: Trade) -> Decimal:
            marked = price if price is not None else self._mark(trade)
            return marked if marked is not None else trade.entry_price or ZERO

        text = f"{contract.label}: {here - there} of ours left the account by another hand"
        await self._book(contract, here, there, Cause.EXTERNAL, last_known)
        await self._quarantine(contract.symbol, text)
        await self._alert("critical", f"{text}: booked as closed, {contract.symbol} is locked for entries", "")

    async def _book(
        self, contract: Contract, here: Decimal, there: Decimal, cause: Cause,
        price: Callable[[Trade], Decimal],
    ) -> None:  # fmt: skip
        """Oldest trades first, under the instrument's lock; not at all where a fill came in meanwhile."""
        async with self._locks.hold(contract.symbol):
            if self._ledger.held(contract) != here:
                return
            short = here - there
            for trade in self._holders(contract):
                qty = min(trade.open_qty, short)
                if qty > 0:
                    short -= qty
                    event = SettledAtExpiry(qty, price(trade), contract.multiplier, cause.value)
                    await self._ledger.record(trade.id, event)

    def _holders(self, contract: Contract) -> list[Trade]:
        return [trade for trade in self._ledger.live() if trade.contract == contract]

    def _working(self, trade: Trade) -> list[str]:
        return [order.ref for order in self._ledger.book.working_exits(trade.id)]

    def _promised(self, contract: Contract) -> Decimal:
        return sum((self._ledger.book.promised(trade.id) for trade in self._holders(contract)), ZERO)


def _sold_by_others(truth: BrokerTruth, ledger: Ledger, contract: Contract, qty: Decimal) -> Decimal | None:
    """The average price of what others sold of a contract, where that is exactly `qty`."""

    def is_theirs(done: Execution) -> bool:
        unknown = done.order_ref not in ledger.book.orders
        return unknown and done.contract == contract and done.action is Action.SELL

    sold = [done for done in truth.executions if is_theirs(done)]
    if sum((done.qty for done in sold), ZERO) != qty:
        return None
    return sum((done.qty * done.price for done in sold), ZERO) / qty
