"""Preflight, gate, kill switch and safeguards: pure rules over a proposal and a view of the station."""

from station.risk.controls import (
    BY_DAY_LOSS,
    RELEASE_WORD,
    Controls,
    DayBook,
    DayLoss,
    Gate,
    GateState,
    KillState,
    apply_day_loss,
    begin_session,
    day_loss_action,
    engage_kill,
    lift_quarantine,
    note_equity,
    note_override,
    note_result,
    quarantine,
    release_kill,
    set_gate,
)
from station.risk.finding import Finding, Verdict
from station.risk.limits import EntryWindow, Limits
from station.risk.persisted import from_rows, to_rows
from station.risk.preflight import RULES, Fit, fit, preflight
from station.risk.proposal import Held, Proposal, RiskView, Working

__all__ = [
    "BY_DAY_LOSS", "RELEASE_WORD", "RULES", "Controls", "DayBook", "DayLoss", "EntryWindow", "Finding", "Fit",
    "Gate", "GateState", "Held", "KillState", "Limits", "Proposal", "RiskView", "Verdict", "Working",
    "apply_day_loss", "begin_session", "day_loss_action", "engage_kill", "fit", "from_rows",
    "lift_quarantine", "note_equity", "note_override", "note_result", "preflight", "quarantine",
    "release_kill", "set_gate", "to_rows",
]  # fmt: skip
