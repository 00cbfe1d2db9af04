"""The engine as a screen sees it, whichever side of a socket it is on."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

import msgspec

from station.domain.errors import Retryable
from station.link.asked import ASKED, Ask, AskedPart
from station.link.floor import PART_NAMES, Floor
from station.link.messages import Command, Reply


class LinkDown(Retryable):
    """No engine answered; nothing may be concluded about whether a command took effect."""


class LinkState(Enum):
    CONNECTING = "connecting"
    CONNECTED = "connected"
    SILENT = "silent"
    LOST = "lost"
    MISMATCH = "mismatch"
    CLOSED = "closed"


class View:
    """The newest floor a screen holds, and how often each part has arrived. `heard_ns` is host monotonic;
    `late` counts answers to what was no longer asked."""

    def __init__(self) -> None:
        self.floor = Floor()
        self.versions: dict[str, int] = dict.fromkeys((*PART_NAMES, *ASKED), 0)
        self.heard_ns = 0
        self.asks: tuple[Ask, ...] = ()
        self.late = 0

    def aim(self, asks: tuple[Ask, ...], *, answered: bool = True) -> None:
        """From now on these are asked; what answers none of them is forgotten. Where nobody would answer
        (`answered` False), what is not asked for is kept as a memory, unless something else is in its place."""
        self.asks = asks
        wanted = {ask.part for ask in asks}
        for name in ASKED:
            part: AskedPart | None = getattr(self.floor, name)
            if part is not None and part.ask not in asks and (answered or name in wanted):
                self.floor = msgspec.structs.replace(self.floor, **{name: None})
                self.versions[name] += 1

    def answer(self, name: str, part: AskedPart) -> bool:
        """Adopt an answer that is still asked for; True for the first to its ask, and when its state turned."""
        if part.ask not in self.asks:
            self.late += 1
            return False
        before: AskedPart | None = getattr(self.floor, name)
        fresh = before is None or before.state != part.state
        self.floor = msgspec.structs.replace(self.floor, **{name: part})
        self.versions[name] += 1
        return fresh


class Link(Protocol):
    """One typed command port and one view. Nothing here raises into a screen but `ask`."""

    view: View
    on_news: Callable[[], None]
    """Called when what was newly asked for has come."""

    @property
    def state(self) -> LinkState: ...

    @property
    def detail(self) -> str:
        """One line on the state: why it is lost, what does not match."""
        ...

    async def open(self) -> None:
        """Begin attaching; returns at once."""
        ...

    async def close(self) -> None: ...

    def pull(self) -> None:
        """Bring the view up to date where that is the reader's work (in process)."""
        ...

    def look(self, asks: tuple[Ask, ...]) -> None:
        """Say what the screen shows besides the plain floor; returns at once."""
        ...

    async def ask(self, command: Command, timeout_s: float = 5.0) -> Reply:
        """The engine's reply. Raises LinkDown when there was none in time."""
        ...


def nobody() -> None:
    """A listener to news that does not listen."""
