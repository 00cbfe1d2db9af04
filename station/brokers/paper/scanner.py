"""The exchange's market scanner: shares ranked by what the session has shown so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from station.brokers.paper.tape import Tape
from station.brokers.paper.universe import character, equities
from station.calendars import Calendar
from station.domain.broker import ScanRequest
from station.domain.errors import Refused
from station.domain.instruments import Hours


class Standing(NamedTuple):
    """A share at one instant: the close before, the session's first and last print, shares traded."""

    symbol: str
    before: float
    open: float
    last: float
    volume: float


def _gain(row: Standing) -> float:
    return row.last / row.before - 1.0


def _since_open(row: Standing) -> float:
    return row.last / row.open - 1.0


def _gap(row: Standing) -> float:
    return row.open / row.before - 1.0


CODES: Final[dict[str, tuple[Callable[[Standing], float], bool]]] = {
    "MOST_ACTIVE": (lambda row: row.volume, True),
    "MOST_ACTIVE_USD": (lambda row: row.volume * row.last, True),
    "HOT_BY_VOLUME": (lambda row: row.volume / max(character(row.symbol).volume, 1.0), True),
    "TOP_PERC_GAIN": (_gain, True),
    "TOP_PERC_LOSE": (_gain, False),
    "TOP_OPEN_PERC_GAIN": (_since_open, True),
    "TOP_OPEN_PERC_LOSE": (_since_open, False),
    "HIGH_OPEN_GAP": (_gap, True),
    "LOW_OPEN_GAP": (_gap, False),
}
"""IBKR's scan codes that are answered: what ranks, and whether the highest comes first."""


class MarketScanner:
    """Over every share and ETF that the exchange lists on a tape. What is yet to trade is in no answer."""

    def __init__(self, tape: Tape, calendar: Calendar) -> None:
        self._tape = tape
        self._before = calendar.previous(Hours.REGULAR, tape.session).day
        self._closes: dict[str, float | None] = {}

    def scan(self, request: ScanRequest, now_ns: int) -> tuple[str, ...]:
        """Symbols, best first, as of an instant; equals by symbol. Raises Refused for an unknown code."""
        if request.code not in CODES:
            raise Refused(
                "unknown_scan", f"the paper exchange has no scan {request.code}: ask one of {', '.join(CODES)}"
            )
        rank, highest_first = CODES[request.code]
        sign = -1.0 if highest_first else 1.0
        rows = [row for row in self.standings(now_ns) if _fits(row, request)]
        rows.sort(key=lambda row: (sign * rank(row), row.symbol))
        return tuple(row.symbol for row in rows[: max(request.rows, 0)])

    def standings(self, now_ns: int) -> list[Standing]:
        """Every share that has traded in the regular session, in the exchange's order."""
        found: list[Standing] = []
        tape = self._tape
        for symbol in equities() if tape.kind == "paper" else tape.symbols:
            before = self._close_before(symbol)
            prints = tape.ticks(symbol) if before and symbol in equities() else None
            if prints is None or before is None:
                continue
            first, stop = np.searchsorted(prints.at_ns, (tape.open_ns, now_ns + 1))
            if first < stop:
                price = prints.price
                volume = float(prints.size[first:stop].sum())
                found.append(Standing(symbol, before, float(price[first]), float(price[stop - 1]), volume))
        return found

    def _close_before(self, symbol: str) -> float | None:
        if symbol not in self._closes:
            self._closes[symbol] = self._tape.settlement(symbol, self._before)
        return self._closes[symbol]


def _fits(row: Standing, request: ScanRequest) -> bool:
    dear = request.above_price is None or row.last > float(request.above_price)
    return dear and (request.above_volume is None or row.volume > request.above_volume)
