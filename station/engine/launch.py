"""Starting things: an engine in the foreground, a screen over an engine, the wire emulator."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import date
from pathlib import Path
from typing import Any, Final

from config.files import ConfigError
from config.settings import Settings, load_settings
from station.clock import LockstepLoop, WallClock
from station.domain.errors import BadInput, Fatal
from station.engine.instruments import enlist_configured
from station.engine.lease import is_held
from station.engine.options import RunOptions, Say
from station.engine.profiles import prepare_home, profile_of
from station.link import Link, pointer_file

START_LIMIT_S: Final = 20.0
GEN2_THRESHOLD: Final = 100


def settings_for(options: RunOptions) -> Settings:
    """The settings under the command line, the catalogue of instruments completed. Raises BadInput."""
    enlist_configured()
    try:
        return load_settings(
            {
                "broker.kind": options.broker,
                "broker.port": options.port,
                "broker.client_id": options.client_id,
                "broker.host": options.host if options.host != "127.0.0.1" else None,
                "paper.seed": options.seed,
            },
            profile=profile_of(options.runtime),
        )
    except ConfigError as error:
        raise BadInput(str(error)) from None


def run_headless(options: RunOptions, summary: Path | None, say: Say) -> int:
    """Run the engine to its end; writes the summary document where asked. Returns the exit code."""
    settings = settings_for(options)
    simulated = settings.broker.kind != "ibkr"
    work = _simulated(options, settings, summary, say) if simulated else _live(options, settings, summary, say)
    return _run(work, simulated=simulated)


def _run(work: Coroutine[Any, Any, int], *, simulated: bool) -> int:
    """One event loop for one engine: lockstep's own where time is simulated."""
    gc.set_threshold(10_000, 50, GEN2_THRESHOLD)
    factory = LockstepLoop if simulated else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)


async def _simulated(options: RunOptions, settings: Settings, summary: Path | None, say: Say) -> int:
    from station.engine.simulated import SimulatedRun

    run = await SimulatedRun.prepare(options, settings, say)
    _stop_on_signals(run.halt)
    document = await run.to_the_end()
    return _finish(document, summary, say)


async def _live(options: RunOptions, settings: Settings, summary: Path | None, say: Say) -> int:
    from station.engine.wired import WiredRun

    run = await WiredRun.prepare(options, settings, say)
    _stop_on_signals(run.halt)
    document = await run.to_the_end()
    return _finish(document, summary, say)


def _finish(document: dict[str, Any], summary: Path | None, say: Say) -> int:
    if summary is not None:
        summary.parent.mkdir(parents=True, exist_ok=True)
        summary.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    say(
        f"{document['date']}: {document['signals']} signals, {document['trades']} trades, "
        f"{document['closed']} closed, net {document['net_pnl']}, equity {document['final_equity']}, "
        f"{document['violations']} violations"
    )
    return 0 if document["violations"] == 0 else 1


def _stop_on_signals(halt: Callable[[str], None]) -> None:
    """TERM and INT stop in order; a hang-up means the terminal is gone, and the engine goes on."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, halt, signal.Signals(number).name)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


# --- the screen --------------------------------------------------------------------------------------


def ensure_engine(options: RunOptions) -> Callable[[], Path]:
    """Start the engine of this runtime directory where none runs. What is returned waits for its door and
    answers the socket, so that a screen can load meanwhile; it raises Fatal with what the engine said when it
    would not start. Raises BadInput for settings that no engine would take."""
    process = None if is_held(options.runtime) else _spawn(options)

    def door() -> Path:
        if process is not None:
            _await_engine(process, options.runtime)
        return options.runtime / "engine.sock"

    return door


def run_with_screen(
    options: RunOptions, screen: Callable[[Callable[[], Link]], Coroutine[Any, Any, str]]
) -> int:
    """Engine and screen in one process, for a look or a test; when the screen ends, so does the engine."""
    return _run(_together(options, screen), simulated=True)


async def _together(
    options: RunOptions, screen: Callable[[Callable[[], Link]], Coroutine[Any, Any, str]]
) -> int:
    from station.engine.simulated import SimulatedRun

    run = await SimulatedRun.prepare(options, settings_for(options), lambda _: None)
    engine = asyncio.create_task(run.to_the_end())
    try:
        await screen(run.local_link)
    finally:
        run.halt("the screen was closed")
        await engine
    return 0


def _spawn(options: RunOptions) -> subprocess.Popen[bytes]:
    """Start an engine of its own session, so that no terminal's end can reach it."""
    settings_for(options)
    if not options.runtime.is_dir():
        prepare_home(options.runtime)
    command = [sys.executable, str(Path(sys.argv[0]).resolve()), "run", *_arguments(options)]
    log = os.open(options.runtime / "engine.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    finally:
        os.close(log)


def _await_engine(process: subprocess.Popen[bytes], runtime: Path) -> None:
    """Until its door is open, or it has said why not."""
    socket = runtime / "engine.sock"
    deadline = time.monotonic() + START_LIMIT_S  # noqa: TID251 - a start-up limit of this host, no engine runs yet
    while time.monotonic() < deadline:  # noqa: TID251
        if socket.exists() or pointer_file(socket).exists():
            return
        if process.poll() is not None:
            said = (runtime / "engine.out").read_text().strip().splitlines()
            raise Fatal(said[-1].removeprefix("vigil: ") if said else "the engine ended without a word")
        time.sleep(0.02)  # noqa: TID251
    raise Fatal(f"the engine did not open its door within {START_LIMIT_S:g} s: see {runtime / 'engine.out'}")


def _arguments(options: RunOptions) -> list[str]:
    """The command line that means `options`."""
    speed = "max" if options.speed is None else f"{options.speed:g}"
    pairs = {
        "--broker": options.broker, "--runtime": options.runtime, "--seed": options.seed, "--speed": speed,
        "--date": options.day, "--start": options.start, "--until": options.until,
        "--symbol": options.symbol, "--away": options.away_s or None, "--host": options.host,
        "--port": options.port, "--client-id": options.client_id,
        "--clock": "broker" if options.broker_clock else None,
    }  # fmt: skip
    words = [word for name, value in pairs.items() if value is not None for word in (name, str(value))]
    return words + [word for path in options.bars for word in ("--bars", str(path))]


# --- the emulator ------------------------------------------------------------------------------------


def run_emulator(
    *, runtime: Path, port: int, seed: int, speed: float | None, day: date | None,
    faults: tuple[str, ...], say: Say,
) -> int:  # fmt: skip
    """The TWS wire emulator on a loopback port, until it is told to stop."""
    from station.brokers.tws.runner import MAX_SPEED, serve_emulator
    from station.calendars import load_calendar
    from station.engine.simulated import default_day

    calendar = load_calendar(runtime / "cache")
    session = day or default_day(calendar, WallClock().now())
    work = serve_emulator(
        port, seed, session, speed if speed is not None else MAX_SPEED, faults, runtime,
        on_ready=lambda ready: say(f"TWS emulator: port {ready}, seed {seed}, session {session}"),
    )  # fmt: skip

    async def serve() -> int:
        await work
        return 0

    return _run(serve(), simulated=False)
