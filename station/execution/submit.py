"""The one place in the station that sends orders. What it is given has been committed before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from station.domain.broker import Broker
from station.domain.orders import Ticket

Probe = Callable[[str], None]


def _no_probe(_: str) -> None:
    return None


class Submitter:
    """The send site. `probe` is called around each send, so that a crash can be put exactly there."""

    def __init__(self, broker: Broker, probe: Probe | None = None) -> None:
        self._broker = broker
        self._probe = probe or _no_probe
        self._numbers: dict[str, int] = {}
        self.sent = 0

    def since(self, mark: int) -> frozenset[str]:
        """The orders handed over since `sent` stood at `mark`."""
        return frozenset(ref for ref, number in self._numbers.items() if number > mark)

    async def place(self, tickets: Sequence[Ticket]) -> None:
        """Send an order, or a bracket as a group. Raises BrokerUnavailable when nothing was sent."""
        purpose = tickets[0].purpose.value
        self._probe(f"send.before:{purpose}")
        for ticket in tickets:
            self.sent += 1
            self._numbers[ticket.order_ref] = self.sent
        await self._broker.place(tickets)
        self._probe(f"send.after:{purpose}")

    async def modify(self, ticket: Ticket) -> None:
        self._probe("send.before:modify")
        await self._broker.modify(ticket)
        self._probe("send.after:modify")

    async def cancel(self, order_ref: str) -> None:
        self._probe("send.before:cancel")
        await self._broker.cancel(order_ref)
        self._probe("send.after:cancel")
