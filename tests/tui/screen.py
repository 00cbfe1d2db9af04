"""The floor as a program of its own, for terminals under test: `python tests/tui/screen.py SOCKET [RESULT]`.

With VIGIL_BROKEN=1 it fails where a theme is asked for; VIGIL_KEPT is where preferences are kept;
with VIGIL_LOOKS_ON=1 it is attached read-only."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from station.clock import WallClock
from station.link import LinkClient
from widgets import themes
from widgets.running import run_floor


def broken(name: str) -> str:
    raise RuntimeError(f"nothing follows\n{name}")


def main() -> None:
    if os.environ.get("VIGIL_BROKEN"):
        themes.after = broken
    path, clock = Path(sys.argv[1]), WallClock()
    kept = Path(os.environ["VIGIL_KEPT"]) if os.environ.get("VIGIL_KEPT") else None
    looks_on = bool(os.environ.get("VIGIL_LOOKS_ON"))
    role = "observer" if looks_on else "screen"
    reason = asyncio.run(
        run_floor(
            lambda: LinkClient(path, clock=clock, role=role), clock=clock, folder=kept, read_only=looks_on
        )
    )
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(reason, encoding="utf-8")


if __name__ == "__main__":
    main()
