"""Rules about the account and the trader: day trades, settled funds, known events, safeguards, own limits."""

from __future__ import annotations

from station.domain.instruments import SecType
from station.risk.controls import strategy_drawdown
from station.risk.figures import dollars, whole_dollars
from station.risk.finding import Finding, failed, judged, passed
from station.risk.limits import Limits
from station.risk.proposal import Proposal, RiskView
from station.risk.rules_size import no_price, tied_up, unit_price

_FUTURES = (SecType.FUTURE, SecType.FUTURE_OPTION)


def day_trades(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """FINRA's pattern-day-trader rule: no fourth day trade in five sessions on margin under $25,000. Every
    entry counts as one, since every position is closed by the end of its day; futures do not count."""
    limit = f"{limits.day_trades} in 5 sessions under {whole_dollars(limits.day_trade_equity_usd)}"
    if limits.account_kind != "margin" or proposal.contract.sec_type in _FUTURES:
        return passed("day trades", f"{view.day_trades}", limit, "not asked of this account or contract")
    ok = view.equity >= limits.day_trade_equity_usd or view.day_trades + 1 <= limits.day_trades
    value = f"{view.day_trades} made, equity {dollars(view.equity)}"
    return judged("day trades", "DAY_TRADES", ok, value, limit, "it would make a pattern day trader")


def settled_funds(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """A cash account pays with settled money only: what was sold today settles tomorrow (T+1)."""
    if limits.account_kind != "cash":
        return passed("settled funds", "margin account", "settled cash", "not asked of a margin account")
    if view.settled_cash is None:
        return failed("settled funds", "UNSETTLED", "unknown", "settled cash", "the settled cash is not known")
    limit = dollars(view.settled_cash)
    needed = tied_up(proposal, view, limits)
    if needed is None:
        return no_price("settled funds", "UNSETTLED", limit)
    ok = needed <= view.settled_cash
    return judged("settled funds", "UNSETTLED", ok, dollars(needed), limit, "the cash has not settled yet")


def known_events(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """Earnings or a corporate action on the underlying between today and the option's expiry, or within
    `event_days`, whichever is later."""
    limit = f"none within {limits.event_days} days or to the expiry"
    if not limits.refuse_events:
        return passed("known events", "not asked", limit, "switched off")
    expiry = proposal.contract.expiry if proposal.contract.is_option else ""
    coming = [
        event for event in view.events
        if event.symbol == proposal.symbol and event.days >= 0
        and (event.days <= limits.event_days or event.day <= expiry)
    ]  # fmt: skip
    value = ", ".join(f"{event.what} on {event.day}" for event in coming) or "none known"
    text = f"{proposal.symbol} has an event before it"
    return judged("known events", "KNOWN_EVENT", not coming, value, limit, text)


def stop_distance(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """How far a share's stop is from what the order pays, percent of it, on the losing side."""
    least, most = limits.stop_distance_pct
    limit = f"{least} to {most} % of the price"
    if proposal.stop is None or proposal.contract.sec_type is not SecType.STOCK:
        return passed("stop distance", "no stop set", limit, "not asked of this order")
    price = unit_price(proposal, view)
    if price is None or price <= 0:
        return no_price("stop distance", "STOP_DISTANCE", limit)
    against = (price - proposal.stop) * proposal.action.sign
    distance = against * 100 / price
    ok = least <= distance <= most
    return judged("stop distance", "STOP_DISTANCE", ok, f"{distance:.2f} %", limit, "the stop is misplaced")


def strategy_day_loss(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """The strategy's own loss of the day, percent of the session's baseline, where its row sets one."""
    pct, baseline = proposal.terms.day_loss_pct, view.controls.day.baseline
    if pct is None or not proposal.strategy:
        return passed("strategy day loss", dollars(view.strategy_pnl), "none of its own", "no limit of its own")
    if baseline is None:
        return failed("strategy day loss", "STRATEGY_DAY_LOSS", "unknown", "a baseline", "no baseline is set")
    limit = baseline * pct / 100
    ok = -view.strategy_pnl < limit
    text = f"{proposal.strategy} has lost its day"
    return judged(
        "strategy day loss", "STRATEGY_DAY_LOSS", ok, dollars(view.strategy_pnl), dollars(-limit), text
    )


def strategy_paused(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """A strategy stays paused after its drawdown limit until its row is edited."""
    limit = strategy_drawdown(view.controls.day.baseline, proposal.terms, limits)
    known = "unknown" if limit is None else f"{dollars(-limit)} from its peak"
    if not proposal.strategy:
        return passed("strategy paused", "no strategy", known, "not asked of a manual order")
    book = view.controls.book_of(proposal.strategy, proposal.terms.version)
    value = f"{dollars(book.pnl - book.peak)} from its peak"
    text = f"{proposal.strategy} is paused: it {book.paused}"
    return judged("strategy paused", "STRATEGY_PAUSED", not book.paused, value, known, text)


def overrides(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """At most so many manual overrides a day; asked only of an order that wants one."""
    used, limit = view.controls.day.overrides, f"{limits.manual_overrides} a day"
    if not proposal.override:
        return passed("manual overrides", f"{used} used", limit, "none is asked for")
    if proposal.origin != "MANUAL":
        return failed("manual overrides", "OVERRIDES", proposal.origin, "MANUAL", "only a hand may override")
    ok = used + 1 <= limits.manual_overrides
    return judged("manual overrides", "OVERRIDES", ok, f"{used} used", limit, "the day's overrides are used up")


def self_report(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """How sure the trader of a manual entry says to be, against the least confidence a signal needs."""
    limit = f"at least {limits.min_confidence}" if limits.self_report else "not asked"
    if proposal.origin != "MANUAL" or (proposal.self_report is None and not limits.self_report):
        return passed("self-report", "none", limit, "not asked of this order")
    if proposal.self_report is None:
        return failed("self-report", "NO_SELF_REPORT", "none", limit, "say how sure you are, 0 to 100")
    ok = proposal.self_report >= limits.min_confidence
    value = f"{proposal.self_report}"
    return judged(
        "self-report", "LOW_SELF_REPORT", ok, value, limit, "by your own word this is no trade to make"
    )
