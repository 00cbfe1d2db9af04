"""Rules about the market the order would meet: quote, feed, spread, volatility."""

from __future__ import annotations

import math
from decimal import Decimal

from station.domain.clock import SECOND
from station.domain.market import FeedMode, Grade
from station.risk.finding import Finding, failed, judged, passed
from station.risk.limits import Limits
from station.risk.proposal import Proposal, RiskView


def quote_age(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """Delayed and frozen quotes count as stale (FAULTS 42)."""
    limit = f"{limits.quote_age_s:g} s"
    if view.quote is None:
        return failed("quote age", "NO_QUOTE", "none", limit, f"{proposal.contract.label} has no quote")
    age_s = (view.now_ns - view.quote.at_ns) / SECOND
    if view.quote.grade is not Grade.LIVE:
        reason = f"the quote is {view.quote.grade.name.lower()}"
        return failed("quote age", "QUOTE_STALE", view.quote.grade.name, f"LIVE, {limit}", reason)
    ok = age_s <= limits.quote_age_s
    return judged("quote age", "QUOTE_STALE", ok, f"{age_s:.1f} s", limit, "the quote has stopped updating")


def quote_sane(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """Both sides there and in order (FAULTS 40, 41)."""
    quote = view.quote
    limit = "bid under ask"
    if quote is None or quote.bid is None or quote.ask is None:
        value = "none" if quote is None else f"bid {quote.bid}, ask {quote.ask}"
        return failed("quote sides", "ONE_SIDED", value, limit, "the market is not two-sided")
    value = f"bid {quote.bid}, ask {quote.ask}"
    return judged("quote sides", "CROSSED", not quote.crossed, value, limit, "the market is crossed or locked")


def spread(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    limit = f"{limits.max_spread_pct} % of mid"
    mid = None if view.quote is None else view.quote.mid
    width = None if view.quote is None else view.quote.spread
    if mid is None or width is None or mid <= 0:
        return failed("spread", "SPREAD", "unknown", limit, "there is no mid to measure against")
    ok = width * 100 <= mid * limits.max_spread_pct
    return judged("spread", "SPREAD", ok, f"{width * 100 / mid:.2f} %", limit, "the spread is too wide")


def feed_age(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    ok = view.feed_age_s <= limits.feed_age_s
    value, limit = f"{view.feed_age_s:.1f} s", f"{limits.feed_age_s:g} s"
    return judged("feed age", "FEED_STALE", ok, value, limit, f"the {proposal.symbol} feed has gone quiet")


def feed_mode(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    ok = view.feed_mode is FeedMode.LIVE
    value = view.feed_mode.value
    return judged("feed mode", "FEED_NOT_LIVE", ok, value, "LIVE", f"the {proposal.symbol} feed is {value}")


def quality(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    ok = view.feed_score >= limits.min_quality
    value, limit = str(view.feed_score), f"at least {limits.min_quality}"
    return judged(
        "data quality", "DATA_QUALITY", ok, value, limit, f"{proposal.symbol} data is not good enough"
    )


def vix_ceiling(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    limit = f"{limits.vix_ceiling:g}"
    if not view.vix_watched:
        return passed("VIX ceiling", "not watched", limit, "the volatility ceiling judges instead")
    if view.vix is None or not math.isfinite(view.vix):
        return failed("VIX ceiling", "VIX_UNKNOWN", "unknown", limit, "the VIX is not known")
    ok = view.vix <= limits.vix_ceiling
    return judged("VIX ceiling", "VIX_HIGH", ok, f"{view.vix:.2f}", limit, "the VIX is over its ceiling")


def volatility(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """The contract's own implied volatility, percent a year, against the volatility ceiling."""
    limit = f"{limits.volatility_ceiling_pct:g} %"
    if view.greeks is None or not proposal.contract.is_option:
        return passed("volatility ceiling", "not known", limit, "nothing to measure")
    value = view.greeks.iv * 100
    ok = math.isfinite(value) and value <= limits.volatility_ceiling_pct
    text = "the contract's implied volatility is over the ceiling"
    return judged("volatility ceiling", "VOLATILITY_HIGH", ok, f"{value:.1f} %", limit, text)


def gamma(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    most = limits.gamma_ceiling(proposal.symbol)
    if most is None or view.greeks is None or not proposal.contract.is_option:
        return passed("gamma", "not known", "none" if most is None else f"{most:g}", "nothing to measure")
    value = view.greeks.gamma
    ok = math.isfinite(value) and abs(value) <= most
    return judged(
        "gamma", "GAMMA", ok, f"{value:.4f} a contract", f"{most:g}", "the contract's gamma is too high"
    )


def volume_share(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    limit = f"{limits.max_volume_pct} % of average volume"
    if view.avg_volume is None or view.avg_volume <= 0:
        return passed("size against volume", "not known", limit, "the average volume is not known")
    share = proposal.qty * 100 / Decimal(str(view.avg_volume))
    ok = share <= limits.max_volume_pct
    return judged("size against volume", "VOLUME_SHARE", ok, f"{share:.2f} %", limit, "too much of the volume")
