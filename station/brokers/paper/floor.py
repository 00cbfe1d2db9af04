"""The trading floor: one session's events in the order of time. Synchronous and deterministic; it neither waits
nor writes, it leaves rows in the register's draft and hands back the reports."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import NDArray

from station.brokers.paper.book import Stored
from station.brokers.paper.faults import Fault, FaultPlan
from station.brokers.paper.feed import Feed, Line
from station.brokers.paper.listing import Listing
from station.brokers.paper.orders import PaperOrder
from station.brokers.paper.outbox import Outbox
from station.brokers.paper.pit import Pit
from station.brokers.paper.quotes import Panel, Quoter
from station.brokers.paper.register import Register
from station.brokers.paper.rows import ticket_of, ticket_text
from station.brokers.paper.tape import Tape, Ticks
from station.brokers.paper.universe import CORE, instrument_of, offered
from station.calendars import Calendar
from station.domain.broker import OrderNotice, Report
from station.domain.clock import SECOND
from station.domain.instruments import Contract, SecType
from station.domain.orders import Execution, Ticket

OnFault = Callable[[Fault, bool, int], None]
CORRECTION_NS: Final = SECOND
_SENT: Final = frozenset(("place", "modify", "cancel"))
"""Requests of the station's; others are the exchange's own."""
_NEVER: Final = 2**63 - 1


class _Prints:
    """One symbol's ticks, and how far they have been played. Views of the tape's own columns: as cheap to read
    one by one as lists, which would hold them a second time and five times as large."""

    def __init__(self, ticks: Ticks, through_ns: int) -> None:
        self.at_ns: Sequence[int] = ticks.at_ns.data
        self.price: Sequence[float] = ticks.price.data
        self.size: Sequence[float] = ticks.size.data
        self.cursor = int(np.searchsorted(ticks.at_ns, through_ns, side="right"))


class Floor:
    """`through_ns` is the last instant that has been played; `step` plays on to a later one."""

    def __init__(
        self, tape: Tape, calendar: Calendar, stored: Stored, account: str, plan: FaultPlan, through_ns: int,
        on_fault: OnFault | None = None,
    ) -> None:  # fmt: skip
        self.tape = tape
        self.through_ns = through_ns
        self.listing = Listing(tape, calendar)
        self.quoter = Quoter(tape, calendar)
        self.register = Register(stored, account, tape.session, tape.open_ns)
        for contract in self.register.ledger.holdings:
            self.listing.keep(contract)
        self.outbox = Outbox(tape.seed, plan, self._post)
        self.feed = Feed(plan, tape.open_ns, tape.close_ns)
        self.pit = Pit(
            tape, self.register, self.outbox, self.listing, self.quoter, plan, self._reduce_later,
            self._correct_later,
        )  # fmt: skip
        self.pit.over = stored.meta.get("closed") == str(tape.session)
        self._plan = plan
        self._on_fault = on_fault
        self._now_ns = through_ns
        self._arrival_ns = 0
        self._heap: list[tuple[int, int, str, object]] = []
        self._order = count()
        self._out: list[Report] = []
        always = tuple(symbol for symbol in tape.symbols if tape.kind != "paper" or symbol in CORE)
        ticks = {symbol: tape.ticks(symbol) for symbol in always}
        self._prints = {symbol: _Prints(found, through_ns) for symbol, found in ticks.items()}
        pulses = _pulses(ticks)
        self._pulses: Sequence[int] = pulses.data
        self._pulse = int(np.searchsorted(pulses, through_ns, side="right"))
        self._marked: dict[str, int] = {}
        self._panels: dict[str, tuple[Panel, list[Line]]] = {}
        self._resume(stored)

    def _resume(self, stored: Stored) -> None:
        if not self.over:
            self._push(max(self.tape.open_ns, self.through_ns), "open", None)
            self._push(self.tape.close_ns, "close", None)
        for fault in self._plan.timed:
            for at_ns, begins in ((fault.at_ns, True), (fault.until_ns, False)):
                if at_ns > self.through_ns:
                    self._push(at_ns, "fault", (fault, begins))
        for seq, _, due_ns, what, ref, body in stored.requests:
            self._push(due_ns, "request", (seq, what, ref, body))
            if what in _SENT:
                self._arrival_ns = max(self._arrival_ns, due_ns)
        for symbol in self._prints:
            self._mark_from(symbol)
        for order in self.register.open.values():
            self.wake(order.ticket.contract.symbol)
            order.fresh = self._marked.get(order.ticket.contract.symbol, -1) < 0

    def wake(self, symbol: str) -> None:
        """Play a symbol from here on: someone watches it, or works an order in it."""
        if self.sleeps(symbol):
            self._prints[symbol] = _Prints(self.tape.ticks(symbol), self._now_ns)
            self._mark_from(symbol)

    def sleeps(self, symbol: str) -> bool:
        """Whether it could be played, and is not."""
        return symbol not in self._prints and offered(self.tape, symbol) is not None

    def prepare(self, symbol: str) -> None:
        """Make what `wake` needs; it changes nothing."""
        self.tape.ticks(symbol)
        if _priced(symbol):
            self.quoter.marks(symbol)

    def _mark_from(self, symbol: str) -> None:
        if _priced(symbol):
            self._marked[symbol] = self.quoter.marks(symbol).at(self._now_ns)

    @property
    def over(self) -> bool:
        """Whether the regular session has closed."""
        return self.pit.over

    # --- time ----------------------------------------------------------------------------------------

    def next_instant(self) -> int | None:
        """When something is due, UTC ns, None when nothing ever will be."""
        pulse = self._pulses[self._pulse] if self._pulse < len(self._pulses) else _NEVER
        first = min(pulse, self._heap[0][0]) if self._heap else pulse
        return None if first == _NEVER else first

    def step(self, at_ns: int) -> list[Report]:
        """Play everything due up to and at `at_ns`; what is to be reported now, in order."""
        while (now_ns := self.next_instant()) is not None and now_ns <= at_ns:
            self._now_ns = self.pit.now_ns = now_ns
            while self._heap and self._heap[0][0] <= now_ns:
                _, _, what, item = heapq.heappop(self._heap)
                self._handle(what, item)
            if self._pulse < len(self._pulses) and self._pulses[self._pulse] <= now_ns:
                self._pulse += 1
                self._play(now_ns)
        self.through_ns = self._now_ns = self.pit.now_ns = max(at_ns, self.through_ns)
        reports, self._out = self._out, []
        return reports

    def tell(self, report: Report) -> None:
        """Report something that is no order's, with this step."""
        self._out.append(report)

    def _push(self, due_ns: int, what: str, item: object) -> None:
        heapq.heappush(self._heap, (due_ns, next(self._order), what, item))

    def _post(self, due_ns: int, reports: tuple[Report, ...]) -> None:
        if due_ns <= self._now_ns:
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
            case ("fault", (Fault() as fault, bool() as begins)):
                if self._on_fault is not None:
                    self._on_fault(fault, begins, self._now_ns)
            case ("open", _):
                self.pit.open()
            case _:
                self.pit.close()
                self.register.draft.meta("closed", str(self.tape.session))

    # --- requests ------------------------------------------------------------------------------------

    def request(self, what: str, refs: Sequence[str], tickets: Sequence[Ticket], now_ns: int) -> None:
        """Take in a group: it arrives together, after a latency, never before what was sent earlier."""
        self._now_ns = self.pit.now_ns = max(self._now_ns, now_ns)
        number = self.register.draft.counters.request + 1
        due_ns = max(now_ns + self.outbox.latency("arrive", number), self._arrival_ns)
        self._arrival_ns = due_ns
        bodies = [ticket_text(ticket) for ticket in tickets] or [""] * len(refs)
        for index, (ref, body) in enumerate(zip(refs, bodies, strict=True)):
            if what == "place" and ref in self.register.orders:
                text = f"Duplicate order id {ref}"
                self._push(due_ns, "report", (OrderNotice(ref, 103, text, due_ns),))
                continue
            number = self._queue(what, ref, body, now_ns, due_ns)
            if what == "place":
                self.register.receive(tickets[index], number, now_ns)

    def _queue(self, what: str, ref: str, body: str, now_ns: int, due_ns: int) -> int:
        draft = self.register.draft
        draft.counters.request += 1
        number = draft.counters.request
        draft.request(number, now_ns, due_ns, what, ref, body)
        self._push(due_ns, "request", (number, what, ref, body))
        return number

    def _reduce_later(self, order: PaperOrder, qty: Decimal) -> None:
        due_ns = self._now_ns + self.outbox.latency("reduce", self.register.draft.counters.request + 1)
        self._queue("reduce", order.ref, json.dumps({"qty": str(qty)}), self._now_ns, due_ns)

    def _correct_later(self, execution: Execution) -> None:
        body = json.dumps({"exec_id": execution.exec_id})
        self._queue("correct", execution.order_ref, body, self._now_ns, self._now_ns + CORRECTION_NS)

    def _correct(self, exec_id: str) -> None:
        wrong = next((e for e in self.register.executions if e.exec_id == exec_id), None)
        if wrong is not None:
            self.pit.correct(wrong)

    def _arrive(self, what: str, ref: str, body: str) -> None:
        order = self.register.orders.get(ref)
        match what:
            case "place" if order is not None:
                self.wake(order.ticket.contract.symbol)
                self.pit.admit(order)
            case "modify":
                self.pit.modify(order, ticket_of(body))
            case "cancel":
                self.pit.cancel(order, ref)
            case "correct":
                self._correct(str(json.loads(body)["exec_id"]))
            case _:
                if order is not None and order.working:
                    self.pit.reduce(order, Decimal(json.loads(body)["qty"]), self._now_ns)

    # --- the tape ------------------------------------------------------------------------------------

    def _play(self, now_ns: int) -> None:
        for symbol, prints in self._prints.items():
            at_ns, first = prints.at_ns, prints.cursor
            if first >= len(at_ns) or at_ns[first] > now_ns:
                continue
            stop = first
            while stop < len(at_ns) and at_ns[stop] <= now_ns:
                stop += 1
            prints.cursor = stop
            if self._plan.holds("halt", now_ns, symbol):
                continue
            for row in range(first, stop):
                self.feed.tick(symbol, at_ns[row], prints.price[row], prints.size[row], self._out)
            if symbol in self._marked and not self.over:
                self._mark(symbol, now_ns)

    def _mark(self, symbol: str, now_ns: int) -> None:
        """Price what matters anew, match it, and show it."""
        marks = self.quoter.marks(symbol)
        mark = marks.at(now_ns)
        moved, self._marked[symbol] = mark != self._marked[symbol], mark
        if mark < 0 or not (moved or self.feed.fresh(symbol)):
            return
        found = self._panel(symbol)
        if found is None:
            return
        panel, roll = found
        board = self.quoter.board(panel, symbol, mark)
        if self._plan.holds("zero_bid", now_ns, symbol):
            board = board.without_bids()
        if moved and self.register.open:
            self.pit.match(panel, board, marks.at_ns[mark])
        if roll:
            self.feed.quotes(panel, board, roll, marks.at_ns[mark], now_ns, self._out)

    def _panel(self, symbol: str) -> tuple[Panel, list[Line]] | None:
        """Everything of a symbol that is watched or worked."""
        if self.pit.stirred or self.feed.changed:
            self.pit.stirred = self.feed.changed = False
            working = (order.ticket.contract for order in self.register.open.values() if order.working)
            groups: dict[str, dict[Contract, None]] = {}
            for contract in (*self.feed.lines, *working):
                groups.setdefault(contract.symbol, {})[contract] = None
            panels = [self.quoter.panel(tuple(group)) for group in groups.values()]
            self._panels = {panel.symbol: (panel, self.feed.roll(panel)) for panel in panels}
        return self._panels.get(symbol)


def _priced(symbol: str) -> bool:
    instrument = instrument_of(symbol)
    return instrument is not None and (instrument.has_options or instrument.sec_type is not SecType.INDEX)


def _pulses(prints: Mapping[str, Ticks]) -> NDArray[np.int64]:
    columns = [ticks.at_ns for ticks in prints.values()]
    if not columns:
        return np.empty(0, np.int64)
    # A stable sort joins runs that are in order already: five times the speed of `np.unique`.
    at_ns = np.sort(np.concatenate(columns), kind="stable")
    return at_ns[np.diff(at_ns, prepend=-1) > 0]
