"""Which lines a test must come through to have seen a mutant."""

from __future__ import annotations

import ast

import pytest

from tests.mutation_reach import Reach, statement_lines

SOURCE = """\
LIMIT = 3
def judged(a,
           b=4):
    if (a > 1
            and b):
        return 5
    found = [
        1,
    ]
    match a:
        case 2:
            return found
    return lambda: a
class Kept:
    most: int = 7
    def held(self) -> int:
        return 8
"""


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (1, None), (2, None), (3, None), (4, range(4, 6)), (5, range(4, 6)), (6, range(6, 7)),
        (7, range(7, 10)), (8, range(7, 10)), (11, range(10, 13)), (12, range(12, 13)), (13, range(13, 14)),
        (14, None), (15, None), (16, None), (17, range(17, 18)),
    ],
)  # fmt: skip
def test_the_statement_of_a_line_or_none_where_the_import_runs_it(line: int, lines: range | None) -> None:
    assert statement_lines(ast.parse(SOURCE), line) == lines


def test_the_tests_that_come_through_the_quickest_first() -> None:
    reach = Reach(
        {"a": {"x.py": {4, 5}}, "b": {"x.py": {5}}, "c": {"x.py": {9}}, "d": {"y.py": {5}}},
        {"a": 2.0, "b": 1.0, "c": 0.1, "d": 0.1},
    )
    assert reach.tests_at("x.py", range(4, 6)) == ["b", "a"]
    assert reach.tests_at("x.py", range(6, 9)) == []
