"""Jobs on the injected clock and the end of the day, in order."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from station.calendars import at_et, et_text, load_calendar
from station.clock import Lockstep, LockstepLoop, VirtualClock
from station.domain.clock import HOUR, MINUTE
from station.domain.errors import BadInput, Refused
from station.engine.jobs import Job, JobRunner, Missed
from tests.lab import CACHE, DAY, Lab, assert_sound, play


class _Nothing:
    def next_instant(self) -> int | None:
        return None

    async def advance(self, at_ns: int) -> None:
        del at_ns


def _ran(jobs: tuple[Job, ...], start_ns: int, until_ns: int, last: dict[str, int] | None = None) -> list[str]:
    """Which jobs were persisted as done, and when (ET), over a stretch of simulated time."""
    told: list[str] = []

    async def done(name: str, at_ns: int) -> None:
        told.append(f"{name} {et_text(at_ns)}")

    async def main() -> None:
        clock = VirtualClock(start_ns)
        runner = JobRunner(clock, load_calendar(CACHE), jobs, last or {}, done)
        task = asyncio.create_task(runner.run())
        await Lockstep(clock, _Nothing()).run(until_ns)
        task.cancel()

    with asyncio.Runner(loop_factory=LockstepLoop) as runner:
        runner.run(main())
    return told


async def _fine() -> str:
    return "fine"


async def _fails() -> str:
    raise Refused("X", "no disk")


def test_jobs_run_at_their_exchange_time_in_order() -> None:
    jobs = (Job("scan", "30 9 * * *", _fine), Job("noon", "0 12 * * *", _fine))
    assert _ran(jobs, at_et(DAY, "09:00"), at_et(DAY, "16:00")) == ["scan 09:30:00", "noon 12:00:00"]


def test_a_job_keeps_its_wall_time_across_the_change_of_clocks() -> None:
    friday, monday = date(2026, 10, 30), date(2026, 11, 2)
    jobs = (Job("scan", "30 9 * * *", _fine),)
    assert _ran(jobs, at_et(friday, "09:00"), at_et(monday, "10:00")) == ["scan 09:30:00", "scan 09:30:00"]


def test_no_job_runs_on_a_day_without_a_session() -> None:
    thanksgiving = date(2026, 11, 26)
    jobs = (Job("scan", "30 9 * * *", _fine), Job("sync", "0 3 * * *", _fine, exchange_days=False))
    told = _ran(jobs, at_et(thanksgiving, "00:00"), at_et(thanksgiving + timedelta(days=1), "00:00"))
    assert told == ["sync 03:00:00"]


@pytest.mark.parametrize(
    ("missed", "away", "runs"),
    [(Missed.RUN_ONCE, 30 * MINUTE, 1), (Missed.SKIP, 30 * MINUTE, 0), (Missed.RUN_ONCE, 14 * HOUR, 0)],
)
def test_a_missed_run_follows_its_own_rule(missed: Missed, away: int, runs: int) -> None:
    due = at_et(DAY, "09:30")
    job = Job("scan", "30 9 * * *", _fine, missed)
    told = _ran((job,), due + away, due + away + MINUTE, {"scan": due - 24 * HOUR})
    assert len(told) == runs


def test_a_failing_job_is_told_and_the_others_go_on() -> None:
    jobs = (Job("a", "0 10 * * *", _fails), Job("b", "0 10 * * *", _fine))
    assert _ran(jobs, at_et(DAY, "09:00"), at_et(DAY, "11:00")) == ["a 10:00:00", "b 10:00:00"]


def test_a_bad_schedule_is_one_clear_line() -> None:
    with pytest.raises(BadInput, match=r"job scan: cron '61 \* \* \* \*'"):
        _ran((Job("scan", "61 * * * *", _fine),), 0, 1)


def test_the_day_ends_in_order_once_and_leaves_report_metrics_and_backup(tmp_path: Path) -> None:
    half_day = date(2026, 11, 27)

    async def day() -> list[str]:
        async with Lab(tmp_path, day=half_day) as lab:
            for n in range(1, 32):
                (tmp_path / f"vigil-2026-01-{n:02d}.log").touch()
            await lab.until("13:01")
            assert not lab.holding()
            assert lab.run.engine.day_end is not None
            assert all(result.ok for result in lab.run.engine.day_end.results)
            (metrics,) = await lab.run.engine.outside.stores.lifecycle.days()
            assert metrics.session == "2026-11-27"
            assert metrics.equity_end - metrics.equity_start == metrics.net_pnl
            return [result.name for result in lab.run.engine.day_end.results]

    assert play(day) == [
        "stop signals", "pending orders", "flatten", "reconcile", "the day", "report", "summary", "logs",
        "backup",
    ]  # fmt: skip
    ended = [json.loads(text) for text in _sessions(tmp_path)]
    assert [each["what"] for each in ended].count("day ended") == 1
    assert (tmp_path / "reports" / "2026-11-27.md").read_text().startswith("# Vigil, Friday 27 November 2026")
    logs = sorted(path.name for path in tmp_path.glob("vigil-*.log"))
    assert (len(logs), logs[0], logs[-1]) == (30, "vigil-2026-01-03.log", "vigil-2026-11-27.log")
    week = (tmp_path / "reports" / "week-2026-W48.md").read_text()
    assert "## Wealth against plan" in week and "**WM235K**" in week
    assert (tmp_path / "reports" / "week-2026-W48.csv").is_file()
    (said,) = [text for text in Lab(tmp_path).events("alert") if "2026-11-27: " in text]
    assert "of the week's way" in said
    assert (tmp_path / "backup" / "2026-11-27" / "lifecycle.db").stat().st_size > 0
    assert_sound(tmp_path)


def _sessions(runtime: Path) -> list[str]:
    return Lab(runtime).events("session")
