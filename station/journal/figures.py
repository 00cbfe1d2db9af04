"""A run in numbers, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from station.domain.events import JournalEvent, TradeEvent
from station.domain.orders import ZERO, Execution, Order
from station.domain.signals import Signal
from station.domain.trade import Trade, TradeState, evolve
from station.journal.shapes import Json, decimal_text
from station.store import Logged
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


@dataclass(frozen=True, slots=True)
class _Line:
    at_ns: int
    rank: int
    seq: int
    text: str

    @property
    def place(self) -> tuple[int, int, int]:
        return self.at_ns, self.rank, self.seq


def digest(
    signals: Sequence[Signal],
    events: Sequence[Logged],
    orders: Sequence[Order],
    fills: Sequence[Execution],
) -> str:
    """SHA-256 (hex) over signals, trade events, orders and fills: one canonical JSON line each, ordered by
    simulated time, then kind, then sequence. Events of the station itself, notes and tags are left out; nothing
    in a line comes from the host's clock (SPEC §23).
    """
    lines = [
        *_lines(0, "signal", ((s.published_ns, s) for s in sorted(signals, key=_signal_order))),
        *_lines(1, "event", ((e.recorded.at_ns, _event_body(e)) for e in events if _trades(e))),
        *_lines(2, "order", ((o.created_ns, o) for o in sorted(orders, key=_order_order))),
        *_lines(3, "fill", ((f.at_ns, f) for f in sorted(fills, key=_fill_order))),
    ]
    sha = hashlib.sha256()
    for line in sorted(lines, key=lambda line: line.place):
        sha.update(line.text.encode())
        sha.update(b"\n")
    return sha.hexdigest()


def _trades(logged: Logged) -> bool:
    return bool(logged.recorded.trade_id) and not isinstance(logged.recorded.event, JournalEvent)


def _lines(rank: int, kind: str, bodies: Iterable[tuple[int, Any]]) -> list[_Line]:
    return [
        _Line(at_ns, rank, n, canonical({"at_ns": at_ns, "body": body, "kind": kind, "seq": n}))
        for n, (at_ns, body) in enumerate(bodies)
    ]


def _event_body(logged: Logged) -> Json:
    recorded = logged.recorded
    event = recorded.event
    return {"trade_id": recorded.trade_id, "type": event.type, "v": event.v, "data": event}


def _signal_order(signal: Signal) -> tuple[int, str]:
    return signal.published_ns, signal.id


def _order_order(order: Order) -> tuple[int, str]:
    return order.created_ns, order.ref


def _fill_order(fill: Execution) -> tuple[int, str]:
    return fill.at_ns, fill.exec_id
