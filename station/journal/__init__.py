"""The journal: what happened, told from the lifecycle database. It reads, and can place no order."""

from station.journal.figures import Figures, digest, figures, most_open
from station.journal.reading import Journal, open_journal
from station.journal.shapes import decimal_text, story_shape, trade_shape, trades_shape
from station.journal.tables import story_text, trades_table

__all__ = [
    "Figures",
    "Journal",
    "decimal_text",
    "digest",
    "figures",
    "most_open",
    "open_journal",
    "story_shape",
    "story_text",
    "trade_shape",
    "trades_shape",
    "trades_table",
]
