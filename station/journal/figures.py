"""A run in numbers, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from heapq import merge
from typing import Any, Final

from station.domain.events import JournalEvent, TradeEvent
from station.domain.lifecycle import evolve
from station.domain.orders import ZERO
from station.domain.trade import Trade, TradeState
from station.journal.shapes import Json, decimal_text
from station.store import Logged, Walk
from station.store.codec import canonical

_ENDED: Final = frozenset({TradeState.CLOSED, TradeState.WEALTH_UPDATED})


@dataclass(frozen=True, slots=True)
class Figures:
    """The journal's part of a run's summary. Dollars; `trades` minted, `wins` closed with a positive result,
    `max_open` the most positions held at one time."""

    signals: int
    trades: int
    closed: int
    wins: int
    net_pnl: Decimal
    commissions: Decimal
    max_open: int

    def shape(self) -> Json:
        return {
            "signals": self.signals,
            "trades": self.trades,
            "closed": self.closed,
            "wins": self.wins,
            "net_pnl": decimal_text(self.net_pnl),
            "commissions": decimal_text(self.commissions),
            "max_open": self.max_open,
        }


def figures(signals: int, trades: Sequence[Trade], events: Iterable[Logged]) -> Figures:
    """The figures of `trades`; `events` is the log, in order, from which `max_open` is counted."""
    results = [trade.net_pnl or ZERO for trade in trades if trade.state in _ENDED]
    return Figures(
        signals=signals,
        trades=len(trades),
        closed=len(results),
        wins=sum(result > 0 for result in results),
        net_pnl=sum(results, ZERO),
        commissions=sum((trade.commission for trade in trades), ZERO),
        max_open=most_open(events),
    )


def most_open(events: Iterable[Logged]) -> int:
    """The largest number of trades that held a quantity at once."""
    trades: dict[str, Trade] = {}
    held: set[str] = set()
    most = 0
    for logged in events:
        trade_id, event = logged.recorded.trade_id, logged.recorded.event
        if not trade_id or not isinstance(event, TradeEvent):
            continue
        trade = evolve(trades.get(trade_id), trade_id, event, logged.recorded.at_ns)
        trades[trade_id] = trade
        if trade.open_qty != 0:
            held.add(trade_id)
            most = max(most, len(held))
        else:
            held.discard(trade_id)
    return most


def digest(walk: Walk) -> str:
    """SHA-256 (hex) over signals, trade events, orders and fills: one canonical JSON line each, ordered by
    simulated time, then kind, then sequence. Events of the station itself, notes and tags are left out; nothing
    in a line comes from the host's clock (SPEC §23).
    """
    kinds = (
        _lines(0, "signal", ((s.published_ns, s) for s in walk.signals())),
        _lines(1, "event", ((e.recorded.at_ns, _event_body(e)) for e in walk.events() if _trades(e))),
        _lines(2, "order", ((o.created_ns, o) for o in walk.orders())),
        _lines(3, "fill", ((f.at_ns, f) for f in walk.fills())),
    )
    sha = hashlib.sha256()
    for _, _, _, text in merge(*kinds):
        sha.update(text.encode())
        sha.update(b"\n")
    return sha.hexdigest()


def _trades(logged: Logged) -> bool:
    return bool(logged.recorded.trade_id) and not isinstance(logged.recorded.event, JournalEvent)


def _lines(rank: int, kind: str, bodies: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, int, int, str]]:
    for n, (at_ns, body) in enumerate(bodies):
        yield at_ns, rank, n, canonical({"at_ns": at_ns, "body": body, "kind": kind, "seq": n})


def _event_body(logged: Logged) -> Json:
    recorded = logged.recorded
    event = recorded.event
    return {"trade_id": recorded.trade_id, "type": event.type, "v": event.v, "data": event}
