"""Preflight, portfolio, gate, kill switch and safeguards: pure rules over a proposal and a view."""

from station.risk.book import Weights, index_pull, open_risk, risk_to_stop, weights
from station.risk.controls import (
    BY_DAY_LOSS,
    RELEASE_WORD,
    Controls,
    DayBook,
    DayLoss,
    Gate,
    GateState,
    KillState,
    StrategyBook,
    apply_day_loss,
    begin_session,
    day_loss_action,
    engage_kill,
    lift_quarantine,
    note_equity,
    note_override,
    note_result,
    note_strategy,
    quarantine,
    release_kill,
    set_gate,
)
from station.risk.finding import Finding, Verdict
from station.risk.limits import EntryWindow, EquityFacts, Limits, StrategyTerms
from station.risk.parsing import parse_proposal
from station.risk.persisted import from_rows, to_rows
from station.risk.portfolio import Correlation, Exposure, Grid, Portfolio, assess, correlation, stressed
from station.risk.preflight import OVERRIDABLE, RULES, Fit, fit, preflight
from station.risk.proposal import ComingEvent, Held, Proposal, RiskView, Working

__all__ = [
    "BY_DAY_LOSS", "OVERRIDABLE", "RELEASE_WORD", "RULES", "ComingEvent", "Controls", "Correlation", "DayBook",
    "DayLoss", "EntryWindow", "EquityFacts", "Exposure", "Finding", "Fit", "Gate", "GateState", "Grid", "Held",
    "KillState", "Limits", "Portfolio", "Proposal", "RiskView", "StrategyBook", "StrategyTerms", "Verdict",
    "Weights", "Working", "apply_day_loss", "assess", "begin_session", "correlation", "day_loss_action",
    "engage_kill", "fit", "from_rows", "index_pull", "lift_quarantine", "note_equity", "note_override",
    "note_result", "note_strategy", "open_risk", "parse_proposal", "preflight", "quarantine", "release_kill",
    "risk_to_stop", "set_gate", "stressed", "to_rows", "weights",
]  # fmt: skip
