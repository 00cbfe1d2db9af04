"""A session over Interactive Brokers, or over the wire emulator: host time, an engine and a door."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, Final

from config.settings import Settings
from station.brokers.ibkr import IbkrBroker
from station.calendars import Calendar, at_et, load_calendar
from station.clock import Activity, FollowingClock, WallClock
from station.domain.broker import Report
from station.domain.clock import SECOND, Clock
from station.domain.errors import BadInput, Fatal
from station.domain.instruments import INSTRUMENTS, Hours
from station.engine.desired import validate
from station.engine.doors import Doors
from station.engine.engine import Engine
from station.engine.faults import probe_from_environment
from station.engine.lease import Lease, account_lock
from station.engine.logs import open_log
from station.engine.options import RunOptions, Say
from station.engine.profiles import prepare_home
from station.engine.rooms import Outside
from station.engine.summary import RunFacts, summarise
from station.engine.tuning import pinned, with_stored
from station.store import Stores, open_stores, verify

AFTER_CLOSE_S: Final = 60
TWS_PORTS: Final = (7496, 7497, 4001, 4002)


class WiredRun:
    """Prepared by `prepare`, driven by `to_the_end`; `halt` stops it now."""

    def __init__(
        self, engine: Engine, clock: Clock, until_ns: int, options: RunOptions, lease: Lease, doors: Doors,
        stores: Stores,
    ) -> None:  # fmt: skip
        self.engine = engine
        self._clock = clock
        self._until_ns = until_ns
        self._options = options
        self._lease = lease
        self._doors = doors
        self._stores = stores
        self._halted = asyncio.Event()
        self._why = "the session is over"
        self._broken: Fatal | None = None
        engine.on_fatal = self._fatal

    @classmethod
    async def prepare(cls, options: RunOptions, settings: Settings, say: Say) -> WiredRun:
        """Check everything, take the lease, open the books; the broker is connected by the engine's start."""
        runtime = options.runtime
        prepare_home(runtime)
        account = settings.broker.account or settings.paper.account
        lease = Lease(runtime, account_lock(_account_name(options, settings)))
        lease.acquire(account)
        try:
            calendar = load_calendar(options.cache)
            clock = await _clock(options, settings, calendar)
            stores = await open_stores(
                runtime, clock=clock, activity=Activity(ordered=False), probe=probe_from_environment(),
                account=account, environment=settings.station.environment, validate=validate,
            )  # fmt: skip
        except BaseException:
            lease.release()
            raise
        base, held = settings, pinned({})
        try:
            settings = await with_stored(stores.config, base, held)
        except BaseException:
            await stores.close()
            lease.release()
            raise
        span = calendar.last_opened(Hours.REGULAR, clock.now())
        if clock.now() >= span.close_ns + AFTER_CLOSE_S * SECOND:
            span = calendar.next_after(Hours.REGULAR, clock.now())
        broker = _broker(options, settings, clock, calendar, await _next_order_id(stores))
        outside = Outside(
            settings, runtime, clock, calendar, stores, broker, probe_from_environment(), tuple(INSTRUMENTS),
            base=base, pinned=held,
        )  # fmt: skip
        engine = Engine(outside, span, say)
        doors = Doors(engine, _pace(clock), open_log(runtime, clock, settings.station.log_level))
        until_ns = at_et(span.day, options.until) if options.until else span.close_ns + AFTER_CLOSE_S * SECOND
        return cls(engine, clock, until_ns, options, lease, doors, stores)

    def halt(self, why: str) -> None:
        self._why = why
        self._halted.set()

    def _fatal(self, error: Fatal) -> None:
        """What the station must not go on with: stop in order, with that one line."""
        if self._broken is None:
            self._broken = error
            self.halt(str(error))

    async def to_the_end(self) -> dict[str, Any]:
        """Open the door, trade until the session is over or told to stop, close, verify, sum up."""
        began, zero_ns = self._clock.perf(), self._clock.now()
        await self._doors.open(self.halt)
        start = asyncio.create_task(self._started())
        end = self._clock.call_at(self._until_ns, self._halted.set)
        try:
            await self._wait(start)
            document = await self._summary(began, zero_ns, start)
        finally:
            end.cancel()
            start.cancel()
            await self._doors.close(self._why)
            await self.engine.stop(self._why)
            await self._stores.close()
            self._lease.release()
        violations = sum(len(check.violations) for check in verify(self._options.runtime).checks)
        return document | {"violations": violations}

    async def _wait(self, start: asyncio.Task[None]) -> None:
        halted = asyncio.create_task(self._halted.wait())
        await asyncio.wait({halted, start}, return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            await start
            await halted
        halted.cancel()
        if self._broken is not None:
            raise self._broken

    async def _started(self) -> None:
        await self.engine.start()
        gc.collect()
        gc.freeze()

    async def _summary(self, began: int, zero_ns: int, start: asyncio.Task[None]) -> dict[str, Any]:
        if not start.done():
            raise BadInput(f"stopped while {self.engine.progress.phase}: no session to sum up")
        await self.engine.rooms.money.refresh()
        wall_s = (self._clock.perf() - began) / SECOND
        sim_s = (self._clock.now() - zero_ns) / SECOND
        facts = RunFacts("ibkr", None, self.engine.session.day.isoformat(), wall_s, sim_s, 0, {})
        return await summarise(self.engine, facts)


def _account_name(options: RunOptions, settings: Settings) -> str:
    """What tells one account from another on this host: its number at IBKR, whichever TWS leads there;
    elsewhere, or where none is named, the door it is reached by."""
    account, port = settings.broker.account, settings.port
    return account if account and port in TWS_PORTS else f"{account}@{options.host}:{port}"


def _broker(
    options: RunOptions, settings: Settings, clock: Clock, calendar: Calendar, first_order_id: int = 1
) -> IbkrBroker:
    port = settings.port
    return IbkrBroker(
        options.host, port, settings.broker.client_id, clock=clock, calendar=calendar,
        first_order_id=first_order_id, account=settings.broker.account or None,
        environment=settings.station.environment,
        emulator_port=port if options.broker_clock and port not in TWS_PORTS else None,
        query_timeout_s=float(settings.broker.query_timeout_s),
        connect_timeout_s=float(settings.broker.connect_timeout_s),
        silence_s=float(settings.broker.heartbeat_timeout_s),
    )  # fmt: skip


async def _next_order_id(stores: Stores) -> int:
    """One above every order id ever stored (FAULTS 28)."""
    return 1 + await stores.lifecycle.last_broker_id()


async def _clock(options: RunOptions, settings: Settings, calendar: Calendar) -> Clock:
    """Host time, or with `--clock broker` the broker's own, asked for once before anything is opened."""
    if not options.broker_clock:
        return WallClock()
    clock = FollowingClock(options.speed or 1.0)
    broker = _broker(options, settings, clock, calendar)
    session = await broker.connect(_nobody)
    clock.anchor(session.venue_ns)
    await broker.disconnect()
    return clock


def _nobody(_: Report) -> None:
    return None


def _pace(clock: Clock) -> str:
    return f"sim ×{clock.speed:g}" if isinstance(clock, FollowingClock) else ""
