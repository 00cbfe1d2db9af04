"""The exchange's state: orders, holdings, executions. Every change leaves its rows in the draft."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from station.brokers.paper.book import Draft, Stored
from station.brokers.paper.ledger import Ledger
from station.brokers.paper.listing import numbered
from station.brokers.paper.orders import PaperOrder
from station.brokers.paper.quotes import dollars
from station.brokers.paper.rows import contract_of, price_of, ticket_of
from station.domain.fees import fill_fee
from station.domain.instruments import Contract
from station.domain.orders import (
    ZERO,
    Action,
    Execution,
    OrderKind,
    OrderState,
    Ticket,
    Tif,
    latest_revisions,
)


class Register:
    """Built from the book; `draft` holds what the book does not have yet."""

    def __init__(self, stored: Stored, account: str, session: date, since_ns: int) -> None:
        """`since_ns` is the session's open: what was realised before it is another day's."""
        self.account = account
        self.session = session
        self.draft = Draft(stored.counters)
        self.ledger = Ledger()
        self.orders: dict[str, PaperOrder] = {}
        self.executions: list[Execution] = []
        for row in stored.orders:
            order = _order(row, stored)
            self.orders[order.ref] = order
        self.open = {ref: order for ref, order in self.orders.items() if not order.state.is_terminal}
        self._since_ns = since_ns
        self._restore(stored)

    def _restore(self, stored: Stored) -> None:
        for row in stored.executions:
            order = self.orders[row[2]]
            execution = Execution(
                row[0], row[2], row[3], contract_of(row[4]), Action(row[5]), Decimal(row[6]), Decimal(row[7]),
                row[10], order.perm_id, Decimal(row[9]),
            )  # fmt: skip
            self.executions.append(execution)
            order.last_price = execution.price
        for execution in latest_revisions(tuple(self.executions)):
            self.orders[execution.order_ref].value += execution.qty * execution.price
        self._settled = [
            (row[1], contract_of(row[3]), Decimal(row[4]), Decimal(row[5])) for row in stored.settlements
        ]
        self._settle_up()
        self.ledger.cash = sum((Decimal(row[3]) for row in stored.cash), ZERO)

    def _settle_up(self) -> None:
        """Holdings and what was realised, from everything that stands; cash is left as it is."""
        began = {e.root_id: e.at_ns for e in reversed(self.executions)}
        moves = [
            (began[e.root_id], 0, e.contract, e.action.sign * e.qty, e.price)
            for e in latest_revisions(tuple(self.executions))
        ]
        moves += [(at_ns, 1, contract, -qty, price) for at_ns, contract, qty, price in self._settled]
        ledger = Ledger()
        for at_ns, _, contract, signed, price in sorted(moves, key=lambda move: move[:2]):
            ledger.trade(contract, signed, price)
            if at_ns < self._since_ns:
                ledger.realised = ZERO
        self.ledger.holdings, self.ledger.realised = ledger.holdings, ledger.realised

    # --- orders --------------------------------------------------------------------------------------

    def receive(self, ticket: Ticket, number: int, at_ns: int) -> PaperOrder:
        order = PaperOrder(ticket, number, at_ns, at_ns)
        self.orders[ticket.order_ref] = self.open[ticket.order_ref] = order
        self.draft.order(order, "received", at_ns)
        return order

    def move(self, order: PaperOrder, state: OrderState, what: str, at_ns: int, reason: str = "") -> None:
        """Into another state; terminal orders leave the open ones."""
        order.state, order.updated_ns, order.reason = state, at_ns, reason or order.reason
        if state.is_terminal:
            self.open.pop(order.ref, None)
        self.draft.order(order, what, at_ns)

    def retarget(self, order: PaperOrder, ticket: Ticket, at_ns: int) -> None:
        """A modify: price, stop, quantity and kind are the new ticket's; the rest stays."""
        order.ticket = replace(
            order.ticket, qty=ticket.qty, kind=ticket.kind, limit=ticket.limit, stop=ticket.stop, tif=ticket.tif
        )
        order.triggered, order.fresh, order.updated_ns = False, True, at_ns
        self.draft.order(order, "modified", at_ns)

    def resize(self, order: PaperOrder, qty: Decimal, at_ns: int) -> None:
        """A smaller quantity, by OCA or by a parent that ended; nothing left cancels."""
        order.ticket = replace(order.ticket, qty=max(qty, order.filled))
        order.updated_ns = at_ns
        if order.remaining > 0:
            self.draft.order(order, "resized", at_ns)
        else:
            state = OrderState.CANCELLED if order.filled < 1 else OrderState.FILLED
            self.move(order, state, "resized", at_ns, "nothing left to do in its group")

    def trigger(self, order: PaperOrder, at_ns: int) -> None:
        order.triggered, order.fresh, order.updated_ns = True, True, at_ns
        self.draft.order(order, "triggered", at_ns)

    # --- fills ---------------------------------------------------------------------------------------

    def fill(self, order: PaperOrder, qty: Decimal, price_cents: int, at_ns: int) -> Execution:
        """Book one execution with its cash and its fee."""
        counters = self.draft.counters
        counters.execution += 1
        ticket, price = order.ticket, dollars(price_cents)
        contract = numbered(ticket.contract)
        fee = fill_fee(contract, order.filled, qty)
        execution = Execution(
            f"PX{self.session:%Y%m%d}.{counters.execution:06d}.01", order.ref, ticket.account, contract,
            ticket.action, qty, price, at_ns, order.perm_id, fee,
        )  # fmt: skip
        signed = ticket.action.sign * qty
        amount = -signed * price * ticket.contract.multiplier
        self.executions.append(execution)
        self.draft.execution(execution)
        self.draft.cash(at_ns, "trade", amount, execution.exec_id)
        self.draft.cash(at_ns, "commission", -fee, execution.exec_id)
        self.ledger.trade(contract, signed, price)
        self.ledger.cash += amount - fee
        order.filled += qty
        order.last_price = price
        order.value += qty * price
        done = order.filled >= ticket.qty
        self.move(order, OrderState.FILLED if done else OrderState.PARTIALLY_FILLED, "filled", at_ns)
        return execution

    def correct(self, wrong: Execution, price: Decimal, at_ns: int) -> Execution:
        """Book the next revision of an execution at another price: both rows stay, cash moves by the
        difference, the fee stands."""
        order, counters = self.orders[wrong.order_ref], self.draft.counters
        counters.execution += 1
        right = replace(wrong, exec_id=f"{wrong.root_id}.{wrong.revision + 1:02d}", price=price, at_ns=at_ns)
        amount = (wrong.price - price) * wrong.action.sign * wrong.qty * wrong.contract.multiplier
        self.executions.append(right)
        self.draft.execution(right)
        self.draft.cash(at_ns, "trade", amount, right.exec_id)
        order.value += wrong.qty * (price - wrong.price)
        self.draft.order(order, "corrected", at_ns)
        self._settle_up()
        self.ledger.cash += amount
        return right

    def taken(self, contract: Contract, action: Action, since_ns: int) -> int:
        """How much of the size shown since a mark is gone."""
        total = 0
        for execution in reversed(self.executions):
            if execution.at_ns < since_ns:
                break
            first = execution.revision <= 1
            if first and execution.action is action and execution.contract == contract:
                total += int(execution.qty)
        return total

    def settle(self, contract: Contract, price: Decimal, at_ns: int) -> None:
        """Turn a holding into cash at its settlement price."""
        qty = self.ledger.held(contract)
        amount = qty * price * contract.multiplier
        self._settled.append((at_ns, contract, qty, price))
        self.draft.settlement(at_ns, self.account, contract, qty, price)
        self.draft.cash(at_ns, "settlement", amount, contract.label)
        self.ledger.trade(contract, -qty, price)
        self.ledger.cash += amount

    # --- questions -----------------------------------------------------------------------------------

    def children(self, ref: str) -> list[PaperOrder]:
        return [order for order in self.orders.values() if order.ticket.parent_ref == ref]

    def brothers(self, order: PaperOrder) -> list[PaperOrder]:
        """The other open orders of its group."""
        if not order.group:
            return []
        return [other for other in self.open.values() if other.group == order.group and other is not order]

    def allowed(self, order: PaperOrder) -> Decimal:
        """How much may trade now: a child no more than its parent filled, brothers counted together."""
        parent = self.orders.get(order.ticket.parent_ref)
        if parent is None:
            return order.remaining
        same = (o for o in self.children(parent.ref) if o.group == order.group)
        return max(min(order.remaining, parent.filled - sum((o.filled for o in same), ZERO)), ZERO)


def _order(row: tuple[object, ...], stored: Stored) -> PaperOrder:
    ref = str(row[0])
    kept = ticket_of(stored.tickets[ref])
    ticket = replace(
        kept, qty=Decimal(str(row[6])), kind=OrderKind(row[7]), tif=Tif(row[10]),
        limit=price_of(row[8] if isinstance(row[8], str) else None),
        stop=price_of(row[9] if isinstance(row[9], str) else None),
    )  # fmt: skip
    return PaperOrder(
        ticket, int(str(row[2])), int(str(row[16])), int(str(row[17])), OrderState(row[14]),
        Decimal(str(row[15])), str(row[18]), triggered=ref in stored.triggered, fresh=False,
    )  # fmt: skip
