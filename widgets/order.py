"""What the trader wants done, as values: made by the order line or the ticket, sent as a link ticket."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from station.link import Ticket

BUY: Final = "BUY"
SELL: Final = "SELL"
MID: Final = "MID"
MARKET: Final = "MARKET"
LIMIT: Final = "LIMIT"
STOP: Final = "STOP"
STOP_LIMIT: Final = "STOP_LIMIT"
KINDS: Final = (MID, LIMIT, MARKET, STOP, STOP_LIMIT)
TODAY: Final = "0dte"


@dataclass(frozen=True, slots=True)
class Guard:
    """Where a position is left: a price, or a distance from the entry in percent."""

    value: Decimal
    percent: bool = False

    def __str__(self) -> str:
        return f"{number(self.value)}%" if self.percent else dollars(self.value)


@dataclass(frozen=True, slots=True)
class Order:
    """One order. `strike` and `right` (C or P) are of an option, None and empty otherwise; `expiry` is `0dte`,
    `1dte`, `weekly`, `monthly` or `YYYYMMDD`.

    `limit` and `trigger` are there as the kind needs them; a missing guard leaves it to the strategy's terms.
    `confidence` is the trader's own, 0–100; `override` asks past the rules that may be overridden.
    """

    action: str
    qty: int
    symbol: str
    strike: Decimal | None = None
    right: str = ""
    expiry: str = ""
    kind: str = MID
    limit: Decimal | None = None
    trigger: Decimal | None = None
    target: Guard | None = None
    stop: Guard | None = None
    confidence: int | None = None
    override: bool = False

    @property
    def contract(self) -> str:
        """`SPX 5940C 0dte`, or the bare symbol."""
        if self.strike is None:
            return self.symbol
        return f"{self.symbol} {number(self.strike)}{self.right} {self.expiry}"

    @property
    def price(self) -> str:
        """How it is priced, as the order line says it: `@ mid`, `stop 4.50 @ 4.55`."""
        found = [f"stop {dollars(self.trigger)}"] if self.trigger is not None else []
        if self.limit is not None:
            found.append(f"@ {dollars(self.limit)}")
        elif self.kind in (MID, MARKET):
            found.append(f"@ {self.kind.lower()}")
        return " ".join(found)

    def __str__(self) -> str:
        """The order line that means it."""
        words = [self.action.lower(), str(self.qty), self.contract, self.price]
        words += [f"tp {self.target}"] if self.target is not None else []
        words += [f"sl {self.stop}"] if self.stop is not None else []
        words += [f"conf {self.confidence}"] if self.confidence is not None else []
        words += ["override"] if self.override else []
        return " ".join(words)


def number(value: Decimal) -> str:
    """As it is typed: `5940`, `592.5`."""
    return f"{value.normalize():f}"


def dollars(value: Decimal) -> str:
    """A price as it is typed: two decimals, more where it has more."""
    whole, _, rest = number(value).partition(".")
    return f"{whole}.{rest.ljust(2, '0')}"


def ticket_of(order: Order) -> Ticket:
    """The order as the engine takes it."""
    target, stop = order.target, order.stop
    return Ticket(
        order.symbol, order.action, order.qty, order.right, "" if order.strike is None else f"{order.strike:f}",
        order.expiry, order.kind, _text(order.limit), _text(order.trigger), _guarded(target, percent=False),
        _guarded(target, percent=True), _guarded(stop, percent=False), _guarded(stop, percent=True),
        order.override, "" if order.confidence is None else str(order.confidence),
    )  # fmt: skip


def _text(value: Decimal | None) -> str:
    return "" if value is None else dollars(value)


def _guarded(guard: Guard | None, *, percent: bool) -> str:
    return str(guard).removesuffix("%") if guard is not None and guard.percent is percent else ""
