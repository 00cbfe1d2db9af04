"""Which tests reach a line of a room, and how long each takes: a mutant is shown to those first, the quick ones
before the slow. Only what survives them is shown to all."""

from __future__ import annotations

import ast
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

_COMPOUND = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.While, ast.For, ast.AsyncFor, ast.With,
    ast.AsyncWith, ast.Try,
)  # fmt: skip


@dataclass(frozen=True)
class Reach:
    """`lines` that each test came through, by file; `seconds` that it took under the trace."""

    lines: dict[str, dict[str, set[int]]]
    seconds: dict[str, float]

    def tests_at(self, file: str, lines: range) -> list[str]:
        """The tests that come through any of the lines, the quickest first."""
        found = [test for test, reached in self.lines.items() if not reached.get(file, set()).isdisjoint(lines)]
        return sorted(found, key=lambda test: self.seconds[test])


def read_reach(path: Path) -> Reach:
    rows = json.loads(path.read_text())
    lines = {test: {file: set(found) for file, found in row["lines"].items()} for test, row in rows.items()}
    return Reach(lines, {test: row["s"] for test, row in rows.items()})


def statement_lines(tree: ast.Module, line: int) -> range | None:
    """The lines of the innermost statement at `line`, of a compound one its head; None where it is run by the
    import of its module, so that no trace of a test shows it."""
    innermost: ast.stmt | None = None
    inside = False
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno):
            in_body = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and line >= node.body[0].lineno
            inside = inside or in_body
            innermost = node
    if innermost is None or not inside:
        return None
    if isinstance(innermost, _COMPOUND):
        return range(innermost.lineno, max(innermost.body[0].lineno, line + 1))
    return range(innermost.lineno, (innermost.end_lineno or innermost.lineno) + 1)


class Recorder:
    """A pytest plugin that writes down what each test reaches of the files under `folder`."""

    def __init__(self, home: Path, room: str) -> None:
        self._home = home
        self._under = f"{home / room}/"
        self._seen: set[tuple[CodeType, int]] = set()
        self.rows: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._seen = set()
        began = time.perf_counter()  # noqa: TID251 - a figure to order the tests by
        sys.settrace(self._called)
        yield
        sys.settrace(None)
        lines: dict[str, list[int]] = {}
        for code, line in sorted(self._seen, key=lambda seen: (seen[0].co_filename, seen[1])):
            lines.setdefault(str(Path(code.co_filename).relative_to(self._home)), []).append(line)
        self.rows[item.nodeid] = {"lines": lines, "s": time.perf_counter() - began}  # noqa: TID251

    def _called(self, frame: FrameType, event: str, _: object) -> Any:
        return self._line if frame.f_code.co_filename.startswith(self._under) else None

    def _line(self, frame: FrameType, event: str, _: object) -> Any:
        if event == "line":
            self._seen.add((frame.f_code, frame.f_lineno))
        return self._line


class Chosen:
    """A pytest plugin that runs these tests alone, in this order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._order = {test: n for n, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid]
        )


def record(home: Path, room: str, tests: Sequence[str], to: Path) -> None:
    """Run the tests once under the trace and write down what they reach."""
    recorder = Recorder(home, room)
    pytest.main(["-q", "--no-header", "-o", f"cache_dir={home}/.cache", *tests], plugins=[recorder])
    to.write_text(json.dumps(recorder.rows))
