"""Pictures that were taken at entry and exit: one of the trade that is told, and a week's side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final, cast

from rich.style import Style
from textual.binding import BindingType

from widgets import ink, plot, screen_keys, story, words
from widgets.film import LEAST_ROWS, FilmPane, drawn
from widgets.ink import Line
from widgets.page import PagePane
from widgets.pane import Content, centred, said_of, wrapped
from widgets.scene import Scene
from widgets.told import FilmTold, GalleryTold, instant

if TYPE_CHECKING:
    from widgets.journal import JournalPage

THUMB: Final = (36, 9)
"""The least cells of a picture in the gallery, and its lines."""
MOMENTS: Final = ("entry", "exit")


class PicturePane(FilmPane):
    """The picture of a moment. Left and right go from the entry to the exit and back."""

    SCOPE = ""
    BINDINGS: ClassVar[list[BindingType]] = []
    HELP = (("left right", "The picture at the entry, at the exit."),)

    @property
    def film(self) -> FilmTold | None:
        return self.room.document("picture", FilmTold)

    def action_walk(self, step: int) -> None:
        cast("JournalPage", self.room).show_moment(MOMENTS[step > 0])

    def action_leap(self, step: int) -> None:
        self.action_walk(step)

    def action_play(self) -> None:
        """A picture stands still."""

    def _settle(self, film: FilmTold) -> None:
        self._place = len(film.bars) - 1

    def draw(self, scene: Scene, width: int, height: int) -> Content:
        told = self.film
        if told is None:
            return Content(title="Picture")
        self._settle(told)
        others = [moment for moment in told.moments if moment != told.moment]
        at = f" {words.clock_text(told.at_ns)}" if told.at_ns else ""
        return Content(
            title=f"Picture at {told.moment}{at}  {told.trade.id}" if told.moment else "Picture",
            note=f"←→ {' '.join(others)}" if others else "",
        )


class GalleryPane(PagePane):
    """A week, one picture a trade. Arrows move, enter looks at one, [ and ] turn to another week."""

    SCOPE = "gallery"
    BINDINGS: ClassVar[list[BindingType]] = [*screen_keys.bindings(SCOPE)]

    _across = 1
    _at = ""

    @property
    def told(self) -> GalleryTold:
        return self.room.document("gallery", GalleryTold) or GalleryTold()

    def _chosen(self) -> int:
        """The place of the picture under the cursor; the newest where it has none."""
        ids = [one.trade.id for one in self.told.pictures]
        return ids.index(self._at) if self._at in ids else 0

    def action_along(self, step: int) -> None:
        pictures = self.told.pictures
        if pictures:
            self._at = pictures[min(max(self._chosen() + step, 0), len(pictures) - 1)].trade.id
            self.repaint()

    def action_rows(self, step: int) -> None:
        self.action_along(step * self._across)

    def action_week(self, step: int) -> None:
        told = self.told
        cast("JournalPage", self.room).show_week(told.after if step > 0 else told.before)

    def action_open(self) -> None:
        if self.told.pictures:
            cast("JournalPage", self.room).look_into(self.told.pictures[self._chosen()].trade.id)

    def draw(self, scene: Scene, width: int, height: int) -> Content:
        told = self.told
        count = f"{len(told.pictures)} of {told.found}" if told.found else ""
        weeks = [f"{key} {week[-3:]}" for key, week in (("[", told.before), ("]", told.after)) if week]
        return Content(title=f"Gallery  {told.week}".rstrip(), note="  ".join([count, *weeks]).strip())

    def _body(self, scene: Scene, width: int, height: int) -> list[Line]:
        told, part = self.told, self._part(scene)
        said = said_of(scene, part, "no picture to look at")
        if said is None and not told.pictures:
            said = (told.note or f"no trade was pictured in {told.week}", ink.DIM)
        if said is not None:
            text, style = said
            return [ink.BLANK, *(centred(line, style, width) for line in wrapped(text, width - 4))]
        self._across = max((width + 1) // (THUMB[0] + 1), 1)
        wide = (width - self._across + 1) // self._across
        fit = max(height // THUMB[1], 1)
        tall = min(height // fit, THUMB[1] + 4)
        row = self._chosen() // self._across
        first = max(row - fit + 1, 0) * self._across
        lines: list[Line] = []
        for start in range(first, min(first + fit * self._across, len(told.pictures)), self._across):
            lines += self._row(told.pictures[start : start + self._across], wide, tall, scene)
        return self._aged(lines, scene)

    def _row(self, pictures: Sequence[FilmTold], wide: int, tall: int, scene: Scene) -> list[Line]:
        chosen = self.told.pictures[self._chosen()]
        drawings = [
            thumb(one, wide, tall, chosen=one is chosen, plain=self._ascii, colours=scene.colours)
            for one in pictures
        ]
        gap: ink.Span = (" ", ink.TEXT)
        return [
            tuple(span for one in parts for span in (*_filled(one, wide), gap))
            for parts in zip(*drawings, strict=True)
        ]


def thumb(film: FilmTold, width: int, height: int, *, chosen: bool, plain: bool, colours: bool) -> list[Line]:
    """A film's last frame in few cells: contract and result over its bars, joined where they are many."""
    trade = film.trade
    style = ink.TITLE_FOCUS if chosen else ink.TITLE
    label = words.contract(trade.label or trade.symbol, instant(trade.opened_utc))
    result, tone = story.result_text(trade)
    head = ink.spread(
        ((f"{'▸' if chosen else ' '}{label}", style),),
        ((f" {result} ", tone + Style(bgcolor=style.bgcolor)),), width, style,
    )  # fmt: skip
    at = f"{words.day_text(film.at_ns)} {words.minute_text(film.at_ns)}"
    foot: Line = ((f" {at}  {film.moment}  {trade.cause or ''}", ink.DIM),)
    room = max(height - 3, 0)
    if not film.bars or room < LEAST_ROWS - 1 or width < plot.LEAST_COLUMNS:
        return [head, *[ink.BLANK] * room, foot, ink.BLANK]
    short = squeezed(film, width - 1)
    cells, _, _ = drawn(short, len(short.bars) - 1, width, room, plain=plain, colours=colours)
    return [head, *(tuple(plot.spans(row)) for row in cells), ink.clipped(foot, width), ink.BLANK]


def squeezed(film: FilmTold, columns: int) -> FilmTold:
    """The film with so many bars drawn into one that they fit `columns`."""
    many = -(-len(film.bars) // max(columns, 1))
    if many < 2:
        return film
    groups = [film.bars[start : start + many] for start in range(0, len(film.bars), many)]
    bars = tuple(
        (one[0][0], one[0][1], max(bar[2] for bar in one), min(bar[3] for bar in one), one[-1][4],
         sum(bar[5] for bar in one))
        for one in groups
    )  # fmt: skip
    return FilmTold(
        film.trade, film.timeframe, bars, film.marks, levels=film.levels, moment=film.moment, at_ns=film.at_ns
    )


def _filled(line: Line, width: int) -> Line:
    line = ink.clipped(line, width)
    return (*line, (" " * (width - ink.width_of(line)), ink.TEXT))
