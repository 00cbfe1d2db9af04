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
class ExecutionTerms:
    """How orders are worked (SPEC §8). `max_contracts` in one order; an exit for more is parted.

    `walk_step_s` is how long a walking entry stands at each tick; `partial_rest_s` how long the rest of a
    partly filled entry may work; `cancel_confirm_s` how long a replaced exit may take to be gone. With
    `what_if` the broker is asked for an entry's margin; no answer within `what_if_timeout_s` denies it.
    """

    max_contracts: Decimal = Decimal(20)
    walk_step_s: int = 5
    partial_rest_s: int = 30
    ack_timeout_s: int = 5
    cancel_confirm_s: float = 0.1
    what_if: bool = True
    what_if_timeout_s: float = 3.0


@dataclass(frozen=True, slots=True)
class EntryTerms:
    """Order kind and prices of an entry; `decision_price` is what it should cost, `decision_mid` the mid."""

    kind: OrderKind
    limit: Decimal | None
    decision_price: Decimal
    decision_mid: Decimal
    stop: Decimal | None = None


def entry_terms(spec: StrategySpec, quote: Quote, ticks: TickRule) -> EntryTerms | None:
    """The terms of a buy under the strategy's policy; None without a sane two-sided quote.

    `market` takes the ask; `mid` and the first step of `walk` bid the mid on a legal tick at or under it; `cap`
    bids up to `entry_cap_pct` over the mid, never over the ask.
    """
    mid = quote.mid
    if mid is None or quote.ask is None:
        return None
    if spec.entry_policy == "market":
        return EntryTerms(OrderKind.MARKET, None, quote.ask, mid)
    limit = ticks.down(mid)
    if spec.entry_policy == "cap":
        limit = min(_capped(spec, mid, ticks), quote.ask)
    return EntryTerms(OrderKind.LIMIT, limit, limit, mid)


def most_paid(spec: StrategySpec, mid: Decimal, ticks: TickRule) -> Decimal | None:
    """The most that a hand may bid for what the strategy proposes; None where it sets no cap."""
    return _capped(spec, mid, ticks) if spec.entry_cap_pct else None


def taken_terms(spec: StrategySpec, limit: Decimal | None, quote: Quote, ticks: TickRule) -> EntryTerms | None:
    """The strategy's terms; at the hand's own limit where it gave one, and never over the strategy's cap."""
    terms = entry_terms(spec, quote, ticks)
    if terms is None or limit is None:
        return terms
    most = most_paid(spec, terms.decision_mid, ticks)
    price = limit if most is None else min(limit, most)
    return EntryTerms(OrderKind.LIMIT, price, price, terms.decision_mid)


def hand_terms(
    kind: OrderKind, limit: Decimal | None, stop: Decimal | None, quote: Quote, ticks: TickRule
) -> EntryTerms | None:
    """The terms of a buy that a hand has priced; a limit order without a limit bids the mid on a legal tick at
    or under it. None without a sane two-sided quote."""
    mid = quote.mid
    if mid is None or quote.ask is None:
        return None
    match kind:
        case OrderKind.MARKET:
            return EntryTerms(kind, None, quote.ask, mid)
        case OrderKind.LIMIT:
            price = ticks.down(mid) if limit is None else limit
            return EntryTerms(kind, price, price, mid)
        case OrderKind.STOP:
            return EntryTerms(kind, None, max(stop or quote.ask, quote.ask), mid, stop)
        case OrderKind.STOP_LIMIT:
            return EntryTerms(kind, limit, limit or quote.ask, mid, stop)


def walked(spec: StrategySpec, mid: Decimal, steps: int, quote: Quote, ticks: TickRule) -> Decimal | None:
    """Where a walking buy stands after `steps`: a tick a step from the mid it was decided on to the far side,
    and never over the cap where one is set. None while there is no sane ask to walk to."""
    if quote.ask is None or quote.crossed:
        return None
    limit = ticks.down(mid)
    most = min(quote.ask, _capped(spec, mid, ticks)) if spec.entry_cap_pct else quote.ask
    for _ in range(steps):
        if limit >= most:
            break
        limit += ticks.increment(limit)
    return limit


def _capped(spec: StrategySpec, mid: Decimal, ticks: TickRule) -> Decimal:
    return ticks.down(mid * (1 + spec.entry_cap_pct / _HUNDRED))
