"""Changes of orders that the broker has not confirmed, and how large each order may be there meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from station.domain.broker import OrderStatus
from station.domain.orders import Order

UNBOUNDED: Final = Decimal("Infinity")
"""The total that an exit may have at the broker while nothing is known of it."""


@dataclass(frozen=True, slots=True)
class _Change:
    """Changes that the broker has not confirmed: how many, the order before them, and the largest total that it
    may have there."""

    before: Order
    larger: Decimal
    pending: int = 1


class Changes:
    """What is asked of the account's orders, and what an earlier process had asked of those it left."""

    def __init__(self) -> None:
        self._known: dict[str, _Change] = {}
        self._by_broker: set[str] = set()
        self._restored: set[str] = set()

    def restore(self, refs: Iterable[str]) -> None:
        """An earlier process left these: how they stand at the broker is unknown until it tells."""
        self._restored = set(refs)

    def note(self, held: Order, order: Order) -> None:
        """Our order has another ticket now, by our hand unless `by_broker` was told of it."""
        if order.ref in self._by_broker:
            self._by_broker.discard(order.ref)
            return
        known = self._known.get(order.ref)
        if known is None:
            self._known[order.ref] = _Change(held, max(held.ticket.qty, order.ticket.qty))
        else:
            larger = max(known.larger, order.ticket.qty)
            self._known[order.ref] = _Change(known.before, larger, known.pending + 1)

    def by_broker(self, ref: str) -> None:
        """The next change of this order is the broker's own: it needs no confirming."""
        self._by_broker.add(ref)

    def confirm(self, ref: str) -> None:
        """The broker has this order as we do."""
        self._known.pop(ref, None)
        self._restored.discard(ref)

    def told(self, order: Order, qty: Decimal | None) -> None:
        """The broker lists this order for a total of `qty` (None where it does not say): what an earlier
        process had asked of it is no longer unknown."""
        if order.ref not in self._restored:
            return
        self._restored.discard(order.ref)
        if qty is not None and qty > order.ticket.qty:
            self._known.setdefault(order.ref, _Change(order, qty))

    def is_changing(self, ref: str) -> bool:
        return ref in self._known

    def is_open(self, ref: str) -> bool:
        """Whether the broker may have this order otherwise than we do."""
        return ref in self._known or ref in self._restored

    def largest(self, ref: str) -> Decimal:
        """The largest total that an order which `is_open` may have there."""
        return UNBOUNDED if ref in self._restored else self._known[ref].larger

    def confirms(self, order: Order, status: OrderStatus) -> bool:
        """Whether a status confirms the last change: it speaks of the total that the order now has, or nothing
        but the price was changed."""
        change = self._known.get(order.ref)
        if change is None:
            return self._restored_confirmed(order, status)
        total, same_size = order.ticket.qty, change.larger == change.before.ticket.qty == order.ticket.qty
        if not same_size and status.filled + status.remaining != total:
            return False
        self.confirm(order.ref)
        return True

    def _restored_confirmed(self, order: Order, status: OrderStatus) -> bool:
        if order.ref not in self._restored or status.filled + status.remaining != order.ticket.qty:
            return False
        self.confirm(order.ref)
        return True

    def refused(self, ref: str) -> Order | None:
        """The order as it was before the change that was refused. Of several on their way the refusal does not
        say which: then the largest total stays in force until the broker says how it stands."""
        change = self._known.pop(ref, None)
        if change is None:
            return None
        if change.pending > 1:
            self._known[ref] = replace(change, pending=1)
        return change.before
