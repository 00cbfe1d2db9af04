"""Option trades on their underlying's chart: fills on its bars, and option prices as prices of it."""

from __future__ import annotations

from decimal import Decimal

from station.domain.instruments import Right
from station.domain.orders import Order
from station.domain.trade import Trade
from station.engine.rooms import Rooms
from station.link import Level, Mark
from station.series import Bars

LEAST_DELTA = 0.05
"""Under this an option's price says too little about its underlying's to draw a line from."""
FARTHEST = 0.05
"""Share of the spot; a line farther off is beyond what a delta can tell."""


def trades_shown(rooms: Rooms, symbol: str) -> tuple[Trade, ...]:
    """The trades of an underlying that have filled, oldest first."""
    found = [trade for trade in rooms.ledger.trades.values() if trade.symbol == symbol and trade.filled_ns]
    return tuple(sorted(found, key=lambda trade: (trade.filled_ns, trade.id)))


def marks_of(trades: tuple[Trade, ...], bars: Bars) -> tuple[Mark, ...]:
    """Entries and exits inside `bars`; an instant after the last finished bar is the forming one's."""
    if not len(bars):
        return ()
    since_ns = int(bars.start_ns[0])
    marks: list[Mark] = []
    for trade in trades:
        if trade.filled_ns >= since_ns and trade.entry_price is not None:
            marks.append(Mark(trade.filled_ns, "entry", trade.side.value, _price(trade.entry_price)))
        if trade.closed_ns >= since_ns and trade.exit_price is not None:
            won = trade.realised > 0
            marks.append(Mark(trade.closed_ns, "exit", trade.side.value, _price(trade.exit_price), won))
    return tuple(sorted(marks, key=lambda mark: (mark.at_ns, mark.kind)))


def levels_of(rooms: Rooms, trades: tuple[Trade, ...], spot: float | None, now_ns: int) -> tuple[Level, ...]:
    """Of every open trade: where the underlying stood at the signal, where it pays at expiry, and where its
    exits would be reached by the option's present delta."""
    levels: list[Level] = []
    for trade in trades:
        if trade.open_qty <= 0 or trade.contract is None:
            continue
        if trade.underlying_price and trade.entry_price is not None:
            levels.append(Level("entry", f"entry {_price(trade.entry_price)}", trade.underlying_price))
        even = _break_even(trade)
        if even is not None:
            levels.append(even)
        for order in rooms.ledger.book.working_exits(trade.id):
            level = _exit_level(rooms, trade, order, spot, now_ns)
            if level is not None:
                levels.append(level)
    return tuple(levels)


def _break_even(trade: Trade) -> Level | None:
    """Where an option has earned its premium back at expiry: an outright position's is its entry."""
    contract = trade.contract
    if contract is None or contract.right is None or trade.entry_price is None:
        return None
    sign = 1 if contract.right is Right.CALL else -1
    return Level("even", "break-even", float(contract.strike + sign * trade.entry_price))


def _exit_level(rooms: Rooms, trade: Trade, order: Order, spot: float | None, now_ns: int) -> Level | None:
    stop = order.ticket.stop
    price = stop if stop is not None else order.ticket.limit
    mark = rooms.money.mark_of(trade)
    if price is None or mark is None or spot is None or trade.contract is None:
        return None
    greeks = rooms.options.greeks(trade.contract, now_ns)
    delta = greeks.delta if greeks is not None else trade.delta
    if abs(delta) < LEAST_DELTA:
        return None
    move = float(price - mark) / delta
    if abs(move) > FARTHEST * spot:
        return None
    kind, word = ("stop", "SL") if stop is not None else ("target", "TP")
    return Level(kind, f"{word} {_price(price)}", round(spot + move, 2), about=True)


def _price(price: Decimal) -> str:
    return f"{price:.2f}"
