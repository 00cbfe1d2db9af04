"""A paper exchange in motion, and a broker in front of it: in process, or the real client library over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import TypeVar

from station.brokers.ibkr import IbkrBroker
from station.brokers.paper import Fault, GeneratedTape, PaperExchange
from station.brokers.tws.faults import WireFaults
from station.brokers.tws.pacer import Pacer
from station.brokers.tws.server import EmulatorServer
from station.calendars import at_et, load_calendar
from station.clock import Activity, VirtualClock
from station.domain.broker import (
    Broker,
    CommissionReport,
    ExecutionReport,
    OrderNotice,
    OrderStatus,
    QuoteReport,
    Report,
)
from station.domain.instruments import INSTRUMENTS, Contract, Right, Timeframe, option_contract
from station.domain.market import Quote
from station.domain.orders import (
    Action,
    Execution,
    OcaType,
    OrderKind,
    OrderState,
    Purpose,
    Ticket,
    order_ref,
)

ACCOUNT = "DU1000001"
DAY = date(2026, 11, 18)
START = "10:15"
SPEED = 40.0
PATIENCE_S = 180.0
"""Wall seconds after which a test that waits for ever is failed; nothing asserts a time."""

R = TypeVar("R", bound=Report)


@lru_cache(maxsize=1)
def tape() -> GeneratedTape:
    return GeneratedTape(11, DAY, load_calendar())


class Heard:
    """A sink that keeps every report and can be waited on."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self._news = asyncio.Event()

    def __call__(self, report: Report) -> None:
        self.reports.append(report)
        self._news.set()

    def of(self, kind: type[R]) -> list[R]:
        return [report for report in self.reports if isinstance(report, kind)]

    async def until(self, done: Callable[[], bool], what: str) -> None:
        async def wait() -> None:
            while not done():
                self._news.clear()
                await self._news.wait()

        try:
            await asyncio.wait_for(wait(), PATIENCE_S)
        except TimeoutError:
            tail = "\n".join(str(report)[:200] for report in self.reports[-12:])
            raise AssertionError(f"never heard: {what}; last were\n{tail}") from None

    def statuses(self, ref: str) -> list[OrderStatus]:
        return [status for status in self.of(OrderStatus) if status.order_ref == ref]

    def notices(self, ref: str) -> list[int]:
        return [notice.code for notice in self.of(OrderNotice) if notice.order_ref == ref]

    def fills(self, ref: str) -> list[Execution]:
        return [r.execution for r in self.of(ExecutionReport) if r.execution.order_ref == ref]

    def filled(self, ref: str) -> Decimal:
        return sum((fill.qty for fill in self.fills(ref)), Decimal(0))

    async def state(self, ref: str, *states: OrderState) -> OrderStatus:
        """The first status of the order in one of these states."""

        def found() -> list[OrderStatus]:
            return [status for status in self.statuses(ref) if status.state in states]

        await self.until(lambda: bool(found()), f"{ref} in {[state.value for state in states]}")
        return found()[0]

    async def notice(self, ref: str, *codes: int) -> int:
        await self.until(lambda: bool(set(codes) & set(self.notices(ref))), f"{codes} on {ref}")
        return next(code for code in self.notices(ref) if code in codes)

    async def paid(self, ref: str, qty: int) -> list[Execution]:
        """Fills of the whole quantity, each with its fee."""
        await self.until(lambda: self.filled(ref) >= qty, f"{qty} filled of {ref}")
        ids = {fill.exec_id for fill in self.fills(ref)}
        await self.until(
            lambda: ids <= {fee.exec_id for fee in self.of(CommissionReport)}, f"the fees of {ref}"
        )
        return self.fills(ref)


async def turn() -> None:
    """One turn of the loop."""
    loop = asyncio.get_running_loop()
    taken = loop.create_future()
    loop.call_soon(taken.set_result, None)
    await taken


class Rig:
    """An exchange under way, the server where there is one, and brokers that know nothing of each other."""

    def __init__(
        self, kind: str, runtime: Path, *, cash: int = 1_000_000, faults: Sequence[Fault] = ()
    ) -> None:
        self.kind = kind
        self.clock = VirtualClock(at_et(DAY, START))
        self.exchange = PaperExchange(
            tape(), runtime / "paper.db", clock=self.clock, activity=Activity(ordered=False),
            calendar=load_calendar(), account=ACCOUNT, start_cash=Decimal(cash), faults=faults,
        )  # fmt: skip
        self.pacer = Pacer(self.clock, self.exchange, SPEED)
        self.server = self._new_server()
        self.port = 0
        self.heard = Heard()
        self._running: asyncio.Task[None] | None = None
        self._brokers: list[Broker] = []
        self._numbers = count(1)
        self.broker: Broker = self.exchange

    async def open(self) -> None:
        await self.exchange.open()
        if self.kind == "tws":
            self.port = await self.server.start()
        self._running = asyncio.create_task(self.pacer.run(at_et(DAY, "15:59")))
        self.broker = self.new_broker()
        await self.broker.connect(self.heard)

    def new_broker(self, client_id: int = 1, **options: object) -> Broker:
        """A broker of this rig's kind, unconnected. In process there is only one."""
        if self.kind == "paper":
            return self.exchange
        return self.ibkr(client_id, **options)

    def ibkr(self, client_id: int = 1, **options: object) -> IbkrBroker:
        patient = {"query_timeout_s": 800.0, "heartbeat_s": 100.0, "silence_s": 800.0, **options}
        broker = IbkrBroker(
            "127.0.0.1", self.port, client_id, clock=self.clock, emulator_port=self.port,
            **patient,  # pyright: ignore[reportArgumentType]
        )  # fmt: skip
        self._brokers.append(broker)
        return broker

    def _new_server(self) -> EmulatorServer:
        return EmulatorServer(self.exchange, "127.0.0.1", 0, self.clock, faults=WireFaults(), pacer=self.pacer)

    async def restart_server(self) -> None:
        self.server = self._new_server()
        self.port = await self.server.start()

    def at_the_host_s_pace(self) -> None:
        """From now on a simulated second takes one of the host's: what follows is not to race the market."""
        pacer = self.pacer
        pacer._wall_zero, pacer._sim_zero, pacer.speed = self.clock.perf(), self.clock.now(), 1.0  # pyright: ignore[reportPrivateUsage]

    async def gone(self) -> None:
        """Return once the server has noticed that every client left."""
        while self.server.clients:
            await self.pacer.present()
            await turn()

    async def close(self) -> None:
        for broker in self._brokers:
            with suppress(Exception):
                await broker.disconnect()
        if self.kind == "tws":
            await self.server.stop()
        self.pacer.halt()
        if self._running is not None:
            await self._running
        await self.exchange.close()

    # --- orders --------------------------------------------------------------------------------------

    def ref(self, leg: str = "E") -> str:
        return order_ref(ACCOUNT, f"T{next(self._numbers)}", leg, 1)

    async def option(self, away: int = 0) -> Contract:
        """An SPX call of today, `away` strikes above the money, with its con id."""
        spx = INSTRUMENTS["SPX"]
        (listing,) = [row for row in await self.broker.chain(spx) if row.trading_class == "SPXW"]
        bars = tape().history("SPX", Timeframe.M1, self.clock.now(), 1, self.clock.now()).to_bars()
        near = min(listing.strikes, key=lambda strike: abs(strike - Decimal(bars[-1].close)))
        strike = listing.strikes[listing.strikes.index(near) + away]
        (found,) = await self.broker.qualify((option_contract(spx, listing.expiries[0], strike, Right.CALL),))
        return found

    async def quote(self, contract: Contract) -> Quote:
        """A two-sided quote of the contract, as the broker reports it."""
        before = len(self.heard.reports)
        await self.broker.watch(contract)

        def fresh() -> list[Quote]:
            return [
                report.quote
                for report in self.heard.reports[before:]
                if isinstance(report, QuoteReport) and report.quote.contract == contract
                and report.quote.two_sided
            ]  # fmt: skip

        await self.heard.until(lambda: bool(fresh()), f"a quote of {contract.label}")
        return fresh()[-1]

    def buy(self, contract: Contract, qty: int, limit: Decimal | None = None, **more: object) -> Ticket:
        return self._ticket(contract, Action.BUY, qty, limit, Purpose.ENTRY, more)

    def sell(self, contract: Contract, qty: int, limit: Decimal | None = None, **more: object) -> Ticket:
        purpose = Purpose.CLOSE if limit is None else Purpose.TARGET
        return self._ticket(contract, Action.SELL, qty, limit, purpose, more)

    def _ticket(
        self, contract: Contract, action: Action, qty: int, limit: Decimal | None, purpose: Purpose,
        more: dict[str, object],
    ) -> Ticket:  # fmt: skip
        kind = OrderKind.MARKET if limit is None else OrderKind.LIMIT
        ref = self.ref("E" if purpose is Purpose.ENTRY else "X")
        plain = Ticket(ref, ACCOUNT, contract, action, Decimal(qty), kind, purpose, limit=limit)
        return replace(plain, **more)  # pyright: ignore[reportArgumentType]

    async def bracket(self, contract: Contract, qty: int) -> tuple[Ticket, Ticket, Ticket]:
        """A marketable entry with a far target and a far stop, one OCA group."""
        quote = await self.quote(contract)
        assert quote.ask is not None
        entry = self.buy(contract, qty)
        group = f"oca-{entry.order_ref}"
        target = self.sell(
            contract, qty, Decimal(100) + quote.ask.to_integral_value(), parent_ref=entry.order_ref,
            oca_group=group, oca_type=OcaType.CANCEL_WITH_BLOCK,
        )  # fmt: skip
        stop = replace(
            target, order_ref=self.ref("X"), kind=OrderKind.STOP, limit=None, stop=Decimal("0.50"),
            purpose=Purpose.STOP,
        )  # fmt: skip
        return entry, target, stop
