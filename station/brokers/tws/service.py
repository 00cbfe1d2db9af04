"""What the server does with each request: orders here, queries and data through their own rooms."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from station.brokers.tws import answers
from station.brokers.tws.account_desk import AccountDesk
from station.brokers.tws.contracts import NO_SECURITY, ContractRoom
from station.brokers.tws.faults import WireFaults
from station.brokers.tws.history_desk import HistoryDesk
from station.brokers.tws.market_desk import DepthSubscription, MarketDesk, Subscription
from station.brokers.tws.order_request import PlaceOrder, WireContract
from station.brokers.tws.requests import (
    AccountSummary,
    AccountUpdates,
    AccountUpdatesMulti,
    CancelOrder,
    ContractDetails,
    Depth,
    Executions,
    HistoricalData,
    MarketData,
    MarketDataType,
    MarketRule,
    MarketScan,
    OptionParams,
    Plain,
    ProfitAndLoss,
    Request,
    Unknown,
)
from station.brokers.tws.session import ClientSession
from station.brokers.tws.trading_desk import TradingDesk
from station.calendars import Calendar
from station.domain.broker import Broker, ScanRequest
from station.domain.clock import Clock
from station.domain.errors import Refused, Retryable, VigilError
from station.domain.instruments import Contract, Instrument, underlying_contract

log = logging.getLogger(__name__)


class Service:
    """One broker's answers to every client."""

    def __init__(
        self, broker: Broker, clock: Clock, calendar: Calendar, instruments: Mapping[str, Instrument],
        faults: WireFaults,
    ) -> None:  # fmt: skip
        self.market = MarketDesk(broker)
        self.contracts = ContractRoom(broker, clock, calendar, instruments)
        self._broker = broker
        self._clock = clock
        self._instruments = instruments
        self._account = AccountDesk(broker, clock)
        self.trading = TradingDesk(broker, clock, self.contracts, self._account, faults)
        self._history = HistoryDesk(broker, clock, calendar)
        self._tasks: dict[tuple[int, int], asyncio.Task[None]] = {}
        self._refresh: asyncio.Task[None] | None = None

    async def open(self, accounts: Sequence[str]) -> None:
        """Learn what the broker already holds, so that order ids never repeat."""
        self._account.accounts = tuple(accounts)
        for found in await self._broker.open_orders():
            self.trading.orders.adopt(found)

    def cancel(self) -> None:
        for task in (*self._tasks.values(), self._refresh):
            if task is not None:
                task.cancel()

    def welcome(self, session: ClientSession) -> None:
        """What TWS says unasked after startApi."""
        self.trading.orders.bind(session.client_id)
        session.send(
            answers.managed_accounts(self._account.accounts),
            answers.next_valid_id(self.trading.orders.next_id()),
            answers.error(-1, 2104, "Market data farm connection is OK:usfarm"),
            answers.error(-1, 2106, "HMDS data farm connection is OK:ushmds"),
        )

    async def handle(self, session: ClientSession, request: Request) -> None:
        match request:
            case PlaceOrder():
                await self.trading.place(session, request)
            case CancelOrder():
                await self.trading.cancel(session, request.order_id)
            case MarketData():
                await self._market_data(session, request)
            case Depth():
                await self._depth(session, request)
            case HistoricalData():
                self._spawn(session, request.req_id, self._historical(session, request))
            case MarketDataType():
                pass
            case Plain():
                await self._plain(session, request)
            case Unknown():
                text = f"message {request.msg_id} is not served by this emulator"
                session.send(answers.error(request.req_id, 321, f"Error validating request: {text}"))
            case _:
                await self._query(session, request)

    async def _query(self, session: ClientSession, request: Request) -> None:
        match request:
            case AccountUpdates():
                await self._account.updates(session, request.account, subscribe=request.subscribe)
            case AccountUpdatesMulti():
                await self._account.updates_multi(session, request.req_id, request.account)
            case AccountSummary():
                await self._account.summary(session, request.req_id, request.tags)
            case ProfitAndLoss():
                await self._account.pnl(session, request.req_id, request.account)
            case Executions():
                await self.trading.executions(session, request)
            case ContractDetails():
                await self._contract_details(session, request)
            case OptionParams():
                await self._option_params(session, request)
            case MarketRule():
                self._market_rule(session, request.rule_id)
            case MarketScan():
                await self._scan(session, request)
            case _:
                pass

    async def _plain(self, session: ClientSession, request: Plain) -> None:
        client, ref = session.client_id, request.ref
        match request.name:
            case "reqOpenOrders" | "reqAllOpenOrders":
                await self.trading.open_orders(session, every=request.name == "reqAllOpenOrders")
            case "reqPositions":
                session.wants_positions = True
                await self._account.positions(session)
                session.send(answers.position_end())
            case "reqGlobalCancel":
                await self.trading.cancel_all()
            case "cancelMktData":
                if not await self.market.unwatch(client, ref):
                    session.send(answers.error(ref, 300, f"Can't find EId with tickerId:{ref}"))
            case "cancelMktDepth":
                if not await self.market.unwatch_depth(client, ref):
                    session.send(answers.error(ref, 310, f"Can't find the subscribed market depth with {ref}"))
            case _:
                self._small(session, request.name, ref)

    def _small(self, session: ClientSession, name: str, ref: int) -> None:
        """Requests that need no broker."""
        match name:
            case "reqIds":
                session.send(answers.next_valid_id(self.trading.orders.next_id()))
            case "reqCompletedOrders":
                ended = [o.completed() for o in self.trading.orders.by_ref.values() if o.state.is_terminal]
                session.send(*ended, answers.completed_orders_end())
            case "reqManagedAccts":
                session.send(answers.managed_accounts(self._account.accounts))
            case "reqCurrentTime":
                session.send(answers.current_time(self._clock.now()))
            case "reqUserInfo":
                session.send(answers.user_info(ref))
            case "cancelPositions":
                session.wants_positions = False
            case "cancelPnL":
                session.pnl.pop(ref, None)
            case "cancelAccountUpdatesMulti":
                session.multi_updates.pop(ref, None)
            case "cancelHistoricalData":
                task = self._tasks.pop((session.client_id, ref), None)
                if task is not None:
                    task.cancel()
            case _:
                pass

    def holdings_changed(self, sessions: Sequence[ClientSession]) -> None:
        """Send positions and account values again to who subscribed, once for a burst of fills."""
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.get_running_loop().create_task(self._tell_holdings(sessions))

    async def _tell_holdings(self, sessions: Sequence[ClientSession]) -> None:
        try:
            for session in tuple(sessions):
                await self._account.changed(session)
        except Retryable as error:
            log.warning("holdings not refreshed: %s", error)

    async def _found(self, session: ClientSession, req_id: int, wanted: WireContract) -> Contract | None:
        contract = await self.contracts.one(wanted)
        if contract is None:
            session.send(answers.error(req_id, 200, NO_SECURITY))
        return contract

    async def _market_data(self, session: ClientSession, request: MarketData) -> None:
        contract = await self._found(session, request.req_id, request.contract)
        if contract is None:
            return
        await self.market.unwatch(session.client_id, request.req_id)
        await self.market.watch(
            Subscription(session.client_id, request.req_id, contract, session.send, request.snapshot)
        )
        if request.snapshot:
            session.send(answers.snapshot_end(request.req_id))
            await self.market.unwatch(session.client_id, request.req_id)

    async def _depth(self, session: ClientSession, request: Depth) -> None:
        contract = await self._found(session, request.req_id, request.contract)
        if contract is not None:
            line = DepthSubscription(session.client_id, request.req_id, contract, session.send, request.rows)
            await self.market.watch_depth(line)

    async def _contract_details(self, session: ClientSession, request: ContractDetails) -> None:
        found = await self.contracts.find(request.contract)
        if not found:
            session.send(answers.error(request.req_id, 200, NO_SECURITY))
            return
        rows = [await self.contracts.details(request.req_id, contract) for contract in found]
        session.send(*rows, answers.contract_details_end(request.req_id))

    async def _option_params(self, session: ClientSession, request: OptionParams) -> None:
        instrument = self._instruments.get(request.symbol)
        if instrument is not None and instrument.has_options:
            for row in await self._broker.chain(instrument):
                session.send(
                    answers.option_params(
                        request.req_id, row.exchange, request.con_id, row.trading_class, row.multiplier,
                        row.expiries, row.strikes,
                    )
                )  # fmt: skip
        session.send(answers.option_params_end(request.req_id))

    def _market_rule(self, session: ClientSession, rule_id: int) -> None:
        rule = self.contracts.rule(rule_id)
        if rule is None:
            session.send(answers.error(-1, 321, f"Error validating request: no market rule {rule_id}"))
        else:
            session.send(answers.market_rule(rule_id, rule))

    async def _scan(self, session: ClientSession, request: MarketScan) -> None:
        if not self._broker.capabilities.market_scanner:
            text = f"no market scanner {request.code} here"
            session.send(answers.error(request.req_id, 162, f"Historical Market Data Service error: {text}"))
            return
        scan = ScanRequest(request.code, request.rows, request.above_price, request.above_volume)
        symbols = await self._broker.scan(scan)
        contracts = [underlying_contract(self._instruments[s]) for s in symbols if s in self._instruments]
        session.send(answers.scanner_data(request.req_id, contracts))

    async def _historical(self, session: ClientSession, request: HistoricalData) -> None:
        contract = await self._found(session, request.req_id, request.contract)
        if contract is None:
            return
        try:
            instrument = self.contracts.instrument(contract)
            session.send(await self._history.answer(request, contract, instrument))
        except Refused as error:
            code = int(error.code) if error.code.isdigit() else 162
            session.send(answers.error(request.req_id, code, str(error)))
        except VigilError as error:
            text = f"Historical Market Data Service error message:{error}"
            session.send(answers.error(request.req_id, 162, text))

    def _spawn(self, session: ClientSession, req_id: int, work: Coroutine[Any, Any, None]) -> None:
        """Long answers do not keep the client's other requests waiting."""
        key = (session.client_id, req_id)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[key] = task

        def done(finished: asyncio.Task[None]) -> None:
            if self._tasks.get(key) is finished:
                del self._tasks[key]
            if not finished.cancelled() and finished.exception() is not None:
                log.error("request %s failed", key, exc_info=finished.exception())
                session.send(answers.error(req_id, 320, f"Server error: {finished.exception()!r}"))

        task.add_done_callback(done)
