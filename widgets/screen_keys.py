"""What keys do on one screen only: bindings, key line, help, palette and clashes are made from this table, as
those of the whole station are from `actions`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from textual.binding import Binding

from widgets.actions import BY_NAME, CURSOR_KEYS, FORBIDDEN, spoken

Shown = Callable[["ScreenKey"], str]


@dataclass(frozen=True, slots=True)
class ScreenKey:
    """`scope` is a screen, a pane of one, or what several screens share; `run` the action there; `word` what
    the key line says of it (nothing: it is not there). One that `edits` is not offered to who only looks on."""

    scope: str
    action: str
    keys: str
    run: str
    help: str
    word: str = ""
    edits: bool = False

    @property
    def name(self) -> str:
        """As keys.toml calls it: `journal.note`."""
        return f"{self.scope}.{self.action}"

    @property
    def shown(self) -> str:
        """As it is printed, alternatives left out."""
        return spoken(self.keys)

    @property
    def fixed(self) -> bool:
        """It moves a cursor or opens what is under it, as everywhere."""
        return any(key.removeprefix("shift+") in FORBIDDEN | CURSOR_KEYS for key in self.keys.split(","))

    def binding(self) -> Binding:
        return Binding(self.keys, self.run, self.action, show=False, id=f"vigil.{self.name}")


def _of(scope: str, *rows: tuple[str, ...], edits: Iterable[str] = ()) -> tuple[ScreenKey, ...]:
    return tuple(ScreenKey(scope, *row, edits=row[0] in edits) for row in rows)


_FILTER: Final = ("filter", "slash", "filter")
_CLEAR: Final = ("clear", "backspace", "clear", "No filter.")
_REVERT: Final = ("revert", "U", "revert", "The shipped default again.", "revert")
_FIND: Final = ("find", "slash", "find")
_DAY: Final = "The session before or after."
_FLIP: Final = "In the film: a bar back or forward; with shift to the event before or after."
_WEEK: Final = "In the gallery: the week before, after."
SCREEN_KEYS: Final = (
    *_of("signals",
         (*_FILTER, "Filter: symbol: side: status: date: (or the bare words SPX put rejected).", "filter"),
         ("status", "s", "status", "Only the next status; after the last, all.", "status"),
         ("day_before", "left", "day(-1)", _DAY, "day"), ("day_after", "right", "day(1)", _DAY, "day"),
         (*_CLEAR, "all")),
    *_of("risk",
         ("side", "s", "side", "The other side: judge a call, or a put.", "call/put"),
         ("symbol_before", "left", "symbol(-1)", "Another symbol.", "symbol"),
         ("symbol_after", "right", "symbol(1)", "Another symbol.", "symbol"),
         ("refusals", "b", "refusals", "Only the rules that refuse, or all.", "refusals")),
    *_of("rows",
         ("toggle", "space", "toggle", "On or off.", "on/off"),
         ("edit", "enter", "edit", "Into the fields; there, edit the field under the cursor.", "fields, edit"),
         edits=("toggle",)),
    *_of("scanners",
         (*_FIND, "Only rows with these words; nothing shows all.", "find"),
         ("order", "o", "order", "Another order: the catalogue's, fired most, fired last.", "order"),
         ("master", "M", "master", "The master switches; space turns the one under the cursor.", "master"),
         _REVERT, edits=("revert",)),
    *_of("tactics",
         ("duplicate", "D", "duplicate", "Duplicate under another name; the copy is off.", "duplicate"),
         ("sooner", "plus,equals_sign", "priority(-1)", "Priority: sooner, later.", "priority"),
         ("later", "minus", "priority(1)", "Priority: sooner, later.", "priority"),
         ("autonomy", "A", "autonomy", "Autonomy: observe, propose, auto.", "autonomy"),
         _REVERT, edits=("duplicate", "sooner", "later", "autonomy", "revert")),
    *_of("settings",
         ("edit", "enter", "edit", "Edit the setting under the cursor; checked before it is stored.", "edit"),
         ("toggle", "space", "toggle", "On or off, where it is one of the two.", "on/off"),
         (*_FIND, "Only settings with these words; nothing shows all.", "find"),
         ("section", "N", "section", "The next section.", "section"),
         ("revert", "U", "revert", "Give it back to the file.", "to the file"),
         edits=("edit", "toggle", "revert")),
    *_of("journal",
         (*_FILTER, "Filter: date: from: to: symbol: strategy: result: tag: and words to look for.", "filter"),
         ("note", "n", "note", "Write a note.", "note"),
         ("tag", "number_sign", "tag", "Put a tag on, or take it off.", "tag"),
         ("open", "enter", "open", "The film of the trade under the cursor.", "film"),
         ("pictures", "p", "moments",
          "The picture taken at the entry, then the one at the exit, then the film.", "pictures"),
         ("gallery", "G", "gallery", "The week's gallery, and the film again.", "gallery"),
         ("events", "e", "events", "Events, and the story again.", "events"),
         ("export", "E", "export", "Export the list as CSV.", "csv"),
         ("save", "V", "picture", "Save the film's frame, or the picture, as SVG and text.", "save"),
         _CLEAR, edits=("note", "tag")),
    *_of("film",
         ("back", "left", "walk(-1)", _FLIP, "bar"), ("on", "right", "walk(1)", _FLIP, "bar"),
         ("event_back", "shift+left", "leap(-1)", ""), ("event_on", "shift+right", "leap(1)", ""),
         ("first", "home", "walk(-100000)", ""), ("last", "end", "walk(100000)", ""),
         ("play", "space", "play", "In the film: play, stop.", "play")),
    *_of("gallery",
         ("back", "left", "along(-1)", ""), ("on", "right", "along(1)", ""), ("up", "up,k", "rows(-1)", ""),
         ("down", "down,j", "rows(1)", ""), ("first", "home", "along(-1000)", ""),
         ("last", "end", "along(1000)", ""),
         ("open", "enter", "open", "In the gallery: look at this trade's picture.", "look"),
         ("week_before", "left_square_bracket", "week(-1)", _WEEK, "week"),
         ("week_after", "right_square_bracket", "week(1)", _WEEK, "week")),
    *_of("performance",
         (*_FILTER, "Filter: from: to: symbol: strategy: tag: and words to look for.", "filter"), _CLEAR),
    *_of("log",
         (*_FILTER, "Filter: level: component: and words to look for in the whole line.", "filter"),
         ("graver", "plus", "level(1)", "Only graver lines; milder ones too.", "level"),
         ("milder", "minus", "level(-1)", "Only graver lines; milder ones too.", "level"),
         ("hold", "space", "hold", "Hold what is shown, or follow again.", "hold"), _CLEAR),
)  # fmt: skip
ABOVE: Final = {"scanners": "rows", "tactics": "rows", "film": "journal", "gallery": "journal"}
"""The scope whose keys hold there too, where they are not its own."""
WITHIN: Final = {"journal": ("film", "gallery")}
"""The panes of a screen that have keys of their own."""


def of(scope: str) -> tuple[ScreenKey, ...]:
    """The keys of a scope alone."""
    return tuple(key for key in SCREEN_KEYS if key.scope == scope)


def bindings(scope: str) -> list[Binding]:
    """What a screen or pane of that scope binds itself."""
    return [key.binding() for key in of(scope)]


def shared(screen: str) -> tuple[ScreenKey, ...]:
    """A screen's keys and those that it shares with others, these first."""
    return (*(of(ABOVE[screen]) if screen in ABOVE else ()), *of(screen))


def hints(screen: str, pane: str, shown: Shown, *, edits: bool) -> tuple[tuple[str, str], ...]:
    """(key, word) for the key line, keys of one word joined: those of the pane in focus, then those of the
    screen that it leaves; without those that edit unless `edits`."""
    own = of(pane) if pane else ()
    taken = {key.keys for key in own}
    keys = [*own, *(key for key in shared(screen) if key.keys not in taken)]
    keys = [key for key in keys if key.word and (edits or not key.edits)]
    return tuple(_joined(keys, shown, lambda key: key.word))


def helps(screen: str, shown: Shown) -> tuple[tuple[str, str], ...]:
    """(key, what it does) for the help, keys of one text joined."""
    keys = [*shared(screen), *(key for pane in WITHIN.get(screen, ()) for key in of(pane))]
    return tuple(_joined([key for key in keys if key.help], shown, lambda key: key.help))


def _joined(
    keys: Iterable[ScreenKey], shown: Shown, by: Callable[[ScreenKey], str]
) -> Iterator[tuple[str, str]]:
    for said, same in groupby(keys, key=by):
        yield " ".join(shown(key) for key in same), said


BY_FULL_NAME: Final = {key.name: key for key in SCREEN_KEYS}
KEYS_OF: Final = {name: one.keys for name, one in (BY_NAME | BY_FULL_NAME).items()}
"""Every key of every scope as shipped, by the name it has in keys.toml."""
