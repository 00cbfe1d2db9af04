"""The engine as a screen sees it, whichever side of a socket it is on."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from station.domain.errors import Retryable
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
    """The newest floor a screen holds, and how often each part has arrived. `heard_ns` is host monotonic."""

    def __init__(self) -> None:
        self.floor = Floor()
        self.versions: dict[str, int] = dict.fromkeys(PART_NAMES, 0)
        self.heard_ns = 0


class Link(Protocol):
    """One typed command port and one view. Nothing here raises into a screen but `ask`."""

    view: View

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

    async def ask(self, command: Command, timeout_s: float = 5.0) -> Reply:
        """The engine's reply. Raises LinkDown when there was none in time."""
        ...
