"""Start-up pays only for what the engine uses."""

import subprocess
import sys

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
