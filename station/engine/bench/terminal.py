"""The screen as a trader has it: `python app.py` on a pseudo-terminal, read as bytes."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

import pyte

from station.clock import WallClock
from station.domain.clock import MILLISECOND, SECOND
from station.domain.errors import Fatal

ROOT: Final = Path(__file__).resolve().parents[3]
LIMIT_S: Final = 120.0
ANYWHERE: Final = slice(None)
HEADER: Final = slice(0, 1)
NOTICE: Final = slice(-2, -1)
"""The rows on which the words of the link stand, and those of what has just happened."""
PAINTED: Final = "PAPER"
"""What stands on a floor as soon as it is painted."""


class Terminal:
    """A process on a pty of `size` columns and rows. While `reading`, whatever comes is taken and counted."""

    def __init__(self, words: list[str], size: tuple[int, int] = (160, 45)) -> None:
        self._clock = WallClock()
        self._loop = asyncio.get_running_loop()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        os.set_blocking(self._master, False)
        self.taken = 0
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._heard = 0
        self._wanted, self._row = "", ANYWHERE
        self._found: asyncio.Future[int] | None = None
        self._typing: asyncio.Task[None] | None = None
        self.began = self._clock.perf()
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), *words],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=_environment(),
        )  # fmt: skip
        os.close(slave)
        self.read()

    def read(self) -> None:
        self._loop.add_reader(self._master, self._take)

    def stall(self) -> None:
        """Stop reading; the terminal's buffer fills."""
        self._loop.remove_reader(self._master)

    async def shows(self, text: str, *, since: int | None = None, row: slice = ANYWHERE) -> float:
        """Milliseconds from `since` (default: the start) until `text` came in, on one of the rows. Raises Fatal
        after a while."""
        return (await self.seen(text, row) - (self.began if since is None else since)) / MILLISECOND

    async def seen(self, text: str, row: slice = ANYWHERE) -> int:
        """The instant at which the bytes came in that show it. Raises Fatal after a while."""
        self._wanted, self._row = text, row
        self._found = self._loop.create_future()
        self._look()
        try:
            return await asyncio.wait_for(self._found, LIMIT_S)
        except TimeoutError:
            seen = " / ".join(line.strip() for line in self._screen.display if line.strip())
            raise Fatal(f"bench: the screen never showed {text!r}; it shows {seen[:600]}") from None
        finally:
            self._found = None

    @property
    def cells(self) -> int:
        return self._screen.columns * self._screen.lines

    async def changes(self, beats: int, beat_s: float) -> list[float]:
        """The share of its cells that look otherwise than a beat before, percent, at each of so many beats."""
        screen, shares = self._screen, list[float]()
        before = _cells(screen)
        for _ in range(beats):
            screen.dirty.clear()
            await self._clock.sleep(beat_s)
            now = {row: _row_of(screen, row) for row in screen.dirty}
            changed = sum(old != new for row in now for old, new in zip(before[row], now[row], strict=True))
            shares.append(100 * changed / self.cells)
            before.update(now)
        return shares

    def type_on(self, keys: Sequence[bytes], pause_s: float) -> None:
        """Press these in turn, again and again, until the end."""
        self._typing = self._loop.create_task(self._type(keys, pause_s))

    async def _type(self, keys: Sequence[bytes], pause_s: float) -> None:
        for key in cycle(keys):
            os.write(self._master, key)
            await self._clock.sleep(pause_s)

    async def press(self, keys: bytes, text: str) -> float:
        """Milliseconds from the key to the paint that shows `text`."""
        since = self._clock.perf()
        os.write(self._master, keys)
        return await self.shows(text, since=since)

    async def rate(self, seconds: float) -> float:
        """Bytes a second over so many seconds."""
        before, since = self.taken, self._clock.perf()
        await self._clock.sleep(seconds)
        return (self.taken - before) / ((self._clock.perf() - since) / SECOND)

    def hang_up(self) -> None:
        """Close the terminal's end, as a lost connection does."""
        if self._master >= 0:
            self._loop.remove_reader(self._master)
            os.close(self._master)
            self._master = -1

    async def end(self) -> None:
        """Kill the process if it still runs, and close the terminal."""
        if self._typing is not None:
            self._typing.cancel()
        self.process.kill()
        await self._loop.run_in_executor(None, self.process.wait)
        self.hang_up()

    def _take(self) -> None:
        try:
            data = os.read(self._master, 1 << 16)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._master)
            return
        self._heard = self._clock.perf()
        self.taken += len(data)
        self._stream.feed(data)
        self._look()

    def _look(self) -> None:
        found = self._found
        if found is None or found.done():
            return
        if any(self._wanted in line for line in self._screen.display[self._row]):
            found.set_result(self._heard)


def _row_of(screen: pyte.Screen, row: int) -> list[object]:
    return [screen.buffer[row][column] for column in range(screen.columns)]


def _cells(screen: pyte.Screen) -> dict[int, list[object]]:
    return {row: _row_of(screen, row) for row in range(screen.lines)}


def resident_mib(pid: int) -> float:
    """The resident set of a process, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise Fatal(f"bench: process {pid} says nothing of its memory")


def _environment() -> dict[str, str]:
    unwanted = ("NO_COLOR", "COLORTERM", "COLUMNS", "LINES")
    kept = {key: value for key, value in os.environ.items() if key not in unwanted}
    return {**kept, "TERM": "xterm-256color", "PYTHONUTF8": "1"}


async def painted(words: list[str], size: tuple[int, int] = (160, 45), *, settle_s: float = 0.0) -> Terminal:
    """A screen whose floor stands, `settle_s` after its first paint."""
    screen = Terminal(words, size)
    await screen.shows(PAINTED)
    await WallClock().sleep(settle_s)
    return screen
