"""A screen process on a pseudo-terminal beside an engine process; an emulator reads it only when asked."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pyte

from station.clock import WallClock
from station.link import Data, Query, request

PATIENCE_S = 120.0
"""Host seconds after which what never comes is failed; nothing asserts a time."""
PAINTED = ("gate OPEN", "SPXW 5940C 0DTE", "SPY 591P 0DTE", "rapid shield", "F12 KILL")
F12 = b"\x1b[24~"
FOREIGN = ("NO_COLOR", "COLORTERM", "COLUMNS", "LINES", "STY")
"""What the terminal that runs the tests says of itself, and a terminal under test does not."""
SHOWN = {b"25", b"7"}
"""Modes that are on where nobody has touched them: the cursor, the wrapping of lines."""
FOLDER = Path(__file__).resolve().parent


def environment(root: Path, **more: str) -> dict[str, str]:
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in FOREIGN and not key.startswith(("LC_", "SSH_", "TMUX", "VIGIL_"))
    }
    usual = {"PYTHONPATH": str(root), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    return {**kept, **usual, **more}


class Engine:
    """The synthetic engine as a process; it says twice a second that it lives."""

    def __init__(self, path: Path, root: Path, scene: str) -> None:
        self.path = path
        self.late_ms = 0.0
        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER / "synthetic.py"), str(path), scene],
            env=environment(root), stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        self._said, self._line = self.process.stdout.fileno(), b""
        self._clock = WallClock()

    def beat(self, clients: int | None = None) -> int:
        """The next beat's number (with so many clients, if asked); what it said before now tells of then. Fails
        when the engine is gone."""
        while select.select([self._said], [], [], 0)[0]:
            self._take()
        until_ns = self._clock.perf() + round(PATIENCE_S * 1e9)
        while self._clock.perf() < until_ns:
            for line in self._take():
                found = re.fullmatch(r"beat (\d+) late_ms (\S+) clients (\d+)", line)
                assert found, line
                self.late_ms = float(found.group(2))
                if clients is None or int(found.group(3)) == clients:
                    return int(found.group(1))
        raise AssertionError(f"never {clients} clients")

    def _take(self) -> list[str]:
        """The lines that it has said; waits for some."""
        data = os.read(self._said, 65_536)
        assert data, "the engine died"
        *lines, self._line = (self._line + data).split(b"\n")
        return [line.decode() for line in lines]

    def heard(self) -> list[str]:
        """The names of the orders it was given until now."""
        reply = asyncio.run(request(self.path, Query("heard"), PATIENCE_S))
        assert isinstance(reply, Data)
        return json.loads(reply.json)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Terminal:
    """A screen process on a pseudo-terminal, and an emulator that reads it only when asked."""

    def __init__(self, engine: Engine, root: Path, tmp: Path, *, size: tuple[int, int] = (120, 40),
                 controlling: bool = True, **env: str) -> None:  # fmt: skip
        self.result = tmp / "result"
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.bytes = b""
        self._clock = WallClock()
        self.before = termios.tcgetattr(self.master)

        def adopt() -> None:
            if controlling:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER / "screen.py"), str(engine.path), str(self.result)],
            env=environment(root, **env), stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, preexec_fn=adopt,
        )  # fmt: skip
        os.close(slave)

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def read(self, wait_s: float) -> bool:
        """Take what there is within `wait_s`; False when nothing came."""
        if not select.select([self.master], [], [], wait_s)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError as fault:
            assert fault.errno == errno.EIO
            return False
        self.bytes += data
        self._stream.feed(re.sub(rb"\x1b\[[<>=?][0-9;]*u", b"", data))
        return bool(data)

    def until(self, what: Callable[[str], bool]) -> None:
        until_ns = self._clock.perf() + round(PATIENCE_S * 1e9)
        while not what(self.text()):
            heard = self.read(PATIENCE_S)
            assert heard and self._clock.perf() < until_ns, f"it never came to be:\n{self.text()}"

    def listen(self, for_s: float) -> None:
        """Take what comes for so long."""
        until_ns = self._clock.perf() + round(for_s * 1e9)
        while (left_ns := until_ns - self._clock.perf()) > 0:
            self.read(left_ns / 1e9)

    def painted(self) -> None:
        """Until the whole floor stands there."""
        self.until(lambda text: all(word in text for word in PAINTED))

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def send(self, data: bytes) -> None:
        """As much as it may be: the screen is read meanwhile, so that neither waits for the other."""
        os.set_blocking(self.master, False)
        while data:
            ready = select.select([self.master], [self.master], [], PATIENCE_S)
            assert any(ready), "nobody takes what is typed"
            if ready[0]:
                self.read(0.0)
            if ready[1]:
                data = data[os.write(self.master, data[:1024]) :]
        os.set_blocking(self.master, True)

    def ended(self, *, reading: bool = True) -> str:
        """Wait for the process; the reason it gave."""
        if reading:
            while self.read(PATIENCE_S):
                continue
        self.process.wait(PATIENCE_S)
        assert self.process.returncode == 0
        return self.result.read_text(encoding="utf-8")

    def assert_clean(self) -> None:
        """The terminal is as a shell wants it: its own modes, no full screen, a cursor, no mouse, plain ink."""
        assert termios.tcgetattr(self.master) == self.before
        modes = dict(re.findall(rb"\x1b\[\?(\d+)([hl])", self.bytes))
        assert {number for number, turned in modes.items() if turned == b"h"} <= SHOWN, modes
        assert modes.keys() >= SHOWN and b"1049" in modes, "it never was a full screen"
        assert self.bytes.count(b"\x1b[>") == self.bytes.count(b"\x1b[<u"), "the keyboard protocol"
        assert self.screen.cursor.attrs == pyte.Screen(1, 1).cursor.attrs

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
