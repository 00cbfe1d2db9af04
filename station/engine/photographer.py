"""A picture of every trade at its entry and at its exit, taken after the fact and off the hot path.

A fill is only noted; seconds later, when its exits stand, this task reads the trade's events, cuts the bars and
lets a thread draw and write. What cannot be written is told once, and is nobody else's trouble.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

from station.calendars import et_date
from station.domain.clock import SECOND
from station.domain.errors import VigilError
from station.domain.events import ExecutionBooked, Recorded, TradeClosed
from station.domain.instruments import INSTRUMENTS, Timeframe
from station.domain.market import Bar
from station.domain.trade import Trade
from station.engine.film_bars import kept_bars
from station.engine.rooms import Outside, Rooms
from station.journal.album import Album
from station.journal.entries import entry_shape
from station.journal.film import film_document, trade_at
from station.journal.notes import NOTHING
from station.journal.picture import MOMENTS, Anchor, picture_document, picture_svg
from station.journal.shapes import Json
from station.market.series import Series

AFTER_S: Final = 2
"""A picture is of this long after its fill: the rest of the order is in, and its exits are at the broker."""
WAITING_AT_MOST: Final = 64
FRESH_NS: Final = SECOND
"""The forming bar belongs to a picture taken no later than this after its instant."""
Wanted = tuple[str, str, int]
"""Trade, moment, and the instant the picture is of, UTC ns."""


class Photographer:
    """`note` hears what is committed; `run` is the task. Pictures older than the days that are kept go at its
    start, and what an earlier process left untaken is taken then. `say` gets what went wrong."""

    def __init__(self, outside: Outside, rooms: Rooms, say: Callable[[str], None]) -> None:
        self._outside = outside
        self._rooms = rooms
        self._say = say
        self._album = Album(outside.runtime)
        self._days = outside.settings.journal.pictures_kept_days
        self._waiting: deque[Wanted] = deque(maxlen=WAITING_AT_MOST)
        self._noted: set[tuple[str, str]] = set()
        self._wake = asyncio.Event()
        self.taken = 0
        self.trouble = ""

    def note(self, item: Recorded) -> None:
        """Remember that a picture is due; O(1)."""
        match item.event:
            case ExecutionBooked() if not item.event.purpose.is_exit:
                self._want(item.trade_id, "entry", item.at_ns)
            case TradeClosed():
                self._want(item.trade_id, "exit", item.at_ns)
            case _:
                pass

    def _want(self, trade_id: str, moment: str, at_ns: int) -> None:
        if self._days and trade_id and (trade_id, moment) not in self._noted:
            self._noted.add((trade_id, moment))
            self._waiting.append((trade_id, moment, at_ns + AFTER_S * SECOND))
            self._wake.set()

    async def run(self) -> None:
        """Take what is due, until cancelled."""
        if not self._days:
            return
        await self._begin()
        while True:
            await self._wake.wait()
            while self._waiting:
                wanted = self._waiting.popleft()
                await self._outside.clock.sleep_until(wanted[2])
                await self._attempt(wanted)
            self._wake.clear()

    async def _begin(self) -> None:
        """Let go of what is too old, and ask for what is missing."""
        today = et_date(self._outside.clock.now())
        first = today - timedelta(days=self._days - 1)
        try:
            have = await self._outside.activity.off_loop(self._tidied, first, today)
        except OSError as error:
            await self._fail(f"{self._album.folder}: {error.strerror or error}")
            return
        self._noted |= have
        for trade in self._rooms.ledger.trades.values():
            if not trade.filled_ns or et_date(trade.opened_ns) < first:
                continue
            self._want(trade.id, "entry", trade.filled_ns)
            if trade.closed_ns:
                self._want(trade.id, "exit", trade.closed_ns)

    def _tidied(self, first: date, today: date) -> set[tuple[str, str]]:
        self._album.prune(first)
        return {(one.trade_id, one.moment) for one in self._album.between(first, today)}

    async def _attempt(self, wanted: Wanted) -> None:
        try:
            await self._take(*wanted)
        except OSError as error:
            await self._fail(f"{self._album.folder}: {error.strerror or error}")
        except VigilError as error:
            await self._fail(str(error))

    async def _take(self, trade_id: str, moment: str, at_ns: int) -> None:
        known = await self._outside.stores.lifecycle.events(trade_id)
        events = [entry for entry in known if entry.recorded.at_ns <= at_ns]
        trade = trade_at(trade_id, events, at_ns)
        bars, origin = self._bars(trade, at_ns)
        if not bars or trade.contract is None:
            return
        film = film_document(trade, events, bars, Timeframe.M1.value) | {"trade": entry_shape(trade, NOTHING)}
        document = picture_document(
            film, moment, at_ns, _anchor(trade, moment, bars[-1].close), self._stop(trade), origin
        )
        await self._outside.activity.off_loop(self._draw, trade, document)
        self.taken += 1
        self.trouble = ""

    def _draw(self, trade: Trade, document: Json) -> None:
        self._album.keep(self._album.path(trade, document["moment"]), picture_svg(document))

    def _bars(self, trade: Trade, at_ns: int) -> tuple[tuple[Bar, ...], Json]:
        """The bars that had ended by an instant, with the one that was forming where that is now."""
        market, instrument = self._rooms.market, INSTRUMENTS.get(trade.symbol)
        if instrument is None or not market.keeps(trade.symbol, Timeframe.M1):
            return (), {}
        kept = kept_bars(
            self._outside, self._rooms, instrument, Timeframe.M1, trade.fired_ns or trade.opened_ns
        )
        ended = kept.before(at_ns - Timeframe.M1.ns + 1).to_bars() if kept is not None else ()
        origin = _origin(market.series(trade.symbol, Timeframe.M1), ended[-1].start_ns) if ended else {}
        forming = market.forming(trade.symbol, Timeframe.M1)
        if forming is not None and ended and self._outside.clock.now() - at_ns <= FRESH_NS:
            return (*ended, forming), origin | {"forming": True}
        return ended, origin

    def _stop(self, trade: Trade) -> float | None:
        """The bid under which the station gets out by itself; None where it does not."""
        entry = trade.entry_price
        stop = None if entry is None else self._rooms.judgement.stop_of(trade, entry)
        return None if stop is None else round(float(stop), 2)

    async def _fail(self, why: str) -> None:
        """Tell it once, until a picture succeeds again."""
        if why == self.trouble:
            return
        self.trouble = why
        text = f"pictures of trades cannot be kept: {why}; trading goes on without them"
        self._say(text)
        try:
            await self._rooms.desk.alert("warning", text, "")
        except VigilError as error:
            self._say(f"and that could not be recorded: {error}")


def _anchor(trade: Trade, moment: str, spot: float) -> Anchor:
    price = trade.entry_price if moment == MOMENTS[0] else trade.exit_price
    is_option = trade.contract is not None and trade.contract.is_option
    return Anchor(spot, float(price or 0), trade.delta if is_option else 1.0)


def _origin(series: Series, start_ns: int) -> Json:
    """Where the newest finished bar came from; `chain` is the hash of every change up to it."""
    came = series.provenance(start_ns)
    return {"bars": came.source, "by": came.origin.name.lower(), "chain": came.link[:16]}
