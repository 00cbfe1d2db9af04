"""A paper exchange alone in lockstep, driven by a script of (instant, deed)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np

from station.brokers.paper import Fault, PaperExchange, Tape, generated_tape
from station.calendars import load_calendar
from station.clock import Activity, Lockstep, LockstepLoop, VirtualClock
from station.domain.broker import ExecutionReport, OrderNotice, OrderStatus, Report
from station.domain.clock import MILLISECOND, MINUTE, SECOND
from station.domain.errors import BrokerUnavailable
from station.domain.instruments import INSTRUMENTS, Contract, Right, option_contract
from station.domain.orders import Action, Execution, OcaType, OrderKind, OrderState, Purpose, Ticket, Tif
from station.series import Bars

DAY = date(2026, 7, 22)
ACCOUNT = "DU1000001"

Deed = Callable[["Alone"], Awaitable[None]]


@dataclass
class Alone:
    """The exchange, its clock, and everything it has reported with the instant of each report."""

    exchange: PaperExchange
    clock: VirtualClock
    reports: list[tuple[int, Report]] = field(default_factory=list)

    def sink(self, report: Report) -> None:
        self.reports.append((self.clock.now(), report))

    def of(self, kind: type, ref: str | None = None) -> list[Report]:
        found = [report for _, report in self.reports if isinstance(report, kind)]
        if ref is None:
            return found
        return [report for report in found if getattr(report, "order_ref", None) == ref]

    def executions(self, ref: str | None = None) -> list[Execution]:
        told = [r.execution for _, r in self.reports if isinstance(r, ExecutionReport)]
        return [e for e in told if ref is None or e.order_ref == ref]

    def states(self, ref: str) -> list[OrderState]:
        return [r.state for _, r in self.reports if isinstance(r, OrderStatus) and r.order_ref == ref]

    def codes(self, ref: str) -> list[int]:
        return [r.code for _, r in self.reports if isinstance(r, OrderNotice) and r.order_ref == ref]

    def digest(self) -> str:
        total = hashlib.sha256()
        for at_ns, report in self.reports:
            total.update(f"{at_ns} {report!r}\n".encode())
        return total.hexdigest()


def alone(
    runtime: Path,
    script: Sequence[tuple[float, Deed]],
    until_s: float,
    *,
    tape: Tape | None = None,
    seed: int = 7,
    start_s: float = 0.0,
    faults: Sequence[Fault] = (),
    start_cash: Decimal = Decimal(1_000_000),
    probe: Callable[[str], None] | None = None,
    connect: bool = True,
    resume_at_least_ns: int = 0,
    away_s: float = 0.0,
    book: str = "paper.db",
) -> Alone:
    """Run from `start_s` to `until_s` seconds after the open; the exchange is closed on return."""
    playing = tape or generated_tape(seed, DAY, load_calendar(), None)

    async def main(loop: LockstepLoop) -> Alone:
        clock = VirtualClock(playing.open_ns + round(start_s * SECOND))
        exchange = PaperExchange(
            playing, runtime / book, clock=clock, activity=loop.activity, calendar=load_calendar(),
            faults=faults, start_cash=start_cash, probe=probe, resume_at_least_ns=resume_at_least_ns,
        )  # fmt: skip
        await exchange.open(away_s)
        run = Alone(exchange, clock)
        try:
            if connect:
                await exchange.connect(run.sink)
            tasks = [asyncio.ensure_future(_later(run, playing.open_ns, at_s, deed)) for at_s, deed in script]
            await Lockstep(clock, exchange).run(playing.open_ns + round(until_s * SECOND))
            for task in tasks:
                if task.done():
                    task.result()
                else:
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await exchange.close()
        return run

    with asyncio.Runner(loop_factory=LockstepLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, LockstepLoop)
        return runner.run(main(loop))


async def _later(run: Alone, open_ns: int, at_s: float, deed: Deed) -> None:
    at_ns = open_ns + round(at_s * SECOND)
    if at_ns < run.clock.now():
        return
    await run.clock.sleep_until(at_ns)
    await deed(run)


def option(symbol: str, strike: Decimal | int, right: Right, expiry: str = f"{DAY:%Y%m%d}") -> Contract:
    return option_contract(INSTRUMENTS[symbol], expiry, Decimal(strike), right)


def ticket(ref: str, contract: Contract, action: Action, qty: int | str = 1, **more: object) -> Ticket:
    """A market order unless `limit` or `stop` is given."""
    limit, stop = more.pop("limit", None), more.pop("stop", None)
    kinds = {
        (False, False): OrderKind.MARKET, (True, False): OrderKind.LIMIT,
        (False, True): OrderKind.STOP, (True, True): OrderKind.STOP_LIMIT,
    }  # fmt: skip
    kind = more.pop("kind", kinds[limit is not None, stop is not None])
    purpose = more.pop("purpose", Purpose.ENTRY if action is Action.BUY else Purpose.CLOSE)
    stated = (("limit", limit), ("stop", stop))
    price = {name: Decimal(str(value)) for name, value in stated if value is not None}
    return Ticket(
        ref, str(more.pop("account", ACCOUNT)), contract, action, Decimal(qty), kind, purpose, **price, **more
    )  # type: ignore[arg-type]


def at_the_money(tape: Tape, symbol: str, at_s: float = 0.0) -> Decimal:
    """The listed strike nearest to the underlying's price then."""
    prints = tape.ticks(symbol)
    row = int(prints.at_ns.searchsorted(tape.open_ns + round(at_s * SECOND), side="right")) - 1
    step = INSTRUMENTS[symbol].strike_step
    return (Decimal(repr(float(prints.price[max(row, 0)]))) / step).to_integral_value() * step


__all__ = [
    "ACCOUNT", "DAY", "MILLISECOND", "SECOND", "Action", "Activity", "Alone", "BrokerUnavailable", "Deed",
    "OcaType", "OrderKind", "OrderState", "Purpose", "Right", "Tif", "alone", "at_the_money", "option",
    "ticket",
]  # fmt: skip


def place(*tickets: Ticket) -> Deed:
    async def deed(run: Alone) -> None:
        await run.exchange.place(tickets)

    return deed


def modify(changed: Ticket) -> Deed:
    async def deed(run: Alone) -> None:
        await run.exchange.modify(changed)

    return deed


def cancel(ref: str) -> Deed:
    async def deed(run: Alone) -> None:
        await run.exchange.cancel(ref)

    return deed


def minutes_of(tape: Tape, symbol: str) -> Bars:
    """The bars that a station would build from the ticks."""
    ticks = tape.ticks(symbol)
    start = ticks.at_ns // MINUTE * MINUTE
    first = np.flatnonzero(np.concatenate(([True], start[1:] != start[:-1])))
    last = np.append(first[1:], len(start)) - 1
    return Bars(
        start[first], ticks.price[first], np.maximum.reduceat(ticks.price, first),
        np.minimum.reduceat(ticks.price, first), ticks.price[last], np.add.reduceat(ticks.size, first),
    )  # fmt: skip
