"""The trading floor: one session's events in the order of time. Synchronous and deterministic; it neither waits nor
writes, it leaves rows in the register's draft and reports in its hand."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Final

import numpy as np

from station.brokers.paper.book import Stored
from station.brokers.paper.faults import Fault, FaultPlan
from station.brokers.paper.feed import Feed
from station.brokers.paper.intake import form_fault, money_fault
from station.brokers.paper.listing import Listing
from station.brokers.paper.matching import match, touches_stop
from station.brokers.paper.orders import PaperOrder
from station.brokers.paper.outbox import Outbox, opens
from station.brokers.paper.quotes import Board, Panel, Quoter, Touch
from station.brokers.paper.register import Register
from station.brokers.paper.rows import ticket_of, ticket_text
from station.brokers.paper.tape import Tape, Ticks
from station.calendars import Calendar
from station.domain.broker import Report
from station.domain.instruments import INSTRUMENTS, Contract
from station.domain.orders import OcaType, OrderState, Ticket, Tif

NEVER: Final = 2**63 - 1


class Floor:
    """`through_ns` is the last instant that has been played; `step` plays on to a later one."""

    def __init__(
        self, tape: Tape, calendar: Calendar, stored: Stored, account: str, plan: FaultPlan, through_ns: int,
        on_fault: Callable[[Fault, bool, int], None] | None = None,
    ) -> None:  # fmt: skip
        self.tape = tape
        self.plan = plan
        self._on_fault = on_fault
        self.listing = Listing(tape, calendar)
        self.quoter = Quoter(tape, calendar)
        self.register = Register(stored, account, tape.session)
        self.outbox = Outbox(tape.seed, plan, self._post)
        self.feed = Feed(plan, tape.open_ns, tape.close_ns)
        self.through_ns = through_ns
        self.over = stored.meta.get("closed") == str(tape.session)
        self._now = through_ns
        self._heap: list[tuple[int, int, str, object]] = []
        self._order = count()
        self._out: list[Report] = []
        self._arrival_ns = 0
        self._prints = {symbol: tape.ticks(symbol) for symbol in tape.symbols}
        self._pulses = _pulses(self._prints)
        self._pulse = int(np.searchsorted(self._pulses, through_ns, side="right"))
        self._cursor = {
            symbol: int(np.searchsorted(prints.at_ns, through_ns, side="right"))
            for symbol, prints in self._prints.items()
        }
        self._marked = dict.fromkeys(tape.symbols, -1)
        self._panels: dict[str, Panel] = {}
        self._stale_panels = True
        self._calls: list[int] = self._pulses.tolist()
        self._resume(stored)

    def _resume(self, stored: Stored) -> None:
        if not self.over:
            self._push(self.tape.close_ns, "close", None)
        for fault in self.plan.timed:
            for at_ns, edge in ((fault.at_ns, True), (fault.until_ns, False)):
                if at_ns > self.through_ns:
                    self._push(at_ns, "fault", (fault, edge))
        for seq, _, due_ns, what, ref, body in stored.requests:
            self._push(due_ns, "request", (seq, what, ref, body))
            self._arrival_ns = max(self._arrival_ns, due_ns)
        for symbol in self.tape.symbols:
            if self._tradable(symbol):
                self._marked[symbol] = self.quoter.marks(symbol).at(self.through_ns)
        for order in self.register.open.values():
            order.fresh = self._marked.get(order.ticket.contract.symbol, -1) < 0

    # --- time ----------------------------------------------------------------------------------------

    def next_instant(self) -> int | None:
        pulse = self._calls[self._pulse] if self._pulse < len(self._calls) else NEVER
        due = self._heap[0][0] if self._heap else NEVER
        first = min(pulse, due)
        return None if first == NEVER else first

    def step(self, at_ns: int) -> list[Report]:
        """Play everything due up to and at `at_ns`; what is to be reported now, in order."""
        while True:
            now_ns = self.next_instant()
            if now_ns is None or now_ns > at_ns:
                break
            self._now = now_ns
            while self._heap and self._heap[0][0] <= now_ns:
                self._handle(*heapq.heappop(self._heap)[2:])
            if self._pulse < len(self._calls) and self._calls[self._pulse] <= now_ns:
                self._pulse += 1
                self._play(now_ns)
        self.through_ns = max(at_ns, self.through_ns)
        reports, self._out = self._out, []
        return reports

    def _push(self, due_ns: int, what: str, item: object) -> None:
        heapq.heappush(self._heap, (due_ns, next(self._order), what, item))

    def tell(self, report: Report) -> None:
        """Report something that is no order's, now."""
        self._out.append(report)

    def _post(self, due_ns: int, reports: tuple[Report, ...]) -> None:
        if due_ns <= self._now:
            self._out.extend(reports)
        else:
            self._push(due_ns, "report", reports)

    def _handle(self, what: str, item: object) -> None:
        match (what, item):
            case ("report", tuple()):
                self._out.extend(item)
            case ("request", (int() as seq, str() as kind, str() as ref, str() as body)):
                self.register.draft.done(seq)
                self._arrive(kind, ref, body)
            case ("close", None):
                self._close()
            case ("fault", (Fault() as fault, bool() as begins)):
                if self._on_fault is not None:
                    self._on_fault(fault, begins, self._now)
            case _:
                raise AssertionError(f"nothing handles {what}")

    # --- requests ------------------------------------------------------------------------------------

    def request(self, what: str, tickets: Sequence[Ticket], refs: Sequence[str], now_ns: int) -> None:
        """Take in a group: it arrives together, after a latency, never before what was sent earlier."""
        self._now = max(self._now, now_ns)
        counters, draft = self.register.draft.counters, self.register.draft
        due_ns = max(now_ns + self.outbox.latency("arrive", counters.request + 1), self._arrival_ns)
        self._arrival_ns = due_ns
        for index, ref in enumerate(refs):
            ticket = tickets[index] if tickets else None
            if what == "place" and ref in self.register.orders:
                self.outbox.notice(ref, 103, f"Duplicate order id {ref}", now_ns)
                continue
            counters.request += 1
            body = ticket_text(ticket) if ticket else ""
            draft.request(counters.request, now_ns, due_ns, what, ref, body)
            if what == "place" and ticket is not None:
                self.register.receive(ticket, counters.request, now_ns)
            self._push(due_ns, "request", (counters.request, what, ref, body))

    def _arrive(self, what: str, ref: str, body: str) -> None:
        order = self.register.orders.get(ref)
        if what == "place" and order is not None:
            self._admit(order)
        elif what == "modify":
            self._modify(order, ref, ticket_of(body))
        elif what == "cancel":
            self._cancel(order, ref)
        elif what == "reduce" and order is not None and order.working:
            self._reduce(order, Decimal(json.loads(body)["qty"]), self._now)

    def _admit(self, order: PaperOrder) -> None:
        now, ticket, symbol = self._now, order.ticket, order.ticket.contract.symbol
        if order.state is not OrderState.PENDING or self.plan.strike("drop_order", now, symbol):
            return
        refusal = form_fault(ticket, self.listing) or money_fault(order, self.register, self.look)
        code, text = refusal or (0, "")
        if not code and ticket.account != self.register.account:
            code, text = 321, f"Error validating request - unknown account {ticket.account}"
        if not code and self.over:
            code, text = 201, f"Order rejected - the session of {self.tape.session} is over"
        parent = self.register.orders.get(ticket.parent_ref)
        if not code and ticket.parent_ref and (parent is None or parent.state is OrderState.REJECTED):
            code, text = 10006, f"Missing parent order {ticket.parent_ref}"
        held = self.register.ledger.held(ticket.contract)
        if not code and opens(order, held) and self.plan.strike("reject_entry", now, symbol):
            code, text = 201, "Order rejected - reason: refused by the exchange"
        if not code and ticket.parent_ref and self.plan.strike("reject_child", now, symbol):
            code, text = 201, "Order rejected - reason: the attached order was refused"
        if code:
            self.register.move(order, OrderState.REJECTED, "rejected", now, text)
            self.outbox.tell(order, now, (code, text))
            self._orphaned(order, now)
            return
        self.register.move(order, OrderState.SUBMITTED, "acknowledged", now)
        self._stale_panels = True
        self.outbox.acknowledge(order, now)
        self._try_now(order)

    def _modify(self, order: PaperOrder | None, ref: str, ticket: Ticket) -> None:
        now = self._now
        if order is None or not order.working:
            code = 10147 if order is None else 104
            text = "is not found" if order is None else f"cannot be modified, state: {order.state.value}"
            self.outbox.notice(ref, code, f"Order {ref} {text}", now)
            return
        refusal = form_fault(ticket, self.listing)
        same = ticket.contract == order.ticket.contract and ticket.action is order.ticket.action
        if refusal is None and (not same or ticket.qty <= order.filled):
            refusal = (105, "Order being modified does not match the original order")
        if refusal is None and self.plan.strike("reject_modify", now, ticket.contract.symbol):
            refusal = (105, "Order being modified does not match the original order")
        if refusal is not None:
            self.outbox.notice(ref, *refusal, now)
            return
        self.register.retarget(order, ticket, now)
        self.outbox.tell(order, now)
        self._try_now(order)

    def _cancel(self, order: PaperOrder | None, ref: str) -> None:
        now = self._now
        if order is None:
            self.outbox.notice(ref, 10147, f"OrderId {ref} that needs to be cancelled is not found.", now)
        elif self.plan.strike("drop_cancel", now, order.ticket.contract.symbol):
            return
        elif order.state is OrderState.FILLED:
            text = f"OrderId {ref} that needs to be cancelled cannot be cancelled, state: Filled."
            self.outbox.notice(ref, 10148, text, now)
        elif order.state.is_terminal:
            text = (
                f"Cancel attempted when order is not in a cancellable state. Order {ref}: {order.state.value}"
            )
            self.outbox.notice(ref, 161, text, now)
        else:
            self.register.move(order, OrderState.CANCELLED, "cancelled", now)
            self.outbox.tell(order, now, (202, "Order Canceled - reason:"))
            self._orphaned(order, now)

    # --- trading -------------------------------------------------------------------------------------

    def look(self, contract: Contract) -> Touch | None:
        """The book of a contract now, None before its market opens."""
        found = self.quoter.touches((contract,), self._now).get(contract)
        if found is not None and self.plan.holds("zero_bid", self._now, contract.symbol):
            return found._replace(bid=0)
        return found

    def _try_now(self, order: PaperOrder) -> None:
        contract = order.ticket.contract
        touch = self.look(contract)
        if touch is not None and not self.over and not self.plan.holds("halt", self._now, contract.symbol):
            mark_ns = self.quoter.marks(contract.symbol).at_ns[self.quoter.marks(contract.symbol).at(self._now)]
            self._try(order, touch, mark_ns)

    def _try(self, order: PaperOrder, touch: Touch, mark_ns: int) -> None:
        register, now = self.register, self._now
        wanted = register.allowed(order)
        if wanted <= 0 or not order.working:
            return
        if order.waits_for_stop:
            if not touches_stop(order, touch):
                return
            register.trigger(order, now)
        taken = register.taken(order.ticket.contract, order.ticket.action, mark_ns)
        fill = match(order, touch, wanted, taken)
        order.fresh = False
        if fill is None:
            return
        execution = register.fill(order, Decimal(fill.qty), fill.cents, now)
        due_ns = self.outbox.filled(order, execution, now)
        self._stale_panels = self._stale_panels or not order.working
        self._group(order, Decimal(fill.qty), due_ns)

    def _group(self, order: PaperOrder, qty: Decimal, due_ns: int) -> None:
        """What one leg's fill does to the others of its group."""
        for other in self.register.brothers(order):
            if order.ticket.oca_type is OcaType.CANCEL_WITH_BLOCK and order.ticket.oca_group:
                self.register.move(other, OrderState.CANCELLED, "cancelled", self._now, "OCA")
                self.outbox.follow(other, due_ns, (202, "Order Canceled - reason: OCA group"))
                self._orphaned(other, due_ns)
            elif order.ticket.oca_type is OcaType.REDUCE_NO_BLOCK and order.ticket.oca_group:
                self._reduce_later(other, qty)
            else:
                self._reduce(other, qty, due_ns)

    def _reduce(self, order: PaperOrder, qty: Decimal, due_ns: int) -> None:
        self.register.resize(order, order.ticket.qty - qty, self._now)
        cancelled = order.state is OrderState.CANCELLED
        self.outbox.follow(
            order, due_ns, *(((202, "Order Canceled - reason: OCA group"),) if cancelled else ())
        )

    def _reduce_later(self, order: PaperOrder, qty: Decimal) -> None:
        counters = self.register.draft.counters
        counters.request += 1
        due_ns = self._now + self.outbox.latency("reduce", counters.request)
        body = json.dumps({"qty": str(qty)})
        self.register.draft.request(counters.request, self._now, due_ns, "reduce", order.ref, body)
        self._push(due_ns, "request", (counters.request, "reduce", order.ref, body))

    def _orphaned(self, parent: PaperOrder, due_ns: int) -> None:
        """An ended parent leaves its children what it filled, or nothing."""
        self._stale_panels = True
        for child in self.register.children(parent.ref):
            if child.state.is_terminal or child.ticket.qty <= parent.filled:
                continue
            self.register.resize(child, parent.filled, self._now)
            cancelled = child.state is OrderState.CANCELLED
            self.outbox.follow(
                child, due_ns, *(((202, "Order Canceled - reason: parent"),) if cancelled else ())
            )

    # --- the tape ------------------------------------------------------------------------------------

    def _play(self, now_ns: int) -> None:
        for symbol, prints in self._prints.items():
            first = self._cursor[symbol]
            if first >= len(prints) or prints.at_ns[first] > now_ns:
                continue
            stop = first + 1
            while stop < len(prints) and prints.at_ns[stop] <= now_ns:
                stop += 1
            self._cursor[symbol] = stop
            halted = self.plan.holds("halt", now_ns, symbol)
            if not halted:
                self.feed.ticks(symbol, prints, first, stop, self._out)
                self._mark(symbol, now_ns)

    def _mark(self, symbol: str, now_ns: int) -> None:
        """Price what matters anew, match it, and show it."""
        if not self._tradable(symbol) or self.over:
            return
        marks = self.quoter.marks(symbol)
        mark = marks.at(now_ns)
        moved, self._marked[symbol] = mark != self._marked[symbol], mark
        if mark < 0 or not (moved or self.feed.fresh(symbol)):
            return
        panel = self._panel(symbol)
        if panel is None:
            return
        board = self.quoter.board(panel, symbol, mark)
        if self.plan.holds("zero_bid", now_ns, symbol):
            board = board._replace(bid=np.zeros_like(board.bid))
        if moved:
            self._match(symbol, panel, board, marks.at_ns[mark])
        self.feed.quotes(panel, board, marks.at_ns[mark], now_ns, self._out)

    def _match(self, symbol: str, panel: Panel, board: Board, mark_ns: int) -> None:
        queue = [order for order in self.register.open.values() if order.ticket.contract.symbol == symbol]
        for order in sorted(queue, key=lambda order: order.number):
            row = panel.row.get(order.ticket.contract)
            if row is not None:
                self._try(order, board.touch(row), mark_ns)

    def _panel(self, symbol: str) -> Panel | None:
        """Everything watched or worked of a symbol."""
        if self._stale_panels or self.feed.changed:
            self._stale_panels = self.feed.changed = False
            groups: dict[str, dict[Contract, None]] = {}
            for contract in (
                *self.feed.lines,
                *(o.ticket.contract for o in self.register.open.values() if o.working),
            ):
                groups.setdefault(contract.symbol, {})[contract] = None
            self._panels = {name: self.quoter.panel(tuple(group)) for name, group in groups.items()}
        return self._panels.get(symbol)

    def _tradable(self, symbol: str) -> bool:
        instrument = INSTRUMENTS.get(symbol)
        return instrument is not None and instrument.has_options

    # --- the close -----------------------------------------------------------------------------------

    def _close(self) -> None:
        """Day orders end, options of the day become cash, the session is over."""
        now, register = self._now, self.register
        for order in list(register.open.values()):
            if order.ticket.tif is Tif.DAY and not order.state.is_terminal:
                register.move(order, OrderState.EXPIRED, "expired", now, "the session closed")
                self.outbox.tell(order, now)
        for contract in list(register.ledger.holdings):
            if contract.is_option and contract.expiry <= f"{self.tape.session:%Y%m%d}":
                price = self.settlement_price(contract)
                if price is not None:
                    register.settle(contract, price, now)
        self.over = True
        register.draft.meta("closed", str(self.tape.session))

    def settlement_price(self, contract: Contract) -> Decimal | None:
        """Intrinsic value at the close of its expiry date, None if the tape does not know it."""
        day = date(int(contract.expiry[:4]), int(contract.expiry[4:6]), int(contract.expiry[6:8]))
        last = self.tape.settlement(contract.symbol, day)
        if last is None or contract.right is None:
            return None
        gap = Decimal(repr(last)) - contract.strike
        worth = gap if contract.right.value == "C" else -gap
        return max(worth, Decimal(0)).quantize(Decimal("0.01"))


def _pulses(prints: dict[str, Ticks]) -> np.ndarray:
    columns = [ticks.at_ns for ticks in prints.values()]
    return np.unique(np.concatenate(columns)) if columns else np.empty(0, np.int64)
