"""Each law of the books, broken in one way in an otherwise good runtime, is reported by its own check."""

from __future__ import annotations

import asyncio
import copy
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from station.domain.orders import order_ref
from station.store import verify
from tests.unit.store_books import ACCOUNT, Forged, forge, good_runtime, sql

FILES = "files are whole"
CHAIN = "hash chain"
LEGAL = "legal lifecycles"
PROJECTIONS = "projections equal the log"
ONCE = "every execution booked once"
POSITIONS = "positions equal executions"
INTENT = "every order has an intent committed before it"
SELLS = "working sells outside one OCA group ≤ open quantity"
CASH = "cash adds up"
WEALTH = "wealth rows match closed trades"
PAPER = "paper book: "
OVERSOLD = PAPER + "never over-sold"
EXITS = PAPER + "working exits ≤ open quantity"

ENTRY_1 = order_ref(ACCOUNT, "T2611180001", "E", 1)
EXIT_1 = order_ref(ACCOUNT, "T2611180001", "X", 1)
TARGET_3 = order_ref(ACCOUNT, "T2611180003", "X", 1)
STOP_3 = order_ref(ACCOUNT, "T2611180003", "X", 2)
FIRST_FILL = "PX20261118.000001.01"
FIRST_SALE = "PX20261118.000003.01"

Tamper = Callable[[Path], None]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runtime = tmp_path_factory.mktemp("books") / "good"
    asyncio.run(good_runtime(runtime))
    return runtime


@pytest.fixture
def runtime(good: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good, tmp_path / "runtime")


def lifecycle(*statements: Any) -> Tamper:
    return lambda runtime: sql(runtime / "lifecycle.db", *statements)


def wealth(*statements: Any) -> Tamper:
    return lambda runtime: sql(runtime / "wealth.db", *statements)


def paper(*statements: Any) -> Tamper:
    return lambda runtime: sql(runtime / "paper.db", *statements)


def forged(change: Callable[[Forged], None]) -> Tamper:
    return lambda runtime: forge(runtime / "lifecycle.db", change)


def place(rows: Forged, kind: str, ref: str) -> int:
    """Where the first event of a kind about an order stands."""
    return next(
        i for i, row in enumerate(rows)
        if row["type"] == kind and ref in (row["data"].get("order_ref"), _ticket_ref(row))
    )  # fmt: skip


def _ticket_ref(row: dict[str, Any]) -> str:
    return row["data"].get("ticket", {}).get("order_ref", "")


def booked_again(rows: Forged) -> None:
    rows.append(copy.deepcopy(rows[place(rows, "order.execution", ENTRY_1)]))


def booked_again_as_another_revision(rows: Forged) -> None:
    row = copy.deepcopy(rows[place(rows, "order.execution", ENTRY_1)])
    row["data"]["exec_id"] = FIRST_FILL[:-2] + "02"
    rows.append(row)


def never_booked(rows: Forged) -> None:
    del rows[place(rows, "order.execution", ENTRY_1)]


def withdraws_nothing_booked(rows: Forged) -> None:
    rows[place(rows, "order.execution", ENTRY_1)]["data"].update(replaces_qty="1", replaces_price="9")


def closed_before_its_fill(rows: Forged) -> None:
    closed = next(i for i, row in enumerate(rows) if row["type"] == "trade.closed")
    rows.insert(place(rows, "order.execution", ENTRY_1), rows.pop(closed))


def back_from_the_dead(rows: Forged) -> None:
    move = copy.deepcopy(rows[place(rows, "order.moved", EXIT_1)])
    rows.append(move)


def unknown_event(rows: Forged) -> None:
    rows[0]["type"] = "trade.of_tomorrow"


def intent_after_its_acknowledgement(rows: Forged) -> None:
    intent = rows.pop(place(rows, "trade.exit_submitted", EXIT_1))
    rows.insert(place(rows, "order.moved", EXIT_1) + 1, intent)


def two_intents(rows: Forged) -> None:
    at = place(rows, "trade.exit_submitted", EXIT_1)
    rows.insert(at, copy.deepcopy(rows[at]))


def intent_dropped(rows: Forged) -> None:
    del rows[place(rows, "trade.exit_submitted", EXIT_1)]


def stop_outside_the_group(rows: Forged) -> None:
    rows[place(rows, "trade.exit_submitted", STOP_3)]["data"]["ticket"]["oca_group"] = ""


def exit_larger_than_the_position(rows: Forged) -> None:
    rows[place(rows, "trade.exit_submitted", EXIT_1)]["data"]["ticket"]["qty"] = "3"


def exit_raised_later(rows: Forged) -> None:
    ref = order_ref(ACCOUNT, "T2611180004", "X", 1)
    rows[place(rows, "trade.exit_modified", ref)]["data"]["ticket"]["qty"] = "2"


def exit_before_the_entry_filled(rows: Forged) -> None:
    intent = rows.pop(place(rows, "trade.exit_submitted", EXIT_1))
    rows.insert(place(rows, "order.execution", ENTRY_1) + 1, intent)


def intent_too_late(rows: Forged) -> None:
    rows[place(rows, "trade.entry_submitted", ENTRY_1)]["at_ns"] += 10**12


def another_contract_was_meant(rows: Forged) -> None:
    rows[place(rows, "trade.entry_submitted", ENTRY_1)]["data"]["ticket"]["contract"]["strike"] = "5945"


def missing(name: str) -> Tamper:
    return lambda runtime: (runtime / name).unlink()


def overwritten(name: str) -> Tamper:
    return lambda runtime: (runtime / name).write_bytes(b"no database at all, for a kilobyte " * 40)


def torn(name: str) -> Tamper:
    def tear(runtime: Path) -> None:
        path = runtime / name
        content = bytearray(path.read_bytes())
        content[8192 : 8192 + 2048] = bytes(2048)
        path.write_bytes(content)

    return tear


def diary_row_doubled(runtime: Path) -> None:
    sql(
        runtime / "wealth.db",
        "CREATE TABLE loose AS SELECT * FROM trade_diary",
        "DROP TABLE trade_diary",
        "ALTER TABLE loose RENAME TO trade_diary",
        "INSERT INTO trade_diary SELECT * FROM trade_diary LIMIT 1",
    )


UNKNOWN_ORDER = (
    "INSERT INTO orders SELECT 'V1-DU1000001-T2611180001-X-9', account, environment, contract, action, qty, "
    "kind, purpose, limit_price, stop_price, tif, oca_group, oca_type, parent_ref, outside_rth, trade_id, "
    "state, created_ns, updated_ns, filled, avg_price, broker_id, perm_id, cancel_cause, reason, "
    f"decision_price, decision_mid, ack_synthesised, side FROM orders WHERE order_ref = '{EXIT_1}'"
)
SECOND_FILL = (
    "INSERT INTO order_fills SELECT 'PX20261118.000099.01', 'PX20261118.000099', order_ref, trade_id, account, "
    "environment, contract, action, qty, price, at_ns, perm_id, commission, inferred FROM order_fills "
    f"WHERE exec_id = '{FIRST_FILL}'"
)
THEIR_SECOND_FILL = (
    "INSERT INTO executions SELECT 'PX20261118.000099.01', 99, order_ref, account, contract, action, qty, "
    f"price, multiplier, commission, at_ns FROM executions WHERE exec_id = '{FIRST_FILL}'"
)
THEIR_UNKNOWN_ORDER = (
    "INSERT INTO orders SELECT 'V1-DU1000001-T2611180001-X-9', account, 99, 999, contract, action, qty, kind, "
    "limit_price, stop_price, tif, oca_group, parent_ref, purpose, state, filled, received_ns, updated_ns, "
    f"reason FROM orders WHERE order_ref = '{EXIT_1}'"
)


def fill_where(change: str, exec_id: str = FIRST_FILL) -> str:
    return f"UPDATE order_fills SET {change} WHERE exec_id = '{exec_id}'"


def theirs_where(change: str, exec_id: str = FIRST_FILL) -> str:
    return f"UPDATE executions SET {change} WHERE exec_id = '{exec_id}'"


BROKEN: list[tuple[str, str, Tamper, str]] = [
    ("wealth file gone", FILES, missing("wealth.db"), "wealth.db is missing"),
    ("config file gone", FILES, missing("config.db"), "config.db is missing"),
    ("lifecycle file gone", FILES, missing("lifecycle.db"), "lifecycle.db is missing"),
    ("lifecycle overwritten", FILES, overwritten("lifecycle.db"), "lifecycle.db cannot be read"),
    ("paper overwritten", FILES, overwritten("paper.db"), "paper.db cannot be read"),
    ("a page zeroed", FILES, torn("lifecycle.db"), "lifecycle.db"),
    ("an event edited", CHAIN,
     lifecycle("UPDATE trade_events SET data = replace(data, '3.1', '2.1') WHERE type = 'order.execution'"),
     "does not have its own hash"),
    ("an event's time edited", CHAIN, lifecycle("UPDATE trade_events SET at_ns = at_ns + 1 WHERE seq = 7"),
     "event 7 "),
    ("an event taken out", CHAIN, lifecycle("DELETE FROM trade_events WHERE seq = 9"), "event 9 is missing"),
    ("the first event taken out", CHAIN, lifecycle("DELETE FROM trade_events WHERE seq = 1"),
     "event 1 is missing"),
    ("closed before filled", LEGAL, forged(closed_before_its_fill), "trade.closed is not legal"),
    ("an order back from FILLED", LEGAL, forged(back_from_the_dead), "cannot go from FILLED to SUBMITTED"),
    ("an event of no known type", LEGAL, forged(unknown_event), "trade.of_tomorrow"),
    ("a trade row edited", PROJECTIONS, lifecycle("UPDATE trades SET qty = '7' WHERE id = 'T2611180003'"),
     "trade T2611180003: qty is 7, the log says 3"),
    ("an order row edited", PROJECTIONS,
     lifecycle(f"UPDATE orders SET limit_price = '9.90' WHERE order_ref = '{TARGET_3}'"),
     f"order {TARGET_3}: limit_price is 9.90, the log says 3.70"),
    ("an order row gone", PROJECTIONS, lifecycle(f"DELETE FROM orders WHERE order_ref = '{STOP_3}'"),
     f"order {STOP_3} is on the log but not in its table"),
    ("an execution booked twice", ONCE, forged(booked_again), f"{FIRST_FILL} is booked twice"),
    ("a correction that withdraws nothing", ONCE, forged(booked_again_as_another_revision),
     "books again what PX20261118.000001.01 already booked"),
    ("a withdrawal of what never was", ONCE, forged(withdraws_nothing_booked), "never booked"),
    ("a fill of no event", ONCE, lifecycle(SECOND_FILL), "PX20261118.000099.01 is in order_fills but not on"),
    ("an event of no fill", ONCE, lifecycle(f"DELETE FROM order_fills WHERE exec_id = '{FIRST_FILL}'"),
     f"{FIRST_FILL} is on the log (event"),
    ("a fill's event taken out", ONCE, forged(never_booked), f"{FIRST_FILL} is in order_fills but not on"),
    ("a fill's price edited", ONCE, lifecycle(fill_where("price = '2.10'")), "has price 2.10"),
    ("a fill's quantity edited", POSITIONS, lifecycle(fill_where("qty = '2'")), "fills say 1, trades say 0"),
    ("a position edited", POSITIONS,
     lifecycle("UPDATE trades SET exit_filled = '0' WHERE id = 'T2611180003'"), "trades say 3"),
    ("an order of no intent", INTENT, lifecycle(UNKNOWN_ORDER), "X-9 has no intent on the log"),
    ("an intent taken out", INTENT, forged(intent_dropped), f"{EXIT_1} has no intent"),
    ("an intent after the fact", INTENT, forged(intent_after_its_acknowledgement), "comes before any intent"),
    ("two intents for one order", INTENT, forged(two_intents), f"{EXIT_1} has two intents"),
    ("two exits, one position", SELLS, forged(stop_outside_the_group), "could sell 6, 3 is open"),
    ("an exit too large", SELLS, forged(exit_larger_than_the_position), "could sell 3, 2 is open"),
    ("an exit raised", SELLS, forged(exit_raised_later), "could sell 2, 1 is open"),
    ("an exit too early", SELLS, forged(exit_before_the_entry_filled), "could sell 2, 1 is open"),
    ("a result edited", CASH, lifecycle("UPDATE trades SET net_pnl = '500' WHERE id = 'T2611180001'"),
     "net_pnl is 500"),
    ("a fee edited", CASH, lifecycle(fill_where("commission = '9.99'")), "its fees are"),
    ("a sale's price edited", CASH, lifecycle(fill_where("price = '5.80'", FIRST_SALE)), "its fills moved"),
    ("a value edited", CASH, lifecycle("UPDATE trades SET entry_value = '1' WHERE id = 'T2611180003'"),
     "in all the fills moved"),
    ("a diary row gone", WEALTH, wealth("DELETE FROM trade_diary WHERE trade_id = 'T2611180004'"),
     "T2611180004 is WEALTH_UPDATED without a diary row"),
    ("a diary row edited", WEALTH,
     wealth("UPDATE trade_diary SET net_pnl = '1' WHERE trade_id = 'T2611180004'"),
     "trade T2611180004: the diary has 1"),
    ("a diary row twice", WEALTH, diary_row_doubled, "is in the diary twice"),
    ("a diary row of an open trade", WEALTH,
     wealth("UPDATE trade_diary SET trade_id = 'T2611180003' WHERE trade_id = 'T2611180004'"),
     "the diary has trade T2611180003, which is SELL_SUBMITTED"),
    ("capital edited", WEALTH, wealth("UPDATE wealth_state SET capital = '36000'"), "start plus results is"),
    ("P&L to date edited", WEALTH, wealth("UPDATE wealth_state SET pnl_to_date = '0'"), "P&L to date is 0"),
    ("an execution we missed", PAPER + ONCE, paper(THEIR_SECOND_FILL), "at the exchange is not in order_fills"),
    ("an execution they never had", PAPER + ONCE,
     paper(f"DELETE FROM executions WHERE exec_id = '{FIRST_FILL}'"), "is not in the exchange's book"),
    ("another price", PAPER + ONCE, paper(theirs_where("price = '3.20'")), "price is 3.10 here, 3.20 at"),
    ("another fee", PAPER + ONCE, paper(theirs_where("commission = '0.65'")), "commission is 1.30 here"),
    ("another order", PAPER + ONCE, paper(theirs_where(f"order_ref = '{STOP_3}'")), "order_ref is"),
    ("an order we never meant", PAPER + INTENT, paper(THEIR_UNKNOWN_ORDER), "has no intent on the log"),
    ("an order before its intent", PAPER + INTENT, forged(intent_too_late), "before its intent"),
    ("another contract than meant", PAPER + INTENT, forged(another_contract_was_meant),
     "is not the one that was meant"),
    ("an order alive only there", PAPER + INTENT,
     paper(f"UPDATE orders SET state = 'SUBMITTED' WHERE order_ref = '{EXIT_1}'"),
     f"order {EXIT_1} is FILLED here but SUBMITTED at the exchange"),
    ("a larger position there", PAPER + "positions equal", paper(theirs_where("qty = '2'")),
     "the exchange says 1, trades say 0"),
    ("an unsettled position", PAPER + "positions equal", paper("DELETE FROM settlements"),
     "the exchange says 1, trades say 0"),
    ("their cash edited", PAPER + CASH, paper("UPDATE cash SET amount = '-1' WHERE kind = 'commission'"),
     "cash of kind commission"),
    ("their start edited", PAPER + CASH, paper("UPDATE meta SET value = '50000'"), "cash of kind deposit"),
    ("cash of no execution", PAPER + CASH,
     paper(theirs_where("price = '3.20'"),
           f"UPDATE cash SET amount = '-320.00' WHERE kind = 'trade' AND ref = '{FIRST_FILL}'"),
     "our trades moved"),
    ("sold before it was bought", OVERSOLD, paper(theirs_where("seq = 0", FIRST_SALE)), "down to -2"),
    ("an exit resized there", EXITS,
     paper(f"UPDATE order_events SET qty = '4' WHERE order_ref = '{TARGET_3}' AND what = 'received'"),
     "could sell 4, 3 is open"),
    ("an exit before the fill", EXITS,
     paper("UPDATE order_events SET seq = -1 WHERE seq = (SELECT MIN(seq) FROM order_events "
           f"WHERE order_ref = '{EXIT_1}')"), "could sell 2, 0 is open"),
]  # fmt: skip


def test_a_good_runtime_passes_every_check_and_each_check_had_something_to_hold(good: Path) -> None:
    report = verify(good)
    assert [(check.name, check.violations) for check in report.checks if check.violations] == []
    assert all(check.checked > 0 for check in report.checks)
    assert report.ok
    assert report.shape()["ok"] is True
    assert {"name", "checked", "violations"} == set(report.shape()["checks"][0])


@pytest.mark.parametrize(
    ("name", "tamper", "says"),
    [pytest.param(*row[1:], id=row[0]) for row in BROKEN],
)
def test_a_broken_law_is_reported_by_its_own_check(runtime: Path, name: str, tamper: Tamper, says: str) -> None:
    tamper(runtime)
    report = verify(runtime)
    assert not report.ok
    found = report.check(name).violations
    assert any(says in line for line in found), found


def test_every_check_is_broken_by_at_least_one_case(good: Path) -> None:
    assert {check.name for check in verify(good).checks} == {row[1] for row in BROKEN}


def test_without_a_paper_book_the_checks_against_it_are_not_made(runtime: Path) -> None:
    (runtime / "paper.db").unlink()
    report = verify(runtime)
    assert report.ok
    assert not any(check.name.startswith(PAPER) for check in report.checks)


def test_an_empty_directory_is_violations_and_no_traceback(tmp_path: Path) -> None:
    report = verify(tmp_path)
    assert report.check(FILES).violations == (
        "lifecycle.db is missing", "wealth.db is missing", "config.db is missing",
    )  # fmt: skip


def test_verifying_changes_no_byte_of_a_stopped_runtime(runtime: Path) -> None:
    before = {path.name: path.read_bytes() for path in runtime.glob("*.db")}
    verify(runtime)
    assert {path.name: path.read_bytes() for path in runtime.glob("*.db")} == before


def test_a_row_that_cannot_be_understood_breaks_the_check_that_needed_it(runtime: Path) -> None:
    sql(runtime / "lifecycle.db", fill_where("qty = 'many'"))
    report = verify(runtime)
    assert "cannot be understood" in report.check(POSITIONS).violations[0]
    assert report.check(CHAIN).violations == ()


def test_the_databases_may_be_read_while_another_connection_writes(runtime: Path) -> None:
    with closing(sqlite3.connect(runtime / "lifecycle.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO controls VALUES ('gate', '', 'paper', '{}')")
        assert verify(runtime).ok
        writer.execute("ROLLBACK")
