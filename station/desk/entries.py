"""The entry order of a trade: asked for its margin, committed, sent, walked, and ended in its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from station.desk.exits import ExitHands
from station.desk.inbox import Nudge, OrderInbox
from station.desk.judgement import Judgement, Refusal
from station.desk.ledger import Ledger
from station.desk.meant import WALK, Meant
from station.desk.stopwatch import SIGNAL_TO_SEND, SIGNAL_TO_WIRE, Stopwatch
from station.domain.broker import Broker
from station.domain.clock import SECOND, Clock
from station.domain.errors import BrokerUnavailable, Refused
from station.domain.events import (
    CancelRequested,
    EntryEnded,
    EntryModified,
    EntrySubmitted,
    OrderMoved,
    Recorded,
)
from station.domain.orders import ZERO, Action, Order, OrderState, Purpose, Ticket, order_ref
from station.domain.ports import Changes, OrderFailure
from station.domain.signals import Decision
from station.domain.specs import StrategySpec
from station.domain.trade import Trade
from station.execution import ExecutionTerms, InstrumentLocks, Submitter, at_once, within
from station.execution.policy import EntryTerms, most_paid, walked
from station.risk.figures import dollars

WORKING: Final = (OrderState.SUBMITTED, OrderState.PARTIALLY_FILLED)
NOT_FILLED: Final = "it did not fill in its time"
ENDINGS: Final = {
    "manual": "cancelled by hand", "expiry": NOT_FILLED, "kill": "cancelled by the kill switch",
    "gate": "cancelled as the gate left OPEN",
}  # fmt: skip
"""What the causes of a cancel that the station asked for read like."""


@dataclass(frozen=True, slots=True)
class Intent:
    """An entry as it is committed, and whether it then walks."""

    event: EntrySubmitted
    walks: bool


class EntryDesk:
    """Works one entry a trade. Its deadlines are nudges through the inbox, so that they never race a report."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger, inbox: OrderInbox, submitter: Submitter, broker: Broker,
        locks: InstrumentLocks, hands: ExitHands, judgement: Judgement, buying_power: Callable[[], Decimal],
        spec: Callable[[Trade], StrategySpec | None], ask_reconcile: Callable[[str], None],
        terms: ExecutionTerms, stopwatch: Stopwatch,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._ledger = ledger
        self._inbox = inbox
        self._submitter = submitter
        self._broker = broker
        self._locks = locks
        self._hands = hands
        self._judgement = judgement
        self._buying_power = buying_power
        self._spec = spec
        self._ask_reconcile = ask_reconcile
        self._terms = terms
        self._stopwatch = stopwatch
        self._nudges: set[tuple[str, int]] = set()
        self._doubted_ns: dict[str, int] = {}
        self._cancelled_ns: dict[str, int] = {}
        ledger.listeners.append(self._noted)

    def configure(self, terms: ExecutionTerms) -> None:
        """New terms, in force with the next order."""
        self._terms = terms

    def nudge_at(self, trade_id: str, at_ns: int) -> None:
        """Look at a trade again at `at_ns`; asked twice for one instant, once."""
        if (trade_id, at_ns) in self._nudges:
            return
        self._nudges.add((trade_id, at_ns))

        def nudge() -> None:
            self._nudges.discard((trade_id, at_ns))
            self._inbox.offer(Nudge(trade_id))

        self._clock.call_at(at_ns, nudge)

    # --- before the send ----------------------------------------------------------------------------

    def ticket(self, trade: Trade, qty: Decimal, terms: EntryTerms) -> Ticket:
        """The trade's next entry order."""
        assert trade.contract is not None
        ref = order_ref(trade.account, trade.id, "E", self._ledger.book.next_leg(trade.id, "E"))
        return Ticket(
            ref, trade.account, trade.contract, Action.BUY, qty, terms.kind, Purpose.ENTRY, terms.limit,
            terms.stop,
        )  # fmt: skip

    async def margin(
        self, trade: Trade, ticket: Ticket, meanwhile: Callable[[], Awaitable[None]]
    ) -> tuple[Refusal | None, Decision | None]:
        """What the broker says the order would tie up, against what there is. No answer in time denies it
        (FAULTS 21); so does a gate that closed meanwhile. `meanwhile` is done where the answer takes a round
        trip."""
        if not (self._terms.what_if and self._broker.capabilities.what_if):
            return None, None
        limit, value, refused = dollars(self._buying_power()), "unknown", None
        try:
            need = await self._need(ticket, meanwhile)
        except BrokerUnavailable as error:
            refused = Refusal("WHAT_IF", str(error))
        except Refused as error:
            refused = Refusal(error.code, str(error))
        else:
            value = dollars(need)
            if need > self._buying_power():
                refused = Refusal("MARGIN", f"it would tie up {value} and {limit} is available")
            elif not self._judgement.entries_open(trade.symbol):
                refused = Refusal("GATE", "entries were closed while the broker was asked")
        verdict, reason = ("block", refused.reason) if refused else ("pass", "the broker's margin for it")
        return refused, Decision(trade.id, "what-if", verdict, reason, self._clock.now(), value, limit)

    async def _need(self, ticket: Ticket, meanwhile: Callable[[], Awaitable[None]]) -> Decimal:
        question = self._broker.what_if(ticket)
        answer = asyncio.ensure_future(
            within(self._clock, question, self._terms.what_if_timeout_s, "what-if margin")
        )
        try:
            if not await at_once(answer):
                await meanwhile()
            return (await answer).initial
        finally:
            answer.cancel()

    def intent(self, ticket: Ticket, terms: EntryTerms, meant: Meant) -> Intent:
        """What is to be committed before the ticket may be sent."""
        until = self._clock.now() + meant.timeout_s * SECOND
        return Intent(EntrySubmitted(ticket, terms.decision_price, terms.decision_mid, until), meant.walks)

    async def submit(self, trade: Trade, intent: Intent) -> None:
        """Send what has been committed."""
        now = self._clock.now()
        self.nudge_at(trade.id, intent.event.valid_until_ns)
        self.nudge_at(trade.id, now + self._terms.ack_timeout_s * SECOND)
        if intent.walks:
            self.nudge_at(trade.id, now + self._terms.walk_step_s * SECOND)
        self._stopwatch.split(SIGNAL_TO_WIRE, trade.id, SIGNAL_TO_SEND)
        await self.send(intent.event.ticket)

    async def send(self, ticket: Ticket) -> None:
        """Send a committed entry, for the first time or after proof that the broker never had it."""
        try:
            await self._submitter.place([ticket])
        except BrokerUnavailable as error:
            self._ask_reconcile(f"entry {ticket.order_ref} was not sent: {error}")
        except Refused as error:
            await self.refused(ticket, error)

    async def refused(self, ticket: Ticket, error: Refused) -> None:
        ref, at_ns = ticket.order_ref, self._clock.now()
        row = OrderFailure(ref, 0, str(error), f"refused at the send site: {error.code}", at_ns)
        await self._ledger.record(
            self._ledger.book.orders[ref].trade_id,
            OrderMoved(ref, OrderState.REJECTED, 0, 0, str(error)), EntryEnded(ref, OrderState.REJECTED),
            extra=Changes(failures=(row,)),
        )  # fmt: skip

    # --- while it works -----------------------------------------------------------------------------

    async def awaited(self, trade: Trade, order: Order) -> None:
        """Nothing has filled yet: walk it, ask after it, or end it in its time."""
        now = self._clock.now()
        if order.cancel_cause or now >= trade.entry_valid_until_ns:
            await self._cancel_rest(trade, order)
            return
        self.nudge_at(trade.id, trade.entry_valid_until_ns)
        if order.state in (OrderState.PENDING, OrderState.UNKNOWN):
            self._doubt(order, now)
        else:
            await self._walk(trade, order, now)

    async def partly_filled(self, trade: Trade) -> None:
        """The rest of an entry that has filled in part has `partial_rest_s` more."""
        if trade.entry_done or not trade.entry_ref:
            return
        now, order = self._clock.now(), self._ledger.book.orders[trade.entry_ref]
        deadline = trade.filled_ns + self._terms.partial_rest_s * SECOND
        if order.cancel_cause or now >= deadline:
            await self._cancel_rest(trade, order)
            return
        self.nudge_at(trade.id, deadline)
        await self._walk(trade, order, now)

    async def _walk(self, trade: Trade, order: Order, now_ns: int) -> None:
        """A walking entry goes on to where its age has it, and never back."""
        spec, book = self._spec(trade), self._ledger.book
        fixed = trade.offer is not None and trade.offer.limit is not None
        if spec is None or spec.entry_policy != WALK or fixed or order.decision_mid is None:
            return
        step_ns = self._terms.walk_step_s * SECOND
        steps = (now_ns - order.created_ns) // step_ns
        self.nudge_at(trade.id, order.created_ns + (steps + 1) * step_ns)
        quote = self._judgement.quote(order.ticket.contract)
        fixed = order.ref in book.unchangeable or book.is_changing(order.ref)
        if (
            quote is None
            or fixed
            or order.state not in WORKING
            or not self._judgement.entries_open(trade.symbol)
        ):
            return
        rule = self._judgement.tick_rule(order.ticket.contract)
        limit = walked(spec, order.decision_mid, steps, quote, rule)
        if limit is not None and order.ticket.limit is not None and limit > order.ticket.limit:
            await self._step_on(trade, order, limit, f"step {steps} from the mid of {order.decision_mid}")

    def most_paid(self, trade: Trade) -> Decimal | None:
        """The most that its strategy bids for the entry now; None where there is no cap or a hand placed it."""
        spec = None if trade.hand is not None else self._spec(trade)
        quote = None if trade.contract is None else self._judgement.quote(trade.contract)
        if spec is None or trade.contract is None or quote is None or quote.mid is None:
            return None
        return most_paid(spec, quote.mid, self._judgement.tick_rule(trade.contract))

    async def _step_on(self, trade: Trade, order: Order, limit: Decimal, reason: str) -> None:
        async with self._locks.hold(trade.symbol):
            if self._ledger.book.orders[order.ref] == order:
                await self.change(replace(order.ticket, limit=limit), reason)

    async def change(self, ticket: Ticket, reason: str, token: str = "") -> bool:
        """Commit a working entry as it is to stand, then send that, under the instrument's lock; a dearer one
        not where entries were closed meanwhile. Returns whether it is sent."""
        order = self._ledger.book.orders[ticket.order_ref]
        await self._ledger.record(order.trade_id, EntryModified(ticket, reason, token))
        if costs_more(order.ticket, ticket) and not self._judgement.entries_open(ticket.contract.symbol):
            self._ask_reconcile(f"change of {order.ref} was not sent: entries are closed")
            return False
        try:
            await self._submitter.modify(ticket)
        except BrokerUnavailable as error:
            self._ask_reconcile(f"change of {order.ref} was not sent: {error}")
        return True

    def _doubt(self, order: Order, now_ns: int) -> None:
        """Ask about an unacknowledged entry every few seconds: the answer may be that it is still pending
        there, and each answer looks at the trade again."""
        wait_s = self._terms.ack_timeout_s
        if now_ns < self._doubted_ns.get(order.ref, order.created_ns) + wait_s * SECOND:
            return
        self._doubted_ns[order.ref] = now_ns
        self.nudge_at(order.trade_id, now_ns + wait_s * SECOND)
        self._ask_reconcile(f"entry {order.ref} has no acknowledgement after {wait_s} s")

    async def _cancel_rest(self, trade: Trade, order: Order) -> None:
        """Cancel what an entry has not filled; a cancel without effect for long is asked about and sent again,
        since a lost one would leave the entry working for the day."""
        wait_s = self._terms.ack_timeout_s
        asked_ns = self._cancelled_ns.get(order.ref, 0)
        if order.cancel_cause and self._clock.now() < asked_ns + wait_s * SECOND:
            return
        if order.cancel_cause:
            self._ask_reconcile(f"cancel of {order.ref} is unanswered for {wait_s} s")
        await self._hands.cancel_entry(trade, order.cancel_cause or "expiry")

    def _noted(self, item: Recorded) -> None:
        """Every cancel of an entry is looked at again when its answer is overdue."""
        trade = self._ledger.trades.get(item.trade_id)
        if trade is None or not isinstance(item.event, CancelRequested):
            return
        if item.event.order_ref == trade.entry_ref:
            self._cancelled_ns[trade.entry_ref] = item.at_ns
            self.nudge_at(trade.id, item.at_ns + self._terms.ack_timeout_s * SECOND)


def is_unfilled(order: Order) -> bool:
    """It ended without a fill: the trade never was."""
    return order.state.is_terminal and order.filled == ZERO


def why_unfilled(order: Order) -> str:
    """Why an entry has bought nothing. Of a cancel that was asked for here the broker knows only its number."""
    if order.cancel_cause and order.state is OrderState.CANCELLED:
        return ENDINGS.get(order.cancel_cause, f"cancelled: {order.cancel_cause}")
    return order.reason or order.cancel_cause


def costs_more(before: Ticket, after: Ticket) -> bool:
    """Whether a changed entry is for more contracts, or more dollars at its own price."""

    def dollars(ticket: Ticket) -> Decimal:
        return ticket.qty * (ticket.limit or ticket.stop or ZERO)

    return after.qty > before.qty or dollars(after) > dollars(before)
