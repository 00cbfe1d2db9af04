"""Rules about how much: positions, premium against equity, capital at risk, buying power."""

from __future__ import annotations

from decimal import Decimal

from station.domain.instruments import Contract, SecType
from station.risk.book import open_risk, risk_to_stop
from station.risk.figures import dollars, whole_dollars
from station.risk.finding import Finding, failed, judged, passed
from station.risk.limits import Limits
from station.risk.proposal import Proposal, RiskView


def unit_price(proposal: Proposal, view: RiskView) -> Decimal | None:
    """Dollars a unit the order may pay: its limit, else the ask; None where neither is known."""
    if proposal.limit is not None:
        return proposal.limit
    return None if view.quote is None else view.quote.ask


def outlay(proposal: Proposal, view: RiskView) -> Decimal | None:
    """Dollars the whole order may pay; None where its price is not known."""
    price = unit_price(proposal, view)
    return None if price is None else price * proposal.qty * proposal.contract.multiplier


def tied_up(proposal: Proposal, view: RiskView, limits: Limits) -> Decimal | None:
    """Dollars that the order keeps from others: a future's margin, all that anything else costs; None where its
    price is not known."""
    paid = outlay(proposal, view)
    return None if paid is None else _margin_or_value(proposal.contract, proposal.qty, paid, view, limits)


def at_risk(proposal: Proposal, view: RiskView, limits: Limits) -> Decimal | None:
    """Dollars that the order could lose: of a future those to its stop, of anything else all that it costs;
    None where its price is not known."""
    price, paid = unit_price(proposal, view), outlay(proposal, view)
    if price is None or paid is None or proposal.contract.sec_type is not SecType.FUTURE:
        return paid
    if proposal.stop is not None:
        signed = proposal.qty * proposal.action.sign
        lost = risk_to_stop(price, proposal.stop, signed, proposal.contract.multiplier)
        if lost > 0:
            return lost
    return paid * limits.open_risk_share


def _margin_or_value(
    contract: Contract, qty: Decimal, value: Decimal, view: RiskView, limits: Limits
) -> Decimal:
    if contract.sec_type is not SecType.FUTURE:
        return abs(value)
    each = next((margin for symbol, margin in view.future_margins if symbol == contract.symbol), Decimal(0))
    # The broker tells the change that one more makes: nothing where it hedges what another hand holds.
    return abs(qty) * each if each > 0 else abs(value) * limits.future_margin_pct / 100


def max_positions(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    contracts = {held.contract for held in view.held}
    after = len(contracts | {proposal.contract})
    value, limit = f"{len(contracts)} open", f"{limits.max_positions}"
    ok = after <= limits.max_positions
    return judged("open positions", "MAX_POSITIONS", ok, value, limit, "the positions allowed are all taken")


def one_per_instrument(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    same = [held for held in view.held if held.symbol == proposal.symbol]
    ok = not same or not limits.one_per_instrument
    limit = "0 before it" if limits.one_per_instrument else "any"
    reason = f"{proposal.symbol} has a position or a working entry already"
    return judged("one per instrument", "ONE_PER_INSTRUMENT", ok, f"{len(same)} open", limit, reason)


def position_size(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """What the order could lose against equity; a strategy's own limit may be nearer than the common one."""
    own, most = proposal.terms.position_size_pct, limits.position_size_pct
    limit_pct = most if own is None else min(own, most)
    lost = at_risk(proposal, view, limits)
    return against_equity("position size", "POSITION_SIZE", lost, view.equity, limit_pct)


def notional(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """Market value of all that would be held, of futures their margin, against equity."""
    total = tied_up(proposal, view, limits)
    if total is not None:
        for held in view.held:
            total += _margin_or_value(held.contract, held.qty, held.value, view, limits)
    return against_equity("notional", "NOTIONAL", total, view.equity, limits.notional_pct)


def capital_at_risk(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """What the order could lose, and the open risk of what is held."""
    limit = whole_dollars(limits.capital_at_risk_usd)
    lost = at_risk(proposal, view, limits)
    if lost is None:
        return no_price("capital at risk", "CAPITAL_AT_RISK", limit)
    total = lost + sum((open_risk(held, limits) for held in view.held), Decimal(0))
    ok = total <= limits.capital_at_risk_usd
    return judged("capital at risk", "CAPITAL_AT_RISK", ok, dollars(total), limit, "too much could be lost")


def contracts(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """The fat-finger limit; also that there is a whole number of contracts, at least one."""
    most = limits.contracts_an_order
    value, limit = f"{proposal.qty}", f"1 to {most}, whole"
    ok = 1 <= proposal.qty <= most and proposal.qty == proposal.qty.to_integral_value()
    return judged("contracts an order", "CONTRACTS", ok, value, limit, "the quantity is outside the limit")


def buying_power(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    limit = dollars(view.buying_power)
    needed = tied_up(proposal, view, limits)
    if needed is None:
        return no_price("buying power", "BUYING_POWER", limit)
    ok = needed <= view.buying_power
    return judged("buying power", "BUYING_POWER", ok, dollars(needed), limit, "the account cannot pay for it")


def only_shrinks(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """An order said to shrink exposure may not be larger than what it shrinks."""
    if proposal.opens_risk:
        return passed("reduces only", "opens", "any", "not asked of an entry")
    held = sum((each.qty for each in view.held if each.contract == proposal.contract), Decimal(0))
    closable = -proposal.action.sign * held
    ok = proposal.qty <= closable
    value, limit = f"{proposal.action.value} {proposal.qty}", f"{max(closable, Decimal(0))} open"
    return judged("reduces only", "NOT_REDUCING", ok, value, limit, "it would open a position the other way")


def against_equity(rule: str, code: str, total: Decimal | None, equity: Decimal, limit_pct: Decimal) -> Finding:
    """Dollars as a percent of equity, at most the limit; no equity and no price fail."""
    limit = f"{limit_pct} % of equity"
    if total is None:
        return no_price(rule, code, limit)
    if equity <= 0:
        return failed(rule, code, dollars(total), limit, f"equity is {dollars(equity)}")
    ok = total * 100 <= equity * limit_pct
    value = f"{total * 100 / equity:.2f} % ({dollars(total)})"
    return judged(rule, code, ok, value, limit, f"too large for an equity of {dollars(equity)}")


def no_price(rule: str, code: str, limit: str) -> Finding:
    """The failure of a rule that needs a price where the order has none."""
    return failed(rule, code, "unknown", limit, "the order has no price to measure")
