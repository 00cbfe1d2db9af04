"""Entries that something else overtakes on their way, and books that know less than the broker."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from station.domain.broker import Margin
from station.domain.errors import StorageUnavailable
from station.domain.orders import Ticket as OrderTicket
from station.domain.ports import Changes, Committed
from station.domain.signals import SignalState
from station.domain.trade import TradeState
from station.link import PlaceOrder, Ticket
from station.risk import Gate
from station.store.lifecycle import LifecycleRepository
from tests.faults.station_stage import RICH, Stage, ours
from tests.lab import assert_sound, paper_rows, play


def _cut(monkeypatch: pytest.MonkeyPatch, *sizes: int) -> list[int]:
    """The first hand-overs of several transitions take only so many of them; yields how long each was."""
    true, cut = LifecycleRepository.commit_each, list[int]()

    async def commit_each(self: LifecycleRepository, steps: Sequence[Changes]) -> Committed:
        if len(cut) >= len(sizes):
            return await true(self, steps)
        cut.append(len(steps))
        done = await true(self, steps[: sizes[len(cut) - 1]])
        return Committed(done.done, StorageUnavailable("lifecycle.db is locked by another process"))

    monkeypatch.setattr(LifecycleRepository, "commit_each", commit_each)
    return cut


def test_fault_54_strategy_that_only_observes_never_enters_however_its_trade_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = _cut(monkeypatch, 1)

    async def work() -> None:
        async with Stage(tmp_path, start="09:38:30", strategy={"autonomy": "observe"}) as lab:
            await lab.until("09:46:30")
            assert cut == [2]
            assert paper_rows(tmp_path, "SELECT order_ref FROM orders") == []
            assert {(t.state, t.cause) for t in lab.trades()} == {(TradeState.FAILED, "observe")}

    play(work)
    assert_sound(tmp_path)


def test_fault_54_signals_are_what_the_database_says_after_a_hand_over_that_took_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _cut(monkeypatch, 1, 0)

    async def work() -> None:
        async with Stage(tmp_path, start="09:38:30") as lab:
            await lab.until("09:41")
            trade = lab.first()
            assert trade.state is TradeState.SELL_SUBMITTED
            states = ours(tmp_path, f"SELECT DISTINCT state FROM signals WHERE trade_id = '{trade.id}'")
            assert states == [(SignalState.EXECUTING.value,)]

    play(work)
    assert_sound(tmp_path)


@pytest.mark.parametrize("how", ["gate", "flatten"])
def test_fault_61_entry_in_line_behind_the_gate_is_not_sent(tmp_path: Path, how: str) -> None:
    """Judged under an open gate, committed after it closed: the intent ends where it is."""

    async def work() -> None:
        async with Stage(tmp_path, start="09:38:30") as lab:
            ledger, controls = lab.rooms.ledger, lab.rooms.controls
            each, closing = ledger.record_each, list[asyncio.Task[object]]()

            async def behind(trade_id: str, steps: Sequence[object]) -> object:
                if not closing:
                    hand = (
                        controls.set_gate(Gate.CLOSED, "hand", "test")
                        if how == "gate"
                        else controls.flatten("hand")
                    )
                    closing.append(asyncio.ensure_future(hand))
                    turn = asyncio.get_running_loop().create_future()
                    asyncio.get_running_loop().call_soon(turn.set_result, None)
                    await turn
                return await each(trade_id, steps)  # type: ignore[arg-type]

            ledger.record_each = behind  # type: ignore[method-assign]
            await lab.until("09:41")
            assert closing
            assert paper_rows(tmp_path, "SELECT order_ref FROM orders") == []
            (trade, *_) = lab.trades()
            assert trade.state is TradeState.FAILED
            assert "entries were closed before it was sent" in trade.reason

    play(work)
    assert_sound(tmp_path)


def test_fault_21_limits_hold_for_two_orders_that_wait_for_their_margin_at_once(tmp_path: Path) -> None:
    """One position allowed: a strategy's SPY and a hand's SPX are both with the broker; one of them enters."""
    wide = {
        "risk.max_positions": 1, "paper.start_cash_usd": 2_000_000, "risk.capital_at_risk_usd": 500_000,
        "risk.max_volume_share_pct": 100,
    }  # fmt: skip

    async def work() -> None:
        async with Stage(tmp_path, settings=wide) as lab:
            await lab.until("09:39:58")
            real, clock, asked = lab.run.exchange.what_if, lab.run.engine.outside.clock, list[str]()

            async def slow(ticket: OrderTicket) -> Margin:
                asked.append(ticket.contract.symbol)
                await clock.sleep(1.5)
                return await real(ticket)

            lab.run.exchange.what_if = slow  # type: ignore[method-assign]
            await lab.tick_until(lambda: bool(asked))
            spot = lab.rooms.market.last_price("SPX")
            assert spot is not None
            strike = str(round(spot / 5) * 5)
            buy = Ticket("SPX", "BUY", 1, "C", strike, "0dte", "MARKET", target_pct="90", stop_pct="60")
            await lab.during(asyncio.ensure_future(lab.ask(PlaceOrder(buy, "a", "t"))))
            await lab.step(3)
            assert sorted(asked[:2]) == ["SPX", "SPY"]
            assert len(paper_rows(tmp_path, "SELECT order_ref FROM orders WHERE purpose = 'entry'")) == 1
            assert sum(trade.state is TradeState.FAILED for trade in lab.trades()) == 1

    play(work)
    assert_sound(tmp_path)


def test_fault_36_exits_that_an_older_database_does_not_know_are_never_sold_twice(tmp_path: Path) -> None:
    """The database is of the moment the entry was sent; at the broker it filled, one exit sold and one works:
    no reference is used again, and no more is on sale than is held."""
    early, newer = tmp_path / "early", tmp_path / "newer"

    async def first() -> None:
        async with Stage(newer, settings=RICH, strategy={"ladder": "5:0.34 40:0.33 60:0.33"}) as stage:
            await stage.until("09:39")
            await stage.until_sent()
            shutil.copytree(newer, early, ignore=shutil.ignore_patterns("*.sock"))
            trade = stage.first()
            await stage.until_true(lambda: 0 < stage.trade(trade.id).exit_filled < 3, limit_s=1500)

    play(first)
    for name in ("paper.db", "paper.db-wal", "paper.db-shm"):
        (early / name).unlink(missing_ok=True)
        if (newer / name).exists():
            shutil.copy(newer / name, early / name)

    async def back() -> None:
        async with Stage(early, settings=RICH) as stage:
            known = {ref for (ref,) in paper_rows(early, "SELECT order_ref FROM orders")}
            sent, place = list[str](), stage.run.exchange.place

            async def watched(tickets: Sequence[OrderTicket]) -> None:
                sent.extend(ticket.order_ref for ticket in tickets)
                await place(tickets)

            stage.run.exchange.place = watched  # type: ignore[method-assign]
            await stage.step(60)
            assert not known & set(sent)
            sells = "SELECT qty, filled FROM orders WHERE action = 'SELL' AND state IN ('SUBMITTED', 'PENDING')"
            offered = sum(Decimal(qty) - Decimal(filled) for qty, filled in paper_rows(early, sells))
            held = sum(position.qty for position in await stage.run.exchange.positions())
            assert 0 < offered <= held

    play(back)
