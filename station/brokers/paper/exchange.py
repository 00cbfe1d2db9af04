"""The paper exchange: a Broker for the station, a Venue for lockstep. What it says is committed first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from station.brokers.paper.accounts import Accounts
from station.brokers.paper.book import Book, Stored
from station.brokers.paper.faults import Fault, FaultPlan
from station.brokers.paper.floor import Floor
from station.brokers.paper.intake import requirement
from station.brokers.paper.link import Link
from station.brokers.paper.listing import ticks_of
from station.brokers.paper.rollover import carried_over
from station.brokers.paper.scanner import MarketScanner
from station.brokers.paper.tape import Tape
from station.brokers.paper.universe import offered
from station.calendars import Calendar
from station.clock import Activity, VirtualClock
from station.domain.broker import (
    Account,
    Capabilities,
    ChainListing,
    Margin,
    OpenOrder,
    Position,
    Report,
    ScanRequest,
    Session,
    Sink,
)
from station.domain.clock import MINUTE, SECOND
from station.domain.errors import BrokerUnavailable, Fatal, Refused, StorageUnavailable
from station.domain.fees import order_fee
from station.domain.instruments import Contract, Instrument, TickRule, Timeframe
from station.domain.market import Bar, Grade
from station.domain.orders import Execution, Ticket

RETRY_NS: Final = 5 * SECOND


class PaperExchange:
    """One account at one session of a tape, with a book in `book_path`.

    `await open()` before use: it creates the book, or resumes it at the newest of its own instant,
    `resume_at_least_ns` and the clock, plays the market forward to there, and moves the clock. Raises Fatal
    for a book of another seed, account or a later session.
    """

    def __init__(
        self, tape: Tape, book_path: Path, *, clock: VirtualClock, activity: Activity, calendar: Calendar,
        account: str = "DU1000001", start_cash: Decimal = Decimal(35000), faults: Sequence[Fault] = (),
        probe: Callable[[str], None] | None = None, environment: str = "paper", resume_at_least_ns: int = 0,
    ) -> None:  # fmt: skip
        self.tape = tape
        self.environment = environment
        self.account_id = account
        self._clock = clock
        self._calendar = calendar
        self._start_cash = start_cash
        self._plan = FaultPlan(faults)
        self._resume_ns = resume_at_least_ns
        self._activity = activity
        self._reach: dict[tuple[str, Timeframe], int] = {}
        self._book = Book(book_path, activity, probe)
        self._floor: Floor | None = None
        self._link = Link(self._plan)
        self._scanner = MarketScanner(tape, calendar)
        self._turn = asyncio.Lock()
        self._minute = 0
        self._stuck = ""
        self._retry_ns = 0

    # --- life ----------------------------------------------------------------------------------------

    async def open(self, away_s: float = 0.0) -> None:
        """Make or resume the book; `away_s` simulated seconds pass before anyone may connect."""
        stored = await self._book.open()
        try:
            await self._settle_in(stored, away_s)
        except BaseException:
            await self._book.close()
            raise

    async def _settle_in(self, stored: Stored, away_s: float) -> None:
        self._check(stored)
        fresh = "instant_ns" not in stored.meta
        if fresh:
            stored = await self._begin(stored)
        elif date.fromisoformat(stored.meta["session"]) < self.tape.session:
            stored = await self._carry_over(stored)
        for name, value in stored.meta.items():
            if name.startswith("fault."):
                self._restrike(int(name[6:]), int(value))
        through_ns = int(stored.meta["instant_ns"])
        asked = [int(row[1]) for row in stored.requests]
        resume_ns = max(through_ns, self._resume_ns, self._clock.now(), *asked) + round(away_s * SECOND)
        self._floor = Floor(
            self.tape, self._calendar, stored, self.account_id, self._plan, through_ns, self._link.on_fault
        )
        self._link.floor = self._floor
        self._floor.step(resume_ns - 1)
        if self._floor.register.draft and not await self._commit(resume_ns):
            raise Fatal(self._stuck)
        self._clock.move_to(max(resume_ns, self._clock.now()))

    def _check(self, stored: Stored) -> None:
        meta = stored.meta
        for key, own in (("source", self.tape.source), ("account", self.account_id)):
            if meta.get(key, own) != own:
                raise Fatal(
                    f"paper book {self._book.path} belongs to {key} {meta[key]!r}, not {own!r}: "
                    "use another --runtime, or the same settings as before"
                )
        if meta.get("session", "") > str(self.tape.session):
            raise Fatal(
                f"paper book {self._book.path} has reached session {meta['session']}: "
                f"it cannot go back to {self.tape.session}, choose a later --date or another --runtime"
            )

    async def _begin(self, stored: Stored) -> Stored:
        """A new account: its deposit, and the instant before which nothing has happened."""
        start_ns = max(self._clock.now(), self._resume_ns)
        floor = Floor(self.tape, self._calendar, stored, self.account_id, self._plan, start_ns - 1)
        draft = floor.register.draft
        for key, value in (
            ("source", self.tape.source), ("seed", str(self.tape.seed)), ("account", self.account_id),
            ("environment", self.environment), ("start_cash", str(self._start_cash)),
            ("session", str(self.tape.session)), ("instant_ns", str(start_ns - 1)),
        ):  # fmt: skip
            draft.meta(key, value)
        draft.cash(start_ns, "deposit", self._start_cash, self.account_id)
        await self._book.commit(draft)
        return await self._book.read()

    async def _carry_over(self, stored: Stored) -> Stored:
        floor = carried_over(stored, self.tape, self._calendar, self.account_id)
        draft = floor.register.draft
        start_ns = max(self._clock.now(), self._resume_ns)
        draft.meta("session", str(self.tape.session))
        draft.meta("instant_ns", str(max(start_ns - 1, floor.through_ns)))
        await self._book.commit(draft)
        return await self._book.read()

    def _restrike(self, index: int, times: int) -> None:
        if index < len(self._plan.struck):
            self._plan.struck[index] = times

    async def close(self) -> None:
        """Let go of the book; idempotent."""
        await self._book.close()

    @property
    def floor(self) -> Floor:
        assert self._floor is not None, "open the exchange first"
        return self._floor

    @property
    def instant_ns(self) -> int:
        """The simulated instant it stands at."""
        return max(self.floor.through_ns, self._clock.now())

    def equity(self) -> Decimal:
        """Cash and everything held at the model's price, dollars."""
        return self._accounts().equity()

    # --- the venue -----------------------------------------------------------------------------------

    def next_instant(self) -> int | None:
        due_ns = self.floor.next_instant()
        return max(due_ns, self._retry_ns) if self._stuck and due_ns is not None else due_ns

    async def advance(self, at_ns: int) -> None:
        """Play what is due, commit it, report it. A simulated minute without events is committed too.

        A commit that fails takes the exchange off the air: nothing moves and nobody may connect until the same
        rows could be written; it is tried again every five simulated seconds. What was just sent is in doubt.
        """
        async with self._turn:
            if self._stuck and not await self._tried_again(at_ns):
                return
            reports = self.floor.step(at_ns)
            due = bool(self.floor.register.draft) or at_ns // MINUTE > self._minute
            if not due or await self._commit(at_ns):
                self._link.send(reports)

    async def _commit(self, at_ns: int) -> bool:
        """Whether the book took it."""
        floor = self.floor
        draft = floor.register.draft
        for index, times in enumerate(self._plan.struck):
            if times:
                draft.meta(f"fault.{index}", str(times))
        draft.meta("instant_ns", str(floor.through_ns))
        try:
            await self._book.commit(draft)
        except StorageUnavailable as failed:
            self._fail(str(failed), at_ns)
            return False
        self._minute = floor.through_ns // MINUTE
        self._stuck = ""
        return True

    async def _tried_again(self, at_ns: int) -> bool:
        return at_ns >= self._retry_ns and await self._commit(at_ns)

    def _fail(self, why: str, at_ns: int) -> None:
        self._stuck, self._retry_ns = why, at_ns + RETRY_NS
        self._link.drop(at_ns, why)

    # --- the broker ----------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.tape.kind

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(depth=True, what_if=True, market_scanner=True)

    @property
    def connected(self) -> bool:
        return self._link.up

    async def connect(self, sink: Sink) -> Session:
        if self._stuck:
            raise BrokerUnavailable(self._stuck)
        now = self._clock.now()
        self._link.connect(sink, now)
        return Session((self.account_id,), f"Vigil paper exchange, {self.tape.source}", now)

    async def disconnect(self) -> None:
        self._link.disconnect(self._clock.now())

    async def place(self, tickets: Sequence[Ticket]) -> None:
        await self._request("place", tickets, [ticket.order_ref for ticket in tickets])

    async def modify(self, ticket: Ticket) -> None:
        await self._request("modify", [ticket], [ticket.order_ref])

    async def cancel(self, order_ref: str) -> None:
        await self._request("cancel", (), [order_ref])

    async def by_hand(self, tickets: Sequence[Ticket]) -> None:
        """Orders that someone else places in the same account, whether the station is connected or not; their
        references must not look like ours."""
        await self._request("place", tickets, [ticket.order_ref for ticket in tickets], connected=False)

    async def _request(
        self, what: str, tickets: Sequence[Ticket], refs: Sequence[str], *, connected: bool = True
    ) -> None:
        async with self._turn:
            if connected:
                self._link.require()
            floor = self.floor
            floor.request(what, refs, tickets, self._clock.now())
            if not floor.register.draft:
                return
            try:
                await self._book.commit(floor.register.draft)
            except StorageUnavailable as failed:
                self._fail(str(failed), self._clock.now())

    def _live(self) -> Floor:
        self._link.require()
        return self.floor

    def _accounts(self) -> Accounts:
        return Accounts(self.floor, max(self.floor.through_ns, self._clock.now()))

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        self._live()
        return self._accounts().open_orders()

    async def executions(self) -> tuple[Execution, ...]:
        self._live()
        return self._accounts().executions()

    async def positions(self) -> tuple[Position, ...]:
        self._live()
        return self._accounts().positions()

    async def account(self) -> Account:
        self._live()
        return self._accounts().account()

    async def what_if(self, ticket: Ticket) -> Margin:
        floor = self._live()
        need = requirement(ticket, floor.register, floor.pit.look)
        return Margin(need, need, order_fee(ticket.contract, ticket.qty))

    async def resolve(self, instrument: Instrument) -> Contract:
        """Raises Refused where the tape does not have it."""
        found = self._live().listing.underlying(instrument)
        if found is None:
            symbols = ", ".join(self.tape.symbols)
            raise Refused("unknown_instrument", f"{instrument.symbol} is not on this tape, which has {symbols}")
        return found

    async def qualify(self, contracts: Sequence[Contract]) -> tuple[Contract, ...]:
        listing = self._live().listing
        return tuple(found for found in map(listing.find, contracts) if found is not None)

    async def chain(self, instrument: Instrument) -> tuple[ChainListing, ...]:
        return self._live().listing.chain(instrument)

    async def tick_rule(self, contract: Contract) -> TickRule:
        """Raises Refused for a contract that is not listed."""
        if self._live().listing.find(contract) is None:
            raise Refused("unknown_contract", f"{contract.label} is not listed: take it from the chain")
        return ticks_of(contract)

    async def history(
        self, instrument: Instrument, timeframe: Timeframe, end_ns: int, bars: int
    ) -> tuple[Bar, ...]:
        self._live()
        if offered(self.tape, instrument.symbol) is None:
            return ()
        symbol, now_ns = instrument.symbol, self._clock.now()
        if bars <= self._reach.get((symbol, timeframe), 0):
            return self._history(symbol, timeframe, end_ns, bars, now_ns)
        # So far back nobody has asked: it may have to be made, which takes a second.
        self._reach[symbol, timeframe] = bars
        return await self._activity.aside(self._history, symbol, timeframe, end_ns, bars, now_ns)

    def _history(
        self, symbol: str, timeframe: Timeframe, end_ns: int, bars: int, now_ns: int
    ) -> tuple[Bar, ...]:
        return self.tape.history(symbol, timeframe, end_ns, bars, now_ns).to_bars()

    async def watch(self, contract: Contract) -> None:
        floor = self._live()
        if floor.listing.find(contract) is None:
            raise Refused("unknown_contract", f"{contract.label} is not listed: take it from the chain")
        if floor.sleeps(contract.symbol):
            await self._activity.aside(floor.prepare, contract.symbol)
        floor.wake(contract.symbol)
        floor.feed.watch(contract)

    async def unwatch(self, contract: Contract) -> None:
        self._live().feed.unwatch(contract)

    async def watch_depth(self, contract: Contract) -> None:
        floor = self._live()
        await self.watch(contract)
        floor.feed.watch(contract, depth=True)

    async def unwatch_depth(self, contract: Contract) -> None:
        self._live().feed.shallow(contract)

    async def scan(self, request: ScanRequest) -> tuple[str, ...]:
        """Raises Refused for a code that is not among the scanner's."""
        self._live()
        return self._scanner.scan(request, self._clock.now())

    async def market_data_grade(self, contract: Contract) -> Grade:
        self._live()
        delayed = self._plan.holds("delayed", self._clock.now(), contract.symbol)
        return Grade.DELAYED if delayed else Grade.LIVE

    def report(self, report: Report) -> None:
        """Send something to whoever is connected, for tests of disorder that no fault plan describes."""
        self._link.send((report,))
