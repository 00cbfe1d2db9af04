"""Textual's Linux driver, made to outlive its terminal.

A terminal that stops reading must not block the loop; one that is gone (SIGHUP, end of input, broken output)
must end the screen in order and never spin; suspending is not offered.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
from collections.abc import Mapping
from selectors import EVENT_READ, SelectSelector
from typing import TYPE_CHECKING, Any, Final

from textual.drivers.linux_driver import LinuxDriver
from textual.events import MouseEvent
from textual.message import Message

from widgets.keyboard import ESCAPE_S, Keyboard
from widgets.outlet import Outlet
from widgets.warden import Warden

if TYPE_CHECKING:
    from textual.app import App

LOST: Final = "terminal lost"
TERMINATED: Final = "terminated"
ENDINGS: Final = (signal.SIGTERM, signal.SIGINT)
MOUSE_OFF: Final = "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"
FAREWELL: Final = "\x1b\\\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?1004l\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h"
"""Leaves the full screen from wherever a frame was cut off, in a text for the clipboard too."""


def wants_mouse(environ: Mapping[str, str], chosen: str = "auto") -> bool:
    """Whether to take the mouse: not over SSH, where it costs the selection of text. VIGIL_MOUSE overrules, and
    so does what is `chosen`: on, off or auto."""
    asked = environ.get("VIGIL_MOUSE", "")
    if asked:
        return asked != "0"
    if chosen in ("on", "off"):
        return chosen == "on"
    return not (environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))


class TerminalDriver(LinuxDriver):
    """Non-blocking output, and an orderly end when the terminal goes."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        for number in (signal.SIGTSTP, signal.SIGCONT):
            signal.signal(number, signal.SIG_IGN)
        self._file = sys.__stdout__
        assert self._file is not None, "a terminal is needed"
        self._outlet = Outlet(self._file.fileno(), self._loop, self._repaint, self.lose_terminal)
        self._attributes: list[Any] | None = None
        self._warden = Warden(self._file.fileno(), f"{MOUSE_OFF}{FAREWELL}")
        self._heard_s = self._loop.time()
        self.lost = False

    @property
    def quiet_s(self) -> float:
        """For how long nothing was typed."""
        return self._loop.time() - self._heard_s

    @property
    def can_suspend(self) -> bool:
        return False

    @property
    def congested(self) -> bool:
        """The terminal lags behind; painting more would only queue."""
        return self._outlet.congested

    @property
    def dropped(self) -> int:
        """Frames that were never sent because the terminal did not read."""
        return self._outlet.dropped

    def take_mouse(self, *, on: bool) -> None:
        """Ask the terminal for the mouse, or leave it alone."""
        if on is not self._mouse:
            self._disable_mouse_support()
            self._mouse = on
            self._enable_mouse_support()

    def write(self, data: str) -> None:
        self._outlet.write(data)

    def flush(self) -> None: ...

    def start_application_mode(self) -> None:
        self._loop.add_signal_handler(signal.SIGHUP, self.lose_terminal)
        for number in ENDINGS:
            self._loop.add_signal_handler(number, self._terminate)
        super().start_application_mode()
        with contextlib.suppress(termios.error):
            self._attributes = termios.tcgetattr(self.fileno)
        self._loop.add_signal_handler(signal.SIGCONT, self._continue)

    def _continue(self) -> None:
        """Stopped without being asked, and back: a shell has set and painted the terminal meanwhile."""
        with contextlib.suppress(OSError, termios.error):
            if self.lost or os.tcgetpgrp(self.fileno) != os.getpgrp():
                return
            termios.tcsetattr(self.fileno, termios.TCSANOW, self._attributes or termios.tcgetattr(self.fileno))
        self.write("\x1b[?1049h\x1b[?25l\x1b[?1004h\x1b[?2004h\x1b[?7l")
        self._enable_mouse_support()
        self._repaint()

    def stop_application_mode(self) -> None:
        """As the toolkit's, but the terminal's own settings come back with `close`: with its echo on, what is
        typed meanwhile would tear the sequences that still wait."""
        before, self.attrs_before = self.attrs_before, None
        super().stop_application_mode()
        self.attrs_before = before

    def close(self) -> None:
        self._outlet.close(self._farewell)
        if self.attrs_before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        self._warden.dismiss()
        super().close()
        for number in (signal.SIGHUP, signal.SIGCONT, *ENDINGS):
            self._loop.remove_signal_handler(number)
        if self.lost:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def lose_terminal(self) -> None:
        """Cut the process off its terminal and leave; idempotent. One that lives after all is left clean."""
        if self.lost:
            return
        self.lost = True
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        if self.attrs_before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        self._outlet.abandon(self._farewell)
        self._outlet.silence()
        silent_input, self._never_written = os.pipe()
        # The reading thread may have found the old terminal readable just before: it must not wait on this one.
        os.set_blocking(silent_input, False)
        os.dup2(silent_input, 0)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        self._app.exit(LOST)

    @property
    def _farewell(self) -> str:
        return f"{MOUSE_OFF}{FAREWELL}" if self._mouse else FAREWELL

    def _terminate(self) -> None:
        self._app.exit(TERMINATED)

    def _repaint(self) -> None:
        self._app.screen.refresh(layout=True)

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except OSError:
            self._loop.call_soon_threadsafe(self.lose_terminal)

    def run_input_thread(self) -> None:
        """Feed keys to the app until told to stop. Ends at the end of input instead of spinning on it."""
        keyboard = Keyboard(self._loop.time)
        with SelectSelector() as selector:
            selector.register(self.fileno, EVENT_READ)
            while not self.exit_event.is_set():
                for message in keyboard.tick():
                    self.process_message(message)
                if selector.select(ESCAPE_S):
                    data = os.read(self.fileno, 4096)
                    if not data:
                        raise OSError("end of input")
                    self._heard_s = self._loop.time()
                    for message in keyboard.feed(data):
                        self.process_message(message)

    def process_message(self, message: Message) -> None:
        if self._mouse or not isinstance(message, MouseEvent):
            super().process_message(message)

    def _query_in_band_window_resize(self) -> None:
        """SIGWINCH tells of sizes; one that is typed in is not believed."""
