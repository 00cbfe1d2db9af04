"""Money on the paper exchange: fees, settlement, sessions carried over, and cash that adds up by plain SQL."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from station.brokers.paper import GeneratedTape, PaperExchange
from station.brokers.paper.ledger import Ledger
from station.calendars import load_calendar
from station.clock import Activity, VirtualClock
from station.domain.broker import Account, Margin, Position
from station.domain.errors import BrokerUnavailable, Fatal, Refused
from station.domain.fees import fill_fee, order_fee
from station.domain.instruments import INSTRUMENTS, Contract, SecType, Timeframe
from station.domain.orders import Execution, Tif
from tests.unit.paper_harness import ACCOUNT, DAY, Action, Alone, Right, alone, at_the_money, option, ticket

CALENDAR = load_calendar()
TAPE = GeneratedTape(7, DAY, CALENDAR, None)
STRIKE = at_the_money(TAPE, "SPX")
CALL = option("SPX", STRIKE + 20, Right.CALL)
SPY = Contract("SPY", SecType.STOCK, trading_class="SPY", exchange="SMART")
BUY, SELL = Action.BUY, Action.SELL


def rows(book: Path, sql: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(book)) as connection:
        return connection.execute(sql).fetchall()


def audit(book: Path) -> Decimal:
    """Cash by the executions, fees and settlements alone; must equal the cash rows to the cent."""
    cash = Decimal(rows(book, "SELECT value FROM meta WHERE key = 'start_cash'")[0][0])
    for action, qty, price, multiplier, fee in rows(
        book, "SELECT action, qty, price, multiplier, commission FROM executions"
    ):
        value = Decimal(qty) * Decimal(price) * int(multiplier)
        cash += (value if action == "SELL" else -value) - Decimal(fee)
    for qty, price, multiplier in rows(book, "SELECT qty, price, multiplier FROM settlements"):
        cash += Decimal(qty) * Decimal(price) * int(multiplier)
    assert cash == sum((Decimal(row[0]) for row in rows(book, "SELECT amount FROM cash")), Decimal(0))
    return cash


@pytest.mark.parametrize(
    ("contract", "qty", "fee"),
    [
        (CALL, 1, "1.00"), (CALL, 2, "1.30"), (CALL, 10, "6.50"), (SPY, 100, "1.00"), (SPY, 1000, "5.00"),
        (option("ES", 6000, Right.CALL), 1, "1.42"), (option("ES", 6000, Right.CALL), 3, "4.26"),
    ],
)  # fmt: skip
def test_fees_follow_the_schedule_with_a_dollar_an_order_at_least(
    contract: Contract, qty: int, fee: str
) -> None:
    assert order_fee(contract, Decimal(qty)) == Decimal(fee)


def test_the_fees_of_the_pieces_are_the_fee_of_the_order() -> None:
    pieces = [1, 1, 3, 5]
    before, total = Decimal(0), Decimal(0)
    for piece in pieces:
        total += fill_fee(CALL, before, Decimal(piece))
        before += piece
    assert total == order_fee(CALL, Decimal(10))
    assert fill_fee(CALL, Decimal(1), Decimal(1)) == Decimal("0.30")


def test_a_ledger_keeps_average_cost_and_realises_what_closes() -> None:
    ledger = Ledger()
    for signed, price in ((2, 10), (2, 20), (-1, 25), (-5, 30)):
        ledger.trade(CALL, Decimal(signed), Decimal(price))
    assert ledger.realised == (Decimal(10) + 3 * Decimal(15)) * 100
    assert (ledger.holdings[CALL].qty, ledger.holdings[CALL].cost) == (-2, 30)
    ledger.trade(CALL, Decimal(2), Decimal(20))
    assert ledger.realised == Decimal(55 * 100 + 2 * 10 * 100)
    assert ledger.holdings == {}


def test_cash_positions_and_fees_add_up_in_the_book_and_in_the_answers(tmp_path: Path) -> None:
    told: list[tuple[Account, tuple[Position, ...], tuple[Execution, ...]]] = []
    spy_call = option("SPY", at_the_money(TAPE, "SPY") + 2, Right.CALL)

    async def trade(run: Alone) -> None:
        await run.exchange.place(
            [ticket("a", CALL, BUY, 90), ticket("b", spy_call, BUY, 5), ticket("c", SPY, BUY, 30)]
        )

    async def sell(run: Alone) -> None:
        await run.exchange.place([ticket("d", CALL, SELL, 80)])

    async def ask(run: Alone) -> None:
        exchange = run.exchange
        told.append((await exchange.account(), await exchange.positions(), await exchange.executions()))

    alone(tmp_path, [(10, trade), (60, sell), (120, ask)], 130)
    account, positions, executions = told[0]
    assert account.cash == audit(tmp_path / "paper.db")
    assert {p.contract: p.qty for p in positions} == {CALL: 10, spy_call: 5, SPY: 30}
    assert all(p.contract.con_id > 0 and p.account == ACCOUNT for p in positions)
    assert (
        sum((e.commission or Decimal(0) for e in executions), Decimal(0))
        == Decimal("58.50") + Decimal("3.25") + 1 + 52
    )
    assert account.net_liquidation == pytest.approx(account.cash + account.unrealised + sum(
        (p.qty * p.avg_cost * p.contract.multiplier for p in positions), Decimal(0)
    ), abs=Decimal("0.02"))  # fmt: skip
    stored = rows(tmp_path / "paper.db", "SELECT contract, order_ref FROM executions WHERE order_ref = 'b'")[0]
    assert json.loads(stored[0]) == {
        "symbol": "SPY", "sec_type": "OPT", "expiry": "20260722", "strike": str(spy_call.strike), "right": "C",
        "trading_class": "SPY", "multiplier": 100, "exchange": "SMART", "currency": "USD",
        "con_id": next(p.contract.con_id for p in positions if p.contract == spy_call),
    }  # fmt: skip


def test_the_book_says_how_every_order_came_to_its_state(tmp_path: Path) -> None:
    async def trade(run: Alone) -> None:
        await run.exchange.place([ticket("a", CALL, BUY), ticket("w", CALL, BUY, limit="1.00")])

    async def end(run: Alone) -> None:
        await run.exchange.cancel("w")

    alone(tmp_path, [(10, trade), (12, end)], 20)
    book = tmp_path / "paper.db"
    story = "SELECT what, state FROM order_events WHERE order_ref = ? ORDER BY seq"
    with closing(sqlite3.connect(book)) as connection:
        assert connection.execute(story, "a").fetchall() == [
            ("received", "PENDING"), ("acknowledged", "SUBMITTED"), ("filled", "FILLED"),
        ]  # fmt: skip
        assert connection.execute(story, "w").fetchall()[-1] == ("cancelled", "CANCELLED")
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("SELECT state, filled FROM orders ORDER BY order_ref").fetchall() == [
            ("FILLED", "1"), ("CANCELLED", "0"),
        ]  # fmt: skip
    assert book.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("offset", [-60, 60])
def test_options_of_the_day_turn_into_cash_at_the_close(tmp_path: Path, offset: int) -> None:
    last = TAPE.settlement("SPX", DAY)
    assert last is not None
    strike = Decimal(5 * round(last / 5)) + offset
    call, put = option("SPX", strike, Right.CALL), option("SPX", strike, Right.PUT)
    later = option("SPX", STRIKE, Right.CALL, "20260723")

    async def buy(run: Alone) -> None:
        await run.exchange.place([ticket("c", call, BUY), ticket("p", put, BUY), ticket("l", later, BUY)])

    left: list[Position] = []

    async def ask(run: Alone) -> None:
        left.extend(await run.exchange.positions())

    run = alone(tmp_path, [(23_000, buy), (23_401, ask)], 23_402, start_s=22_990)
    assert [p.contract for p in left] == [later]
    assert run.exchange.floor.over
    worth = dict(rows(tmp_path / "paper.db", "SELECT contract, price FROM settlements"))
    intrinsic = Decimal(repr(last)) - strike
    assert len(worth) == 2
    for text, price in worth.items():
        call_side = json.loads(text)["right"] == "C"
        assert Decimal(price) == max(intrinsic if call_side else -intrinsic, Decimal(0))
    audit(tmp_path / "paper.db")


def test_a_new_session_carries_cash_and_positions_over_and_settles_what_expired(tmp_path: Path) -> None:
    tomorrow = option("SPX", STRIKE, Right.CALL, "20260723")

    async def buy(run: Alone) -> None:
        await run.exchange.place([
            ticket("today", CALL, BUY), ticket("tomorrow", tomorrow, BUY, 2),
            ticket("gtc", tomorrow, BUY, limit="0.05", tif=Tif.GTC), ticket("day", tomorrow, BUY, limit="0.05"),
        ])  # fmt: skip

    alone(tmp_path, [(10, buy)], 3600)
    told: list[tuple[tuple[Position, ...], list[str], tuple[Execution, ...]]] = []

    async def ask(run: Alone) -> None:
        exchange = run.exchange
        orders = [order.order_ref for order in await exchange.open_orders()]
        told.append((await exchange.positions(), orders, await exchange.executions()))

    async def sell(run: Alone) -> None:
        await run.exchange.place([ticket("out", tomorrow, SELL, 2)])

    next_tape = GeneratedTape(7, date(2026, 7, 23), CALENDAR, None)
    run = alone(tmp_path, [(5, ask), (6, sell)], 60, tape=next_tape)
    (positions, orders, executions) = told[0]
    assert [(p.contract, p.qty) for p in positions] == [(tomorrow, 2)]
    assert orders == ["gtc"]
    assert executions == ()
    assert len(run.executions("out")) == 1
    audit(tmp_path / "paper.db")
    settled = rows(tmp_path / "paper.db", "SELECT contract, price FROM settlements")
    last = TAPE.settlement("SPX", DAY)
    assert last is not None
    assert [Decimal(price) for _, price in settled] == [max(Decimal(repr(last)) - CALL.strike, Decimal(0))]


def test_a_position_left_for_days_is_settled_at_the_close_of_its_own_date(tmp_path: Path) -> None:
    tomorrow = option("SPX", STRIKE - 50, Right.CALL, "20260723")

    async def buy(run: Alone) -> None:
        await run.exchange.place([ticket("b", tomorrow, BUY)])

    alone(tmp_path, [(10, buy)], 60)
    alone(tmp_path, [], 5, tape=GeneratedTape(7, date(2026, 7, 28), CALENDAR, None))
    last = TAPE.settlement("SPX", date(2026, 7, 23))
    assert last is not None
    (price,) = rows(tmp_path / "paper.db", "SELECT price FROM settlements")[0]
    assert Decimal(price) == max(Decimal(repr(last)) - tomorrow.strike, Decimal(0))


def test_a_book_of_another_seed_or_a_later_session_is_refused_in_one_line(tmp_path: Path) -> None:
    alone(tmp_path, [], 5)
    with pytest.raises(Fatal, match=r"belongs to source 'seed 7', not 'seed 8'") as refused:
        alone(tmp_path, [], 5, seed=8)
    assert "\n" not in str(refused.value)
    with pytest.raises(Fatal, match=r"has reached session 2026-07-22"):
        alone(tmp_path, [], 5, tape=GeneratedTape(7, date(2026, 7, 21), CALENDAR, None))


def test_a_file_that_is_no_book_is_fatal(tmp_path: Path) -> None:
    (tmp_path / "paper.db").write_bytes(b"this is no database, and never was one" * 50)
    with pytest.raises(Fatal, match="cannot be read"):
        alone(tmp_path, [], 5)


async def test_questions_without_a_connection_raise_and_never_answer_empty(tmp_path: Path) -> None:
    exchange = PaperExchange(
        TAPE,
        tmp_path / "paper.db",
        clock=VirtualClock(TAPE.open_ns),
        activity=Activity(ordered=False),
        calendar=CALENDAR,
    )
    await exchange.open()
    try:
        for question in (exchange.positions, exchange.open_orders, exchange.executions, exchange.account):
            with pytest.raises(BrokerUnavailable):
                await question()
        with pytest.raises(BrokerUnavailable):
            await exchange.place([ticket("b", CALL, BUY)])
        with pytest.raises(BrokerUnavailable):
            await exchange.history(INSTRUMENTS["SPX"], Timeframe.M1, TAPE.open_ns, 5)
    finally:
        await exchange.close()


async def test_reference_answers(tmp_path: Path) -> None:
    exchange = PaperExchange(
        TAPE,
        tmp_path / "paper.db",
        clock=VirtualClock(TAPE.open_ns),
        activity=Activity(ordered=False),
        calendar=CALENDAR,
    )
    await exchange.open()
    await exchange.connect(lambda report: None)
    try:
        spx = await exchange.resolve(INSTRUMENTS["SPX"])
        assert (spx.sec_type, spx.con_id > 0) == (SecType.INDEX, True)
        unknown = option("SPX", STRIKE + 1, Right.CALL)
        assert await exchange.qualify([CALL, unknown]) == (CALL,)
        with pytest.raises(Refused, match="is not listed"):
            await exchange.tick_rule(unknown)
        with pytest.raises(Refused, match="is not listed"):
            await exchange.watch(unknown)
        margin = await exchange.what_if(ticket("w", CALL, BUY, 2))
        assert isinstance(margin, Margin)
        bars = await exchange.history(INSTRUMENTS["SPX"], Timeframe.D1, TAPE.open_ns, 10)
        assert len(bars) == 10
    finally:
        await exchange.close()
