"""The screen's own options, and the first minutes at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from widgets import ink, themes
from widgets.actions import BY_NAME, Action
from widgets.dialogs import Dialog
from widgets.ink import AMBER, GREEN, GREY, WHITE
from widgets.preferences import KINDS, Preferences
from widgets.roles import ROLES

Keep = Callable[..., None]


_MOUSE: Final = {"auto": "on", "on": "off", "off": "auto"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One row: what it is called, what it says now, and what its key changes."""

    label: str
    said: str
    changes: dict[str, object]


def choices(likes: Preferences) -> tuple[Choice, ...]:
    """Every option as it stands, with what pressing it makes of it."""
    roles = list(ROLES)
    following = roles[(roles.index(likes.role) + 1) % len(roles)] if likes.role in roles else roles[0]
    rows = [
        Choice("theme", likes.theme, {"theme": themes.after(likes.theme)}),
        Choice("slow link, 2 paints a second", _word(likes.slow), {"slow": not likes.slow}),
        Choice("order of the screens", likes.role, {"role": following}),
        Choice("mouse; auto: not over SSH", likes.mouse, {"mouse": _MOUSE.get(likes.mouse, "auto")}),
    ]
    for kind, label in KINDS.items():
        rows.append(Choice(f"bell: {label}", _word(likes.rings(kind)), _silent(likes, "silent_bells", kind)))
        rows.append(
            Choice(f"banner: {label}", _word(likes.shows(kind)), _silent(likes, "silent_banners", kind))
        )
    return tuple(rows)


def _word(on: bool) -> str:
    return "on" if on else "off"


def _silent(likes: Preferences, field: str, kind: str) -> dict[str, object]:
    return {field: getattr(likes.switched(field, kind), field)}


ROUND_IT: Final = 12
"""Lines of the terminal that the rows leave to the frame, the header with the kill state and the keys."""


class OptionsDialog(Dialog[None]):
    """Up and down choose, space or enter changes; every change holds at once. Rows without room follow the
    mark."""

    TITLE_TEXT = "THIS SCREEN"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up"),
        Binding("down,j", "move(1)", "down"),
        Binding("space,enter,right", "change", "change"),
        Binding("q", "leave", "close"),
    ]

    def __init__(self, perf: Callable[[], int], likes: Callable[[], Preferences], keep: Keep) -> None:
        super().__init__(perf)
        self._likes, self._keep = likes, keep
        self._place = 0

    def inside(self) -> ComposeResult:
        yield Static(self._rows(), id="rows")
        yield Static(Text("\nspace changes it; Esc closes. What is critical always rings.", style=GREY))

    def _rows(self) -> Text:
        text = Text()
        plain = self.app.has_class("ascii")
        rows = choices(self._likes())
        room = max(self.app.size.height - ROUND_IT, 1)
        first = min(max(self._place - room // 2, 0), max(len(rows) - room, 0))
        for place, choice in list(enumerate(rows))[first : first + room]:
            here = place == self._place
            mark = ("> " if plain else "▸ ") if here else "  "
            text.append(f"{mark}{choice.label:<34}", style=f"bold {WHITE}" if here else "")
            tone = GREY if choice.said == "off" else GREEN if choice.said == "on" else AMBER
            text.append(f"{choice.said}\n", style=f"bold {tone}" if here else tone)
        text.right_crop(1)
        return text

    def action_move(self, step: int) -> None:
        count = len(choices(self._likes()))
        self._place = (self._place + step) % count
        self.query_one("#rows", Static).update(self._rows())

    def action_change(self) -> None:
        self._keep(**choices(self._likes())[self._place].changes)
        self.query_one("#rows", Static).update(self._rows())


FIVE: Final = ("kill", "close", "gate", "help", "quit")
"""The keys that matter in the first minutes."""
_MEANINGS: Final = {
    "kill": "Kill switch, anywhere. Pressed again: close everything.",
    "close": "Close the position under the cursor at market.",
    "gate": "Open or close the gate to new trades.",
    "help": "Every key; each pane and screen has its own.",
    "quit": "Leave. The engine goes on protecting what is open.",
}


class GreetingDialog(Dialog[None]):
    """What runs, that it is paper money, and the five keys that matter."""

    TITLE_TEXT = "WELCOME"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space,q", "leave", "begin")]

    def __init__(self, perf: Callable[[], int], shown: Callable[[Action], str]) -> None:
        super().__init__(perf)
        self._shown = shown

    def inside(self) -> ComposeResult:
        yield Static(self._text())

    def _text(self) -> Text:
        header = getattr(self.app, "link").view.floor.header  # noqa: B009
        live = header is not None and header.environment == "LIVE"
        text = Text()
        text.append("The engine is at work beside this screen, and goes on when the screen closes.\n")
        if live:
            text.append("This is LIVE money at the broker.\n\n", style=f"bold {AMBER}")
        else:
            broker = (
                "its own simulated exchange" if header is None or header.broker == "paper" else header.broker
            )
            text.append(
                f"This is PAPER money on {broker}: nothing here can cost you a cent.\n\n",
                style=f"bold {GREEN}",
            )
        for name in FIVE:
            text.append(ink.fit(self._shown(BY_NAME[name]), 6), style=f"bold {AMBER}")
            text.append(f"{_MEANINGS[name]}\n")
        text.append("\nWhen a scanner fires and a strategy agrees, a trade appears under positions with its ")
        text.append("target, its shield and the sell that already works at the broker. ")
        text.append("Enter begins.", style=f"bold {WHITE}")
        return text
