"""The journal tells a real lifecycle database in the promised shapes."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from station.clock import Activity, VirtualClock
from station.domain.errors import BadInput
from station.domain.events import (
    Event,
    Recorded,
    SessionMarked,
    TradeClosed,
    TradeEvent,
    TradeFailed,
    WealthRecorded,
)
from station.domain.instruments import Side, Timeframe
from station.domain.lifecycle import evolve
from station.domain.orders import Action, Execution
from station.domain.ports import Changes
from station.domain.signals import Decision, Firing, Signal
from station.domain.trade import Trade
from station.journal import Journal, decimal_text, open_journal, story_text, trades_table
from station.store import Stores, open_stores
from tests.unit.domain_cases import (
    ACCOUNT,
    CONTRACT,
    bought,
    entry_ended,
    exit_submitted,
    signal_accepted,
    sold,
    strategy_passed,
    to_submitted,
    utc,
)

ROUND_TRIP: tuple[TradeEvent, ...] = (
    *to_submitted(3),
    bought(3),
    entry_ended(),
    exit_submitted(3),
    sold(3),
    TradeClosed("target", Decimal("686.10"), provisional=False),
    WealthRecorded(Decimal("686.10"), Decimal("35686.10"), 1, "trade_start"),
)
STATES = [
    "SCANNER_SIGNAL", "STRATEGY_PASS", "OPTION_SELECTED", "WEALTH_SIZED", "BUY_SUBMITTED", "BUY_FILLED",
    "SELL_SUBMITTED", "SELL_FILLED", "CLOSED", "WEALTH_UPDATED",
]  # fmt: skip


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    opened = await open_stores(
        tmp_path / "run", clock=VirtualClock(utc(14, 30)), activity=Activity(ordered=True), account=ACCOUNT
    )
    yield opened
    await opened.close()


async def tell(stores: Stores, trade_id: str, events: Sequence[Event], at_ns: int, **more: Any) -> Trade:
    trade: Trade | None = None
    for n, event in enumerate(events):
        moment = at_ns + n * 1_000_000
        if isinstance(event, TradeEvent):
            trade = evolve(trade, trade_id, event, moment)
        recorded = Recorded(event, moment, trade_id)
        await stores.lifecycle.commit(Changes(events=(recorded,), trades=(trade,) if trade else ()))
    assert trade is not None
    await stores.lifecycle.commit(Changes(**more))
    return trade


async def test_a_round_trip_is_one_trade_in_the_promised_shape(stores: Stores) -> None:
    await tell(stores, "T1", ROUND_TRIP, utc(15, 5))
    shape = await Journal(stores.lifecycle).trades()
    assert shape == json.loads(json.dumps(shape))
    assert shape["v"] == 1
    assert shape["trades"] == [
        {
            "id": "T1", "account": ACCOUNT, "environment": "paper", "strategy": "V3", "strategy_version": 1,
            "origin": "STRATEGY", "symbol": "SPX",
            "contract": {"class": "SPXW", "expiry": "20261118", "strike": "5940", "right": "C"},
            "qty": 3, "state": "WEALTH_UPDATED", "entry": "10.00", "exit": "12.30", "net_pnl": "686.10",
            "commission": "3.90", "cause": "target", "reason": None,
            "opened_utc": "2026-11-18T15:05:00.000000Z", "closed_utc": "2026-11-18T15:05:00.009000Z",
            "proposal": None,
        }
    ]  # fmt: skip


async def test_a_refused_trade_has_no_contract_no_prices_and_its_cause(stores: Stores) -> None:
    await tell(stores, "T1", (signal_accepted(), strategy_passed(), TradeFailed("no quote", "stale")), utc(15))
    (trade,) = (await Journal(stores.lifecycle).trades())["trades"]
    assert (trade["contract"], trade["entry"], trade["exit"], trade["net_pnl"]) == (None,) * 4
    assert (trade["state"], trade["cause"], trade["reason"], trade["qty"]) == ("FAILED", "no quote", "stale", 0)


async def test_a_story_tells_states_events_and_verdicts_in_order(stores: Stores) -> None:
    verdict = Decision("T1", "risk.spread", "pass", "under the limit", utc(15, 5), "0.01", "0.05")
    await tell(stores, "T1", ROUND_TRIP, utc(15, 5), decisions=(verdict,))
    story = await Journal(stores.lifecycle).story("T1")
    assert list(story) == ["v", "trade", "transitions", "events", "decision", "notes", "tags"]
    assert [step["state"] for step in story["transitions"]] == STATES
    assert [event["seq"] for event in story["events"]] == list(range(1, len(ROUND_TRIP) + 1))
    fill = next(event for event in story["events"] if event["type"] == "order.execution")
    assert (fill["v"], fill["data"]["price"], fill["data"]["purpose"]) == (1, "10.00", "entry")
    assert story["decision"] == [
        {"stage": "risk.spread", "verdict": "pass", "reason": "under the limit", "value": "0.01",
         "limit": "0.05", "ts_utc": "2026-11-18T15:05:00.000000Z"},
    ]  # fmt: skip


async def test_an_unknown_trade_is_one_clear_line(stores: Stores) -> None:
    await tell(stores, "T1", ROUND_TRIP, utc(15, 5))
    with pytest.raises(BadInput, match=r"no trade 'T9' among the 1 in this journal") as raised:
        await Journal(stores.lifecycle).story("T9")
    assert "\n" not in str(raised.value)


async def test_the_figures_count_what_was_minted_closed_won_and_held(stores: Stores) -> None:
    lost = (*ROUND_TRIP[:-3], sold(3, "9.00"), TradeClosed("shield", Decimal("-303.90"), provisional=False))
    await tell(stores, "T1", ROUND_TRIP, utc(15, 5))
    await tell(stores, "T2", lost, utc(15, 10))
    await tell(stores, "T3", (*to_submitted(1), bought(1)), utc(15, 15), signals=(a_signal("S1", utc(15)),))
    found = await Journal(stores.lifecycle).figures()
    assert found.shape() == {
        "signals": 1, "trades": 3, "closed": 2, "wins": 1, "net_pnl": "382.20", "commissions": "8.45",
        "max_open": 1,
    }  # fmt: skip


async def test_positions_held_side_by_side_are_counted_together(stores: Stores) -> None:
    await tell(stores, "T1", (*to_submitted(1), bought(1)), utc(15, 5))
    await tell(stores, "T2", (*to_submitted(1), bought(1)), utc(15, 6))
    assert (await Journal(stores.lifecycle).figures()).max_open == 2


def a_signal(signal_id: str, at_ns: int) -> Signal:
    firing = Firing("SPX_V3_CALL", "SPX", Timeframe.M5, Side.CALL, 70, at_ns - 300, at_ns, 5938.5)
    return Signal(signal_id, firing, 70, 1, at_ns, at_ns + 900)


def a_fill(exec_id: str, at_ns: int, price: str = "10.00") -> Execution:
    ref = f"V1-{ACCOUNT}-T1-E-1"
    return Execution(exec_id, ref, ACCOUNT, CONTRACT, Action.BUY, Decimal(1), Decimal(price), at_ns)


async def digest_of(tmp_path: Path, name: str, *, flip: bool = False, price: str = "10.00") -> str:
    clock = VirtualClock(utc(14, 30))
    opened = await open_stores(tmp_path / name, clock=clock, activity=Activity(ordered=True), account=ACCOUNT)
    signals = (a_signal("S1", utc(15)), a_signal("S2", utc(15)))
    fills = (a_fill("e.1", utc(15, 5), price), a_fill("e.2", utc(15, 6)))
    if flip:
        signals, fills = signals[::-1], fills[::-1]
        await opened.lifecycle.commit(
            Changes(events=(Recorded(SessionMarked("started", "2026-11-18", name), utc(14, 30)),))
        )
    await tell(opened, "T1", ROUND_TRIP, utc(15, 5), signals=signals, executions=fills)
    found = await Journal(opened.lifecycle).digest()
    await opened.close()
    return found


async def test_the_digest_follows_what_happened_and_nothing_else(tmp_path: Path) -> None:
    first = await digest_of(tmp_path, "a")
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert await digest_of(tmp_path, "b", flip=True) == first
    assert await digest_of(tmp_path, "c", price="10.05") != first


async def test_the_digest_holds_a_line_at_a_time_however_long_the_books(stores: Stores) -> None:
    signals = tuple(a_signal(f"S{n:05}", utc(15) + n) for n in range(2_000))
    await stores.lifecycle.commit(Changes(signals=signals))
    tracemalloc.start()
    try:
        await Journal(stores.lifecycle).digest()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500_000, f"{peak} bytes for {len(signals)} signals"


async def test_a_runtime_directory_is_read_while_its_engine_runs_and_after(
    stores: Stores, tmp_path: Path
) -> None:
    await tell(stores, "T1", ROUND_TRIP, utc(15, 5))
    running = await Journal(stores.lifecycle).trades()
    with open_journal(tmp_path / "run") as journal:
        assert await journal.trades() == running
        await tell(stores, "T2", ROUND_TRIP, utc(15, 6))
        assert await journal.trades() == running, "one journal is of one instant"
    await stores.close()
    with open_journal(tmp_path / "run") as journal:
        assert [trade["id"] for trade in (await journal.trades())["trades"]] == ["T1", "T2"]


def test_a_directory_without_a_database_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no lifecycle\.db"), open_journal(tmp_path):
        raise AssertionError("it opened nothing")


async def test_the_tables_print_every_trade_and_state(stores: Stores) -> None:
    await tell(stores, "T1", ROUND_TRIP, utc(15, 5))
    journal = Journal(stores.lifecycle)
    console = Console(width=200, record=True, file=StringIO())
    console.print(trades_table(await journal.trades()))
    console.print(story_text(await journal.story("T1")))
    text = console.export_text()
    assert "10:05:00" in text
    assert "SPXW 20261118 5940C" in text
    assert all(state in text for state in STATES)


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0.00"), ("-0.000", "0.00"), ("10", "10.00"), ("1E+3", "1000.00"), ("2.5", "2.50"),
     ("0.013", "0.013"), ("-303.9000", "-303.90"), ("3.33333333333333", "3.33333333")],
)  # fmt: skip
def test_money_is_plain_text_with_two_to_eight_decimals(amount: str, text: str) -> None:
    assert decimal_text(Decimal(amount)) == text


async def test_a_partly_filled_entry_shows_what_was_bought(stores: Stores) -> None:
    await tell(stores, "T1", (*to_submitted(3), bought(2)), utc(15, 5))
    assert (await Journal(stores.lifecycle).trades())["trades"][0]["qty"] == 2
