"""Jobs and tasks: what the station does by the clock, and whether everything that should run does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from station.domain.clock import SECOND
from station.link import Query
from widgets import ink, words
from widgets.columns import Column, Table
from widgets.floorplan import Column as Side
from widgets.floorplan import Slot
from widgets.page import Page, PagePane, Question
from widgets.pane import Block, Content
from widgets.scene import Scene
from widgets.told import JobsTold, JobTold, StepTold, TaskTold

TASKS: Final = (
    Column("task", 12), Column("state", 8), Column("last ran", 8, ">"), Column("restarts", 8, ">", rank=1),
    Column("up", 5, ">", rank=2), Column("last error", 12, rank=3, grows=True),
)  # fmt: skip
JOBS: Final = (
    Column("job", 20), Column("next", 13), Column("last", 13, rank=1), Column("runs", 5, ">", rank=2),
    Column("failed", 6, ">", rank=2), Column("schedule, ET", 22, rank=4),
    Column("what it said", 12, rank=3, grows=True),
)  # fmt: skip
STEPS: Final = (Column("step", 14), Column("", 6), Column("what it came to", 12, grows=True))


class JobsPage(Page):
    """Tasks above, jobs below, the end-of-day checklist beside."""

    TITLE = "Jobs and tasks"
    EVERY_S = 2.0
    PLANS = (
        ((150, 38), (
            Side(0, (Slot(("tasks",), share=3), Slot(("jobs",), share=2))), Side(60, (Slot(("end",)),)),
        )),
        ((110, 30), (
            Side(0, (Slot(("tasks",), share=3), Slot(("jobs", "end"), share=2))),
        )),
    )  # fmt: skip

    def questions(self) -> Mapping[str, Question]:
        return {"all": Question(Query("jobs"), JobsTold)}

    def make(self) -> list[PagePane]:
        return [
            self.pane("tasks", "Tasks", "all", self._tasks), self.pane("jobs", "Jobs", "all", self._jobs),
            self.pane("end", "End of day", "all", self._end),
        ]  # fmt: skip

    @property
    def told(self) -> JobsTold:
        return self.document("all", JobsTold) or JobsTold()

    def _tasks(self, _scene: Scene, width: int) -> Content:
        told, table = self.told, Table(TASKS, width)
        down = [one.name for one in told.tasks if one.failing or not (one.running or one.name == "day end")]
        lag = told.lag_ms.get("p99")
        beat = "" if lag is None else f"  loop p99 {lag:.1f} ms"
        return Content(
            note=f"{', '.join(down)} not well{beat}" if down else f"{len(told.tasks)} run{beat}",
            warn=bool(down),
            head=(table.heading,) if told.tasks else (),
            blocks=tuple(_task(one, told.now_ns, table) for one in told.tasks), empty="no task runs yet",
        )  # fmt: skip

    def _jobs(self, _scene: Scene, width: int) -> Content:
        told, table = self.told, Table(JOBS, width)
        return Content(
            note=str(len(told.jobs)), head=(table.heading,) if told.jobs else (),
            blocks=tuple(_job(one, table) for one in told.jobs), empty="no job is planned yet",
        )  # fmt: skip

    def _end(self, _scene: Scene, width: int) -> Content:
        steps, table = self.told.day_end, Table(STEPS, width)
        failed = sum(not one.ok for one in steps)
        return Content(
            note=f"{failed} failed" if failed else "done" if steps else "", warn=bool(failed),
            head=(table.heading,) if steps else (), blocks=tuple(_step(one, table) for one in steps),
            empty="the checklist runs half a minute after the close",
        )  # fmt: skip


def _task(one: TaskTold, now_ns: int, table: Table) -> Block:
    if one.failing:
        state, style = "FAILING", ink.ALARM
    elif one.running:
        state, style = "runs", ink.UP
    else:
        state, style = "ended", ink.DIM
    age = words.age_text((now_ns - one.beat_ns) / SECOND) if one.beat_ns else "--"
    up = words.age_text((now_ns - one.started_ns) / SECOND) if one.running else "--"
    line = table.line(
        [
            (one.name, ink.STRONG if one.critical else ink.TEXT), (state, style), (age, ink.TEXT),
            (str(one.restarts), ink.WARN if one.restarts else ink.DIM), (up, ink.DIM),
            (one.last_error, ink.WARN),
        ]
    )  # fmt: skip
    return Block((line,))


def _job(one: JobTold, table: Table) -> Block:
    line = table.line(
        [
            (one.name, ink.TEXT), (_when(one.next_ns), ink.ACCENT), (_when(one.last_ns), ink.DIM),
            (str(one.runs), ink.DIM), (str(one.failures), ink.WARN if one.failures else ink.DIM),
            (one.cron, ink.DIM),
            (one.last, ink.WARN if one.last.startswith("failed") else ink.DIM),
        ]
    )  # fmt: skip
    return Block((line,))


def _step(one: StepTold, table: Table) -> Block:
    word, style = ("done", ink.UP) if one.ok else ("FAILED", ink.ALARM)
    return Block((table.line([(one.name, ink.TEXT), (word, style), (one.detail, ink.DIM)]),))


def _when(at_ns: int) -> str:
    return f"{words.day_text(at_ns)} {words.minute_text(at_ns)}" if at_ns else "--"
