"""What the screen looks at: the watchlist leads, chart and chain follow, and what is hidden is not asked."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Size
from textual.pilot import Pilot

from station.link import Ask, Book, Chain, ChainRow, LinkClient, LinkServer
from station.link.floor import ERROR, LOADING
from tests.tui import synthetic, synthetic_panes
from tests.tui.stage import Stage
from tests.tui.synthetic import NOON
from widgets import book as books
from widgets import floorplan
from widgets.actions import PANES
from widgets.chart import ChartPane
from widgets.dialogs import HelpDialog, SymbolDialog
from widgets.pane import Pane
from widgets.sight import TIMEFRAMES, Sight, at_the_money

KEYS = dict(zip(TIMEFRAMES, "1234567890", strict=True))


def pane(stage: Stage, name: str) -> Pane:
    return stage.app.screen_stack[0].query_one(f"#{name}", Pane)


# --- a hundred switches --------------------------------------------------------------------------------


async def test_a_hundred_switches_over_a_socket_show_a_hundred_right_charts(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    stage = Stage(synthetic.calm(), lambda one: LinkClient(path, clock=one.clock))
    dice = random.Random(11)
    async with stage.app.run_test(size=(100, 28)) as pilot:
        server = LinkServer(
            path, stage.engine.handle, stage.engine.picture, clock=stage.clock, answer=stage.engine.answer
        )
        await server.start()
        await pilot.press("h")
        while stage.app.link.view.floor.chart is None:
            stage.clock.advance(0.3)
            server.tick()
            stage.app.pump()
            await pilot.pause()
        for _ in range(100):
            symbol, frame = dice.choice(list(synthetic_panes.BASES)), dice.choice(TIMEFRAMES)
            for hurried in dice.sample(TIMEFRAMES, dice.choice((0, 1, 3))):
                stage.app.action_act(f"chart_{hurried}")
            stage.app.aim(symbol=symbol)
            stage.app.action_act(f"chart_{frame}")
            await _shown(stage, pilot, Ask("chart", symbol, frame, 300))
        assert stage.app.link.view.floor.chain is None, "a hidden pane asks for nothing"
        await server.stop()


async def _shown(stage: Stage, pilot: Pilot[str], ask: Ask) -> None:
    """The chart that was asked for comes by itself, and is the right one to the last figure."""
    chart = pane(stage, "chart")
    truth = synthetic_panes.chart(ask, NOON)
    last = synthetic_panes.tip(Ask("tip", ask.symbol, ask.timeframe), NOON).last
    while f"[{ask.timeframe}]" not in chart.text() or f"▸{last:,.2f}" not in chart.text():
        await pilot.pause()
    assert stage.app.link.view.floor.chart == truth
    assert chart.text().splitlines()[0].split()[1:3] == [ask.symbol, ask.timeframe]


# --- who asks for what ---------------------------------------------------------------------------------


async def test_hidden_panes_ask_for_nothing() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.settle(pilot)
        assert {ask.part for ask in stage.app.link.view.asks} == {"account"}, "it stands over the positions"
        await pilot.press("h")
        await stage.settle(pilot)
        assert {ask.part for ask in stage.app.link.view.asks} == {"chart", "tip"}
        await pilot.press("m")
        await stage.settle(pilot)
        assert {ask.part for ask in stage.app.link.view.asks} == {"chain", "book"}
        await pilot.press("p")
        await stage.settle(pilot)
        assert {ask.part for ask in stage.app.link.view.asks} == {"account"}
        assert stage.app.link.view.floor.chart is None


async def test_the_watchlist_leads_chart_and_chain() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        assert "SPX 5m" in pane(stage, "chart").text() and "SPXW 0DTE" in pane(stage, "chain").text()
        await pilot.press("w", "down")
        await stage.settle(pilot)
        assert "SPY 5m" in pane(stage, "chart").text() and "SPY 0DTE" in pane(stage, "chain").text()
        assert "592C" in pane(stage, "book").text()
        await pilot.press("down", "down")
        await stage.settle(pilot)
        assert "VIX 5m" in pane(stage, "chart").text()
        assert "VIX has no options here" in pane(stage, "chain").text()
        assert "choose an option" in pane(stage, "book").text()


async def test_a_key_typed_ahead_is_for_the_pane_just_called() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        stage.app.look_at("watch")
        assert stage.app.focused_pane is pane(stage, "watch"), "before anything else runs"


async def test_a_symbol_is_found_by_its_first_letters() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await stage.settle(pilot)
        await pilot.press("slash")
        await stage.settle(pilot)
        assert isinstance(stage.app.screen, SymbolDialog)
        stage.clock.advance(1)
        await pilot.press("q", "q", "enter")
        assert isinstance(stage.app.screen, SymbolDialog), "nothing of that name"
        await pilot.press("e", "enter")
        await stage.settle(pilot)
        assert "ES 5m" in pane(stage, "chart").text()


async def test_the_chain_s_cursor_survives_updates_and_leads_the_matrix() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        assert "5940C 0DTE" in pane(stage, "book").text(), "the call at the money until somebody chooses"
        await pilot.press("o", "down", "down", "right")
        await stage.settle(pilot)
        assert stage.app.link.view.asks[-1].contract == "5950P"
        assert "5950P 0DTE" in pane(stage, "book").text()
        assert stage.engine.floor.header is not None
        later = msgspec.structs.replace(stage.engine.floor.header, now_ns=NOON + 1_000_000_000)
        stage.engine.floor = msgspec.structs.replace(stage.engine.floor, header=later)
        await stage.settle(pilot)
        assert pane(stage, "chain").picked == "5950"
        chosen = next(line for line in pane(stage, "chain").text().splitlines() if " 5950 " in line)
        assert chosen.index(">") > chosen.index("5950"), "on the put"


async def test_panes_say_what_is_wrong_in_their_own_place() -> None:
    stage = Stage(synthetic.calm())
    stage.engine.refusals = {
        "chart": (LOADING, "fetching SPX 5m …"), "chain": (ERROR, "no listing: the broker refused"),
        "wealth": (ERROR, "the wealth books cannot be read: locked"),
    }  # fmt: skip
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        assert "fetching SPX 5m" in pane(stage, "chart").text()
        assert "ERROR" in pane(stage, "chain").text() and "broker refused" in pane(stage, "chain").text()
        assert "read: locked" in pane(stage, "wealth").text()
        assert "choose an option" in pane(stage, "book").text()
        assert "5,938.25" in pane(stage, "watch").text()


async def test_a_closed_market_shows_its_last_session() -> None:
    stage = Stage(synthetic.calm())
    stage.engine.closed = True
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        assert "CLOSED  last session Nov 20" in pane(stage, "chart").text()
        assert "old" not in pane(stage, "chart").text()


# --- zoom, focus, help ---------------------------------------------------------------------------------


async def test_zoom_shows_one_pane_and_comes_back() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        await pilot.press("h", "z")
        await stage.settle(pilot)
        assert [one.id for one in stage.app.panes if one.display] == ["chart"]
        assert stage.app.screen.query_one(ChartPane).size.width == 160
        await pilot.press("tab")
        await stage.settle(pilot)
        assert [one.id for one in stage.app.panes if one.display] == ["positions"]
        await pilot.press("z")
        await stage.settle(pilot)
        assert sum(one.display for one in stage.app.panes) == 10


async def test_a_pane_that_shares_its_place_comes_when_it_is_called() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await stage.settle(pilot)
        assert pane(stage, "chain").display and not pane(stage, "book").display
        await pilot.press("m")
        await stage.settle(pilot)
        assert pane(stage, "book").display and not pane(stage, "chain").display
        assert "5940C" in pane(stage, "book").text()
        await pilot.press("o")
        await stage.settle(pilot)
        assert pane(stage, "chain").display


async def test_help_begins_with_the_pane_in_focus() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        await pilot.press("h", "question_mark")
        await stage.settle(pilot)
        assert isinstance(stage.app.screen, HelpDialog)
        said = [str(one.render()) for one in stage.app.screen.query("Static")]
        assert "In chart" in said[0] and "Read a bar" in said[1]


def test_the_footer_speaks_keys_as_they_are_printed() -> None:
    from config.catalogue import load_keys
    from widgets.actions import ACTIONS, spoken

    stage = Stage(synthetic.calm(), keys=load_keys())
    assert [stage.app.shown_key(one) for one in ACTIONS if one.name in ("help", "flatten", "symbol")] == [
        "X", "/", "?",
    ]  # fmt: skip
    assert spoken("f1,question_mark") == "F1" and spoken("slash") == "/"


# --- layout and small pure things ----------------------------------------------------------------------


@given(st.integers(110, 320), st.integers(30, 90), st.permutations([entry.name for entry in PANES]))
def test_the_plan_tiles_the_floor(width: int, height: int, order: list[str]) -> None:
    fronts = tuple(order)
    shown = floorplan.seen(width, height, fronts, zoomed=False)
    area = Size(width, height - 6)
    places = floorplan.regions(width, height, area, shown)
    assert set(places) == set(shown) and fronts[0] in shown
    cells = {(x, y) for one in places.values() for x in range(*one.column_span) for y in range(*one.line_span)}
    assert len(cells) == sum(one.area for one in places.values()), "no pane over another"
    columns = len(floorplan.columns_of(width, height))
    assert len(cells) == area.height * (area.width - columns + 1), "nothing wasted but a cell between columns"
    assert all(one.width >= 30 and one.height >= 4 for one in places.values())


@pytest.mark.parametrize(
    ("spot", "strikes", "found"),
    [
        (5938.2, (5930, 5935, 5940), "5940C"),
        (5937.5, (5935, 5940), "5935C"),
        (None, (5935,), ""),
        (5.0, (), ""),
    ],
)
def test_the_money_is_the_nearest_strike(spot: float | None, strikes: tuple[int, ...], found: str) -> None:
    rows = tuple(ChainRow(Decimal(strike)) for strike in strikes)
    assert at_the_money(Chain(Ask("chain", "SPX"), spot=spot, rows=rows)) == found


def test_another_symbol_is_another_option() -> None:
    sight = Sight("SPX", "1m", contract="5940C")
    assert sight.at("SPX") is sight
    assert sight.at("SPY") == Sight("SPY", "1m")
    assert sight.stepped(-1).timeframe == "1m" and sight.stepped(3).timeframe == "5m"
    assert [sight.next_expiry().expiry, sight.next_expiry().next_expiry().expiry] == ["weekly", "monthly"]


def test_the_matrix_has_legal_prices_and_hides_none_of_our_orders() -> None:
    book = synthetic_panes.book(Ask("book", "SPX", contract="5940C"), NOON)
    prices = books.ladder(book, 20)
    assert list(prices) == sorted(set(prices), reverse=True)
    assert Decimal("3.00") in prices and Decimal("2.95") in prices, "the tick is finer under 3.00"
    empty = msgspec.structs.replace(book, bids=(), asks=())
    assert books.ladder(empty, 20) == ()
    low = Book(book.ask, bids=(), asks=synthetic_panes.book(book.ask, NOON).asks[:1], steps=book.steps)
    assert all(price > 0 for price in books.ladder(low, 60))


async def test_a_price_of_the_matrix_stays_in_its_row_while_the_market_keeps_to_the_middle() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        matrix = pane(stage, "book")
        rows = matrix.size.height - 2
        told = synthetic_panes.book(Ask("book", "SPX", contract="5940C"), NOON)

        def priced(up: str) -> list[str]:
            levels = {
                side: tuple(
                    msgspec.structs.replace(one, price=one.price + Decimal(up)) for one in getattr(told, side)
                )
                for side in ("bids", "asks")
            }
            moved = msgspec.structs.replace(told, **levels)
            scene = stage.app.scene()
            matrix.paint(replace(scene, floor=msgspec.structs.replace(scene.floor, book=moved)))
            return [line[:26][-9:].strip() for line in matrix.text().splitlines()[-rows // 2 :]]

        at_first = priced("0")
        assert priced("0.10") == at_first and priced("-0.10") == at_first
        assert priced("9.00") != at_first
        assert priced("8.90") == priced("9.00")


@pytest.mark.parametrize("height", [6, 12, 30])
async def test_every_order_of_ours_is_told_at_any_height(height: int) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, height + 7)) as pilot:
        await pilot.press("m")
        await stage.settle(pilot)
        assert "TP S2" in pane(stage, "book").text()
