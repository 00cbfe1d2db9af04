"""config.db: what the station is told to do, row by row, with every earlier version."""

from __future__ import annotations

from typing import Final

from station.store.migrations import Migration

_COLUMNS: Final = """kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, version INTEGER NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('shipped', 'edited', 'retired')), changed_ns INTEGER NOT NULL,
    changed_by TEXT NOT NULL"""

CONFIG_STEPS: Final = (
    Migration(
        "rows and their history",
        (
            f"""CREATE TABLE config_rows (seq INTEGER PRIMARY KEY, {_COLUMNS}, shipped TEXT,
                UNIQUE (kind, key))""",
            f"CREATE TABLE config_history (seq INTEGER PRIMARY KEY, {_COLUMNS}, UNIQUE (kind, key, version))",
            """CREATE TRIGGER config_history_no_update BEFORE UPDATE ON config_history
                BEGIN SELECT RAISE(ABORT, 'config_history is append-only'); END""",
            """CREATE TRIGGER config_history_no_delete BEFORE DELETE ON config_history
                BEGIN SELECT RAISE(ABORT, 'config_history is append-only'); END""",
        ),
    ),
)
