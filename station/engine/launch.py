"""Starting things: an engine in the foreground, a screen over an engine, the wire emulator."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
from collections.abc import Callable, Coroutine
from datetime import date
from pathlib import Path
from typing import Any, Final

from config.files import ConfigError
from config.settings import Settings, load_settings
from station.clock import LockstepLoop, WallClock
from station.domain.errors import BadInput
from station.engine.instruments import enlist_configured
from station.engine.options import RunOptions, Say
from station.engine.profiles import profile_of
from station.link import Link

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
                "paper.speed": options.speed,
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


# --- the emulator ------------------------------------------------------------------------------------


def run_emulator(
    *, runtime: Path, port: int, seed: int, speed: float, day: date | None,
    faults: tuple[str, ...], say: Say,
) -> int:  # fmt: skip
    """The TWS wire emulator on a loopback port, until it is told to stop."""
    from station.brokers.tws.runner import MAX_SPEED, serve_emulator
    from station.calendars import load_calendar
    from station.engine.simulated import default_day

    calendar = load_calendar(runtime / "cache")
    session = day or default_day(calendar, WallClock().now())
    work = serve_emulator(
        port, seed, session, speed or MAX_SPEED, faults, runtime,
        on_ready=lambda ready: say(f"TWS emulator: port {ready}, seed {seed}, session {session}"),
    )  # fmt: skip

    async def serve() -> int:
        await work
        return 0

    return _run(serve(), simulated=False)
