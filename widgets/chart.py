"""The chart of the symbol in sight: a still part, new when a bar closes, and a live end of few cells."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from station.link import Candle, Chart, Tip
from widgets import ink, plot, volume, words
from widgets.candles import Scale
from widgets.ink import Line, Span
from widgets.pane import Content, Pane, centred, said_of, wrapped
from widgets.plot import Cell, Window
from widgets.scene import Scene
from widgets.sight import TIMEFRAMES

LEAST_ROWS: Final = 5
FRAME: Final = 3
"""Rows of the body that are no bars: figures, times, timeframes."""
SWITCHES: Final = (
    ("e", "ema", "ema"), ("v", "vwap", "vwap"), ("d", "day", "day"), ("n", "range", "opening"),
    ("G", "levels", "plan"), ("U", "volume", "volume"),
)  # fmt: skip
"""Key, word, and field of the sight."""


def part(scene: Scene) -> Chart | None:
    return scene.floor.chart


def content(scene: Scene, width: int) -> Content:
    """The title; the body is drawn apart."""
    del width
    sight, tip = scene.sight, scene.floor.tip
    note, warn = "", False
    if tip is not None and tip.mode:
        note, warn = f"{tip.mode}  q{tip.score}", tip.mode not in ("LIVE", "CLOSED") or tip.score < 70
        chart = scene.floor.chart
        if tip.mode == "CLOSED" and chart is not None and chart.bars:
            note = f"CLOSED  last session {words.day_text(chart.bars[-1].start_ns)}"
    return Content(title=f"{sight.symbol} {sight.timeframe}".strip(), note=note, warn=warn)


class ChartPane(Pane):
    """Left and right move a cursor over the bars, and past the left edge into the past."""

    HELP = (
        ("left right", "Read a bar; beyond the edge, go back in time."), ("end", "Back to the live end."),
        ("1 … 9 0", f"{', '.join(TIMEFRAMES)}."), ("[ ]", "Shorter, longer."),
        ("e v d", "Averages 21 and 200, VWAP, the day before's levels."),
        ("n G U", "Opening range, the levels that scanners wait at, volume."),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "walk(-1)", "older bar", show=False),
        Binding("right", "walk(1)", "newer bar", show=False),
        Binding("shift+left,pageup", "walk(-20)", "far older bar", show=False),
        Binding("shift+right,pagedown", "walk(20)", "far newer bar", show=False),
        Binding("home", "walk(-100000)", "oldest bar", show=False),
        Binding("end,escape", "live", "live end", show=False),
    ]

    def __init__(self, key: str, *, id: str, ascii_only: bool) -> None:
        super().__init__(key, "Chart", part, content, id=id, ascii_only=ascii_only)
        self._cursor_ns = 0
        self._still_of: object = None
        self._still: list[list[Span]] = []
        self._volume_of: object = None
        self._volume: list[list[Span]] = []
        self._seen = ("", "")

    # --- the cursor --------------------------------------------------------------------------------

    def action_walk(self, step: int) -> None:
        bars = self._bars()
        if not bars:
            return
        here = self._place(bars)
        place = min(max((len(bars) if here is None else here) + step, 0), len(bars))
        self._cursor_ns = bars[place].start_ns if place < len(bars) else 0
        self.repaint()

    def action_live(self) -> None:
        self._cursor_ns = 0
        self.repaint()

    def action_move(self, step: int) -> None:
        self.action_walk(step)

    def _bars(self) -> tuple[Candle, ...]:
        chart = self._scene.floor.chart if self._scene is not None else None
        return chart.bars if chart is not None else ()

    def _place(self, bars: tuple[Candle, ...]) -> int | None:
        """Where the cursor's bar is now; None at the live end, or when it has left the chart."""
        if not self._cursor_ns:
            return None
        return next((place for place, bar in enumerate(bars) if bar.start_ns == self._cursor_ns), None)

    # --- the body ----------------------------------------------------------------------------------

    def _body(self, scene: Scene, width: int, height: int) -> list[Line]:
        chart = scene.floor.chart
        said = said_of(scene, chart, f"asking for {scene.sight.symbol} {scene.sight.timeframe} …")
        if said is not None or chart is None or not chart.bars:
            text, style = said or ("no bar of it is known", ink.DIM)
            return [ink.BLANK, *(centred(line, style, width) for line in wrapped(text, width - 4))]
        if self._seen != (scene.sight.symbol, scene.sight.timeframe):
            self._seen = (scene.sight.symbol, scene.sight.timeframe)
            self._cursor_ns = 0
        rows, columns = max(height - FRAME, LEAST_ROWS), max(width - plot.AXIS, plot.LEAST_COLUMNS)
        place = self._place(chart.bars)
        view = plot.window(chart, scene.floor.tip, columns, _back(chart, place, columns))
        levels = plot.levels_in(chart, scene.sight)
        traded = volume.rows_for(rows, view) if scene.sight.volume else 0
        scale = plot.scale_of(view, levels, rows - traded)
        if scale is None:
            return [ink.BLANK, centred("no bar of it is known", ink.DIM, width)]
        lines = [
            _figures(chart, scene, place, width),
            *self._plot_rows(chart, view, scale, scene, place),
            *self._volume_rows(chart, view, traded, place),
            plot.times(view, intraday=chart.intraday),
            _frames(scene, width),
        ]
        return self._aged(lines, scene)

    def _plot_rows(
        self, chart: Chart, view: Window, scale: Scale, scene: Scene, place: int | None
    ) -> list[Line]:  # fmt: skip
        still = self._history(chart, view, scale, scene)
        live = plot.live_cells(view, scale, plain=self._ascii, colours=scene.colours)
        levels = plot.levels_in(chart, scene.sight)
        right = plot.axis(scale, levels, _last(chart, scene.floor.tip), live=scene.live)
        column = _column_of(view, place)
        lines: list[Line] = []
        for row in range(scale.rows):
            left = still[row] if column is None else _with_cursor(still[row], column)
            lines.append((*left, live.get(row, plot.EMPTY), right.get(row, (" ", ink.DIM))))
        return lines

    def _volume_rows(self, chart: Chart, view: Window, rows: int, place: int | None) -> list[Line]:
        if not rows:
            return []
        top, column = volume.top_of(view), _column_of(view, place)
        of = (chart.ask, chart.revision, view.first, len(view.bars), view.columns, rows, top)
        if of != self._volume_of:
            self._volume = [plot.spans(row) for row in volume.grid(view, rows, top)]
            self._volume_of = of
        right, live = volume.axis(rows, top), volume.live_cells(view, rows, top)
        still = self._volume if column is None else [_with_cursor(row, column) for row in self._volume]
        return [(*left, cell, label) for left, cell, label in zip(still, live, right, strict=True)]

    def _history(self, chart: Chart, view: Window, scale: Scale, scene: Scene) -> list[list[Span]]:
        """The finished bars' spans, made again only when they change."""
        sight = scene.sight
        of = (chart.ask, chart.revision, chart.levels, chart.marks, view.first, len(view.bars), view.columns,
              scale, sight.ema, sight.vwap, sight.day, sight.opening, sight.plan, scene.colours)  # fmt: skip
        if of != self._still_of:
            cells = plot.grid(chart, view, scale, sight, plain=self._ascii, colours=scene.colours)
            self._still = [plot.spans(row) for row in cells]
            self._still_of = of
        return self._still


def _back(chart: Chart, place: int | None, columns: int) -> int:
    """How many of the newest bars are out of sight so that the cursor's bar is in it."""
    if place is None:
        return 0
    return max(len(chart.bars) - (columns - 1) - place, 0)


def _column_of(view: Window, place: int | None) -> int | None:
    """The cursor's column; None at the live end."""
    return None if place is None else place - view.first + (view.columns - 1 - len(view.bars))


def _with_cursor(row: list[Span], column: int) -> list[Span]:
    """The row with the cursor's column on another ground."""
    cells: list[Cell] = [(letter, style) for text, style in row for letter in text]
    if 0 <= column < len(cells):
        letter, style = cells[column]
        cells[column] = (letter if letter != " " else "┊", style + ink.CURSOR)
    return plot.spans(cells)


def _last(chart: Chart, tip: Tip | None) -> float | None:
    if tip is not None and tip.bar is not None:
        return tip.bar.close
    if tip is not None and tip.last is not None:
        return tip.last
    return chart.bars[-1].close if chart.bars else None


def _figures(chart: Chart, scene: Scene, place: int | None, width: int) -> Line:
    """The bar under the cursor, or the live one, and what the studies say of it."""
    tip = scene.floor.tip
    at = len(chart.bars) - 1 if place is None else place
    bar = chart.bars[at] if place is not None or tip is None or tip.bar is None else tip.bar
    age_s = scene.age_s(tip.at_ns) if tip is not None and tip.at_ns else 0.0
    spans: list[Span] = []
    if place is None and tip is not None and tip.mode != "CLOSED" and age_s > tip.stale_s:
        spans.append((f" {words.age_text(age_s)} old ", ink.WARN))
    when = f"{words.day_text(bar.start_ns)} {words.minute_text(bar.start_ns)}" if place is not None else "now"
    if place is not None and not chart.intraday:
        when = words.day_text(bar.start_ns)
    style = words.tone(bar.close - bar.open)
    spans.append((f" C {bar.close:,.2f} {words.arrow(bar.close - bar.open)}", style))
    spans.append((f" O {bar.open:,.2f} H {bar.high:,.2f} L {bar.low:,.2f}", ink.TEXT))
    more: list[Line] = [((f" {when} ", ink.STRONG if place is not None else ink.DIM),)]
    for name, dot, series, study in _legend(chart, scene):
        value = series[at] if at < len(series) else None
        if value is not None:
            more.append(((f" {dot}{name} {value:,.2f}", study),))
    if bar.volume:
        more.append(((f" V {bar.volume:,.0f}", ink.DIM),))
    return ink.packed(ink.clipped(tuple(spans), width), more, width)


def _legend(chart: Chart, scene: Scene) -> list[tuple[str, str, tuple[float | None, ...], ink.Style]]:
    found: list[tuple[str, str, tuple[float | None, ...], ink.Style]] = []
    if scene.sight.ema:
        found.append(("21", plot.FAST_DOT, chart.ema_fast, ink.STUDY_FAST))
        found.append(("200", plot.SLOW_DOT, chart.ema_slow, ink.STUDY_SLOW))
    if scene.sight.vwap and chart.vwap:
        found.append(("VWAP", plot.VWAP_DOT, chart.vwap, ink.STUDY_VWAP))
    return found


def _frames(scene: Scene, width: int) -> Line:
    """`1m 2m 3m [5m] 10m …` and the switches, by name where there is room."""
    spans: list[Span] = [(" ", ink.TEXT)]
    for frame in TIMEFRAMES:
        here = frame == scene.sight.timeframe
        spans.append((f"[{frame}]" if here else f" {frame} ", ink.KEY if here else ink.DIM))
    named: list[Span] = []
    for key, name, field in SWITCHES:
        on = getattr(scene.sight, field)
        named += [(f"  {key} ", ink.KEY), (name if on else f"no {name}", ink.TEXT if on else ink.FAINT)]
    if ink.width_of((*spans, *named)) <= width:
        return (*spans, *named)
    for key, _, field in SWITCHES:
        on = getattr(scene.sight, field)
        spans += [(f" {key}", ink.KEY if on else ink.DIM), ("+" if on else "-", ink.TEXT if on else ink.FAINT)]
    return ink.clipped(tuple(spans), width)
