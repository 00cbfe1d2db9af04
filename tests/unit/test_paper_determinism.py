"""One seed, one run: the same reports to the last byte, whatever the hash seed; another seed, another run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from station.domain.broker import ExecutionReport
from tests.unit import paper_script
from tests.unit.paper_script import books, play, tape


def test_the_same_seed_twice_reports_the_same_and_another_seed_does_not(tmp_path: Path) -> None:
    one, two, other = (
        play(tmp_path / name, playing=tape(seed)) for name, seed in (("a", 11), ("b", 11), ("c", 12))
    )
    assert len(one.of(ExecutionReport)) > 20
    assert one.digest() == two.digest()
    assert one.digest() != other.digest()
    assert books(tmp_path / "a") == books(tmp_path / "b")


def test_two_processes_with_different_hash_seeds_agree(tmp_path: Path) -> None:
    script = Path(paper_script.__file__)
    running = [
        subprocess.Popen(
            [sys.executable, str(script), str(tmp_path / seed), "0"],
            env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True,
        )
        for seed in ("1", "4242")
    ]  # fmt: skip
    told = [process.communicate(timeout=120)[0] for process in running]
    assert told[0] == told[1] != ""


def test_watching_changes_what_is_told_and_nothing_that_happens(tmp_path: Path) -> None:
    found = tape()
    deeds = paper_script.script(found)

    async def watch(run: paper_script.Alone) -> None:
        middle = paper_script.at_the_money(found, "SPX")
        for step in range(-4, 5):
            await run.exchange.watch(paper_script.option("SPX", middle + 5 * step, paper_script.Right.PUT))

    paper_script.alone(tmp_path / "blind", deeds, 120, tape=found)
    paper_script.alone(tmp_path / "seeing", [(1, watch), *deeds], 120, tape=found)
    assert books(tmp_path / "blind") == books(tmp_path / "seeing")
