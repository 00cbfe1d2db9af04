"""Pictures at entry and exit: what is drawn, what a file holds, how long it is kept, and who it troubles."""

from __future__ import annotations

import asyncio
import json
import xml.etree.ElementTree as ET
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from station.domain.errors import BadInput
from station.engine.picture_answers import gallery_document
from station.engine.reports import report_of
from station.journal import open_journal
from station.journal.album import Album
from station.journal.picture import Anchor, film_in, picture_document, picture_svg
from station.link import Data, Query, Story
from tests.faults.station_stage import Stage
from tests.lab import assert_sound, play
from tests.unit.test_app_verbs import vigil

MINUTE = 60_000_000_000
NOON = 1_763_665_327_000_000_000
SVG = "{http://www.w3.org/2000/svg}"


def film(bars: int = 40) -> dict[str, Any]:
    start = NOON - NOON % MINUTE - 30 * MINUTE
    return {
        "v": 1, "timeframe": "1m", "note": "", "greeks": [],
        "trade": {"id": "T1", "symbol": "SPX", "label": "SPXW <5940C> & co", "side": "CALL",
                  "strategy": "TREND", "scanners": ["A", "B"], "qty": 2, "entry": "4.20", "exit": None,
                  "net_pnl": None},
        "bars": [[start + n * MINUTE, 5930 + n % 7, 5938 + n % 7, 5928 + n % 7, 5933 + n % 5, 10.0] for n in
                 range(bars)],
        "marks": [
            {"at_ns": NOON, "ts_utc": "2025-11-20T19:02:07Z", "kind": "signal", "text": "A", "price": None},
            {"at_ns": NOON + MINUTE, "ts_utc": "2025-11-20T19:03:07Z", "kind": "entry",
             "text": "entry 2 @ 4.20", "price": "4.20"},
            {"at_ns": NOON + 9 * MINUTE, "ts_utc": "2025-11-20T19:11:07Z", "kind": "exit",
             "text": "exit \x1b[2J", "price": "5.20"},
        ],
        "lines": [
            {"kind": "target", "price": "5.20", "from_ns": NOON + MINUTE, "until_ns": NOON + 9 * MINUTE},
            {"kind": "stop", "price": "3.50", "from_ns": NOON + 2 * MINUTE, "until_ns": NOON + 8 * MINUTE},
        ],
    }  # fmt: skip


def picture(moment: str, at_ns: int, *, delta: float = 0.5, stop: float | None = 3.28, bars: int = 40) -> Any:
    return picture_document(film(bars), moment, at_ns, Anchor(5935.0, 4.20, delta), stop, {"bars": "paper"} | {
        "by": "live", "chain": "ab12"})  # fmt: skip


def test_a_picture_turns_the_contracts_exits_into_prices_of_its_underlying() -> None:
    told = picture("entry", NOON + MINUTE + 2)
    assert [(level["text"], level["price"]) for level in told["levels"]] == [
        ("entry 4.20", 5935.0), ("TP 5.20", 5937.0), ("SL 3.28", 5933.16),
    ]  # fmt: skip
    assert [mark["kind"] for mark in told["marks"]] == ["signal", "entry"], "nothing of what came after"


def test_a_picture_at_the_exit_keeps_the_last_of_each_exit_and_a_put_is_turned_round() -> None:
    told = picture("exit", NOON + 9 * MINUTE + 2, delta=-0.5)
    assert [(level["text"], level["price"]) for level in told["levels"]] == [
        ("TP 5.20", 5933.0), ("SL 3.50", 5936.4),
    ]  # fmt: skip


def test_without_a_delta_nothing_is_turned() -> None:
    assert [level["kind"] for level in picture("entry", NOON + MINUTE + 2, delta=0.01)["levels"]] == ["entry"]


@pytest.mark.parametrize("bars", [0, 1, 40, 400])
def test_a_file_is_drawn_again_from_itself_to_the_last_byte(bars: int) -> None:
    told = picture("exit", NOON + 9 * MINUTE + 2, bars=bars)
    svg = picture_svg(told)
    assert film_in(svg) == json.loads(json.dumps(told))
    assert picture_svg(film_in(svg)) == svg
    root = ET.fromstring(svg)
    words = " ".join(node.text or "" for node in root.iter(f"{SVG}text"))
    assert "SPXW <5940C> & co" in words and "\x1b" not in words
    assert {node.tag.removeprefix(SVG) for node in root.iter()} <= {
        "svg", "title", "metadata", "rect", "g", "path", "text"
    }  # fmt: skip
    assert len(svg) < 12_000 + 120 * bars


@pytest.mark.parametrize(
    "text", ["", "<svg><metadata>{</metadata></svg>", "<svg><metadata>[1]</metadata></svg>"]
)
def test_a_file_that_is_not_a_picture_is_said(text: str) -> None:
    with pytest.raises(BadInput, match="does not hold the film"):
        film_in(text)


def test_an_album_keeps_so_many_days_and_passes_over_what_is_not_its_own(tmp_path: Path) -> None:
    album = Album(tmp_path)
    assert album.between(date.min, date.max) == () and album.prune(date(2026, 1, 1)) == 0
    for day in ("2026-11-16", "2026-11-18", "2026-11-25"):
        for name in ("T1-exit.svg", "T1-entry.svg", "T2-entry.svg"):
            album.keep(album.folder / day / name, picture_svg(picture(name[3:-4], NOON + MINUTE + 2)))
    (album.folder / "2026-11-18" / "T2-entry.svg").write_text("<svg>")
    (album.folder / "2026-11-18" / "x.txt").touch()
    (album.folder / "old").mkdir()
    week = gallery_document(album, date(2026, 11, 16))
    assert [one["moment"] for one in week["pictures"]] == ["exit"], "that of the exit before that of the entry"
    assert (week["found"], week["before"], week["after"]) == (2, "", "2026-W48")
    assert week["note"] == "1 of the files cannot be read"
    assert album.prune(date(2026, 11, 17)) == 1
    kept = album.between(date.min, date.max)
    assert [(one.day.day, one.trade_id, one.moment) for one in kept][:2] == [
        (18, "T1", "entry"),
        (18, "T1", "exit"),
    ]
    assert kept[0].path.stat().st_mode & 0o777 == 0o600


# --- a station at work -----------------------------------------------------------------------------------


async def _traded(lab: Stage) -> str:
    await lab.until("09:38")
    trade = await lab.until_holding()
    await lab.until_true(lambda: lab.is_over(trade.id))
    await lab.step(4)
    return trade.id


async def _document(lab: Stage, name: str, **args: str) -> dict[str, Any]:
    reply = await lab.during(lab.ask(Query(name, args)))
    assert isinstance(reply, Data), reply
    return json.loads(reply.json)


async def _pictured(runtime: Path) -> str:
    async with Stage(runtime) as lab:
        trade_id = await _traded(lab)
        for moment in ("entry", "exit"):
            told = await _document(lab, "picture", trade=trade_id, moment=moment)
            trade = lab.trade(trade_id)
            at_ns = trade.filled_ns if moment == "entry" else trade.closed_ns
            assert told["bars"][-1][0] <= at_ns <= told["at_ns"] == at_ns + 2_000_000_000
            assert {"target"} <= {level["kind"] for level in told["levels"]}
            assert (told["trade"]["net_pnl"] is None) is (moment == "entry"), "what came after is not in it"
            assert told["origin"]["bars"] == "paper" and told["moments"] == ["entry", "exit"]
        assert (await _document(lab, "picture", trade=trade_id))["moment"] == "exit"
        week = await _document(lab, "gallery")
        assert week["week"] == "2026-W47" and trade_id in [one["trade"]["id"] for one in week["pictures"]]
        assert (await _document(lab, "gallery", week="2026-W40"))["after"] == "2026-W47"
        reply = await lab.during(lab.ask(Story(trade_id)))
        assert isinstance(reply, Data) and json.loads(reply.json)["pictures"] == ["entry", "exit"]
        for wrong in ({"week": "47"}, {"week": "2026-W60"}, {"trade": "T1"}):
            refused = await lab.during(lab.ask(Query("gallery", wrong)))
            assert not isinstance(refused, Data)
        told = (lab.run.engine.outside.runtime / "pictures" / "2026-11-18" / f"{trade_id}-exit.svg").read_text()
        assert picture_svg(film_in(told)) == told
    return trade_id


def _reported(runtime: Path, trade_id: str) -> None:
    with open_journal(runtime) as journal:
        trades = asyncio.run(journal.every_trade())
    week_text = report_of(runtime, trades, date(2026, 11, 18), "week", as_csv=False)
    assert "## Pictures" in week_text and f"![exit](../pictures/2026-11-18/{trade_id}-exit.svg)" in week_text
    assert "## Pictures" not in report_of(runtime, trades, date(2026, 11, 30), "month", as_csv=False)


async def _again(runtime: Path, trade_id: str) -> None:
    """What an earlier process left untaken is taken at the start, of the moment itself."""
    path = runtime / "pictures" / "2026-11-18" / f"{trade_id}-entry.svg"
    before = film_in(path.read_text())
    path.unlink()
    async with Stage(runtime) as lab:
        await lab.step(5)
        after = film_in(path.read_text())
        assert (after["at_ns"], after["marks"], after["trade"]) == (
            before["at_ns"], before["marks"], before["trade"]
        )  # fmt: skip
        assert after["bars"][-2:] == before["bars"][-3:-1], "without the bar that was forming"


def test_a_trade_is_pictured_at_its_entry_and_exit_and_a_missed_picture_is_made_up_for(tmp_path: Path) -> None:
    trade_id = ""

    async def day() -> None:
        nonlocal trade_id
        trade_id = await _pictured(tmp_path)
        await _again(tmp_path, trade_id)

    play(day)
    assert_sound(tmp_path)
    _reported(tmp_path, trade_id)
    told = vigil("story", trade_id, "--runtime", str(tmp_path), "--json")
    assert [Path(path).name for path in json.loads(told.stdout)["pictures"]] == [
        f"{trade_id}-entry.svg", f"{trade_id}-exit.svg"
    ]  # fmt: skip


def test_pictures_that_cannot_be_written_are_told_once_and_cost_nothing(tmp_path: Path) -> None:
    async def day() -> list[Decimal]:
        folder = tmp_path / "pictures"
        folder.write_text("in the way")
        async with Stage(tmp_path) as lab:
            await lab.until("09:46")
            photographer = lab.run.engine.photographer
            assert photographer is not None and photographer.taken == 0
            assert lab.alerts().count("pictures of trades cannot be kept") == 1, (
                "of two that could not be written"
            )
            folder.unlink()
            (folder / "2026-11-18").mkdir(parents=True)
            for trade in lab.entered():
                (folder / "2026-11-18" / f"{trade.id}-exit.new").symlink_to("/dev/full")
            await lab.until("09:56")
            assert photographer.taken == 0 and "No space left on device" in lab.alerts()
            assert list(folder.rglob("*.svg")) == [], "whole or not at all"
            assert not lab.rooms.ledger.degraded
            assert not lab.run.engine.supervisor.records["pictures"].restarts
            return [trade.net_pnl for trade in lab.trades() if trade.net_pnl is not None]

    results = play(day)
    assert len(results) == 2 and all(result > 0 for result in results)
    assert_sound(tmp_path)
