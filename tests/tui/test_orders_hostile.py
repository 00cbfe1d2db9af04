"""What nobody means to type: pastes by the screenful, control characters, huge numbers. Told and never sent."""

from __future__ import annotations

import pytest
from textual.events import Key, Paste
from textual.pilot import Pilot
from textual.widgets import Input, Static

from station.link.messages import READ_ONLY_COMMANDS
from tests.tui import synthetic
from tests.tui.stage import Stage
from tests.tui.test_orders_hand import orders, ticket
from tests.tui.ticket_hand import press, said
from widgets.keyboard import Burst
from widgets.order_dialogs import OrderLineDialog, PartDialog

SMALL = (80, 24)


async def pasted(stage: Stage, pilot: Pilot[str], text: str) -> str:
    """What the dialog says of a paste."""
    stage.clock.advance(0.4)
    stage.app.post_message(Paste(text))
    await stage.settle(pilot)
    told = stage.app.screen.query("#said, #wrong").results(Static)
    return "\n".join(str(one.render()) for one in told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("buy 2 SPX 5940C " + "x" * 100_000, "100,016 characters were pasted, and a line takes 240"),
        ("a " * 50_000, "100,000 characters were pasted"),
        ("buy 2 SPX 5940C\nX\n", "2 lines were pasted, and one is taken"),
        ("buy 2 \x07SPX\x1b[31m 5940C", "control characters"),
        ("buy 2 SPX 5940C\u202e @ mid", "control characters"),
    ],
)
async def test_a_paste_that_is_no_line_is_refused_whole_and_says_why(text: str, told: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await press(stage, pilot, "colon")
        assert told in await pasted(stage, pilot, text)
        assert stage.app.screen.query_one(Input).value == ""
        await press(stage, pilot, "enter")
        assert isinstance(stage.app.screen, OrderLineDialog)
        assert orders(stage) == []


async def test_a_line_that_is_pasted_is_as_one_that_is_typed() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await press(stage, pilot, "colon", "b", "u", "y", "space")
        assert "= buy 2 SPX 5940C 0dte @ mid" in await pasted(
            stage, pilot, "\t2 SPX 5940C\r\n".replace("\t", " ")
        )
        await press(stage, pilot, "enter")
        assert ticket(stage).form.strike == 5940


async def test_how_much_to_close_takes_a_number_alone() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await press(stage, pilot, "p", "minus")
        assert "'all' was pasted, and a whole number is wanted" in await pasted(stage, pilot, "all")
        assert "a line takes 6" in await pasted(stage, pilot, "9" * 100_000)
        await pasted(stage, pilot, "999999")
        await press(stage, pilot, "enter")
        assert isinstance(stage.app.screen, PartDialog)
        assert orders(stage) == []


@pytest.mark.parametrize(
    ("line", "word", "told"),
    [
        ("buy 99999999999999999999 SPX 5940C", "99999999999999999999", "give a whole number, 1 to 9999"),
        ("buy 2 SPX 99999999999C @ mid", "99999999999C", "is no strike"),
        ("buy 2 SPX 5940C @ 1e309", "1e309", "is no price"),
        ("buy 2 SPX 5940C @ mid tp 23% sl 22% conf 70 override override", "override", "said twice"),
        ("buy 2 SPX 5940CC", "5940CC", "means nothing here"),
        (f"buy 2 SPX 5940C @ 4.20 {'tp ' * 40}", "tp", "no tp: a price, or a percentage"),
    ],
)
async def test_the_mark_stands_under_the_wrong_word_at_the_smallest_size(
    line: str, word: str, told: str
) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await press(stage, pilot, "colon", line, "enter")
        place = stage.app.screen.query_one("#said", Static)
        shown, mark, why = str(place.render()).splitlines()[:3]
        assert told in why
        at = slice(mark.index("^"), mark.rindex("^") + 1)
        assert word.startswith(shown[at])
        assert len(shown) <= place.size.width
        assert orders(stage) == []


async def test_a_form_takes_no_more_than_its_field_can_mean() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await press(stage, pilot, "b", *"99999999999999", "enter", "y")
        assert "give a whole number, 1 to 9999" in said(stage)
        assert orders(stage) == []
        await pasted(stage, pilot, "5" * 100_000)
        assert "nothing here takes text" in stage.line("notice")
        assert len(ticket(stage).form.text("qty")) <= 12


@pytest.mark.parametrize(("text", "taken"), [("4.25", "4.25"), ("4.2y", "4.10"), ("xyy", "4.10")])
async def test_a_price_that_a_slow_line_brings_at_once_is_taken_whole_or_not_at_all(
    text: str, taken: str
) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        await press(stage, pilot, "colon", "buy 2 SPX 5940C @ 4.10", "enter", "tab", "tab")
        assert ticket(stage).form.at == "limit"
        stage.app.post_message(Burst([Key(letter, letter) for letter in text], rest=False))
        await stage.settle(pilot)
        assert ticket(stage).form.text("limit") == taken
        assert orders(stage) == []


async def test_the_cursor_of_a_line_stands_still_and_shown() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SMALL) as pilot:
        for key in ("colon", "slash"):
            await press(stage, pilot, key)
            line = stage.app.screen.query_one(Input)
            assert line.has_focus and not line.cursor_blink
            blinking = line._blink_timer  # pyright: ignore[reportPrivateUsage]
            assert blinking is not None and not blinking._active.is_set()  # pyright: ignore[reportPrivateUsage]
            assert line._cursor_visible  # pyright: ignore[reportPrivateUsage]
            await press(stage, pilot, "escape")


WORDED = ("slash", "R", "I", "colon", "p minus", "J slash", "J n", "f7 down down enter", "f6 D")
"""What brings up each line that takes words."""


@pytest.mark.parametrize("keys", WORDED)
async def test_no_line_takes_what_is_no_line_and_each_says_why(keys: str) -> None:
    stage = Stage(synthetic.busy())
    async with stage.app.run_test(size=SMALL) as pilot:
        await press(stage, pilot, *keys.split())
        await stage.app.workers.wait_for_complete()
        before = stage.app.screen.query_one(Input).value
        for text in ("x" * 100_000, "SPX\x07\x1b[31m", "SPX\u202e", "RELEASE\nRELEASE\n", "\x00" * 9):
            assert "pasted" in await pasted(stage, pilot, text)
            assert stage.app.screen.query_one(Input).value == before
        await pasted(stage, pilot, "9" * 200)
        box = stage.app.screen.query_one("#box").region
        assert box.y >= 3 and box.bottom <= SMALL[1] - 1, "header and kill key stay in sight"
        assert [one for one in stage.engine.heard if not isinstance(one, READ_ONLY_COMMANDS)] == []
