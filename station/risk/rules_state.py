"""Rules about the station's state: switches, link, session, losses, safeguards."""

from __future__ import annotations

from decimal import Decimal

from station.domain.clock import SECOND
from station.risk.controls import Gate
from station.risk.figures import dollars, lasting
from station.risk.finding import Finding, failed, judged, passed
from station.risk.limits import Limits
from station.risk.proposal import Proposal, RiskView


def market_gate(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    gate = view.controls.gate
    allowed = {
        Gate.OPEN: True,
        Gate.REDUCING: not proposal.opens_risk,
        Gate.CLOSED: proposal.protective and not proposal.opens_risk,
    }[gate.state]
    reason = f"the gate is {gate.state.value} (by {gate.by or 'nobody'}: {gate.reason or 'no reason given'})"
    return judged("market gate", f"GATE_{gate.state.value}", allowed, gate.state.value, Gate.OPEN.value, reason)


def kill_switch(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    kill = view.controls.kill
    allowed = not kill.on or not proposal.opens_risk
    reason = f"the kill switch is on (by {kill.by}: {kill.reason})"
    return judged("kill switch", "KILL_ON", allowed, "on" if kill.on else "off", "off", reason)


def reconciliation(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """No entry until the books agree with the broker (FAULTS 22, 32), nor while the database takes nothing and
    they are not on it (FAULTS 54, 55)."""
    if view.link_up and not view.storage_ok:
        reason = "the database takes nothing: exits are spooled, entries wait; see its alert, free the disk"
        return judged("reconciliation", "STORAGE_DOWN", False, "database down", "complete", reason)
    ok = view.link_up and view.reconciled
    value = "link down" if not view.link_up else "complete" if view.reconciled else "incomplete"
    reason = "the link is down" if not view.link_up else "the books are not yet reconciled with the broker"
    code = "LINK_DOWN" if not view.link_up else "NOT_RECONCILED"
    return judged("reconciliation", code, ok, value, "complete", reason)


def session(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    open_ns, close_ns = view.session_open_ns, view.session_close_ns
    ok = open_ns is not None and close_ns is not None and open_ns <= view.now_ns < close_ns
    value = "in session" if ok else "closed"
    return judged("session", "OUT_OF_SESSION", ok, value, "in session", f"{proposal.symbol} is not in session")


def entry_window(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    """From 09:35 up to, not with, 15:30 ET; moved with an early close (FAULTS 47)."""
    window = limits.window_of(proposal.symbol)
    first, last = lasting(window.after_open_s), lasting(window.before_close_s)
    limit = f"{first} after the open to {last} before the close"
    if view.session_open_ns is None or view.session_close_ns is None:
        return failed("entry window", "OUTSIDE_WINDOW", "no session", limit, "there is no session now")
    since_ns = view.now_ns - view.session_open_ns
    left_ns = view.session_close_ns - view.now_ns
    ok = since_ns >= window.after_open_s * SECOND and left_ns > window.before_close_s * SECOND
    value = f"{lasting(since_ns / SECOND)} after the open, {lasting(left_ns / SECOND)} before the close"
    return judged("entry window", "OUTSIDE_WINDOW", ok, value, limit, "entries are not taken at this hour")


def instrument(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    ok = view.instrument_enabled and not view.halted
    value = "halted" if view.halted else "enabled" if view.instrument_enabled else "disabled"
    code = "HALTED" if view.halted else "INSTRUMENT_DISABLED"
    return judged("instrument", code, ok, value, "enabled", f"{proposal.symbol} is {value}")


def quarantine(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    why = view.controls.quarantine_of(proposal.symbol)
    value = "free" if why is None else "quarantined"
    return judged("quarantine", "QUARANTINED", why is None, value, "free", f"{proposal.symbol}: {why}")


def cooling_off(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    day = view.controls.day
    left_s = max(day.cooling_until_ns - view.now_ns, 0) / SECOND
    limit = f"{lasting(limits.cooling_s)} after {limits.cooling_losses} losses in a row"
    reason = f"cooling off after {day.losses} losses in a row"
    return judged("cooling-off", "COOLING_OFF", left_s <= 0, f"{lasting(left_s)} left", limit, reason)


def daily_loss(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    baseline = view.controls.day.baseline
    if baseline is None:
        return failed("daily loss", "DAY_LOSS", "unknown", "a baseline", "the session's baseline is not set")
    limit = limits.day_loss(baseline)
    reason = "the day's loss is at its limit"
    return judged(
        "daily loss", "DAY_LOSS", -view.day_pnl < limit, dollars(view.day_pnl), dollars(-limit), reason
    )


def monthly_loss(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    baseline = view.controls.day.month_baseline
    if baseline is None:
        return failed("monthly loss", "MONTH_LOSS", "unknown", "a baseline", "the month's baseline is not set")
    limit = baseline * limits.month_loss_pct / 100
    ok = -view.month_pnl < limit
    reason = "the month's loss is at its limit"
    return judged("monthly loss", "MONTH_LOSS", ok, dollars(view.month_pnl), dollars(-limit), reason)


def drawdown(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    peak = view.controls.day.peak
    if peak is None or peak <= 0:
        return failed("drawdown", "DRAWDOWN", "unknown", "a peak", "the equity peak is not known")
    fallen = max(peak - view.equity, Decimal(0))
    ok = fallen * 100 < peak * limits.drawdown_pct
    value, limit = f"{fallen * 100 / peak:.2f} %", f"under {limits.drawdown_pct} %"
    reason = f"equity has fallen from its peak of {dollars(peak)}"
    return judged("drawdown", "DRAWDOWN", ok, value, limit, reason)


def confidence(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    limit = f"at least {limits.min_confidence}"
    if proposal.confidence is None:
        return passed("confidence", "manual", limit, "not asked of a manual order")
    ok = proposal.confidence >= limits.min_confidence
    return judged("confidence", "LOW_CONFIDENCE", ok, str(proposal.confidence), limit, "the signal is too weak")


def order_rate(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    ok = view.orders_last_minute + 1 <= limits.orders_a_minute
    value = f"{view.orders_last_minute} sent"
    limit = f"{limits.orders_a_minute} a minute"
    return judged("orders a minute", "ORDERS_MINUTE", ok, value, limit, "too many orders in a minute")


def order_count(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    ok = view.orders_today + 1 <= limits.orders_a_day
    value, limit = f"{view.orders_today} sent", f"{limits.orders_a_day} a day"
    return judged("orders a day", "ORDERS_DAY", ok, value, limit, "the day's orders are used up")


def duplicate(proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    same = [
        each for each in view.working if (each.contract, each.action) == (proposal.contract, proposal.action)
    ]
    reason = f"an order to {proposal.action.value} {proposal.contract.label} is working already"
    return judged("duplicate order", "DUPLICATE", not same, f"{len(same)} working", "0 working", reason)
