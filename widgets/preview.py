"""What the engine says of a ticket before it is sent: the preview document, read once, drawn line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast

import msgspec

from widgets import ink, words
from widgets.ink import Line, Span
from widgets.pane import wrapped

NAME: Final = 20
LABEL: Final = 11
WITHIN: Final = "within the limit ("
"""How it begins its word on one that passes: its tick says as much."""
OVERRIDDEN: Final = "overridden"
"""How the engine begins its word on a rule that a hand has overridden."""
GREEKS: Final = (("Δ", "delta"), ("Γ", "gamma"), ("Θ", "theta"), ("V", "vega"))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule's verdict; one that only advises can be overridden."""

    name: str
    ok: bool
    advises: bool
    text: str


@dataclass(frozen=True, slots=True)
class Preview:
    """`document` as the engine sent it; `approved` says that sending it now would pass."""

    document: Mapping[str, Any] = field(default_factory=dict[str, Any])
    rules: tuple[Rule, ...] = ()
    problems: tuple[str, ...] = ()
    approved: bool = False

    @property
    def refused(self) -> tuple[Rule, ...]:
        """What blocks, then what only advises."""
        return tuple(sorted((rule for rule in self.rules if not rule.ok), key=lambda rule: rule.advises))

    @property
    def overridden(self) -> tuple[Rule, ...]:
        """What the hand asks past: passed, though the rule advises against it."""
        return tuple(rule for rule in self.rules if rule.ok and rule.text.startswith(OVERRIDDEN))

    @property
    def fewer(self) -> int:
        """The quantity that would fit where what is asked for is too much; 0 where none would."""
        fits, asked = self.document.get("fits"), self.document.get("qty")
        if not isinstance(fits, int) or not isinstance(asked, int) or not self.refused or self.problems:
            return 0
        return fits if 0 < fits < asked else 0

    @property
    def refusal(self) -> str:
        """Why it cannot be sent, in a sentence; empty where it can."""
        if self.approved:
            return ""
        return "; ".join([*self.problems, *(f"{rule.name}: {rule.text}" for rule in self.refused)])

    @property
    def verdict(self) -> str:
        """The judgement of every rule in a few words."""
        if self.problems:
            return "CANNOT BE SENT"
        many = f"{len(self.rules)} rules"
        if self.approved:
            past = len(self.refused) + len(self.overridden)
            return f"APPROVED past {past} of {many}" if past else f"APPROVED by {many}"
        return f"REFUSED by {len(self.refused)} of {many}" if self.refused else "REFUSED"


def preview_of(text: str) -> Preview:
    """The document in `text`. Raises ValueError where it is none."""
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as fault:
        raise ValueError(f"the engine's preview cannot be read: {fault}") from fault
    rules = tuple(
        Rule(str(row.get("rule", "")), bool(row.get("ok")), str(row.get("severity", "")) == "advice",
             str(row.get("text", "")))
        for row in cast("list[dict[str, Any]]", document.get("rules") or [])
    )  # fmt: skip
    problems = tuple(str(one) for one in cast("list[Any]", document.get("problems") or []))
    return Preview(document, rules, problems, document.get("verdict") == "approved" and not problems)


def money_lines(preview: Preview, width: int) -> list[Line]:
    """What it costs, where it breaks even, what it can lose, how it moves, what it binds."""
    known = preview.document
    even = " and ".join(_plain(value) for value in cast("Sequence[Any]", known.get("break_even") or ()))
    cost = _number(known.get("cost"))
    rows = [
        (
            "notional" if known.get("notional") else "proceeds" if cost is not None and cost < 0 else "cost",
            _cost(known),
        ),
        ("break-even", even or "--"),
        ("max loss", _max_loss(known)),
        ("greeks", _greeks(cast("Mapping[str, Any]", known.get("greeks") or {}))),
        ("margin", _margin(cast("Mapping[str, Any] | None", known.get("margin")))),
        ("at broker" if known.get("stop_rests") else "protection", _guards(known)),
    ]
    return [line for name, text in rows for line in _labelled(name, text, width)]


def loud_lines(preview: Preview, width: int) -> list[Line]:
    """Problems, what would fit, failures and what is asked past, in full."""
    lines: list[Line] = []
    for problem in preview.problems:
        lines += _said("✗", problem, ink.ALARM, width)
    if preview.fewer:
        lines += _said("→", f"{preview.fewer} would fit: take fewer", ink.WARN, width)
    for rule in (*preview.refused, *preview.overridden):
        mark, style = ("!", ink.WARN) if rule.advises or rule.ok else ("✗", ink.ALARM)
        lines += _said(mark, f"{rule.name}: {rule.text}", style, width)
    return lines


def rule_lines(preview: Preview, width: int, columns: int) -> list[Line]:
    """What is loud, first; then every pass with its figures in so many columns, 0 by name.
    A figure is never cut: what is too long for a column has lines of its own."""
    lines = loud_lines(preview, width)
    passed = [_brief(rule) for rule in preview.rules if rule.ok and rule not in preview.overridden]
    if columns:
        wide = width // columns
        name = min(NAME, wide // 2)
        short = [rule for rule in passed if len(rule.text) <= wide - name - 4]
        rows = -(-len(short) // columns)
        cells = [_passed(rule, name, wide) for rule in short]
        lines += [sum(cells[row::rows], start=()) for row in range(rows)]
        long = [rule for rule in passed if rule not in short]
        return [*lines, *(line for rule in long for line in _at_length(rule, width))]
    return [*lines, *_packed([rule.name for rule in passed], width)]


def _said(mark: str, text: str, style: ink.Style, width: int) -> list[Line]:
    pieces = wrapped(text, width - 3)
    return [
        ((f"{mark if not number else ' '} ", style), (piece, style if not number else ink.TEXT))
        for number, piece in enumerate(pieces)
    ]


def _passed(rule: Rule, name: int, width: int) -> Line:
    text = ink.fit(rule.text, max(width - name - 4, 0))
    return ("✓ ", ink.UP), (ink.fit(rule.name, name), ink.DIM), (f" {text} ", ink.FAINT)


def _brief(rule: Rule) -> Rule:
    """Its figures alone."""
    if not rule.text.startswith(WITHIN):
        return rule
    return replace(rule, text=rule.text.removeprefix(WITHIN).removesuffix(")"))


def _at_length(rule: Rule, width: int) -> list[Line]:
    pieces = wrapped(f"{rule.name}: {rule.text}", width - 3)
    return [
        (("  " if number else "✓ ", ink.UP), (piece, ink.FAINT if number else ink.DIM))
        for number, piece in enumerate(pieces)
    ]


def _packed(names: Sequence[str], width: int) -> list[Line]:
    rows: list[list[Span]] = []
    room = 0
    for name in names:
        need = len(name) + 3
        if not rows or need > room:
            rows.append([])
            room = width
        rows[-1] += [("✓", ink.UP), (f"{name}  ", ink.DIM)]
        room -= need
    return [tuple(row) for row in rows]


def _labelled(name: str, text: str, width: int) -> list[Line]:
    """A figure that has no room beside the others stands under them: none is cut."""
    style = ink.FAINT if text == "--" else ink.STRONG
    return [
        ((ink.fit("" if number else name, LABEL), ink.DIM), (piece, style))
        for number, piece in enumerate(wrapped(text, width - LABEL))
    ]


def _number(value: Any) -> Decimal | None:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _money(value: Any) -> str:
    found = _number(value)
    return "--" if found is None else f"${words.money(found)}"


def _plain(value: Any) -> str:
    found = _number(value)
    return "--" if found is None else words.price(found)


def cost_of(preview: Preview) -> str:
    """`$1,120.00, fees 1.30`."""
    return _cost(preview.document)


def _cost(known: Mapping[str, Any]) -> str:
    cost = _money(str(known.get("cost", "")).removeprefix("-"))
    fees = _number(known.get("fees"))
    return f"{cost}, fees {fees:.2f}" if fees is not None and cost != "--" else cost


def _max_loss(known: Mapping[str, Any]) -> str:
    if "max_loss" in known and known["max_loss"] is None and not known.get("problems"):
        return "not limited"
    return _money(known.get("max_loss"))


def _greeks(greeks: Mapping[str, Any]) -> str:
    """Of one contract, a unit of the underlying; vega for a point of volatility."""
    found = [(sign, _number(greeks.get(name))) for sign, name in GREEKS]
    told = [
        f"{sign}{_short(value if sign != 'V' else value / 100)}" for sign, value in found if value is not None
    ]
    return " ".join(told) or "--"


def _short(value: Decimal) -> str:
    places = 3 if abs(value) < 1 else 2 if abs(value) < 100 else 0
    return f"{value:.{places}f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.{places}f}"


def _margin(margin: Mapping[str, Any] | None) -> str:
    if not margin:
        return "--"
    initial, held = _money(margin.get("initial")), _money(margin.get("maintenance"))
    return initial if initial == held else f"{initial} then {held}"


def _guards(known: Mapping[str, Any]) -> str:
    target, stop = known.get("target"), known.get("stop")
    if not target and not stop:
        return "--"
    return f"target {_plain(target)}  stop {_plain(stop) if stop else 'none'}"
