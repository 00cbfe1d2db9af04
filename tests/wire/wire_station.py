"""A whole station on the wire: the engine, the real client library, the emulator, and a screen's own link."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from station.brokers.paper import Fault
from station.clock import WallClock
from station.domain.broker import OpenOrder
from station.domain.market import FeedMode
from station.domain.orders import Order, Purpose
from station.domain.trade import Trade, TradeState
from station.engine.bench.station import wide_settings
from station.engine.desired import STRATEGY
from station.engine.options import RunOptions
from station.engine.rooms import Rooms
from station.engine.wired import WiredRun
from station.link import Ack, Command, Data, LinkClient, LinkState, PlaceOrder, PreviewOrder, Reply, Ticket
from tests.lab import CACHE
from tests.wire.wire_rig import Rig

SPEED = 10.0
"""What the station allows an answer in simulated time must be time enough on a busy machine."""
SYMBOLS = ("SPX", "SPY", "QQQ", "IWM")
PATIENCE_S = 180.0
START_S = 600.0
"""Wall seconds after which what never comes is failed; nothing asserts a time."""
BEAT_S = 0.005
HELD_UP_S = 600
"""Simulated seconds: of the host's, a machine that is held up loses many of these at once."""
R = TypeVar("R", bound=Reply)


class WireStation:
    """An engine over TCP whose strategies are off, and a hand at its door."""

    def __init__(self, runtime: Path, faults: Sequence[Fault] = ()) -> None:
        self.runtime = runtime / "station"
        self.rig_home = runtime / "venue"
        self.rig_home.mkdir()
        self.rig = Rig("tws", self.rig_home, faults=faults)
        self.rig.pacer.speed = SPEED
        self.said: list[str] = []
        self._wall = WallClock()
        self._tokens = count(1)
        self.run: WiredRun
        self.link: LinkClient
        self._session: asyncio.Task[dict[str, Any]]

    async def open(self) -> None:
        await self.rig.open()
        await self.rig.broker.disconnect()
        await self.rig.gone()
        settings = wide_settings(
            broker__kind="ibkr", broker__port=self.rig.port, risk__one_per_instrument=False,
            risk__max_spread_pct=50, execution__what_if_timeout_s=60, risk__quote_stale_s=HELD_UP_S,
            risk__feed_stale_s=HELD_UP_S,
        )  # fmt: skip
        patient = {"query_timeout_s": HELD_UP_S, "heartbeat_timeout_s": HELD_UP_S}
        broker = settings.broker.model_copy(update=patient)
        settings = settings.model_copy(update={"broker": broker})
        options = RunOptions(
            runtime=self.runtime, broker="ibkr", speed=SPEED, port=self.rig.port, broker_clock=True,
            cache_dir=CACHE,
        )  # fmt: skip
        self.run = await WiredRun.prepare(options, settings, self.said.append)
        self._session = asyncio.create_task(self.run.to_the_end())
        await self.until(lambda: self.run.engine.progress.phase == "trading", "the engine trades", START_S)
        await self._rest()
        self.link = await self.new_link()
        await self.until(lambda: all(map(self._is_live, SYMBOLS)), "the feeds are live")

    async def _rest(self) -> None:
        """No strategy trades beside the hand."""
        desired = self.run.engine.desired
        for row in await self.run.engine.outside.stores.config.rows():
            if row.kind == STRATEGY:
                body = json.dumps(json.loads(row.body) | {"enabled": False})
                await desired.edit(STRATEGY, row.key, body, row.version, "test")

    def _is_live(self, symbol: str) -> bool:
        health = self.rooms.market.health(symbol)
        return (
            health.mode is FeedMode.LIVE
            and health.score >= self.run.engine.outside.settings.risk.min_quality_score
        )

    async def new_link(self) -> LinkClient:
        """A screen's link through the door."""
        link = LinkClient(self.runtime / "engine.sock", clock=self._wall)
        await link.open()
        await self.until(lambda: link.state is LinkState.CONNECTED, "a screen is attached")
        return link

    async def close(self) -> dict[str, Any]:
        await self.link.close()
        self.run.halt("the test is over")
        document = await self._session
        await self.rig.close()
        return document

    async def until(
        self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S
    ) -> None:  # fmt: skip
        """Let the station live until `condition` holds."""
        deadline = self._patience(patience_s)
        while not condition():
            if self._session.done():
                self._session.result()
            alerts = "\n".join(self.alerts()[:6])
            assert self._wall.perf() < deadline, f"not within {patience_s:g} s: {what}\n{alerts}"
            await self._wall.sleep(BEAT_S)

    # --- what a hand does ---------------------------------------------------------------------------

    @property
    def rooms(self) -> Rooms:
        return self.run.engine.rooms

    def token(self) -> str:
        return f"n{next(self._tokens)}"

    def near(self, symbol: str = "SPY", right: str = "C", off: int = 0, **terms: Any) -> Ticket:
        """A ticket of one of today's options, `off` strikes from the money."""
        step = 5 if symbol == "SPX" else 1
        spot = self.rooms.market.last_price(symbol)
        assert spot is not None
        strike = round(spot / step) * step + off * step
        return msgspec.structs.replace(Ticket(symbol, "BUY", 1, right, str(strike), "0dte", "MARKET"), **terms)

    async def ask(self, command: Command) -> Ack:
        reply = await self.link.ask(command, PATIENCE_S)
        assert isinstance(reply, Ack)
        return reply

    async def done(self, command: Command) -> str:
        """What the station says of what it did."""
        reply = await self.ask(command)
        assert reply.ok, reply
        return reply.text

    async def preview(self, ticket: Ticket) -> dict[str, Any]:
        reply = await self.link.ask(PreviewOrder(ticket), PATIENCE_S)
        assert isinstance(reply, Data)
        return json.loads(reply.json)

    async def margin_of(self, ticket: Ticket) -> dict[str, Any]:
        """The preview, once the broker has said in time what it would tie up."""
        until_ns = self._patience()
        while self._wall.perf() < until_ns:
            document = await self.preview(ticket)
            if document["margin"] is not None:
                return document
        raise AssertionError(f"the broker never told the margin of {ticket}")

    async def ask_of(self, ticket: Ticket) -> Decimal:
        """What the contract is offered at, once it is quoted."""
        until_ns = self._patience()
        while self._wall.perf() < until_ns:
            ask = ((await self.preview(ticket))["price_basis"] or {}).get("ask")
            if ask:
                return Decimal(ask)
        raise AssertionError(f"{ticket} is never quoted")

    def _patience(self, patience_s: float = PATIENCE_S) -> int:
        return self._wall.perf() + round(patience_s * 1e9)

    async def placed(self, ticket: Ticket) -> Trade:
        """The trade that an order became."""
        token = self.token()
        await self.ask_of(ticket)
        await self.agreed()
        await self.done(PlaceOrder(ticket, token, "test"))
        return self.by_token(token)

    async def agreed(self) -> None:
        """Until the books agree with the broker's: nothing is opened before."""
        await self.until(lambda: self.rooms.reconciler.ready, "the books agree")

    def by_token(self, token: str) -> Trade:
        found = self.rooms.ledger.by_token(token)
        assert found is not None
        return found

    async def held(self, ticket: Ticket) -> Trade:
        """A position of it, protected by its target at the broker."""
        trade = await self.placed(ticket)
        await self.until(lambda: self.is_protected(trade), f"{trade.id} is filled and protected")
        return self.now(trade)

    # --- what there is ------------------------------------------------------------------------------

    def now(self, trade: Trade) -> Trade:
        return self.rooms.ledger.trades[trade.id]

    def entry(self, trade: Trade) -> Order:
        return self.rooms.ledger.book.orders[self.now(trade).entry_ref]

    def target(self, trade: Trade) -> Order:
        exits = self.rooms.ledger.book.working_exits(trade.id)
        return next(order for order in exits if order.ticket.purpose is Purpose.TARGET)

    def stop(self, trade: Trade) -> Order | None:
        """The stop that rests at the broker beside its target."""
        exits = self.rooms.ledger.book.working_exits(trade.id)
        return next((order for order in exits if order.ticket.purpose is Purpose.STOP), None)

    def is_protected(self, trade: Trade) -> bool:
        after = self.now(trade)
        exits = self.rooms.ledger.book.working_exits(trade.id)
        covered = sum((order.remaining for order in exits if order.ticket.limit is not None), Decimal(0))
        works = all(order.state.value in ("SUBMITTED", "PARTIALLY_FILLED") for order in exits)
        return after.state is TradeState.SELL_SUBMITTED and covered == after.open_qty > 0 and works

    def is_over(self, trade: Trade) -> bool:
        return self.now(trade).state.is_terminal

    async def at_broker(self, ref: str) -> OpenOrder | None:
        """The order as the exchange has it."""
        return next((order for order in await self.rig.exchange.open_orders() if order.order_ref == ref), None)

    def alerts(self) -> list[str]:
        """What the alert pane of a screen shows, newest first."""
        part = self.link.view.floor.alerts if hasattr(self, "link") else None
        return [row.text for row in part.rows] if part is not None else []
