"""One line of words asked for: a filter, a note, a tag; or one word, to mean what is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Input, Static

from widgets.dialogs import Answer, Dialog, KillDialog, TypedDialog
from widgets.ink import AMBER, GREY

if TYPE_CHECKING:
    from widgets.app import FloorApp


class LineDialog(TypedDialog):
    """`check` says what is wrong with a line, empty where nothing is; `more` are lines of help."""

    def __init__(
        self, perf: Callable[[], int], title: str, said: str, *, value: str = "", more: tuple[str, ...] = (),
        check: Callable[[str], str] = lambda _line: "",
    ) -> None:  # fmt: skip
        super().__init__(perf)
        self._title, self._said, self._value, self._more = title, said, value, more
        self._check = check

    def inside(self) -> ComposeResult:
        yield Static(self._said)
        yield from self.line(self._value)
        for line in self._more:
            yield Static(Text(line, style=GREY))

    def on_mount(self) -> None:
        self.query_one("#box").border_title = self._title

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        wrong = self._check(event.value)
        if wrong:
            self.refuse(wrong, anew=False)
        else:
            self.dismiss(event.value)


class WordDialog(TypedDialog):
    """Says what is about to be done, and does it only for the whole word: enter alone never does."""

    def __init__(self, perf: Callable[[], int], title: str, said: str, word: str) -> None:
        super().__init__(perf)
        self._title, self._said, self._word = title, said, word

    def inside(self) -> ComposeResult:
        yield Static(
            Text.assemble(
                f"{self._said}\n\nType ", (self._word, f"bold {AMBER}"), " and press Enter; Esc leaves it."
            )
        )
        yield from self.line()

    def on_mount(self) -> None:
        self.query_one("#box").border_title = self._title

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value == self._word:
            self.dismiss(event.value)
            return
        self.refuse(f"{event.value!r} is not {self._word}: nothing is done")


def ask_late(
    app: FloorApp, dialog: Dialog[Answer], answered: Callable[[Answer | None], None] | None = None
) -> None:
    """Open what an answer of the engine leads to, but never over what was opened since: a second F12 has to
    find the kill dialog."""
    if len(app.screen_stack) == 1:
        app.push_screen(dialog, answered)
    elif not isinstance(app.screen, KillDialog):
        app.tell("the answer came while another dialog was open: ask again", "warn")
