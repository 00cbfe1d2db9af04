"""Bars as characters: scales, glyphs, windows, studies, fills, and what a live tick repaints."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.domain.clock import MINUTE
from station.link import Ask, Candle, Chart, Level, Mark, Tip
from tests.tui import synthetic, synthetic_panes
from tests.tui.stage import Stage
from tests.tui.synthetic import NOON
from widgets import candles, ink, plot, volume
from widgets.candles import Scale
from widgets.chart import ChartPane
from widgets.sight import Sight

ASK = Ask("chart", "SPX", "5m", 300)
PRICE = st.floats(1, 50_000, allow_nan=False)
FIVE = 5 * MINUTE


def bars(*closes: float) -> tuple[Candle, ...]:
    pairs = pairwise((closes[0], *closes))
    return tuple(
        Candle(NOON // FIVE * FIVE + n * FIVE, a, max(a, b) + 1, min(a, b) - 1, b, 0.0)
        for n, (a, b) in enumerate(pairs)
    )


# --- the scale -----------------------------------------------------------------------------------------


@given(PRICE, PRICE, st.integers(5, 60))
def test_a_scale_holds_what_it_was_made_for(a: float, b: float, rows: int) -> None:
    low, high = min(a, b), max(a, b)
    scale = candles.fitted(low, high, rows)
    assert scale.holds(low) and scale.holds(high) and scale.top > scale.bottom
    assert 0 <= scale.half(high) <= scale.half(low) < 2 * rows
    wasted = (scale.top - scale.bottom) / max(high - low, high * candles.LEAST_SPAN)
    assert wasted < 1.6


@given(PRICE, st.floats(0.001, 0.2), st.floats(0, 1), st.integers(5, 60))
def test_a_new_price_between_the_extremes_moves_nothing(
    low: float, span: float, share: float, rows: int
) -> None:
    high = low * (1 + span)
    scale = candles.fitted(low, high, rows)
    inside = scale.bottom + share * (scale.top - scale.bottom)
    again = candles.fitted(min(low, max(inside, low)), max(high, min(inside, high)), rows)
    assert again == scale


@given(PRICE, st.floats(0.001, 0.2), st.integers(8, 60))
def test_labels_are_round_and_in_order(low: float, span: float, rows: int) -> None:
    labels = candles.fitted(low, low * (1 + span), rows).labels()
    values = [float(text.replace(",", "")) for _, text in sorted(labels.items())]
    assert values == sorted(values, reverse=True)
    assert 1 <= len(labels) <= rows


@pytest.mark.parametrize(
    ("span", "step"), [(1, 1), (1.01, 2), (2.2, 2.5), (3, 5), (7, 10), (0.03, 0.05), (12, 20), (0.1, 0.1)]
)
def test_steps_are_nice(span: float, step: float) -> None:
    assert candles.nice(span) == pytest.approx(step)


# --- glyphs --------------------------------------------------------------------------------------------

FOUR = Scale(8.0, 0.0, 4)


@pytest.mark.parametrize(
    ("bar", "column"),
    [
        (Candle(0, 2, 8, 0, 6, 0), {0: "│", 1: "┃", 2: "┃", 3: "╿"}),
        (Candle(0, 3.5, 6.5, 1.5, 5.5, 0), {0: "╷", 1: "┃", 2: "╿", 3: "╵"}),
        (Candle(0, 5, 5, 5, 5, 0), {1: "╻"}),
        (Candle(0, 7, 7, 4, 4, 0), {0: "╻", 1: "┃", 2: "╹"}),
    ],
)
def test_a_bar_has_its_glyphs(bar: Candle, column: dict[int, str]) -> None:
    drawn = candles.column(bar, FOUR)
    assert {row: drawn[row] for row in sorted(drawn)} == column


@given(st.lists(st.floats(0, 8), min_size=4, max_size=4), st.integers(3, 40))
def test_a_column_is_unbroken_and_tells_rise_from_fall_without_colour(prices: list[float], rows: int) -> None:
    low, *middle, high = sorted(prices)
    for opened, closed in (middle, middle[::-1]):
        bar = Candle(0, opened, high, low, closed, 0)
        scale = Scale(8.0, 0.0, rows)
        found = sorted(candles.column(bar, scale))
        assert found == list(range(found[0], found[-1] + 1))
        plain = "".join(candles.column(bar, scale, plain=True).values())
        assert plain.isascii() and ("o" in plain) == (closed >= opened)
        hollow = set(candles.column(bar, scale, hollow=True).values())
        assert closed >= opened or hollow & set("█▀▄")


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=500).map(tuple), st.integers(1, 60), st.integers(1, 3)
)
def test_a_spark_fills_its_place(values: tuple[float, ...], width: int, rows: int) -> None:
    lines = candles.spark(values, width, rows)
    assert len(lines) == rows
    assert {len(line) for line in lines} == {min(width, len(values))}
    for column in zip(*lines, strict=True):
        assert "".join(column).strip(), "every stretch shows at least an eighth"


def test_a_spark_rises_with_its_values() -> None:
    assert candles.spark((0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), 8) == ["▁▂▃▄▅▆▇█"]
    assert candles.spark((), 5, 2) == ["     ", "     "]


# --- windows and grids ---------------------------------------------------------------------------------


def test_a_window_ends_at_the_forming_bar_and_forgets_one_that_has_closed() -> None:
    rows = bars(*range(100, 160))
    chart = Chart(ASK, bars=rows)
    newer = Tip(ASK, bar=msgspec.structs.replace(rows[-1], start_ns=rows[-1].start_ns + FIVE))
    view = plot.window(chart, newer, 41, 0)
    assert (len(view.bars), view.first, view.live) == (40, 20, newer.bar)
    closed = Tip(ASK, bar=rows[-1])
    assert plot.window(chart, closed, 41, 0).live is None
    back = plot.window(chart, newer, 41, 15)
    assert (back.bars, back.live) == (rows[5:45], None)
    assert plot.window(chart, newer, 41, 10_000).bars == rows[:40], "never past the oldest bar"
    assert plot.window(Chart(ASK, bars=rows[:5]), newer, 41, 0).bars == rows[:5]


def test_levels_of_trades_stay_in_sight_while_they_are_near() -> None:
    view = plot.window(Chart(ASK, bars=bars(100, 110)), None, 41, 0)
    bare = plot.scale_of(view, (), 20)
    near = plot.scale_of(view, (Level("target", "TP", 114.0),), 20)
    far = plot.scale_of(view, (Level("target", "TP", 200.0), Level("day", "prev high", 112.0)), 20)
    assert bare is not None and near is not None
    assert near.holds(114.0) and far == bare


def test_fills_stand_at_their_bars_with_their_price() -> None:
    rows = bars(*([100.0] * 30))
    marks = (
        Mark(rows[10].start_ns + MINUTE, "entry", "CALL", "4.20"),
        Mark(rows[20].start_ns, "exit", "CALL", "5.20", won=True),
        Mark(rows[0].start_ns - FIVE, "entry", "CALL", "9.99"),
    )
    chart = Chart(ASK, bars=rows, marks=marks)
    view = plot.window(chart, None, 31, 0)
    scale = plot.scale_of(view, (), 12)
    assert scale is not None
    cells = plot.grid(chart, view, scale, Sight("SPX"), plain=False, colours=True)
    text = ["".join(letter for letter, _ in row) for row in cells]
    assert [row.index("▲") for row in text if "▲" in row] == [10]
    assert [row.index("▼") for row in text if "▼" in row] == [20]
    assert any("▲ 4.20" in row for row in text) and any("▼ 5.20" in row for row in text)
    assert "9.99" not in "".join(text)
    won = next(style for row in cells for letter, style in row if letter == "▼")
    assert won == ink.UP


def test_the_price_of_a_fill_is_written_where_no_later_fill_cuts_it() -> None:
    rows = bars(*([100.0] * 30))
    marks = tuple(
        Mark(rows[at].start_ns, "exit", "CALL", text) for at, text in ((10, "4.70"), (13, "4.80"), (16, "4.90"))
    )
    chart = Chart(ASK, bars=rows, marks=marks)
    view = plot.window(chart, None, 31, 0)
    scale = plot.scale_of(view, (), 12)
    assert scale is not None
    cells = plot.grid(chart, view, scale, Sight("SPX"), plain=False, colours=True)
    row = next(line for line in ("".join(letter for letter, _ in row) for row in cells) if "▼" in line)
    assert row.split() == ["4.70", "▼", "▼", "▼", "4.90"]


@given(st.integers(8, 120), st.integers(5, 50), st.integers(0, 200), st.booleans(), st.booleans())
def test_a_grid_fills_its_place_exactly(columns: int, rows: int, back: int, plain: bool, colours: bool) -> None:
    chart = synthetic_panes.chart(ASK, NOON)
    view = plot.window(chart, synthetic_panes.tip(ASK, NOON), columns, back)
    scale = plot.scale_of(view, chart.levels, rows)
    assert scale is not None
    cells = plot.grid(chart, view, scale, Sight("SPX"), plain=plain, colours=colours)
    assert len(cells) == rows
    assert {len(row) for row in cells} == {columns - 1}
    for row in cells:
        assert sum(len(text) for text, _ in plot.spans(row)) == columns - 1
    live = plot.live_cells(view, scale, plain=plain, colours=colours)
    assert all(0 <= row < rows for row in live)


@pytest.mark.parametrize("timeframe", synthetic_panes.MINUTES)
def test_times_are_told_for_every_timeframe(timeframe: str) -> None:
    ask = Ask("chart", "SPX", timeframe, 300)
    chart = synthetic_panes.chart(ask, NOON)
    line = plot.times(plot.window(chart, None, 100, 0), intraday=chart.intraday)
    labels = "".join(text for text, _ in line).split()
    assert len(labels) >= 2


# --- on the screen -------------------------------------------------------------------------------------


async def test_a_live_tick_repaints_few_cells() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        pane = stage.app.screen.query_one(ChartPane)
        regions, refresh = [], pane.refresh
        pane.refresh = lambda *found, **more: (regions.extend(found), refresh(*found, **more))[1]  # type: ignore[method-assign]
        stage.engine.wave = 1.1
        stage.app.pump()
        area = sum(region.area for region in regions)
        assert 0 < area < 160, f"{area} of {pane.size.area} cells"
        assert "5,933.69" in pane.text()


async def test_a_cursor_reads_a_bar_and_stays_on_it() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        await pilot.press("h", "left", "left", "left")
        await stage.settle(pilot)
        chart = stage.app.link.view.floor.chart
        assert chart is not None
        bar = chart.bars[-3]
        pane = stage.app.screen.query_one(ChartPane)
        said = f"C {bar.close:,.2f}"
        assert said in pane.text() and f"H {bar.high:,.2f}" in pane.text()
        assert stage.engine.floor.header is not None
        later = msgspec.structs.replace(stage.engine.floor.header, now_ns=NOON + FIVE)
        stage.engine.floor = msgspec.structs.replace(stage.engine.floor, header=later)
        await stage.settle(pilot)
        await pilot.press("end")
        await stage.settle(pilot)
        assert said not in pane.text() and " now" in pane.text()


async def test_switches_take_studies_away_and_bring_them_back() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        pane = stage.app.screen.query_one(ChartPane)
        assert "prev close" in pane.text() and plot.SLOW_DOT in pane.text()
        await pilot.press("e", "v", "d")
        await stage.settle(pilot)
        assert "prev close" not in pane.text() and plot.SLOW_DOT not in pane.text()
        assert "e- v- d- n+" in pane.text()
        await pilot.press("e")
        await stage.settle(pilot)
        assert plot.SLOW_DOT in pane.text() and "e+ v-" in pane.text()


async def test_levels_of_the_opening_range_and_of_scanners_have_switches_of_their_own() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await stage.settle(pilot)
        pane = stage.app.screen.query_one(ChartPane)
        assert "OR high" in pane.text() and "break-even" in pane.text() and "GB4h low" not in pane.text()
        await pilot.press("n", "G")
        await stage.settle(pilot)
        assert "OR high" not in pane.text() and "GB4h low" in pane.text() and "break-even" in pane.text()


async def test_volume_stands_under_what_is_traded_and_not_under_an_index() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await stage.settle(pilot)
        pane = stage.app.screen.query_one(ChartPane)
        assert " vol\n" not in pane.text()
        stage.app.aim(symbol="SPY")
        await stage.settle(pilot)
        rows = [line for line in pane.text().splitlines() if line.rstrip().endswith((" 2.0k", " vol"))]
        assert len(rows) == 2 and "█" in rows[-1]
        await pilot.press("U")
        await stage.settle(pilot)
        assert " vol\n" not in pane.text()


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=80), st.integers(1, 4))
def test_a_column_of_volume_is_as_high_as_its_share(volumes: list[float], rows: int) -> None:
    made = [Candle(n * FIVE, 1, 1, 1, 1, one) for n, one in enumerate(volumes)]
    view = plot.Window(tuple(made), 0, len(made) + 1, None)
    top = volume.top_of(view)
    cells = volume.grid(view, rows, top)
    assert [len(row) for row in cells] == [len(made)] * rows
    for place, one in enumerate(volumes):
        eighths = sum(candles.BLOCKS.index(row[place][0]) for row in cells)
        assert eighths == pytest.approx(one / top * 8 * rows, abs=1.0)
        assert (eighths > 0) == (one > 0)
