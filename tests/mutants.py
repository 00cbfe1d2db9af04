"""One wrong change to a line of a room: every one that `tests.mutation` tries."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeGuard

FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip

ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip
EXTREMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}


@dataclass(frozen=True)
class Mutant:
    """One change: `what` in words, at a line of a file (relative to the root); `number` in the file."""

    file: str
    number: int
    line: int
    text: str
    what: str


def mutants(root: Path, folders: Sequence[str]) -> list[Mutant]:
    """Every mutant of the folders' files, in order."""
    found: list[Mutant] = []
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            source = path.read_text()
            lines = source.splitlines()
            for number, (line, what, _) in enumerate(_changes(ast.parse(source))):
                text = lines[line - 1].strip()
                found.append(Mutant(str(path.relative_to(root)), number, line, text, what))
    return found


def mutated(root: Path, mutant: Mutant) -> str:
    """The source of the mutant's file with the one change made."""
    tree = ast.parse((root / mutant.file).read_text())
    for number, (_, _, apply) in enumerate(_changes(tree)):
        if number == mutant.number:
            apply()
            return ast.unparse(ast.fix_missing_locations(tree))
    raise AssertionError(mutant)


def _changes(tree: ast.Module) -> Iterator[tuple[int, str, Any]]:
    """(line, words, a function that makes the change in the tree), in a stable order."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for n, operator in enumerate(node.ops):
                other = FLIPPED[type(operator)]
                words = f"{type(operator).__name__} to {other.__name__}"
                yield node.lineno, words, lambda node=node, n=n, other=other: node.ops.__setitem__(n, other())
        elif isinstance(node, ast.BoolOp):
            other_op = ast.Or if isinstance(node.op, ast.And) else ast.And
            words = f"{type(node.op).__name__} to {other_op.__name__}"
            yield node.lineno, words, lambda node=node, o=other_op: setattr(node, "op", o())
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node.lineno, "not removed", lambda node=node: _become(node)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            if not isinstance(node.operand, ast.Constant):
                yield node.lineno, "minus removed", lambda node=node: setattr(node, "op", ast.UAdd())
        elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            operation = ARITHMETIC[type(node.op)]
            words = f"{type(node.op).__name__} to {operation.__name__}"
            yield node.lineno, words, lambda node=node, o=operation: setattr(node, "op", o())
        elif isinstance(node, ast.Name) and node.id in EXTREMES:
            words = f"{node.id} to {EXTREMES[node.id]}"
            yield node.lineno, words, lambda node=node: setattr(node, "id", EXTREMES[node.id])
        elif isinstance(node, ast.Attribute) and node.attr in EXTREMES:
            words = f"{node.attr} to {EXTREMES[node.attr]}"
            yield node.lineno, words, lambda node=node: setattr(node, "attr", EXTREMES[node.attr])
        elif isinstance(node, ast.Constant):
            for value in _nudged(node.value):
                words = f"{node.value!r} to {value!r}"
                yield node.lineno, words, lambda node=node, value=value: setattr(node, "value", value)
        elif _is_decimal_text(node):
            constant: Any = node.args[0]
            for value in _nudged_text(constant.value):
                words = f"Decimal {constant.value} to {value}"
                yield node.lineno, words, lambda c=constant, value=value: setattr(c, "value", value)


def _become(node: ast.UnaryOp) -> None:
    """`not x` as `bool(x)`, in place: the parent need not be known."""
    inner = copy.deepcopy(node.operand)
    node.__class__ = ast.Call  # type: ignore[assignment]
    node.__dict__.update(func=ast.Name("bool", ast.Load()), args=[inner], keywords=[])


def _nudged(value: object) -> list[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    if isinstance(value, int):
        return [value + 1, value - 1]
    return [value * 1.1, value * 0.9] if value else [1.0]


def _is_decimal_text(node: ast.AST) -> TypeGuard[ast.Call]:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Decimal"):
        return False
    return bool(node.args) and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)


def _nudged_text(text: str) -> list[str]:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return []
    if not number.is_finite():
        return []
    return [str(number * Decimal("1.1")), str(number * Decimal("0.9"))] if number else ["1"]
