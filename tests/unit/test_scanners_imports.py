"""Start-up pays only for what the engine uses."""

import subprocess
import sys

PROBE = """
import sys, station.scanners
print([name for name in ("pandas", "pyarrow", "talib") if name in sys.modules])
"""


def test_the_scanners_load_neither_pandas_nor_arrow() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['talib']"
