"""Loss protection (SPEC §10): six rules and the shields, from the first fill to the close.

The rules are pure (`decide`); the worker looks, asks the desk through `ExitPort`, and looks again.
"""

from station.protection.decide import Triggers, decide, next_look, triggers
from station.protection.directives import (
    AskClose,
    CancelEntry,
    CancelExit,
    Directive,
    Holding,
    LateMode,
    MarketOut,
    Memory,
    ModifyExit,
    ProtectionSettings,
    RaiseAlert,
    RequestReconcile,
    SubmitExit,
)
from station.protection.rules import rungs_of
from station.protection.worker import ExitPort, ProtectionWorker

__all__ = [
    "AskClose",
    "CancelEntry",
    "CancelExit",
    "Directive",
    "ExitPort",
    "Holding",
    "LateMode",
    "MarketOut",
    "Memory",
    "ModifyExit",
    "ProtectionSettings",
    "ProtectionWorker",
    "RaiseAlert",
    "RequestReconcile",
    "SubmitExit",
    "Triggers",
    "decide",
    "next_look",
    "rungs_of",
    "triggers",
]
