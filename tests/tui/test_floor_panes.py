"""What each pane tells at the width it has: nothing a trader steers by is cut off, and old figures say so."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from station.domain.clock import SECOND
from station.link import Ask, ChainRow, Floor, LinkClient, LinkState
from station.link.asked import Side
from station.link.floor import ExitRow, PositionRow, Positions, Strategies, StrategyRow
from tests.tui import synthetic, synthetic_panes
from tests.tui.stage import Stage, connected, lost
from tests.tui.synthetic import NOON
from widgets import account, book, chain, feed, ink, orders, positions, strategies, watch, words
from widgets.actions import PANES
from widgets.floorplan import behind
from widgets.ink import Line
from widgets.pane import Pane
from widgets.scene import Scene
from widgets.sight import Sight

SIGHT = Sight("SPX", contract="5940C")


def said(line: Line) -> str:
    return "".join(text for text, _ in line)


def scene(**parts: object) -> Scene:
    return Scene(msgspec.structs.replace(synthetic.busy(), **parts), LinkState.CONNECTED, sight=SIGHT)


# --- chain, watchlist, feed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "shown"), [(40, ()), (42, ("Δ",)), (52, ("Δ", "IV")), (62, ("Δ", "IV", "vol"))]
)  # fmt: skip
def test_a_chain_gives_way_from_volume_to_delta(width: int, shown: tuple[str, ...]) -> None:
    told = synthetic_panes.chain(Ask("chain", "SPX", expiry="0dte"))
    made = chain.content(scene(chain=told), width)
    heading = said(made.head[-1])
    assert [word for word in heading.split() if word in ("Δ", "IV", "vol")] == [*shown, *shown]
    assert all(ink.width_of(line) <= width for block in made.blocks for line in block.lines)
    deep = replace_prices(told, Decimal("144.50"))
    assert "vol" not in said(chain.content(scene(chain=deep), 62).head[-1]), "three digits take the room"
    assert "144.50" in said(chain.content(scene(chain=deep), 66).blocks[12].lines[0])


def test_a_delta_of_one_stands_apart_from_its_neighbour() -> None:
    told = synthetic_panes.chain(Ask("chain", "SPX", expiry="0dte"))
    sides = [Side(Decimal("11.70"), Decimal("12.00"), delta, 30.0) for delta in (1.0, -1.0)]
    sure = ChainRow(told.rows[0].strike, *sides)
    shown = said(chain.content(scene(chain=msgspec.structs.replace(told, rows=(sure,))), 62).blocks[0].lines[0])
    assert shown.split().count("12.00") == 2 and {"1.00", "-1.0"} <= set(shown.split())


@pytest.mark.parametrize(
    ("width", "line"),
    [(40, " 5940C  Δ .48  IV 14.1  vol 22k"), (46, " 5940C  IV 14.1  vol 22k"), (52, " 5940C  vol 22k")],
)
def test_what_has_no_column_is_told_of_the_option_under_the_cursor(width: int, line: str) -> None:
    told = synthetic_panes.chain(Ask("chain", "SPX", expiry="0dte"))
    assert said(chain.content(scene(chain=told), width).head[0]) == line
    assert len(chain.content(scene(chain=told), 62).head) == 1


def test_a_matrix_says_what_is_held_and_where_it_breaks_even_at_every_width() -> None:
    told = synthetic_panes.book(Ask("book", "SPX", contract="5940C"), NOON)
    for width in (46, 62):
        head = [said(line) for line in book.content(scene(book=told), width, 12).head]
        assert any("×2 at 4.20 break-even 4.23" in line for line in head), head
        assert any("TP S2 5.20" in line for line in head), "beyond the ladder, and told"
        assert max(map(len, head)) <= width


@pytest.mark.parametrize(("key", "seen"), [("p", True), ("l", True), ("o", False), ("h", False)])
async def test_the_account_stands_over_what_it_is_about_on_a_small_terminal(key: str, seen: bool) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.settle(pilot)
        await pilot.press(key)
        await stage.settle(pilot)
        await stage.settle(pilot)
        strip = stage.app.screen_stack[0].query_one(account.AccountStrip)
        assert strip.display is seen
        if seen:
            assert (strip.region.y, strip.region.height) == (3, 2)
            for told in ("trades 5", "win 75%", "buying power 70,824", "realised"):
                assert told in strip.text()


def replace_prices(told: chain.Chain, ask: Decimal) -> chain.Chain:
    rows = tuple(
        msgspec.structs.replace(row, call=row.call and msgspec.structs.replace(row.call, ask=ask))
        for row in told.rows
    )
    return msgspec.structs.replace(told, rows=rows)


@pytest.mark.parametrize("width", [34, 46, 80])
def test_every_watched_symbol_shows_where_it_stands_in_its_day(width: int) -> None:
    told = synthetic_panes.watch(Ask("watch"), NOON)
    rows = [said(block.lines[0]) for block in watch.content(scene(watch=told), width).blocks]
    assert len(rows) == 4 and all("●" in row and len(row) <= width for row in rows)
    assert ("q98" in rows[0]) == (width > 34)
    assert ("5,920.19–5,961.75" in rows[0]) == (width == 80)
    worse = msgspec.structs.replace(told, rows=(msgspec.structs.replace(told.rows[0], score=51),))
    assert "q51" in said(watch.content(scene(watch=worse), 34).blocks[0].lines[0])


@pytest.mark.parametrize("width", [34, 46, 80])
def test_the_feed_counts_every_gate_and_draws_every_score(width: int) -> None:
    made = feed.content(scene(), width)
    counts = said(made.head[0])
    assert all(f"{name} " in counts for name in ("cfg", "hrs", "cool", "bar")) and "…" not in counts
    assert len(counts) <= width
    first = said(made.blocks[0].lines[0])
    assert ("87 ████░" in first) if width > 34 else ("87▇" in first)


def test_a_strategy_that_waits_names_what_it_waits_for_and_one_that_is_blocked_names_what_stops_it() -> None:
    rows = (
        StrategyRow("A", "WAIT", blocks="match: no signal", waits="SPX_V3_CALL SPX_FIB_*"),
        StrategyRow("B", "WAIT", blocks="window: too late"),
        StrategyRow("C", "BLOCK", "PUT", blocks="veera: ADX"),
    )  # fmt: skip
    made = strategies.content(scene(strategies=Strategies(rows)), 46).blocks
    assert [said(block.lines[-1]).strip() for block in made] == [
        "… SPX_V3_CALL SPX_FIB_*", "… window: too late", "× veera: ADX",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "shown"), [(48, True), (46, False), (32, False)])
def test_a_strategy_s_name_goes_before_how_it_hunts(width: int, shown: bool) -> None:
    row = StrategyRow("SPY_VIX_TURN", "BLOCK", "CALL", hunter="context_plus_trigger", at_ns=NOON)
    (made,) = strategies.content(scene(strategies=Strategies((row,))), width).blocks
    first = said(made.lines[0])
    assert "SPY_VIX_TURN" in first and ("context+trigger" in first) is shown and len(first) <= width


# --- positions and orders ------------------------------------------------------------------------------


def test_only_exits_that_the_broker_has_confirmed_are_said_to_work() -> None:
    one, *more = synthetic.ladder()
    for state, told in (
        ("SUBMITTED", " 3 exits work"),
        ("UNKNOWN", "2 of 3 exits work"),
        ("CANCELLING", "2 of 3 exits work"),
    ):
        exits = (msgspec.structs.replace(one, state=state), *more)
        row = msgspec.structs.replace(synthetic.busy_positions().rows[0], exits=exits, protected=True)
        lines = positions.content(scene(positions=Positions((row,))), 90).blocks[0].lines
        assert told in said(lines[1])


def test_a_contract_s_name_is_whole_in_the_middle_of_a_large_floor() -> None:
    rows = [said(line) for block in positions.content(scene(), 62).blocks for line in block.lines]
    assert any("SPXW 5940C 0DTE " in row for row in rows) and any("stop 0.87" in row for row in rows)
    working = [said(block.lines[0]) for block in orders.content(scene(), 62).blocks]
    assert all("0DTE" in row for row in working)


def test_a_stop_is_told_once_where_it_has_no_column() -> None:
    row = PositionRow("T1", "SPY 20251120 580C", Decimal(2), "SELL_SUBMITTED", stop=Decimal("1.01"))
    target = ExitRow("X1", "SELL", "LMT", Decimal(2), limit=Decimal("1.59"), state="SUBMITTED")
    works = ExitRow("X2", "SELL", "STP", Decimal(2), stop=Decimal("1.00"), state="SUBMITTED")
    for exits, told in (((target,), "stop 1.01"), ((works, target), "stop 2 @ 1.00")):
        rows = (msgspec.structs.replace(row, exits=exits, protection="sell 1.59 live"),)
        made = positions.content(scene(positions=Positions(rows)), 62).blocks[0].lines
        text = " ".join(said(line) for line in made)
        assert told in text and text.count("stop") == 1


def test_a_result_without_a_price_is_told_as_old_and_what_is_not_bought_yet_is_not_open() -> None:
    row = msgspec.structs.replace(synthetic.busy_positions().rows[0], mark=None)
    waits = PositionRow("T9", "SPY 20251120 580C", Decimal(2), "BUY_SUBMITTED", entry_ref="V1-A-T9-E-1")
    told = positions.content(scene(positions=Positions((row, waits))), 90)
    figures, guard = told.blocks[0].lines[:2]
    assert figures[0][1] == ink.FAINT
    assert "no price: P&L by the last known" in said(guard)
    assert told.note.startswith("1 open ")


# --- the account ---------------------------------------------------------------------------------------


def strip(told: Scene, rows: int = 2) -> str:
    return "\n".join(said(line) for line in account.lines(told, 160, rows))


def test_figures_of_a_broker_that_is_down_are_dimmed_and_dated() -> None:
    figures = synthetic_panes.account(Ask("account"), NOON)
    well = scene(account=figures)
    assert "old" not in strip(well)
    header = msgspec.structs.replace(well.floor.header, broker_up=False, now_ns=NOON + 47 * SECOND)
    down = scene(account=figures, header=header)
    assert "broker ibkr down: of 14:22:07, 47s old" in strip(down) and "buying power 70,824" in strip(down)
    styles = {style for line in account.lines(down, 160, 2) for text, style in line if text.strip()}
    assert styles == {ink.ALARM, ink.FAINT}
    quiet = msgspec.structs.replace(header, broker_up=True, now_ns=NOON + 200 * SECOND)
    assert "of 14:22:07, 3m old" in strip(scene(account=figures, header=quiet))
    never = scene(account=msgspec.structs.replace(figures, state="loading", note="not told yet"), header=header)
    assert strip(never).strip() == "no account figures: the broker ibkr is down"


def test_figures_of_an_engine_that_is_lost_say_since_when() -> None:
    figures = synthetic_panes.account(Ask("account"), NOON)
    gone = replace(scene(account=figures), state=LinkState.LOST, silence_s=130)
    assert "engine lost 2m: of 14:22:07" in strip(gone) and "buying power 70,824" in strip(gone)
    empty = replace(gone, floor=msgspec.structs.replace(gone.floor, account=None))
    assert strip(empty).strip() == "no account figures: engine lost 2m since 14:22:07 ET"
    nobody = Scene(Floor(), LinkState.LOST)
    assert strip(nobody).strip() == "no account figures: no engine answers"
    assert "waiting" in strip(Scene(Floor(), LinkState.CONNECTING))


async def test_a_lost_engine_s_pictures_are_kept_while_other_panes_are_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    stage = Stage(synthetic.calm(), lambda one: LinkClient(path, clock=one.clock))
    async with stage.app.run_test(size=(160, 45)) as pilot:
        server = await connected(stage, pilot, path)
        while stage.app.link.view.floor.book is None or stage.app.link.view.floor.account is None:
            server.tick()
            stage.app.pump()
            await pilot.pause()
        await server.stop()
        await lost(stage, pilot)
        await pilot.press("J")
        await stage.settle(pilot)
        await pilot.press("escape")
        await stage.settle(pilot)
        assert "engine lost" in stage.line("account") and "buying power 70,824" in stage.line("account")
        assert "4.20" in stage.app.screen_stack[0].query_one("#book", Pane).text()
        stage.app.aim(symbol="SPY")
        await stage.settle(pilot)
        assert "no engine to look at" in stage.app.screen_stack[0].query_one("#chart", Pane).text()


# --- what is out of sight ------------------------------------------------------------------------------


async def test_a_title_names_the_panes_behind_it() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await stage.settle(pilot)
        assert "o SPXW 0DTE   m bid/ask" in stage.text()
        await pilot.press("m")
        await stage.settle(pilot)
        assert "o chain" in stage.text() and "o SPXW 0DTE" not in stage.text()
        await pilot.press("z")
        await stage.settle(pilot)
        assert "w h p u o f t l a" in stage.text()


def test_each_pane_is_seen_or_behind_another() -> None:
    everyone = tuple(entry.name for entry in PANES)
    shown = ("watch", "chart", "positions", "orders", "book", "feed", "wealth")
    out = behind(120, 40, shown, everyone)
    assert {pane: others for pane, others in out.items() if others} == {
        "book": ("chain",), "feed": ("strategies",), "wealth": ("alerts",),
    }  # fmt: skip
    assert behind(80, 24, ("chart",), everyone) == {"chart": tuple(one for one in everyone if one != "chart")}


# --- the option nobody chose ---------------------------------------------------------------------------


async def test_an_unchosen_option_follows_a_chain_that_has_moved_on_and_a_chosen_one_stays() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        assert stage.app.sight.contract == "5940C" and not stage.app.sight.picked
        synthetic_panes.BASES["SPX"] += 300
        try:
            await stage.settle(pilot)
            assert stage.app.sight.contract == "6240C"
            stage.app.aim(contract="6240C")
            synthetic_panes.BASES["SPX"] -= 300
            await stage.settle(pilot)
            assert stage.app.sight.contract == "6240C", "no key may hit another option than the one picked"
        finally:
            synthetic_panes.BASES["SPX"] = 5938.0


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0"), (812, "812"), (999.6, "1.0k"), (1234, "1.2k"), (9960, "10k"), (37_400, "37k"),
                        (999_700, "1.0M"), (1_500_000, "1.5M"), (2e9, "2.0G")],
)  # fmt: skip
def test_sizes_are_short(value: float, told: str) -> None:
    assert words.compact(value) == told
