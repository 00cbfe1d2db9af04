"""The end of the day survives what ends the process in the middle of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash import SCENES, trial


@pytest.mark.parametrize(
    "point",
    [
        "job.after:position snapshots#1",
        "commit.before:trade.closed#1",
        "commit.after:alert#2",
        "day.after:logs#1",
    ],
)
def test_fault_53_kill_9_at_the_end_of_the_day_doubles_nothing_and_leaves_nothing_out(
    tmp_path: Path, point: str
) -> None:
    """In a job, while flattening, in the checklist: `python -m tests.crash --scene day_end --each` does all."""
    scene = SCENES["day_end"]
    assert trial(tmp_path, point, day=scene.day, until=scene.until, scene=scene) == []
