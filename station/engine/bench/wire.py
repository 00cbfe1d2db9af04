"""Over the wire: a station with the real client library against the emulator in a process of its own."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from station.brokers.ibkr import IbkrBroker
from station.calendars import load_calendar
from station.clock import FollowingClock, WallClock
from station.desk.stopwatch import FILL_TO_PROTECT, SIGNAL_TO_WIRE
from station.domain.broker import OrderStatus, Report, Session
from station.domain.clock import MILLISECOND, SECOND
from station.domain.errors import Fatal
from station.domain.instruments import INSTRUMENTS, Right, Timeframe, option_contract
from station.domain.orders import Action, OrderKind, OrderState, Purpose, Ticket, order_ref
from station.engine.bench.figures import Figure, figure
from station.engine.bench.station import DAY, SEED, SILENCE_S, SYMBOL, Drill, wide_settings
from station.engine.options import RunOptions
from station.engine.wired import WiredRun

SPEED: Final = 10.0
"""A station at work: at the emulator's limit the ticks of twenty sessions would stand in its way."""
FAST: Final = 20.0
"""For replaces: the exchange's own latency is simulated time."""
PATIENCE_S: Final = 120.0
START_S: Final = 150.0
"""A first start asks for more history than IBKR's limit of 60 requests in ten minutes lets through at once."""
BEAT_S: Final = 0.002
QUEUED: Final = 200
KILLS: Final = 20
ASKED: Final = 40
ROOT: Final = Path(__file__).resolve().parents[3]


def _spawn(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip


@asynccontextmanager
async def emulator(runtime: Path, speed: float) -> AsyncGenerator[int]:
    """The `emulator` verb on a free port."""
    port = _free_port()
    words = ["--port", port, "--seed", SEED, "--speed", f"{speed:g}", "--date", DAY, "--runtime", runtime]
    process = _spawn(["emulator", *map(str, words)])
    assert process.stdout is not None
    try:
        said = await asyncio.get_running_loop().run_in_executor(None, process.stdout.readline)
        if str(port) not in said:
            raise Fatal(f"bench: the emulator did not start: {said.strip()}")
        yield port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@asynccontextmanager
async def wired_drill(runtime: Path, cache: Path, port: int) -> AsyncGenerator[Drill]:
    """A station on the emulator at `port`, trading by the emulator's clock."""
    settings = wide_settings(broker__kind="ibkr", broker__port=port)
    options = RunOptions(
        runtime=runtime, broker="ibkr", speed=SPEED, port=port, broker_clock=True, cache_dir=cache
    )
    run = await WiredRun.prepare(options, settings, lambda _: None)
    session = asyncio.create_task(run.to_the_end())
    wall = WallClock()

    async def until(condition: Callable[[], bool], what: str, limit_s: float = PATIENCE_S) -> None:
        deadline = wall.perf() + round(limit_s * SECOND)
        while not condition():
            if session.done():
                raise Fatal(f"bench: the station ended before: {what} ({session.exception()})")
            if wall.perf() > deadline:
                raise Fatal(f"bench: not within {limit_s:g} s: {what}")
            await wall.sleep(BEAT_S)

    try:
        await until(lambda: run.engine.progress.phase == "trading", "the engine trades", START_S)
        drill = Drill(run.engine, until)
        await drill.prepare()
        yield drill
    finally:
        run.halt("the benchmark is over")
        await asyncio.gather(session, return_exceptions=True)


async def over_the_wire(drill: Drill, trials: int) -> list[Figure]:
    """Signal → socket and fill → socket by the engine's own watch, then kills. The broker's margin for an entry
    is asked only in the last laps: its answer takes as long as the broker takes."""
    settings, tuned = drill.engine.outside.settings, drill.rooms.tuned
    unasked = settings.execution.model_copy(update={"what_if": False})
    tuned.take(settings.model_copy(update={"execution": unasked}))
    await drill.round_trips(min(trials, 3))
    drill.forget()
    refused = await drill.round_trips(trials)
    note = f"{refused} more were refused" if refused else ""
    found = [
        figure(
            "signal published → order on the socket (wire)", "ms", drill.laps_ms(SIGNAL_TO_WIRE), 2.5, 8, note
        ),
        figure(
            "fill received → protective sell on the socket (wire)", "ms", drill.laps_ms(FILL_TO_PROTECT), 2, 8
        ),
    ]
    tuned.take(settings)
    drill.forget()
    await drill.round_trips(min(trials, ASKED))
    found.insert(1, figure("  with the broker's margin asked first", "ms", drill.laps_ms(SIGNAL_TO_WIRE)))
    found.append(await _kills(drill, min(trials, KILLS)))
    return found


async def _kills(drill: Drill, trials: int) -> Figure:
    """Kill switch → cancels on the socket, intents durable, while 200 market data requests wait their turn."""
    await drill.edit(entry_policy="mid")
    wall, laps, queued = WallClock(), list[float](), 0
    for _ in range(trials):
        trade = await drill.work_an_entry()
        waiting = await _queue_data(drill)
        queued = max(queued, len(waiting))
        began = wall.perf()
        await drill.rooms.controls.kill("bench", "measured")
        laps.append((wall.perf() - began) / MILLISECOND)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await drill.clear_up(trade)
    note = f"{queued} data requests queued, one working entry, commit included"
    return figure("kill switch → cancels on the socket (wire)", "ms", laps, 10, 50, note)


async def _queue_data(drill: Drill) -> list[asyncio.Task[Any]]:
    """Histories asked for all at once: more than a second's share of the line."""
    broker, now = drill.engine.outside.broker, drill.engine.outside.clock.now()
    asked = [
        asyncio.create_task(broker.history(INSTRUMENTS[SYMBOL], Timeframe.M1, now, 2)) for _ in range(QUEUED)
    ]
    await WallClock().sleep(0)
    return asked


# --- replaces, without an engine ----------------------------------------------------------------------


async def replaces(port: int, cache: Path, trials: int) -> Figure:
    """A protective sell modified in place through the client library, from the send to TWS's confirmation."""
    wall, calendar, clock, heard = WallClock(), load_calendar(cache), FollowingClock(FAST), _Heard()

    def client() -> IbkrBroker:
        return IbkrBroker(
            "127.0.0.1", port, 7, clock=clock, calendar=calendar, emulator_port=port,
            query_timeout_s=SILENCE_S, silence_s=SILENCE_S,
        )  # fmt: skip

    first = client()
    clock.anchor((await first.connect(heard)).venue_ns)
    await first.disconnect()
    broker = client()
    session = await broker.connect(heard)
    try:
        sell = await _resting_sell(broker, heard, session)
        laps: list[float] = []
        assert sell.limit is not None
        for number in range(trials):
            ticket = replace(sell, limit=sell.limit + (Decimal(1) if number % 2 else Decimal(0)))
            confirmed = heard.next_status(sell.order_ref)
            began = wall.perf()
            await broker.modify(ticket)
            await asyncio.wait_for(confirmed, PATIENCE_S)
            laps.append((wall.perf() - began) / MILLISECOND)
    finally:
        await broker.disconnect()
    note = f"the exchange's own latency at x{FAST:g} included"
    return figure("protective replace, send to confirmed (wire)", "ms", laps, 5, 20, note)


async def _resting_sell(broker: IbkrBroker, heard: _Heard, session: Session) -> Ticket:
    """A position of one, and a sell far above it."""
    spy, account = INSTRUMENTS[SYMBOL], session.accounts[0]
    listing = next(row for row in await broker.chain(spy) if row.trading_class == spy.option_class)
    (bar,) = (await broker.history(spy, Timeframe.M1, session.venue_ns, 1))[-1:]
    strike = min(listing.strikes, key=lambda one: abs(one - Decimal(str(bar.close))))
    (contract,) = await broker.qualify([option_contract(spy, listing.expiries[0], strike, Right.CALL)])
    buy = Ticket(
        order_ref(account, "BENCH", "E", 1), account, contract, Action.BUY, Decimal(1), OrderKind.MARKET,
        Purpose.ENTRY,
    )  # fmt: skip
    filled = heard.next_status(buy.order_ref, OrderState.FILLED)
    await broker.place([buy])
    await asyncio.wait_for(filled, PATIENCE_S)
    sell = replace(
        buy, order_ref=order_ref(account, "BENCH", "X", 1), action=Action.SELL, kind=OrderKind.LIMIT,
        purpose=Purpose.TARGET, limit=Decimal(50),
    )  # fmt: skip
    working = heard.next_status(sell.order_ref, OrderState.SUBMITTED)
    await broker.place([sell])
    await asyncio.wait_for(working, PATIENCE_S)
    return sell


class _Heard:
    """A sink that resolves a future at the next status of an order."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[OrderState | None, asyncio.Future[OrderStatus]]] = {}

    def __call__(self, report: Report) -> None:
        if not isinstance(report, OrderStatus):
            return
        state, future = self._waiting.get(report.order_ref, (None, None))
        if future is not None and not future.done() and state in (None, report.state):
            future.set_result(report)

    def next_status(self, ref: str, state: OrderState | None = None) -> asyncio.Future[OrderStatus]:
        future: asyncio.Future[OrderStatus] = asyncio.get_running_loop().create_future()
        self._waiting[ref] = (state, future)
        return future


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
