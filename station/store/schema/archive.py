"""archive.db: bulk that can be thrown away, kept out of the way of orders."""

from __future__ import annotations

from typing import Final

from station.store.migrations import Migration

ARCHIVE_STEPS: Final = (
    Migration(
        "logs, bars and position snapshots",
        (
            """CREATE TABLE logs (
                seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, level TEXT NOT NULL,
                component TEXT NOT NULL, text TEXT NOT NULL, data TEXT NOT NULL)""",
            "CREATE INDEX logs_by_time ON logs (at_ns)",
            """CREATE TABLE bars (
                symbol TEXT NOT NULL, timeframe TEXT NOT NULL, start_ns INTEGER NOT NULL, open REAL NOT NULL,
                high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL, volume REAL NOT NULL,
                PRIMARY KEY (symbol, timeframe, start_ns)) WITHOUT ROWID""",
            """CREATE TABLE position_snapshots (
                seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, account TEXT NOT NULL,
                environment TEXT NOT NULL, trade_id TEXT NOT NULL, contract TEXT NOT NULL, qty TEXT NOT NULL,
                bid TEXT, ask TEXT, underlying_price REAL, iv REAL, delta REAL, gamma REAL, theta REAL,
                vega REAL, source TEXT NOT NULL)""",
            "CREATE INDEX position_snapshots_of_trade ON position_snapshots (trade_id, at_ns)",
        ),
    ),
    Migration(
        "one snapshot a trade and instant, however often it is taken",
        (
            """DELETE FROM position_snapshots WHERE seq NOT IN
                (SELECT MIN(seq) FROM position_snapshots GROUP BY trade_id, at_ns)""",
            "DROP INDEX position_snapshots_of_trade",
            "CREATE UNIQUE INDEX position_snapshots_of_trade ON position_snapshots (trade_id, at_ns)",
        ),
    ),
    Migration("the log is a file, and bars are asked for", ("DROP TABLE logs", "DROP TABLE bars")),
)
