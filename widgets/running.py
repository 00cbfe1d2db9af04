"""The floor on this process's terminal, from the first paint to the reason it ended."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from station.domain.clock import Clock
from station.domain.errors import BadInput
from station.link import Link
from widgets.app import FloorApp
from widgets.driver import TerminalDriver, wants_mouse
from widgets.hand import DETACHED

FAILED: Final = "failed"
SETTLED_S: Final = 2.0
SWEEP_S: Final = 1.0
WHOLE_EVERY: Final = 60
UNSWEPT: Final = 100
"""After so many looks at the newest alone, someone who never stops typing waits for a longer one after all."""
SAID: Final = 200
"""So much of an error is told in its line."""


async def sweep(clock: Clock, quiet_s: Callable[[], float]) -> None:
    """Look for garbage while nobody types: a look at more than the newest takes 40 ms of a key's 50.

    Once the first pictures stand, what they were made of is left out of every later look.
    """
    gc.set_threshold(10_000, UNSWEPT, 20)
    await clock.sleep(SETTLED_S)
    gc.collect()
    gc.freeze()
    beats = 0
    while True:
        await clock.sleep(SWEEP_S)
        if quiet_s() >= SWEEP_S:
            beats += 1
            gc.collect(1 if beats % WHOLE_EVERY else 2)


def _stands(door: asyncio.Future[None]) -> bool:
    """Whether it is open, or may still be."""
    return not door.done() or door.cancelled() or door.exception() is None


async def run_floor(
    link_factory: Callable[[], Link], *, clock: Clock, hz: float = 4.0, read_only: bool = False,
    can_detach: bool = True, ascii_only: bool | None = None, keys: Mapping[str, str] | None = None,
    folder: Path | None = None, opened: asyncio.Future[None] | None = None,
) -> str:  # fmt: skip
    """Run the floor on this process's terminal until it ends; the reason it did.

    `clock` is a wall clock, `hz` paints a second, `can_detach` False where the engine lives in this process,
    `keys` action name → key, `folder` where preferences and exports are kept. Returns `detach`, `stop`,
    `terminal lost`, `terminated` or `failed`; only after `stop` was the engine asked to stop. SIGHUP, SIGTERM
    and SIGINT are its own while it runs, and the default again after; SIGHUP stays ignored once the terminal is
    lost. Raises BadInput without a terminal, or for a key that cannot be moved; and what `opened` raises, the
    door that the first attachment waits for: the floor is painted before, and ends with it.
    """
    if not (sys.__stdin__ and sys.__stdin__.isatty() and sys.__stdout__ and sys.__stdout__.isatty()):
        raise BadInput("the floor needs a terminal on stdin and stdout: run it in one, or use the verb `run`")
    app = FloorApp(
        link_factory, clock=clock, hz=hz, read_only=read_only, can_detach=can_detach, ascii_only=ascii_only,
        keys=keys, folder=folder, driver_class=TerminalDriver,
    )  # fmt: skip
    if opened is not None:
        opened.add_done_callback(lambda door: None if _stands(door) else app.exit(FAILED))
    sweeping = asyncio.create_task(sweep(clock, lambda: app.quiet_s))
    try:
        result = await app.run_async(mouse=wants_mouse(os.environ, app.manner.likes.mouse))
    finally:
        sweeping.cancel()
    if opened is not None and not _stands(opened):
        opened.result()
    if app.failure is not None:
        _tell(app.failure, can_detach=can_detach)
    if result is None:
        return FAILED if app.return_code else DETACHED
    return result


def _tell(failure: Exception, *, can_detach: bool) -> None:
    """One line where the screen was, the rest in a file."""
    with tempfile.NamedTemporaryFile("w", prefix="vigil-screen-", suffix=".log", delete=False) as file:
        traceback.print_exception(failure, file=file)
    then = "; the engine goes on, and `python app.py` attaches again" if can_detach else ""
    said = " ".join(str(failure).split())[:SAID]
    sys.stderr.write(f"vigil: the screen failed: {type(failure).__name__}: {said} ({file.name}){then}\n")
