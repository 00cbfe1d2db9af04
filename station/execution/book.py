"""Our own order book: O(1) order state, and what a broker's report means for it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal

from station.domain.orders import ZERO, Execution, Order, OrderKind, OrderState, together, trade_of
from station.execution.changes import Changes
from station.execution.fills import Fills
from station.execution.reports import Interpretation, OrderReport, Reports


class OrderBook:
    """Orders and executions of the account as we know them, by reference."""

    def __init__(self, provisional_fee: Decimal) -> None:
        self.orders: dict[str, Order] = {}
        self._working: dict[str, Order] = {}
        self._refs_of: dict[str, list[str]] = {}
        self._legs: dict[tuple[str, str], int] = {}
        self._created: list[int] = []
        self._fills = Fills(provisional_fee)
        self._changes = Changes()
        self._reports = Reports(self.orders, self._changes, self._fills)
        self.ignored = self._reports.ignored
        self.claims = self._reports.claims
        self.unchangeable = self._reports.unchangeable

    def restore(self, orders: Iterable[Order], executions: Iterable[Execution]) -> None:
        for order in orders:
            self.put(order)
        for execution in executions:
            self.put_execution(execution)
        working = (order for order in self.orders.values() if order.state.is_working)
        self._changes.restore(order.ref for order in working if order.ticket.purpose.is_exit)

    def put(self, order: Order) -> None:
        held = self.orders.get(order.ref)
        if held is None:
            self.saw(order.ref)
            insort(self._created, order.created_ns)
            self._refs_of.setdefault(order.trade_id, []).append(order.ref)
        elif order.state.is_terminal:
            self._changes.confirm(order.ref)
        elif held.ticket != order.ticket:
            self._changes.note(held, order)
        self.orders[order.ref] = order
        if order.state.is_working:
            self._working[order.ref] = order
        else:
            self._working.pop(order.ref, None)

    def confirm(self, ref: str) -> None:
        """The broker has this order as we do."""
        self._changes.confirm(ref)

    def told(self, ref: str, qty: Decimal | None) -> None:
        """The broker lists this order for a total of `qty` (None where it does not say)."""
        if ref in self.orders:
            self._changes.told(self.orders[ref], qty)

    def is_changing(self, ref: str) -> bool:
        return self._changes.is_changing(ref)

    def unconfirmed(self, trade_id: str) -> tuple[tuple[str, Decimal], ...]:
        """Working exits of a trade whose change is not confirmed, with the largest total each may have. Of one
        that an earlier process left, until the broker has told how it stands, that is not known."""
        return tuple(
            (order.ref, self._changes.largest(order.ref))
            for order in self.working_exits(trade_id)
            if self._changes.is_open(order.ref)
        )

    def promised(self, trade_id: str, but: str = "") -> Decimal:
        """The most that the working exits of a trade, one left out with its OCA group, could still trade at the
        broker."""
        larger = dict(self.unconfirmed(trade_id))
        group = self.orders[but].ticket.oca_group if but in self.orders else ""
        return together(
            (order.ticket, max(order.ticket.qty, larger.get(order.ref, ZERO)) - order.filled)
            for order in self.working_exits(trade_id)
            if order.ref != but and not (group and order.ticket.oca_group == group)
        )

    def put_execution(self, execution: Execution) -> None:
        self._fills.put(execution)

    def created_since(self, at_ns: int) -> int:
        """How many orders have been made at or after an instant."""
        return len(self._created) - bisect_left(self._created, at_ns)

    def of_trade(self, trade_id: str) -> tuple[Order, ...]:
        return tuple(self.orders[ref] for ref in self._refs_of.get(trade_id, ()))

    def working_exits(self, trade_id: str) -> tuple[Order, ...]:
        return tuple(
            order
            for order in self.of_trade(trade_id)
            if order.state.is_working and order.ticket.purpose.is_exit
        )

    def given_up_for(self, trade_id: str) -> str:
        """Why the last of a trade's resting stops that was cancelled was; empty where none was."""
        stops = (order for order in self.of_trade(trade_id) if order.ticket.kind is OrderKind.STOP)
        causes = [stop.cancel_cause for stop in stops if stop.ticket.purpose.is_exit and stop.cancel_cause]
        return causes[-1] if causes else ""

    def working(self) -> tuple[Order, ...]:
        return tuple(self._working.values())

    def executions_of(self, order_ref: str) -> tuple[Execution, ...]:
        return self._fills.of_order(order_ref)

    def execution(self, exec_id: str) -> Execution | None:
        """The booked execution with exactly this id."""
        return self._fills.by_id(exec_id)

    def all_executions(self) -> tuple[Execution, ...]:
        return self._fills.every()

    def next_leg(self, trade_id: str, leg: str) -> int:
        """The next number of a leg (`E` or `X`) of a trade, from 1: after the highest that anybody has seen."""
        return 1 + self._legs.get((trade_id, leg), 0)

    def saw(self, ref: str) -> None:
        """A reference that the broker knows, in our book or not: it is never used again."""
        trade_id, parts = trade_of(ref), ref.rsplit("-", 2)
        if trade_id is not None and parts[-1].isdigit():
            key = (trade_id, parts[-2])
            self._legs[key] = max(self._legs.get(key, 0), int(parts[-1]))

    def interpret(self, report: OrderReport) -> Interpretation:
        """What a report is worth, given what is already booked."""
        return self._reports.interpret(report)

    def inferred(self, order: Order, at_ns: int) -> Execution | None:
        """The fill the broker claims without ever having reported it: deterministic id, claimed price. No more
        than it claims: our total may be one that never arrived, or that others of its OCA group took from."""
        claim = self.claims.get(order.ref)
        if claim is None or claim.state is not OrderState.FILLED:
            return None
        most = claim.filled or order.ticket.qty
        if order.filled >= most:
            return None
        return self.stand_in(order, most - order.filled, claim.avg_price, at_ns)

    def stand_in(self, order: Order, qty: Decimal, price: Decimal | None, at_ns: int) -> Execution:
        """A fill of `qty` that no execution tells of: deterministic id, the price that is likeliest."""
        likely = price or order.ticket.limit or order.decision_price or order.avg_price
        return Execution(
            f"inferred:{order.ref}:{order.filled + qty}", order.ref, order.ticket.account,
            order.ticket.contract, order.ticket.action, qty, likely, at_ns, order.perm_id, inferred=True,
        )  # fmt: skip
