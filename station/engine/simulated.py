"""A session on the paper exchange or over recorded bars: one virtual clock, lockstep, an engine and a door."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from config.settings import Settings
from station.brokers.paper.exchange import PaperExchange
from station.brokers.paper.faults import Fault, rare_halts
from station.brokers.paper.generated import generated_tape
from station.brokers.paper.tape import Tape
from station.brokers.replay import RecordedTape, SessionTape
from station.calendars import Calendar, SessionSpan, at_et, et_date, et_text, load_calendar
from station.clock import Activity, Lockstep, LockstepLoop, VirtualClock, WallClock
from station.domain.clock import SECOND
from station.domain.errors import BadInput, Fatal
from station.domain.instruments import INSTRUMENTS, Hours, SecType
from station.engine.desired import validate
from station.engine.doors import Doors
from station.engine.engine import Engine
from station.engine.faults import Probe, probe_from_environment
from station.engine.lease import Lease
from station.engine.logs import open_log
from station.engine.options import RunOptions, Say
from station.engine.profiles import prepare_home
from station.engine.recorded import Recorded, read_recorded
from station.engine.rooms import Outside
from station.engine.summary import RunFacts, summarise
from station.engine.tuning import pinned, with_stored
from station.link import LocalLink
from station.store import Stores, open_stores, verify

AFTER_CLOSE_S: Final = 60


def default_day(calendar: Calendar, now_ns: int) -> date:
    """The latest exchange day that has come."""
    return calendar.last_opened(Hours.REGULAR, now_ns).day


class SimulatedRun:
    """Prepared by `prepare`, driven by `to_the_end`; `halt` stops it at the present instant."""

    def __init__(
        self, *, engine: Engine, exchange: PaperExchange, clock: VirtualClock, until_ns: int,
        options: RunOptions, speed: float, seed: int | None, dirt: Mapping[str, int], lease: Lease,
        doors: Doors, stores: Stores,
    ) -> None:  # fmt: skip
        self.engine = engine
        self.exchange = exchange
        self._clock = clock
        self._until_ns = until_ns
        self._options = options
        self._seed = seed
        self._dirt = dirt
        self._lease = lease
        self._doors = doors
        self._stores = stores
        self._wall = WallClock()
        self.lockstep = Lockstep(clock, exchange, speed or None)
        self._why = "the session is over"
        self._start: asyncio.Task[None] | None = None
        self._broken: Fatal | None = None
        engine.on_fatal = self._fatal

    @classmethod
    async def prepare(
        cls, options: RunOptions, settings: Settings, say: Say, probe: Probe | None = None
    ) -> SimulatedRun:
        """Check everything, take the lease, open the books. Raises BadInput or Fatal with nothing begun."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LockstepLoop)
        runtime = options.runtime
        recorded = read_recorded(options, settings)
        prepare_home(runtime)
        lease = Lease(runtime)
        lease.acquire(settings.paper.account)
        calendar = load_calendar(options.cache)
        clock = VirtualClock(0)
        probe = probe or probe_from_environment()
        stores = await open_stores(
            runtime, clock=clock, activity=loop.activity, probe=probe, account=settings.paper.account,
            environment=settings.station.environment, validate=validate,
        )  # fmt: skip
        base, held = settings, pinned({"paper.seed": options.seed, "paper.speed": options.speed})
        try:
            settings = await with_stored(stores.config, base, held)
            exchange, tape, until_ns = await _venue(
                options, settings, recorded, stores, calendar=calendar, clock=clock, activity=loop.activity,
                probe=probe,
            )  # fmt: skip
        except BaseException:
            await stores.close()
            lease.release()
            raise
        outside = Outside(
            settings, runtime, clock, calendar, stores, exchange, probe,
            tuple(symbol for symbol in INSTRUMENTS if symbol in tape.symbols), loop.activity,
            base, held,
        )  # fmt: skip
        log = open_log(runtime, clock, settings.station.log_level)
        engine = Engine(outside, _session_of(tape, calendar), say)
        speed = settings.paper.speed if options.speed is None else options.speed
        pace = f"sim ×{speed:g}" if speed else "sim max"
        doors = Doors(engine, pace, log)
        return cls(
            engine=engine, exchange=exchange, clock=clock, until_ns=until_ns, options=options, speed=speed,
            seed=None if recorded else settings.paper.seed, dirt=recorded.dirt if recorded else {}, lease=lease,
            doors=doors, stores=stores,
        )  # fmt: skip

    def halt(self, why: str) -> None:
        """Stop at the present instant; safe from a signal handler on the loop, and repeatable."""
        self._why = why
        self.lockstep.halt()

    def _fatal(self, error: Fatal) -> None:
        """What the station must not go on with: stop in order, and let `advance` raise it."""
        if self._broken is None:
            self._broken = error
            self.halt(str(error))

    def local_link(self) -> LocalLink:
        """A link to this very process, for a screen beside the engine."""
        return LocalLink(
            self._doors.handle, self._doors.view.floor, clock=self._wall, answer=self._doors.panes.answer
        )  # fmt: skip

    async def to_the_end(self) -> dict[str, Any]:
        """Open the door, run the session, close everything, verify, and answer the summary document."""
        began, sim_zero = self._wall.perf(), self._clock.now()
        await self.open()
        try:
            await self.advance(self._until_ns)
            await self._finish_start()
            document = await self._summary(began, (self._clock.now() - sim_zero) / SECOND)
        finally:
            await self.close()
        report = verify(self._options.runtime)
        violations = sum(len(check.violations) for check in report.checks)
        return document | {"violations": violations}

    async def open(self) -> None:
        """Open the door and begin the engine's start; `advance` lets it happen."""
        await self._doors.open(self.halt)
        self._start = asyncio.create_task(self._started(), name="start")

    async def advance(self, until_ns: int) -> None:
        """Let simulated time pass up to `until_ns`. Raises what the engine's start raised, and the Fatal
        that ended the session."""
        await self.lockstep.run(until_ns)
        if self._start is not None and self._start.done():
            await self._start
        if self._broken is not None:
            raise self._broken

    async def _finish_start(self) -> None:
        if self._start is not None and not self._start.done():
            self._start.cancel()
            raise BadInput(f"stopped while {self.engine.progress.phase}: no session to sum up")

    async def close(self) -> None:
        """Everything down in order; the books stay consistent whenever this is called."""
        if self._start is not None and not self._start.done():
            self._start.cancel()
        await self._doors.close(self._why)
        await self._let_pass(asyncio.create_task(self.engine.stop(self._why), name="stop"))
        await self._let_pass(asyncio.create_task(self.exchange.close(), name="close the exchange"))
        await self._let_pass(asyncio.create_task(self._stores.close(), name="close the stores"))
        self._lease.release()

    async def _let_pass(self, work: asyncio.Task[None]) -> None:
        """Let simulated time pass for `work`: a database that is locked is waited for by the clock, which
        nobody else moves any more."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LockstepLoop)
        while not work.done():
            await loop.idle()
            at_ns = self._clock.next_timer
            if work.done() or at_ns is None:
                break
            self._clock.move_to(max(at_ns, self._clock.now()))
            self._clock.fire_due()
        await work

    async def _started(self) -> None:
        try:
            await self.engine.start()
        except BaseException:
            self.lockstep.halt()
            raise
        gc.collect()
        gc.freeze()

    async def _summary(self, began_perf: int, sim_s: float) -> dict[str, Any]:
        await self.engine.rooms.money.refresh()
        wall_s = (self._wall.perf() - began_perf) / SECOND
        kind = self.engine.outside.settings.broker.kind
        facts = RunFacts(
            kind, self._seed, self.engine.session.day.isoformat(), wall_s, sim_s, self.lockstep.instants,
            self._dirt,
        )  # fmt: skip
        return await summarise(self.engine, facts)


async def _venue(
    options: RunOptions, settings: Settings, recorded: Recorded | None, stores: Stores, *, calendar: Calendar,
    clock: VirtualClock, activity: Activity, probe: Probe | None,
) -> tuple[PaperExchange, Tape, int]:  # fmt: skip
    """The exchange, open, and the clock at its instant; its tape, and the end of the run."""
    # Time goes on from the newest instant on the station's own books, never from before it.
    last_ns = await stores.lifecycle.newest_ns()
    day = options.day or await _next_day(stores, calendar, recorded, last_ns)
    tape = _tape(recorded, settings.paper.seed, day, calendar, options)
    start_ns, until_ns = _span(options, calendar, tape, last_ns)
    clock.move_to(start_ns)
    exchange = PaperExchange(
        tape, options.runtime / "paper.db", clock=clock, activity=activity, calendar=calendar,
        account=settings.paper.account, start_cash=settings.paper.start_cash_usd, probe=probe,
        resume_at_least_ns=start_ns, faults=(*options.faults, *_halts(recorded, settings, day)),
    )  # fmt: skip
    await exchange.open(options.away_s if last_ns else 0)
    clock.move_to(max(clock.now(), exchange.instant_ns))
    return exchange, tape, until_ns


def _session_of(tape: Tape, calendar: Calendar) -> SessionSpan:
    day = tape.session
    return SessionSpan(day, tape.open_ns, tape.close_ns, _is_early(calendar, day))


def _tape(recorded: Recorded | None, seed: int, day: date, calendar: Calendar, options: RunOptions) -> Tape:
    if recorded is not None:
        if recorded.session is not None:
            if day != recorded.session.day:
                raise BadInput(f"the recording is of {recorded.session.day}: leave --date {day} out")
            return SessionTape(recorded.session, calendar)
        return RecordedTape(recorded.bars, day, calendar)
    return generated_tape(seed, day, calendar, options.cache)


def _halts(recorded: Recorded | None, settings: Settings, day: date) -> tuple[Fault, ...]:
    """The seeded market's own; a recorded day had the halts it had."""
    chance = float(settings.paper.rare_halts_pct) / 100
    if recorded is not None or not chance:
        return ()
    shares = [one.symbol for one in INSTRUMENTS.values() if one.sec_type is SecType.STOCK]
    return rare_halts(settings.paper.seed, day, shares, chance)


async def _next_day(stores: Stores, calendar: Calendar, recorded: Recorded | None, last_ns: int) -> date:
    """The session to run where none was named: the unfinished one, else the next, else the latest."""
    if recorded is not None and recorded.session is not None:
        return recorded.session.day
    if recorded is not None:
        newest = max(int(bars.start_ns[-1]) for bars in recorded.bars.values() if len(bars))
        return et_date(newest)
    if not last_ns:
        return default_day(calendar, WallClock().now())
    span = calendar.last_opened(Hours.REGULAR, last_ns)
    if last_ns < span.close_ns + AFTER_CLOSE_S * SECOND:
        return span.day
    return calendar.next_after(Hours.REGULAR, last_ns).day


def _span(options: RunOptions, calendar: Calendar, tape: Tape, last_ns: int) -> tuple[int, int]:
    """Start and end, UTC ns. A resumed session goes on from the newest instant on the books."""
    day = tape.session
    first_ns, end_ns = tape.open_ns, tape.close_ns + AFTER_CLOSE_S * SECOND
    if isinstance(tape, SessionTape):
        first_ns = tape.first_ns
        end_ns = min(tape.last_ns + AFTER_CLOSE_S * SECOND, end_ns)
    start_ns = at_et(day, options.start) if options.start else first_ns
    until_ns = at_et(day, options.until) if options.until else end_ns
    if last_ns >= until_ns:
        done = et_date(last_ns)
        raise BadInput(
            f"this runtime directory has already lived through {done}; {day} ends before that: "
            "give a later --date or another --runtime"
        )
    if until_ns <= start_ns:
        if options.until:
            raise BadInput(f"--until {options.until} is not after the start: give a later time")
        raise BadInput(
            f"--start {options.start} is not before {et_text(until_ns)}, the end of {day}: give an earlier one"
        )
    del calendar
    return max(start_ns, last_ns), until_ns


def _is_early(calendar: Calendar, day: date) -> bool:
    span = calendar.on(Hours.REGULAR, day)
    return span is not None and span.early


__all__ = ["SimulatedRun", "default_day"]
