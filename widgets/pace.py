"""How often the screen paints by itself: every beat, or every second one where the terminal cannot keep up."""

from __future__ import annotations

from typing import Final

SLOW_HZ: Final = 2.0
BACKED_UP: Final = 3
"""So many beats one after another with frames still waiting, and the link is slow."""
CLEAR_AFTER_S: Final = 30.0
"""A link found slow is tried at full pace again after so long without a frame that waited."""


class Pace:
    """Asked once a beat of `hz`. `chosen` is the trader's word for a slow link, `found` the screen's own."""

    def __init__(self, hz: float, *, chosen: bool = False) -> None:
        self._every = max(round(hz / SLOW_HZ), 1)
        self._clear_after = round(CLEAR_AFTER_S * hz)
        self.chosen = chosen
        self.found = False
        self._beats = 0
        self._waiting = 0
        self._clear = 0

    @property
    def slow(self) -> bool:
        return self.chosen or self.found

    def due(self, congested: bool) -> bool:
        """Whether to paint at this beat; `congested` says that frames still wait for the terminal."""
        self._beats += 1
        self._waiting = self._waiting + 1 if congested else 0
        self._clear = 0 if congested else self._clear + 1
        if self._waiting >= BACKED_UP:
            self.found = True
        elif self.found and self._clear >= self._clear_after:
            self.found = False
        return not self.slow or self._beats % self._every == 0
