"""Do the tests of a room notice a wrong room? `python -m tests.mutation station/risk station/protection`.

Every comparison is flipped, every number nudged, every and/or, plus/minus, times/by and min/max swapped, every
`not` and minus sign removed, one at a time, in a copy of the tree; the room's own quick tests must fail each
time. What survives is listed, but for the mutants that change nothing anybody could see: those are in
mutation_equivalents.toml, each with its reason.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.metadata
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.mutants import Mutant, mutants, mutated
from tests.mutation_reach import Chosen, Reach, read_reach, statement_lines

ROOT = Path(__file__).resolve().parent.parent
EQUIVALENTS = Path(__file__).with_name("mutation_equivalents.toml")
COPIED = ("station", "config", "tests", "widgets")
KINDS = ("unit", "property", "faults")
PATIENCE_S = 15
PATIENCE = 4
CPU_S = 20
MEMORY = 2 << 30
"""What a test run may use: a mutant that never ends must not take the machine with it. Of time so many seconds
and so many times what its tests took under the trace."""
NO_TESTS = 5
PRELOADED = (
    "numpy", "hypothesis", "hypothesis.strategies", "msgspec", "station.domain.trade", "station.domain.broker",
    "station.domain.ports", "station.domain.specs_parse", "station.calendars", "station.pricing",
    "station.series", "station.clock",
)  # fmt: skip
"""What a test run needs besides the mutated room; imported once, before the forks."""


# --- judging them ------------------------------------------------------------------------------------------


def tests_of(root: Path, file: str) -> list[str]:
    """The quick tests of the file's room: those named after it."""
    room = Path(file).parts[1]
    return [
        str(path.relative_to(root))
        for kind in KINDS
        for path in sorted((root / "tests" / kind).glob(f"test_{room}*.py"))
    ]


def work(home: Path, wanted: Sequence[Mutant], reaches: Path) -> None:
    """Judge mutants in `home`, a tree of one's own: one line of JSON each. `reaches` holds a record a room."""
    os.chdir(home)
    sys.path.insert(0, str(home))
    sys.dont_write_bytecode = True
    _preload()
    rooms = {room: read_reach(reaches / room) for room in sorted({_room(mutant.file) for mutant in wanted})}
    for room, reach in rooms.items():
        assert _verdict(_ordered(reach), reach, home) == "survived", (
            f"the tests of {room} depend on their order"
        )
    for number, mutant in enumerate(wanted):
        path, reach = home / mutant.file, rooms[_room(mutant.file)]
        sound = path.read_text()
        lines = statement_lines(ast.parse(sound), mutant.line)
        stamp = path.stat().st_mtime
        path.write_text(mutated(home, mutant))
        # Compiled forms are told apart by size and whole second: two mutants must never share one.
        os.utime(path, (number, number))
        began = time.perf_counter()  # noqa: TID251 - a figure for the report
        try:
            near = [] if lines is None else reach.tests_at(mutant.file, lines)
            verdict = _verdict(near, reach, home) if near else "survived"
            if verdict == "survived":
                verdict = _verdict(_ordered(reach), reach, home)
        finally:
            path.write_text(sound)
            os.utime(path, (stamp, stamp))
        took = round(time.perf_counter() - began, 2)  # noqa: TID251
        print(json.dumps({**asdict(mutant), "verdict": verdict, "s": took}), flush=True)


def _room(file: str) -> str:
    return Path(file).parts[1]


def _ordered(reach: Reach) -> list[str]:
    """All of a room's tests, the quickest first."""
    return sorted(reach.seconds, key=lambda test: reach.seconds[test])


def _preload() -> None:
    import pytest

    assert pytest
    for point in importlib.metadata.entry_points(group="pytest11"):
        point.load()
    for name in PRELOADED:
        importlib.import_module(name)
    station = importlib.import_module("station")
    assert Path(str(station.__file__)).is_relative_to(Path.cwd()), f"the wrong station: {station.__file__}"


def _verdict(tests: Sequence[str], reach: Reach, home: Path) -> str:
    """killed, survived or timeout, from a fork that runs the tests until one fails."""
    child = os.fork()
    if child == 0:
        _run_tests(tests, home)
    patience_s = PATIENCE_S + PATIENCE * sum(reach.seconds[test] for test in tests)
    for _ in range(round(patience_s * 50)):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return "survived" if code in (0, NO_TESTS) else "timeout" if code == -signal.SIGXCPU else "killed"
        time.sleep(0.02)  # noqa: TID251 - waiting for a process
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def _run_tests(tests: Sequence[str], home: Path) -> None:
    import pytest

    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    code = 3
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
        files = sorted({test.partition("::")[0] for test in tests})
        words = ["-x", "-q", "--no-header", "-o", f"cache_dir={home}/.cache", *files]
        code = int(pytest.main(words, plugins=[Chosen(tests)]))
    finally:
        os._exit(code)


# --- the report --------------------------------------------------------------------------------------------


def equivalents() -> list[dict[str, str]]:
    """Rows of (file, text, what, why)."""
    if not EQUIVALENTS.is_file():
        return []
    return tomllib.loads(EQUIVALENTS.read_text()).get("equivalent", [])


def explained(mutant: dict[str, Any]) -> str | None:
    """Why this mutant changes nothing; None where nobody says so."""
    for row in equivalents():
        if (
            row["file"] == mutant["file"]
            and row["text"] == mutant["text"]
            and row["what"] in ("", mutant["what"])
        ):
            return row["why"]
    return None


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="part of a file's path")
    parser.add_argument("--sample", type=int, default=0, help="this many mutants, the same each time")
    parser.add_argument("--again", type=Path, help="only what an earlier run's output, a file, says survived")
    parser.add_argument("--goal", type=float, default=95.0, help="percent to kill; less exits 1")
    arguments = parser.parse_args(argv)
    chosen = [m for m in mutants(ROOT, arguments.folders) if arguments.only in m.file]
    if arguments.again is not None:
        told = {line.strip() for line in arguments.again.read_text().splitlines()}
        chosen = [m for m in chosen if _told(m.file, m.line, m.what, m.text) in told]
    if arguments.sample and arguments.sample < len(chosen):
        picked = random.Random(7).sample(range(len(chosen)), arguments.sample)
        chosen = [chosen[n] for n in sorted(picked)]
    with tempfile.TemporaryDirectory(prefix="vigil-mutants-") as folder:
        rows = list(_judged(Path(folder), chosen, arguments.jobs))
    return _report(rows, arguments.goal)


def _judged(folder: Path, chosen: Sequence[Mutant], jobs: int) -> Iterator[dict[str, Any]]:
    base = folder / "base"
    for name in COPIED:
        shutil.copytree(ROOT / name, base / name, ignore=shutil.ignore_patterns("__pycache__", "__snapshots__"))
    shutil.copy(ROOT / "pyproject.toml", base)
    files = sorted({m.file for m in chosen})
    _refuse_a_sick_base(base, files)
    reaches = folder / "reaches"
    reaches.mkdir()
    for room in sorted({_room(file) for file in files}):
        _record(base, room, reaches)
    workers: list[subprocess.Popen[str]] = []
    for n in range(jobs):
        home = folder / f"home{n}"
        shutil.copytree(base, home)
        shard = folder / f"shard{n}.json"
        shard.write_text(json.dumps([asdict(m) for m in chosen[n::jobs]]))
        words = [sys.executable, "-c", _WORKER, str(home), str(shard), str(reaches)]
        workers.append(subprocess.Popen(words, cwd=home, stdout=subprocess.PIPE, text=True))
    with ThreadPoolExecutor(jobs) as readers:
        for rows in readers.map(_listened, workers):
            yield from rows


def _listened(worker: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """A worker's verdicts; what survives is told as it is found."""
    assert worker.stdout is not None
    rows: list[dict[str, Any]] = []
    for line in worker.stdout:
        row = json.loads(line)
        rows.append(row)
        if row["verdict"] == "survived" and explained(row) is None:
            print(f"  {_told(row['file'], row['line'], row['what'], row['text'])}", flush=True)
    if worker.wait():
        raise SystemExit("a worker failed: see its words above")
    return rows


def _told(file: str, line: int, what: str, text: str) -> str:
    return f"{file}:{line}: {what}: {text}"


_WORKER = (
    "import json, pathlib, sys; sys.path.insert(0, sys.argv[1]); from tests.mutation import Mutant, work; "
    "work(pathlib.Path(sys.argv[1]), [Mutant(**row) for row in json.loads(open(sys.argv[2]).read())], "
    "pathlib.Path(sys.argv[3]))"
)


def _refuse_a_sick_base(base: Path, files: Sequence[str]) -> None:
    """The tests must pass before anything is changed; it also leaves their compiled form for every worker."""
    tests = sorted({test for file in files for test in tests_of(base, file)})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-o", f"cache_dir={base}/.cache", *tests],
        cwd=base, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"the tests fail without any mutant:\n{done.stdout[-2000:]}")
    for file in files:
        shutil.rmtree((base / file).parent / "__pycache__", ignore_errors=True)


def _record(base: Path, room: str, reaches: Path) -> None:
    """What each of a room's tests reaches, from a process of its own."""
    words = "import pathlib, sys; sys.path.insert(0, '.'); from tests.mutation_reach import record; "
    words += "record(pathlib.Path.cwd(), sys.argv[1], sys.argv[3:], pathlib.Path(sys.argv[2]))"
    tests = tests_of(base, f"station/{room}")
    command = [sys.executable, "-c", words, f"station/{room}", str(reaches / room), *tests]
    subprocess.run(command, cwd=base, capture_output=True, check=True)


def _report(rows: Sequence[dict[str, Any]], goal: float) -> int:
    alive = [row for row in rows if row["verdict"] == "survived"]
    equal = [row for row in alive if explained(row) is not None]
    files = sorted({row["file"] for row in rows})
    for file in files:
        mine = [row for row in rows if row["file"] == file]
        lost = sum(row in alive and row not in equal for row in mine)
        same = sum(row in equal for row in mine)
        print(f"{file:34} {len(mine):4} mutants {lost:4} survived {same:4} equivalent")
    for row in equal:
        print(f"equivalent: {row['file']}:{row['line']}: {row['what']}: {explained(row)}")
    counted = len(rows) - len(equal)
    killed = counted - (len(alive) - len(equal))
    share = killed * 100 / counted if counted else 100.0
    endless = sum(row["verdict"] == "timeout" for row in rows)
    print(
        f"{len(rows)} mutants, {len(equal)} equivalent, {killed} of {counted} killed: {share:.1f} % "
        f"({endless} of them never ended)"
    )
    return 0 if share >= goal else 1


if __name__ == "__main__":
    sys.exit(main())
