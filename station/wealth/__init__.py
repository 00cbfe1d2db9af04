"""The wealth model: plans, the ladder that sizes, and the diary that counts each result once."""

from station.wealth.plans import COLUMNS, LEVELS, Plan, Rung, Week, contracts_of, parse_plan, read_plan
from station.wealth.results import DEFAULT_PLAN, WealthBook, apply_result, record
from station.wealth.sizing import Sizing, first_state, size

__all__ = [
    "COLUMNS", "DEFAULT_PLAN", "LEVELS", "Plan", "Rung", "Sizing", "WealthBook", "Week", "apply_result",
    "contracts_of", "first_state", "parse_plan", "read_plan", "record", "size",
]  # fmt: skip
