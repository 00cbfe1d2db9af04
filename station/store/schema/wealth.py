"""wealth.db: where each plan stands, and one diary row for every closed trade."""

from __future__ import annotations

from typing import Final

from station.store.migrations import Migration

WEALTH_STEPS: Final = (
    Migration(
        "state, diary and weeks",
        (
            """CREATE TABLE wealth_state (
                plan TEXT PRIMARY KEY, account TEXT NOT NULL, environment TEXT NOT NULL,
                start_capital TEXT NOT NULL, capital TEXT NOT NULL, week INTEGER NOT NULL,
                level TEXT NOT NULL, pnl_to_date TEXT NOT NULL)""",
            """CREATE TABLE trade_diary (
                trade_id TEXT NOT NULL UNIQUE, plan TEXT NOT NULL, account TEXT NOT NULL,
                environment TEXT NOT NULL, closed_ns INTEGER NOT NULL, symbol TEXT NOT NULL,
                label TEXT NOT NULL, qty TEXT NOT NULL, entry TEXT NOT NULL, exit TEXT NOT NULL,
                net_pnl TEXT NOT NULL, cause TEXT NOT NULL, hold_s INTEGER NOT NULL,
                delta_at_entry REAL NOT NULL, capital_after TEXT NOT NULL, week INTEGER NOT NULL,
                level TEXT NOT NULL)""",
            "CREATE INDEX trade_diary_of_week ON trade_diary (plan, week)",
            """CREATE TABLE weekly_summary (
                plan TEXT NOT NULL, week INTEGER NOT NULL, account TEXT NOT NULL, environment TEXT NOT NULL,
                trades INTEGER NOT NULL, wins INTEGER NOT NULL, net_pnl TEXT NOT NULL,
                start_capital TEXT NOT NULL, end_capital TEXT NOT NULL,
                PRIMARY KEY (plan, week)) WITHOUT ROWID""",
        ),
    ),
)
