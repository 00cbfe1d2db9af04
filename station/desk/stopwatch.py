"""Latency of the two paths that matter, measured on the host's monotonic clock; never part of a decision."""

from __future__ import annotations

from collections import deque
from typing import Final

from station.domain.clock import MILLISECOND, Clock

SIGNAL_TO_WIRE: Final = "signal_to_wire"
FILL_TO_PROTECT: Final = "fill_to_protect"
SIGNAL_TO_SEND: Final = "signal_to_send"
FILL_TO_SEND: Final = "fill_to_send"
"""To the moment at which the broker is handed the order; to the wire, it has taken it."""
_KEPT: Final = 4096


class Stopwatch:
    """Laps by path: started once under a key, stopped once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started: dict[tuple[str, str], int] = {}
        self.laps: dict[str, deque[int]] = {
            path: deque(maxlen=_KEPT)
            for path in (SIGNAL_TO_WIRE, FILL_TO_PROTECT, SIGNAL_TO_SEND, FILL_TO_SEND)
        }

    def start(self, path: str, key: str) -> None:
        self._started.setdefault((path, key), self._clock.perf())

    def move(self, path: str, key: str, to: str) -> None:
        """Go on under another key: a signal became a trade."""
        began = self._started.pop((path, key), None)
        if began is not None:
            self._started.setdefault((path, to), began)

    def split(self, path: str, key: str, into: str) -> None:
        """A lap of `into`, while `path` goes on."""
        began = self._started.get((path, key))
        if began is not None:
            self.laps[into].append(self._clock.perf() - began)

    def stop(self, path: str, key: str) -> None:
        began = self._started.pop((path, key), None)
        if began is not None:
            self.laps[path].append(self._clock.perf() - began)

    def drop(self, path: str, key: str) -> None:
        self._started.pop((path, key), None)

    def quantile_ms(self, path: str, share: float) -> float | None:
        """The value below which `share` of the laps lie, milliseconds; None without laps."""
        laps = sorted(self.laps[path])
        if not laps:
            return None
        at = min(int(share * len(laps)), len(laps) - 1)
        return round(laps[at] / MILLISECOND, 3)
