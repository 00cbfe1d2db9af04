"""The Broker port over Interactive Brokers' TWS or Gateway, through ib_async."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

import ib_async
from ib_async.wrapper import RequestError

from station.brokers.ibkr.asking import Asker
from station.brokers.ibkr.connection import Connection
from station.brokers.ibkr.environment import check_port, chosen_account
from station.brokers.ibkr.hearing import Hearing
from station.brokers.ibkr.history_room import HistoryRoom
from station.brokers.ibkr.lanes import Lane
from station.brokers.ibkr.market_room import DEPTH_ROWS, OPTION_TICKS, MarketRoom
from station.brokers.ibkr.order_room import Known, OrderRoom, their_order
from station.brokers.ibkr.reference import Reference
from station.brokers.ibkr.tap import TappedIB
from station.brokers.ibkr.values import ContractBook, number
from station.calendars import Calendar, load_calendar
from station.domain.broker import (
    Account,
    Capabilities,
    ChainListing,
    LinkReport,
    Margin,
    OpenOrder,
    OrderNotice,
    Position,
    Report,
    ScanRequest,
    Session,
    Sink,
)
from station.domain.clock import Clock, from_datetime
from station.domain.errors import BrokerUnavailable, Refused
from station.domain.instruments import INSTRUMENTS, Contract, Instrument, TickRule, Timeframe
from station.domain.market import Bar, Grade
from station.domain.orders import ZERO, Execution, Ticket

T = TypeVar("T")

LIVE_OR_DELAYED: Final = 3
SUMMARY_TAGS: Final = "NetLiquidation,TotalCashValue,BuyingPower,MaintMarginReq,$LEDGER:USD"


class IbkrBroker:
    """TWS behind the Broker port; also its emulator, where `emulator_port` names the port.

    `environment` paper takes ports 7497, 4002 (or the emulator's) and an account beginning with D; live takes
    7496, 4001 and one beginning with U. Anything else raises Fatal before a single order can be sent.
    `first_order_id` is one above the highest order id the station has ever stored (FAULTS 28). Time limits
    are seconds on `clock`; only the handshake itself is timed by the host. A FollowingClock takes an emulator's
    instant and speed at every connect.
    """

    def __init__(
        self,
        host: str,
        port: int,
        client_id: int,
        *,
        clock: Clock,
        account: str | None = None,
        environment: str = "paper",
        emulator_port: int | None = None,
        first_order_id: int = 1,
        calendar: Calendar | None = None,
        instruments: Mapping[str, Instrument] = INSTRUMENTS,
        tws_zone: str = "America/New_York",
        query_timeout_s: float = 20.0,
        connect_timeout_s: float = 10.0,
        heartbeat_s: float = 5.0,
        silence_s: float = 15.0,
    ) -> None:
        check_port(environment, host, port, emulator_port)
        self._environment = environment
        self._wanted = account
        self._account = account or ""
        self._clock = clock
        self._where = f"{host}:{port}"
        self._sink: Sink | None = None
        self._accounts: tuple[str, ...] = ()
        self._first_order_id = first_order_id
        self._contracts = ContractBook(instruments)
        self._link = Connection(
            host, port, client_id, clock, tws_zone=tws_zone, connect_timeout_s=connect_timeout_s,
            heartbeat_s=heartbeat_s, silence_s=silence_s, on_lost=self._lost,
        )  # fmt: skip
        self._asker = Asker(clock, query_timeout_s, self._silent)
        self._orders = OrderRoom(clock, self._contracts, client_id, self._report)
        self._market = MarketRoom(clock, self._report)
        self._reference = Reference(clock, self._asker, self._contracts, self._link.ib)
        self._history = HistoryRoom(
            clock, calendar or load_calendar(), self._asker, self._contracts, self._link.ib
        )
        self._ears = Hearing(
            clock, self._link, self._orders, self._market, self._contracts, self._report, self._restore_lines
        )

    @property
    def name(self) -> str:
        return "ibkr"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(depth=True, what_if=True, market_scanner=True)

    @property
    def connected(self) -> bool:
        return self._link.up and self._link.venue_up

    # --- link ----------------------------------------------------------------------------------------

    async def connect(self, sink: Sink) -> Session:
        self._sink = sink
        if self._link.up:
            self._tell_connected()
            return Session(self._accounts, self._where, self._clock.now())
        ib = await self._link.open(self._ears)
        try:
            self._accounts = tuple(ib.client.getAccounts())
            self._account = chosen_account(self._environment, self._accounts, self._wanted)
            self._ears.account = self._account
            self._raise_order_ids(ib)
            ib.pendingTickersEvent += self._ears.tickers
            venue_ns = from_datetime(await self._asker.ask("current time", self._current_time))
            ib.reqMarketDataType(LIVE_OR_DELAYED)
            self._restore_lines(ib)
        except BaseException:
            self._link.close()
            raise
        self._tell_connected()
        server = f"TWS server version {ib.client.serverVersion()} at {self._where}"
        return Session(self._accounts, server, self._clock.now() if self._ears.follows else venue_ns)

    def _tell_connected(self) -> None:
        if self.connected:
            self._report(LinkReport(True, self._clock.now(), data_kept=False, reason="connected"))

    def _current_time(self) -> Awaitable[datetime]:
        return self._link.ib().reqCurrentTimeAsync()

    def _raise_order_ids(self, ib: TappedIB) -> None:
        ib.client.updateReqId(max(self._first_order_id, self._orders.highest_id() + 1))

    async def disconnect(self) -> None:
        was_up = self._link.up
        self._link.close()
        self._asker.fail_all()
        self._market.clear()
        if was_up:
            self._lost("disconnected")

    def _lost(self, reason: str) -> None:
        self._asker.fail_all()
        self._report(LinkReport(up=False, at_ns=self._clock.now(), reason=reason))

    def _silent(self, kind: str) -> None:
        self._link.drop(f"{kind} was not answered")

    def _report(self, report: Report) -> None:
        if self._sink is not None:
            self._sink(report)

    # --- orders --------------------------------------------------------------------------------------

    async def place(self, tickets: Sequence[Ticket]) -> None:
        ib = self._link.ib()
        for ticket in tickets:
            if ticket.account != self._account:
                text = f"order {ticket.order_ref} is for account {ticket.account}, connected is {self._account}"
                raise Refused("ACCOUNT", text)
            known = self._orders.get(ticket.order_ref)
            if known is not None and known.seen:
                raise Refused("DUPLICATE", f"order {ticket.order_ref} has been placed before")
        bound = [self._orders.bind(ticket, ib.client.getReqId()) for ticket in tickets]
        lane = Lane.EXIT if tickets[0].purpose.is_exit else Lane.ENTRY
        sent = 0
        try:
            waits = any(ticket.parent_ref for ticket in tickets)
            for known in bound:
                self._send(ib, known, lane, transmit=known is bound[-1] or not waits)
                sent += not ib.client.lanes.waiting(known.order_id)
            await ib.client.lanes.flushed(bound[-1].order_id)
        except (ConnectionError, BrokerUnavailable) as error:
            if sent == 0:
                for known in bound:
                    self._orders.unbind(known)
                raise BrokerUnavailable(f"order {tickets[0].order_ref} was not sent: {error}") from error

    def _send(self, ib: TappedIB, known: Known, lane: Lane, *, transmit: bool, modify: bool = False) -> None:
        """The one place that hands an order to the library."""
        ticket = known.ticket
        assert ticket is not None
        parent = self._orders.get(ticket.parent_ref) if ticket.parent_ref and not modify else None
        order = their_order(ticket, known.order_id, parent.order_id if parent else 0, transmit=transmit)
        ib.client.lanes.order_lane = lane
        ib.client.placeOrder(known.order_id, self._contracts.theirs(ticket.contract), order)

    async def modify(self, ticket: Ticket) -> None:
        ib, known = self._link.ib(), self._orders.get(ticket.order_ref)
        if known is None or known.client_id != self._link.client_id:
            raise Refused("FOREIGN", f"order {ticket.order_ref} is not of client {self._link.client_id}")
        known.ticket = ticket
        lane = Lane.EXIT if ticket.purpose.is_exit else Lane.ENTRY
        try:
            self._send(ib, known, lane, transmit=True, modify=True)
            await ib.client.lanes.flushed(known.order_id)
        except ConnectionError as error:
            raise BrokerUnavailable(f"change of {ticket.order_ref} was not sent: {error}") from error

    async def cancel(self, order_ref: str) -> None:
        ib, known = self._link.ib(), self._orders.get(order_ref)
        if known is None:
            text = f"order {order_ref} that needs to be cancelled is not found here"
            self._report(OrderNotice(order_ref, 10147, text, self._clock.now()))
            return
        if known.client_id != self._link.client_id:
            raise Refused("FOREIGN", f"order {order_ref} belongs to client {known.client_id}: cancel it there")
        try:
            ib.client.cancelOrder(known.order_id, "")
            await ib.client.lanes.flushed(known.order_id)
        except ConnectionError as error:
            raise BrokerUnavailable(f"cancel of {order_ref} was not sent: {error}") from error

    # --- truth ---------------------------------------------------------------------------------------

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        async def ask() -> tuple[OpenOrder, ...]:
            ib = self._link.ib()
            self._orders.begin_open()
            await ib.reqAllOpenOrdersAsync()
            return self._orders.end_open()

        return await self._ask("open orders", ask)

    async def executions(self) -> tuple[Execution, ...]:
        async def ask() -> tuple[Execution, ...]:
            ib = self._link.ib()
            req_id = ib.client.getReqId()
            self._orders.begin_fills(req_id)
            future = ib.wrapper.startReq(req_id)
            ib.client.reqExecutions(req_id, ib_async.ExecutionFilter())
            try:
                await future
            finally:
                fills = self._orders.end_fills(req_id)
            return fills

        return await self._ask("executions", ask, has_id=True)

    async def positions(self) -> tuple[Position, ...]:
        async def ask() -> tuple[Position, ...]:
            ib = self._link.ib()
            self._ears.positions = {}
            await ib.reqPositionsAsync()
            held, self._ears.positions = self._ears.positions, None
            return tuple(p for p in (held or {}).values() if p.qty != 0 and p.account == self._account)

        return await self._ask("positions", ask)

    async def account(self) -> Account:
        async def ask() -> dict[str, Decimal]:
            ib = self._link.ib()
            req_id = ib.client.getReqId()
            self._ears.summaries[req_id] = {}
            future = ib.wrapper.startReq(req_id)
            ib.client.reqAccountSummary(req_id, "All", SUMMARY_TAGS)
            try:
                await future
            finally:
                values = self._ears.summaries.pop(req_id)
                with suppress(ConnectionError):
                    ib.client.cancelAccountSummary(req_id)
            return values

        values = await self._ask("account", ask, has_id=True)
        missing = [tag for tag in ("NetLiquidation", "TotalCashValue", "BuyingPower") if tag not in values]
        if missing:
            raise BrokerUnavailable(f"account {self._account} came without {', '.join(missing)}")
        return Account(
            self._account, values["NetLiquidation"], values["TotalCashValue"], values["BuyingPower"],
            self._clock.now(), values.get("RealizedPnL", ZERO), values.get("UnrealizedPnL", ZERO),
            values.get("MaintMarginReq", ZERO),
        )  # fmt: skip

    async def what_if(self, ticket: Ticket) -> Margin:
        """The margin the order would take; a time-out raises BrokerUnavailable, which means deny."""

        def ask() -> Awaitable[ib_async.OrderState]:
            ib = self._link.ib()
            order = their_order(ticket, 0, 0, transmit=True)
            ib.client.lanes.order_lane = Lane.DATA
            return ib.whatIfOrderAsync(self._contracts.theirs(ticket.contract), order)

        state = await self._ask(f"what-if of {ticket.order_ref}", ask, has_id=True)
        initial, maintenance = number(state.initMarginChange), number(state.maintMarginChange)
        if initial is None or maintenance is None:
            raise BrokerUnavailable(f"what-if of {ticket.order_ref} came without margins")
        return Margin(initial, maintenance, number(state.commission))

    async def _ask(self, kind: str, start: Callable[[], Awaitable[T]], *, has_id: bool = False) -> T:
        try:
            return await self._asker.ask(kind, start, has_id=has_id)
        except RequestError as error:
            raise BrokerUnavailable(f"{kind}: {error.code} {error.message}") from error

    # --- reference and history -----------------------------------------------------------------------

    async def resolve(self, instrument: Instrument) -> Contract:
        return await self._reference.resolve(instrument)

    async def qualify(self, contracts: Sequence[Contract]) -> tuple[Contract, ...]:
        return await self._reference.qualify(contracts)

    async def chain(self, instrument: Instrument) -> tuple[ChainListing, ...]:
        return await self._reference.chain(instrument)

    async def tick_rule(self, contract: Contract) -> TickRule:
        return await self._reference.tick_rule(contract)

    async def history(
        self, instrument: Instrument, timeframe: Timeframe, end_ns: int, bars: int
    ) -> tuple[Bar, ...]:
        contract = await self._reference.resolve(instrument)
        return await self._history.bars(contract, instrument, timeframe, end_ns, bars)

    async def scan(self, request: ScanRequest) -> tuple[str, ...]:
        return await self._reference.scan(request)

    # --- market data ---------------------------------------------------------------------------------

    async def watch(self, contract: Contract) -> None:
        if contract in self._market.lines:
            return
        known = await self._known(contract)
        if contract not in self._market.lines:
            self._open_line(self._link.ib(), known)

    async def _known(self, contract: Contract) -> Contract:
        found = await self._reference.qualify((contract,))
        if not found:
            raise Refused("UNKNOWN_CONTRACT", f"TWS knows no contract {contract.label}: it cannot be watched")
        return found[0]

    def _open_line(self, ib: TappedIB, contract: Contract) -> None:
        theirs = self._contracts.theirs(contract)
        ticker = ib.reqMktData(theirs, OPTION_TICKS if contract.is_option else "")
        self._market.add(contract, ticker, ib.wrapper.ticker2ReqId["mktData"][ticker])

    def _open_depth(self, ib: TappedIB, contract: Contract) -> None:
        ticker = ib.reqMktDepth(self._contracts.theirs(contract), DEPTH_ROWS)
        self._market.add(contract, ticker, ib.wrapper.ticker2ReqId["mktDepth"][ticker], depth=True)

    def _restore_lines(self, ib: TappedIB) -> None:
        """Subscribe again to everything that was watched: after a reconnect, or 1101."""
        lines, depths = tuple(self._market.lines), tuple(self._market.depths)
        self._market.clear()
        for contract in lines:
            self._open_line(ib, contract)
        for contract in depths:
            self._open_depth(ib, contract)

    async def unwatch(self, contract: Contract) -> None:
        line = self._market.drop(contract)
        if line is not None and self._link.up and line.ticker.contract is not None:
            self._link.ib().cancelMktData(line.ticker.contract)
            self._forget_ticker(contract, line.ticker)

    def _forget_ticker(self, contract: Contract, ticker: ib_async.Ticker) -> None:
        """The library would hand the old ticker, old prices and all, to the next subscription."""
        if contract not in self._market.lines and contract not in self._market.depths:
            self._link.ib().wrapper.tickers.pop(hash(ticker.contract), None)

    async def watch_depth(self, contract: Contract) -> None:
        if contract not in self._market.depths:
            known = await self._known(contract)
            self._open_depth(self._link.ib(), known)

    async def unwatch_depth(self, contract: Contract) -> None:
        line = self._market.drop(contract, depth=True)
        if line is not None and self._link.up and line.ticker.contract is not None:
            self._link.ib().cancelMktDepth(line.ticker.contract)
            self._forget_ticker(contract, line.ticker)

    async def market_data_grade(self, contract: Contract) -> Grade:
        """The grade TWS gives this contract's line. Raises BrokerUnavailable while it has not said so."""
        line = self._market.lines.get(contract)
        grade = self._market.grades.get(line.req_id) if line is not None else None
        if grade is None:
            raise BrokerUnavailable(f"market data grade of {contract.label} is not known: watch it first")
        return grade
