"""The smaller questions around orders: the order line, how much to close, and whether it is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.suggester import Suggester
from textual.widgets import Input, Static

from widgets import ink
from widgets.beside import BesideDialog
from widgets.dialogs import Dialog, keys_text
from widgets.ink import AMBER, GREEN, GREY, RED, WHITE
from widgets.lineinput import LONGEST, LineInput
from widgets.order import Order
from widgets.orderline import GRAMMAR, Known, LineFault, completed, completions, parse

SHOWN: Final = 64
"""Cells of a wrong line that are shown: with a longer one its mark would stand under another word."""
AROUND: Final = 40
WIDE: Final = 78


class Likeliest(Suggester):
    """Offers the rest of the word being typed."""

    def __init__(self, known: Callable[[], Known]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._known = known

    async def get_suggestion(self, value: str) -> str | None:
        whole = completed(value, self._known())
        return whole if value.strip() and whole.startswith(value) and whole != value else None


class OrderLineDialog(BesideDialog[Order]):
    """One line becomes an order; enter never sends it, a ticket looks it over first."""

    TITLE_TEXT = "ORDER LINE"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "complete", priority=True),
        Binding("up", "recall(-1)", "earlier line", priority=True),
        Binding("down", "recall(1)", "later line", priority=True),
    ]

    def __init__(self, perf: Callable[[], int], known: Callable[[], Known], before: Sequence[str]) -> None:
        super().__init__(perf)
        self._known = known
        self._before = list(before)
        self._place = len(self._before)

    def inside(self) -> ComposeResult:
        yield LineInput(placeholder="buy 2 SPX 5940C 0dte @ mid tp 23% sl 22%", id="line", max_length=LONGEST,
                    suggester=Likeliest(self._known))  # fmt: skip
        yield Static("", id="said")
        yield Static(
            keys_text(
                *((example, meaning, AMBER) for example, meaning in GRAMMAR),
                ("Tab", "Complete the word; ↑ ↓ earlier lines.", WHITE),
                ("Enter", "To the ticket, which is sent from there.", WHITE),
                cells=70,
            )
        )  # fmt: skip

    def on_mount(self) -> None:
        self.query_one("#line", Input).focus()
        self._say("")
        self.stand(WIDE)

    def on_resize(self) -> None:
        self.call_after_refresh(self.stand, WIDE)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._say(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not self.ripe:
            return
        try:
            order = parse(event.value)
        except LineFault as fault:
            self.query_one("#said", Static).update(self._plain(pointed(event.value, fault)))
            self.query_one("#line", Input).cursor_position = min(fault.end, len(event.value))
            return
        self.dismiss(order)

    def action_complete(self) -> None:
        line = self.query_one("#line", Input)
        line.value = completed(line.value, self._known())
        line.cursor_position = len(line.value)

    def action_recall(self, step: int) -> None:
        """Lines of before, the newest nearest."""
        self._place = min(max(self._place + step, 0), len(self._before))
        line = self.query_one("#line", Input)
        line.value = (*self._before, "")[self._place]
        line.cursor_position = len(line.value)

    def _say(self, value: str) -> None:
        self.query_one("#said", Static).update(self._plain(self._said(value)))

    def _said(self, value: str) -> Text:
        """What the line means so far, or what may come next."""
        offers = "  ".join(completions(value, self._known())[:8])
        next_word = Text.assemble(("next  ", GREY), (offers or "…", AMBER))
        try:
            return Text.assemble(("= ", GREEN), (str(parse(value)), f"bold {WHITE}"), "\n", next_word, "\n")
        except LineFault:
            return Text.assemble(next_word, "\n\n")

    def _plain(self, text: Text) -> Text:
        return Text(ink.plain(text.plain)) if self.app.has_class("ascii") else text


def pointed(line: str, fault: LineFault) -> Text:
    """The line, or what fits of it around the wrong word, that word marked, and under it what is wrong."""
    shown = line.rstrip().ljust(fault.start)
    first = max(min(fault.end, fault.start + AROUND) - SHOWN, 0)
    start, end = fault.start - first, min(fault.end - first, SHOWN)
    shown = shown[first : first + SHOWN]
    return Text.assemble(
        (shown[:start], GREY), (shown[start:end] or "_", f"bold reverse {RED}"), (shown[end:], GREY),
        "\n", " " * start, ("^" * (end - start), RED), "\n", (str(fault), RED), "\n",
    )  # fmt: skip


class ConfirmDialog(Dialog[bool]):
    """Says what would happen; the cursor is on leaving it, another key than enter does it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "leave", "leave it"),
        Binding("y", "agree", "do it"),
    ]

    def __init__(
        self, perf: Callable[[], int], title: str, lines: Sequence[str], doing: str, *, warn: str = ""
    ) -> None:
        super().__init__(perf)
        self._title, self._lines, self._doing, self._warn = title, list(lines), doing, warn

    def inside(self) -> ComposeResult:
        text = Text("\n".join(self._lines) + "\n", style=WHITE)
        if self._warn:
            text.append(f"\n{self._warn}\n", style=f"bold {AMBER}")
        yield Static(Text(ink.plain(text.plain)) if self.app.has_class("ascii") else text)
        yield Static(keys_text(("Enter", "leave it as it is", WHITE), ("y", self._doing, AMBER)))

    def on_mount(self) -> None:
        self.query_one("#box").border_title = self._title

    def action_agree(self) -> None:
        self.dismiss(True)


class PartDialog(Dialog[int]):
    """How many of a position to close at market; closing protects, so enter does it."""

    TITLE_TEXT = "CLOSE A PART"

    def __init__(self, perf: Callable[[], int], label: str, present: Callable[[], int]) -> None:
        """`present` is what is held now."""
        super().__init__(perf)
        self._label, self._present, self._held = label, present, present()

    def inside(self) -> ComposeResult:
        yield Static(self._said(), id="held")
        yield LineInput(str(max(self._held // 2, 1)), id="qty", type="number", max_length=6)
        yield Static("", id="wrong")
        yield Static(keys_text(("Enter", "close them", AMBER), ("Esc", "leave it", GREY)))

    def on_mount(self) -> None:
        qty = self.query_one("#qty", Input)
        qty.focus()
        qty.action_select_all()

    def beat(self) -> None:
        """A position that is sold while the question stands is not asked about as it was."""
        held, self._held = self._held, self._present()
        if held != self._held and self.is_mounted:
            self.query_one("#held", Static).update(self._said())

    def _said(self) -> Text:
        name = (self._label, f"bold {WHITE}")
        if not self._held:
            return Text.assemble(name, (": nothing is held any more.\n", RED), "There is nothing to close.\n")
        return Text.assemble(
            name, f": {self._held} held.\n", "How many to close at market? What is left stays protected.\n"
        )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not self.ripe:
            return
        if not self._held:
            self.dismiss(None)
            return
        if event.value.isdigit() and 1 <= int(event.value) <= self._held:
            self.dismiss(int(event.value))
            return
        wrong = f"{event.value or 'nothing'} is not 1 to {self._held}"
        self.query_one("#wrong", Static).update(Text(wrong, style=RED))
