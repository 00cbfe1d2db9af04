"""Jobs on the injected clock: cron in ET on exchange days, missed runs handled by each job's own rule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final

from apscheduler.triggers.cron import CronTrigger

from station.calendars import ET, Calendar, et_date
from station.domain.clock import HOUR, Clock, from_datetime, to_datetime
from station.domain.errors import BadInput, VigilError
from station.domain.instruments import Hours

MISSED_LIMIT_NS: Final = 12 * HOUR
"""A run missed longer ago than this is of another day and is let go."""


class Missed(Enum):
    """What a start does about a run that fell into its absence."""

    RUN_ONCE = "run once"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Job:
    """`cron` has five fields, ET. `body` answers one line for the jobs screen."""

    name: str
    cron: str
    body: Callable[[], Awaitable[str]]
    missed: Missed = Missed.SKIP
    exchange_days: bool = True


@dataclass(slots=True)
class JobRecord:
    """What the jobs screen shows."""

    name: str
    cron: str
    next_ns: int = 0
    last_ns: int = 0
    runs: int = 0
    failures: int = 0
    last: str = ""


class JobRunner:
    """Runs due jobs one after another. `done(name, at_ns)` persists a run; `last_runs` gives them back."""

    def __init__(
        self, clock: Clock, calendar: Calendar, jobs: Sequence[Job], last_runs: Mapping[str, int],
        done: Callable[[str, int], Awaitable[None]], *, probe: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        self._probe = probe or _unseen
        self._clock = clock
        self._calendar = calendar
        self._jobs = {job.name: job for job in jobs}
        self._triggers = {job.name: _trigger(job) for job in jobs}
        self._last_runs = dict(last_runs)
        self._done = done
        self.records = {job.name: JobRecord(job.name, job.cron) for job in jobs}

    async def run(self) -> None:
        """The supervised task: first what was missed, then whatever comes due."""
        now = self._clock.now()
        for name in self._jobs:
            self.records[name].last_ns = self._last_runs.get(name, 0)
            self.records[name].next_ns = self._first(name, now)
        while self._jobs:
            name = min(self.records, key=lambda each: (self.records[each].next_ns, each))
            due_ns = self.records[name].next_ns
            await self._clock.sleep_until(due_ns)
            await self.perform(name)
            self.records[name].next_ns = self.next_after(name, max(due_ns, self._clock.now()))

    async def perform(self, name: str) -> None:
        """Run one job now. Its failure is its own: counted, told, and the others go on."""
        record = self.records[name]
        record.runs += 1
        self._probe(f"job.before:{name}")
        try:
            record.last = await self._jobs[name].body()
        except (VigilError, OSError) as error:
            record.failures += 1
            record.last = f"failed: {error}"
        record.last_ns = self._clock.now()
        self._probe(f"job.after:{name}")
        await self._done(name, record.last_ns)

    def next_after(self, name: str, at_ns: int) -> int:
        """The first due instant after `at_ns`, on an exchange day where the job asks for one."""
        moment = to_datetime(at_ns) + timedelta(microseconds=1)
        while True:
            found = self._triggers[name].get_next_fire_time(None, moment)
            if found is None:
                raise BadInput(f"job {name}: {self._jobs[name].cron!r} never comes: correct the schedule")
            due_ns = from_datetime(found)
            if not self._jobs[name].exchange_days:
                return due_ns
            if self._calendar.on(Hours.REGULAR, et_date(due_ns)) is not None:
                return due_ns
            moment = found + timedelta(seconds=1)

    def _first(self, name: str, now: int) -> int:
        """Now, for a run that was missed and is still worth making; else the next one due."""
        last = self._last_runs.get(name, 0)
        if last and self._jobs[name].missed is Missed.RUN_ONCE:
            due_ns = self.next_after(name, last)
            if now - MISSED_LIMIT_NS <= due_ns <= now:
                return now
        return self.next_after(name, now)


def _unseen(_point: str) -> None:
    return None


def _trigger(job: Job) -> CronTrigger:
    try:
        return CronTrigger.from_crontab(job.cron, timezone=ET)
    except ValueError as error:
        raise BadInput(f"job {job.name}: cron {job.cron!r}: {error}") from None
