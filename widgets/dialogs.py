"""The questions the floor asks. Keys are swallowed for 300 ms after one opens."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import ClassVar, Final, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Event, Key
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from station.domain.clock import MILLISECOND
from widgets import ink
from widgets.actions import ACTIONS, CHART, DEAL, LOOK, PROTECT, SCREEN, STATION, Action
from widgets.frames import FrameCompositor
from widgets.ink import AMBER, GREEN, GREY, RED, WHITE
from widgets.lineinput import LineInput
from widgets.orderline import GRAMMAR
from widgets.sight import TIMEFRAMES

SWALLOW_NS: Final = 300 * MILLISECOND
RELEASE_WORD: Final = "RELEASE"
Answer = TypeVar("Answer")


class LeftOnce(ModalScreen[Answer]):
    """A second key that came with the first, or an answer that came late, takes no other screen away: the
    toolkit leaves whichever is on top, or dies where none is. Its frames are as small as the floor's."""

    def __init__(self, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name, id, classes)
        self._compositor = FrameCompositor()

    def draw_behind(self, changed: Collection[Region]) -> None:
        """These cells of what it stands before. To refresh it would do as well, were what is to be drawn of its
        own not forgotten with that."""
        self._set_dirty(*changed)
        self._dirty_widgets.add(self)
        self.check_idle()

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        return super().dismiss(result) if self.is_current else AwaitComplete()


class Dialog(LeftOnce[Answer]):
    """A small modal, `ripe` once it has been open long enough for a key to be meant for it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "close", show=False)]
    TITLE_TEXT: ClassVar[str] = ""
    TAKES_FIGURES: ClassVar[bool] = False
    """Keys of a price or a number are typed into it, though no line of text has them."""

    def __init__(self, perf: Callable[[], int]) -> None:
        super().__init__()
        self._perf = perf
        self._opened_ns = perf()

    @property
    def ripe(self) -> bool:
        return self._perf() - self._opened_ns >= SWALLOW_NS

    def _forward_event(self, event: Event) -> None:
        if isinstance(event, Key) and not self.ripe:
            return
        super()._forward_event(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that were under way when it opened look for their binding here too. Whoever has typed into its
        line has seen it: that hand leaves it at once."""
        seen = action == "leave" and any(line.written for line in self.query(LineInput))
        return (self.ripe or seen) and super().check_action(action, parameters)

    def compose(self) -> ComposeResult:
        box = Vertical(id="box")
        box.border_title = self.TITLE_TEXT
        with box:
            yield from self.inside()

    def inside(self) -> ComposeResult:
        yield Static()

    def action_leave(self) -> None:
        self.dismiss(None)


class KillDialog(Dialog[None]):
    """Shows what became of the kill; the second step is the same key again, which the app handles."""

    TITLE_TEXT = "KILL SWITCH"

    def __init__(self, perf: Callable[[], int], word: str, tone: str) -> None:
        super().__init__(perf)
        self._word, self._tone = word, tone
        self._flattening = self._is_held = self._only_looks = False

    def inside(self) -> ComposeResult:
        yield Static(self._said(), id="said")
        yield Static(self._next(), id="next")

    def on_mount(self) -> None:
        self.query_one("#said", Static).update(self._said())
        self.query_one("#next", Static).update(self._next())

    def _next(self) -> Text:
        if self._only_looks:
            done = "Nothing here: a screen that trades throws it, or `python app.py kill` in a shell."
            return keys_text(("F12", done, RED), ("Esc", "leave it at that", GREY))
        more = "once more: close every position at market"
        if self._flattening:
            more = "again: ask for it once more"
        if self._is_held:
            more = f"held down counts once. Let go, then {more}"
        return keys_text(("F12", more, RED), ("Esc", "leave it at that", GREY))

    def flattening(self) -> None:
        """Every position is being closed: the same key does no more than that."""
        self._flattening, self._is_held = True, False
        self._tell_next()

    def only_looks(self) -> None:
        """This screen is attached read-only: no press of it does anything."""
        self._only_looks = True
        self._tell_next()

    def held(self) -> None:
        """The key is held down, which is no second press."""
        self._is_held = True
        self._tell_next()

    def _tell_next(self) -> None:
        if self.is_mounted:
            self.query_one("#next", Static).update(self._next())

    def tell(self, word: str, tone: str) -> None:
        """The newest word on it: tone is info, good or bad."""
        self._word, self._tone = word, tone
        if self.is_mounted:
            self.query_one("#said", Static).update(self._said())

    def _said(self) -> Text:
        colour = {"good": GREEN, "bad": RED}.get(self._tone, WHITE)
        word = ink.plain(self._word) if self.app.has_class("ascii") else self._word
        return Text(f"{word}\n", style=f"bold {colour}")


class TypedDialog(Dialog[str]):
    """A line is typed into it; what is wrong with it stands under it."""

    def line(self, value: str = "") -> ComposeResult:
        yield LineInput(value=value, id="word")
        yield Static("", id="wrong")

    def on_mount(self) -> None:
        self.query_one("#word", Input).focus()

    def refuse(self, wrong: str, *, anew: bool = True) -> None:
        """Say what is wrong, the line cleared (`anew`) or left to be mended."""
        self.query_one("#wrong", Static).update(Text(wrong, style=RED))
        if anew:
            self.query_one("#word", Input).clear()


class ReleaseDialog(TypedDialog):
    """Asks for the word."""

    TITLE_TEXT = "RELEASE THE KILL SWITCH"

    def __init__(self, perf: Callable[[], int], reason: str) -> None:
        super().__init__(perf)
        self._reason = reason

    def inside(self) -> ComposeResult:
        why = f"It is on: {self._reason}.\n" if self._reason else ""
        yield Static(
            Text.assemble(
                why, "Entries can open again. The engine reconciles first and refuses on any break.\n\n",
                "Type ", (RELEASE_WORD, f"bold {AMBER}"), " and press Enter; Esc leaves it on.",
            )
        )  # fmt: skip
        yield from self.line()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value == RELEASE_WORD:
            self.dismiss(event.value)
        else:
            self.refuse(f"{event.value!r} is not {RELEASE_WORD}: the kill switch stays on")


class GateDialog(Dialog[str]):
    """Three states, one key each, applied at once."""

    TITLE_TEXT = "MARKET GATE"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "choose('open')", "open"),
        Binding("r", "choose('reducing')", "reducing"),
        Binding("c", "choose('closed')", "closed"),
    ]

    def __init__(self, perf: Callable[[], int], now: str) -> None:
        super().__init__(perf)
        self._now = now

    def inside(self) -> ComposeResult:
        yield Static(Text.assemble("now ", (self._now or "unknown", f"bold {WHITE}"), "\n"))
        yield Static(
            keys_text(
                ("o", "open       entries may be sent", AMBER),
                ("r", "reducing   only what shrinks exposure", AMBER),
                ("c", "closed     nothing but protection", AMBER),
                ("Esc", "leave it", GREY),
            )
        )

    def action_choose(self, state: str) -> None:
        self.dismiss(state)


class QuitDialog(Dialog[str]):
    """Detach or stop; the default is detach while anything is open. `standing` is what is, as last known; of an
    engine that is not `reachable` nothing is promised, and it cannot be stopped from here."""

    TITLE_TEXT = "LEAVE"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "choose('detach')", "detach"),
        Binding("s", "choose('stop')", "stop"),
        Binding("enter", "choose('')", "default"),
        Binding("q", "leave", "stay"),
    ]

    def __init__(
        self, perf: Callable[[], int], standing: str, *, reachable: bool, can_detach: bool, can_stop: bool
    ) -> None:  # fmt: skip
        super().__init__(perf)
        self._standing = standing
        self._reachable = reachable
        can_detach, can_stop = can_detach or not reachable, can_stop and reachable
        self._can = {"detach": can_detach, "stop": can_stop}
        prefers_detach = can_detach and (bool(standing) or not can_stop)
        self.default = "detach" if prefers_detach else "stop"

    def inside(self) -> ComposeResult:
        if not self._reachable:
            yield from self._unreached()
            return
        standing = self._standing or "Nothing is open and nothing is working."
        yield Static(Text(f"{standing}\n", style=AMBER if self._standing else WHITE))
        rows: list[tuple[str, str, str]] = []
        if self._can["detach"]:
            rows.append(("d", "detach: the engine goes on, protecting what is open", AMBER))
        if self._can["stop"]:
            rows.append(("s", "stop the engine: nothing watches open positions then", AMBER))
        rows += [("Enter", self.default, WHITE), ("Esc", "stay", GREY)]
        yield Static(keys_text(*rows))

    def _unreached(self) -> ComposeResult:
        last = f"; as last known: {self._standing}" if self._standing else ": what is open is not known here"
        yield Static(Text(f"The engine is not reached{last}.\n", style=AMBER))
        yield Static(
            keys_text(("d", "leave; `app.py status` tells whether an engine runs", AMBER),
                      ("Enter", "leave", WHITE), ("Esc", "stay", GREY))
        )  # fmt: skip

    def action_choose(self, answer: str) -> None:
        chosen = answer or self.default
        if self._can[chosen]:
            self.dismiss(chosen)


class SymbolDialog(TypedDialog):
    """A symbol by its first letters."""

    TITLE_TEXT = "SYMBOL"

    def __init__(self, perf: Callable[[], int], symbols: tuple[str, ...]) -> None:
        super().__init__(perf)
        self._symbols = symbols

    def inside(self) -> ComposeResult:
        yield Static(Text.assemble("One of ", (" ".join(self._symbols), f"bold {WHITE}"), ". Enter takes it."))
        yield from self.line()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        typed = event.value.strip().upper()
        found = next((one for one in self._symbols if one == typed), None) or next(
            (one for one in self._symbols if typed and one.startswith(typed)), None
        )
        if found is not None:
            self.dismiss(found)
            return
        self.refuse(f"{event.value!r} is not watched; choose one of {', '.join(self._symbols)}")


class HelpDialog(Dialog[None]):
    """Every key: those of the pane in focus first, then the action table."""

    TITLE_TEXT = "KEYS"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1,q,enter", "leave", "close"),
        Binding("down,j", "scroll(1)", "down"),
        Binding("up,k", "scroll(-1)", "up"),
        Binding("pagedown,space", "scroll(12)", "page down"),
        Binding("pageup", "scroll(-12)", "page up"),
    ]

    def __init__(
        self, perf: Callable[[], int], shown: Callable[[Action], str], pane: str,
        own: tuple[tuple[str, str], ...],
    ) -> None:  # fmt: skip
        super().__init__(perf)
        self._shown = shown
        self._pane, self._own = pane, own

    def inside(self) -> ComposeResult:
        with VerticalScroll(id="pages", can_focus=False):
            if self._own:
                yield Static(Text(f"In {self._pane}", style=f"bold {WHITE}"))
                yield Static(Text.assemble(keys_text(*((key, text, AMBER) for key, text in self._own)), "\n"))
            for group in (PROTECT, DEAL, LOOK, CHART, SCREEN, STATION):
                rows = [
                    (self._shown(one), one.help, AMBER) for one in ACTIONS if one.group == group and one.listed
                ]
                if group == CHART:
                    rows.append(("1 … 9 0", f"Timeframe: {', '.join(TIMEFRAMES)}.", AMBER))
                if group == LOOK:
                    rows.append(("ctrl+p", "All of this by name.", AMBER))
                yield Static(Text(group, style=f"bold {WHITE}"))
                yield Static(Text.assemble(keys_text(*rows), "\n"))
                if group == DEAL:
                    lines = [(example, meaning, AMBER) for example, meaning in GRAMMAR]
                    yield Static(Text("An order line", style=f"bold {WHITE}"))
                    yield Static(Text.assemble(keys_text(*lines), "\n"))

    def on_mount(self) -> None:
        self.call_after_refresh(self._tell_more)

    def on_resize(self) -> None:
        self.call_after_refresh(self._tell_more)

    def action_scroll(self, step: int) -> None:
        self.query_one("#pages", VerticalScroll).scroll_relative(y=step, animate=False)
        self.call_after_refresh(self._tell_more)

    def _tell_more(self) -> None:
        """Nothing else tells that the page goes on: it has no scrollbar."""
        if not self.is_running:
            return
        pages = self.query_one("#pages", VerticalScroll)
        below, above = pages.scroll_y < pages.max_scroll_y, pages.scroll_y > 0
        said = f"{'↓' if below else '↑'} more: arrows, PgUp, PgDn" if below or above else ""
        self.query_one("#box").border_subtitle = ink.plain(said) if self.app.has_class("ascii") else said


def keys_text(*rows: tuple[str, str, str], cells: int = 58) -> Text:
    """Aligned `key  what it does` lines, the description hanging under itself."""
    text = Text()
    width = max(len(key) for key, _, _ in rows) + 2
    for number, (key, meaning, colour) in enumerate(rows):
        pieces = _hanging(meaning, cells - width)
        text.append(("\n" if number else "") + ink.fit(key, width), style=f"bold {colour}")
        text.append(f"\n{' ' * width}".join(pieces))
    return text


def _hanging(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    lines: list[str] = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
