"""What the station says of itself: its data, its tasks and jobs, its log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from station.clock import VirtualClock, WallClock
from station.domain.clock import SECOND
from station.domain.errors import BadInput
from station.engine.commands import Commander
from station.engine.doors import LoopLag
from station.engine.logbook import LOOKED_BACK, LogFilter, read_log
from station.engine.supervisor import Supervisor
from station.link import Data, Query
from tests.lab import Lab, play


async def ask(lab: Lab, name: str, **args: str) -> dict[str, Any]:
    commander = Commander(lab.run.engine, lambda _why: None, LoopLag(WallClock()))
    reply = await commander.handle(Query(name, args))
    assert isinstance(reply, Data)
    return json.loads(reply.json)


async def _whole(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        await lab.until("09:36")
        health = await ask(lab, "health")
        feeds = {feed["symbol"]: feed for feed in health["feeds"]}
        assert set(feeds) == set(lab.run.engine.outside.symbols)
        assert feeds["SPX"]["mode"] == "LIVE" and feeds["SPX"]["age_s"] < 30
        assert feeds["SPX"]["counts"]["ticks"] > 0 and feeds["SPX"]["counts"]["bad_ticks"] == 0
        assert all(one["ready"] for one in feeds["SPX"]["series"])
        jobs = await ask(lab, "jobs")
        tasks = {task["name"]: task for task in jobs["tasks"]}
        assert {"orders", "reconcile", "protection", "bars", "hunt", "jobs"} <= set(tasks)
        assert tasks["bars"]["running"] and lab.now() - tasks["bars"]["beat_ns"] < 61 * SECOND
        assert jobs["jobs"] and jobs["jobs"][0]["next_ns"] > lab.now()


def test_data_tasks_and_jobs_of_a_station_at_work(tmp_path: Path) -> None:
    play(lambda: _whole(tmp_path))


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


ROWS = (
    {"ts_utc": "1", "level": "info", "event": "trade.signal", "trade_id": "T1", "data": "SPX fired"},
    {"ts_utc": "2", "level": "warning", "event": "alert", "trade_id": "", "data": "quotes are late"},
    {"ts_utc": "3", "level": "error", "event": "fault.handler", "trade_id": "", "data": "orders failed"},
    {"ts_utc": "4", "level": "info", "event": "trade.closed", "trade_id": "T1", "data": "+80"},
)


def test_the_log_comes_newest_first_and_by_level_component_and_text(tmp_path: Path) -> None:
    path = lines(tmp_path / "vigil.log", *ROWS)

    def found(**args: str) -> list[str]:
        return [line["ts_utc"] for line in read_log(path, LogFilter.parse(args))["lines"]]

    assert found() == ["4", "3", "2", "1"]
    (called,) = read_log(
        lines(
            tmp_path / "other.log", {"event": "alert", "data": "Alerted(severity='info', text='on (paper)')"}
        ),
        LogFilter(),
    )["lines"]
    assert called["text"] == "severity='info', text='on (paper)'"
    assert found(level="warning") == ["3", "2"]
    noted = {"event": "journal.note", "data": {"text": "zu früh", "by": "screen"}, "ts_utc": "5"}
    other = lines(tmp_path / "other.log", noted)
    (row,) = read_log(other, LogFilter.parse({"text": "FRÜH  (screen"}))["lines"]
    assert row["text"] == "zu früh  (screen)", "what is seen can be looked for"
    assert found(component="trade") == ["4", "1"]
    assert found(text="spx") == ["1"] and found(text="t1", limit="1") == ["4"]
    assert read_log(path, LogFilter(limit=1))["components"] == ["alert", "fault", "trade"]


def test_a_torn_line_is_shown_and_a_missing_log_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "vigil.log"
    assert read_log(path, LogFilter())["lines"] == []
    path.write_bytes(b'{"event": "alert"}\n{"event": "ale\xff')
    torn, whole = read_log(path, LogFilter())["lines"]
    assert torn["event"] == "unreadable" and whole["event"] == "alert"


def test_a_long_log_is_searched_from_its_end_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "vigil.log"
    row = json.dumps({"event": "alert", "data": "x" * 1000}) + "\n"
    path.write_text(row * (LOOKED_BACK // len(row) + 400), encoding="utf-8")
    found = read_log(path, LogFilter(limit=5))
    assert len(found["lines"]) == 5 and not found["whole"]


@pytest.mark.parametrize("args", [{"level": "loud"}, {"limit": "0"}, {"limit": "1e9"}, {"since": "1"}])
def test_a_filter_that_is_none_is_refused(args: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        LogFilter.parse(args)


async def turn() -> None:
    """Let every task that is ready run once."""
    await WallClock().sleep(0)


async def test_a_task_beats_whenever_the_loop_comes_back_to_it_and_ends_when_cancelled() -> None:
    clock = VirtualClock(0)
    woken: list[int] = []
    ended: list[str] = []

    async def body() -> None:
        try:
            while True:
                await clock.sleep(5)
                woken.append(clock.now())
        finally:
            ended.append("in order")

    async def fault(_name: str, _error: BaseException) -> None: ...

    async def unheard(_: object) -> None: ...

    supervisor = Supervisor(clock, fault, unheard, unheard, lambda _error: None)
    supervisor.start("one", body)
    for at_s in (5, 10):
        await turn()
        clock.move_to(at_s * SECOND)
        clock.fire_due()
        await turn()
        await turn()
        assert supervisor.records["one"].beat_ns == at_s * SECOND
    assert woken == [5 * SECOND, 10 * SECOND]
    await supervisor.stop()
    assert ended == ["in order"]
