"""Outlives the screen by a moment: where that is killed outright, its terminal is still left clean."""

from __future__ import annotations

import contextlib
import os
import subprocess
from subprocess import DEVNULL, PIPE
from typing import Final

STTY_S: Final = 2.0
_SCRIPT: Final = 'read -r word; [ -n "$word" ] && exit; stty "$1" <&1; printf %s "$2"'
"""Reads until the screen says that it leaves by itself, or is no more."""


class Warden:
    """A shell of one line beside the screen, in a session of its own. `farewell` leaves the full screen; the
    terminal's settings are those of now. Where there is no shell there is no warden."""

    def __init__(self, terminal: int, farewell: str) -> None:
        self._shell: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            asked = subprocess.run(
                ["stty", "-g"], stdin=terminal, stdout=PIPE, stderr=DEVNULL, check=True, timeout=STTY_S
            )
            words = ("sh", "-c", _SCRIPT, "vigil", asked.stdout.decode().strip(), farewell)
            self._shell = subprocess.Popen(
                words, stdin=PIPE, stdout=terminal, stderr=DEVNULL, start_new_session=True, cwd=os.sep
            )

    def dismiss(self) -> None:
        """The screen leaves by itself."""
        shell, self._shell = self._shell, None
        if shell is None or shell.stdin is None:
            return
        with contextlib.suppress(OSError):
            shell.stdin.write(b"left\n")
            shell.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            shell.wait(STTY_S)
