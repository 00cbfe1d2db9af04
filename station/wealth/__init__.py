"""The wealth model: plans, the ladder that sizes, and the diary that counts each result once."""

from station.wealth.plans import LEVELS, Plan, Week, contracts_of, parse_plan, plan_rows, read_plan, steady_plan
from station.wealth.results import WealthBook, WeekSummary, apply_result, record, weekly_summary
from station.wealth.sizing import Rung, Sizing, first_state, ladder, size

__all__ = [
    "LEVELS", "Plan", "Rung", "Sizing", "WealthBook", "Week", "WeekSummary", "apply_result", "contracts_of",
    "first_state", "ladder", "parse_plan", "plan_rows", "read_plan", "record", "size", "steady_plan",
    "weekly_summary",
]  # fmt: skip
