"""Whether a key was pressed once more, or is held down and repeats itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from station.domain.clock import MILLISECOND, SECOND

GAP_NS: Final = 120 * MILLISECOND
"""Presses nearer to each other are one run: keyboards repeat a key every 30 to 92 ms, a finger seldom under
150."""
RUN: Final = 4
"""So many in a run are a key held down; fewer are a hurried hand."""


class Repeats:
    """Hears presses of one key. `meant` follows a press that none follows at once, `held` the run that tells of
    a key held down; its presses count for nothing. A repeat looks like a press until the next one comes: hence
    the wait of GAP_NS, and no other."""

    def __init__(
        self, perf: Callable[[], int], pause: Callable[[float], Awaitable[None]], *,
        meant: Callable[[], None], held: Callable[[], None],
    ) -> None:  # fmt: skip
        self._perf, self._pause = perf, pause
        self._meant, self._held = meant, held
        self._presses = 0
        self._last_ns = 0

    def press(self) -> bool:
        """Count a press; whether it is the first of its run, which `judge` has to be awaited for."""
        self._last_ns = self._perf()
        self._presses += 1
        if self._presses == RUN:
            self._held()
        return self._presses == 1

    async def judge(self) -> None:
        """Wait for the run to end."""
        while (left_ns := self._last_ns + GAP_NS - self._perf()) > 0:
            await self._pause(left_ns / SECOND)
        presses, self._presses = self._presses, 0
        if presses < RUN:
            self._meant()
