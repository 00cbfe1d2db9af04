"""A fill, a stop and a lost broker, each to the paint that tells it, on a real screen beside an engine."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from station.clock import WallClock
from station.domain.clock import MILLISECOND
from station.domain.errors import Fatal
from station.engine.arrivals import FILL, STOP
from station.engine.bench.figures import Figure, figure
from station.engine.bench.process import Running, running, session, wide_environment, wired_session
from station.engine.bench.relay import Relay, relay
from station.engine.bench.screen import FIRST_S
from station.engine.bench.station import SYMBOL
from station.engine.bench.terminal import HEADER, NOTICE, Terminal, painted
from station.engine.bench.wire import START_S, emulator
from station.engine.options import PROFILES
from station.link import CloseTrade, PlaceOrder, PreviewOrder, Query, Status, Ticket

SPEED: Final = 20.0
"""Of the market: its own latency of 20 to 80 ms and the wait for a quote under the stop are simulated time."""
WIRE_SPEED: Final = 10.0
BUDGET_MS: Final = 300.0
SIZES: Final = 12
PAUSE_S: Final = 0.03
TICK: Final = Decimal("0.01")
TRIES: Final = 5
FAR: Final = "900"
CARRIED_AWAY_S: Final = 3.0
EACH: Final = 50
"""Trades of each kind in one station: its brakes bear fifty losses in a row, and a hand may pass them a hundred
times."""
HAND: Final = "bench"


class Trader:
    """A hand that buys calls at the money and gets out of them, beside a screen that shows it; one size and one
    strike after the other, so that no line of an earlier trade reads as the one waited for."""

    def __init__(self, engine: Running, screen: Terminal) -> None:
        self._engine = engine
        self._screen = screen
        self._wall = WallClock()
        self._count = 0

    async def fill(self) -> float:
        """Bought at market and closed: the lap of the first fill."""
        trade, label, qty = await self._bought()
        lap = await self._told(f"FILL BUY {label} {qty} @", FILL, f"-{trade}-E-")
        await self._engine.order(CloseTrade(trade, by=HAND))
        await self._screen.seen(f"FILL SELL {label} {qty} @", NOTICE)
        await self._flat()
        return lap

    async def stopped(self) -> float:
        """Bought with a stop a tick under the bid, and stopped out; what the market carries away from its stop
        is closed, and another is bought."""
        while True:
            trade, label, _ = await self._bought(stop=True)
            telling = asyncio.ensure_future(self._told(f"CLOSED {label} ", STOP, trade))
            await asyncio.wait({telling}, timeout=CARRIED_AWAY_S)
            if not telling.done():
                telling.cancel()
                await self._engine.order(CloseTrade(trade, by=HAND))
            await self._flat()
            if not telling.cancelled():
                return await telling

    async def _told(self, words: str, what: str, of: str) -> float:
        """Milliseconds from the engine's having it to the paint of the words."""
        at = await self._screen.seen(words, NOTICE)
        noted: list[dict[str, Any]] = (await self._engine.ask(Query("arrivals")))["noted"]
        since = next((one["perf_ns"] for one in noted if one["what"] == what and of in one["of"]), None)
        if since is None:
            raise Fatal(f"bench: the screen tells {words!r}, the engine knows of no {what} {of}")
        return (at - since) / MILLISECOND

    async def _bought(self, *, stop: bool = False) -> tuple[str, str, int]:
        """The trade's id, its contract as a screen names it, and its size. Raises Fatal with the last reason
        where it is refused again and again."""
        self._count += 1
        qty, why = 1 + self._count % SIZES, ""
        for attempt in range(TRIES):
            strike, anyway = await self._strike(), attempt > 0
            ticket = Ticket(SYMBOL, "BUY", qty, "C", strike, "0dte", "MARKET", target_pct=FAR, override=anyway)
            seen = await self._engine.ask(PreviewOrder(ticket))
            if stop:
                ticket = _with_stop(ticket, seen)
            token = f"bench {self._count} {attempt}"
            placed = await self._engine.order(PlaceOrder(ticket, token, HAND))
            if placed.ok:
                return placed.text.split()[0], f"{SYMBOL} {ticket.strike}C 0DTE", qty
            why = placed.text
            await self._wall.sleep(PAUSE_S)
        raise Fatal(f"bench: an order by hand was refused {TRIES} times: {why}")

    async def _strike(self) -> str:
        health = await self._engine.ask(Query("health"))
        last = next(feed["last"] for feed in health["feeds"] if feed["symbol"] == SYMBOL)
        return f"{2 * round(last / 2) + self._count % 2}"

    async def _flat(self) -> None:
        """Nothing is open, and no beat of the screen is the one that the next lap begins with."""
        while (await self._engine.ask(Status()))["open_positions"]:
            await self._wall.sleep(PAUSE_S)
        await self._wall.sleep(PAUSE_S * (1 + self._count % 9))


def _with_stop(ticket: Ticket, seen: dict[str, Any]) -> Ticket:
    return replace(ticket, stop_price=f"{Decimal(seen['price_basis']['bid']) - TICK}")


async def fills_and_stops(folder: Path, trials: int) -> list[Figure]:
    """Each lap begins where the engine has the broker's report: of the execution, of the quote that meets the
    stop. The stop's ends with the trade closed, so that the exchange's own latency is in it."""
    fills, stops = list[float](), list[float]()
    while len(stops) < trials:
        runtime = folder / PROFILES / f"station-{len(stops)}"
        count = min(EACH, trials - len(stops))
        words = session(runtime, SPEED)
        async with running(runtime, words, wide_environment()) as engine:
            screen = await painted(words, settle_s=FIRST_S)
            await engine.ask(Query("arrivals"))
            trader = Trader(engine, screen)
            fills += [await trader.fill() for _ in range(count)]
            stops += [await trader.stopped() for _ in range(count)]
            await screen.end()
    filled = "from the execution's report in the engine to its words on the notice line"
    stopped = f"from the quote that meets it to CLOSED, with the exchange's own latency at x{SPEED:g}"
    return [
        figure("fill → eye, 160x45", "ms", fills, None, BUDGET_MS, filled),
        figure("stop → eye, 160x45", "ms", stops, None, BUDGET_MS, stopped),
    ]


async def outages(folder: Path, trials: int) -> list[Figure]:
    """The socket to TWS is cut while the station trades over it; it comes back by itself each time."""
    async with emulator(folder / "emulator", WIRE_SPEED) as port, relay(port) as wire:
        runtime = folder / "station"
        words = wired_session(runtime, WIRE_SPEED, wire.port)
        async with running(runtime, words, wide_environment(), START_S) as engine:
            screen = await painted(words, settle_s=FIRST_S)
            laps = [await _cut(engine, screen, wire, number) for number in range(trials)]
            await screen.end()
    note = "from the cut of the socket to TWS to DOWN in the header"
    return [figure("disconnect → eye, 160x45", "ms", laps, None, BUDGET_MS, note)]


async def _cut(engine: Running, screen: Terminal, wire: Relay, number: int) -> float:
    wall = WallClock()
    lap = await screen.shows(" DOWN", since=wire.cut(), row=HEADER)
    wire.mend()
    await screen.seen("is back", NOTICE)
    while not (await engine.ask(Status()))["reconciled"]:
        await wall.sleep(PAUSE_S)
    await wall.sleep(PAUSE_S * (1 + number % 9))
    return lap
