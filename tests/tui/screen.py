"""The floor as a program of its own, for terminals under test: `python tests/tui/screen.py SOCKET [RESULT]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from station.clock import WallClock
from station.link import LinkClient
from widgets.running import run_floor


def main() -> None:
    path, clock = Path(sys.argv[1]), WallClock()
    reason = asyncio.run(run_floor(lambda: LinkClient(path, clock=clock), clock=clock))
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(reason, encoding="utf-8")


if __name__ == "__main__":
    main()
