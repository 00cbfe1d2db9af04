"""The same money told in two places is one sum: equity beside the day's result, a result beside its percent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from station.domain.clock import SECOND
from station.engine.panes import Panes
from station.engine.view import FloorView
from station.link import Account, Ask, ClosePart
from tests.faults.test_station_manual import Hand
from tests.lab import play

START_CASH = Decimal(35_000)
BEAT_S = 5


def test_equity_is_the_start_and_the_days_result_soon_after_a_fill_and_soon_after_the_last_close(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with Hand(tmp_path) as lab:
            money, view = lab.rooms.money, FloorView(lab.run.engine, "", lambda: None)
            trade = await lab.until_protected()
            agreed = 0
            for _ in range(12):
                account = money.account
                assert account is not None
                assert lab.now() - account.at_ns <= (BEAT_S + 2) * SECOND, "the beat of a flat account goes on"
                if account.at_ns == lab.now():
                    assert money.equity == START_CASH + money.day_pnl()
                    agreed += 1
                await lab.step()
            assert agreed >= 2
            part = view.floor().positions
            assert part is not None
            (row,) = part.rows
            assert (row.pnl, row.pnl_pct) == (
                money.pnl_of(lab.trade(trade.id)),
                pytest.approx(float(money.pnl_of(lab.trade(trade.id)) / trade.entry_value * 100), abs=0.005),
            )
            assert (await lab.ordered(ClosePart(trade.id, 3))).ok
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)
            await lab.step(2 * BEAT_S)
            assert money.equity == START_CASH + money.day_pnl() != START_CASH

    async def after_a_restart() -> None:
        async with Hand(tmp_path, start=None) as lab:
            await lab.until("09:40")
            panes = Panes(lab.run.engine, lambda: 0, lambda _: None)
            panes.beat()
            account = panes.answer(Ask("account"))
            assert isinstance(account, Account)
            assert account.curve_from_ns == lab.at("09:30")
            assert len(account.curve) == 11
            assert account.curve[5] == 0
            assert account.curve[-1] == float(account.day_pnl or 0) != 0, "the morning is not forgotten"
            assert account.curve[8] == account.curve[-1]

    play(work)
    play(after_a_restart)
