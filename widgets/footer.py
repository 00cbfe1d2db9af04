"""The last two lines: the newest word from the engine, and the keys."""

from __future__ import annotations

from collections.abc import Callable

from widgets import ink
from widgets.actions import ACTIONS, BY_NAME, Action
from widgets.canvas import LineCanvas
from widgets.ink import Line


class NoticeLine(LineCanvas):
    """One line for what just happened: `tell` replaces it, `fade` makes it a memory."""

    _tones = {"info": ink.TEXT, "good": ink.UP, "warn": ink.WARN, "bad": ink.ALARM}  # noqa: RUF012

    _told: Line = ()

    def tell(self, text: str, tone: str = "info") -> None:
        self._told = ((" ", ink.TEXT), (text, self._tones[tone]))
        self.show([self._told])

    def fade(self) -> None:
        self._told = ink.faded(self._told)
        self.show([self._told])

    def on_resize(self) -> None:
        """Also what was told before there was a line to tell it on."""
        self.show([self._told])


class KeyLine(LineCanvas):
    """The keys that matter, the kill key first."""

    def __init__(
        self, *, id: str, shown: Callable[[Action], str], offers: Callable[[Action], bool], ascii_only: bool
    ) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._offers = offers
        self._shown = shown
        self._own: tuple[tuple[str, str], ...] = ()

    def tell(self, own: tuple[tuple[str, str], ...]) -> None:
        """The keys of the screen shown, (key, word); none on the floor."""
        self._own = own
        self.on_resize()

    def on_resize(self) -> None:
        width = self.size.width
        self.show(
            [_own_keys(width, self._own, self._shown) if self._own else _keys(width, self._shown, self._offers)]
        )


def _kill() -> Line:
    return tuple((f" {action.shown} {action.label} ", ink.KILL) for action in ACTIONS if action.fixed)


def _own_keys(width: int, own: tuple[tuple[str, str], ...], shown: Callable[[Action], str]) -> Line:
    floor, help_, leave = ((shown(BY_NAME[name]), BY_NAME[name].label) for name in ("floor", "help", "quit"))
    every = (floor, *own, help_, leave, ("ctrl+p", "all"))
    return _fitted([_hint(key, word) for key, word in every], _hint(*help_), width)


def _hint(key: str, word: str) -> Line:
    return ((f"  {key} ", ink.KEY), (word, ink.DIM))


def _fitted(hints: list[Line], always: Line, width: int) -> Line:
    """As many as there is room for, in order; one of them in any case."""
    line = ink.packed(_kill(), hints, width)
    if any(line[n : n + len(always)] == always for n in range(len(line))):
        return line
    others = [hint for hint in hints if hint != always]
    return (*ink.packed(_kill(), others, width - ink.width_of(always)), *always)


def _keys(width: int, shown: Callable[[Action], str], offers: Callable[[Action], bool]) -> Line:
    hints = [
        _hint(shown(action), action.label)
        for action in ACTIONS
        if action.footer and not action.fixed and offers(action)
    ]
    hints += [
        _hint("1-9", "timeframe"), _hint(shown(BY_NAME["next"]), "pane"), _hint("F3-F11", "screens"),
        _hint("ctrl+p", "all"),
    ]  # fmt: skip
    return _fitted(hints, _hint(shown(BY_NAME["help"]), BY_NAME["help"].label), width)
