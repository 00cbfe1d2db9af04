"""When an order trades, at what price, and how much: pure rules over one top of book."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from station.brokers.paper.orders import PaperOrder
from station.brokers.paper.quotes import Touch


class Fill(NamedTuple):
    """Price in cents a unit, quantity."""

    cents: int
    qty: int


def touches_stop(order: PaperOrder, touch: Touch) -> bool:
    """A buy stop is touched by the ask at or over it, a sell stop by the bid at or under it."""
    if order.ticket.stop is None:
        return False
    stop = cents(order.ticket.stop)
    if order.buys:
        return touch.ask >= stop > 0
    return 0 < touch.bid <= stop


def match(order: PaperOrder, touch: Touch, wanted: Decimal, taken: int) -> Fill | None:
    """What trades now of the `wanted` quantity, when `taken` of the size shown is gone already.

    Market orders pay the far side. A limit that finds the market through it on arrival, or that is sweeping,
    gets the market's price; one that rested gets its own, since the market came to it.
    """
    far, shown = (touch.ask, touch.ask_size) if order.buys else (touch.bid, touch.bid_size)
    free = min(int(wanted), shown - taken)
    if far <= 0 or free <= 0:
        return None
    if order.at_market:
        return Fill(far, free)
    limit = order.ticket.limit
    if limit is None:
        return None
    own = cents(limit)
    if far > own if order.buys else far < own:
        return None
    return Fill(far if order.fresh or _sweeping(order, limit) else own, free)


def _sweeping(order: PaperOrder, limit: Decimal) -> bool:
    last = order.last_price
    return last is not None and (last < limit if order.buys else last > limit)


def cents(price: Decimal) -> int:
    """Dollars as whole cents."""
    return int(price * 100)
