"""Game film: a trade's bars with everything that happened on them, to be stepped through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from station.domain.clock import utc_text
from station.domain.errors import BadInput
from station.domain.events import (
    EntryModified,
    EntrySubmitted,
    Event,
    ExecutionBooked,
    ExitModified,
    ExitSubmitted,
    OptionSelected,
    OrderMoved,
    SettledAtExpiry,
    SignalAccepted,
    TradeClosed,
    TradeEvent,
    TradeFailed,
    TradeNoted,
)
from station.domain.lifecycle import evolve
from station.domain.market import Bar
from station.domain.orders import OrderKind, Ticket
from station.domain.trade import Trade
from station.journal.shapes import Json, count, decimal_text, trade_shape
from station.store import Logged, PositionSnapshot

MAX_BARS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened: `price` is the contract's, None where there is none."""

    at_ns: int
    kind: str
    text: str
    price: Decimal | None = None
    qty: Decimal | None = None

    def shape(self) -> Json:
        return {
            "ts_utc": utc_text(self.at_ns), "at_ns": self.at_ns, "kind": self.kind, "text": self.text,
            "price": None if self.price is None else decimal_text(self.price),
            "qty": None if self.qty is None else count(self.qty),
        }  # fmt: skip


@dataclass(slots=True)
class Line:
    """A working exit's price from an instant until it moved or ended (0: still there)."""

    kind: str
    price: Decimal
    order_ref: str
    from_ns: int
    until_ns: int = 0

    def shape(self) -> Json:
        return {
            "kind": self.kind, "price": decimal_text(self.price), "order_ref": self.order_ref,
            "from_ns": self.from_ns, "until_ns": self.until_ns,
        }  # fmt: skip


def film_document(
    trade: Trade, events: Sequence[Logged], bars: Sequence[Bar], timeframe: str,
    snapshots: Iterable[PositionSnapshot] = (), note: str = "",
) -> Json:  # fmt: skip
    """`{v, trade, timeframe, bars, marks, lines, greeks, note}`. Bars are the underlying's, oldest first, each
    `[start_ns, open, high, low, close, volume]`; marks, lines and greeks are of the trade's own contract. A
    frame at an instant shows what is not after it. `note` says why there are no bars."""
    return {
        "v": 1,
        "trade": trade_shape(trade) | {"side": trade.side.value},
        "timeframe": timeframe,
        "bars": [list(bar) for bar in bars],
        "marks": [mark.shape() for mark in marks_of(events)],
        "lines": [line.shape() for line in lines_of(events)],
        "greeks": [_snapshot(one) for one in snapshots],
        "note": note,
    }


def trade_at(trade_id: str, events: Iterable[Logged], at_ns: int) -> Trade:
    """The trade as it stood at an instant. Raises BadInput for one that had not begun."""
    trade: Trade | None = None
    for entry in events:
        at, event = entry.recorded.at_ns, entry.recorded.event
        if at <= at_ns and isinstance(event, TradeEvent):
            trade = evolve(trade, trade_id, event, at)
    if trade is None:
        raise BadInput(f"trade {trade_id} had not begun at {utc_text(at_ns)}")
    return trade


def marks_of(events: Iterable[Logged]) -> list[Mark]:
    """What the chart is marked with, in the order of the log."""
    found = (_mark(entry.recorded.at_ns, entry.recorded.event) for entry in events)
    return [mark for mark in found if mark is not None]


def _mark(at_ns: int, event: Event) -> Mark | None:
    match event:
        case SignalAccepted():
            return Mark(event.fired_ns or at_ns, "signal", ", ".join(event.scanners))
        case OptionSelected():
            return Mark(at_ns, "select", f"{event.contract.label} Δ {event.delta:.2f}", event.ask)
        case EntrySubmitted() | EntryModified():
            return Mark(
                at_ns, "order", _order_words("entry", event.ticket), _price(event.ticket), event.ticket.qty
            )
        case ExitSubmitted() | ExitModified():
            words = _order_words(event.cause or "exit", event.ticket)
            return Mark(at_ns, "exit order", words, _price(event.ticket), event.ticket.qty)
        case ExecutionBooked():
            kind = "exit" if event.purpose.is_exit else "entry"
            text = f"{kind} {event.qty.normalize():f} @ {event.price} slip {event.slippage + 0}"
            return Mark(at_ns, kind, text, event.price, event.qty)
        case SettledAtExpiry():
            return Mark(at_ns, "exit", f"settled, {event.cause}", event.price, event.qty)
        case TradeClosed():
            return Mark(at_ns, "close", f"{event.cause} {event.net_pnl:+}")
        case TradeFailed():
            return Mark(at_ns, "refused", event.reason)
        case TradeNoted():
            return Mark(at_ns, "note", event.text)
        case _:
            return None


def lines_of(events: Iterable[Logged]) -> list[Line]:
    """Targets and stops as they stood, in the order they were set."""
    lines: list[Line] = []
    standing: dict[str, list[Line]] = {}
    for entry in events:
        at_ns, event = entry.recorded.at_ns, entry.recorded.event
        if isinstance(event, ExitSubmitted | ExitModified):
            _end(standing, event.ticket.order_ref, at_ns)
            if isinstance(event, ExitSubmitted) and event.replaces:
                _end(standing, event.replaces, at_ns)
            fresh = _lines(event.ticket, at_ns)
            standing[event.ticket.order_ref] = fresh
            lines += fresh
        elif isinstance(event, OrderMoved) and event.state.is_terminal:
            _end(standing, event.order_ref, at_ns)
        elif isinstance(event, TradeClosed):
            for ref in tuple(standing):
                _end(standing, ref, at_ns)
    return lines


def _end(standing: dict[str, list[Line]], ref: str, at_ns: int) -> None:
    for line in standing.pop(ref, ()):
        line.until_ns = at_ns


def _lines(ticket: Ticket, at_ns: int) -> list[Line]:
    """A stop-limit draws its stop: where it is touched off."""
    if ticket.stop is not None:
        return [Line("stop", ticket.stop, ticket.order_ref, at_ns)]
    if ticket.kind is OrderKind.LIMIT and ticket.limit is not None:
        return [Line("target", ticket.limit, ticket.order_ref, at_ns)]
    return []


def _order_words(what: str, ticket: Ticket) -> str:
    price = _price(ticket)
    at = f" {price}" if price is not None else ""
    return f"{what}: {ticket.action.value} {ticket.qty.normalize():f} {ticket.kind.value}{at}"


def _price(ticket: Ticket) -> Decimal | None:
    return ticket.stop if ticket.stop is not None else ticket.limit


def _snapshot(one: PositionSnapshot) -> Json:
    return {
        "at_ns": one.at_ns, "ts_utc": utc_text(one.at_ns), "qty": count(one.qty),
        "bid": None if one.bid is None else decimal_text(one.bid),
        "ask": None if one.ask is None else decimal_text(one.ask), "underlying": one.underlying_price,
        "iv": one.iv, "delta": one.delta, "gamma": one.gamma, "theta": one.theta, "vega": one.vega,
        "source": one.source,
    }  # fmt: skip
