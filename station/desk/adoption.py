"""Positions in the account that no trade of ours explains: taken over where orders of ours stand behind them,
else told once, counted in risk and left alone (SPEC §9, §10 rule 5, FAULTS 29, 36)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Final

from station.desk.ledger import Ledger
from station.desk.preparation import Identity
from station.domain.broker import Broker, OpenOrder
from station.domain.clock import Ids
from station.domain.errors import BrokerUnavailable, Refused
from station.domain.events import Event, ExitsSet, ExitSubmitted, OrderMoved, PositionAdopted
from station.domain.hand import OwnExits
from station.domain.instruments import Contract
from station.domain.orders import ZERO, Execution, OrderKind, OrderState, Purpose, together, trade_of
from station.domain.trade import Cause
from station.execution import BrokerTruth, Finding
from station.execution.reconcile import is_exit_ref

Alert = Callable[[str, str, str], Awaitable[None]]
KEEPING: Final = "keeps working under its trade here"


class AdoptionDesk:
    """Adopts what an older database no longer knows. Its working exits are kept as they are, so that a position
    is never without them and none is ever placed twice."""

    def __init__(
        self, *, ledger: Ledger, ids: Ids, broker: Broker, identity: Callable[[], Identity],
        session: Callable[[], date], look: Callable[[], Awaitable[BrokerTruth]],
        quarantine: Callable[[str, str], Awaitable[None]], alert: Alert,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._ids = ids
        self._broker = broker
        self._identity = identity
        self._session = session
        self._look = look
        self._quarantine = quarantine
        self._alert = alert
        self._told: set[str] = set()

    def seen(self, refs: Iterable[str]) -> None:
        """References that the broker knows: neither they nor their trade numbers are handed out again."""
        for ref in refs:
            self._ledger.book.saw(ref)
            if (trade_id := trade_of(ref)) is not None:
                self._ids.taken(trade_id)

    async def keep(self, exits: Iterable[OpenOrder]) -> None:
        """Working exits that are not in our book but whose trade is: they are its own again."""
        for held in exits:
            trade = self._ledger.trades.get(trade_of(held.order_ref) or "")
            if trade is not None and trade.contract == held.contract and trade.state.is_open and held.ticket:
                await self._ledger.record(trade.id, *_kept(held), *_stop_of(trade.own, (held,)))
                await self._alert("warning", f"exit {held.order_ref}, unknown here, {KEEPING}", trade.id)

    async def meet(self, finding: Finding) -> bool:
        """True where the position is explained: adopted, or someone else's. Raises BrokerUnavailable."""
        contract = finding.contract
        if contract is None:
            return False
        truth = await self._look()
        extra = truth.held(contract) - self._ledger.held(contract)
        exits = [
            order for order in truth.open_orders
            if self._is_lost(order.order_ref, order.contract, contract) and is_exit_ref(order.order_ref)
        ]  # fmt: skip
        fills = self._lost_fills(truth, contract)
        bought = sum((fill.qty * fill.action.sign for fill in fills), ZERO)
        if not exits and bought == 0:
            return await self._foreign(contract, extra)
        tickets = ((held.ticket, held.filled) for held in exits if held.ticket is not None)
        standing = together((ticket, max(ticket.qty - filled, ZERO)) for ticket, filled in tickets)
        qty = min(extra, bought if bought > 0 else standing)
        if qty <= 0 or standing > qty or any(order.ticket is None for order in exits):
            return await self._unsafe(contract, extra)
        refs = {order.order_ref for order in exits}
        sold = sum((fill.qty for fill in fills if fill.order_ref in refs), ZERO)
        await self._adopt(truth, contract, qty, sold, exits)
        return True

    def _is_lost(self, ref: str, theirs: Contract, contract: Contract) -> bool:
        return theirs == contract and trade_of(ref) is not None and ref not in self._ledger.book.orders

    def _lost_fills(self, truth: BrokerTruth, contract: Contract) -> list[Execution]:
        """What orders of ours that are not in our book did in a contract, as last corrected."""
        done = [e for e in truth.executions if self._is_lost(e.order_ref, e.contract, contract)]
        return list({e.root_id: e for e in sorted(done, key=lambda e: e.revision)}.values())

    async def _adopt(
        self, truth: BrokerTruth, contract: Contract, qty: Decimal, sold: Decimal, exits: list[OpenOrder]
    ) -> None:
        """In one commit the position, as it was before its working exits `sold` some of it, and those exits."""
        account = next(position.account for position in truth.positions if position.contract == contract)
        cost = next(position.avg_cost for position in truth.positions if position.contract == contract)
        adopted = PositionAdopted(account, self._identity().environment, contract, qty + sold, cost)
        trade_id = self._ids.trade_id(self._session())
        kept = [event for order in exits for event in _kept(order)]
        await self._ledger.record(trade_id, adopted, *kept, *_stop_of(None, exits))
        text = f"adopted {qty} {contract.label}: bought by an order of ours that these books do not know"
        await self._alert("critical", f"{text}; it is protected as {trade_id}", trade_id)
        try:
            await self._broker.watch(contract)
        except (BrokerUnavailable, Refused) as error:
            await self._alert("critical", f"no quotes of {contract.label}: {error}", trade_id)
        await self._look()

    async def _foreign(self, contract: Contract, qty: Decimal) -> bool:
        text = f"not ours: {qty} {contract.label}; it counts in risk and is never touched"
        await self._tell(contract, "warning", text)
        return True

    async def _unsafe(self, contract: Contract, qty: Decimal) -> bool:
        text = f"{qty} {contract.label} come from orders of ours that these books do not know"
        await self._quarantine(contract.symbol, text)
        await self._tell(contract, "critical", f"{text}, and cannot be taken over: close them by hand")
        return False

    async def _tell(self, contract: Contract, severity: str, text: str) -> None:
        if contract.label not in self._told:
            self._told.add(contract.label)
            await self._alert(severity, text, "")


_CAUSES: Final = {OrderKind.LIMIT: Cause.TARGET, OrderKind.STOP: Cause.STOP_ORDER}


def _kept(held: OpenOrder) -> tuple[Event, ...]:
    assert held.ticket is not None
    purpose = Purpose.STOP if held.ticket.kind is OrderKind.STOP else Purpose.TARGET
    ticket = replace(held.ticket, order_ref=held.order_ref, purpose=purpose)
    cause = _CAUSES.get(ticket.kind, Cause.EXTERNAL)
    moved = OrderMoved(held.order_ref, OrderState.SUBMITTED, held.broker_id, held.perm_id, "taken over")
    return ExitSubmitted(ticket, cause.value), moved


def _stop_of(own: OwnExits | None, exits: Iterable[OpenOrder]) -> tuple[Event, ...]:
    """The stop that rests beside what is taken over is the trade's from now on, else it would be taken away."""
    known = own or OwnExits()
    stops = [held.ticket.stop for held in exits if held.ticket and held.ticket.kind is OrderKind.STOP]
    level = max((stop for stop in stops if stop is not None), default=None)
    if level is None or known.stop_price is not None or known.stop_pct is not None:
        return ()
    return (ExitsSet(replace(known, stop_price=level), "taken over"),)
