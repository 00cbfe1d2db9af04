"""What a trader's hand asks of a trade: its entry, its own exits, closing and turning it round."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from station.domain.instruments import Contract
from station.domain.orders import ZERO, OrderKind


@dataclass(frozen=True, slots=True)
class HandOrder:
    """The entry that a hand placed. `token` is its client's, so that the same order sent twice is one trade.

    A LIMIT without a `limit` bids the mid. `timeout_s` ends it unfilled; `override` passes the rules that
    advise; `self_report` is how sure its trader is, 0 to 100, None where that was not said.
    """

    token: str
    by: str
    qty: Decimal
    kind: OrderKind
    limit: Decimal | None = None
    stop: Decimal | None = None
    timeout_s: int = 60
    override: bool = False
    self_report: int | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A strategy's trade that waits for a hand until `until_ns`; `token` is of the hand that has taken it, at
    its own `limit` where it gave one."""

    until_ns: int
    token: str = ""
    by: str = ""
    taken_ns: int = 0
    limit: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OwnExits:
    """Exits that a hand has set, before those of the strategy or the house. `targets` are prices by rung of the
    ladder, lowest first, 0 where the rung's percent holds; the stop is a bid, or a percent under the entry
    price."""

    targets: tuple[Decimal, ...] = ()
    stop_price: Decimal | None = None
    stop_pct: Decimal | None = None

    def target(self, rung: int) -> Decimal | None:
        """The price set for a rung, None where none is."""
        price = self.targets[rung] if rung < len(self.targets) else ZERO
        return price if price > 0 else None

    def with_target(self, rung: int, price: Decimal) -> tuple[Decimal, ...]:
        """The targets with one rung's price set."""
        wide = (*self.targets, *(ZERO for _ in range(rung + 1 - len(self.targets))))
        return (*wide[:rung], price, *wide[rung + 1 :])

    def stop_at(self, entry: Decimal) -> Decimal | None:
        """The bid at or under which the position is left, unrounded; None where no stop is set."""
        if self.stop_price is not None:
            return self.stop_price
        return None if self.stop_pct is None else entry * (1 - self.stop_pct / 100)


@dataclass(frozen=True, slots=True)
class Closing:
    """All of the trade is wanted out at market, for the `cause` that CLOSED will say."""

    cause: str
    reason: str
    by: str
    asked_ns: int


@dataclass(frozen=True, slots=True)
class Reversal:
    """The trade is taken out at market and, once that has filled, `qty` of `contract` is bought."""

    token: str
    by: str
    contract: Contract
    qty: Decimal
    delta: float = 0.0
    asked_ns: int = 0

    @property
    def order(self) -> HandOrder:
        """The entry that it means."""
        return HandOrder(self.token, self.by, self.qty, OrderKind.MARKET)
