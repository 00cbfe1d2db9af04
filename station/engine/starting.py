"""Starting an engine of its own for a screen, in a process that outlives any terminal.

The engine's own loading is what a screen waits for, so it is begun before anything else is read: this module
imports next to nothing, and settings are the engine's to judge.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from station.domain.clock import SECOND, Clock
from station.domain.errors import BadInput, Fatal
from station.engine.lease import is_held
from station.engine.options import RunOptions

START_LIMIT_S: Final = 60.0
LOOK_S: Final = 0.01
WITHDRAW_S: Final = 5.0
_BAD_USAGE: Final = 2


class Door:
    """An engine's, that may not be open yet; `process` is the engine where it was started for this screen."""

    def __init__(self, runtime: Path, process: subprocess.Popen[bytes] | None) -> None:
        self._runtime, self.process = runtime, process

    async def __call__(self, clock: Clock) -> None:
        """Wait for it by a wall clock. Raises Fatal with what the engine said when it would not start, BadInput
        for settings that no engine would take."""
        if self.process is not None:
            await _await_engine(self.process, self._runtime, clock)

    def withdraw(self) -> None:
        """End the engine that was started for a screen which then could not be shown; one that ran goes on."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(WITHDRAW_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def ensure_engine(options: RunOptions) -> Door:
    """Start the engine of this runtime directory where none runs. A screen can load and paint while it waits
    for the door."""
    return Door(options.runtime, None if is_held(options.runtime) else _spawn(options))


def _spawn(options: RunOptions) -> subprocess.Popen[bytes]:
    """Start an engine of its own session, so that no terminal's end can reach it."""
    if not options.runtime.is_dir():
        from station.engine.profiles import prepare_home

        prepare_home(options.runtime)
    command = [sys.executable, str(Path(sys.argv[0]).resolve()), "run", *_arguments(options)]
    log = os.open(options.runtime / "engine.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    finally:
        os.close(log)


async def _await_engine(process: subprocess.Popen[bytes], runtime: Path, clock: Clock) -> None:
    """Until its door is open, or it has said why not."""
    from station.link import pointer_file

    socket = runtime / "engine.sock"
    deadline = clock.perf() + round(START_LIMIT_S * SECOND)
    while clock.perf() < deadline:
        if socket.exists() or pointer_file(socket).exists():
            return
        if process.poll() is not None:
            said = (runtime / "engine.out").read_text().strip().splitlines()
            why = said[-1].removeprefix("vigil: ") if said else "the engine ended without a word"
            raise BadInput(why) if process.returncode == _BAD_USAGE else Fatal(why)
        await clock.sleep(LOOK_S)
    raise Fatal(f"the engine did not open its door within {START_LIMIT_S:g} s: see {runtime / 'engine.out'}")


def _arguments(options: RunOptions) -> list[str]:
    """The command line that means `options`."""
    speed = None if options.speed is None else f"{options.speed:g}" if options.speed else "max"
    pairs = {
        "--broker": options.broker, "--runtime": options.runtime, "--seed": options.seed, "--speed": speed,
        "--date": options.day, "--start": options.start, "--until": options.until,
        "--symbol": options.symbol, "--away": options.away_s or None, "--host": options.host,
        "--port": options.port, "--client-id": options.client_id,
        "--clock": "broker" if options.broker_clock else None,
    }  # fmt: skip
    words = [word for name, value in pairs.items() if value is not None for word in (name, str(value))]
    return words + [word for path in options.bars for word in ("--bars", str(path))]
