"""Who may import whom: the engine knows no screen, rooms look downward, widgets know the link."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

EVERY_MODULE = """
import importlib, json, pkgutil, sys
import station
failed = []
def broken(name):
    failed.append(name)
for found in pkgutil.walk_packages(station.__path__, "station.", onerror=broken):
    try:
        importlib.import_module(found.name)
    except ImportError as error:
        failed.append(f"{found.name}: {error}")
modules = list(sys.modules)
intruders = sorted({name.split(".")[0] for name in modules} & {"textual", "widgets", "app"})
print(json.dumps([intruders, failed, sum(name.startswith("station.") for name in modules)]))
"""


def python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)


def contracts(root: Path) -> list[dict[str, Any]]:
    return tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def rooms(root: Path) -> set[str]:
    """The rooms that stand: packages and modules directly under station/."""
    station = root / "station"
    packages = {path.parent.name for path in station.glob("*/__init__.py")}
    return packages | {path.stem for path in station.glob("*.py") if path.stem != "__init__"}


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    code = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )


def test_every_module_of_the_engine_imports_without_textual(repo_root: Path) -> None:
    done = python(EVERY_MODULE, repo_root)
    assert done.returncode == 0, done.stderr
    intruders, failed, count = json.loads(done.stdout)
    assert (intruders, failed) == ([], [])
    assert count > 20


def test_every_room_has_its_place_in_the_layers(repo_root: Path) -> None:
    (layers,) = [each for each in contracts(repo_root) if each["type"] == "layers"]
    placed = {name.strip(" ()").removeprefix("station.") for row in layers["layers"] for name in row.split("|")}
    assert rooms(repo_root) <= placed, f"rooms without a layer: {sorted(rooms(repo_root) - placed)}"


def test_the_import_contracts_hold(repo_root: Path) -> None:
    done = lint(repo_root)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "0 broken" in done.stdout


ROOMS = (
    "engine", "journal", "desk", "scanners", "strategy", "options", "risk", "wealth", "execution", "protection",
    "market", "brokers", "store", "link", "series", "pricing", "calendars", "clock", "domain",
)  # fmt: skip

VIOLATIONS = {
    "the engine imports Textual": ("station/market/bad.py", "import textual"),
    "the engine imports a widget": ("station/engine/bad.py", "import widgets.pane"),
    "the engine imports the command line": ("station/engine/bad.py", "import app"),
    "a widget imports the engine": ("widgets/bad.py", "from station.engine import x"),
    "a widget imports the store": ("widgets/bad.py", "from station.store import x"),
    "a widget imports a clock": ("widgets/bad.py", "import station.clock"),
    "a widget imports settings": ("widgets/bad.py", "import config"),
    "a room looks up": ("station/store/bad.py", "import station.desk"),
    "siblings know each other": ("station/risk/bad.py", "import station.wealth"),
    "the link leaves the domain": ("station/link/bad.py", "import station.pricing"),
    "a room reads settings": ("station/risk/bad.py", "import config"),
    "the domain needs a library": ("station/domain/bad.py", "import numpy"),
    "settings import the domain": ("config/bad.py", "import station.domain"),
}

ALLOWED = {
    "station/engine/good.py": "import config\nimport station.risk\n",
    "widgets/good.py": "import textual\nimport station.link\nimport station.domain\n",
    "station/desk/good.py": "import station.risk\nimport station.execution\n",
    "station/link/good.py": "import station.domain\n",
}


@pytest.fixture(scope="module")
def skeleton(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house of empty rooms under the project's own contracts, with every allowed kind of import."""
    root = tmp_path_factory.mktemp("house")
    for package in ("config", "widgets", "station", *(f"station/{room}" for room in ROOMS)):
        (root / package).mkdir(parents=True)
        (root / package / "__init__.py").write_text("")
    (root / "widgets" / "pane.py").write_text("")
    for name, content in ALLOWED.items():
        (root / name).write_text(content)
    (root / "pyproject.toml").write_text((repo_root / "pyproject.toml").read_text())
    return root


def test_what_the_plan_allows_breaks_no_contract(skeleton: Path) -> None:
    done = lint(skeleton)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("name", VIOLATIONS)
def test_the_contracts_catch(skeleton: Path, name: str) -> None:
    path, content = VIOLATIONS[name]
    bad = skeleton / path
    bad.write_text(content + "\n")
    try:
        done = lint(skeleton)
    finally:
        bad.unlink()
    assert done.returncode == 1 and "BROKEN" in done.stdout, done.stdout[-2000:]
