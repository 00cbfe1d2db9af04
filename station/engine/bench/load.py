"""The screen through a whole session of a market that sends thousands of reports a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from station.calendars import et_text
from station.clock import WallClock
from station.domain.clock import SECOND
from station.engine.bench.figures import Figure, figure
from station.engine.bench.process import Running, running, session
from station.engine.bench.screen import SETTLED_S, bytes_and_cells, event_to_eye, keys_to_panes, turns
from station.engine.bench.terminal import Terminal, painted, resident_mib
from station.link import Query

LOADED: Final = 140.0
"""Of the paper exchange; what it sends at that speed is measured."""
OPEN: Final = "09:30"
NEARLY_OVER: Final = "15:58"
REPORTS: Final = 5000.0
LOOK_S: Final = 0.5


async def under_load(runtime: Path, trials: int, seconds: float, *, whole: bool) -> list[Figure]:
    """Keys, bytes, lag and memory beside a market of thousands of reports a second: a large screen alone, then
    a small one with it. `whole` stays to the end of the session, so that memory is that of a long one."""
    words, what = session(runtime, LOADED, OPEN), f"x{LOADED:g}"
    async with running(runtime, words) as engine:
        before = await engine.ask(Query("arrivals"))
        beats = await engine.beats()
        screen = await painted(words, settle_s=SETTLED_S)
        told = await bytes_and_cells(screen, seconds, f"160x45, {what}", (8, None))
        turned = await turns(screen, trials)
        small = await painted(words, (80, 24), settle_s=SETTLED_S)
        keys = await keys_to_panes(small, trials)
        eye = await event_to_eye(engine, screen, trials)
        if whole:
            await _session_over(engine)
        found = [
            _reports(before, await engine.ask(Query("arrivals")), what),
            figure(f"key → paint, 80x24, {what}", "ms", keys, None, 50),
            figure(f"key → paint, screen to screen, 160x45, {what}", "ms", turned, None, 50),
            figure(f"event → eye, 160x45, {what}", "ms", eye, None, 300),
            figure(
                f"engine loop lag, two screens, {what}", "ms", await engine.lag_since(beats), None, 5,
                "over all of the above",
            ),
            *told,
            *_memory(engine, screen, small, what, await _time(engine)),
        ]  # fmt: skip
        for one in (screen, small):
            await one.end()
    return found


def _reports(before: dict[str, Any], after: dict[str, Any], what: str) -> Figure:
    """How many the market sent, against how many make a load."""
    rate = (after["reports"] - before["reports"]) / ((after["perf_ns"] - before["perf_ns"]) / SECOND)
    short = "" if rate >= REPORTS else ", these are fewer"
    note = f"at least {REPORTS:g} make a load{short}"
    return Figure(f"market reports a second, {what}", "1/s", rate, rate, 1, None, None, note)


def _memory(engine: Running, screen: Terminal, small: Terminal, what: str, time: str) -> list[Figure]:
    sizes = (
        ("screen 160x45", screen.process.pid, 120), ("screen 80x24", small.process.pid, 120),
        ("engine", engine.pid, 250),
    )  # fmt: skip
    note, found = f"{OPEN} to {time} of a session", list[Figure]()
    for name, pid, limit in sizes:
        size = resident_mib(pid)
        found.append(Figure(f"memory: {name}, {what}", "MiB", size, size, 1, None, limit, note))
    return found


async def _session_over(engine: Running) -> None:
    """Return a little before the close, while the engine still runs."""
    while await _time(engine) < NEARLY_OVER:
        await WallClock().sleep(LOOK_S)


async def _time(engine: Running) -> str:
    """HH:MM in ET."""
    return et_text((await engine.ask(Query("health")))["now_ns"])[:5]
