"""Several transitions in one hand-over to the database, which takes only the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from station.domain.errors import StorageUnavailable
from station.domain.ports import Changes, Committed
from station.domain.signals import SignalState
from station.domain.trade import TradeState
from station.store.lifecycle import LifecycleRepository
from tests.faults.station_stage import Stage, ours
from tests.lab import assert_sound, paper_rows, play

STATES = (TradeState.STRATEGY_PASS, TradeState.OPTION_SELECTED, TradeState.WEALTH_SIZED)


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
def test_fault_54_database_locked_between_two_transitions_is_gone_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    """What was taken stands, nothing is sent; five seconds on the trade goes on with its signals as they were,
    and is entered once. Where not even the first was taken there is no trade, and nothing was used up."""
    true, cut = LifecycleRepository.commit_each, list[int]()

    async def commit_each(self: LifecycleRepository, steps: Sequence[Changes]) -> Committed:
        if cut or len(steps) < 4:
            return await true(self, steps)
        cut.append(len(steps))
        done = await true(self, steps[:taken])
        return Committed(done.done, StorageUnavailable("lifecycle.db is locked by another process"))

    monkeypatch.setattr(LifecycleRepository, "commit_each", commit_each)

    async def work() -> None:
        async with Stage(tmp_path, start="09:38:30") as lab:
            await lab.until("09:40:02")
            assert cut == [4]
            assert paper_rows(tmp_path, "SELECT order_ref FROM orders") == []
            if taken:
                (trade,) = lab.trades()
                assert trade.state is STATES[taken - 1]
                assert ours(tmp_path, "SELECT state FROM trades") == [(trade.state.value,)]
            else:
                assert lab.trades() == []
            await lab.until_true(lambda: bool(lab.entered()), limit_s=600)
            entered = lab.entered()
            assert not taken or entered[0].id == lab.trades()[0].id
            sent = [
                ref for (ref,) in paper_rows(tmp_path, "SELECT order_ref FROM orders WHERE purpose = 'entry'")
            ]
            assert sorted(sent) == sorted(trade.entry_ref for trade in entered)
            for trade in entered:
                states = ours(tmp_path, f"SELECT DISTINCT state FROM signals WHERE trade_id = '{trade.id}'")
                assert states == [(SignalState.EXECUTING.value,)]

    play(work)
    assert_sound(tmp_path)
