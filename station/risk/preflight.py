"""Preflight: every rule of SPEC §7 judges the sized proposal, none is skipped after the first failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from station.domain.signals import Decision
from station.risk import rules_account, rules_book, rules_market, rules_size, rules_state
from station.risk.finding import OVERRIDDEN, Finding, Verdict, passed
from station.risk.limits import Limits
from station.risk.proposal import Proposal, RiskView

Rule = Callable[[Proposal, RiskView, Limits], Finding]

SIZE_RULES: Final[tuple[Rule, ...]] = (
    rules_size.contracts, rules_size.position_size, rules_size.notional, rules_size.capital_at_risk,
    rules_size.buying_power, rules_market.volume_share, rules_book.delta, rules_book.vega, rules_book.theta,
    rules_book.sector, rules_book.leverage, rules_account.settled_funds,
)  # fmt: skip
"""The rules that a smaller quantity can satisfy."""
NOTHING_KNOWN: Final[Mapping[Rule, Finding]] = {}

ALWAYS_ASKED: Final[tuple[Rule, ...]] = (
    rules_state.market_gate, rules_state.kill_switch, rules_size.only_shrinks,
)  # fmt: skip
"""The rules that an order which only shrinks exposure must meet too; no other may stand in its way."""

OVERRIDABLE: Final = frozenset(
    {"entry window", "cooling-off", "self-report", "known events", "spread", "size against volume",
     "volatility ceiling"}
)  # fmt: skip
"""The rules that advise: a manual order may override them, a few times a day (SPEC §7 safeguards)."""

RULES: Final[tuple[tuple[str, Rule], ...]] = (
    ("market gate", rules_state.market_gate),
    ("kill switch", rules_state.kill_switch),
    ("reconciliation", rules_state.reconciliation),
    ("session", rules_state.session),
    ("entry window", rules_state.entry_window),
    ("instrument", rules_state.instrument),
    ("quarantine", rules_state.quarantine),
    ("cooling-off", rules_state.cooling_off),
    ("strategy paused", rules_account.strategy_paused),
    ("manual overrides", rules_account.overrides),
    ("self-report", rules_account.self_report),
    ("confidence", rules_state.confidence),
    ("known events", rules_account.known_events),
    ("option viable", rules_book.viable),
    ("quote age", rules_market.quote_age),
    ("quote sides", rules_market.quote_sane),
    ("spread", rules_market.spread),
    ("feed age", rules_market.feed_age),
    ("feed mode", rules_market.feed_mode),
    ("data quality", rules_market.quality),
    ("VIX ceiling", rules_market.vix_ceiling),
    ("volatility ceiling", rules_market.volatility),
    ("gamma", rules_market.gamma),
    ("size against volume", rules_market.volume_share),
    ("daily loss", rules_state.daily_loss),
    ("monthly loss", rules_state.monthly_loss),
    ("drawdown", rules_state.drawdown),
    ("strategy day loss", rules_account.strategy_day_loss),
    ("open positions", rules_size.max_positions),
    ("one per instrument", rules_size.one_per_instrument),
    ("contracts an order", rules_size.contracts),
    ("position size", rules_size.position_size),
    ("notional", rules_size.notional),
    ("capital at risk", rules_size.capital_at_risk),
    ("portfolio delta", rules_book.delta),
    ("portfolio vega", rules_book.vega),
    ("portfolio theta", rules_book.theta),
    ("sector exposure", rules_book.sector),
    ("beta", rules_book.beta),
    ("leverage", rules_book.leverage),
    ("stop distance", rules_account.stop_distance),
    ("buying power", rules_size.buying_power),
    ("settled funds", rules_account.settled_funds),
    ("day trades", rules_account.day_trades),
    ("orders a minute", rules_state.order_rate),
    ("orders a day", rules_state.order_count),
    ("duplicate order", rules_state.duplicate),
    ("reduces only", rules_size.only_shrinks),
)


def preflight(
    proposal: Proposal, view: RiskView, limits: Limits, known: Mapping[Rule, Finding] = NOTHING_KNOWN
) -> Verdict:
    """The verdict on a sized proposal: one finding a rule, in the order of `RULES`. `known` is what rules have
    said of this very proposal, view and limits (`Fit.findings`); those are not asked again. Pure."""
    if not proposal.opens_risk:
        return Verdict(tuple(_of_shrinking(name, rule, proposal, view, limits) for name, rule in RULES))
    findings = tuple(known.get(rule) or rule(proposal, view, limits) for _, rule in RULES)
    if proposal.override and proposal.origin == "MANUAL":
        findings = tuple(map(_overridden, findings))
    return Verdict(findings)


def _of_shrinking(name: str, rule: Rule, proposal: Proposal, view: RiskView, limits: Limits) -> Finding:
    if rule in ALWAYS_ASKED:
        return rule(proposal, view, limits)
    return passed(name, "shrinks exposure", "any", "not asked of an order that only shrinks exposure")


def _overridden(finding: Finding) -> Finding:
    """Advice that a hand overrides is passed and says so; whether one is left is a rule of its own."""
    if finding.passed or finding.rule not in OVERRIDABLE:
        return finding
    return passed(finding.rule, finding.value, finding.limit, f"{OVERRIDDEN}: {finding.reason}")


@dataclass(frozen=True, slots=True)
class Fit:
    """The largest quantity that the size rules pass. `bound_by` is the finding that stops one more; None
    where all that was asked fits. `findings` are what the size rules say of `qty`."""

    qty: Decimal
    asked: Decimal
    bound_by: Finding | None
    findings: Mapping[Rule, Finding] = field(default_factory=lambda: NOTHING_KNOWN)

    def decision(self, trade_id: str, at_ns: int) -> Decision:
        """The trace of the cut, stage `fit`."""
        verdict = "pass" if self.qty > 0 else "block"
        if self.bound_by is None:
            return Decision(
                trade_id, "fit", verdict, "the sized quantity fits", at_ns, f"{self.qty}", f"{self.asked}"
            )
        bound = self.bound_by
        reason = f"{self.qty} of {self.asked} contracts fit: {bound.rule} would be {bound.value}"
        return Decision(trade_id, "fit", verdict, reason, at_ns, f"{self.qty}", bound.limit)


def fit(proposal: Proposal, view: RiskView, limits: Limits) -> Fit:
    """The largest whole quantity, at most the proposal's, that every size rule passes; 0 when not even one
    contract does. Pure."""
    whole = int(proposal.qty.to_integral_value(rounding=ROUND_FLOOR))
    bound: Finding | None = None
    for qty in range(min(whole, limits.contracts_an_order), 0, -1):
        smaller = replace(proposal, qty=Decimal(qty))
        findings: dict[Rule, Finding] = {}
        for rule in SIZE_RULES:
            found = findings[rule] = rule(smaller, view, limits)
            if not found.passed:
                bound = found
                break
        else:
            if bound is None and proposal.qty > qty:
                bound = rules_size.contracts(proposal, view, limits)
            return Fit(Decimal(qty), proposal.qty, bound, findings)
    return Fit(Decimal(0), proposal.qty, bound or rules_size.contracts(proposal, view, limits))
