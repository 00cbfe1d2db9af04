"""The engine: starts, recovers, runs a session and stops. Recovery is the start; there is no other path."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Final

from station.brokers.replay import Recorder
from station.calendars import SessionSpan
from station.desk.preparation import Identity
from station.domain.broker import LinkReport, Session, Sink
from station.domain.clock import DAY
from station.domain.errors import BrokerUnavailable, Fatal, Refused, StorageUnavailable, VigilError
from station.domain.events import Alerted, HandlerFailed, KillChanged, Recorded, SessionMarked
from station.domain.instruments import Contract, Hours
from station.domain.ports import Changes, Snapshot
from station.domain.specs import Desired
from station.engine import killfile
from station.engine.alerts import TOLD
from station.engine.arrivals import Arrivals
from station.engine.day_end import DONE, SUMMED, DayEnd, due_at
from station.engine.desired import DesiredCache
from station.engine.jobs import Job, JobRunner
from station.engine.joining import build_rooms
from station.engine.killfile import KillFile
from station.engine.photographer import Photographer
from station.engine.rooms import Hooks, Outside, Rooms
from station.engine.snapshots import SnapshotKeeper
from station.engine.supervisor import Supervisor, TaskRecord
from station.engine.tuning import SettingsDesk
from station.engine.upkeep import Upkeep
from station.market import MarketWatch

CONNECT_RETRY_S: Final = 2.0
LOOK_BACK_DAYS: Final = 9
"""Five sessions and a long weekend: what the pattern-day-trader rule looks back on."""


def _unheard(_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the start has got to, for screens and verbs."""

    phase: str = "starting"
    detail: str = ""


class Engine:
    """One session of one account. `start` returns when trading may begin; tasks then run until `stop`."""

    def __init__(self, outside: Outside, session: SessionSpan, say: Callable[[str], None]) -> None:
        self.outside = outside
        self.session = session
        self.progress = Progress()
        self._say = say
        self._soon: set[asyncio.Task[None]] = set()
        self._account = outside.settings.paper.account
        self._resumed = False
        self._loaded = False
        self._parked: tuple[str, bool] | None = None
        self._thrown = asyncio.Event()
        self.recalled: tuple[Recorded, ...] = ()
        """What earlier processes told this day, newest first."""
        self.on_fatal: Callable[[Fatal], None] = _unheard
        self.on_event: Callable[[Recorded], None] = _unheard
        self.link: Session | None = None
        self.recorder: Recorder | None = None
        self.arrivals = Arrivals(outside.clock)
        self.desired = DesiredCache(outside.stores.config, self._reconfigured, self._plans)
        self.settings = SettingsDesk(
            outside.stores.config, outside.base or outside.settings, outside.settings, outside.pinned,
            lambda settings: self.rooms.tuned.take(settings),
        )  # fmt: skip
        self.jobs: JobRunner | None = None
        self.day_end: DayEnd | None = None
        self.photographer: Photographer | None = None
        self.rooms: Rooms
        self.upkeep: Upkeep
        self.supervisor: Supervisor

    # --- start --------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load, connect, protect, reconcile, warm, resume, trade. Raises Fatal where it must not go on."""
        await self.desired.seed()
        self.supervisor = Supervisor(
            self.outside.clock, self._fault, self._critical, self._chronic, lambda error: self.on_fatal(error)
        )
        self.rooms = build_rooms(self.outside, self._hooks())
        self.upkeep = Upkeep(self.outside, self.rooms, lambda: self.desired.value, self.session)
        self.rooms.ledger.listeners.append(lambda item: self.on_event(item))
        self.recorder = self._recorder()
        snapshot = await self._load()
        await self._connect()
        await self._begin_tasks()
        await self._reconcile_first()
        await self._warm()
        await self._open_session(snapshot)
        await KillFile(self.outside.runtime, self.outside.clock, self.kill_standing, self.kill_by_file).obey()
        self._trade(snapshot)
        self.progress = Progress("trading")

    def _recorder(self) -> Recorder | None:
        """What writes the session down, where it is to be."""
        outside, rooms = self.outside, self.rooms
        mode = outside.settings.market.record
        if mode == "off":
            return None
        recorder = Recorder(
            outside.runtime, self.session.day, outside.broker.name, outside.clock, outside.activity,
            whole=mode == "all", on_end=lambda why: self.soon(rooms.desk.alert("warning", why, "")),
        )  # fmt: skip
        rooms.market.on_history = recorder.note_history
        return recorder

    def _sink(self) -> Sink:
        heard = self.arrivals.tee(self.rooms.desk.on_report)
        return self.recorder.tee(heard) if self.recorder is not None else heard

    async def _load(self) -> Snapshot:
        self.progress = Progress("loading")
        since = self.session.open_ns - LOOK_BACK_DAYS * DAY
        snapshot = await self.outside.stores.lifecycle.load(since)
        rooms = self.rooms
        rooms.ledger.restore(snapshot)
        rooms.controls.restore(snapshot.controls)
        rooms.scanners.restore(snapshot.scanner_marks)
        lifecycle, day_start = self.outside.stores.lifecycle, self.day_start()
        rooms.bars.recall(await lifecycle.signals(day_start))
        told = await lifecycle.latest(day_start, [event.type for event in TOLD])
        self.recalled = tuple(one.recorded for one in told)
        rooms.way.adopt_signals(snapshot.signals)
        self._resumed = snapshot.last_ns > 0
        spooled = await rooms.ledger.recover_spool()
        if spooled.controls:
            rooms.controls.restore({**snapshot.controls, **spooled.controls})
        if any(isinstance(item.event, KillChanged) for item in spooled.events):
            await rooms.controls.resume_kill()
        self._loaded = True
        if self._parked is not None:
            by, flatten = self._parked
            await rooms.controls.kill(by, "kill switch, thrown during the start", flatten=flatten)
            self._thrown.set()
        return snapshot

    async def _connect(self) -> None:
        self.progress = Progress("connecting", self.outside.broker.name)
        while True:
            try:
                self.link = await self.outside.broker.connect(self._sink())
                break
            except BrokerUnavailable as error:
                self._say(f"broker: {error}; trying again")
                await self.outside.clock.sleep(CONNECT_RETRY_S)
        self._account = self.link.accounts[0]
        held = (trade.contract for trade in self.rooms.ledger.open_trades())
        await self._watch(contract for contract in held if contract is not None)

    async def _watch(self, held: Iterable[Contract]) -> None:
        """Quotes of what is held; a contract that is no longer listed has none, and that stops nothing."""
        for contract in dict.fromkeys(held):
            try:
                await self._watched(contract)
            except Refused as error:
                self._say(f"no quotes of {contract.label}: {error}")

    async def _watched(self, contract: Contract) -> None:
        while True:
            try:
                await self.outside.broker.watch(contract)
                return
            except BrokerUnavailable as error:
                self._say(f"quotes of {contract.label}: {error}; trying again")
                await self.outside.clock.sleep(CONNECT_RETRY_S)

    async def _reconnect(self, report: LinkReport) -> None:
        await self.rooms.desk.record_link(report)
        if report.up:
            await self.rooms.market.recover(self.outside.broker)
            return
        while not self.outside.broker.connected:
            await self.outside.clock.sleep(CONNECT_RETRY_S)
            try:
                self.link = await self.outside.broker.connect(self._sink())
            except BrokerUnavailable as error:
                self._say(f"broker: {error}; trying again")
        self.rooms.options.forget_watches()
        await self._watch(self.rooms.desk.held_contracts())
        self.rooms.reconciler.ask("reconnected")
        await self.rooms.market.recover(self.outside.broker)

    async def _begin_tasks(self) -> None:
        start, rooms = self.supervisor.start, self.rooms
        start("orders", rooms.inbox.run, critical=True)
        start("reconcile", rooms.reconciler.run, critical=True)
        if self.recorder is not None:
            start("recorder", self.recorder.run)

    async def _reconcile_first(self) -> None:
        """Before anything is sent, the books must agree with the broker (FAULTS 32)."""
        self.progress = Progress("reconciling")
        self.supervisor.start("protection", self.rooms.protection.run, critical=True)
        while True:
            try:
                await self.rooms.reconciler.reconcile("start")
                return
            except BrokerUnavailable as error:
                self._say(f"reconciliation: {error}; trying again")
                await self.outside.clock.sleep(CONNECT_RETRY_S)

    async def _warm(self) -> None:
        self.progress = Progress("warming", "history")
        for line in await self.rooms.market.warm(self.outside.broker):
            self._say(line)
        await self.upkeep.warm()

    async def _open_session(self, snapshot: Snapshot) -> None:
        await self.rooms.money.refresh()
        day = self.session.day.isoformat()
        if self.rooms.money.account is not None:
            await self.rooms.controls.begin_session(day, self.rooms.money.equity)
        marked = SessionMarked("resumed" if self._resumed else "started", day, self.outside.broker.name)
        await self.rooms.ledger.record("", marked)
        await self.outside.stores.lifecycle.expire_signals(self.outside.clock.now())
        self.rooms.hunt.restore(snapshot.signals)

    def _trade(self, snapshot: Snapshot) -> None:
        start, rooms = self.supervisor.start, self.rooms
        start("bars", rooms.bars.run, critical=True)
        start("hunt", rooms.hunt.run, critical=True)
        start("money", rooms.money.run, critical=True)
        start("warm", self.upkeep.keep_warm)
        start("market", self._market_watch().run)
        start("beat", rooms.reconciler.beat)
        start("carry", self.upkeep.carry)
        start("settlement", self.upkeep.settle)
        start("jobs", self._jobs(snapshot).run)
        self.photographer = Photographer(self.outside, rooms, self._say)
        rooms.ledger.listeners.append(self.photographer.note)
        start("pictures", self.photographer.run)
        if snapshot.controls.get(DONE) != self.session.day.isoformat():
            summed = snapshot.controls.get(SUMMED) == self.session.day.isoformat()
            start("day end", lambda: self._day_end(summed))

    def _jobs(self, snapshot: Snapshot) -> JobRunner:
        """The station's standing jobs; their last runs are kept with the other switches."""
        keeper = SnapshotKeeper(self.rooms, self.outside.stores.archive, self.outside.clock)
        jobs = (Job("position snapshots", "*/5 9-16 * * mon-fri", keeper.run),)
        last = {job.name: int(snapshot.controls.get(f"job {job.name}", "0")) for job in jobs}

        async def done(name: str, at_ns: int) -> None:
            await self.outside.stores.lifecycle.commit(Changes(controls={f"job {name}": str(at_ns)}))

        self.jobs = JobRunner(
            self.outside.clock, self.outside.calendar, jobs, last, done, probe=self.outside.probe
        )
        return self.jobs

    async def _day_end(self, summed: bool) -> None:
        """The checklist after the close (SPEC §20), once a session."""
        await self.outside.clock.sleep_until(due_at(self.session.close_ns))
        clock = self.outside.clock
        after = self.outside.calendar.next_after(Hours.REGULAR, self.session.close_ns).day
        if self.day_end is None:
            self.day_end = DayEnd(
                self.rooms, self.outside.stores, self.outside.runtime, self.session.day, after, clock.now,
                summed=summed, probe=self.outside.probe,
            )  # fmt: skip
        for result in await self.day_end.run():
            if not result.ok:
                self._say(f"end of day, {result.name}: {result.detail}")

    def _market_watch(self) -> MarketWatch:
        outside, market = self.outside, self.rooms.market
        second = market.sources.named(outside.settings.market.second_source)
        return MarketWatch(outside.clock, market, second, self.rooms.desk.alert)

    # --- hooks --------------------------------------------------------------------------------------

    def _hooks(self) -> Hooks:
        return Hooks(
            desired=lambda: self.desired.value, session=lambda: self.session.day,
            day_start=self.day_start, identity=self._identity, on_fault=self._fault,
            on_fault_soon=lambda where, error: self.soon(self._fault(where, error)),
            on_link=lambda report: self.soon(self._reconnect(report)),
            kill_soon=lambda why: self.soon(self.rooms.controls.kill("reconciliation", why)),
        )  # fmt: skip

    def _identity(self) -> Identity:
        return Identity(self._account, self.outside.settings.station.environment)

    def day_start(self) -> int:
        """The start of the trade date: the futures session that leads into it."""
        span = self.outside.calendar.on(Hours.FUTURES, self.session.day)
        return span.open_ns if span is not None else self.session.open_ns - DAY // 2

    def _reconfigured(self, desired: Desired) -> None:
        if hasattr(self, "rooms"):
            here = tuple(s for s in desired.scanners if s.instrument in self.outside.symbols)
            self.rooms.scanners.configure(here, desired.switches)

    def _plans(self) -> tuple[str, ...]:
        return tuple(self.rooms.wealth.plans)

    def soon(self, work: Coroutine[object, object, object]) -> None:
        """Run a coroutine that no one waits for; its fault is recorded."""
        task = asyncio.create_task(self._guarded(work))
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def _guarded(self, work: Coroutine[object, object, object]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the boundary where a fault becomes a record
            await self._fault("background", error)

    async def _fault(self, where: str, error: BaseException) -> None:
        """Every fault is an event, a count and a line; nothing fails silently (law 7)."""
        text = str(error) if isinstance(error, VigilError) else f"{type(error).__name__}: {error}"
        self._say(f"fault in {where}: {text}")
        if isinstance(error, Fatal):
            self.on_fatal(error)
            return
        first_outage = isinstance(error, StorageUnavailable) and not self.rooms.ledger.degraded
        try:
            await self.rooms.ledger.record(
                "", HandlerFailed(where, text), Alerted("warning", f"{where}: {text}"), urgent=first_outage
            )
        except VigilError:
            self._say(f"the fault in {where} could not be recorded")

    @property
    def is_loaded(self) -> bool:
        """Whether the switches and books are in memory: before that no command may touch them."""
        return self._loaded

    async def park_kill(self, by: str, flatten: bool) -> None:
        """Keep a kill that came before the switches were loaded until it is thrown, as soon as they are: a
        start that fails before has acknowledged nothing."""
        held = self._parked is not None and self._parked[1]
        self._parked = (by, flatten or held)
        await self._thrown.wait()

    def kill_standing(self) -> tuple[bool, bool] | None:
        """Whether the kill switch is on, and flattening; None before the switches are loaded."""
        if not self._loaded:
            return None
        kill = self.rooms.controls.controls.kill
        return kill.on, kill.flatten

    async def kill_by_file(self, reason: str, flatten: bool) -> None:
        await self.rooms.controls.kill(killfile.BY, reason, flatten=flatten)

    async def _critical(self, name: str) -> None:
        await self.rooms.controls.kill("supervisor", f"task {name} keeps failing")

    async def _chronic(self, task: TaskRecord) -> None:
        text = f"task {task.name} has failed {task.restarts} times: {task.last_error}"
        with contextlib.suppress(StorageUnavailable):
            await self.rooms.ledger.record("", Alerted("critical", text))

    # --- stop ---------------------------------------------------------------------------------------

    async def stop(self, why: str) -> None:
        """Stop in order: no new work, tasks down, the books closed. Positions stay protected at the broker."""
        self.progress = Progress("stopping", why)
        if hasattr(self, "supervisor"):
            await self.supervisor.stop()
        for task in tuple(self._soon):
            task.cancel()
        await asyncio.gather(*self._soon, return_exceptions=True)
        if self._loaded:
            marked = SessionMarked("stopped", self.session.day.isoformat(), why)
            try:
                await self.rooms.ledger.record("", marked, urgent=True)
            except VigilError as error:
                self._say(f"the stop could not be recorded: {error}")
        await self.outside.broker.disconnect()
        if self.recorder is not None:
            await self.recorder.flush()
        if hasattr(self, "rooms"):
            self.rooms.spool.close()
