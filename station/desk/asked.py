"""A ticket of a hand, read: what it asks for in the station's own values, and what is wrong with its prices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from station.domain.errors import BadInput
from station.domain.hand import OwnExits
from station.domain.instruments import Contract, Right, TickRule
from station.domain.market import Quote
from station.domain.orders import Action, OrderKind


class Pricing(Enum):
    """How a hand prices an order."""

    MID = "MID"
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"

    @property
    def kind(self) -> OrderKind:
        """The order that the broker gets."""
        if self is Pricing.MID:
            return OrderKind.LIMIT
        return OrderKind[self.name]

    @property
    def rests(self) -> bool:
        """Whether it is meant to wait for its price."""
        return self not in (Pricing.MID, Pricing.MARKET)


@dataclass(frozen=True, slots=True)
class Asked:
    """The order as a hand wants it; `right` None for the underlying itself. Of target and stop at most one of
    price and percent is given; a target of None is the house's."""

    symbol: str
    action: Action
    qty: Decimal
    pricing: Pricing
    expiry: str = ""
    strike: Decimal = Decimal(0)
    right: Right | None = None
    limit: Decimal | None = None
    stop: Decimal | None = None
    target_price: Decimal | None = None
    target_pct: Decimal | None = None
    stop_price: Decimal | None = None
    stop_pct: Decimal | None = None
    override: bool = False
    self_report: int | None = None
    valid_s: int = 0

    @classmethod
    def at_market(cls, contract: Contract, qty: Decimal) -> Asked:
        """So much of a contract, bought at market."""
        return cls(
            contract.symbol, Action.BUY, qty, Pricing.MARKET, contract.expiry, contract.strike, contract.right
        )

    def own_exits(self) -> OwnExits | None:
        """The exits that it sets itself, percents of the target apart."""
        targets = () if self.target_price is None else (self.target_price,)
        own = OwnExits(targets, self.stop_price, self.stop_pct)
        return None if own == OwnExits() else own


def check_prices(asked: Asked, contract: Contract, rule: TickRule, quote: Quote | None) -> None:
    """Raises BadInput for a price that is off the tick, or an exit on the wrong side of the entry."""
    for name, price in (
        ("limit", asked.limit), ("stop", asked.stop), ("target_price", asked.target_price),
        ("stop_price", asked.stop_price),
    ):  # fmt: skip
        if price is not None:
            check_tick(name, price, contract, rule)
    paid = asked.limit if asked.limit is not None else asked.stop
    if paid is None and quote is not None:
        paid = quote.ask
    if paid is None:
        return
    if asked.target_price is not None and asked.target_price <= paid:
        raise BadInput(f"target_price {asked.target_price} is not over the entry of {paid}: raise it")
    if asked.stop_price is not None and asked.stop_price >= paid:
        raise BadInput(f"stop_price {asked.stop_price} is not under the entry of {paid}: lower it")
    _refuse_spent_stop(asked, quote)


def _refuse_spent_stop(asked: Asked, quote: Quote | None) -> None:
    """Raises BadInput for a stop at or over the bid of an entry that fills now: all it would do is pay the
    spread."""
    own = asked.own_exits()
    if own is None or quote is None or quote.crossed or quote.bid is None or quote.ask is None:
        return
    limit = asked.limit if asked.pricing is Pricing.LIMIT else None
    paid = quote.mid if asked.pricing is Pricing.MID else quote.ask
    waits = asked.stop is not None or (limit is not None and limit < quote.ask)
    level = None if waits or paid is None else own.stop_at(paid)
    if level is not None and level >= quote.bid:
        raise BadInput(
            f"a stop of {level:.2f} is not under the bid of {quote.bid}: it would go off at once, lower it"
        )


def check_tick(name: str, price: Decimal, contract: Contract, rule: TickRule) -> None:
    """Raises BadInput naming the legal prices beside one that is not."""
    if price <= 0 or not rule.is_legal(price):
        below, above = rule.down(max(price, Decimal(0))), rule.up(max(price, rule.increment(Decimal(0))))
        near = f"{above}" if below <= 0 or below == above else f"{below} or {above}"
        raise BadInput(f"{name} {price} is no price of {contract.label}: {near} is")
