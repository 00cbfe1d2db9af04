"""The journal: what was traded, why, and how it went; notes, tags, search, film and export."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar, Final

import msgspec
from textual.binding import BindingType

from station.link import NoteTrade, Query, Story, TagTrade
from widgets import filters, ink, screen_keys, story, words
from widgets.asking import LineDialog
from widgets.columns import Table
from widgets.film import FilmPane
from widgets.floorplan import Column as Side
from widgets.floorplan import Slot
from widgets.gallery import GalleryPane, PicturePane
from widgets.keeping import keep
from widgets.ledger import COLUMNS, csv_of, row, wanted
from widgets.page import PagePane, Question
from widgets.pane import Content
from widgets.picture import svg_of
from widgets.rowpage import BY, EditPage
from widgets.scene import Scene
from widgets.told import RESULTS, FilmTold, GalleryTold, JournalTold, StoryTold, TradeTold, instant

OPEN_EVERY_S: Final = 30.0
ENDED_EVERY_S: Final = 3600.0
"""A film's bars may come from the broker's history, which is asked sparingly."""
GALLERY_EVERY_S: Final = 60.0
FILM_SIZE: Final = (120, 36)


class JournalPage(EditPage):
    """A list on the left; the trade under the cursor on the right."""

    TITLE = "Journal"
    EVERY_S = 10.0
    BEHIND = frozenset({"events", "picture", "gallery"})
    PLANS = (
        ((190, 46), (
            Side(96, (Slot(("list",)),)),
            Side(0, (Slot(("film", "picture", "gallery"), share=5), Slot(("story", "events"), share=4))),
        )),
        ((150, 38), (
            Side(66, (Slot(("list",)),)),
            Side(0, (Slot(("film", "picture", "gallery"), share=5), Slot(("story", "events"), share=4))),
        )),
        ((110, 30), (
            Side(48, (Slot(("list",)),)),
            Side(0, (Slot(("film", "picture", "gallery"), share=5), Slot(("story", "events"), share=4))),
        )),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [*screen_keys.bindings("journal")]

    _args: Mapping[str, str] = {}
    _picked = ""
    _moment = ""
    _week = ""

    # --- what is asked ------------------------------------------------------------------------------

    def questions(self) -> Mapping[str, Question]:
        wanted = {"list": Question(Query("journal", dict(self._args)), JournalTold)}
        picked = self._trade_id()
        if picked:
            wanted["story"] = Question(Story(picked), StoryTold)
            trade = self.trade
            ended = trade is not None and trade.net_pnl is not None
            every_s = ENDED_EVERY_S if ended else OPEN_EVERY_S
            wanted["film"] = Question(Query("film", {"trade": picked}), FilmTold, every_s)
            if self.sees("picture"):
                args = {"trade": picked} | ({"moment": self._moment} if self._moment else {})
                wanted["picture"] = Question(Query("picture", args), FilmTold, OPEN_EVERY_S)
        if self.sees("gallery"):
            args = {"week": self._week} if self._week else {}
            wanted["gallery"] = Question(Query("gallery", args), GalleryTold, GALLERY_EVERY_S)
        return wanted

    def make(self) -> list[PagePane]:
        return [
            self.pane("list", "Journal", "list", self._list, on_pick=self._pick),
            self.pane("film", "Game film", "film", self._nothing, kind=FilmPane),
            self.pane("story", "Story", "story", self._story),
            self.pane("events", "Events", "story", self._events),
            self.pane("picture", "Picture", "picture", self._nothing, kind=PicturePane),
            self.pane("gallery", "Gallery", "gallery", self._nothing, kind=GalleryPane),
        ]

    def _pick(self, trade_id: str) -> None:
        self._picked = trade_id
        self.floor.pump()

    def look_at(self, name: str) -> None:
        """What is read in another pane stays the trade it was, whatever newer one comes."""
        if name != "list":
            self._picked = self._trade_id()
        super().look_at(name)

    def _trade_id(self) -> str:
        """The trade under the cursor, the newest until one is picked."""
        known = self.document("list", JournalTold)
        trades = known.trades if known is not None else ()
        if any(trade.id == self._picked for trade in trades):
            return self._picked
        return trades[0].id if trades else ""

    def answered(self, slot: str) -> None:
        if slot == "list":
            self.call_next(self.floor.pump)

    def beat(self) -> None:
        super().beat()
        self.query_one(FilmPane).beat()

    @property
    def trade(self) -> TradeTold | None:
        known, picked = self.document("list", JournalTold), self._trade_id()
        trades = known.trades if known is not None else ()
        return next((trade for trade in trades if trade.id == picked), None)

    # --- what is seen -------------------------------------------------------------------------------

    def _list(self, _scene: Scene, width: int) -> Content:
        known = self.document("list", JournalTold) or JournalTold()
        table = Table(COLUMNS, width)
        closed = [Decimal(trade.net_pnl) for trade in known.trades if trade.net_pnl is not None]
        net = words.signed_money(sum(closed, Decimal(0)))
        only = filters.written(self._args)
        head = (table.heading,) if known.trades else ()
        if only:
            head = (ink.clipped(((" only ", ink.FAINT), (only, ink.KEY)), width), *head)
        empty = (
            "no trade matches the filter: backspace clears it"
            if only
            else "no trade yet: the first will stand here"
        )
        hidden = known.total - known.found
        refused = "" if only or not hidden else f"  {hidden} refused, result:any"
        count = f"{known.found} of {known.total}"
        fits = width > len(f" {self.key} Journal   {count}{refused}  {net} ")
        return Content(
            note=f"{count}{refused if fits else ''}  {net}", head=head,
            blocks=tuple(row(trade, table) for trade in known.trades), empty=empty, picked=self._trade_id(),
        )  # fmt: skip

    def _story(self, _scene: Scene, width: int) -> Content:
        told = self.document("story", StoryTold)
        if told is None:
            return Content(empty="pick a trade in the list")
        return Content(
            title=f"Story  {told.trade.id}",
            note=words.state(told.trade.state),
            blocks=story.telling(self._whole(told), width),
        )

    def _events(self, _scene: Scene, width: int) -> Content:
        told = self.document("story", StoryTold)
        if told is None:
            return Content(empty="pick a trade in the list")
        return Content(
            title=f"Events  {told.trade.id}", note=f"{len(told.events)}", blocks=story.timeline(told, width)
        )

    def _nothing(self, _scene: Scene, _width: int) -> Content:
        return Content()

    def _whole(self, told: StoryTold) -> StoryTold:
        """The story with what only the list knows of its trade."""
        listed = self.trade
        same = listed is not None and listed.id == told.trade.id
        return msgspec.structs.replace(told, trade=listed) if same else told

    # --- what keys do -------------------------------------------------------------------------------

    def action_open(self) -> None:
        self.look_at("film")

    def action_moments(self) -> None:
        if not self.sees("picture"):
            self.show_moment("entry")
        elif self._moment == "entry":
            self.show_moment("exit")
        else:
            self.look_at("film")

    def action_gallery(self) -> None:
        self.look_at("film" if self.sees("gallery") else "gallery")
        self.floor.pump()

    def action_events(self) -> None:
        self.look_at("story" if self.sees("events") else "events")

    def show_moment(self, moment: str) -> None:
        """The picture of that moment of the trade under the cursor."""
        self._moment = moment
        self.look_at("picture")
        self.floor.pump()

    def show_week(self, week: str) -> None:
        """The gallery of that week."""
        if not week:
            self.floor.tell("no pictures beyond", "warn")
            return
        self._week = week
        self.floor.pump()

    def look_into(self, trade_id: str) -> None:
        """The newest picture of a trade, and its story."""
        known = self.document("list", JournalTold)
        if known is None or all(trade.id != trade_id for trade in known.trades):
            self.floor.tell(f"{trade_id} is not in the list: backspace clears its filter", "warn")
            return
        self._picked = trade_id
        self.show_moment("")

    def action_clear(self) -> None:
        self._args = {}
        self.floor.pump()

    def action_filter(self) -> None:
        known = self.document("list", JournalTold) or JournalTold()
        more = [f"results  {' '.join(RESULTS)}", f"symbols  {' '.join(known.symbols)}"]
        if known.strategies:
            more.append(f"strategies  {' '.join(known.strategies)}")
        if known.tags:
            more.append(f"tags  {' '.join(f'#{tag}' for tag in known.tags)}")
        dialog = LineDialog(
            self.floor.perf, "JOURNAL FILTER",
            "date:2025-11-20 from: to: symbol: strategy: result: #tag, or words to look for. Empty shows all.",
            value=filters.written(self._args), more=tuple(more), check=self._wrong,
        )  # fmt: skip
        self.app.push_screen(dialog, self._filtered)

    def _parsed(self, line: str) -> dict[str, str]:
        known = self.document("list", JournalTold) or JournalTold()

        def shorthand(word: str) -> str:
            if word.startswith("#"):
                return "tag"
            if word.upper() in known.symbols:
                return "symbol"
            if word in known.strategies:
                return "strategy"
            return "result" if word in RESULTS else ""

        return wanted(line, shorthand)

    def _wrong(self, line: str) -> str:
        try:
            self._parsed(line)
        except ValueError as error:
            return str(error)
        return ""

    def _filtered(self, line: str | None) -> None:
        if line is not None:
            self._args = self._parsed(line)
            self.floor.pump()

    def action_note(self) -> None:
        trade = self.trade
        if trade is None:
            self.floor.tell("no trade to write a note on", "warn")
            return

        async def send(text: str) -> str:
            if not text.strip():
                return "an empty note says nothing: type its text"
            return await self.send(NoteTrade(trade.id, text, BY))

        self._picked = trade.id
        self.ask_value(f"NOTE ON {trade.id}", "", _facts(trade), send)

    def action_tag(self) -> None:
        trade = self.trade
        if trade is None:
            self.floor.tell("no trade to put a tag on", "warn")
            return
        known = self.document("list", JournalTold) or JournalTold()

        async def send(text: str) -> str:
            tag = text.strip().lower().removeprefix("#")
            if not tag:
                return "a tag is one word: letters, digits, - or _"
            return await self.send(TagTrade(trade.id, tag, tag not in trade.tags, BY))

        self._picked = trade.id
        here = " ".join(f"#{tag}" for tag in trade.tags) or "none"
        told = [*_facts(trade), ("on it", f"{here}; one of these again takes it off")]
        told += [("in use", " ".join(f"#{tag}" for tag in known.tags))] if known.tags else []
        self.ask_value(f"TAG {trade.id}", "", tuple(told), send)

    def action_export(self) -> None:
        known = self.document("list", JournalTold)
        if known is None or not known.trades:
            self.floor.tell("the list is empty: nothing to export", "warn")
            return
        self._keep({"journal.csv": csv_of(known.trades)})

    def action_picture(self) -> None:
        film = self.front if isinstance(self.front, FilmPane) else self.query_one(FilmPane)
        lines = film.frame_lines(*FILM_SIZE, colours=True)
        told = film.film
        if not lines or told is None:
            self.floor.tell("there is no film of this trade to take a picture of", "warn")
            return
        name = f"{told.moment or 'film'}-{told.trade.id}"
        text = "\n".join("".join(span for span, _ in line).rstrip() for line in lines)
        self._keep(
            {
                f"{name}.svg": svg_of(lines, FILM_SIZE[0], f"{told.trade.id} {told.trade.symbol}"),
                f"{name}.txt": text,
            }
        )

    def _keep(self, files: Mapping[str, str]) -> None:
        folder = self.floor.manner.exports
        if folder is None:
            self.floor.tell("this screen has no directory to write to", "warn")
            return
        try:
            paths = [keep(folder, name, text) for name, text in files.items()]
        except OSError as error:
            self.floor.tell(f"{folder} cannot be written: {error.strerror or error}", "bad")
            return
        self.floor.tell(f"written: {', '.join(map(str, paths))}", "good")

    def copied(self) -> str:
        """The story as text, where the list or the story has the keys."""
        told, here = self.document("story", StoryTold), self.front.id or ""
        return story.as_text(self._whole(told)) if told is not None and not here.endswith("film") else ""


def _facts(trade: TradeTold) -> tuple[tuple[str, str], ...]:
    """What the dialogs say of a trade."""
    label = words.contract(trade.label or trade.symbol, instant(trade.opened_utc))
    return (("trade", f"{label}  {story.result_text(trade)[0]}"),)
