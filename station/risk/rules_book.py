"""Rules about the book as it would be with the order: greeks, sector, beta, leverage."""

from __future__ import annotations

import math
from decimal import Decimal
from operator import is_
from typing import Final

from station.domain.market import Greeks
from station.risk.book import Weights, market_value, net_weights, weights
from station.risk.figures import signed_dollars, whole_dollars
from station.risk.finding import Finding, failed, judged, passed
from station.risk.limits import BROAD, Limits
from station.risk.proposal import Held, Proposal, RiskView
from station.risk.rules_size import against_equity, outlay

UNBOUNDED: Final = Decimal("Infinity")
"""What an order without a price may be worth: nothing then bounds what time takes from it."""


def usable(greeks: Greeks | None) -> bool:
    """Greeks to reckon with; the sentinel −2, NaN and no volatility are none (FAULTS 43)."""
    return greeks is not None and math.isfinite(greeks.delta) and abs(greeks.delta) <= 1 and greeks.iv > 0


def viable(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """An option is viable once its greeks are loaded."""
    greeks = view.greeks
    if not proposal.contract.is_option:
        return passed("option viable", "no option", "greeks loaded", "not asked of this contract")
    value = (
        "none" if greeks is None else f"delta {greeks.delta:.2f}, iv {greeks.iv:.2f} ({greeks.source.value})"
    )
    reason = f"{proposal.contract.label} has no usable greeks"
    return judged("option viable", "NOT_VIABLE", usable(greeks), value, "greeks loaded", reason)


def delta(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """Net delta in units of the index; what brings it nearer to zero passes."""
    limit = f"±{limits.portfolio_delta:g} index units"
    found = _before_and_after(proposal, view, limits)
    if found is None:
        return _unknown("portfolio delta", limit)
    before, after = found[0].delta, found[1].delta
    ok = abs(after) <= limits.portfolio_delta or abs(after) < abs(before)
    value = f"{before:+.1f} to {after:+.1f}"
    return judged("portfolio delta", "PORTFOLIO_DELTA", ok, value, limit, "the book would lean too far")


def vega(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    limit = f"±{whole_dollars(limits.portfolio_vega)} per 1.00 of volatility"
    found = _before_and_after(proposal, view, limits)
    if found is None:
        return _unknown("portfolio vega", limit)
    before, after = found[0].vega, found[1].vega
    ok = abs(after) <= limits.portfolio_vega or abs(after) < abs(before)
    value = f"{signed_dollars(before)} to {signed_dollars(after)}"
    text = "the book would hang on volatility too much"
    return judged("portfolio vega", "PORTFOLIO_VEGA", ok, value, limit, text)


def theta(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    limit = f"{whole_dollars(limits.portfolio_theta)} to the same hour tomorrow"
    found = _before_and_after(proposal, view, limits)
    if found is None:
        return _unknown("portfolio theta", limit)
    before, after = found[0].theta, found[1].theta
    ok = after >= limits.portfolio_theta or after > before
    value = f"{signed_dollars(before)} to {signed_dollars(after)}"
    return judged("portfolio theta", "PORTFOLIO_THETA", ok, value, limit, "time would take too much")


def sector(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """Market value in the order's sector against equity; a broad market is no sector."""
    name = limits.facts(proposal.symbol).sector
    if name == BROAD:
        return passed(
            "sector exposure", name, f"{limits.sector_pct} % of equity", "a broad market is no sector"
        )
    paid = outlay(proposal, view)
    held = market_value(each for each in view.held if limits.facts(each.symbol).sector == name)
    total = None if paid is None else paid + held
    return against_equity("sector exposure", "SECTOR", total, view.equity, limits.sector_pct)


def beta(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """The mean beta of all that would be held, by market value; what lowers it passes."""
    limit = f"{limits.max_beta:g}"
    paid = outlay(proposal, view)
    if paid is None:
        return failed("beta", "BETA", "unknown", limit, "the order has no price to measure")
    own = abs(limits.facts(proposal.symbol).beta)
    worth = [(float(abs(each.value)), abs(limits.facts(each.symbol).beta)) for each in view.held]
    before, after = _mean(worth), _mean([*worth, (float(paid), own)])
    ok = after <= limits.max_beta or after < before
    return judged("beta", "BETA", ok, f"{after:.2f}", limit, "the book would swing more than allowed")


def leverage(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """Market value of all shares and futures that would be held against equity; options are paid in full."""
    limit = f"{limits.leverage:g} × equity"
    if proposal.contract.is_option:
        return passed("leverage", "an option", limit, "not asked of an option")
    shares = market_value(each for each in view.held if not each.contract.is_option)
    paid = outlay(proposal, view)
    total = None if paid is None else paid + shares
    return against_equity("leverage", "LEVERAGE", total, view.equity, limits.leverage * 100)


_Book = tuple[Weights, Weights] | None
_latest: tuple[tuple[object, ...], _Book] = (None, None, None), None


def _before_and_after(proposal: Proposal, view: RiskView, limits: Limits) -> _Book:
    """The book's weights without and with the order; None where the order's greeks are not known. Three rules
    ask in turn about the very same order, and an order waits for the answer."""
    global _latest
    asked = proposal, view, limits
    if not all(map(is_, _latest[0], asked)):
        _latest = asked, _weighed(*asked)
    return _latest[1]


def _weighed(proposal: Proposal, view: RiskView, limits: Limits) -> _Book:
    added = _as_held(proposal, view)
    if added is None:
        return None
    before = net_weights(view.held, view.now_ns, view.index_level, limits)
    return before, before + weights(added, view.now_ns, view.index_level, limits)


def _as_held(proposal: Proposal, view: RiskView) -> Held | None:
    signed = proposal.qty * proposal.action.sign
    paid = outlay(proposal, view)
    value = (UNBOUNDED if paid is None else paid) * proposal.action.sign
    if not proposal.contract.is_option:
        return Held(proposal.symbol, proposal.contract, signed, value, delta=1.0, spot=view.spot)
    greeks = view.greeks
    if greeks is None or not usable(greeks):
        return None
    return Held(
        proposal.symbol, proposal.contract, signed, value, delta=greeks.delta, gamma=greeks.gamma,
        vega=greeks.vega, theta=greeks.theta, spot=view.spot, iv=greeks.iv, expiry_ns=view.expiry_ns,
    )  # fmt: skip


def _unknown(rule: str, limit: str) -> Finding:
    return passed(rule, "not known", limit, "the contract's viability judges instead")


def _mean(worth: list[tuple[float, float]]) -> float:
    total = sum(value for value, _ in worth)
    return sum(value * number for value, number in worth) / total if total > 0 else 0.0
