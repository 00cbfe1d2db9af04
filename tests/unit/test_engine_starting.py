"""A screen starts its engine before it loads anything of its own, and tells what the engine said."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from station.clock import WallClock
from station.domain.clock import Clock
from station.domain.errors import BadInput
from station.engine.lease import is_held
from station.engine.options import RunOptions
from station.engine.starting import Door, ensure_engine

ROOT = Path(__file__).resolve().parents[2]
PROBE = """
import sys, app, station.engine.starting, config.catalogue
print([name for name in ("asyncio", "pydantic", "msgspec", "numpy", "textual") if name in sys.modules])
"""


def test_what_comes_before_the_engine_is_started_loads_next_to_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def _knock(door: Callable[[Clock], Awaitable[None]]) -> None:
    await door(WallClock())


def test_settings_that_the_engine_refuses_are_told_as_bad_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(ROOT / "app.py")])
    monkeypatch.setenv("VIGIL_RISK__BETA", "-1")
    door = ensure_engine(RunOptions(runtime=tmp_path / "runtime", broker="paper", seed=3))
    with pytest.raises(BadInput, match=r"risk\.beta"):
        asyncio.run(_knock(door))


def test_the_floor_that_was_painted_before_ends_with_what_the_engine_said(tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        around = {**os.environ, "TERM": "xterm-256color", "VIGIL_RISK__BETA": "-1"}
        words = [sys.executable, str(ROOT / "app.py"), "--broker", "paper", "--runtime", str(tmp_path / "run")]
        os.execve(sys.executable, words, around)
    told = b""
    with suppress(OSError):  # what Linux answers once the other end of a terminal is closed
        while part := os.read(terminal, 65_536):
            told += part
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert told.decode().splitlines()[-1].partition("vigil: ")[2].startswith("risk.beta")


def test_an_engine_started_for_a_screen_that_cannot_be_shown_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(ROOT / "app.py")])
    runtime = tmp_path / "runtime"
    door = ensure_engine(RunOptions(runtime=runtime, broker="paper", seed=3))
    assert door.process is not None and door.process.poll() is None
    door.withdraw()
    assert door.process.poll() is not None and not is_held(runtime), "nothing trades behind an error"
    Door(runtime, None).withdraw()
