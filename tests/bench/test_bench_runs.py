"""Every benchmark runs and answers finite figures; what they are is for `python app.py bench` to say."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from station.clock import LockstepLoop
from station.domain.errors import BadInput
from station.engine.bench import in_process, run_bench
from station.engine.bench.eye import fills_and_stops
from station.engine.bench.figures import Figure, figure, quantile, table
from station.engine.bench.load import under_load
from station.engine.bench.noise import noise_floor
from station.engine.bench.screen import attached, beside_a_screen, starts
from station.engine.bench.station import paper_drill
from station.engine.bench.wire import FAST, emulator, over_the_wire, replaces
from tests.lab import CACHE
from tests.sessions import link_cache


def run(work: Callable[[], Awaitable[Sequence[Figure]]], *, lockstep: bool = False) -> Sequence[Figure]:
    async def whole() -> Sequence[Figure]:
        return await work()

    with asyncio.Runner(loop_factory=LockstepLoop if lockstep else None) as runner:
        return runner.run(whole())


def assert_finite(figures: Sequence[Figure], *names: str) -> None:
    for name in names:
        assert any(one.name.strip().startswith(name) for one in figures), name
    for one in figures:
        assert one.samples > 0, one
        assert math.isfinite(one.p50) and math.isfinite(one.p99), one
    json.dumps([one.shape() for one in figures])


def test_the_desk_and_the_scanners_in_process(tmp_path: Path) -> None:
    found = run(lambda: in_process(tmp_path, CACHE, 2), lockstep=True)
    assert_finite(found, "bar close", "signal published", "fill received")
    assert "100 scanners, 36 series" in found[0].note


def test_a_replace_over_the_wire(tmp_path: Path) -> None:
    link_cache(tmp_path)

    async def work() -> list[Figure]:
        async with emulator(tmp_path, FAST) as port:
            return [await replaces(port, CACHE, 2)]

    assert_finite(run(work), "protective replace")


def test_what_the_wired_station_is_put_through_on_a_station_that_starts_faster(tmp_path: Path) -> None:
    async def work() -> list[Figure]:
        async with paper_drill(tmp_path, CACHE) as drill:
            return await over_the_wire(drill, 2)

    assert_finite(run(work, lockstep=True), "signal published", "fill received", "kill switch")


def test_an_engine_beside_a_screen(tmp_path: Path) -> None:
    link_cache(tmp_path)
    found = run(lambda: beside_a_screen(tmp_path, 4, 1.0, "x1", ends=("killed -9", "stalled")))
    assert_finite(found, "engine loop lag", "added by a screen killed", "added by a screen stalled")


def test_starts_keys_bytes_and_memory(tmp_path: Path) -> None:
    async def work() -> list[Figure]:
        return [*await starts(tmp_path, 1), *await attached(tmp_path, 2, 1)]

    assert_finite(run(work), "start", "re-attach", "key", "bytes", "memory: screen", "memory: engine")


def test_a_fill_and_a_stop_to_the_eye(tmp_path: Path) -> None:
    link_cache(tmp_path)
    assert_finite(run(lambda: fills_and_stops(tmp_path, 1)), "fill → eye", "stop → eye")


def test_a_screen_under_load(tmp_path: Path) -> None:
    link_cache(tmp_path)
    found = run(lambda: under_load(tmp_path, 1, 1, whole=False))
    assert_finite(found, "market reports", "key → paint", "engine loop lag", "bytes", "cells", "memory: screen")


async def test_the_noise_floor_of_the_machine(tmp_path: Path) -> None:
    floor = await noise_floor(tmp_path, 5)
    assert set(floor) == {"durable_commit_ms", "loop_wake_up_ms", "context_switch_ms"}
    assert all(math.isfinite(pair[which]) for pair in floor.values() for which in ("p50", "p99"))
    assert not list(tmp_path.iterdir())


def test_a_figure_holds_its_budget_or_misses_it() -> None:
    kept = figure("kept", "ms", [1.0, 2.0, 3.0], 2, 3)
    assert (kept.p50, kept.p99, kept.ok) == (2.0, 3.0, True)
    assert figure("late", "ms", [1.0, 2.0, 9.0], 2, 3).ok is False
    assert figure("free", "ms", [1.0]).ok is None
    assert "MISS" in table([figure("late", "ms", [9.0], 2, 3)])
    with pytest.raises(ValueError, match="at least one sample"):
        quantile([], 0.5)


def test_no_trials_are_refused() -> None:
    with pytest.raises(BadInput, match="give at least 1"):
        run_bench(wire=False, trials=0)
