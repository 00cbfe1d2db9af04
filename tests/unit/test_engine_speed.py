"""How fast simulated time runs: as the settings say, unless the command line says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from station.engine.launch import settings_for
from station.engine.options import RunOptions
from station.engine.simulated import SimulatedRun
from tests.lab import CACHE, DAY, SEED, play


@pytest.mark.parametrize(("given", "speed"), [(None, 50.0), (8.0, 8.0), (0.0, 0.0)])
def test_time_runs_as_fast_as_the_settings_tell(
    given: float | None, speed: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIL_PAPER__SPEED", "50")
    options = RunOptions(runtime=tmp_path, broker="paper", seed=SEED, speed=given, day=DAY, cache_dir=CACHE)

    async def work() -> None:
        run = await SimulatedRun.prepare(options, settings_for(options), lambda _: None)
        try:
            assert run.engine.outside.settings.paper.speed == speed
            assert run.lockstep._speed == (speed or None)
        finally:
            await run.close()

    play(work)
