"""FAULTS 53 for the exchange's own book: kill −9 around its commits, and it goes on as if nothing had been."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from station.domain.orders import OrderState
from tests.unit import paper_script
from tests.unit.paper_harness import alone
from tests.unit.paper_script import books, play, tape


@cache
def uninterrupted() -> dict[str, list[tuple[object, ...]]]:
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder))
        return books(Path(folder))


@pytest.mark.parametrize("call", [3, 8, 33, 92, 167])
def test_fault_53_kill_9_around_a_commit_loses_and_doubles_nothing(tmp_path: Path, call: int) -> None:
    done = subprocess.run(
        [sys.executable, str(Path(paper_script.__file__)), str(tmp_path), str(call)], check=False, timeout=120
    )
    assert done.returncode == -9, "the probe was never reached"
    assert books(tmp_path) != uninterrupted()
    play(tmp_path)
    assert books(tmp_path) == uninterrupted()


def test_fault_53_time_that_passes_while_the_station_is_away_is_played(tmp_path: Path) -> None:
    found = tape()
    play(tmp_path, 100.0, playing=found)
    before = len(books(tmp_path)["executions"])

    async def nothing(run: paper_script.Alone) -> None:
        assert run.clock.now() >= found.open_ns + 400 * 10**9

    run = alone(tmp_path, [(400.5, nothing)], 401, tape=found, away_s=300)
    after = books(tmp_path)["executions"]
    assert len(after) >= before
    assert run.exchange.floor.through_ns >= found.open_ns + 400 * 10**9


def test_fault_53_an_order_received_but_not_acknowledged_goes_on_after_the_restart(tmp_path: Path) -> None:
    found = tape()
    (at_s, first), *_ = paper_script.script(found)
    alone(tmp_path, [(at_s, first)], at_s + 0.001, tape=found)
    assert [row[14] for row in books(tmp_path)["orders"]] == [OrderState.PENDING.value]
    run = alone(tmp_path, [], at_s + 5, tape=found)
    assert [row[14] for row in books(tmp_path)["orders"]] == [OrderState.FILLED.value]
    told = run.states("E0")
    assert (told[0], told[-1]) == (OrderState.SUBMITTED, OrderState.FILLED)
