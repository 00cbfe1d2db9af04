"""The laws that a tool can hold: no wall time, small files, true lock files, a README that can be run."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

LAWLESS = {
    "datetime.datetime.now": "import datetime\nx = datetime.datetime.now(datetime.UTC)\n",
    "from datetime import": "from datetime import UTC, datetime\nx = datetime.now(UTC)\n",
    "datetime.date.today": "from datetime import date\nx = date.today()\n",
    "time.time": "import time\nx = time.time()\n",
    "time.time_ns": "from time import time_ns\nx = time_ns()\n",
    "time.monotonic": "import time\nx = time.monotonic()\n",
    "time.perf_counter": "import time\nx = time.perf_counter_ns()\n",
    "time.sleep": "import time\ntime.sleep(1)\n",
    "asyncio.sleep": "import asyncio\n\n\nasync def x() -> None:\n    await asyncio.sleep(1)\n",
    "uuid.uuid4": "import uuid\nx = uuid.uuid4()\n",
}


def ruff(root: Path, code: str, name: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise",
         "--stdin-filename", name, "-"],
        input=code, cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("name", LAWLESS)
def test_reading_the_hosts_clock_or_inventing_ids_is_a_lint_error(repo_root: Path, name: str) -> None:
    assert "TID251" in ruff(repo_root, LAWLESS[name], "station/desk/snippet.py")
    assert "TID251" in ruff(repo_root, LAWLESS[name], "widgets/snippet.py")
    assert "TID251" not in ruff(repo_root, LAWLESS[name], "station/clock/snippet.py")


def test_a_bare_except_is_a_lint_error(repo_root: Path) -> None:
    swallowing = "try:\n    x = 1\nexcept Exception:\n    x = 2\n"
    assert "BLE001" in ruff(repo_root, swallowing, "station/desk/snippet.py")
    assert "E722" in ruff(repo_root, swallowing.replace(" Exception", ""), "station/desk/snippet.py")


def sources(root: Path) -> list[Path]:
    folders = ("station", "config", "widgets")
    return [root / "app.py", *(path for name in folders for path in sorted((root / name).rglob("*.py")))]


def test_no_room_is_a_drawer(repo_root: Path) -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
    assert [path for path in sources(repo_root) if path.stem in drawers or path.parent.name in drawers] == []


def test_no_star_imports(repo_root: Path) -> None:
    starred = [
        path
        for path in sources(repo_root)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    ]
    assert starred == []


def pinned(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.lstrip().startswith("#")]
    matches = [re.fullmatch(r"([a-z0-9][a-z0-9._-]*)==(\S+)( ; .+)?", line) for line in lines]
    assert all(matches), f"{path.name}: a line is no plain pin: {lines[matches.index(None)]}"
    return {match.group(1): match.group(2) for match in matches if match}


def name_of(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-")


def test_the_locks_pin_every_dependency_and_name_no_host(repo_root: Path) -> None:
    project = tomllib.loads((repo_root / "pyproject.toml").read_text())["project"]
    runtime, dev = pinned(repo_root / "requirements.lock"), pinned(repo_root / "requirements-dev.lock")
    assert {name_of(each) for each in project["dependencies"]} <= set(runtime)
    assert {name_of(each) for each in project["optional-dependencies"]["dev"]} <= set(dev)
    assert runtime.items() <= dev.items()
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (repo_root / lock).read_text()
        assert "://" not in text and "--" not in text.replace("# ", "")


def command(root: Path, name: str) -> str:
    """The one line in the fence under `<!-- name -->`."""
    found = re.search(rf"<!-- {name} -->\n```[a-z]*\n(.+)\n```", (root / "README.md").read_text())
    assert found, f"README.md marks no {name} command"
    return found.group(1)


def test_the_readme_gives_one_line_to_test_and_one_to_run(repo_root: Path) -> None:
    assert command(repo_root, "test") == (
        "python3 -m venv .venv && .venv/bin/pip install -q -r requirements-dev.lock"
        " && .venv/bin/python -m pytest -q -n 3 --dist worksteal"
    )
    assert command(repo_root, "run") == (
        "python3 -m venv .venv && .venv/bin/pip install -q -r requirements.lock && .venv/bin/python app.py"
    )


def test_ci_runs_the_readmes_own_test_command(repo_root: Path) -> None:
    script = repo_root / ".ci" / "run"
    text = script.read_text()
    assert os.access(script, os.X_OK) and "set -euo pipefail" in text
    assert "pytest" not in text, "the test command belongs in README.md alone"
    (line,) = [line for line in text.splitlines() if line.startswith("tests=")]
    done = subprocess.run(
        ["bash", "-c", f'{line}\nprintf %s "$tests"'], cwd=repo_root, capture_output=True, text=True, check=True
    )
    assert done.stdout == command(repo_root, "test")


def test_the_readmes_verbs_are_those_of_the_command_line(repo_root: Path) -> None:
    readme = (repo_root / "README.md").read_text()
    table = set(re.findall(r"^\| `([a-z][a-z-]*)[^`]*` \|", readme, re.MULTILINE))
    done = subprocess.run(
        [sys.executable, "app.py", "--help"], cwd=repo_root, capture_output=True, text=True, check=True
    )
    verbs = set(re.findall(r"^    ([a-z-]+)(?: {2,}|$)", done.stdout, re.MULTILINE))
    assert table == verbs, f"only in README: {sorted(table - verbs)}; missing there: {sorted(verbs - table)}"


def test_the_readmes_links_lead_somewhere(repo_root: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (repo_root / "README.md").read_text())
    assert "station/README.md" in links
    assert [link for link in links if not (repo_root / link).exists()] == []
