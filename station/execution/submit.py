"""The one place in the station that sends orders. What it is given has been committed before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from station.domain.broker import Broker
from station.domain.clock import MINUTE, Clock
from station.domain.errors import BrokerUnavailable, Refused
from station.domain.orders import Ticket

Probe = Callable[[str], None]
SIZE_CAP: Final = "ORDER_SIZE_CAP"
RATE_CAP: Final = "ORDER_RATE_CAP"


@dataclass(frozen=True, slots=True)
class SendCaps:
    """The last guard before the wire: contracts an order, and orders within any minute."""

    contracts: Decimal
    orders_a_minute: int


def _no_probe(_: str) -> None:
    return None


class Submitter:
    """The send site. `probe` is called around each send, so that a crash can be put exactly there.

    Orders of both kinds count against the rate, but only entries are refused by it: what protects a position
    always leaves. An exit too large for one order is the caller's to part.
    """

    def __init__(self, broker: Broker, clock: Clock, caps: SendCaps, probe: Probe | None = None) -> None:
        self._broker = broker
        self._clock = clock
        self._caps = caps
        self._probe = probe or _no_probe
        self._numbers: dict[str, int] = {}
        self._sent_ns: dict[str, int] = {}
        self._recent: deque[int] = deque()
        self.handed = 0
        self.sent = 0

    def configure(self, caps: SendCaps) -> None:
        """New caps, in force with the next send."""
        self._caps = caps

    def since(self, mark: int) -> frozenset[str]:
        """The orders placed or changed since `handed` stood at `mark`."""
        return frozenset(ref for ref, number in self._numbers.items() if number > mark)

    def _hand(self, ref: str) -> None:
        self.handed += 1
        self._numbers[ref] = self.handed

    def sent_ns(self, ref: str) -> int:
        """When this process placed an order last, 0 where it never left here."""
        return self._sent_ns.get(ref, 0)

    async def place(self, tickets: Sequence[Ticket]) -> None:
        """Send an order, or a bracket as a group. Raises BrokerUnavailable when nothing was sent, Refused where
        an entry would pass a cap."""
        purpose = tickets[0].purpose.value
        self._admit(tickets)
        self._probe(f"send.before:{purpose}")
        for ticket in tickets:
            self.sent += 1
            self._hand(ticket.order_ref)
            self._recent.append(self._clock.now())
            self._sent_ns[ticket.order_ref] = self._clock.now()
        try:
            await self._broker.place(tickets)
        except BrokerUnavailable:
            for ticket in tickets:
                self._sent_ns.pop(ticket.order_ref, None)
            raise
        self._probe(f"send.after:{purpose}")

    def _admit(self, tickets: Sequence[Ticket]) -> None:
        since = self._clock.now() - MINUTE
        while self._recent and self._recent[0] <= since:
            self._recent.popleft()
        for ticket in tickets:
            if ticket.purpose.is_exit:
                continue
            if ticket.qty > self._caps.contracts:
                raise Refused(
                    SIZE_CAP,
                    f"entry {ticket.order_ref} is for {ticket.qty} contracts, {self._caps.contracts} is the "
                    "most in one order: lower the size or raise risk.contracts_per_order",
                )
            if len(self._recent) + len(tickets) > self._caps.orders_a_minute:
                raise Refused(
                    RATE_CAP,
                    f"entry {ticket.order_ref} would be order {len(self._recent) + 1} within a minute, "
                    f"{self._caps.orders_a_minute} are allowed: wait, or raise risk.orders_per_minute",
                )

    async def modify(self, ticket: Ticket) -> None:
        """Change a working order in place. Raises BrokerUnavailable when nothing was sent."""
        self._hand(ticket.order_ref)
        self._probe("send.before:modify")
        await self._broker.modify(ticket)
        self._probe("send.after:modify")

    async def cancel(self, order_ref: str) -> None:
        self._probe("send.before:cancel")
        await self._broker.cancel(order_ref)
        self._probe("send.after:cancel")
