"""The external signal to stop: a file `KILL` in the runtime directory switches the kill switch on.

What it contains is not asked for, but a line `flatten` in it flattens too. It is looked for on host time beside
the session's own, so that it works at any speed and while simulated time stands; nothing is read, written or
recorded while it is not there. As long as it is there the switch stays on: a release asks for its removal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from station.domain.clock import Clock

NAME: Final = "KILL"
BEAT_S: Final = 0.25
LARGEST: Final = 4_096
BY: Final = "signal file"


def asked(runtime: Path) -> bool | None:
    """Whether the file asks to flatten as well; None where there is no file. One that cannot be read asks for
    the kill switch all the same."""
    path = runtime / NAME
    if not path.exists() and not path.is_symlink():
        return None
    try:
        with path.open("rb") as file:
            words = file.read(LARGEST).decode("utf-8", "replace").split()
    except OSError:
        return False
    return any(word.strip(".,;:!").lower() == "flatten" for word in words)


class KillFile:
    """Looks for the file and has the switch thrown. `kill(reason, flatten)` is repeated while the file asks for
    more than `standing()` (on, flattening) says is in force."""

    def __init__(
        self, runtime: Path, clock: Clock, standing: Callable[[], tuple[bool, bool] | None],
        kill: Callable[[str, bool], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._runtime = runtime
        self._clock = clock
        self._standing = standing
        self._kill = kill

    async def run(self) -> None:
        while True:
            await self.obey()
            await self._clock.sleep(BEAT_S)

    async def obey(self) -> None:
        """Throw the switch if the file is there and asks for more than is in force."""
        flatten, standing = asked(self._runtime), self._standing()
        if flatten is None or standing is None:
            return
        on, flattening = standing
        if not on or (flatten and not flattening):
            await self._kill(f"{self._runtime / NAME} is there", flatten)
