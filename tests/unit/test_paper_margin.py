"""Shares on margin, short sales, accounts side by side, and halts that come by themselves."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from station.brokers.paper import FAULTS, GeneratedTape, rare_halts
from station.brokers.paper.profiles import side_by_side
from station.calendars import load_calendar
from station.domain.broker import Account
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, underlying_contract
from station.domain.orders import OrderState
from tests.unit.paper_harness import DAY, Action, Alone, Deed, alone, ticket

SPY = underlying_contract(INSTRUMENTS["SPY"])
TAPE = GeneratedTape(7, DAY, load_calendar(), None)
PRICE = Decimal(repr(float(TAPE.ticks("SPY").price[0])))


def place(ref: str, action: Action, qty: int) -> Deed:
    async def deed(run: Alone) -> None:
        await run.exchange.place([ticket(ref, SPY, action, qty)])

    return deed


def test_shares_are_bought_for_a_quarter_and_no_more_than_four_times(tmp_path: Path) -> None:
    cash = Decimal(10_000)
    most = int(cash * 4 / PRICE) - 1
    seen: list[Account] = []

    async def look(run: Alone) -> None:
        seen.append(await run.exchange.account())

    script = [(2.0, place("A", Action.BUY, most)), (20.0, look), (25.0, place("B", Action.BUY, 5))]
    run = alone(tmp_path, script, 40.0, tape=TAPE, start_cash=cash)
    assert run.states("A")[-1] is OrderState.FILLED
    assert run.codes("B") == [201]
    (account,) = seen
    assert account.cash < 0
    assert abs(account.net_liquidation - cash) < 50
    assert abs(account.maintenance - most * PRICE / 4) < 100
    assert account.buying_power < account.net_liquidation * Decimal("0.05")


def test_a_short_sale_sets_its_proceeds_and_thirty_percent_aside_until_it_is_bought_back(
    tmp_path: Path,
) -> None:
    cash = Decimal(20_000)
    qty = int(cash / PRICE * 3)
    seen: list[Account] = []

    async def look(run: Alone) -> None:
        seen.append(await run.exchange.account())

    script = [
        (2.0, place("S", Action.SELL, qty)), (20.0, look), (22.0, place("MORE", Action.SELL, qty)),
        (25.0, place("BACK", Action.BUY, qty)), (60.0, look),
    ]  # fmt: skip
    run = alone(tmp_path, script, 70.0, tape=TAPE, start_cash=cash)
    assert run.states("S")[-1] is OrderState.FILLED
    assert run.codes("MORE") == [201]
    assert run.states("BACK")[-1] is OrderState.FILLED
    short, flat = seen
    assert abs(short.maintenance - qty * PRICE * Decimal("0.3")) < 200
    assert abs(short.net_liquidation - cash) < 100
    assert (flat.maintenance, flat.buying_power) == (0, flat.cash.quantize(Decimal("0.01")))


def test_accounts_stand_side_by_side(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    alone(small, [(2.0, place("A", Action.BUY, 1))], 10.0, tape=TAPE, start_cash=Decimal(10_000))
    alone(large, [], 10.0, tape=TAPE, start_cash=Decimal(250_000))
    rows = side_by_side({"small": small, "large": large})
    assert [(row.name, row.start_cash, row.executions, row.open_contracts) for row in rows] == [
        ("large", 250_000, 0, 0), ("small", 10_000, 1, 1)
    ]  # fmt: skip
    with pytest.raises(BadInput, match="no paper book"):
        side_by_side({"none": tmp_path})


def test_halts_that_come_by_themselves_are_rare_and_the_seed_s() -> None:
    symbols = [f"S{n}" for n in range(1000)]
    halts = rare_halts(7, DAY, symbols)
    assert halts == rare_halts(7, DAY, symbols)
    assert 2 <= len(halts) <= 25
    assert halts != rare_halts(8, DAY, symbols)
    assert all(TAPE.open_ns < halt.at_ns and halt.until_ns < TAPE.close_ns for halt in halts)
    assert {halt.name for halt in halts} <= set(FAULTS)
