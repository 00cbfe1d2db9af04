"""Dialogs about the station as a whole: its locked symbols, its accounts side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from widgets import ink, words
from widgets.asking import LineDialog
from widgets.dialogs import RELEASE_WORD, Dialog
from widgets.ink import GREY, WHITE

COLUMNS: Final = (
    ("account", 20),
    ("", 8),
    ("start", 11),
    ("result", 11),
    ("fees", 9),
    ("fills", 6),
    ("open", 5),
)
FIGURES_FROM: Final = 2


def lift_dialog(perf: Callable[[], int], locked: Sequence[tuple[str, str]]) -> LineDialog:
    """Asks for the word and the symbol: `RELEASE SPX`; enter alone lifts nothing."""
    names = [name for name, _ in locked]

    def wrong(line: str) -> str:
        return (
            "" if symbol_of(line) in names else f"{line!r} is not {RELEASE_WORD} and one of {', '.join(names)}"
        )

    return LineDialog(
        perf, "LIFT A QUARANTINE",
        f"Type {RELEASE_WORD} and the symbol. The engine reconciles first and refuses on any break.",
        check=wrong, more=tuple(f"{name}: {reason}" for name, reason in locked),
    )  # fmt: skip


def symbol_of(line: str) -> str:
    """The symbol of `RELEASE SPX`, empty where it is not said so."""
    word, _, symbol = line.strip().partition(" ")
    return symbol.strip().upper() if word == RELEASE_WORD else ""


class ProfilesDialog(Dialog[None]):
    """Every paper account with its result, as its own book tells it."""

    TITLE_TEXT = "ACCOUNTS"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,q,i", "leave", "close"),
        Binding("down,j", "scroll(1)", "down"),
        Binding("up,k", "scroll(-1)", "up"),
    ]

    def __init__(self, perf: Callable[[], int], document: str) -> None:
        super().__init__(perf)
        self._rows = msgspec.json.decode(document, type=dict[str, Any]).get("profiles", [])

    def inside(self) -> ComposeResult:
        with VerticalScroll(id="pages", can_focus=False):
            yield Static(profile_table(self._rows))
        yield Static(
            Text("\nA result is cash over start; what is open counts at nothing. Another account is run with "
                 "--profile NAME; [profiles.NAME] in station.toml makes one.", style=GREY)
        )  # fmt: skip

    def action_scroll(self, step: int) -> None:
        self.query_one("#pages", VerticalScroll).scroll_relative(y=step, animate=False)


def profile_table(rows: Sequence[Mapping[str, Any]]) -> Text:
    """A line an account, its own settings under it."""
    text = Text(_columns([name for name, _ in COLUMNS]), style=GREY)
    for row in rows:
        state = "runs" if row.get("running") else "stopped" if row.get("session") else "new"
        sums = [
            _money(row.get("start_cash")),
            _money(row.get("result"), words.signed_money),
            _money(row.get("fees")),
        ]
        counts = ["-" if row.get(name) is None else str(row[name]) for name in ("executions", "open_contracts")]
        cells = [f"{row.get('name')} {row.get('account')}", state, *sums, *counts]
        text.append(f"\n{_columns(cells)}", style=WHITE)
        settings = ", ".join(f"{name} {value}" for name, value in (row.get("settings") or {}).items())
        if settings:
            text.append(f"\n  {settings}", style=GREY)
    return text


def _columns(cells: Sequence[str]) -> str:
    """Names at the left of their columns, figures at the right, so that their points stand under each other."""
    fitted = zip(cells, COLUMNS, strict=True)
    return "".join(
        ink.fit(one, width) if place < FIGURES_FROM else f"{one:>{width}}"
        for place, (one, (_, width)) in enumerate(fitted)
    )


def _money(amount: object, said: Callable[[Decimal], str] = words.money) -> str:
    """`35,000.00`; as it was told where it is no number."""
    if amount is None:
        return "-"
    try:
        return said(Decimal(str(amount)))
    except ArithmeticError:
        return str(amount)
