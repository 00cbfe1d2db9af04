"""The screens beside the floor over a whole station: what a real engine answers is what they show."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.lab import Lab, play
from tests.tui.seat import Seat, seated
from tests.unit.test_app_verbs import refused, vigil

SIZE = (200, 50)


async def journal(seat: Seat, folder: Path) -> None:
    trade = (await seat.lab.until_holding()).id
    await seat.press("J")
    await seat.until_shown(
        f"Story  {trade}", f"Game film  {trade}", "bar ", "▲ entry", "fresh signals in the pool"
    )
    await seat.press("n", *"too early", "enter")
    await seat.until_shown("too early")
    await seat.press("number_sign", *"fomo", "enter")
    await seat.until_shown("#fomo")
    await seat.press("slash", *"#fomo", "enter")
    await seat.until_shown("tag:fomo", "1 of ")
    await seat.press("E", "V")
    rows = list(csv.DictReader((folder / "exports" / "journal.csv").open()))
    assert [row["tags"] for row in rows] == ["fomo"]
    assert (folder / "exports" / f"film-{rows[0]['id']}.svg").read_text().startswith("<svg")


async def station(seat: Seat) -> None:
    await seat.press("H")
    await seat.until_shown("LIVE", "Series of SPX", "ready", "ticks", "paper answers")
    await seat.press("T")
    await seat.until_shown("protection", "runs", "position snapshots", "loop p99")
    await seat.press("L")
    await seat.until_shown("trade.signal", "following")
    await seat.press("Y")
    await seat.until_shown("profit factor" if seat.lab.trades()[0].net_pnl is not None else "Figures")


def test_the_screens_show_what_a_station_at_work_answers(tmp_path: Path) -> None:
    (tmp_path / "screen").mkdir()
    (tmp_path / "screen" / "screen.json").write_text('{"greeted": true}')

    async def day() -> None:
        async with Lab(tmp_path / "run") as lab:
            await lab.until("09:35")
            async with seated(lab, SIZE, tmp_path / "screen") as seat:
                await seat.look()
                await journal(seat, tmp_path / "screen")
                await station(seat)

    play(day)


def test_who_only_looks_on_starts_no_engine(tmp_path: Path) -> None:
    done = vigil("--read-only", "--runtime", str(tmp_path / "none"))
    refused(done, 2, "no engine runs in", "--read-only")
    assert not (tmp_path / "none").exists()
