"""Jump mode: every pane and screen by one key, their letters lit up on the floor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from rich.text import Text
from textual.app import ComposeResult
from textual.events import Key
from textual.widgets import Static

from widgets.actions import PANES, SCREENS
from widgets.dialogs import Dialog
from widgets.ink import AMBER, GREY, WHITE

FLOOR: Final = "floor"
SCREEN_KEYS: Final = "1234567890"
_KEY, _HERE, _AWAY = f"bold {AMBER}", WHITE, GREY
_COLUMNS: Final = 3


class JumpDialog(Dialog[str]):
    """Answers with the name of a pane, of a screen, or `floor`. `letter` tells a pane's key as printed."""

    TITLE_TEXT = "JUMP"

    def __init__(self, perf: Callable[[], int], letter: Callable[[str], str], shown: frozenset[str]) -> None:
        super().__init__(perf)
        self._shown = shown
        self._panes = {letter(entry.name): entry for entry in PANES}
        self._screens = dict(zip(SCREEN_KEYS, SCREENS, strict=True))

    @property
    def ripe(self) -> bool:
        """Nothing here trades: its keys are taken at once."""
        return True

    def inside(self) -> ComposeResult:
        yield Static(Text("\n").join(self._lines()))

    def _lines(self) -> Iterator[Text]:
        cells = [(key, entry.label, entry.name in self._shown) for key, entry in self._panes.items()]
        yield from _table(cells)
        yield Text()
        yield from _table([(key, entry.label, False) for key, entry in self._screens.items()])
        yield Text()
        yield Text.assemble(("space", _KEY), (" the floor   ", _AWAY), ("Esc", _KEY), (" stays", _AWAY))

    def on_key(self, event: Key) -> None:
        pressed = event.character or event.key
        entry = self._panes.get(pressed) or self._screens.get(pressed)
        if entry is not None or event.key == "space":
            event.stop()
            self.dismiss(FLOOR if entry is None else entry.name)


def _table(cells: list[tuple[str, str, bool]]) -> Iterator[Text]:
    for first in range(0, len(cells), _COLUMNS):
        row = cells[first : first + _COLUMNS]
        yield Text.assemble(
            *((part, style) for key, label, seen in row
              for part, style in ((f"{key} ", _KEY), (f"{label:<19}", _HERE if seen else _AWAY)))
        )  # fmt: skip
