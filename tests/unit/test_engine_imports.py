"""Start-up pays only for what the engine uses."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("pandas", "pyarrow", "scipy", "exchange_calendars", "textual")
PROBE = f"""
import sys, {{}}
print([name for name in {HEAVY} if name in sys.modules])
"""


@pytest.mark.parametrize(
    "module", ["station.scanners", "station.strategy", "station.engine.simulated", "station.engine.wired"]
)
def test_the_engine_loads_no_frames(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(module)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_first_start_of_all_leaves_the_calendar_libraries_to_another_process(tmp_path: Path) -> None:
    first = "from pathlib import Path; from station.calendars import load_calendar"
    done = subprocess.run(
        [sys.executable, "-c", f"{first}; load_calendar(Path({str(tmp_path)!r})){PROBE.format('station')}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
