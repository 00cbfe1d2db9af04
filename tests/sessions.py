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
from dataclasses import dataclass, field
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
FIVE = "us8_1m_mixedfeed_2025-09_11.parquet"
REPLAYS = (
    (DOUBLED, "2021-01-27", "SPY"),
    (DOUBLED, "2021-02-24", "SPY"),
    (YEAR, "2024-04-10", "SPY"),
    (YEAR, "2024-05-15", "SPY"),
    (YEAR, "2024-06-14", "SPY"),
    (YEAR, "2024-07-03", "SPY"),
    (YEAR, "2024-08-05", "SPY"),
    (YEAR, "2024-11-29", "SPY"),
    (YEAR, "2024-12-18", "SPY"),
    (YEAR, "2025-03-10", "SPY"),
    ("us24_1m_2019-02-11_13.parquet", "2019-02-13", "SPY,QQQ,VIX,AAPL,TSLA"),
    (FIVE, "2025-10-10", "SPY,QQQ,NVDA,XLK,XLF"),
    ("us9_1m_ibhist_2025-11.parquet", "2025-11-26", "SPY,QQQ,SMH,MU,SMCI"),
)
"""Real days: ten of SPY (two half days, two crashes, quiet and trending ones; two of a file that holds sessions
twice), and three of five symbols at once (the VIX among them, one venue's thin tape, a holiday's eve)."""

PATIENCE_S, SEVERAL, MANY = 60, 3, 50
"""A session's longest run; and of so many sessions four in five must close several trades, all rules act."""

SPREAD = tuple(
    date.fromisoformat(text)
    for text in (
        "2026-11-18", "2026-11-27", "2026-11-02", "2026-11-20", "2026-07-06", "2026-12-24", "2026-10-14",
        "2026-08-19", "2026-06-17", "2026-03-09",
    )
)  # fmt: skip
"""Ten dates: two half days, the Mondays after both changes of clocks, a third Friday, one after a holiday."""


def run(runtime: Path, *words: str, **environment: str) -> dict[str, Any]:
    """`app.py run` in a process of its own; its summary. Raises CalledProcessError with what it said.

    Its market is drawn from the tests' cache, unless the directory has one of its own.
    """
    link_cache(runtime)
    summary = runtime / "summary.json"
    subprocess.run(
        [sys.executable, str(ROOT / "app.py"), "run", "--runtime", str(runtime), "--summary", str(summary),
         *words],
        check=True, capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    return json.loads(summary.read_text())


def link_cache(runtime: Path) -> None:
    """Let what runs in a new directory find the tables and the earlier sessions that are made already."""
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (runtime / "cache").exists():
        CACHE.mkdir(mode=0o700, exist_ok=True)
        (runtime / "cache").symlink_to(CACHE)


def paper(
    runtime: Path, seed: int, *words: str, speed: str = "max", day: date = DAY, **environment: str
) -> dict[str, Any]:
    return run(
        runtime, "--broker", "paper", "--seed", str(seed), "--date", str(day), "--speed", speed, *words,
        **environment,
    )  # fmt: skip


def replay(runtime: Path, bars: Path, day: str, symbols: str = "SPY", *words: str) -> dict[str, Any]:
    return run(
        runtime, "--broker", "replay", "--bars", str(bars), "--symbol", symbols, "--date", day,
        "--speed", "max", *words,
    )  # fmt: skip


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
        f"{name:36} {done['signals']:3} signals {done['trades']:3} trades {done['closed']:3} closed "
        f"net {done['net_pnl']:>9} {done['wall_s']:6.1f} s  "
        f"{verdict}  {done['digest'][:12]}"
    )


RULES = ("target", "break-even", "unclosed", "15:30", "end of day", "emergency", "rapid_shield", "day_shield")
"""The six rules of protection by the cause they write, or the alert they give, and the two shields."""


def acted(runtime: Path) -> Counter[str]:
    """In how many trades each rule acted: sold at the target, moved the sell, alerted, took the trade out."""
    connection = sqlite3.connect(f"file:{runtime / 'lifecycle.db'}?mode=ro", uri=True)
    try:
        asked = connection.execute(
            "SELECT DISTINCT e.trade_id, json_extract(e.data, '$.cause'), t.shield FROM trade_events e "
            "JOIN trades t ON t.id = e.trade_id WHERE e.type IN ('trade.exit_submitted', 'trade.exit_modified')"
        ).fetchall()
        sold = connection.execute("SELECT id FROM trades WHERE cause = 'target'").fetchall()
        told = connection.execute(
            "SELECT DISTINCT trade_id FROM trade_events WHERE type = 'alert' AND data LIKE '%still open after%'"
        ).fetchall()
    finally:
        connection.close()
    found = Counter(shield if cause == "shield" else cause for _, cause, shield in asked if cause != "target")
    return found + Counter({"target": len(sold), "unclosed": len(told)})


@dataclass
class Tally:
    """What the sessions came to."""

    sessions: int = 0
    closed: int = 0
    several: int = 0
    bad: int = 0
    slow: int = 0
    seen: Counter[str] = field(default_factory=Counter[str])
    times: Counter[str] = field(default_factory=Counter[str])

    def add(self, name: str, runtime: Path, done: dict[str, Any], until_ns: int, more: str = "") -> None:
        wrong, flat = judge(runtime), flat_by(runtime, until_ns)
        self.sessions += 1
        self.slow += done["wall_s"] > PATIENCE_S
        self.closed += done["closed"] > 0
        self.several += done["closed"] >= SEVERAL
        self.bad += bool(wrong) or not flat or done["violations"] > 0
        rules = acted(runtime)
        self.times += rules
        self.seen += Counter(rules.keys())
        print(_line(name, done, wrong, flat) + more, flush=True)

    def report(self) -> int:
        print(f"{'rule':14} {'sessions':>8} {'trades':>7}")
        for rule in dict.fromkeys((*RULES, *sorted(self.times))):
            print(f"{rule:14} {self.seen[rule]:8} {self.times[rule]:7}")
        print(
            f"{self.sessions} sessions, {self.closed} closed a trade, {self.several} {SEVERAL} or more, "
            f"{self.bad} were wrong, {self.slow} took over {PATIENCE_S} s"
        )
        many = self.sessions >= MANY
        poor = many and (self.several < self.sessions * 4 // 5 or any(not self.seen[rule] for rule in RULES))
        return 1 if self.bad or self.slow or poor else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="", help="1-20")
    parser.add_argument("--replay", type=Path, default=None, help="the folder of 1-minute bars")
    parser.add_argument("--spread", action="store_true", help="the seeds over ten special dates, not one")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vigil-sessions-"))
    tally = Tally()
    calendar = load_calendar(CACHE)
    first, _, last = arguments.seeds.partition("-")
    for seed in range(int(first), int(last or first) + 1) if first else ():
        day = SPREAD[seed % len(SPREAD)] if arguments.spread else DAY
        span = calendar.on(Hours.REGULAR, day)
        assert span is not None
        runtime = folder / f"seed{seed}"
        runtime.mkdir()
        done = paper(runtime, seed, day=day)
        tally.add(f"seed {seed} {day}", runtime, done, span.close_ns + 60 * SECOND)
    for name, day, symbols in REPLAYS if arguments.replay else ():
        runtime = folder / f"{day}-{symbols}"
        runtime.mkdir()
        done = replay(runtime, arguments.replay / name, day, symbols)
        tally.add(f"{day} {symbols}", runtime, done, 2**62, f"  dirt {done['dirt']}")
    return tally.report()


if __name__ == "__main__":
    sys.exit(main())
