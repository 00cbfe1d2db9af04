"""An order as the exchange holds it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from station.domain.orders import ZERO, Action, OrderKind, OrderState, Ticket


@dataclass(slots=True)
class PaperOrder:
    """`number` orders the queue and is the broker's id. `fresh` until the book was first looked at for it;
    `triggered` once its stop was touched; `reported_ns` keeps its reports in order."""

    ticket: Ticket
    number: int
    received_ns: int
    updated_ns: int
    state: OrderState = OrderState.PENDING
    filled: Decimal = ZERO
    reason: str = ""
    triggered: bool = False
    fresh: bool = True
    last_price: Decimal | None = None
    value: Decimal = ZERO
    reported_ns: int = 0

    @property
    def ref(self) -> str:
        return self.ticket.order_ref

    @property
    def perm_id(self) -> int:
        return 1_900_000_000 + self.number

    @property
    def working(self) -> bool:
        """Accepted, and it may still fill."""
        return self.state in (OrderState.SUBMITTED, OrderState.PARTIALLY_FILLED)

    @property
    def remaining(self) -> Decimal:
        return max(self.ticket.qty - self.filled, ZERO)

    @property
    def average(self) -> Decimal | None:
        """Average price a unit of what filled."""
        return self.value / self.filled if self.filled else None

    @property
    def group(self) -> str:
        """Who it shares its fate with: its OCA group, else its brothers in a bracket."""
        return self.ticket.oca_group or (
            f"children of {self.ticket.parent_ref}" if self.ticket.parent_ref else ""
        )

    @property
    def at_market(self) -> bool:
        kind = self.ticket.kind
        return kind is OrderKind.MARKET or (kind is OrderKind.STOP and self.triggered)

    @property
    def waits_for_stop(self) -> bool:
        return self.ticket.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT) and not self.triggered

    @property
    def buys(self) -> bool:
        return self.ticket.action is Action.BUY
