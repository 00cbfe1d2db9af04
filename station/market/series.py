"""One symbol's finished bars at one timeframe: a window that moves with the session, each bar's origin."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from station.calendars import Calendar
from station.domain.clock import utc_text
from station.domain.errors import BadInput
from station.domain.instruments import Hours, Timeframe
from station.domain.market import Bar
from station.market.merge import KEPT_BEFORE_SESSION, Origin, Stamped, merge, windowed
from station.series import RAW, Bars

_SPARE = 512


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a bar came from. `link` is the hash of the chain of changes up to the one that brought it."""

    start_ns: int
    source: str
    origin: Origin
    received_ns: int
    link: str


class Series:
    """The finished bars: 2,000 before the first bar of the newest bar's session, and that session.

    Bars views stay valid and unchanged after the series moves on. `revision` counts changes; `ready` is False
    until history is in and while a bar may be missing; `label` says whether history is `raw` or `adjusted`;
    `trouble` says why the last request failed, and
    `history_through_ns` how far history has reached, by the close of its newest bar. `head` is the newest link
    of the hash chain over every change ever taken in, so it identifies the content.
    """

    def __init__(self, symbol: str, timeframe: Timeframe, hours: Hours, calendar: Calendar) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self.hours = hours
        self._calendar = calendar
        self.wanted = True
        self.announced = True
        self.warm = False
        self.ready = False
        self.revision = 0
        self.divergent = 0
        self.trouble = ""
        self.label = RAW
        self.history_through_ns = 0
        self._partials: set[int] = set()
        self._sources: list[str] = []
        self._links = [sha256(f"{symbol}|{timeframe.value}".encode()).digest()]
        self._session_open_ns = 0
        self._session_close_ns = 0
        self._low = 0
        self._count = 0
        self._view: Bars | None = None
        self._hold(Stamped.of(Bars.empty(), Origin.HISTORY, 0), np.empty(0, np.int32))

    # --- reading -------------------------------------------------------------------------------------

    @property
    def bars(self) -> Bars:
        """The window, oldest first."""
        if self._view is None:
            self._view = self._bars.cut(self._low, self._count)
        return self._view

    @property
    def session_start(self) -> int:
        """Position in `bars` of the first bar of the newest bar's session; 0 while empty."""
        return self.bars.position(self._session_open_ns)

    @property
    def newest_start_ns(self) -> int:
        """Start of the newest finished bar, −1 while there is none."""
        return int(self._bars.start_ns[self._count - 1]) if self._count > self._low else -1

    @property
    def head(self) -> str:
        return self._links[-1].hex()

    @property
    def partial_starts(self) -> frozenset[int]:
        """Bars built from a stream with a hole, which history has yet to confirm."""
        return frozenset(self._partials)

    def provenance(self, start_ns: int) -> Provenance:
        """Where the bar that starts at `start_ns` came from. Raises BadInput where none is kept."""
        row = self._low + self.bars.position(start_ns)
        if row >= self._count or self._bars.start_ns[row] != start_ns:
            raise BadInput(
                f"{self.symbol} {self.timeframe.value} keeps no bar of {utc_text(start_ns)}: ask in its window"
            )
        link = int(self._link[row])
        origin = Origin(int(self._origin[row]))
        return Provenance(
            start_ns, self._sources[link - 1], origin, int(self._received[row]), self._links[link].hex()
        )

    # --- changing ------------------------------------------------------------------------------------

    def append(self, bar: Bar, origin: Origin, received_ns: int, source: str) -> None:
        """Take in a bar that the clock has just closed."""
        if bar.start_ns <= self.newest_start_ns:
            self._merge(Stamped.of(Bars.from_bars((bar,)), origin, received_ns), source)
            return
        if origin is Origin.PARTIAL:
            self._partials.add(bar.start_ns)
        if self._count == len(self._bars):
            self._hold(self._stamped(), self._link[self._low : self._count])
        row = self._count
        for column, value in zip(self._bars.columns, bar, strict=True):
            column[row] = value
        self._origin[row], self._received[row] = origin, received_ns
        self._link[row] = self._chain(source, origin, received_ns, repr(tuple(bar)).encode())
        self._count += 1
        if bar.start_ns >= self._session_close_ns:
            self._low = max(self._low, row - KEPT_BEFORE_SESSION)
            self._mark_session(bar.start_ns)
        self._changed()

    def absorb(self, bars: Bars, received_ns: int, source: str) -> None:
        """Merge an answer of history: clean finished bars, ascending."""
        if len(bars):
            self._merge(Stamped.of(bars, Origin.HISTORY, received_ns), source)
            newest = int(bars.start_ns[-1])
            self.history_through_ns = max(self.history_through_ns, newest + self.timeframe.ns)
            self._partials = {start for start in self._partials if start > newest}

    def _merge(self, fresh: Stamped, source: str) -> None:
        before = self._stamped()
        merged = merge(before, fresh)
        self._mark_session(int(merged.bars.start_ns[-1]))
        kept = windowed(merged, self._session_open_ns)
        changed = _changed_rows(before, kept)
        self.divergent += _outvoted(kept, fresh)
        if not changed.any():
            return
        payload = b"".join(np.ascontiguousarray(column[changed]).tobytes() for column in kept.bars.columns)
        newest_link = self._chain(source, Origin(int(fresh.origin[-1])), int(fresh.received_ns[-1]), payload)
        links = np.full(len(kept), newest_link, np.int32)
        old = np.searchsorted(before.bars.start_ns, kept.bars.start_ns[~changed])
        links[~changed] = self._link[self._low : self._count][old]
        self._hold(kept, links)
        self._changed()

    def _chain(self, source: str, origin: Origin, received_ns: int, payload: bytes) -> int:
        stamp = f"{source}|{origin.name}|{received_ns}|".encode()
        self._links.append(sha256(self._links[-1] + stamp + payload).digest())
        self._sources.append(source)
        return len(self._links) - 1

    def _mark_session(self, start_ns: int) -> None:
        span = self._calendar.last_opened(self.hours, start_ns)
        self._session_open_ns, self._session_close_ns = span.open_ns, span.close_ns

    def _changed(self) -> None:
        self._view = None
        self.revision += 1

    def _stamped(self) -> Stamped:
        part = slice(self._low, self._count)
        return Stamped(self._bars.cut(self._low, self._count), self._origin[part], self._received[part])

    def _hold(self, stamped: Stamped, links: NDArray[np.int32]) -> None:
        """Move into fresh arrays with room to grow; views of the old ones stay as they are."""
        room = np.zeros(_SPARE)
        grown = [np.concatenate((column, room)) for column in stamped.bars.columns[1:]]
        starts = np.concatenate((stamped.bars.start_ns, np.zeros(_SPARE, np.int64)))
        self._bars = Bars(starts, *grown)
        self._origin = np.concatenate((stamped.origin, np.zeros(_SPARE, np.int8)))
        self._received = np.concatenate((stamped.received_ns, np.zeros(_SPARE, np.int64)))
        self._link = np.concatenate((links, np.zeros(_SPARE, np.int32)))
        self._low, self._count = 0, len(stamped)
        self._view = None


def _changed_rows(before: Stamped, after: Stamped) -> NDArray[np.bool_]:
    """Which rows of `after` are new, or differ from `before` in value, origin or receipt."""
    at = np.searchsorted(before.bars.start_ns, after.bars.start_ns)
    known = at < len(before)
    at = np.minimum(at, max(len(before) - 1, 0))
    if len(before) == 0:
        return np.ones(len(after), np.bool_)
    same = known & (before.origin[at] == after.origin) & (before.received_ns[at] == after.received_ns)
    for old, new in zip(before.bars.columns, after.bars.columns, strict=True):
        same &= old[at] == new
    return ~same


def _outvoted(kept: Stamped, fresh: Stamped) -> int:
    """How many fresh bars lost to a version with other prices: two sources that disagree."""
    at = np.searchsorted(kept.bars.start_ns, fresh.bars.start_ns)
    inside = at < len(kept)
    at = at[inside]
    starts = fresh.bars.start_ns[inside]
    held = kept.bars.start_ns[at] == starts
    differs = np.zeros(len(at), np.bool_)
    for mine, theirs in zip(kept.bars.columns[1:5], fresh.bars.columns[1:5], strict=True):
        differs |= mine[at] != theirs[inside]
    return int(np.count_nonzero(held & differs))
