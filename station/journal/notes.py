"""Notes and tags of trades: what the trader adds to the story, folded from the log."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from station.domain.clock import utc_text
from station.domain.errors import BadInput
from station.domain.events import TradeNoted, TradeTagged
from station.journal.shapes import Json
from station.store import Logged

MAX_NOTE: Final = 4_000
MAX_TAGS: Final = 20
_TAG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the trader's own; `by` is who wrote it."""

    at_ns: int
    text: str
    by: str

    def shape(self) -> Json:
        return {"ts_utc": utc_text(self.at_ns), "text": self.text, "by": self.by}


@dataclass(frozen=True, slots=True)
class Annotated:
    """A trade's notes, oldest first, and its tags in alphabetical order."""

    notes: tuple[Note, ...] = ()
    tags: tuple[str, ...] = ()


NOTHING: Final = Annotated()


def annotated(logged: Iterable[Logged]) -> dict[str, Annotated]:
    """By trade id, from the journal's events in the order of the log."""
    notes: dict[str, list[Note]] = {}
    tags: dict[str, dict[str, bool]] = {}
    for entry in logged:
        recorded = entry.recorded
        if isinstance(recorded.event, TradeNoted):
            note = Note(recorded.at_ns, recorded.event.text, recorded.event.by)
            notes.setdefault(recorded.trade_id, []).append(note)
        elif isinstance(recorded.event, TradeTagged):
            tags.setdefault(recorded.trade_id, {})[recorded.event.tag] = recorded.event.on
    found: dict[str, Annotated] = {}
    for trade_id in dict.fromkeys((*notes, *tags)):
        on = tuple(sorted(tag for tag, is_on in tags.get(trade_id, {}).items() if is_on))
        found[trade_id] = Annotated(tuple(notes.get(trade_id, ())), on)
    return found


def tag_counts(known: Mapping[str, Annotated]) -> dict[str, int]:
    """How many trades carry each tag, in alphabetical order."""
    counts = Counter(tag for one in known.values() for tag in one.tags)
    return dict(sorted(counts.items()))


def note_text(text: str) -> str:
    """The line as it is kept, control characters as blanks. Raises BadInput for none, or one too long."""
    kept = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    if not kept:
        raise BadInput("an empty note says nothing: type its text")
    if len(kept) > MAX_NOTE:
        raise BadInput(f"a note of {len(kept)} characters is over {MAX_NOTE}: shorten it or write two")
    return kept


def tag_text(tag: str) -> str:
    """The tag as it is kept, lower case. Raises BadInput for what is none."""
    kept = tag.strip().lower().removeprefix("#")
    if not _TAG.fullmatch(kept):
        raise BadInput(f"tag {tag[:40]!r}: use 1 to 32 letters, digits, - or _, the first a letter or digit")
    return kept
