"""Orders by keyboard: what it takes to send one, and what never sends one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from textual._xterm_parser import XTermParser
from textual.pilot import Pilot
from textual.widgets import Input, Static

from station.domain.errors import BadInput
from station.link import (
    Ack,
    CancelAll,
    CancelOrder,
    ClosePart,
    CloseTrade,
    Command,
    Kill,
    LinkClient,
    LinkDown,
    LinkState,
    LocalLink,
    ModifyOrder,
    Orders,
    PlaceOrder,
    Positions,
    PreviewOrder,
    PreviewReverse,
    Reply,
    ReverseTrade,
)
from station.link.floor import ERROR, LOADING
from tests.tui import synthetic
from tests.tui.stage import Stage
from tests.tui.ticket_hand import press, said
from widgets.amend import AmendDialog
from widgets.dialogs import KillDialog
from widgets.keymap import remapped
from widgets.order_dialogs import ConfirmDialog, OrderLineDialog, PartDialog
from widgets.ticket_dialog import TicketDialog

SIZE = (110, 30)


def orders(stage: Stage) -> list[Command]:
    """What was heard but for previews."""
    return [command for command in stage.engine.heard if not isinstance(command, PreviewOrder | PreviewReverse)]


async def told(stage: Stage, pilot: Pilot[str], **parts: object) -> None:
    """The engine tells these parts anew."""
    stage.engine.floor = msgspec.structs.replace(stage.engine.floor, **parts)
    await stage.settle(pilot)
    await stage.settle(pilot)


def ticket(stage: Stage) -> TicketDialog:
    assert isinstance(stage.app.screen, TicketDialog)
    return stage.app.screen


# --- the ticket ----------------------------------------------------------------------------------------


async def test_the_chain_s_option_is_bought_with_three_different_keys() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b")
        text = said(stage)
        for told in (
            "SPXW 5940C 0DTE",
            "$415.00, fees 2.60",
            "5,944.15",
            "$417.60",
            "APPROVED by 28 rules",
        ):
            assert told in text
        await press(stage, pilot, "r")
        assert "daily_loss" in said(stage) and "0.0 % of 2 %" in said(stage)
        await press(stage, pilot, "enter")
        assert "SEND  PAPER: BUY 1 SPXW 5940C 0DTE limit at mid" in said(stage)
        assert orders(stage) == []
        await press(stage, pilot, "y")
        sent = orders(stage)
        assert len(sent) == 1 and isinstance(sent[0], PlaceOrder)
        assert (sent[0].ticket.symbol, sent[0].ticket.strike, sent[0].ticket.expiry) == (
            "SPX",
            "5940",
            "20251120",
        )
        assert len(sent[0].token) >= 16 and sent[0].by == "screen"
        assert "order 1 is at the broker" in said(stage) and "order 1 is at the broker" in stage.line("notice")
        await press(stage, pilot, "enter")
        assert len(stage.app.screen_stack) == 1


async def test_a_burst_of_keys_in_one_write_is_taken_in_its_order() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "colon")
        stage.clock.advance(0.4)
        stage.app.screen.query_one(Input).value = "what was before"
        for event in XTermParser().feed("\x15buy 2 SPX 594\x7f40C 0dte\x1b[H#\x1b[F @ mid\r"):
            stage.app.post_message(event)
        await press(stage, pilot)
        assert stage.app.screen.query_one(Input).value == "#buy 2 SPX 5940C 0dte @ mid"


@pytest.mark.parametrize("keys", [["enter"] * 5, ["y"] * 5, ["b", "enter", "escape", "enter"]])
async def test_no_key_pressed_again_and_again_sends(keys: list[str]) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b", *keys)
        assert orders(stage) == []


async def test_a_key_held_down_does_not_run_through_the_arming() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b", "enter")
        assert ticket(stage).stage == "armed"
        ticket(stage)._opened_ns = stage.app.perf()
        await pilot.press("y")
        await stage.settle(pilot)
        assert orders(stage) == [] and ticket(stage).stage == "armed"


async def test_a_refused_order_cannot_be_sent_and_says_which_rules_refuse() -> None:
    stage = Stage(synthetic.calm())
    stage.engine.counterpart.refuses = True
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b", "enter", "y")
        assert orders(stage) == []
        text = said(stage)
        assert "REFUSED by 2 of 28 rules" in text and "daily_loss: the day has lost more" in text
        assert "not approved" in text


async def test_the_preview_follows_the_form_and_the_market() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b", "up", "tab", "right", "tab", "a", "up")
        asked = [command for command in stage.engine.heard if isinstance(command, PreviewOrder)]
        assert (asked[-1].ticket.qty, asked[-1].ticket.kind, asked[-1].ticket.limit) == (2, "LIMIT", "4.30")
        assert "$860.00" in said(stage)
        before = len(asked)
        stage.clock.advance(1.1)
        await stage.settle(pilot)
        assert len([c for c in stage.engine.heard if isinstance(c, PreviewOrder)]) == before + 1


@pytest.mark.parametrize("state", [LOADING, ERROR])
async def test_a_chain_without_rows_offers_no_option_to_buy(state: str) -> None:
    stage = Stage(synthetic.calm())
    stage.engine.refusals = {"chain": (state, "it is asked for")}
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "o", "down", "b")
        assert "no option is chosen" in stage.line("notice") and len(stage.app.screen_stack) == 1


async def test_an_unfinished_form_is_not_previewed_and_says_what_is_missing() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b", "tab", "right", "tab", "delete", "enter")
        assert "a limit order needs this price" in said(stage)
        assert ticket(stage).stage == "edit" and orders(stage) == []


class Deaf(LocalLink):
    """Loses the answers to the first orders it carries, though they arrive."""

    losses = 1

    async def ask(self, command: Command, timeout_s: float = 5.0) -> Reply:
        reply = await super().ask(command, timeout_s)
        if isinstance(command, PlaceOrder | ModifyOrder) and self.losses:
            self.losses -= 1
            raise LinkDown("the engine gave no answer within 5 s")
        return reply


async def test_an_order_whose_answer_was_lost_is_placed_once_however_often_it_is_sent() -> None:
    stage = Stage(
        synthetic.calm(),
        lambda one: Deaf(one.engine.handle, one.engine.picture, clock=one.clock, answer=one.engine.answer),
    )
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b", "enter", "y")
        assert "NO ANSWER" in said(stage) and "may have been placed" in stage.line("notice")
        await press(stage, pilot, "enter", "enter", "y")
        tokens = [command.token for command in orders(stage) if isinstance(command, PlaceOrder)]
        assert len(tokens) == 2 and len(set(tokens)) == 1
        assert len(stage.engine.counterpart.placed) == 1
        assert "order 1 is at the broker" in said(stage)


async def test_a_refusal_at_the_last_moment_is_shown_and_the_next_try_is_another_order() -> None:
    stage = Stage(synthetic.calm())
    answer = stage.engine.counterpart.answer

    def refuse(command: Command) -> Reply:
        if isinstance(command, PlaceOrder):
            return Ack(False, "the gate closed", "GATE")
        return answer(command)  # pyright: ignore[reportArgumentType]

    stage.engine.counterpart.answer = refuse  # pyright: ignore[reportAttributeAccessIssue]
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b", "enter", "y")
        assert "REFUSED: the gate closed [GATE]" in said(stage) and ticket(stage).stage == "edit"
        await press(stage, pilot, "enter", "y")
        tokens = {command.token for command in orders(stage) if isinstance(command, PlaceOrder)}
        assert len(tokens) == 2


async def test_without_an_engine_nothing_opens_and_nothing_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    stage = Stage(synthetic.calm(), lambda one: LinkClient(path, clock=one.clock))
    async with stage.app.run_test(size=SIZE) as pilot:
        while stage.app.link.state is not LinkState.LOST:
            await pilot.pause()
        await press(stage, pilot, "colon", "buy 2 SPX 5940C", "enter")
        assert "no engine to deal with" in stage.line("notice")
        assert len(stage.app.screen_stack) == 1


async def test_an_engine_lost_under_an_armed_ticket_bars_it_in_words() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b", "enter")
        await stage.app.link.close()
        await press(stage, pilot, "y")
        assert orders(stage) == []
        assert "nothing was sent: There is no engine to deal with" in said(stage)


async def test_a_broker_that_is_away_bars_tickets() -> None:
    stage = Stage(synthetic.calm())
    assert stage.engine.floor.header is not None
    away = msgspec.structs.replace(stage.engine.floor.header, broker_up=False)
    stage.engine.floor = msgspec.structs.replace(stage.engine.floor, header=away)
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b")
        assert "broker is not connected" in stage.line("notice") and len(stage.app.screen_stack) == 1


# --- where tickets come from ---------------------------------------------------------------------------


async def test_a_position_s_ticket_is_of_its_contract() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "p", "down", "b")
        form = ticket(stage).form
        assert (form.action, form.symbol, form.strike, form.right) == ("BUY", "SPY", 591, "P")


async def test_a_firing_becomes_a_ticket_once_its_chain_is_there() -> None:
    stage = Stage(synthetic.calm())
    row = stage.engine.floor.feed
    assert row is not None
    rows = tuple(msgspec.structs.replace(one, instrument="SPY") for one in row.rows)
    stage.engine.floor = msgspec.structs.replace(
        stage.engine.floor, feed=msgspec.structs.replace(row, rows=rows)
    )
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "f", "down", "down", "down", "b")
        await stage.settle(pilot)
        form = ticket(stage).form
        assert (form.symbol, form.right, form.text("confidence")) == ("SPY", "P", "61")


async def test_the_order_line_leads_to_the_ticket_and_never_past_it() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "colon", "buy 2 SPX 5940C @ 4.20 tp 23%", "enter")
        form = ticket(stage).form
        assert (form.text("qty"), form.text("limit"), form.text("target")) == ("2", "4.20", "23%")
        assert orders(stage) == []
        await press(stage, pilot, "escape", "colon", "up", "enter")
        assert ticket(stage).form == form, "earlier lines come back"


async def test_a_wrong_line_stays_and_points_at_the_word() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "colon", "buy 2 SPX 5940C @ soon", "enter")
        assert isinstance(stage.app.screen, OrderLineDialog)
        told = str(stage.app.screen.query_one("#said").render())
        assert "^^^^" in told and "'soon' is no price" in told


async def test_tab_completes_the_line_from_the_chain() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "colon", "b", "tab", "buy 2 S", "tab", "buy 2 SPX ", "tab", "enter")
        assert ticket(stage).form.strike == 5940


async def test_the_line_offers_what_may_follow_also_of_a_symbol_whose_chain_is_not_shown() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "colon", "buy 2 SPY ")
        told = str(stage.app.screen.query_one("#said").render())
        assert "next  592C  592P  593C" in told
        await press(stage, pilot, "buy 2 SPY 592C ")
        told = str(stage.app.screen.query_one("#said").render())
        assert "= buy 2 SPY 592C 0dte @ mid" in told and "next  0dte  1dte  weekly" in told


# --- positions and working orders ----------------------------------------------------------------------


async def test_a_part_is_closed_with_a_number() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "p", "down", "minus")
        assert isinstance(stage.app.screen, PartDialog)
        await press(stage, pilot, "9", "enter")
        assert isinstance(stage.app.screen, PartDialog) and orders(stage) == []
        await press(stage, pilot, "ctrl+u", *"1.0", "enter")
        wrong = str(stage.app.screen.query_one("#wrong").render())
        assert "1.0 is not 1 to" in wrong and orders(stage) == []
        await press(stage, pilot, "ctrl+u", "9")
        await press(stage, pilot, "backspace", "3", "enter")
        (sent,) = orders(stage)
        assert isinstance(sent, ClosePart) and sent.token
        assert (sent.trade_id, sent.qty, sent.by) == ("T2", 3, "screen")


async def test_reversing_asks_and_enter_leaves_it() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "p", "V")
        assert isinstance(stage.app.screen, ConfirmDialog)
        await press(stage, pilot, "enter")
        assert orders(stage) == [] and len(stage.app.screen_stack) == 1
        await press(stage, pilot, "V")
        asked = str(stage.app.screen.query(Static).first().render())
        assert "BUY 2 SPXW 5940P 0DTE: APPROVED by 28 rules" in asked and "About $830.00" in asked
        await press(stage, pilot, "y")
        sent = orders(stage)
        assert (
            len(sent) == 1 and isinstance(sent[0], ReverseTrade) and sent[0].trade_id == "T1" and sent[0].token
        )


async def test_a_reverse_that_would_be_refused_says_so_first_and_offers_the_close_alone() -> None:
    stage = Stage(synthetic.calm())
    stage.engine.counterpart.refuses = True
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "p", "V")
        asked = str(stage.app.screen.query(Static).first().render())
        assert "daily_loss: the day has lost more than its limit" in asked
        await press(stage, pilot, "y")
        assert orders(stage) == [CloseTrade("T1", "screen")]


async def test_another_side_that_has_no_quote_yet_is_asked_about_again_before_it_is_refused() -> None:
    stage = Stage(synthetic.calm())
    stage.engine.counterpart.unquoted = 1
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "p", "V")
        asked = str(stage.app.screen.query(Static).first().render())
        assert "BUY 2 SPXW 5940P 0DTE: APPROVED by 28 rules" in asked


async def test_a_working_order_is_modified_in_two_steps() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "u", "end", "enter", "up", "enter")
        assert isinstance(stage.app.screen, AmendDialog) and orders(stage) == []
        await press(stage, pilot, "enter")
        assert orders(stage) == [], "enter goes back"
        await press(stage, pilot, "enter", "y")
        (sent,) = orders(stage)
        assert isinstance(sent, ModifyOrder) and sent.token
        assert (sent.order_ref, sent.qty, sent.limit, sent.by) == ("V1-DU1-T4-E-0", 0, "3.20", "screen")
        assert "it is on its way" in said(stage)


@pytest.mark.parametrize("size", [SIZE, (80, 24)])
async def test_a_change_that_is_refused_says_every_reason(size: tuple[int, int]) -> None:
    stage = Stage(synthetic.calm())
    rules = ("contracts an order: the quantity is outside the limit", "position size: too large for an equity",
             "buying power: more than there is", "portfolio theta: time would take too much")  # fmt: skip
    stage.engine.counterpart.keeps = f"V1-DU1-T4-E-0 stays as it is: {'; '.join(rules)}"
    async with stage.app.run_test(size=size) as pilot:
        await press(stage, pilot, "u", "end", "enter", "up", "enter", "y")
        words = " ".join(said(stage).replace("│", " ").split())
        assert all(rule in words for rule in rules) and "Esc leave" in words


async def test_an_order_that_fills_while_its_dialog_stands_is_not_offered_for_change_any_more() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "u", "M", *"3.10", "enter")
        part = stage.engine.floor.orders
        assert part is not None and "CHANGE IT" in said(stage)
        row, *others = part.rows
        moved = msgspec.structs.replace(row, stop=row.stop, limit=Decimal("3.00"))
        await told(stage, pilot, orders=Orders((moved, *others)))
        assert "It was changed meanwhile" in said(stage) and "CHANGE IT" not in said(stage)
        await press(stage, pilot, "enter")
        assert "CHANGE IT" in said(stage)
        await told(stage, pilot, orders=Orders(tuple(others)))
        assert "It works no more" in said(stage) and "CHANGE IT" not in said(stage)
        await press(stage, pilot, "y", "x", "enter")
        assert orders(stage) == [] and len(stage.app.screen_stack) == 1


async def test_a_position_that_is_sold_while_a_part_is_asked_for_is_not_called_held_any_more() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "p", "down", "minus")
        assert "held." in str(stage.app.screen.query_one("#held").render())
        part = stage.engine.floor.positions
        assert part is not None
        await told(stage, pilot, positions=Positions(state=LOADING, note="replaying"))
        assert "5 held." in str(stage.app.screen.query_one("#held").render()), "of an engine that starts"
        gone = tuple(row for row in part.rows if row.trade_id != "T2")
        await told(stage, pilot, positions=Positions(gone))
        assert "nothing is held any more" in str(stage.app.screen.query_one("#held").render())
        await press(stage, pilot, "enter")
        assert orders(stage) == [] and len(stage.app.screen_stack) == 1


async def test_a_change_asked_for_again_after_another_is_another_change() -> None:
    stage = Stage(
        synthetic.calm(),
        lambda one: Deaf(one.engine.handle, one.engine.picture, clock=one.clock, answer=one.engine.answer),
    )
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "u", "end", "enter", "up", "enter", "y")
        assert "NO ANSWER" in said(stage)
        await press(stage, pilot, "up", "enter", "y", "enter")
        part = stage.engine.floor.orders
        assert part is not None
        *others, row = part.rows
        changed = msgspec.structs.replace(row, limit=Decimal("3.30"))
        await told(stage, pilot, orders=Orders((*others, changed)))
        stage.clock.advance(1.0)
        await press(stage, pilot, "enter", "down", "enter", "y")
        lost, there, back = (one for one in orders(stage) if isinstance(one, ModifyOrder))
        assert [one.limit for one in (lost, there, back)] == ["3.20", "3.30", "3.20"]
        assert len({lost.token, there.token, back.token}) == 3, "or the engine takes the last for done"


async def test_an_exit_is_modified_by_its_price_or_its_stop_and_never_cancelled_alone() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "u", "c")
        assert orders(stage) == [] and "an exit protects its position" in stage.line("notice")
        await press(stage, pilot, "M")
        assert isinstance(stage.app.screen, AmendDialog)
        assert stage.app.screen.form.only == ("trigger", "limit")
        await press(stage, pilot, "enter")
        assert "nothing is changed yet" in said(stage)
        await press(stage, pilot, "tab", *"3.10", "enter", "y")
        (sent,) = orders(stage)
        assert isinstance(sent, ModifyOrder)
        assert (sent.limit, sent.stop) == ("", "3.10")


async def test_the_picked_entry_is_cancelled_with_one_key_and_all_of_them_after_a_question() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "u", "end", "c")
        assert orders(stage) == [CancelOrder("V1-DU1-T4-E-0", by="screen")]
        await press(stage, pilot, "C")
        assert isinstance(stage.app.screen, ConfirmDialog)
        await press(stage, pilot, "enter", "C", "y")
        assert orders(stage)[1:] == [CancelAll(by="screen")]


async def test_orders_not_seen_are_not_changed() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await press(stage, pilot, "M")
        assert "press u" in stage.line("notice") and len(stage.app.screen_stack) == 1


async def test_every_leg_of_a_ladder_is_told() -> None:
    stage = Stage(synthetic.calm())
    row, other = synthetic.positions().rows
    laddered = msgspec.structs.replace(row, exits=synthetic.ladder(), leaving="closing 1")
    part = Positions((laddered, other))
    stage.engine.floor = msgspec.structs.replace(stage.engine.floor, positions=part)
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        text = stage.app.positions.text()
        assert "sell 1 @ 5.20, 1 @ 5.90, stop 2 @ 3.20 live" in text and "closing 1" in text


# --- the kill key and the key table --------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [["b"], ["b", "enter"], ["colon", "b"], ["p", "V"], ["p", "minus"], ["u", "M", "up", "enter"]],
)  # fmt: skip
async def test_f12_kills_from_inside_every_order_dialog(keys: list[str]) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, *keys)
        assert len(stage.app.screen_stack) == 2
        await press(stage, pilot, "f12")
        assert orders(stage) == [Kill(flatten=False, by="screen")]
        assert isinstance(stage.app.screen, KillDialog)
        assert len(stage.app.screen_stack) == 2, "under two dialogs the header would stand still"
        assert "KILL ON" in stage.line("header")


def test_a_key_for_two_actions_is_refused_naming_both() -> None:
    with pytest.raises(BadInput, match="b would mean both buy and close"):
        remapped({"close": "b"})
    with pytest.raises(BadInput, match="moves cursors"):
        remapped({"buy": "j"})
    assert remapped({"close": "w", "watch": "W"}) == {"vigil.close": "w", "vigil.watch": "W"}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"close": "number_sign"}, "number_sign would mean both journal.tag and close: give close"),
        ({"journal.note": "x"}, "x would mean both close and journal.note: give journal.note another key"),
        ({"journal.note": "e"}, "e would mean both journal.events and journal.note"),
        ({"scanners.find": "space"}, "space would mean both rows.toggle and scanners.find"),
        ({"journal.open": "o"}, "journal.open stays on enter"),
        ({"journal.dance": "d"}, "no action is called 'journal.dance'; there are journal.filter"),
    ],
)
def test_a_key_hidden_on_one_screen_is_refused_naming_both(keys: dict[str, str], words: str) -> None:
    with pytest.raises(BadInput) as caught:
        remapped(keys)
    assert words in str(caught.value)


def test_keys_of_a_screen_and_of_the_station_change_places() -> None:
    keys = {"journal.tag": "W", "close": "number_sign"}
    assert remapped(keys) == {f"vigil.{name}": key for name, key in keys.items()}


async def test_a_lost_answer_outlives_its_ticket() -> None:
    stage = Stage(
        synthetic.calm(),
        lambda one: Deaf(one.engine.handle, one.engine.picture, clock=one.clock, answer=one.engine.answer),
    )
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b", "enter", "y", "enter", "escape")
        assert len(stage.app.screen_stack) == 1
        await press(stage, pilot, "b", "enter")
        assert "was sent and not answered" in said(stage)
        await press(stage, pilot, "y")
        assert len(stage.engine.counterpart.placed) == 1
        await press(stage, pilot, "enter", "b", "enter", "y")
        assert len(stage.engine.counterpart.placed) == 2, "answered, the same order again is another one"


async def test_an_open_ticket_tells_by_itself_that_the_engine_is_gone() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b")
        assert "APPROVED" in said(stage)
        await stage.app.link.close()
        await stage.settle(pilot)
        assert "no engine to deal with" in said(stage) and "APPROVED" not in said(stage)


async def test_a_sell_ticket_goes_at_market_and_has_no_legs() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "o", "s")
        form = ticket(stage).form
        assert (form.action, form.kind) == ("SELL", "MARKET") and "target" not in form.fields


async def test_what_only_advises_is_passed_by_saying_so_in_the_ticket() -> None:
    stage = Stage(synthetic.calm())
    stage.engine.counterpart.advises = True
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "b", "enter", "y")
        assert orders(stage) == []
        assert "only advice refuses it: override in the ticket asks past that" in said(stage)
        await press(stage, pilot, "enter", "shift+tab", "shift+tab", "space", "enter", "y")
        sent = orders(stage)
        assert len(sent) == 1 and isinstance(sent[0], PlaceOrder) and sent[0].ticket.override


async def test_what_cannot_be_shown_is_not_said_to_be_nothing() -> None:
    stage = Stage(synthetic.calm())
    assert stage.engine.floor.orders is not None and stage.engine.floor.positions is not None
    stage.engine.floor = msgspec.structs.replace(
        stage.engine.floor,
        orders=msgspec.structs.replace(stage.engine.floor.orders, state="error", note="locked", rows=()),
        positions=msgspec.structs.replace(stage.engine.floor.positions, state="error", note="locked", rows=()),
    )
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await press(stage, pilot, "p", "x")
        assert "positions are not known here: X closes every one. locked" in stage.line("notice")
        await press(stage, pilot, "u", "c")
        assert "working orders are not known here: C cancels every entry. locked" in stage.line("notice")
        await press(stage, pilot, "M")
        assert "working orders are not known here. locked" in stage.line("notice")
        await press(stage, pilot, "C")
        assert isinstance(stage.app.screen, ConfirmDialog)
        stage.clock.advance(0.4)
        await press(stage, pilot, "y")
        assert any(isinstance(one, CancelAll) for one in stage.engine.heard)
