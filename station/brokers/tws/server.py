"""The emulator: a TWS on loopback in front of any broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from station.brokers.tws import answers
from station.brokers.tws.faults import WireFaults
from station.brokers.tws.order_desk import WireOrder
from station.brokers.tws.pacer import Pacer
from station.brokers.tws.requests import Request, StartApi
from station.brokers.tws.service import Service
from station.brokers.tws.session import NOT_STARTED, ClientSession
from station.calendars import Calendar, load_calendar
from station.domain.broker import (
    Broker,
    CommissionReport,
    DepthReport,
    ExecutionReport,
    FarmReport,
    GreeksReport,
    HaltReport,
    LinkReport,
    NoticeReport,
    OrderNotice,
    OrderStatus,
    QuoteReport,
    Report,
    TickReport,
)
from station.domain.clock import Clock
from station.domain.errors import BrokerUnavailable
from station.domain.instruments import INSTRUMENTS, Instrument
from station.domain.orders import OrderState

LINK_DOWN = "Connectivity between IBKR and Trader Workstation has been lost."
LINK_UP = "Connectivity between IBKR and Trader Workstation has been restored - data {} ."
RECONNECT_S = 1.0
COMPETING = "No market data during competing live session"


class EmulatorServer:
    """Speaks the TWS wire at server version 178 for `broker`, to several clients at once.

    `port` 0 takes a free one. `faults` may be changed at any time; the methods below it strike once. With a
    `pacer` simulated time is brought to the present before a request is answered.
    """

    def __init__(
        self,
        broker: Broker,
        host: str,
        port: int,
        clock: Clock,
        *,
        calendar: Calendar | None = None,
        instruments: Mapping[str, Instrument] = INSTRUMENTS,
        faults: WireFaults | None = None,
        pacer: Pacer | None = None,
    ) -> None:
        self.faults = faults or WireFaults()
        self._broker = broker
        self._host = host
        self._port = port
        self._clock = clock
        self._service = Service(broker, clock, calendar or load_calendar(), instruments, self.faults)
        self._trading, self._market = self._service.trading, self._service.market
        self._pacer = pacer
        self._server: asyncio.Server | None = None
        self._sessions: list[ClientSession] = []
        self._stopping = False
        self._returning: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def clients(self) -> tuple[int, ...]:
        """Client ids connected now, in the order they came."""
        return tuple(s.client_id for s in self._sessions if s.client_id != NOT_STARTED and not s.closed)

    async def start(self) -> int:
        """Connect the broker, listen, and answer the port. Raises BrokerUnavailable or OSError."""
        session = await self._broker.connect(self._on_report)
        await self._service.open(session.accounts)
        self._server = await asyncio.start_server(self._serve, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self._port

    async def stop(self) -> None:
        """Close the port and every connection; the broker is left as it is, disconnected."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        self.drop()
        self._service.cancel()
        if self._returning is not None:
            self._returning.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._broker.disconnect()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        session = ClientSession(reader, writer, self._clock, self.faults)
        self._sessions.append(session)
        try:
            await session.serve(self._begin, self._handle)
        finally:
            self._tasks.discard(task)
            self._sessions.remove(session)
            if session.client_id not in self.clients:
                await self._market.forget(session.client_id)

    def _begin(self, session: ClientSession, client_id: int) -> bool:
        if not self._broker.connected:
            session.close()
            return False
        if client_id in self.clients or self.faults.refuse_clients:
            text = "Unable to connect as the client id is already in use. Retry with a unique client id."
            session.send(answers.error(-1, 326, text))
            session.close()
            return False
        session.client_id = client_id
        return True

    async def _handle(self, session: ClientSession, request: Request) -> None:
        if self._pacer is not None:
            await self._pacer.present()
        if isinstance(request, StartApi):
            self._service.welcome(session)
            if self._pacer is not None:
                session.send(answers.simulated_time(self._clock.now(), self._pacer.speed))
        else:
            await self._service.handle(session, request)
        if self._pacer is not None:
            self._pacer.wake()

    # --- faults that strike once ---------------------------------------------------------------------

    def drop(self) -> None:
        """Cut every connection."""
        for session in tuple(self._sessions):
            session.drop()

    def link_down(self) -> None:
        self._tell_all(1100, LINK_DOWN)

    def link_up(self, *, data_kept: bool) -> None:
        if not data_kept:
            self._market.lose_all()
        self._tell_all(1102 if data_kept else 1101, LINK_UP.format("maintained" if data_kept else "lost"))

    def farm(self, name: str, *, up: bool) -> None:
        state = "is OK" if up else "is broken"
        self._tell_all(2104 if up else 2103, f"Market data farm connection {state}:{name}")

    def competing_session(self) -> None:
        """10197 on every market-data line."""
        for line in self._market.lines():
            line.send(answers.error(line.req_id, 10197, COMPETING))

    def refuse_lines(self, code: int, text: str) -> None:
        """End every market-data line with an error: 101 too many, 354 not subscribed."""
        for line in self._market.lines():
            line.send(answers.error(line.req_id, code, text))
        self._market.lose_all()

    def warn(self, order_ref: str, code: int, text: str) -> None:
        """An error or warning about one order, to its owner: 399, 10349, 161 and whatever else TWS says."""
        order = self._trading.orders.by_ref[order_ref]
        self._to_owner(order, answers.error(order.order_id, code, text))

    def say(self, *messages: answers.Message) -> None:
        """What no order here leads to, to every client: orders and fills of other hands and kinds."""
        for session in tuple(self._sessions):
            session.send(*messages)

    def forget_order(self, order_ref: str) -> None:
        """From now on the server has never heard of this order: cancels are answered 10147."""
        self._trading.lost.add(order_ref)

    def _tell_all(self, code: int, text: str) -> None:
        for session in tuple(self._sessions):
            session.send(answers.error(-1, code, text))

    # --- the broker's reports ------------------------------------------------------------------------

    def _on_report(self, report: Report) -> None:
        market = self._market
        match report:
            case QuoteReport():
                market.on_quote(report.quote)
            case TickReport():
                market.on_tick(report.tick)
            case GreeksReport():
                market.on_greeks(report.greeks)
            case DepthReport():
                market.on_depth(report)
            case HaltReport():
                market.on_halt(report.symbol, halted=report.halted)
            case OrderStatus():
                self._on_status(report)
            case OrderNotice():
                self._on_notice(report)
            case ExecutionReport():
                self._on_execution(report)
            case CommissionReport():
                order = self._trading.orders.owner_of_fill(report.exec_id)
                if order is not None:
                    self._to_owner(order, answers.commission_report(report.exec_id, report.commission))
            case _:
                self._on_link(report)

    def _on_link(self, report: LinkReport | FarmReport | NoticeReport) -> None:
        match report:
            case LinkReport(up=True):
                self.link_up(data_kept=report.data_kept)
            case LinkReport() if self._broker.connected or self._stopping:
                self.link_down()
            case LinkReport():
                self._broker_gone()
            case FarmReport():
                self.farm(report.farm, up=report.up)
            case NoticeReport():
                self._tell_all(report.code, report.text)

    def _broker_gone(self) -> None:
        """The broker behind cut us off: so are our clients, until it takes us again."""
        self.drop()
        self._returning = asyncio.get_running_loop().create_task(self._come_back())

    async def _come_back(self) -> None:
        while not self._broker.connected:
            await self._clock.sleep(RECONNECT_S)
            with suppress(BrokerUnavailable):
                await self._broker.connect(self._on_report)

    def _on_status(self, status: OrderStatus) -> None:
        order = self._trading.orders.apply(status)
        if order is None:
            return
        first = order.told == 0
        order.told += 1
        messages = order.messages(perm_id=0 if first and self.faults.late_perm_ids else None)
        if self.faults.hold_acknowledgements and order.filled == 0 and not status.state.is_terminal:
            order.held_back.extend(messages)
            return
        if status.state in (OrderState.REJECTED, OrderState.CANCELLED):
            # TWS gives the error first; the broker's notice may still be in the batch being reported.
            asyncio.get_running_loop().call_soon(self._ended, order, status, messages)
        else:
            self._to_owner(order, *messages)

    def _ended(self, order: WireOrder, status: OrderStatus, messages: tuple[answers.Message, ...]) -> None:
        if status.state is OrderState.CANCELLED and not order.cancel_told:
            text = f"Order Canceled - reason:{status.reason}"
            self._to_owner(order, answers.error(order.order_id, 202, text))
        self._to_owner(order, *messages)

    def _on_notice(self, notice: OrderNotice) -> None:
        order = self._trading.orders.refused(notice)
        if order is not None:
            order.cancel_told |= notice.code == 202
            self._to_owner(order, answers.error(order.order_id, notice.code, notice.text))

    def _on_execution(self, report: ExecutionReport) -> None:
        execution = report.execution
        order = self._trading.orders.executed(execution)
        if order is not None:
            message = answers.exec_details(
                -1, order.order_id, max(order.client_id, 0), self._trading.echoed(execution), order.filled,
                order.average,
            )  # fmt: skip
            self._to_owner(order, message, *order.held_back)
            order.held_back.clear()
        self._service.holdings_changed(self._sessions)

    def _to_owner(self, order: WireOrder, *messages: answers.Message) -> None:
        for session in self._sessions:
            if session.client_id == order.client_id and not session.closed:
                session.send(*messages)


def strike(server: EmulatorServer, name: str) -> None:
    """Switch on, or strike with, the wire fault of this name (see `faults.WIRE_FAULTS`)."""
    faults = server.faults
    actions: dict[str, Callable[[], None]] = {
        "drop": server.drop,
        "link-down": server.link_down,
        "link-up": lambda: server.link_up(data_kept=True),
        "link-lost-data": lambda: server.link_up(data_kept=False),
        "farm-down": lambda: server.farm("usfarm", up=False),
        "farm-up": lambda: server.farm("usfarm", up=True),
        "competing-session": server.competing_session,
        "mute": lambda: setattr(faults, "muted", True),
        "unmute": lambda: setattr(faults, "muted", False),
        "delay": lambda: setattr(faults, "delay_s", 0.5),
        "hold-acks": lambda: setattr(faults, "hold_acknowledgements", True),
        "late-perm-ids": lambda: setattr(faults, "late_perm_ids", True),
        "refuse-type-changes": lambda: setattr(faults, "refuse_type_changes", True),
        "refuse-clients": lambda: setattr(faults, "refuse_clients", True),
    }
    actions[name]()
