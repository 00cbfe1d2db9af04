"""What the broker said, written down as it came: off the hot path, bounded, and never worth a trade."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

from station.brokers.replay.records import VERSION, Answered, Began, Body, Dropped, encode_line
from station.clock import Activity
from station.domain.broker import DepthReport, GreeksReport, QuoteReport, Report, Sink
from station.domain.clock import Clock
from station.domain.instruments import Timeframe
from station.series import Bars

HELD_AT_MOST: Final = 100_000
"""Reports waiting to be written; what comes when it is full is dropped, and counted in the file."""
FLUSH_S: Final = 1.0
_BULKY: Final = (QuoteReport, GreeksReport, DepthReport)


class Recorder:
    """Writes `recordings/DATE.jsonl` under a runtime directory; a second run of the day is appended.

    `note` is O(1) and synchronous; `run` is the task that writes. `whole` also keeps quotes, greeks and depth,
    which no replay needs. A disk that fails ends the recording, tells `on_end` why, and nothing else.
    """

    def __init__(
        self, runtime: Path, day: date, broker: str, clock: Clock, activity: Activity, *,
        whole: bool = False, on_end: Callable[[str], None] | None = None, held: int = HELD_AT_MOST,
    ) -> None:  # fmt: skip
        self.path = runtime / "recordings" / f"{day.isoformat()}.jsonl"
        self.written = 0
        self.dropped = 0
        self.trouble = ""
        self._clock = clock
        self._activity = activity
        self._whole = whole
        self._on_end = on_end
        self._held = held
        self._waiting: deque[tuple[int, Body]] = deque()
        self._lost = 0
        self._writing: asyncio.Task[None] | None = None
        self._put(Began(VERSION, day.isoformat(), broker))

    def note(self, report: Report) -> None:
        """Keep a report for the next write."""
        if self._whole or not isinstance(report, _BULKY):
            self._put(report)

    def note_history(self, symbol: str, timeframe: Timeframe, bars: Bars) -> None:
        """Keep an answer of history."""
        self._put(Answered(symbol, timeframe, bars.to_bars()))

    def tee(self, sink: Sink) -> Sink:
        """`sink`, with every report noted first."""

        def both(report: Report) -> None:
            self.note(report)
            sink(report)

        return both

    def _put(self, body: Body) -> None:
        if self.trouble:
            return
        if len(self._waiting) >= self._held:
            self._lost += 1
            self.dropped += 1
            return
        at_ns = self._clock.now()
        if self._lost:
            self._waiting.append((at_ns, Dropped(self._lost)))
            self._lost = 0
        self._waiting.append((at_ns, body))

    async def run(self) -> None:
        """Write what waits, every second, until cancelled or in trouble."""
        while not self.trouble:
            await self._clock.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits now, after what is being written; a cancelled write still ends."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))
        if not self._waiting or self.trouble:
            return
        batch = tuple(self._waiting)
        self._waiting.clear()
        self._writing = asyncio.create_task(self._write(batch))
        await asyncio.shield(self._writing)

    async def _write(self, batch: tuple[tuple[int, Body], ...]) -> None:
        try:
            await self._activity.off_loop(self._append, batch)
        except OSError as error:
            self.trouble = error.strerror or type(error).__name__
            self._waiting.clear()
            if self._on_end is not None:
                self._on_end(f"recording to {self.path} has ended: {self.trouble}; trading goes on without it")
            return
        self.written += len(batch)

    def _append(self, batch: tuple[tuple[int, Body], ...]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = b"".join(encode_line(at_ns, body) for at_ns, body in batch)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(text)
