"""Pictures taken at entry and exit, and a week's gallery, on the journal's screen."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from station.link import Query
from tests.tui import synthetic, synthetic_journal
from tests.tui.stage import Stage, press
from widgets.gallery import squeezed, thumb
from widgets.told import FilmTold

LARGE = (200, 50)


def asked(stage: Stage, name: str) -> list[dict[str, str]]:
    return [one.args for one in stage.engine.heard if isinstance(one, Query) and one.name == name]


def told(trade_id: str, moment: str = "") -> FilmTold:
    return msgspec.convert(synthetic_journal.picture(trade_id, moment), FilmTold)


async def test_p_goes_from_the_picture_at_the_entry_to_the_exit_to_the_film() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        assert asked(stage, "picture") == [], "what nobody looks at is not asked for"
        text = await press(stage, pilot, "J", "down", "p")
        assert "Picture at entry 12:58:19  T0003" in text and "TP 4.80≈" in text and "▼ exit" not in text
        assert "←→ exit" in text and "at entry and exit: p shows them" in text
        assert "Picture at exit" in await press(stage, pilot, "p")
        assert "Picture at entry" in await press(stage, pilot, "left")
        assert "Picture at exit" in await press(stage, pilot, "right")
        assert "Game film  T0003" in await press(stage, pilot, "p")
        assert "no picture of T0004 at exit was kept" in await press(
            stage, pilot, "tab", "tab", "home", "p", "p"
        )


async def test_the_gallery_is_walked_through_and_opens_a_trades_picture() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=LARGE) as pilot:
        text = await press(stage, pilot, "J", "G")
        assert "Gallery  2025-W47" in text and "4 of 4  [ W46" in text and "SPXW 5900P Nov19" in text
        await press(stage, pilot, "right", "enter")
        assert asked(stage, "picture")[-1] == {"trade": "T0003"}
        assert "Picture at exit" in stage.page() and "Story  T0003" in stage.page()
        text = await press(stage, pilot, "G", "left_square_bracket")
        assert (
            asked(stage, "gallery")[-1] == {"week": "2025-W46"} and "no trade was pictured in 2025-W46" in text
        )
        await press(stage, pilot, "left_square_bracket")
        assert "no pictures beyond" in stage.line("notice")
        assert "Gallery  2025-W47" in await press(stage, pilot, "right_square_bracket")
        assert "Game film" in await press(stage, pilot, "G")
        assert "Events  T0003" in await press(stage, pilot, "e")


async def test_a_picture_is_saved_as_svg_and_text(tmp_path: Path) -> None:
    (tmp_path / "screen.json").write_text('{"greeted": true}')
    stage = Stage(synthetic.calm(), folder=tmp_path)
    async with stage.app.run_test(size=LARGE) as pilot:
        await press(stage, pilot, "J", "down", "p", "V")
        assert "entry-T0003.svg" in stage.line("notice")
        assert "TP 4.80≈" in (tmp_path / "exports" / "entry-T0003.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [12, 36, 60])
def test_a_small_picture_keeps_its_extremes_and_its_width(width: int) -> None:
    film = told("T0003")
    short = squeezed(film, width - 1)
    assert len(short.bars) <= width - 1
    assert max(bar[2] for bar in short.bars) == max(bar[2] for bar in film.bars)
    assert min(bar[3] for bar in short.bars) == min(bar[3] for bar in film.bars)
    lines = thumb(film, width, 9, chosen=False, plain=False, colours=True)
    assert len(lines) == 9 and all(sum(len(text) for text, _ in line) <= width for line in lines)
