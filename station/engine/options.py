"""What a command line asks of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from station.brokers.paper.faults import Fault


PROFILES: Final = "profiles"
"""The folder of a runtime directory that holds its profiles' directories."""
Say = Callable[[str], None]
"""Where the engine's own lines go: a terminal, or nowhere."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """`None` means: as configured. `speed` simulated seconds a wall second, 0 for as fast as it goes;
    `start` and `until` are HH:MM in ET, `away_s` simulated seconds that pass before a resumed session."""

    runtime: Path
    broker: str | None = None
    seed: int | None = None
    speed: float | None = None
    day: date | None = None
    start: str | None = None
    until: str | None = None
    bars: tuple[Path, ...] = ()
    symbol: str | None = None
    away_s: int = 0
    host: str = "127.0.0.1"
    port: int | None = None
    client_id: int | None = None
    broker_clock: bool = False
    in_process: bool = False
    faults: tuple[Fault, ...] = ()
    cache_dir: Path | None = None

    @property
    def cache(self) -> Path:
        """Where what can be made again is kept; profiles share their station's."""
        home = self.runtime.parent.parent if self.runtime.parent.name == PROFILES else self.runtime
        return self.cache_dir or home / "cache"
