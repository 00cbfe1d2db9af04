"""Identity: sequential per session, continued from what the database holds."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from datetime import date
from typing import Final

_OURS: Final = re.compile(r"T[0-9]{10,}")
_TAKEN: Final = (
    ("T", "SELECT id FROM trades UNION SELECT trade_id FROM trade_events WHERE trade_id <> ''"),
    ("S", "SELECT id FROM signals"),
)


class SequentialIds:
    """Fulfils `domain.clock.Ids`: `T2611180001`, `S2611180001` (letter, session's yymmdd, four digits or more).

    No dash, since an order reference is split at dashes. An id is taken once a commit that carries it lands:
    one handed out and never committed is handed out again after a restart, one on the database never.
    """

    def __init__(self, last: Mapping[str, int]) -> None:
        self._last = dict(last)

    def trade_id(self, session: date) -> str:
        return self._next("T", session)

    def signal_id(self, session: date) -> str:
        return self._next("S", session)

    def taken(self, trade_id: str) -> None:
        """An id of our shape that someone has seen is passed over; any other is none of ours."""
        prefix, number = trade_id[:7], trade_id[7:]
        if _OURS.fullmatch(trade_id):
            self._last[prefix] = max(self._last.get(prefix, 0), int(number))

    def _next(self, letter: str, session: date) -> str:
        prefix = f"{letter}{session:%y%m%d}"
        number = self._last.get(prefix, 0) + 1
        self._last[prefix] = number
        return f"{prefix}{number:04d}"


def last_taken(connection: sqlite3.Connection) -> dict[str, int]:
    """The highest number on a lifecycle database by prefix (`T261118`)."""
    taken: dict[str, int] = {}
    for letter, ids in _TAKEN:
        rows = connection.execute(
            f"SELECT substr(id, 1, 7), MAX(CAST(substr(id, 8) AS INTEGER)) FROM ({ids}) "
            "WHERE id GLOB ? GROUP BY 1",
            (f"{letter}[0-9][0-9][0-9][0-9][0-9][0-9][0-9]*",),
        )
        taken.update({str(prefix): int(number) for prefix, number in rows})
    return taken
