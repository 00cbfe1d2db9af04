"""Output to a terminal that may stop reading: never blocks, never grows without bound."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import termios
from collections.abc import Callable
from typing import Final

LIMIT: Final = 256 * 1024
LAST_WORDS_S: Final = 0.3


class Outlet:
    """Writes to the terminal of `fd` without blocking.

    It opens the terminal anew, so that the non-blocking flag stays off the description shared with the shell.
    While more than LIMIT bytes wait, new frames are dropped and `on_clear` is called once the rest has gone, to
    paint afresh. `on_broken` hears that the terminal is gone.
    """

    def __init__(
        self, fd: int, loop: asyncio.AbstractEventLoop, on_clear: Callable[[], None],
        on_broken: Callable[[], None],
    ) -> None:  # fmt: skip
        self._loop = loop
        self._on_clear = on_clear
        self._on_broken = on_broken
        self._fd, self._restore = _open_quietly(fd)
        self._waiting = bytearray()
        self._watching = False
        self._skipped = False
        self._closed = False
        self.dropped = 0

    @property
    def congested(self) -> bool:
        """The terminal has not taken everything yet."""
        return bool(self._waiting)

    def write(self, text: str) -> None:
        if self._closed:
            return
        if len(self._waiting) > LIMIT:
            self._skipped = True
            self.dropped += 1
            return
        self._waiting += text.encode("utf-8", "replace")
        if not self._watching:
            self._drain()

    def silence(self) -> None:
        """Drop everything from now on."""
        self._unwatch()
        self._waiting.clear()
        self._closed = True

    def abandon(self, farewell: str) -> None:
        """Throw away what waits, the kernel's part too, for these last words; a terminal that is gone hears
        none."""
        self._waiting.clear()
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(self._fd, termios.TCOFLUSH)
            os.write(self._fd, farewell.encode())

    def close(self, farewell: str = "") -> None:
        """Give what waits a last short chance, then let go: `farewell` is for a terminal that took none of it,
        and may read again when nobody is here any more, or that was so far behind that the end was dropped."""
        if self._skipped:
            # Nobody paints afresh any more: the app's screens have gone before.
            self._skipped = False
            self._waiting += farewell.encode()
        deadline_ms = LAST_WORDS_S * 1000
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while self._waiting and not self._closed and deadline_ms > 0:
            if not poll.poll(50):
                deadline_ms -= 50
            self._drain()
        if self._waiting and not self._closed:
            self.abandon(farewell)
        self.silence()
        self._restore()

    def _drain(self) -> None:
        try:
            while self._waiting:
                sent = os.write(self._fd, self._waiting[:65536])
                del self._waiting[:sent]
        except BlockingIOError:
            self._watch()
            return
        except OSError:
            self.silence()
            self._on_broken()
            return
        self._unwatch()
        if self._skipped:
            self._skipped = False
            self._on_clear()

    def _watch(self) -> None:
        if not self._watching and not self._loop.is_closed():
            self._loop.add_writer(self._fd, self._drain)
            self._watching = True

    def _unwatch(self) -> None:
        if self._watching and not self._loop.is_closed():
            self._loop.remove_writer(self._fd)
        self._watching = False


def _open_quietly(fd: int) -> tuple[int, Callable[[], None]]:
    """A non-blocking descriptor of the terminal, and what gives it back."""
    try:
        own = os.open(os.ttyname(fd), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        own = os.dup(fd)
        flags = fcntl.fcntl(own, fcntl.F_GETFL)
        fcntl.fcntl(own, fcntl.F_SETFL, flags | os.O_NONBLOCK)

        def restore() -> None:
            fcntl.fcntl(own, fcntl.F_SETFL, flags)
            os.close(own)

        return own, restore
    return own, lambda: os.close(own)
