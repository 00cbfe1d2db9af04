"""FAULTS 2 at the exchange: the last fill is corrected a moment later; both rows stay, the cash follows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from station.brokers.paper import Fault, GeneratedTape
from station.calendars import load_calendar
from tests.lab import Lab, assert_sound, paper_rows, play
from tests.unit.paper_harness import DAY, Action, Alone, Right, alone, at_the_money, option, ticket


def rows(folder: Path, sql: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(folder / "paper.db")) as connection:
        return connection.execute(sql).fetchall()


def test_fault_02_a_corrected_execution_keeps_both_rows_and_moves_cash_cost_and_result(tmp_path: Path) -> None:
    tape = GeneratedTape(7, DAY, load_calendar(), None)
    contract = option("SPY", at_the_money(tape, "SPY"), Right.CALL)

    async def buy(run: Alone) -> None:
        await run.exchange.place([ticket("B", contract, Action.BUY, 3)])

    async def look(run: Alone) -> None:
        (position,) = await run.exchange.positions()
        seen.append(position.avg_cost)

    seen: list[Decimal] = []
    faults = [Fault("correct_execution")]
    run = alone(tmp_path, [(5.0, buy), (20.0, look)], 30.0, tape=tape, faults=faults)
    wrong, right = run.executions("B")
    assert (wrong.exec_id[-3:], right.exec_id[-3:], wrong.root_id) == (".01", ".02", right.root_id)
    assert right.price - wrong.price == Decimal("0.01")
    assert seen == [right.price]
    moved = rows(tmp_path, "SELECT amount FROM cash WHERE kind = 'trade' ORDER BY seq")
    assert sum(Decimal(amount) for (amount,) in moved) == -3 * right.price * 100
    again = alone(tmp_path, [(40.0, look)], 45.0, tape=tape, start_s=30.0, faults=faults)
    assert seen == [right.price] * 2, "the book remembers which row stands"
    assert again.executions() == []


def test_fault_02_a_correction_that_is_due_while_the_exchange_is_away_still_comes(tmp_path: Path) -> None:
    tape = GeneratedTape(7, DAY, load_calendar(), None)
    contract = option("SPY", at_the_money(tape, "SPY"), Right.CALL)

    async def buy(run: Alone) -> None:
        await run.exchange.place([ticket("B", contract, Action.BUY, 1)])

    faults = [Fault("correct_execution")]
    alone(tmp_path, [(5.0, buy)], 5.5, tape=tape, faults=faults)
    assert len(rows(tmp_path, "SELECT exec_id FROM executions")) == 1
    alone(tmp_path, [], 30.0, tape=tape, start_s=5.5, faults=faults)
    assert [row[0][-3:] for row in rows(tmp_path, "SELECT exec_id FROM executions ORDER BY seq")] == [
        ".01",
        ".02",
    ]


def test_fault_02_the_station_restates_and_every_book_agrees(tmp_path: Path) -> None:
    async def session() -> None:
        async with Lab(tmp_path, faults=[Fault("correct_execution", count=4)]) as lab:
            await lab.until("10:15")

    play(session)
    ids = [row[0] for row in paper_rows(tmp_path, "SELECT exec_id FROM executions ORDER BY seq")]
    assert sum(name.endswith(".02") for name in ids) >= 2
    assert_sound(tmp_path)
