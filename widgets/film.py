"""Game film: a trade's bars one by one, with what stood and what happened at each."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Final

from textual.binding import BindingType

from station.link import Ask, Candle, Chart, Level, Mark
from widgets import ink, plot, screen_keys, words
from widgets.candles import Scale
from widgets.ink import Line
from widgets.page import PagePane
from widgets.pane import Content, centred, said_of, wrapped
from widgets.plot import Window
from widgets.scene import Scene
from widgets.sight import Sight
from widgets.told import FilmMark, FilmTold

FRAME: Final = 6
"""Rows of the body that are no bars: the bar's figures, times, what stands, three of what happened."""
LEAST_ROWS: Final = 4
HAPPENED: Final = 3
_PLAIN_SIGHT: Final = Sight(ema=False, vwap=False, day=False)
_GLYPHS: Final = {
    "signal": "◆", "select": "·", "order": "·", "exit order": "·", "entry": "▲", "exit": "▼", "close": "●",
    "refused": "●", "note": "✓",
}  # fmt: skip
_STYLES: Final = {
    "entry": ink.ACCENT, "exit": ink.WARN, "close": ink.STRONG, "refused": ink.ALARM, "signal": ink.KEY,
}  # fmt: skip


class FilmPane(PagePane):
    """Left and right step a bar back and forward; space plays. A frame shows nothing that came after it."""

    SCOPE = "film"
    BINDINGS: ClassVar[list[BindingType]] = [*screen_keys.bindings(SCOPE)]

    playing = False
    _of = ""
    _place = -1

    @property
    def film(self) -> FilmTold | None:
        return self.room.document("film", FilmTold)

    def action_walk(self, step: int) -> None:
        self.playing = False
        self._walk(step)

    def action_leap(self, step: int) -> None:
        """To the bar of the event before or after."""
        film, here = self.film, self._place
        if film is None:
            return
        self.playing = False
        places = sorted({place_of(film, mark.at_ns) for mark in film.marks})
        ahead = [place for place in places if (place > here if step > 0 else place < here)]
        if ahead:
            self._walk((ahead[0] if step > 0 else ahead[-1]) - here)

    def action_play(self) -> None:
        film = self.film
        if film is not None and film.bars:
            self.playing = not self.playing
            if self.playing and self._place >= len(film.bars) - 1:
                self._walk(-len(film.bars))
            self.repaint()

    def beat(self) -> None:
        """One bar on while it plays."""
        film = self.film
        if self.playing and film is not None:
            self._walk(1)
            self.playing = self._place < len(film.bars) - 1

    def _walk(self, step: int) -> None:
        film = self.film
        if film is not None and film.bars:
            self._place = min(max(self._place + step, 0), len(film.bars) - 1)
            self.repaint()

    def draw(self, scene: Scene, width: int, height: int) -> Content:
        film = self.film
        if film is None:
            return Content(title="Game film")
        self._settle(film)
        state = "playing  " if self.playing else ""
        note = f"{state}bar {self._place + 1} of {len(film.bars)}" if film.bars else ""
        return Content(title=f"Game film  {film.trade.id} {film.trade.symbol} {film.timeframe}", note=note)

    def _settle(self, film: FilmTold) -> None:
        """Another trade's film begins at its own bar."""
        if film.trade.id != self._of:
            self._of, self.playing = film.trade.id, False
            self._place = _opening(film)
        self._place = min(self._place, len(film.bars) - 1)

    def _body(self, scene: Scene, width: int, height: int) -> list[Line]:
        film, part = self.film, self._part(scene)
        said = said_of(scene, part, "pick a trade in the list")
        if said is None and (film is None or not film.bars):
            said = ((film.note if film is not None else "") or "there are no bars of this trade", ink.DIM)
        if said is not None or film is None:
            text, style = said or ("", ink.DIM)
            return [ink.BLANK, *(centred(line, style, width) for line in wrapped(text, width - 4))]
        return self._aged(
            frame(film, self._place, width, height, plain=self._ascii, colours=scene.colours), scene
        )

    def frame_lines(self, width: int, height: int, *, colours: bool) -> list[Line]:
        """The frame in sight at another size, for a picture of it."""
        film = self.film
        if film is None or not film.bars:
            return []
        self._settle(film)
        return frame(film, self._place, width, height, plain=self._ascii, colours=colours)


def place_of(film: FilmTold, at_ns: int) -> int:
    """The bar in which an instant lies; the first for one before it."""
    return max(sum(bar[0] <= at_ns for bar in film.bars) - 1, 0)


def _opening(film: FilmTold) -> int:
    """Where a film begins: at the signal, or at its end where it has none."""
    first = next((mark for mark in film.marks if mark.kind == "signal"), None)
    return place_of(film, first.at_ns) if first is not None else len(film.bars) - 1


def frame(film: FilmTold, place: int, width: int, height: int, *, plain: bool, colours: bool) -> list[Line]:
    """The film at bar `place`: figures, bars up to it, times, what stood, what had just happened."""
    end_ns = film.bars[place + 1][0] if place + 1 < len(film.bars) else 1 << 62
    rows, columns = max(height - FRAME, LEAST_ROWS), max(width - plot.AXIS, plot.LEAST_COLUMNS)
    cells, scale, view = drawn(film, place, columns, rows, plain=plain, colours=colours)
    rest: ink.Span = (" " * (columns - view.columns), ink.TEXT)
    right = plot.axis(scale, _levels(film), film.bars[place][4], live=True)
    lines = [_figures(film, place, width)]
    lines += [(*plot.spans(row), plot.EMPTY, rest, right.get(n, (" ", ink.DIM))) for n, row in enumerate(cells)]
    lines += [plot.times(view, intraday=film.timeframe != "1d"), _standing(film, end_ns, width)]
    past = [mark for mark in film.marks if mark.at_ns < end_ns]
    fresh_ns = film.bars[place][0]
    lines += [_happened(mark, fresh=mark.at_ns >= fresh_ns, width=width) for mark in past[-HAPPENED:]]
    return lines


def drawn(
    film: FilmTold, place: int, columns: int, rows: int, *, plain: bool, colours: bool
) -> tuple[list[list[plot.Cell]], Scale, Window]:
    """The bars up to `place` as cells, on the scale of the whole film."""
    end_ns = film.bars[place + 1][0] if place + 1 < len(film.bars) else 1 << 62
    chart = _chart(film, place, end_ns)
    everything = Window(tuple(Candle(*bar) for bar in film.bars), 0, columns, None)
    scale = plot.scale_of(everything, chart.levels, rows)
    assert scale is not None, "a film with bars has a scale"
    used = columns if len(film.bars) >= columns - 1 else place + 2
    view = plot.window(chart, None, used, 0)
    return plot.grid(chart, view, scale, _PLAIN_SIGHT, plain=plain, colours=colours), scale, view


def _levels(film: FilmTold) -> tuple[Level, ...]:
    return tuple(Level(one.kind, one.text, one.price, one.about) for one in film.levels)


def _chart(film: FilmTold, place: int, end_ns: int) -> Chart:
    won = Decimal(film.trade.net_pnl or 0) > 0
    marks = tuple(
        Mark(mark.at_ns, mark.kind, film.trade.side, mark.price or "", won)
        for mark in film.marks
        if mark.kind in ("entry", "exit") and mark.at_ns < end_ns
    )
    bars = tuple(Candle(*bar) for bar in film.bars[: place + 1])
    return Chart(
        Ask("chart", film.trade.symbol, film.timeframe), bars=bars, marks=marks, levels=_levels(film),
        intraday=film.timeframe != "1d",
    )  # fmt: skip


def _figures(film: FilmTold, place: int, width: int) -> Line:
    start_ns, opened, high, low, close, volume = film.bars[place]
    tone = words.tone(close - opened)
    more: list[Line] = [((f"  V {volume:,.0f}", ink.DIM),)] if volume else []
    line: Line = (
        (f" {words.day_text(start_ns)} {words.minute_text(start_ns)} ", ink.STRONG),
        (f" C {close:,.2f} {words.arrow(close - opened)}", tone),
        (f" O {opened:,.2f} H {high:,.2f} L {low:,.2f}", ink.TEXT),
    )
    return ink.packed(ink.clipped(line, width), more, width)


def _standing(film: FilmTold, end_ns: int, width: int) -> Line:
    """The contract's target and stop as they stood, and its last known quote and delta."""
    spans: list[ink.Span] = [(" option ", ink.FAINT)]
    for kind, style in (("target", ink.UP), ("stop", ink.DOWN)):
        stood = [
            one for one in film.lines
            if one.kind == kind and one.from_ns < end_ns and (not one.until_ns or one.until_ns >= end_ns)
        ]  # fmt: skip
        if stood:
            spans.append((f" {kind} {stood[-1].price}", style))
    ended = next((mark for mark in film.marks if mark.kind == "close" and mark.at_ns < end_ns), None)
    if ended is not None:
        return ink.clipped((*spans[:1], (f" closed: {ended.text}", ink.STRONG)), width)
    known = [one for one in film.greeks if one.at_ns < end_ns]
    if known:
        quote = known[-1]
        if quote.bid is not None and quote.ask is not None:
            spans.append((f"  {quote.bid} × {quote.ask}", ink.TEXT))
        if quote.delta is not None:
            spans.append((f"  Δ {quote.delta:+.2f}", ink.DIM))
        if quote.theta is not None:
            spans.append((f"  θ {quote.theta:+.2f}", ink.DIM))
    if len(spans) == 1:
        spans.append((" nothing of ours works at the broker", ink.FAINT))
    return ink.clipped(tuple(spans), width)


def _happened(mark: FilmMark, *, fresh: bool, width: int) -> Line:
    style = _STYLES.get(mark.kind, ink.TEXT) if fresh else ink.FAINT
    text = words.shortened(mark.text, mark.at_ns)
    line: Line = (
        (f" {words.clock_text(mark.at_ns)} ", ink.DIM if fresh else ink.FAINT),
        (f"{_GLYPHS.get(mark.kind, '·')} {mark.kind:<10} ", style),
        (text, style),
    )
    return ink.clipped(line, width)
