"""The protection worker: its own task, woken by fills, order events, telling quotes and its own timers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from station.calendars import Calendar, SessionSpan
from station.domain.clock import SECOND, Clock, Timer
from station.domain.instruments import Contract, Hours, SecType
from station.domain.market import Quote
from station.protection.decide import Triggers, decide, next_look, triggers
from station.protection.directives import Directive, Holding, Memory, ProtectionSettings

_SWEEP_S: Final = 30
_SWEEP: Final = "sweep"


class ExitPort(Protocol):
    """Who holds the trades and carries directives out; the desk implements it."""

    def holdings(self) -> Sequence[Holding]:
        """Every trade with an open quantity, a working exit, or an entry that may still fill."""
        ...

    def holding(self, trade_id: str) -> Holding | None:
        """One of them as it is now; None once there is nothing left to protect."""
        ...

    async def carry_out(self, trade_id: str, directive: Directive) -> None:
        """Commit the intent, then do it. Returns when it is on the wire; raising means it may be retried."""
        ...


@dataclass(slots=True)
class _Ward:
    """One trade under protection. `task` while it is being looked at; `faults` failures in a row."""

    trade_id: str
    memory: Memory = field(default_factory=Memory)
    triggers: Triggers = field(default_factory=Triggers)
    look_ns: int | None = None
    dirty: bool = True
    gone: bool = False
    faults: int = 0
    task: asyncio.Task[None] | None = None


class ProtectionWorker:
    """Watches every holding and asks the port for what the rules demand.

    Looks at one trade are serial, looks at different trades overlap, in order of trade id. An exception in
    one trade's look is counted, reported to `on_fault(trade_id, error)` and retried; the worker lives on.
    """

    def __init__(
        self,
        port: ExitPort,
        clock: Clock,
        calendar: Calendar,
        settings: ProtectionSettings,
        on_fault: Callable[[str, BaseException], None],
    ) -> None:
        self._port = port
        self._clock = clock
        self._calendar = calendar
        self._settings = settings
        self._on_fault = on_fault
        self._wards: dict[str, _Ward] = {}
        self._wake = asyncio.Event()
        self._timer: Timer | None = None
        self._timer_ns = 0
        self._sweep_ns = 0
        self._sweeping: asyncio.Task[None] | None = None
        self._stopping = False
        self.faults = 0
        self.looks = 0

    def configure(self, settings: ProtectionSettings) -> None:
        """New numbers, in force at once for every holding."""
        self._settings = settings
        for ward in self._wards.values():
            ward.dirty = True
        self._wake.set()

    def notify(self, trade_id: str) -> None:
        """Something happened to this trade: a fill, an order event, a halt, the kill switch."""
        self._ward(trade_id).dirty = True
        self._wake.set()

    def notify_all(self) -> None:
        """Something happened to all of them: the link is back, the kill switch was thrown."""
        self._sweep_ns = 0
        for ward in self._wards.values():
            ward.dirty = True
        self._wake.set()

    def quote_moved(self, trade_id: str, quote: Quote | None = None) -> None:
        """A quote of a held contract came in. Wakes the worker only where a rule may now speak."""
        ward = self._wards.get(trade_id)
        if ward is None or ward.dirty:
            return
        if quote is None:
            holding = self._port.holding(trade_id)
            quote = holding.quote if holding is not None else None
        if quote is not None and quote.crossed:
            return
        if ward.triggers.pulled_by(quote.bid if quote is not None else None):
            ward.dirty = True
            self._wake.set()

    def memory_of(self, trade_id: str) -> Memory:
        """What is remembered of a trade; nothing yet of one that is not held."""
        ward = self._wards.get(trade_id)
        return ward.memory if ward is not None else Memory()

    async def run(self) -> None:
        """Protect until cancelled; may be run again."""
        self._stopping = False
        self._sweep_ns = 0
        self._wake.set()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._start_due()
                self._arm()
        finally:
            await self._stop()

    def _ward(self, trade_id: str) -> _Ward:
        ward = self._wards.get(trade_id)
        if ward is None:
            ward = self._wards[trade_id] = _Ward(trade_id)
        return ward

    def _start_due(self) -> None:
        now_ns = self._clock.now()
        if now_ns >= self._sweep_ns and self._sweeping is None:
            self._sweep_ns = now_ns + _SWEEP_S * SECOND
            self._sweeping = asyncio.create_task(self._sweep(), name="protection sweep")
            self._sweeping.add_done_callback(self._swept)
        for trade_id in sorted(self._wards):
            ward = self._wards[trade_id]
            if ward.task is not None or not (ward.dirty or _is_due(ward, now_ns)):
                continue
            ward.task = asyncio.create_task(self._look(ward), name=f"protect {trade_id}")
            ward.task.add_done_callback(lambda task, ward=ward: self._looked(ward, task))

    async def _sweep(self) -> None:
        for holding in self._port.holdings():
            if holding.trade.id not in self._wards:
                self.notify(holding.trade.id)

    def _swept(self, task: asyncio.Task[None]) -> None:
        self._sweeping = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self.faults += 1
            self._on_fault(_SWEEP, error)

    async def _look(self, ward: _Ward) -> None:
        ward.dirty = True
        while ward.dirty:
            ward.dirty = False
            holding = self._port.holding(ward.trade_id)
            if holding is None:
                ward.gone = True
                return
            self.looks += 1
            raised = ward.memory.raised
            session = session_of(holding.trade.contract, self._clock.now(), self._calendar)
            directives, ward.memory = decide(holding, self._clock.now(), session, self._settings, ward.memory)
            for directive in directives:
                try:
                    await self._port.carry_out(ward.trade_id, directive)
                except BaseException:
                    ward.memory = replace(ward.memory, raised=raised)
                    raise
            if directives:
                holding = self._port.holding(ward.trade_id) or holding
            self._plan(ward, holding)
        ward.faults = 0

    def _plan(self, ward: _Ward, holding: Holding) -> None:
        now_ns = self._clock.now()
        session = session_of(holding.trade.contract, now_ns, self._calendar)
        known = (holding, now_ns, session, self._settings, ward.memory)
        ward.triggers = triggers(*known)
        ward.look_ns = next_look(*known)
        if session is None and holding.trade.open_qty != 0:
            opens_ns = self._calendar.next_after(_hours(holding.trade.contract), now_ns).open_ns
            ward.look_ns = min(ward.look_ns or opens_ns, opens_ns)

    def _looked(self, ward: _Ward, task: asyncio.Task[None]) -> None:
        ward.task = None
        if self._stopping:
            return
        error = asyncio.CancelledError("a look was cancelled") if task.cancelled() else task.exception()
        if error is not None:
            self.faults += 1
            pause_s = min(self._settings.retry_s * 2 ** min(ward.faults, 5), self._settings.slow_poll_s)
            ward.faults += 1
            ward.look_ns = self._clock.now() + pause_s * SECOND
        elif ward.gone and not ward.dirty:
            del self._wards[ward.trade_id]
        ward.gone = False
        self._wake.set()
        if error is not None:
            self._on_fault(ward.trade_id, error)

    def _arm(self) -> None:
        looks = [w.look_ns for w in self._wards.values() if w.task is None and w.look_ns is not None]
        at_ns = min([*looks, self._sweep_ns])
        if self._timer is not None:
            if self._timer_ns == at_ns:
                return
            self._timer.cancel()
        self._timer_ns = at_ns
        self._timer = self._clock.call_at(at_ns, self._rang)

    def _rang(self) -> None:
        self._timer = None
        self._wake.set()

    async def _stop(self) -> None:
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tasks = [ward.task for ward in self._wards.values() if ward.task is not None]
        if self._sweeping is not None:
            tasks.append(self._sweeping)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _is_due(ward: _Ward, now_ns: int) -> bool:
    return ward.look_ns is not None and ward.look_ns <= now_ns


def session_of(contract: Contract | None, now_ns: int, calendar: Calendar) -> SessionSpan | None:
    """The contract's session. A future's ends for us with the regular one, when the station's day does; what is
    held beyond that is overdue."""
    span = calendar.at(_hours(contract), now_ns)
    if span is None or not _is_future(contract):
        return span
    regular = calendar.on(Hours.REGULAR, span.day)
    if regular is None:
        return span
    if now_ns < regular.close_ns:
        return replace(span, close_ns=regular.close_ns)
    return replace(span, open_ns=regular.close_ns)


def _hours(contract: Contract | None) -> Hours:
    """Options, indices and stocks trade in regular hours; a future in its own session (SPEC §1)."""
    return Hours.FUTURES if _is_future(contract) else Hours.REGULAR


def _is_future(contract: Contract | None) -> bool:
    return contract is not None and contract.sec_type is SecType.FUTURE
