"""The `emulator` verb: the paper exchange on its virtual clock, paced to the wall, behind the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from station.brokers.paper import Fault, GeneratedTape, PaperExchange, parse_fault
from station.brokers.tws.faults import TimedFault, wire_fault
from station.brokers.tws.pacer import Pacer
from station.brokers.tws.server import EmulatorServer, strike
from station.calendars import at_et, load_calendar
from station.clock import Activity, VirtualClock
from station.domain.errors import BadInput

MAX_SPEED = 20.0
SESSION_OPEN, SESSION_END = "09:30", "16:15"


async def serve_emulator(
    port: int,
    seed: int,
    session: date,
    speed: float,
    faults: Sequence[str],
    runtime: Path,
    *,
    host: str = "127.0.0.1",
    start: str = SESSION_OPEN,
    account: str = "DU1000001",
    start_cash: Decimal = Decimal(35000),
    on_ready: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve one session at `speed` simulated seconds a wall second until it ends or `stop` is set.

    The book is `runtime/paper.db`, durable; a second run resumes it. `faults` are
    `NAME[@HH:MM:SS]` (ET), of the wire (`faults.WIRE_FAULTS` or IBKR's codes) or of the paper exchange.
    `on_ready` is called once with the port that is listening. Raises BadInput, Fatal or OSError.
    """
    if not 0 < speed <= MAX_SPEED:
        raise BadInput(f"speed {speed:g} is not above 0 and at most {MAX_SPEED:g}: clients live in real time")
    of_wire, of_venue = _sorted_faults(faults, session)
    calendar = load_calendar()
    clock = VirtualClock(at_et(session, start))
    tape = GeneratedTape(seed, session, calendar, runtime / "cache")
    exchange = PaperExchange(
        tape, runtime / "paper.db", clock=clock, activity=Activity(ordered=False), calendar=calendar,
        account=account, start_cash=start_cash, faults=of_venue,
    )  # fmt: skip
    await exchange.open()
    pacer = Pacer(clock, exchange, speed)
    server = EmulatorServer(exchange, host, port, clock, calendar=calendar, pacer=pacer)
    watcher = asyncio.create_task(_halt_on(stop, pacer)) if stop is not None else None
    try:
        ready = await server.start()
        for fault in of_wire:
            at_ns = at_et(session, fault.at) if fault.at else clock.now()
            clock.call_at(at_ns, lambda name=fault.name: strike(server, name))
        if on_ready is not None:
            on_ready(ready)
        await pacer.run(at_et(session, SESSION_END))
    finally:
        if watcher is not None:
            watcher.cancel()
        await server.stop()
        await exchange.close()


async def _halt_on(stop: asyncio.Event, pacer: Pacer) -> None:
    await stop.wait()
    pacer.halt()


def _sorted_faults(faults: Sequence[str], session: date) -> tuple[list[TimedFault], list[Fault]]:
    of_wire: list[TimedFault] = []
    of_venue: list[Fault] = []
    for text in faults:
        fault = wire_fault(text)
        if fault is not None:
            of_wire.append(fault)
        else:
            of_venue.append(parse_fault(text, session))
    return of_wire, of_venue
