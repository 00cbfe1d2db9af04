"""`python -m tests.pictures`: the pictures of every screen that the docs show, and the page that lists them.

Drawn from the made-up trading day of the tests, so that they change only with the screens; a second run writes
the same bytes. `--out FOLDER` writes elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.tui import synthetic
from tests.tui.shots import rows_of
from tests.tui.stage import Stage
from widgets.picture import svg_of

FOLDER: Final = Path(__file__).parent.parent / "widgets" / "pictures"
NORMAL: Final = (120, 40)


@dataclass(frozen=True)
class Shown:
    """One picture: its file, what it is, the keys that bring it up from the floor, at what size."""

    name: str
    title: str
    keys: tuple[str, ...] = ()
    size: tuple[int, int] = NORMAL


SHOWN: Final = (
    Shown("floor", "The floor, 160×45", size=(160, 45)),
    Shown("floor-80x24", "The floor, 80×24: one pane at a time", size=(80, 24)),
    Shown("floor-120x40", "The floor, 120×40"),
    Shown("floor-200x50", "The floor, 200×50", size=(200, 50)),
    Shown("chart", "The chart alone (`h`, `z`)", ("h", "z")),
    Shown("chain", "The option chain alone (`o`, `z`)", ("o", "z")),
    Shown("ticket", "A ticket, locked: `y` sends it (`o`, `b`, `enter`)", ("o", "b", "enter")),
    Shown("signals", "Signals, each with its order and fill (`F3`)", ("f3",)),
    Shown("risk", "Risk: every rule, the book, a stress grid (`F4`)", ("f4",)),
    Shown("scanners", "Scanners (`F5`)", ("f5",)),
    Shown("strategies", "Strategies (`F6`)", ("f6",)),
    Shown("configuration", "Configuration (`F7`)", ("f7",)),
    Shown("journal", "The journal: a trade's story and its film (`F8`, `J`)", ("J", "down")),
    Shown("film", "The film at its end (`enter`, `end`)", ("J", "down", "enter", "end"), (160, 45)),
    Shown("gallery", "The week's gallery of pictures taken at entry and exit (`G`)", ("J", "G"), (160, 45)),
    Shown("performance", "Performance (`F9`, `Y`)", ("Y",)),
    Shown("health", "Data health (`F10`, `H`)", ("H",)),
    Shown("log", "The log (`F11`, `L`)", ("L",)),
    Shown("jobs", "Jobs and tasks (`T`)", ("T",)),
)


async def drawn(shown: Shown) -> str:
    """The picture as SVG."""
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=shown.size) as pilot:
        await stage.settle(pilot)
        for key in shown.keys:
            stage.clock.advance(0.4)
            await pilot.press(key)
            await stage.app.workers.wait_for_complete()
            await stage.settle(pilot)
        await stage.settle(pilot)
        rows = [tuple(row) for row in rows_of(stage.app)]
        return svg_of(rows, shown.size[0], shown.title)


def page() -> str:
    """The Markdown page of all pictures."""
    lines = [
        "# Pictures",
        "",
        "Made by `python -m tests.pictures` from the made-up trading day of the tests; so is this page.",
    ]
    for shown in SHOWN:
        lines += ["", f"## {shown.title}", "", f"![{shown.title.split(' (')[0]}]({shown.name}.svg)"]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for shown in SHOWN:
        path = folder / f"{shown.name}.svg"
        path.write_text(asyncio.run(drawn(shown)), encoding="utf-8")
        print(f"{path}  {path.stat().st_size // 1024} KiB")
    (folder / "README.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
