"""Kill −9 at a named point of a session, resume, and let independent SQL judge what is left.

As a command: `python -m tests.crash --trials 200 --seed 3` kills at that many random points, each in a runtime
directory of its own, and prints every violation.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from config.settings import load_settings
from station.brokers.paper import generated_tape
from station.brokers.paper.quotes import Quoter
from station.brokers.paper.universe import CORE
from station.calendars import at_et, load_calendar
from station.clock import LockstepLoop
from station.domain.clock import SECOND
from station.domain.ports import WealthState
from station.engine.faults import Probe, crash_at
from station.engine.launch import settings_for
from station.engine.options import RunOptions
from station.engine.simulated import SimulatedRun
from station.store import verify
from tests.hand_script import BRACKET, SCRIPT, TAKINGS, Script, play_by_hand
from tests.lab import CACHE, DAY, SEED

UNTIL = "10:20"
PROTECTED_WITHIN_S = 5
_WIDE: dict[str, Any] = {
    "broker.kind": "paper", "paper.seed": SEED, "paper.start_cash_usd": 2_000_000, "signals.positions_day": 1,
    "risk.capital_at_risk_usd": 500_000, "risk.max_volume_share_pct": 100, "risk.contracts_per_order": 1_000,
    "risk.daily_loss_usd": 500_000, "risk.daily_loss_pct": 50, "risk.portfolio_vega": 50_000_000,
    "risk.portfolio_delta": 1_000_000, "risk.portfolio_theta_usd_day": -1_000_000,
}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """What a runtime directory is prepared with: settings of every run in it, strategy fields, capital. With
    `lived`, that much of the session of `day` (from `start` on) is over before the run that is killed; `ended`
    asks that the end of the day has happened, once."""

    settings: Mapping[str, Any]
    strategy: Mapping[str, Any]
    capital: str
    day: date = DAY
    start: str | None = None
    lived: str = ""
    until: str = UNTIL
    ended: bool = False
    by_hand: Script = ()


_PARTS = {"symbol": "SPX", "entry_policy": "walk", "shield": "none", "ladder": "3:0.5 5:0.25 8:0.25"}
SCENES = {
    "ladder": Scene(_WIDE, _PARTS, "500000"),
    "day_end": Scene(
        _WIDE | {"protection.grace_s": 86_400, "protection.late_mode": "alert_only"},
        {"target_pct": 95, "shield": "none", "symbol": "SPY"},
        "35000",
        date(2026, 11, 27),
        "11:00",
        "12:52",
        "13:01",
        ended=True,
    ),
    "replaces": Scene(_WIDE | {"protection.grace_s": 1}, _PARTS | {"ladder": "90:0.5 95:0.5"}, "500000"),
    "manual": Scene(
        {"broker.kind": "paper", "paper.seed": SEED}, {"enabled": False}, "35000", until="09:40", by_hand=SCRIPT
    ),
    "bracket": Scene(
        _WIDE,
        {"enabled": False},
        "35000",
        until="10:02",
        by_hand=BRACKET,
    ),
    "proposal": Scene(
        {"broker.kind": "paper", "paper.seed": SEED},
        {"autonomy": "propose"},
        "35000",
        until="09:47",
        by_hand=TAKINGS,
    ),
}
"""An entry that walks and fills in parts, under a ladder that grows with it; one whose rungs move to break-even
at once; the end of a half day that is also a week's: flattening, the checklist, and the jobs beside it; and a
hand that buys, sells a part, moves its target, changes a resting entry, turns round and closes;
one whose bracket fills in parts, grows with them, and whose stop goes off in parts at the broker;
and one that takes what a strategy proposes, twice, and declines what another does."""
_LIVED: dict[str, Path] = {}


def session(
    runtime: Path, *, seed: int, day: date, until: str, probe: Probe | None, scene: Scene | None = None
) -> dict[str, Any]:
    """One run in this process; its summary."""
    options = RunOptions(
        runtime=runtime, broker="paper", seed=seed, speed=0, day=day, until=until, cache_dir=CACHE
    )

    async def work() -> dict[str, Any]:
        settings = settings_for(options) if scene is None else load_settings(scene.settings)
        run = await SimulatedRun.prepare(options, settings, lambda _: None, probe)
        if scene is None or not scene.by_hand:
            return await run.to_the_end()
        await run.open()
        try:
            await play_by_hand(run, runtime, day, until, scene.by_hand)
        finally:
            await run.close()
        return {}

    with asyncio.Runner(loop_factory=LockstepLoop) as runner:
        return runner.run(work())


def prepare(runtime: Path, scene: Scene, *, seed: int, day: date) -> None:
    """Make a runtime directory as the scene has it: at the very beginning of its session, or lived."""
    runtime.mkdir(mode=0o700)
    options = RunOptions(
        runtime=runtime, broker="paper", seed=seed, speed=0, day=day, cache_dir=CACHE, start=scene.start
    )

    async def work() -> None:
        run = await SimulatedRun.prepare(options, load_settings(scene.settings), lambda _: None)
        await run.open()
        await run.advance(run.engine.outside.clock.now())
        stores, desired = run.engine.outside.stores, run.engine.desired
        await stores.wealth.begin(WealthState("WM235K", Decimal(scene.capital), 52, "T3", Decimal(0)))
        for row in await stores.config.rows():
            if row.kind == "strategy":
                body = json.dumps(json.loads(row.body) | dict(scene.strategy))
                await desired.edit("strategy", row.key, body, row.version, "test")
        if scene.lived:
            await run.advance(at_et(day, scene.lived))
        await run.close()

    with asyncio.Runner(loop_factory=LockstepLoop) as runner:
        runner.run(work())


def in_child(
    runtime: Path, *, seed: int, day: date, until: str, point: str | None, scene: Scene | None = None
) -> int:
    """The same in a forked child, killed at `point` where one is given. Returns the child's wait status."""
    _market(seed, day)
    child = os.fork()
    if child == 0:
        code = 70
        try:
            probe = crash_at(point) if point else None
            out = session(runtime, seed=seed, day=day, until=until, probe=probe, scene=scene)
            (runtime / "summary.json").write_text(json.dumps(out))
            code = 0
        except BaseException as error:  # noqa: BLE001 - a child must report and end, whatever happened
            print(f"{runtime.name} {point}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def _market(seed: int, day: date) -> None:
    """Make the session's market before the fork, so that no child makes it again."""
    calendar = load_calendar(CACHE)
    tape = generated_tape(seed, day, calendar, CACHE)
    quoter = Quoter(tape, calendar)
    for symbol in CORE:
        tape.ticks(symbol)
        quoter.marks(symbol)


def points_of(*, seed: int, day: date, until: str, scene: Scene | None = None) -> list[str]:
    """Every point that an undisturbed session passes, in order."""
    passed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        runtime = Path(folder) / "run"
        _make(runtime, scene, seed=seed, day=day)
        session(runtime, seed=seed, day=day, until=until, probe=passed.append, scene=scene)
    return passed


def _make(runtime: Path, scene: Scene | None, *, seed: int, day: date) -> None:
    if scene is None:
        runtime.mkdir(mode=0o700)
    elif scene.lived:
        shutil.copytree(_lived(scene, seed, day), runtime)
    else:
        prepare(runtime, scene, seed=seed, day=day)


def _lived(scene: Scene, seed: int, day: date) -> Path:
    """What every trial of the scene begins from; made once."""
    key = f"{scene}{seed}{day}"
    if key not in _LIVED:
        folder = Path(tempfile.mkdtemp(prefix="vigil-lived-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _LIVED[key] = folder / "run"
        prepare(_LIVED[key], scene, seed=seed, day=day)
    return _LIVED[key]


def judge(runtime: Path, scene: Scene | None = None) -> list[str]:
    """What is wrong with a finished runtime directory, by SQL of our own and by `verify`."""
    wrong = [f"{c.name}: {text}" for c in verify(runtime).checks for text in c.violations]
    ours, theirs = _open(runtime / "lifecycle.db"), _open(runtime / "paper.db")
    try:
        wrong += _fills(ours, theirs) + _doubled(theirs) + _unprotected(ours, theirs) + _unfinished(ours)
        if scene is not None and scene.ended:
            wrong += day_ended(runtime, ours, scene.day)
        wrong += _placed_twice(ours) + _sent_untaken(ours)
    finally:
        ours.close()
        theirs.close()
    return wrong


def _sent_untaken(ours: sqlite3.Connection) -> list[str]:
    """A proposal that went out without a hand."""
    sql = "SELECT id FROM trades WHERE json_extract(offer, '$.token') = '' AND entry_ref <> ''"
    return [f"{trade} was proposed and sent by itself" for (trade,) in ours.execute(sql).fetchall()]


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


def day_ended(runtime: Path, ours: sqlite3.Connection, day: date) -> list[str]:
    """The checklist of the session is done, every step of it well, and nothing it leaves is there twice."""
    said = ours.execute("SELECT data FROM trade_events WHERE type = 'session' ORDER BY seq").fetchall()
    ends = [row for row in map(json.loads, (text for (text,) in said)) if row["what"] == "day ended"]
    wrong = [] if len(ends) == 1 else [f"the day ended {len(ends)} times"]
    wrong += [f"a step failed: {row['detail']}" for row in ends if "FAILED" in row["detail"]]
    alerts = [text for (text,) in ours.execute("SELECT data FROM trade_events WHERE type = 'alert'")]
    told = [text for text in alerts if f"{day}: " in text]
    wrong += [] if len(told) == 1 else [f"the summary was told {len(told)} times"]
    (net, trades), *more = ours.execute("SELECT net_pnl, trades FROM daily_metrics").fetchall()
    results = [Decimal(row[0]) for row in ours.execute("SELECT net_pnl FROM trades WHERE net_pnl IS NOT NULL")]
    if more or (Decimal(net), trades) != (sum(results), len(results)):
        wrong.append(f"metrics say {trades} trades for {net}, the trades {len(results)} for {sum(results)}")
    week = f"week-{day.isocalendar().year}-W{day.isocalendar().week:02d}"
    for name in (f"{day}.md", f"{day}.csv", f"{week}.md", f"{week}.csv"):
        if not (runtime / "reports" / name).is_file():
            wrong.append(f"report {name} is missing")
    return wrong + _files_doubled(runtime, day)


def _files_doubled(runtime: Path, day: date) -> list[str]:
    """Rows, backups and log lines that a repeated step would leave twice, or half."""
    rows = (runtime / "reports" / f"{day}.csv").read_text().splitlines()[1:]
    wrong = [] if len(rows) == len(set(rows)) else ["the report has a trade twice"]
    backups = [path.name for path in (runtime / "backup").iterdir()]
    wrong += [] if backups == [str(day)] else [f"backups are {backups}"]
    for name in ("lifecycle.db", "wealth.db", "config.db"):
        with closing(_open(runtime / "backup" / str(day) / name)) as copy:
            if copy.execute("PRAGMA quick_check").fetchall() != [("ok",)]:
                wrong.append(f"the backup of {name} is broken")
    logs = sorted(runtime.glob("vigil*.log"))
    lines = [line for path in logs for line in path.read_text().splitlines() if "journal" not in line]
    events = Counter(line for line in lines if '"event": "trade.closed"' in line)
    wrong += [f"logged {n} times: {line[:80]}" for line, n in events.items() if n > 1]
    with closing(_open(runtime / "archive.db")) as archive:
        twice = archive.execute(
            "SELECT trade_id, at_ns FROM position_snapshots GROUP BY trade_id, at_ns HAVING COUNT(*) > 1"
        ).fetchall()
    return wrong + [f"snapshot twice: {row}" for row in twice]


def _placed_twice(ours: sqlite3.Connection) -> list[str]:
    """Each order of a hand is one trade."""
    rows = ours.execute(
        "SELECT json_extract(hand, '$.token'), COUNT(*) FROM trades WHERE hand IS NOT NULL GROUP BY 1"
    )
    return [f"order {token} of a hand became {n} trades" for token, n in rows.fetchall() if n > 1]


def _unfinished(ours: sqlite3.Connection) -> list[str]:
    rows = ours.execute(
        "SELECT id, state FROM trades WHERE state NOT IN ('WEALTH_UPDATED', 'FAILED')"
    ).fetchall()
    return [f"{trade} ended in {state}" for trade, state in rows]


def trial(
    folder: Path, point: str, *, seed: int = SEED, day: date = DAY, until: str = UNTIL,
    scene: Scene | None = None,
) -> list[str]:  # fmt: skip
    """Kill at `point`, resume to the end, judge. The directory is removed when nothing is wrong."""
    runtime = folder / point.replace(":", "_").replace("#", "_").replace(" ", "_").replace("*", "any")
    _make(runtime, scene, seed=seed, day=day)
    status = in_child(runtime, seed=seed, day=day, until=until, point=point, scene=scene)
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        return [f"{point}: the child was not killed (status {status})"]
    status = in_child(runtime, seed=seed, day=day, until=_later(until), point=None, scene=scene)
    if status != 0:
        return [f"{point}: the resumed run ended with status {status}"]
    wrong = [f"{point}: {text}" for text in judge(runtime, scene)]
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
    parser.add_argument("--until", default=None)
    parser.add_argument("--dice", type=int, default=1, help="which random points")
    parser.add_argument("--scene", choices=sorted(SCENES), help="ladders, partial fills, replaces; by hand")
    parser.add_argument("--each", action="store_true", help="the first time of every named point instead")
    arguments = parser.parse_args()
    scene = SCENES.get(arguments.scene)
    day, until = (DAY, UNTIL) if scene is None else (scene.day, scene.until)
    until = arguments.until or until
    passed = points_of(seed=arguments.seed, day=day, until=until, scene=scene)
    if arguments.each:
        chosen = [f"{name}#1" for name in dict.fromkeys(passed)]
    else:
        dice = random.Random(arguments.dice)
        numbers = dice.sample(range(1, len(passed) + 1), min(arguments.trials, len(passed)))
        chosen = [f"*#{number}" for number in numbers]
    folder = Path(tempfile.mkdtemp(prefix="vigil-crash-"))
    failed = 0
    for point in chosen:
        wrong = trial(folder, point, seed=arguments.seed, day=day, until=until, scene=scene)
        failed += bool(wrong)
        for text in wrong:
            print(text, flush=True)
    print(f"{len(chosen)} kills among {len(passed)} points: {failed} left a wrong state")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
