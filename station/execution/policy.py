"""Entry policy: how an entry is priced from the quote it was decided on (SPEC §8)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from station.domain.instruments import TickRule
from station.domain.market import Quote
from station.domain.orders import OrderKind
from station.domain.specs import StrategySpec

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class EntryTerms:
    """Order kind and limit of an entry; `decision_price` is what it should cost, `decision_mid` the mid."""

    kind: OrderKind
    limit: Decimal | None
    decision_price: Decimal
    decision_mid: Decimal


def entry_terms(spec: StrategySpec, quote: Quote, ticks: TickRule) -> EntryTerms | None:
    """The terms of a buy under the strategy's policy; None without a sane two-sided quote.

    `market` takes the ask; `mid` bids the mid on a legal tick at or under it; `cap` up to `entry_cap_pct`
    over the mid, never over the ask.
    """
    mid = quote.mid
    if mid is None or quote.ask is None:
        return None
    if spec.entry_policy == "market":
        return EntryTerms(OrderKind.MARKET, None, quote.ask, mid)
    limit = ticks.down(mid)
    if spec.entry_policy == "cap":
        limit = min(ticks.down(mid * (1 + spec.entry_cap_pct / _HUNDRED)), quote.ask)
    return EntryTerms(OrderKind.LIMIT, limit, limit, mid)
