"""What an order's size is measured against: the volume that the market really has."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest

from station.domain.instruments import INSTRUMENTS, Timeframe, underlying_contract
from tests.faults.station_stage import Stage, ours
from tests.lab import play


def test_the_volume_rule_measures_options_by_interest_and_shares_by_fourteen_days(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:38")
            trade = await lab.until_holding()
            assert trade.contract is not None
            quote, judgement = lab.rooms.market.quote(trade.contract), lab.rooms.judgement
            assert quote is not None
            known = judgement.view(trade.contract).avg_volume
            assert known == max(quote.volume, quote.open_interest) > 0
            spy = INSTRUMENTS["SPY"]
            days = await lab.run.engine.outside.broker.history(spy, Timeframe.D1, lab.at("09:30"), 14)
            mean = judgement.view(underlying_contract(spy)).avg_volume
            assert mean == pytest.approx(fmean(bar.volume for bar in days), rel=1e-6)
            assert judgement.view(underlying_contract(INSTRUMENTS["SPX"])).avg_volume is None
            (row,) = ours(
                tmp_path,
                "SELECT value FROM decisions WHERE reason LIKE 'size against volume%' "
                f"AND trade_id = '{trade.id}'",
            )
            assert row[0].endswith(" %"), "the rule was asked with a real figure"

    play(work)
