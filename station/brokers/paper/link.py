"""The connection between the exchange and the station, and how it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from station.brokers.paper.faults import Fault, FaultPlan
from station.domain.broker import FarmReport, HaltReport, LinkReport, NoticeReport, Report, Sink
from station.domain.errors import BrokerUnavailable

if TYPE_CHECKING:
    from station.brokers.paper.floor import Floor


class Link:
    """At most one station is connected; while it is not, the exchange goes on and its reports are lost."""

    def __init__(self, plan: FaultPlan) -> None:
        self._plan = plan
        self._sink: Sink | None = None
        self._venue_up = True
        self.floor: Floor | None = None

    @property
    def up(self) -> bool:
        return self._sink is not None and self._venue_up

    def require(self) -> None:
        """Raises BrokerUnavailable while the link is down."""
        if self._sink is None:
            raise BrokerUnavailable("not connected to the paper exchange: connect, then reconcile")
        if not self._venue_up:
            raise BrokerUnavailable("the paper exchange has lost its venue (1100): wait for it, then reconcile")

    def connect(self, sink: Sink, now_ns: int) -> None:
        """A new connection, which takes an older one's place and begins without subscriptions."""
        if self._plan.holds("disconnect", now_ns):
            raise BrokerUnavailable("the paper exchange cannot be reached: try again with back-off")
        self._sink = sink
        if self.floor is not None:
            self.floor.feed.clear()
        if self._venue_up:
            sink(LinkReport(True, now_ns, data_kept=False, reason="connected"))

    def disconnect(self, now_ns: int) -> None:
        self.drop(now_ns, "disconnected")

    def drop(self, now_ns: int, reason: str) -> None:
        """The socket is gone, with every subscription."""
        sink, self._sink = self._sink, None
        if self.floor is not None:
            self.floor.feed.clear()
        if sink is not None:
            sink(LinkReport(False, now_ns, reason=reason))

    def send(self, reports: Sequence[Report]) -> None:
        """Deliver in order, or lose: without a venue only news of the link itself gets through. A sink that
        disconnects in the middle gets no more."""
        for report in reports:
            sink = self._sink
            if sink is None:
                return
            if self._venue_up or isinstance(report, LinkReport | NoticeReport):
                sink(report)

    def on_fault(self, fault: Fault, begins: bool, now_ns: int) -> None:
        """A timed fault starts or ends."""
        floor = self.floor
        if floor is None:
            return
        match fault.name:
            case "disconnect" if begins:
                self.drop(now_ns, "the connection dropped")
            case "link_lost" | "data_lost":
                kept = fault.name == "link_lost"
                self._venue_up = not begins
                if not kept:
                    floor.feed.clear()
                code = 1100 if begins else 1102 if kept else 1101
                floor.tell(LinkReport(not begins, now_ns, data_kept=kept and not begins, reason=str(code)))
            case "farm":
                floor.tell(FarmReport(fault.symbol or "usfarm", not begins, now_ns))
            case "halt":
                for symbol in (fault.symbol,) if fault.symbol else floor.tape.symbols:
                    floor.tell(HaltReport(symbol, begins, now_ns))
            case "competing" if begins:
                text = "No market data during competing live session"
                floor.tell(NoticeReport(10197, text, now_ns, fault.symbol))
            case _:
                return
