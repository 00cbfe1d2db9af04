"""When what must reach the eye reached the engine, for whoever measures the rest of its way."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Any, Final

from station.domain.broker import (
    DepthReport,
    ExecutionReport,
    GreeksReport,
    QuoteReport,
    Report,
    Sink,
    TickReport,
)
from station.domain.clock import Clock
from station.domain.events import Recorded
from station.domain.instruments import Contract
from station.engine.rooms import Rooms

FILL: Final = "fill"
STOP: Final = "stop"
KEPT: Final = 256
_MARKET: Final = (QuoteReport, GreeksReport, TickReport, DepthReport)


class Arrivals:
    """From the first question on: the instant of every fill, by its order's reference, and of the quote that
    met a hand's stop, by its trade's id; and how many reports the market has sent. Instants are of the host's
    monotonic clock, which all processes of a machine share. Until it is asked it costs nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rooms: Rooms | None = None
        self._noted: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._stops: dict[Contract, tuple[str, Decimal]] = {}
        self._reports = 0

    def tee(self, sink: Sink) -> Sink:
        """`sink`, with every report looked at first."""

        def both(report: Report) -> None:
            if self._rooms is not None:
                self._note(report)
            sink(report)

        return both

    def document(self, rooms: Rooms) -> dict[str, Any]:
        """`{v, perf_ns, reports, noted: [{what, of, perf_ns}]}`, oldest first."""
        if self._rooms is None:
            self._rooms = rooms
            rooms.ledger.listeners.append(self._recorded)
        return {
            "v": 1, "perf_ns": self._clock.perf(), "reports": self._reports, "noted": list(self._noted),
        }  # fmt: skip

    def _note(self, report: Report) -> None:
        if isinstance(report, _MARKET):
            self._reports += 1
            if isinstance(report, QuoteReport):
                self._met(report.quote.contract, report.quote.bid)
        elif isinstance(report, ExecutionReport):
            self._put(FILL, report.execution.order_ref)

    def _recorded(self, item: Recorded) -> None:
        assert self._rooms is not None
        trade = self._rooms.ledger.trades.get(item.trade_id)
        if trade is None or trade.contract is None or trade.own is None or trade.entry_price is None:
            return
        stop = trade.own.stop_at(trade.entry_price)
        if trade.open_qty <= 0 or stop is None:
            self._stops.pop(trade.contract, None)
        elif not any(one["what"] == STOP and one["of"] == trade.id for one in self._noted):
            self._stops[trade.contract] = (trade.id, stop)
            quote = self._rooms.market.quote(trade.contract)
            self._met(trade.contract, quote.bid if quote is not None else None)

    def _met(self, contract: Contract, bid: Decimal | None) -> None:
        held = self._stops.get(contract)
        if held is not None and bid is not None and bid <= held[1]:
            del self._stops[contract]
            self._put(STOP, held[0])

    def _put(self, what: str, of: str) -> None:
        self._noted.append({"what": what, "of": of, "perf_ns": self._clock.perf()})
