"""Kill −9 at a named point of a session, resume, and let independent SQL judge what is left.

As a command: `python -m tests.crash --trials 200 --seed 3` kills at that many random points, each in a runtime
directory of its own, and prints every violation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from station.clock import LockstepLoop
from station.domain.clock import SECOND
from station.engine.faults import Probe, crash_at
from station.engine.launch import settings_for
from station.engine.options import RunOptions
from station.engine.simulated import SimulatedRun
from station.store import verify
from tests.lab import CACHE, DAY, SEED

UNTIL = "10:20"
PROTECTED_WITHIN_S = 5


def session(runtime: Path, *, seed: int, day: date, until: str, probe: Probe | None) -> dict[str, Any]:
    """One run in this process; its summary."""
    options = RunOptions(
        runtime=runtime, broker="paper", seed=seed, speed=None, day=day, until=until, cache_dir=CACHE
    )

    async def work() -> dict[str, Any]:
        run = await SimulatedRun.prepare(options, settings_for(options), lambda _: None, probe)
        return await run.to_the_end()

    with asyncio.Runner(loop_factory=LockstepLoop) as runner:
        return runner.run(work())


def in_child(runtime: Path, *, seed: int, day: date, until: str, point: str | None) -> int:
    """The same in a forked child, killed at `point` where one is given. Returns the child's wait status."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            out = session(runtime, seed=seed, day=day, until=until, probe=crash_at(point) if point else None)
            (runtime / "summary.json").write_text(json.dumps(out))
            code = 0
        except BaseException as error:  # noqa: BLE001 - a child must report and end, whatever happened
            print(f"{runtime.name} {point}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def points_of(*, seed: int, day: date, until: str) -> list[str]:
    """Every point that an undisturbed session passes, in order."""
    passed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        session(Path(folder), seed=seed, day=day, until=until, probe=passed.append)
    return passed


def judge(runtime: Path) -> list[str]:
    """What is wrong with a finished runtime directory, by SQL of our own and by `verify`."""
    wrong = [f"{c.name}: {text}" for c in verify(runtime).checks for text in c.violations]
    ours, theirs = _open(runtime / "lifecycle.db"), _open(runtime / "paper.db")
    try:
        wrong += _fills(ours, theirs) + _doubled(theirs) + _unprotected(ours, theirs) + _unfinished(ours)
    finally:
        ours.close()
        theirs.close()
    return wrong


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def _fills(ours: sqlite3.Connection, theirs: sqlite3.Connection) -> list[str]:
    sql = "SELECT exec_id, order_ref, qty, price, commission FROM {} ORDER BY exec_id"
    here = ours.execute(sql.format("order_fills")).fetchall()
    there = theirs.execute(sql.format("executions")).fetchall()
    return [] if _plain(here) == _plain(there) else [f"fills differ: {set(here) ^ set(there)}"]


def _plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [(e, r, float(q), float(p), float(c or 0)) for e, r, q, p, c in rows]


def _doubled(theirs: sqlite3.Connection) -> list[str]:
    refs = [row[0] for row in theirs.execute("SELECT order_ref FROM orders WHERE purpose = 'entry'")]
    per_trade = Counter(ref.split("-")[2] for ref in refs)
    return [f"{trade} has {n} entry orders" for trade, n in per_trade.items() if n > 1]


def _unprotected(ours: sqlite3.Connection, theirs: sqlite3.Connection) -> list[str]:
    """A position without a sell at the broker for more than a few simulated seconds."""
    wrong: list[str] = []
    for (trade,) in ours.execute("SELECT id FROM trades").fetchall():
        like = f"%-{trade}-E-%"
        (bought,) = theirs.execute(
            "SELECT MIN(at_ns) FROM executions WHERE order_ref LIKE ?", (like,)
        ).fetchone()
        if bought is None:
            continue
        like = f"%-{trade}-X-%"
        (sold,) = theirs.execute(
            "SELECT MIN(received_ns) FROM orders WHERE order_ref LIKE ?", (like,)
        ).fetchone()
        if sold is None or sold - bought > PROTECTED_WITHIN_S * SECOND:
            wrong.append(f"{trade} bought at {bought}, first exit at {sold}")
    return wrong


def _unfinished(ours: sqlite3.Connection) -> list[str]:
    rows = ours.execute(
        "SELECT id, state FROM trades WHERE state NOT IN ('WEALTH_UPDATED', 'FAILED')"
    ).fetchall()
    return [f"{trade} ended in {state}" for trade, state in rows]


def trial(folder: Path, point: str, *, seed: int = SEED, day: date = DAY, until: str = UNTIL) -> list[str]:
    """Kill at `point`, resume to the end, judge. The directory is removed when nothing is wrong."""
    runtime = folder / point.replace(":", "_").replace("#", "_").replace("*", "any")
    runtime.mkdir(mode=0o700)
    status = in_child(runtime, seed=seed, day=day, until=until, point=point)
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        return [f"{point}: the child was not killed (status {status})"]
    status = in_child(runtime, seed=seed, day=day, until=_later(until), point=None)
    if status != 0:
        return [f"{point}: the resumed run ended with status {status}"]
    wrong = [f"{point}: {text}" for text in judge(runtime)]
    if not wrong:
        shutil.rmtree(runtime)
    return wrong


def _later(until: str) -> str:
    """A minute on: a kill in the very last instant leaves something to resume."""
    hours, minutes = map(int, until.split(":"))
    return f"{hours + (minutes + 1) // 60:02d}:{(minutes + 1) % 60:02d}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--until", default=UNTIL)
    parser.add_argument("--dice", type=int, default=1, help="which random points")
    arguments = parser.parse_args()
    total = len(points_of(seed=arguments.seed, day=DAY, until=arguments.until))
    chosen = random.Random(arguments.dice).sample(range(1, total + 1), min(arguments.trials, total))
    folder = Path(tempfile.mkdtemp(prefix="vigil-crash-"))
    failed = 0
    for number in chosen:
        wrong = trial(folder, f"*#{number}", seed=arguments.seed, until=arguments.until)
        failed += bool(wrong)
        for text in wrong:
            print(text, flush=True)
    print(f"{len(chosen)} kills at random among {total} points: {failed} left a wrong state")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
