"""Orders: our own book of them, the one submit site, instrument locks, and reconciliation with the broker."""

from station.execution.asking import at_once, turn, within
from station.execution.book import OrderBook
from station.execution.locks import InstrumentLocks
from station.execution.policy import ExecutionTerms
from station.execution.reconcile import BrokerTruth, Finding, Plan, plan_reconciliation
from station.execution.reports import Interpretation
from station.execution.submit import SendCaps, Submitter

__all__ = [
    "BrokerTruth",
    "ExecutionTerms",
    "Finding",
    "InstrumentLocks",
    "Interpretation",
    "OrderBook",
    "Plan",
    "SendCaps",
    "Submitter",
    "at_once",
    "plan_reconciliation",
    "turn",
    "within",
]
