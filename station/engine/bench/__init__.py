"""The budgets, measured here and now: the `bench` verb.

Every figure comes with the machine's noise floor of the same minutes beside it; a budget that is missed on a
machine whose bare commit misses it too says nothing of the station.
"""

from __future__ import annotations

import asyncio
import os
import platform
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from station.clock import LockstepLoop
from station.desk.stopwatch import FILL_TO_PROTECT, FILL_TO_SEND, SIGNAL_TO_SEND, SIGNAL_TO_WIRE
from station.domain.errors import BadInput, VigilError
from station.engine.bench.eye import fills_and_stops, outages
from station.engine.bench.figures import Figure, figure, table
from station.engine.bench.load import LOADED, under_load
from station.engine.bench.noise import noise_floor
from station.engine.bench.scanning import scanning
from station.engine.bench.screen import attached, beside_a_screen, starts, still
from station.engine.bench.station import paper_drill
from station.engine.bench.wire import FAST, SPEED, emulator, over_the_wire, replaces, wired_drill

NOISE_SAMPLES: Final = 200
STARTS: Final = 3
WARM_UPS: Final = 3


def run_bench(*, wire: bool, trials: int, quick: bool = False) -> tuple[dict[str, Any], str, int]:
    """Measure every budget with `trials` samples each; `wire` adds the paths over the TWS wire, `quick`
    leaves out the whole session that a screen's memory is measured after.

    Returns the document, the table for people, and exit code 1 where a budget was missed or not measured.
    Raises BadInput for no trials.
    """
    if trials < 1:
        raise BadInput(f"--trials {trials}: give at least 1")
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        found, noise, failures = _measure(Path(folder), trials, wire=wire, quick=quick)
    machine = _machine()
    document = {
        "v": 1, "machine": machine, "noise": noise, "budgets": [one.shape() for one in found],
        "failures": failures,
    }  # fmt: skip
    kept = not failures and all(one.ok is not False for one in found)
    return document, _text(machine, noise, found, failures), 0 if kept else 1


def _measure(
    folder: Path, trials: int, *, wire: bool, quick: bool
) -> tuple[list[Figure], dict[str, Any], list[str]]:
    """Group by group, each between two looks at the bare machine. A group that cannot run says why, and the
    others go on."""
    cache, noise, found, failures = folder / "cache", dict[str, Any](), list[Figure](), list[str]()

    def group(name: str, work: Callable[[], Awaitable[list[Figure]]], *, lockstep: bool = False) -> None:
        async def measured() -> None:
            before = await noise_floor(folder, NOISE_SAMPLES)
            try:
                found.extend(await work())
            except VigilError as error:
                failures.append(f"{name}: {error}")
            noise[name] = {"before": before, "after": await noise_floor(folder, NOISE_SAMPLES)}

        with asyncio.Runner(loop_factory=LockstepLoop if lockstep else None) as runner:
            runner.run(measured())

    group("paper", lambda: in_process(folder / "paper", cache, trials), lockstep=True)
    if wire:
        group("wire", lambda: wired(folder, cache, trials))
    group("starts", lambda: starts(folder / "starts", min(STARTS, trials)))
    seconds = min(max(trials / 20, 2), 10)
    group("lag", lambda: beside_a_screen(folder / "lag", trials, 1.0, "x1"))
    group("load", lambda: beside_a_screen(folder / "load", trials, LOADED, f"x{LOADED:g}"))
    group("screen", lambda: attached(folder / "attached", trials, seconds))
    group("eye", lambda: fills_and_stops(folder / "eye", trials))
    group("outages", lambda: outages(folder / "outages", trials))
    group("session", lambda: under_load(folder / "session", trials, seconds, whole=not quick))
    group("still", lambda: still(folder / "still", seconds))
    return found, noise, failures


async def in_process(runtime: Path, cache: Path, trials: int) -> list[Figure]:
    """Scanners, and the desk's two paths on the paper exchange: one durable commit of its own in each send."""
    async with paper_drill(runtime, cache) as drill:
        await scanning(drill, WARM_UPS)
        found = [await scanning(drill, trials)]
        await drill.round_trips(WARM_UPS)
        drill.forget()
        before = drill.rooms.ledger.commits
        await drill.round_trips(trials)
        note = f"{(drill.rooms.ledger.commits - before) / trials:.1f} durable commits a trade"
        return [
            *found,
            figure("signal published → order sent (paper)", "ms", drill.laps_ms(SIGNAL_TO_SEND), 2.5, 8, note),
            figure("  and in the exchange's own book", "ms", drill.laps_ms(SIGNAL_TO_WIRE)),
            figure("fill received → protective sell sent (paper)", "ms", drill.laps_ms(FILL_TO_SEND), 2, 8),
            figure("  and in the exchange's own book", "ms", drill.laps_ms(FILL_TO_PROTECT)),
        ]


async def wired(folder: Path, cache: Path, trials: int) -> list[Figure]:
    """The desk's paths as bytes on a socket, and a protective sell changed in place."""
    async with emulator(folder / "emulator-1", FAST) as port:
        replaced = await replaces(port, cache, trials)
    async with (
        emulator(folder / "emulator-2", SPEED) as port,
        wired_drill(folder / "wired", cache, port) as drill,
    ):
        return [*await over_the_wire(drill, trials), replaced]


def _machine() -> dict[str, Any]:
    load = os.getloadavg()
    return {
        "cpus": os.cpu_count(), "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(), "python": platform.python_version(), "load_1m": round(load[0], 2),
    }  # fmt: skip


def _text(machine: dict[str, Any], noise: dict[str, Any], found: list[Figure], failures: list[str]) -> str:
    lines = [", ".join(f"{key} {value}" for key, value in machine.items()), "", table(found), ""]
    lines += [f"NOT MEASURED {failure}" for failure in failures]
    lines.append("noise floor of the same minutes, p50 / p99 ms (before → after):")
    for group, looks in noise.items():
        for what in looks["before"]:
            pairs = [f"{looks[when][what]['p50']:g} / {looks[when][what]['p99']:g}" for when in looks]
            lines.append(f"  {group:8} {what:20} {' → '.join(pairs)}")
    return "\n".join(lines)
