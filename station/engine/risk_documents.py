"""The `risk` document: every rule's verdict on a proposal, and the portfolio. Money as decimal strings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from station.domain.clock import utc_text
from station.journal.shapes import count, decimal_text
from station.risk import Controls, Exposure, Finding, Fit, Portfolio, Proposal, Verdict
from station.risk.figures import signed_dollars

Json = dict[str, Any]


def risk_document(
    *, source: str, at_ns: int, controls: Controls, proposal: Proposal, fitted: Fit, verdict: Verdict,
    portfolio: Portfolio, note: str = "",
) -> Json:  # fmt: skip
    """`{v, source, at_utc, gate, kill, note, proposal, approved, fits, bound_by, verdicts, portfolio}`; `fits`
    is the quantity that the size rules pass."""
    bound = fitted.bound_by
    return {
        "v": 1,
        "source": source,
        "at_utc": utc_text(at_ns),
        "gate": controls.gate.state.value,
        "kill": controls.kill.on,
        "note": note,
        "proposal": proposal_shape(proposal),
        "approved": verdict.approved,
        "fits": count(fitted.qty),
        "bound_by": None if bound is None else bound.rule,
        "verdicts": [_verdict_shape(finding) for finding in verdict.findings],
        "portfolio": portfolio_shape(portfolio),
    }


def proposal_shape(proposal: Proposal) -> Json:
    return {
        "symbol": proposal.symbol,
        "contract": proposal.contract.label,
        "action": proposal.action.value,
        "qty": count(proposal.qty),
        "limit": None if proposal.limit is None else decimal_text(proposal.limit),
        "stop": None if proposal.stop is None else decimal_text(proposal.stop),
        "origin": proposal.origin,
        "strategy": proposal.strategy or None,
        "confidence": proposal.confidence,
        "opens_risk": proposal.opens_risk,
    }


def _verdict_shape(finding: Finding) -> Json:
    return {
        "rule": finding.rule,
        "passed": finding.passed,
        "code": finding.code or None,
        "value": finding.value,
        "limit": finding.limit,
        "reason": finding.reason,
    }


def portfolio_shape(portfolio: Portfolio) -> Json:
    """Exposures, greeks in the units of the limits, open risk, VaR, stress and grid, concentration,
    correlation."""
    grid = portfolio.grid
    return {
        "positions": portfolio.positions,
        "value": decimal_text(portfolio.value),
        "exposure": {
            "underlying": _exposures(portfolio.by_underlying),
            "strategy": _exposures(portfolio.by_strategy),
            "sector": _exposures(portfolio.by_sector),
        },
        "greeks": {
            "delta_index": round(portfolio.greeks.delta, 4),
            "gamma_index": round(portfolio.greeks.gamma, 6),
            "vega_usd": round(portfolio.greeks.vega, 2),
            "theta_usd_day": round(portfolio.greeks.theta, 2),
        },
        "open_risk": decimal_text(portfolio.open_risk),
        "var_95": decimal_text(portfolio.var_95),
        "sigma_pct": round(portfolio.sigma_pct, 4),
        "stress": {"pct": float(portfolio.stress_pct), "pnl": decimal_text(portfolio.stress)},
        "grid": {
            "spots_pct": list(grid.spots_pct),
            "vols_pct": list(grid.vols_pct),
            "pnl": [[decimal_text(cell) for cell in row] for row in grid.pnl],
        },
        "concentration": {
            "largest": portfolio.largest or None,
            "pct": round(portfolio.largest_pct, 4),
            "herfindahl": round(portfolio.herfindahl, 6),
        },
        "correlation": {
            "symbols": list(portfolio.correlation.symbols),
            "matrix": [
                [None if cell is None else round(cell, 4) for cell in row]
                for row in portfolio.correlation.matrix
            ],
        },
    }


def _exposures(rows: Iterable[Exposure]) -> list[Json]:
    return [
        {
            "name": row.name,
            "value": decimal_text(row.value),
            "pct": None if row.pct is None else round(row.pct, 4),
        }
        for row in rows
    ]


def risk_text(document: Mapping[str, Any]) -> str:
    """The document for people: a line a rule, then the book in four."""
    asked = document["proposal"]
    head = f"{asked['action']} {asked['qty']} {asked['contract']} at {document['at_utc']}"
    verdict = "approved" if document["approved"] else "refused"
    fits = (
        "" if document["fits"] == asked["qty"] else f"; {document['fits']} would fit ({document['bound_by']})"
    )
    lines = [f"{head}: {verdict}{fits}"]
    if document["note"]:
        lines.append(document["note"])
    for row in document["verdicts"]:
        mark = "ok " if row["passed"] else "NO "
        why = "" if row["passed"] else f"  {row['code']}: {row['reason']}"
        lines.append(f"{mark}{row['rule']:20} {row['value']:40} limit {row['limit']}{why}")
    book = document["portfolio"]
    greeks, stress = book["greeks"], book["stress"]
    lines += [
        f"book {book['positions']} positions, value {book['value']}, open risk {book['open_risk']}",
        f"delta {greeks['delta_index']} index units, vega {signed_dollars(greeks['vega_usd'])}, "
        f"theta {signed_dollars(greeks['theta_usd_day'])} a day",
        f"VaR 95 % {book['var_95']}, at {stress['pct']:g} % {stress['pnl']}",
    ]
    return "\n".join(lines)
