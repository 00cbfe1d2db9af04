"""The screens beside the floor over a whole station: what a real engine answers is what they show."""

from __future__ import annotations

import csv
from pathlib import Path

from textual.pilot import Pilot

from tests.lab import Lab, play
from tests.tui.stage import StillClock
from tests.unit.test_app_verbs import refused, vigil
from widgets.app import FloorApp
from widgets.page import Page

SIZE = (200, 50)


class Seat:
    """Someone who looks at the screens of a station at work."""

    def __init__(self, lab: Lab, app: FloorApp, clock: StillClock, pilot: Pilot[str]) -> None:
        self.lab, self.app, self.clock, self.pilot = lab, app, clock, pilot

    @property
    def page(self) -> Page:
        assert self.app.pages.shown is not None
        return self.app.pages.shown

    def text(self) -> str:
        return "\n".join(pane.text() for pane in self.page.panes if pane.display)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.look()
            self.clock.advance(0.4)
            await self.pilot.press(key)
        await self.look()

    async def look(self) -> None:
        for _ in range(2):
            await self.pilot.pause()
            self.app.repaint()
            await self.lab.step(0.2)
        await self.pilot.pause()

    async def until(self, *told: str) -> str:
        """Until the screen says all of it."""
        for _ in range(60):
            if all(word in self.text() for word in told):
                return self.text()
            self.clock.advance(1)
            await self.look()
        raise AssertionError(f"{told} is not said:\n{self.text()}\n{self.app.pages.shown}")


async def journal(seat: Seat, folder: Path) -> None:
    trade = (await seat.lab.until_holding()).id
    await seat.press("J")
    await seat.until(f"Story  {trade}", f"Game film  {trade}", "bar ", "▲ entry", "fresh signals in the pool")
    await seat.press("n", *"too early", "enter")
    await seat.until("too early")
    await seat.press("number_sign", *"fomo", "enter")
    await seat.until("#fomo")
    await seat.press("slash", *"#fomo", "enter")
    await seat.until("tag:fomo", "1 of ")
    await seat.press("E", "V")
    rows = list(csv.DictReader((folder / "exports" / "journal.csv").open()))
    assert [row["tags"] for row in rows] == ["fomo"]
    assert (folder / "exports" / f"film-{rows[0]['id']}.svg").read_text().startswith("<svg")


async def station(seat: Seat) -> None:
    await seat.press("H")
    await seat.until("LIVE", "Series of SPX", "ready", "ticks", "paper answers")
    await seat.press("T")
    await seat.until("protection", "runs", "position snapshots", "loop p99")
    await seat.press("L")
    await seat.until("trade.signal", "following")
    await seat.press("Y")
    await seat.until("profit factor" if seat.lab.trades()[0].net_pnl is not None else "Figures")


def test_the_screens_show_what_a_station_at_work_answers(tmp_path: Path) -> None:
    (tmp_path / "screen").mkdir()
    (tmp_path / "screen" / "screen.json").write_text('{"greeted": true}')

    async def day() -> None:
        async with Lab(tmp_path / "run") as lab:
            await lab.until("09:35")
            clock = StillClock()
            app = FloorApp(lab.run.local_link, clock=clock, ascii_only=False, folder=tmp_path / "screen")
            async with app.run_test(size=SIZE) as pilot:
                seat = Seat(lab, app, clock, pilot)
                await journal(seat, tmp_path / "screen")
                await station(seat)

    play(day)


def test_who_only_looks_on_starts_no_engine(tmp_path: Path) -> None:
    done = vigil("--read-only", "--runtime", str(tmp_path / "none"))
    refused(done, 2, "no engine runs in", "--read-only")
    assert not (tmp_path / "none").exists()
