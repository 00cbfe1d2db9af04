"""A soak: sessions in a row on one runtime directory, each killed once at a random moment and resumed.

`python -m tests.soak --sessions 20 --seed 11` carries capital over and at the end asks whether books, diary and
wealth agree to the cent, and whether memory stayed flat.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import fmean

from station.calendars import load_calendar
from station.domain.instruments import Hours
from station.engine.faults import VARIABLE
from tests.crash import judge, points_of
from tests.lab import CACHE

FIRST = date(2026, 10, 26)
MEMORY_LIMIT_MIB = 250
GROWTH_LIMIT_MIB = 4
UNTIL = "16:01"
SUMMARY = "summary.json"


def days(count: int) -> list[date]:
    """That many exchange days in a row; the change of clocks and a month's end are among them."""
    found: list[date] = []
    calendar, day = load_calendar(CACHE), FIRST
    while len(found) < count:
        if calendar.on(Hours.REGULAR, day) is not None:
            found.append(day)
        day += timedelta(days=1)
    return found


def agree(runtime: Path) -> list[str]:
    """Paper cash, trade results, diary and wealth against each other, by SQL."""
    ours, wealth, paper = (
        sqlite3.connect(f"file:{runtime / name}?mode=ro", uri=True)
        for name in ("lifecycle.db", "wealth.db", "paper.db")
    )
    try:
        cash = sum((Decimal(a) for (a,) in paper.execute("SELECT amount FROM cash")), Decimal(0))
        deposits = sum(
            (Decimal(a) for (a,) in paper.execute("SELECT amount FROM cash WHERE kind = 'deposit'")), Decimal(0)
        )
        results = sum(
            (Decimal(n) for (n,) in ours.execute("SELECT net_pnl FROM trades WHERE state = 'WEALTH_UPDATED'")),
            Decimal(0),
        )
        diary = sum((Decimal(n) for (n,) in wealth.execute("SELECT net_pnl FROM trade_diary")), Decimal(0))
        rows = wealth.execute("SELECT capital, pnl_to_date FROM wealth_state").fetchall()
    finally:
        for connection in (ours, wealth, paper):
            connection.close()
    wrong: list[str] = []
    if not cash - deposits == results == diary:
        wrong.append(f"cash moved {cash - deposits}, trades {results}, diary {diary}")
    if rows and sum((Decimal(pnl) for _, pnl in rows), Decimal(0)) != diary:
        wrong.append(f"wealth says {rows}, diary {diary}")
    return wrong


def lived(runtime: Path, *, seed: int, day: date, until: str, point: str | None) -> tuple[int, int]:
    """One session by the command line, in a process of its own, killed at `point` where one is given. Returns
    its wait status and its peak memory, MiB: of a session that ended by itself before its audit, which holds
    all the books at once."""
    words = [
        sys.executable, "app.py", "run", "--broker", "paper", "--seed", str(seed), "--date", str(day),
        "--until", until, "--speed", "max", "--runtime", str(runtime), "--summary", str(runtime / SUMMARY),
    ]  # fmt: skip
    (runtime / SUMMARY).unlink(missing_ok=True)
    said = (os.POSIX_SPAWN_OPEN, 1, runtime / "engine.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    around = {**os.environ, VARIABLE: point} if point else os.environ
    child = os.posix_spawn(words[0], words, around, file_actions=[said])
    _, status, used = os.wait4(child, 0)
    if not (runtime / SUMMARY).exists():
        return status, used.ru_maxrss // 1024
    return status, int(json.loads((runtime / SUMMARY).read_text())["peak_mib"])


def _points(seed: int) -> int:
    return len(points_of(seed=seed, day=FIRST, until=UNTIL))


def growth(peaks: Sequence[int]) -> float:
    """How much more the last quarter of the sessions used than the second, on average, MiB. In the first the
    days that a start looks back on and SQLite's page caches are still filling; both are bounded."""
    part = max(len(peaks) // 4, 1)
    return fmean(peaks[-part:]) - fmean(peaks[part : 2 * part] or peaks[:1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--dice", type=int, default=1)
    arguments = parser.parse_args()
    runtime = Path(tempfile.mkdtemp(prefix="vigil-soak-"))
    dice = random.Random(arguments.dice)
    # In a process of its own: what it grows to would count as the memory of every session after it.
    with ProcessPoolExecutor(1) as pool:
        total = pool.submit(_points, arguments.seed).result()
    failures, peaks = 0, list[int]()
    for day in days(arguments.sessions):
        point = f"*#{dice.randint(1, total)}"
        status, memory = lived(runtime, seed=arguments.seed, day=day, until=UNTIL, point=point)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if killed:
            status, after = lived(runtime, seed=arguments.seed, day=day, until="16:02", point=None)
            memory = max(memory, after)
        peaks.append(memory)
        wrong = judge(runtime) + agree(runtime)
        failures += bool(wrong) or status != 0 or memory > MEMORY_LIMIT_MIB
        what = f"killed at {point}" if killed else f"{point} was past its end"
        print(f"{day} {what:28} status {status} peak {memory} MiB {wrong or 'agrees to the cent'}", flush=True)
    grown = growth(peaks)
    failures += grown > GROWTH_LIMIT_MIB
    print(f"{arguments.sessions} sessions, {failures} wrong, memory grew by {grown:.1f} MiB, in {runtime}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
