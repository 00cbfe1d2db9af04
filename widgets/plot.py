"""The still part of a chart as a grid of cells: levels, studies, candles, fills. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from station.domain.clock import MINUTE
from station.link import Candle, Chart, Level, Tip
from widgets import candles, ink, words
from widgets.candles import Scale
from widgets.ink import Line, Span, Style
from widgets.sight import Sight

AXIS: Final = 11
LEAST_COLUMNS: Final = 8
TIME_GAP: Final = 8
NIGHT_NS: Final = 180 * MINUTE
STRETCH: Final = 1.5
"""Levels of open trades are kept in sight while that stretches the scale by no more than this."""

FAST_DOT, SLOW_DOT, VWAP_DOT, LEVEL_DOT = "·", "∘", "–", "┄"
LEVEL_STYLES: Final = {
    "target": ink.UP, "stop": ink.DOWN, "entry": ink.ACCENT, "even": ink.TEXT, "range": ink.STUDY_SLOW,
    "day": ink.FAINT, "plan": ink.STUDY_VWAP,
}  # fmt: skip
RANK: Final = {"target": 0, "stop": 1, "entry": 2, "even": 3, "range": 4, "day": 5, "plan": 6}
OF_THE_CHART: Final = {"day": "day", "range": "opening", "plan": "plan"}
"""The switch in sight for the kinds that belong to no trade: they never stretch the scale."""
FREE: Final = f" ┊{LEVEL_DOT}{FAST_DOT}{SLOW_DOT}{VWAP_DOT}"
Cell = tuple[str, Style]
EMPTY: Final[Cell] = (" ", ink.TEXT)


@dataclass(frozen=True, slots=True)
class Window:
    """The bars in sight. `bars` holds at most one a column, the last column being the forming bar's; `first`
    is the place of the first in the chart's own tuple, `live` the forming bar where it is in sight."""

    bars: tuple[Candle, ...]
    first: int
    columns: int
    live: Candle | None


def window(chart: Chart, tip: Tip | None, columns: int, back: int) -> Window:
    """The newest bars less `back`, for so many columns; the forming bar only at the live end, and only where
    it is newer than the last finished one."""
    room = max(columns - 1, 1)
    stop = max(len(chart.bars) - back, min(room, len(chart.bars)))
    first = max(stop - room, 0)
    live = tip.bar if tip is not None and back == 0 else None
    if live is not None and chart.bars and live.start_ns <= chart.bars[-1].start_ns:
        live = None
    return Window(chart.bars[first:stop], first, columns, live)


def scale_of(view: Window, levels: Sequence[Level], rows: int) -> Scale | None:
    """Around the bars in sight, with a line to spare for marks, and the levels of open trades that are near.
    None without a bar."""
    shown = (*view.bars, view.live) if view.live is not None else view.bars
    if not shown:
        return None
    low, high = min(bar.low for bar in shown), max(bar.high for bar in shown)
    span = max(high - low, high * candles.LEAST_SPAN)
    for level in levels:
        wider_low, wider_high = min(low, level.price), max(high, level.price)
        if level.kind not in OF_THE_CHART and wider_high - wider_low <= STRETCH * span:
            low, high = wider_low, wider_high
    margin = (high - low) / max(rows - 2, 1)
    return candles.fitted(low - margin, high + margin, rows)


def levels_in(chart: Chart, sight: Sight) -> tuple[Level, ...]:
    """Those that are switched on."""
    return tuple(
        level
        for level in chart.levels
        if level.kind not in OF_THE_CHART or getattr(sight, OF_THE_CHART[level.kind])
    )


def grid(
    chart: Chart, view: Window, scale: Scale, sight: Sight, *, plain: bool, colours: bool
) -> list[list[Cell]]:
    """The cells of the finished bars, top row first, one column a bar."""
    width = view.columns - 1
    cells: list[list[Cell]] = [[EMPTY] * width for _ in range(scale.rows)]
    pad = width - len(view.bars)
    opened = pad + _newest_session(view)
    for level in sorted(levels_in(chart, sight), key=lambda one: -RANK.get(one.kind, 9)):
        if scale.holds(level.price):
            row = cells[scale.row(level.price)]
            style = LEVEL_STYLES.get(level.kind, ink.FAINT)
            first = opened if level.kind == "range" else 0
            row[first:] = [(LEVEL_DOT, style)] * (width - first)
    for series, dot, style in _studies(chart, sight):
        for place, value in enumerate(series[view.first : view.first + len(view.bars)]):
            if value is not None and scale.holds(value):
                cells[scale.row(value)][pad + place] = (dot, style)
    for place, bar in enumerate(view.bars):
        style = ink.UP if bar.close >= bar.open else ink.DOWN
        for row, glyph in candles.column(bar, scale, plain=plain, hollow=not colours).items():
            cells[row][pad + place] = (glyph, style)
    if chart.intraday:
        _part_sessions(view, cells, pad)
    _mark(chart, view, scale, cells, pad)
    return cells


def _part_sessions(view: Window, cells: list[list[Cell]], pad: int) -> None:
    """A faint upright where a session begins, behind everything."""
    for place in range(1, len(view.bars)):
        if _is_new_session(view.bars[place], view.bars[place - 1]):
            for row in cells:
                if row[pad + place][0] in f" {LEVEL_DOT}":
                    row[pad + place] = ("┊", ink.FAINT)


def _newest_session(view: Window) -> int:
    """The place of its first bar in sight."""
    places = range(len(view.bars) - 1, 0, -1)
    return next((one for one in places if _is_new_session(view.bars[one], view.bars[one - 1])), 0)


def _is_new_session(bar: Candle, before: Candle) -> bool:
    gap_ns = bar.start_ns - before.start_ns
    return gap_ns > NIGHT_NS or words.et(bar.start_ns).date() != words.et(before.start_ns).date()


def _studies(chart: Chart, sight: Sight) -> list[tuple[tuple[float | None, ...], str, Style]]:
    """The later is drawn over the earlier."""
    found: list[tuple[tuple[float | None, ...], str, Style]] = []
    if sight.vwap:
        found.append((chart.vwap, VWAP_DOT, ink.STUDY_VWAP))
    if sight.ema:
        found += [(chart.ema_slow, SLOW_DOT, ink.STUDY_SLOW), (chart.ema_fast, FAST_DOT, ink.STUDY_FAST)]
    return found


def _mark(chart: Chart, view: Window, scale: Scale, cells: list[list[Cell]], pad: int) -> None:
    """Entries below their bar, exits above it; the price beside where nothing, and no later one, stands in its
    way."""
    prices: list[tuple[list[Cell], int, str, Style]] = []
    starts = [bar.start_ns for bar in view.bars]
    for mark in chart.marks:
        place = sum(start <= mark.at_ns for start in starts) - 1
        newest = chart.bars[-1].start_ns if chart.bars else 0
        if place < 0 or (place == len(starts) - 1 and starts[-1] != newest):
            continue
        bar, entry = view.bars[place], mark.kind == "entry"
        row = scale.row(bar.low) + 1 if entry else scale.row(bar.high) - 1
        row = min(max(row, 0), scale.rows - 1)
        style = ink.ACCENT if entry else ink.UP if mark.won else ink.DOWN
        column = pad + place
        cells[row][column] = ("▲" if entry else "▼", style)
        prices.append((cells[row], column, mark.text, style))
    for line, column, text, style in prices:
        _write_beside(line, column, text, style)


def _write_beside(row: list[Cell], column: int, text: str, style: Style) -> None:
    """Right of the column, or left of it; nowhere where something stands in the way of both."""
    for first, said in ((column + 1, f" {text}"), (column - len(text) - 1, f"{text} ")):
        at = range(first, first + len(said))
        if at.start >= 0 and at.stop <= len(row) and all(row[one][0] in FREE for one in at):
            for one, letter in zip(at, said, strict=True):
                row[one] = (letter, style)
            return


def live_cells(view: Window, scale: Scale, *, plain: bool, colours: bool) -> dict[int, Cell]:
    """The forming bar's cells by row."""
    bar = view.live
    if bar is None:
        return {}
    style = ink.UP if bar.close >= bar.open else ink.DOWN
    glyphs = candles.column(bar, scale, plain=plain, hollow=not colours)
    return {row: (glyph, style) for row, glyph in glyphs.items()}


def axis(scale: Scale, levels: Sequence[Level], last: float | None, *, live: bool) -> dict[int, Span]:
    """What stands right of each row: the last price first, then levels of trades, of the day, round prices."""
    found: dict[int, Span] = {}
    if last is not None and scale.holds(last):
        found[scale.row(last)] = (f"▸{last:,.2f}", ink.LAST if live else ink.FAINT)
    for level in sorted(levels, key=lambda one: RANK.get(one.kind, 9)):
        if scale.holds(level.price):
            text = f" {level.text}{'≈' if level.about else ''}"
            found.setdefault(scale.row(level.price), (text, LEVEL_STYLES.get(level.kind, ink.FAINT)))
    for row, text in scale.labels().items():
        found.setdefault(row, (f" {text}", ink.DIM))
    return found


def spans(cells: Sequence[Cell]) -> list[Span]:
    """Neighbours of one style as one span."""
    return [
        ("".join(text for text, _ in run), style) for style, run in groupby(cells, key=lambda cell: cell[1])
    ]


def times(view: Window, *, intraday: bool) -> Line:
    """The line under the bars: a clock time at round bars, the date where another session begins."""
    width = view.columns - 1
    pad = width - len(view.bars)
    text = [" "] * (width + AXIS)
    free = 0
    for place, bar in enumerate(view.bars):
        at = pad + place
        before = view.bars[place - 1] if place else None
        label = _label(bar, before, intraday=intraday)
        if label and at >= free and at + len(label) <= len(text):
            text[at : at + len(label)] = label
            free = at + len(label) + TIME_GAP
    return (("".join(text), ink.DIM),)


def _label(bar: Candle, before: Candle | None, *, intraday: bool) -> str:
    moment = words.et(bar.start_ns)
    if before is None:
        return ""
    earlier = words.et(before.start_ns)
    if not intraday:
        return f"{moment:%b %d}" if moment.isocalendar()[1] != earlier.isocalendar()[1] else ""
    if _is_new_session(bar, before):
        return f"{moment:%b %d}"
    step = (bar.start_ns - before.start_ns) // MINUTE
    round_to = next((size for size in (5, 10, 15, 30, 60, 120, 240) if size >= 8 * step), 240)
    return f"{moment:%H:%M}" if (moment.hour * 60 + moment.minute) % round_to == 0 else ""
