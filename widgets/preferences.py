"""What one person likes of the screen, kept beside the station's files: no order and no limit among it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

FILE_NAME: Final = "screen.json"
ONLOOKERS_NAME: Final = "observer.json"
"""Of one who is attached read-only: the trader's own stay the trader's."""
KINDS: Final = {
    "fill": "fills", "stop": "stops and shields", "gate": "gate and kill switch", "disconnect": "disconnects",
    "proposal": "proposals", "reject": "orders refused or over",
}  # fmt: skip
"""What can ring and be shown in a banner, each switchable."""


class Group(msgspec.Struct, frozen=True):
    """Some of what is watched, in the trader's order."""

    name: str
    symbols: tuple[str, ...] = ()


class Layout(msgspec.Struct, frozen=True):
    """How the floor was left: `fronts` the panes asked for, newest first, `off` the chart's switches that are
    off, `group` the watchlist's, empty for all of it."""

    fronts: tuple[str, ...] = ()
    zoomed: bool = False
    symbol: str = ""
    timeframe: str = "5m"
    expiry: str = "0dte"
    off: tuple[str, ...] = ("plan",)
    group: str = ""


class Preferences(msgspec.Struct, frozen=True):
    """`bells` and `banners` name the kinds that are silent; `greeted` that the first minutes are over;
    `mouse` is auto (not over SSH), on or off."""

    theme: str = "dark"
    slow: bool = False
    silent_bells: tuple[str, ...] = ()
    silent_banners: tuple[str, ...] = ()
    greeted: bool = False
    role: str = "trader"
    groups: tuple[Group, ...] = ()
    layout: Layout = Layout()
    mouse: str = "auto"

    def rings(self, kind: str) -> bool:
        return kind not in self.silent_bells

    def shows(self, kind: str) -> bool:
        return kind not in self.silent_banners

    def switched(self, field: str, kind: str) -> Preferences:
        """With one kind's bell or banner the other way round; `field` is silent_bells or silent_banners."""
        silent: tuple[str, ...] = getattr(self, field)
        after = tuple(one for one in silent if one != kind) if kind in silent else (*silent, kind)
        return msgspec.structs.replace(self, **{field: after})


class Keeper:
    """The preferences, read once and written at each change. Without a path nothing outlives the screen."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.value = _read(path)
        self.fault = ""

    def keep(self, value: Preferences) -> None:
        """Adopt and write; a disk that refuses is told by `fault` and takes nothing from the screen."""
        self.value, self.fault = value, ""
        if self._path is None:
            return
        fresh = self._path.with_suffix(".new")
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(value)) + b"\n")
            fresh.replace(self._path)
        except OSError as error:
            self.fault = f"{self._path} cannot be written: {error.strerror or error}"


def _read(path: Path | None) -> Preferences:
    """A file that is absent or damaged means the defaults."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Preferences) if path is not None else Preferences()
    except (OSError, msgspec.MsgspecError):
        return Preferences()
