"""Letters that came at once: in a line they are text, on the floor they press nothing that trades."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from textual.events import Event, Key, Paste
from textual.message import Message
from textual.widgets import Input

from station.domain.clock import MILLISECOND
from widgets.actions import ACTIONS
from widgets.dialogs import Dialog
from widgets.keyboard import BURST, Burst, is_letter, is_typed

if TYPE_CHECKING:
    from widgets.app import FloorApp

FIGURES: Final = frozenset("0123456789.%")
AHEAD: Final = 8
"""So many letters may be typed ahead on the floor while the line stalls, if none of them trades."""
TYPED_NS: Final = 250 * MILLISECOND
"""Letters of a word follow one another within this."""
TEXT: Final = 32
"""So many letters in a row go into a line as one piece."""


class Bursts:
    """A terminal without bracketed paste sends what is pasted as keys. None of them may close a position."""

    def __init__(self, app: FloorApp) -> None:
        self._app = app
        self._refused = False
        self._run: set[str] = set()
        self._typed_ns = 0

    def note(self, key: Key) -> None:
        """Every key that is pressed comes by here first."""
        if not is_letter(key):
            self._run = set()
            return
        now = self._app.perf()
        if now - self._typed_ns >= TYPED_NS:
            self._run = set()
        self._typed_ns = now
        self._run.add(key.key)

    @property
    def is_text(self) -> bool:
        """Whether the last key stands in letters typed as fast as a word is: `SPX`, meant for a line that did
        not open. One key again and again is no word."""
        return len(self._run) >= BURST

    async def take(self, burst: Burst) -> None:
        """Press these keys, or say why not; keys that no text holds are pressed in any case."""
        self._refused = (burst.rest and self._refused) or self._refuses(burst)
        keys = burst.keys
        if self._refused:
            keys = [key for key in keys if not is_typed(key)]
            self._app.tell(
                f"{burst.letters} letters came at once, as a paste does: none was taken as a key", "warn"
            )
        elif self._in_a_line:
            keys = self._as_text(keys)
        for key in keys:
            if isinstance(key, Event):
                await self._app.on_event(key)

    @property
    def _in_a_line(self) -> bool:
        return isinstance(self._app.focused, Input)

    def _refuses(self, burst: Burst) -> bool:
        if self._in_a_line or self._figures_in_a_form(burst):
            return False
        if len(self._app.screen_stack) > 1 or self._app.pages.shown is not None:
            return burst.letters >= BURST or burst.rest
        trading = {key for one in ACTIONS if one.commands for key in self._app.keys_of(one)}
        pressed = [key.key for key in burst.keys if isinstance(key, Key)]
        return burst.letters >= AHEAD or not trading.isdisjoint(pressed)

    def _figures_in_a_form(self, burst: Burst) -> bool:
        """A slow line brings a price in one piece: half of it is another price, and figures send nothing."""
        typed = {key.character for key in burst.keys if isinstance(key, Key) and is_letter(key)}
        top = self._app.screen
        return isinstance(top, Dialog) and top.TAKES_FIGURES and typed <= FIGURES

    def _as_text(self, keys: Sequence[Message]) -> list[Message]:
        """Long runs in one piece; of several lines the first, as a paste is taken."""
        found: list[Message] = []
        for one in _in_pieces(keys):
            if any(isinstance(key, Key) and key.key == "enter" for key in found) and is_typed(one):
                self._refused = True
                continue
            found.append(one)
        return found


def _in_pieces(keys: Sequence[Message]) -> Iterator[Message]:
    for letters, run in groupby(keys, is_letter):
        row = list(run)
        if letters and len(row) >= TEXT:
            yield Paste("".join(key.character or "" for key in row if isinstance(key, Key)))
        else:
            yield from row
