"""What a trader writes of a trade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class TradeNoted:
    """A line of the trader's own about a trade. Notes are added, never rewritten."""

    type: ClassVar[str] = "journal.note"
    v: ClassVar[int] = 1
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class TradeTagged:
    """A tag put on a trade (`on`) or taken off it."""

    type: ClassVar[str] = "journal.tag"
    v: ClassVar[int] = 1
    tag: str
    on: bool
    by: str
