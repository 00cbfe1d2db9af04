"""Where orders meet the book: admission, changes, fills, and what a fill does to the rest of its group."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from station.brokers.paper.classes import in_the_morning
from station.brokers.paper.faults import FaultPlan
from station.brokers.paper.intake import Refusal, form_fault, money_fault
from station.brokers.paper.listing import Listing, ticks_of
from station.brokers.paper.matching import match, touches_stop
from station.brokers.paper.orders import PaperOrder
from station.brokers.paper.outbox import Outbox, opens
from station.brokers.paper.quotes import Board, Lone, Panel, Quoter, Touch
from station.brokers.paper.register import Register
from station.brokers.paper.tape import Tape
from station.domain.instruments import Contract
from station.domain.orders import Execution, OcaType, OrderState, Purpose, Ticket, Tif

Later = Callable[[PaperOrder, Decimal], None]
_CANCELLED_BY_GROUP = (202, "Order Canceled - reason: OCA group")
_CANCELLED_BY_PARENT = (202, "Order Canceled - reason: parent order")


class Pit:
    """`now_ns` is set by the floor before each call; `later(order, qty)` reduces an order after a latency,
    `correct_later(execution)` comes back to `correct` a second later."""

    def __init__(
        self, tape: Tape, register: Register, outbox: Outbox, listing: Listing, quoter: Quoter, plan: FaultPlan,
        later: Later, correct_later: Callable[[Execution], None],
    ) -> None:  # fmt: skip
        self.now_ns = 0
        self.over = False
        self.stirred = True
        self._tape = tape
        self._register = register
        self._outbox = outbox
        self._listing = listing
        self._quoter = quoter
        self._plan = plan
        self._later = later
        self._correct_later = correct_later

    # --- requests ------------------------------------------------------------------------------------

    def admit(self, order: PaperOrder) -> None:
        """Accept or reject an order that has arrived, and try it at once."""
        symbol = order.ticket.contract.symbol
        if order.state is not OrderState.PENDING or self._plan.strike("drop_order", self.now_ns, symbol):
            return
        refusal = self._refusal(order)
        if refusal is not None:
            self._register.move(order, OrderState.REJECTED, "rejected", self.now_ns, refusal.text)
            self._outbox.tell(order, self.now_ns, refusal)
            self._bereave(order, self.now_ns)
            return
        self._register.move(order, OrderState.SUBMITTED, "acknowledged", self.now_ns)
        self.stirred = True
        self._outbox.acknowledge(order, self.now_ns)
        self._try_now(order)

    def _refusal(self, order: PaperOrder) -> Refusal | None:
        ticket, register, now = order.ticket, self._register, self.now_ns
        if ticket.account != register.account:
            return Refusal(321, f"Error validating request - unknown account {ticket.account}")
        if self.over:
            return Refusal(201, f"Order rejected - the session of {self._tape.session} is over")
        parent = register.orders.get(ticket.parent_ref)
        if ticket.parent_ref and (parent is None or (parent.state.is_terminal and parent.filled == 0)):
            return Refusal(10006, f"Missing parent order {ticket.parent_ref}")
        refusal = form_fault(ticket, self._listing) or money_fault(order, register, self.look)
        if refusal is not None:
            return refusal
        symbol = ticket.contract.symbol
        if opens(order, register.ledger.held(ticket.contract)) and self._plan.strike(
            "reject_entry", now, symbol
        ):
            return Refusal(201, "Order rejected - reason: refused by the exchange")
        attached = ticket.parent_ref or (ticket.oca_group and ticket.purpose is Purpose.STOP)
        if attached and self._plan.strike("reject_child", now, symbol):
            return Refusal(201, "Order rejected - reason: the attached order was refused")
        return None

    def modify(self, order: PaperOrder | None, ticket: Ticket) -> None:
        """Change a working order in place; a refused change leaves it as it was."""
        ref = ticket.order_ref
        if order is None or not order.working:
            code = 10147 if order is None else 104
            text = "is not found" if order is None else f"cannot be modified, state: {order.state.value}"
            self._outbox.notice(ref, code, f"Order {ref} {text}", self.now_ns)
            return
        refusal = form_fault(ticket, self._listing)
        own = order.ticket
        same = ticket.contract == own.contract and ticket.action is own.action and ticket.qty > order.filled
        if refusal is None and not same:
            refusal = Refusal(105, "Order being modified does not match the original order")
        if refusal is None and self._plan.strike("reject_modify", self.now_ns, own.contract.symbol):
            refusal = Refusal(105, "Order being modified was refused by the exchange")
        if refusal is None and ticket.qty > own.qty:
            grown = PaperOrder(ticket, order.number, order.received_ns, self.now_ns)
            refusal = money_fault(grown, self._register, self.look, replacing=order)
        if refusal is not None:
            self._outbox.notice(ref, refusal.code, refusal.text, self.now_ns)
            return
        self._register.retarget(order, ticket, self.now_ns)
        self._outbox.tell(order, self.now_ns)
        self._try_now(order)

    def cancel(self, order: PaperOrder | None, ref: str) -> None:
        """End an order, or say in IBKR's codes why that cannot be."""
        now = self.now_ns
        if order is None:
            text = f"OrderId {ref} that needs to be cancelled is not found."
            self._outbox.notice(ref, 10147, text, now)
        elif self._plan.strike("drop_cancel", now, order.ticket.contract.symbol):
            return
        elif order.state is OrderState.FILLED:
            text = f"OrderId {ref} that needs to be cancelled cannot be cancelled, state: Filled."
            self._outbox.notice(ref, 10148, text, now)
        elif order.state.is_terminal:
            text = f"Cancel attempted when order {ref} is not in a cancellable state: {order.state.value}"
            self._outbox.notice(ref, 161, text, now)
        else:
            self._register.move(order, OrderState.CANCELLED, "cancelled", now)
            self._outbox.tell(order, now, (202, "Order Canceled - reason:"))
            self._bereave(order, now)
            if order.group and self._plan.strike("cancel_takes_group", now, order.ticket.contract.symbol):
                for other in self._register.brothers(order):
                    self._end_with_group(other, now)

    # --- trading -------------------------------------------------------------------------------------

    def look(self, contract: Contract) -> Touch | None:
        """The book of a contract now, None before its market opens."""
        found = self._quoter.touch(contract, self.now_ns)
        if found is not None and self._plan.holds("zero_bid", self.now_ns, contract.symbol):
            return found._replace(bid=0)
        return found

    def match(self, panel: Panel, board: Board | Lone, mark_ns: int) -> None:
        """A fresh book against every working order of its underlying, oldest first."""
        queue = (
            order for order in self._register.open.values() if order.ticket.contract.symbol == panel.symbol
        )
        for order in sorted(queue, key=lambda order: order.number):
            row = panel.row.get(order.ticket.contract)
            if row is not None and order.working:
                self._try(order, board.touch(row), mark_ns)

    def _try_now(self, order: PaperOrder) -> None:
        symbol = order.ticket.contract.symbol
        touch = self.look(order.ticket.contract)
        if touch is not None and not self.over and not self._plan.holds("halt", self.now_ns, symbol):
            marks = self._quoter.marks(symbol)
            self._try(order, touch, marks.at_ns[marks.at(self.now_ns)])

    def _try(self, order: PaperOrder, touch: Touch, mark_ns: int) -> None:
        register, ticket = self._register, order.ticket
        wanted = register.allowed(order)
        if wanted <= 0:
            return
        if order.waits_for_stop:
            if not touches_stop(order, touch):
                return
            register.trigger(order, self.now_ns)
        fill = match(order, touch, wanted, register.taken(ticket.contract, ticket.action, mark_ns))
        order.fresh = False
        if fill is None:
            return
        qty = Decimal(fill.qty)
        if qty == order.remaining and self._plan.strike("overfill", self.now_ns, ticket.contract.symbol):
            qty += 1
        execution = register.fill(order, qty, fill.cents, self.now_ns)
        due_ns = self._outbox.filled(order, execution, self.now_ns)
        if self._plan.strike("correct_execution", self.now_ns, ticket.contract.symbol):
            self._correct_later(execution)
        self.stirred = self.stirred or not order.working
        if not (order.group and self._plan.strike("oca_ignored", self.now_ns, ticket.contract.symbol)):
            self._share(order, qty, due_ns)

    def _share(self, order: PaperOrder, qty: Decimal, due_ns: int) -> None:
        """What one leg's fill does to the others of its group."""
        kind = order.ticket.oca_type if order.ticket.oca_group else OcaType.REDUCE_WITH_BLOCK
        for other in self._register.brothers(order):
            if kind is OcaType.CANCEL_WITH_BLOCK:
                self._end_with_group(other, due_ns)
            elif kind is OcaType.REDUCE_NO_BLOCK:
                self._later(other, qty)
            else:
                self.reduce(other, qty, due_ns)

    def _end_with_group(self, order: PaperOrder, due_ns: int) -> None:
        self._register.move(order, OrderState.CANCELLED, "cancelled", self.now_ns, "OCA group")
        self._outbox.tell(order, due_ns, _CANCELLED_BY_GROUP)
        self._bereave(order, due_ns)

    def reduce(self, order: PaperOrder, qty: Decimal, due_ns: int) -> None:
        """Take `qty` off an order because another of its group filled it."""
        self._resize(order, order.ticket.qty - qty, due_ns, _CANCELLED_BY_GROUP)

    def _bereave(self, parent: PaperOrder, due_ns: int) -> None:
        """An ended parent leaves its children what it filled, or nothing."""
        self.stirred = True
        for child in self._register.children(parent.ref):
            if not child.state.is_terminal and child.ticket.qty > parent.filled:
                self._resize(child, parent.filled, due_ns, _CANCELLED_BY_PARENT)

    def _resize(self, order: PaperOrder, qty: Decimal, due_ns: int, why: tuple[int, str]) -> None:
        self._register.resize(order, qty, self.now_ns)
        self.stirred = True
        ended = order.state is OrderState.CANCELLED
        self._outbox.tell(order, due_ns, *((why,) if ended else ()))
        if ended:
            self._bereave(order, due_ns)

    def correct(self, execution: Execution) -> None:
        """Say that an execution was a tick dearer than told, or cheaper where it was a sale."""
        rule = ticks_of(execution.contract)
        price = execution.price + execution.action.sign * rule.increment(execution.price)
        if price > 0:
            right = self._register.correct(execution, price, self.now_ns)
            self._outbox.corrected(self._register.orders[right.order_ref], right, self.now_ns)

    # --- the close -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Day orders end, options of the day become cash."""
        register = self._register
        for order in list(register.open.values()):
            if order.ticket.tif is Tif.DAY and not order.state.is_terminal:
                register.move(order, OrderState.EXPIRED, "expired", self.now_ns, "the session closed")
                self._outbox.tell(order, self.now_ns)
        self._settle(lambda contract: contract.is_option)
        self.over = True

    def open(self) -> None:
        """What is settled on the opening price becomes cash."""
        self._settle(in_the_morning)

    def _settle(self, due: Callable[[Contract], bool]) -> None:
        for contract in list(self._register.ledger.holdings):
            if due(contract) and contract.expiry <= f"{self._tape.session:%Y%m%d}":
                price = self.settlement_price(contract)
                if price is not None:
                    self._register.settle(contract, price, self.now_ns)

    def _opening(self, contract: Contract, day: date) -> float | None:
        """The first regular print of a day."""
        tape = self._tape if day == self._tape.session else self._tape.on(day)
        prints = tape.ticks(contract.symbol) if tape is not None else None
        if tape is None or prints is None or len(prints) == 0:
            return None
        return float(prints.price[int(prints.at_ns.searchsorted(tape.open_ns))])

    def settlement_price(self, contract: Contract) -> Decimal | None:
        """Intrinsic value at the close of its expiry date, or at its open where it ends in the morning; None if
        the tape does not know it."""
        expiry = contract.expiry
        day = date(int(expiry[:4]), int(expiry[4:6]), int(expiry[6:8]))
        morning = in_the_morning(contract)
        last = self._opening(contract, day) if morning else self._tape.settlement(contract.symbol, day)
        if last is None or contract.right is None:
            return None
        gap = Decimal(repr(last)) - contract.strike
        worth = gap if contract.right.value == "C" else -gap
        return max(worth, Decimal(0)).quantize(Decimal("0.01"))
