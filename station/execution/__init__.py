"""Orders: our own book of them, the one submit site, instrument locks, and reconciliation with the broker."""

from station.execution.book import Interpretation, OrderBook
from station.execution.locks import InstrumentLocks
from station.execution.reconcile import BrokerTruth, Finding, Plan, plan_reconciliation
from station.execution.submit import Submitter

__all__ = [
    "BrokerTruth",
    "Finding",
    "InstrumentLocks",
    "Interpretation",
    "OrderBook",
    "Plan",
    "Submitter",
    "plan_reconciliation",
]
