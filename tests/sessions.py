"""Whole sessions as a command: `python -m tests.sessions --seeds 1-20` and `--replay ../shared/data/bars_1m`.

Each session runs as a user would start it, in a process of its own; a line tells what it came to.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from station.calendars import load_calendar
from station.domain.clock import SECOND
from station.domain.instruments import Hours
from tests.crash import judge
from tests.lab import CACHE, DAY, paper_rows

ROOT = Path(__file__).resolve().parent.parent
YEAR = "spy_1m_2024-03_2025-04.parquet"
DOUBLED = "spy_1m_2021q1_ibhist_2021-01_02.parquet"
REPLAYS = (
    (DOUBLED, "2021-02-24"),
    (YEAR, "2024-04-10"),
    (YEAR, "2024-05-15"),
    (YEAR, "2024-06-14"),
    (YEAR, "2024-07-03"),
    (YEAR, "2024-08-05"),
    (YEAR, "2024-11-29"),
    (YEAR, "2025-03-10"),
)
"""Real SPY days: one whose file holds two sessions twice, two half days, a crash day, quiet and trending."""


SPREAD = tuple(
    date.fromisoformat(text)
    for text in (
        "2026-11-18", "2026-11-27", "2026-11-02", "2026-11-20", "2026-07-06", "2026-12-24", "2026-10-14",
        "2026-08-19", "2026-06-17", "2026-03-09",
    )
)  # fmt: skip
"""Ten dates: two half days, the Mondays after both changes of clocks, a third Friday, one after a holiday."""


def run(runtime: Path, *words: str, **environment: str) -> dict[str, Any]:
    """`app.py run` in a process of its own; its summary. Raises CalledProcessError with what it said."""
    summary = runtime / "summary.json"
    subprocess.run(
        [sys.executable, str(ROOT / "app.py"), "run", "--runtime", str(runtime), "--summary", str(summary),
         *words],
        check=True, capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    return json.loads(summary.read_text())


def paper(
    runtime: Path, seed: int, *words: str, speed: str = "max", day: date = DAY, **environment: str
) -> dict[str, Any]:
    return run(
        runtime, "--broker", "paper", "--seed", str(seed), "--date", str(day), "--speed", speed, *words,
        **environment,
    )  # fmt: skip


def replay(runtime: Path, bars: Path, day: str) -> dict[str, Any]:
    return run(
        runtime, "--broker", "replay", "--bars", str(bars), "--symbol", "SPY", "--date", day, "--speed", "max"
    )


def flat_by(runtime: Path, until_ns: int) -> bool:
    """Whether the paper book holds nothing, and its last movement was not after `until_ns`."""
    held = paper_rows(
        runtime,
        "SELECT contract, SUM(CASE action WHEN 'BUY' THEN qty ELSE -qty END) AS held FROM "
        "(SELECT contract, action, CAST(qty AS REAL) AS qty FROM executions UNION ALL "
        " SELECT contract, 'SELL', CAST(qty AS REAL) FROM settlements) GROUP BY contract HAVING held <> 0",
    )
    (last,) = paper_rows(
        runtime,
        "SELECT MAX(at_ns) FROM (SELECT at_ns FROM executions UNION ALL SELECT at_ns FROM settlements)",
    )[0]
    return not held and (last is None or last <= until_ns)


def _line(name: str, done: dict[str, Any], wrong: list[str], flat: bool) -> str:
    verdict = "clean" if not wrong and flat else f"WRONG {wrong[:2]} flat={flat}"
    return (
        f"{name:24} {done['signals']:3} signals {done['trades']:3} trades {done['closed']:3} closed "
        f"net {done['net_pnl']:>9} {done['wall_s']:6.1f} s  {verdict}  {done['digest'][:12]}"
    )


def _causes(runtime: Path) -> list[str]:
    """What took each position out."""
    connection = sqlite3.connect(f"file:{runtime / 'lifecycle.db'}?mode=ro", uri=True)
    try:
        return [row[0] for row in connection.execute("SELECT cause FROM trades WHERE state = 'WEALTH_UPDATED'")]
    finally:
        connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="", help="1-20")
    parser.add_argument("--replay", type=Path, default=None, help="the folder of 1-minute bars")
    parser.add_argument("--spread", action="store_true", help="the seeds over ten special dates, not one")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vigil-sessions-"))
    bad = closed = several = 0
    causes: Counter[str] = Counter()
    calendar = load_calendar(CACHE)
    first, _, last = arguments.seeds.partition("-")
    for seed in range(int(first), int(last or first) + 1) if first else ():
        day = SPREAD[seed % len(SPREAD)] if arguments.spread else DAY
        span = calendar.on(Hours.REGULAR, day)
        assert span is not None
        runtime = folder / f"seed{seed}"
        runtime.mkdir()
        done = paper(runtime, seed, day=day)
        wrong, flat = judge(runtime), flat_by(runtime, span.close_ns + 60 * SECOND)
        causes.update(_causes(runtime))
        several += done["closed"] >= 3
        bad += bool(wrong) or not flat or done["violations"] > 0
        closed += done["closed"] > 0
        print(_line(f"seed {seed} {day}", done, wrong, flat), flush=True)
    for name, day in REPLAYS if arguments.replay else ():
        runtime = folder / day
        runtime.mkdir()
        done = replay(runtime, arguments.replay / name, day)
        wrong, flat = judge(runtime), flat_by(runtime, 2**62)
        bad += bool(wrong) or not flat or done["violations"] > 0
        closed += done["closed"] > 0
        print(_line(day, done, wrong, flat) + f"  dirt {done['dirt']}", flush=True)
    for cause, count in causes.most_common():
        print(f"  {cause:14} {count}")
    print(f"{closed} sessions closed a trade, {several} three or more, {bad} were wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
