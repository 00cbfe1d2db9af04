"""One trade at the small exchange: what the station knows of its orders, and how they stand there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from station.domain.orders import (
    Action,
    Order,
    OrderKind,
    OrderState,
    Purpose,
    Ticket,
    moved,
    order_ref,
    together,
)
from station.domain.trade import Trade
from tests.unit.domain_cases import ACCOUNT, CONTRACT

NONE = Decimal(0)


@dataclass
class Account:
    """One trade: ours (`trade`, `orders`) and the exchange's side of it (`live`: ticket and filled by ref).
    `unconfirmed` are changes on their way, by the larger total; `taken` is what fills in its OCA group took
    from an order."""

    trade: Trade
    orders: dict[str, Order] = field(default_factory=dict)
    live: dict[str, tuple[Ticket, Decimal]] = field(default_factory=dict)
    unconfirmed: dict[str, Decimal] = field(default_factory=dict)
    taken: dict[str, Decimal] = field(default_factory=dict)

    @property
    def exits(self) -> tuple[Order, ...]:
        return tuple(o for o in self.orders.values() if o.state.is_working and o.ticket.purpose.is_exit)

    @property
    def offered(self) -> Decimal:
        """What the exchange could sell of it, should every working sell fill."""
        return self._together(self.live)

    @property
    def resting(self) -> Decimal:
        """For how much a stop rests at the exchange."""
        return self._together(ref for ref, (one, _) in self.live.items() if one.kind is OrderKind.STOP)

    def _together(self, refs: Iterable[str]) -> Decimal:
        return together((self.orders[ref].ticket, self.live[ref][0].qty - self.live[ref][1]) for ref in refs)

    def room(self, but: str = "") -> Decimal:
        """What is open and not promised to a working exit, as the desk reckons it; one is left out with its
        group."""
        group = self.orders[but].ticket.oca_group if but else ""
        return self.trade.open_qty - together(
            (o.ticket, max(o.ticket.qty, self.unconfirmed.get(o.ref, NONE)) - o.filled)
            for o in self.exits
            if o.ref != but and not (group and o.ticket.oca_group == group)
        )

    def new_exit(
        self, action: Action, qty: Decimal, kind: OrderKind, limit: Decimal | None = None,
        stop: Decimal | None = None, group: str = "",
    ) -> Ticket:  # fmt: skip
        """The ticket of the next exit."""
        n = 1 + sum(order.ticket.purpose.is_exit for order in self.orders.values())
        ref = order_ref(ACCOUNT, self.trade.id, "X", n)
        purpose = Purpose.STOP if kind is OrderKind.STOP else Purpose.TARGET
        return Ticket(ref, ACCOUNT, CONTRACT, action, qty, kind, purpose, limit, stop, oca_group=group)

    def shared(self, filled_one: Ticket, take: Decimal) -> list[str]:
        """What a fill takes from the others of its group; who they are."""
        group, smaller = filled_one.oca_group, list[str]()
        for ref, (ticket, done) in list(self.live.items()):
            if group and ticket.oca_group == group and ref != filled_one.order_ref:
                self.live[ref] = (replace(ticket, qty=ticket.qty - take), done)
                self.taken[ref] = self.taken.get(ref, NONE) + take
                if ticket.qty - take <= done:
                    del self.live[ref]
                smaller.append(ref)
        return smaller

    def told(self, ref: str, at_ns: int) -> None:
        """The station hears that an order became smaller, or is gone."""
        if ref not in self.live:
            self.gone(ref, at_ns)
        elif ref not in self.unconfirmed:
            order, qty = self.orders[ref], self.live[ref][0].qty
            self.orders[ref] = replace(order, ticket=replace(order.ticket, qty=qty))

    def gone(self, ref: str, at_ns: int) -> None:
        ended = moved(self.orders[ref], OrderState.CANCELLED, at_ns)
        if ended is not None:
            self.orders[ref] = ended
