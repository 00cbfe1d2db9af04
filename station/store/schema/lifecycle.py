"""lifecycle.db: the log of record, and the projections that replaying it must give."""

from __future__ import annotations

from typing import Final

from station.store.migrations import Migration

_EVENTS: Final = Migration(
    "the append-only log",
    (
        """CREATE TABLE trade_events (
            seq INTEGER PRIMARY KEY,
            at_ns INTEGER NOT NULL,
            account TEXT NOT NULL,
            environment TEXT NOT NULL,
            trade_id TEXT NOT NULL,
            type TEXT NOT NULL,
            v INTEGER NOT NULL,
            data TEXT NOT NULL,
            prev_hash TEXT NOT NULL,
            hash TEXT NOT NULL)""",
        "CREATE INDEX trade_events_of_trade ON trade_events (trade_id, seq) WHERE trade_id <> ''",
        """CREATE TRIGGER trade_events_no_update BEFORE UPDATE ON trade_events
            BEGIN SELECT RAISE(ABORT, 'trade_events is append-only'); END""",
        """CREATE TRIGGER trade_events_no_delete BEFORE DELETE ON trade_events
            BEGIN SELECT RAISE(ABORT, 'trade_events is append-only'); END""",
    ),
)

_TRADES: Final = Migration(
    "trades, orders and their fills",
    (
        """CREATE TABLE trades (
            id TEXT PRIMARY KEY, state TEXT NOT NULL, account TEXT NOT NULL, environment TEXT NOT NULL,
            strategy TEXT NOT NULL, strategy_version INTEGER NOT NULL, origin TEXT NOT NULL,
            symbol TEXT NOT NULL, side TEXT NOT NULL, contract TEXT, scanners TEXT NOT NULL,
            signal_key TEXT NOT NULL, fired_ns INTEGER NOT NULL, target_pct TEXT NOT NULL,
            shield TEXT NOT NULL, wealth_plan TEXT NOT NULL, underlying_price REAL NOT NULL,
            selected_bid TEXT NOT NULL, selected_ask TEXT NOT NULL, delta REAL NOT NULL, qty TEXT NOT NULL,
            entry_ref TEXT NOT NULL, entry_valid_until_ns INTEGER NOT NULL, entry_done INTEGER NOT NULL,
            entry_filled TEXT NOT NULL, entry_value TEXT NOT NULL, exit_filled TEXT NOT NULL,
            exit_value TEXT NOT NULL, commission TEXT NOT NULL, fees_owed INTEGER NOT NULL,
            exits TEXT NOT NULL, last_exit_ref TEXT NOT NULL, settled TEXT NOT NULL, cause TEXT NOT NULL,
            reason TEXT NOT NULL, net_pnl TEXT, opened_ns INTEGER NOT NULL, filled_ns INTEGER NOT NULL,
            closed_ns INTEGER NOT NULL, updated_ns INTEGER NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE orders (
            order_ref TEXT PRIMARY KEY, account TEXT NOT NULL, environment TEXT NOT NULL,
            contract TEXT NOT NULL, action TEXT NOT NULL, qty TEXT NOT NULL, kind TEXT NOT NULL,
            purpose TEXT NOT NULL, limit_price TEXT, stop_price TEXT, tif TEXT NOT NULL,
            oca_group TEXT NOT NULL, oca_type INTEGER NOT NULL, parent_ref TEXT NOT NULL,
            outside_rth INTEGER NOT NULL, trade_id TEXT NOT NULL, state TEXT NOT NULL,
            created_ns INTEGER NOT NULL, updated_ns INTEGER NOT NULL, filled TEXT NOT NULL,
            avg_price TEXT NOT NULL, broker_id INTEGER NOT NULL, perm_id INTEGER NOT NULL,
            cancel_cause TEXT NOT NULL, reason TEXT NOT NULL, decision_price TEXT, decision_mid TEXT,
            ack_synthesised INTEGER NOT NULL, side TEXT) WITHOUT ROWID""",
        "CREATE INDEX orders_of_trade ON orders (trade_id)",
        """CREATE TABLE order_fills (
            exec_id TEXT PRIMARY KEY, root_id TEXT NOT NULL, order_ref TEXT NOT NULL, trade_id TEXT NOT NULL,
            account TEXT NOT NULL, environment TEXT NOT NULL, contract TEXT NOT NULL, action TEXT NOT NULL,
            qty TEXT NOT NULL, price TEXT NOT NULL, at_ns INTEGER NOT NULL, perm_id INTEGER NOT NULL,
            commission TEXT, inferred INTEGER NOT NULL) WITHOUT ROWID""",
        "CREATE INDEX order_fills_of_order ON order_fills (order_ref)",
    ),
)

_AROUND: Final = Migration(
    "signals, decisions, switches and the registries of execution",
    (
        """CREATE TABLE signals (
            id TEXT PRIMARY KEY, account TEXT NOT NULL, environment TEXT NOT NULL, scanner TEXT NOT NULL,
            instrument TEXT NOT NULL, timeframe TEXT NOT NULL, side TEXT NOT NULL, score INTEGER NOT NULL,
            bar_start_ns INTEGER NOT NULL, bar_close_ns INTEGER NOT NULL, price REAL NOT NULL,
            provenance TEXT NOT NULL, confidence INTEGER NOT NULL, priority INTEGER NOT NULL,
            published_ns INTEGER NOT NULL, valid_until_ns INTEGER NOT NULL, state TEXT NOT NULL,
            trade_id TEXT NOT NULL, rationale TEXT NOT NULL, warnings TEXT NOT NULL) WITHOUT ROWID""",
        "CREATE INDEX signals_by_time ON signals (published_ns)",
        """CREATE TABLE decisions (
            seq INTEGER PRIMARY KEY, account TEXT NOT NULL, environment TEXT NOT NULL,
            trade_id TEXT NOT NULL, stage TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL,
            at_ns INTEGER NOT NULL, value TEXT NOT NULL, limit_value TEXT NOT NULL)""",
        "CREATE INDEX decisions_of_trade ON decisions (trade_id)",
        """CREATE TABLE scanner_marks (
            scanner TEXT PRIMARY KEY, account TEXT NOT NULL, environment TEXT NOT NULL,
            bar_start_ns INTEGER NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE controls (
            name TEXT PRIMARY KEY, account TEXT NOT NULL, environment TEXT NOT NULL,
            value TEXT NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE order_failures (
            seq INTEGER PRIMARY KEY, account TEXT NOT NULL, environment TEXT NOT NULL,
            order_ref TEXT NOT NULL, code INTEGER NOT NULL, root TEXT NOT NULL, derived TEXT NOT NULL,
            at_ns INTEGER NOT NULL)""",
        """CREATE TABLE cancel_registry (
            seq INTEGER PRIMARY KEY, account TEXT NOT NULL, environment TEXT NOT NULL,
            order_ref TEXT NOT NULL, cause TEXT NOT NULL, at_ns INTEGER NOT NULL)""",
    ),
)

_DAYS: Final = Migration(
    "the metrics of each session",
    (
        """CREATE TABLE daily_metrics (
            session TEXT PRIMARY KEY, account TEXT NOT NULL, environment TEXT NOT NULL,
            trades INTEGER NOT NULL, wins INTEGER NOT NULL, losses INTEGER NOT NULL, net_pnl TEXT NOT NULL,
            commissions TEXT NOT NULL, max_drawdown TEXT NOT NULL, equity_start TEXT NOT NULL,
            equity_end TEXT NOT NULL, at_ns INTEGER NOT NULL) WITHOUT ROWID""",
    ),
)

_LADDER: Final = Migration(
    "the profit ladder of each trade",
    ("ALTER TABLE trades ADD COLUMN ladder TEXT NOT NULL DEFAULT '[]'",),
)

_JOURNAL: Final = Migration(
    "notes and tags found without reading the whole log",
    (
        "CREATE INDEX trade_events_of_journal ON trade_events (type, seq) "
        "WHERE type >= 'journal.' AND type < 'journal/'",
    ),
)

_HAND: Final = Migration(
    "what a hand asks of a trade",
    (
        "ALTER TABLE trades ADD COLUMN hand TEXT",
        "ALTER TABLE trades ADD COLUMN own TEXT",
        "ALTER TABLE trades ADD COLUMN leaving TEXT NOT NULL DEFAULT '0'",
        "ALTER TABLE trades ADD COLUMN part_token TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE trades ADD COLUMN reversal TEXT",
    ),
)

_TRACES: Final = Migration(
    "the verdicts of one commit in one row: half a hundred stand between a signal and its order",
    (
        "ALTER TABLE decisions RENAME TO single_decisions",
        "DROP INDEX decisions_of_trade",
        "CREATE INDEX single_decisions_of_trade ON single_decisions (trade_id)",
        """CREATE TABLE traces (
            seq INTEGER PRIMARY KEY, account TEXT NOT NULL, environment TEXT NOT NULL,
            trade_id TEXT NOT NULL, verdicts TEXT NOT NULL)""",
        "CREATE INDEX traces_of_trade ON traces (trade_id)",
        """CREATE VIEW decisions AS
            SELECT seq, account, environment, trade_id, stage, verdict, reason, at_ns, value, limit_value
            FROM single_decisions
            UNION ALL
            SELECT 1099511627776 + traces.seq * 1024 + each.key, account, environment, trade_id,
                json_extract(each.value, '$[0]'), json_extract(each.value, '$[1]'),
                json_extract(each.value, '$[2]'), json_extract(each.value, '$[3]'),
                json_extract(each.value, '$[4]'), json_extract(each.value, '$[5]')
            FROM traces, json_each(traces.verdicts) AS each""",
    ),
)

_PARTS: Final = Migration(
    "every order that closed a part of a trade",
    (
        "ALTER TABLE trades ADD COLUMN part_tokens TEXT NOT NULL DEFAULT '[]'",
        "UPDATE trades SET part_tokens = json_array(part_token) WHERE part_token <> ''",
        "ALTER TABLE trades DROP COLUMN part_token",
    ),
)

_OFFER: Final = Migration(
    "what a strategy proposes and a hand takes",
    ("ALTER TABLE trades ADD COLUMN offer TEXT",),
)

_CLOSING: Final = Migration(
    "who wants all of a trade out, from when that is written until it is closed",
    ("ALTER TABLE trades ADD COLUMN closing TEXT",),
)

LIFECYCLE_STEPS: Final = (
    _EVENTS, _TRADES, _AROUND, _DAYS, _LADDER, _JOURNAL, _HAND, _TRACES, _PARTS, _OFFER, _CLOSING,
)  # fmt: skip
