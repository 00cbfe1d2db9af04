"""Picking a contract: liquidity filter, greeks, nearest delta. Pure: one market, one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from station.domain.clock import SECOND
from station.domain.instruments import Contract, TickRule
from station.domain.market import Grade, Greeks, Quote
from station.domain.signals import Decision
from station.options.greekcache import QuoteSource, model_greeks, sound


@dataclass(frozen=True, slots=True)
class PickLimits:
    """Ages in seconds. `min_volume` and `min_open_interest` are 0 where the source does not tell them.
    `max_delta_gap` refuses a contract this far from the target: a hole in the ladder, not a choice."""

    quote_age_s: float = 5.0
    greeks_age_s: float = 60.0
    underlying_age_s: float = 15.0
    max_spread_pct: Decimal = Decimal(5)
    min_volume: int = 0
    min_open_interest: int = 0
    max_delta_gap: float = 0.20
    strikes_outside: int = 12
    strikes_inside: int = 3
    refresh_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Pick:
    """The contract to trade, the market it was picked from, and its tick rule."""

    contract: Contract
    quote: Quote
    greeks: Greeks
    tick_rule: TickRule
    underlying_price: float
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class NoPick:
    """No contract qualifies; `code` is the reason that stopped the one that came furthest."""

    code: str
    reason: str
    decisions: tuple[Decision, ...]


FAULTS: Final = (
    ("NO_QUOTE", "have no two-sided quote"),
    ("QUOTE_STALE", "have a stale quote"),
    ("CROSSED", "are crossed or locked"),
    ("NO_BID", "have no bid over 0"),
    ("SPREAD", "have too wide a spread"),
    ("VOLUME", "have too little volume"),
    ("OPEN_INTEREST", "have too little open interest"),
    ("NO_GREEKS", "have no greeks, the broker's or ours"),
    ("DELTA_GAP", "are too far from the target delta"),
)
"""Why a contract is not taken, in the order of the checks."""


def quote_fault(quote: Quote | None, now_ns: int, limits: PickLimits) -> str:
    """The code of what is wrong with a contract's quote; empty for a tradable one. Delayed and frozen data
    are stale (FAULTS 42), and a side that is zero, negative or NaN is no side (FAULTS 40)."""
    if quote is None or not _a_side(quote.bid) or not _a_side(quote.ask):
        return "NO_BID" if quote is not None and _a_side(quote.ask) and quote.bid == 0 else "NO_QUOTE"
    if quote.grade is not Grade.LIVE or now_ns - quote.at_ns > limits.quote_age_s * SECOND:
        return "QUOTE_STALE"
    spread_pct = relative_spread(quote)
    if spread_pct is None:
        return "CROSSED"
    if spread_pct > limits.max_spread_pct:
        return "SPREAD"
    if quote.volume < limits.min_volume:
        return "VOLUME"
    return "OPEN_INTEREST" if quote.open_interest < limits.min_open_interest else ""


def relative_spread(quote: Quote) -> Decimal | None:
    """The spread in percent of the mid; None without a mid."""
    mid, spread = quote.mid, quote.spread
    return None if mid is None or spread is None or mid <= 0 else spread * 100 / mid


def choose(
    contracts: Sequence[Contract],
    market: QuoteSource,
    target: float,
    underlying: float | None,
    expiry_ns: int,
    now_ns: int,
    limits: PickLimits,
) -> tuple[tuple[Quote, Greeks] | None, dict[str, int]]:
    """The quote and greeks of the contract nearest the absolute delta `target`, or None; and how many
    contracts fell to each fault. Ties go to the tighter spread, then nearer the money, then the lower strike.
    `underlying` is None while its own feed is stale: then only the broker's greeks count."""
    faults: dict[str, int] = {}
    tradable: list[Quote] = []
    for contract in contracts:
        quote = market.quote(contract)
        fault = quote_fault(quote, now_ns, limits)
        if fault or quote is None:
            faults[fault] = faults.get(fault, 0) + 1
        else:
            tradable.append(quote)
    able = with_greeks(tradable, market, underlying, expiry_ns, now_ns, limits)
    if len(able) < len(tradable):
        faults["NO_GREEKS"] = len(tradable) - len(able)
    best = min(able, key=lambda each: _rank(each[0], each[1], target), default=None)
    if best is not None and abs(abs(best[1].delta) - target) > limits.max_delta_gap:
        faults["DELTA_GAP"] = len(able)
        best = None
    return best, faults


def with_greeks(
    quotes: Sequence[Quote],
    market: QuoteSource,
    underlying: float | None,
    expiry_ns: int,
    now_ns: int,
    limits: PickLimits,
) -> list[tuple[Quote, Greeks]]:
    """Each quote with the greeks to go by, in order; those that have none are left out."""
    told = {quote.contract: market.greeks(quote.contract) for quote in quotes}
    lacking = [quote for quote in quotes if not sound(told[quote.contract], now_ns, limits.greeks_age_s)]
    if underlying is not None:
        own = model_greeks(lacking, underlying, expiry_ns, now_ns)
        told |= {quote.contract: greeks for quote, greeks in zip(lacking, own, strict=True)}
    else:
        told |= {quote.contract: None for quote in lacking}
    return [(quote, greeks) for quote in quotes if (greeks := told[quote.contract]) is not None]


def _rank(quote: Quote, greeks: Greeks, target: float) -> tuple[float, Decimal, float, Decimal]:
    gap = round(abs(abs(greeks.delta) - target), 9)
    spread = relative_spread(quote) or Decimal(0)
    return gap, spread, abs(float(quote.contract.strike) - greeks.underlying), quote.contract.strike


def _a_side(price: Decimal | None) -> bool:
    return price is not None and price.is_finite() and price > 0
