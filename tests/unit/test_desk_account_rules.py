"""The rules about the account, reached by a station at work: day trades and leverage by real positions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from station.domain.trade import TradeState
from station.link import Ack, Data, PlaceOrder, PreviewOrder, Ticket
from tests.faults.station_stage import Stage, ours
from tests.lab import assert_sound, play

SMALL = {"paper.start_cash_usd": 20_000}
FREE = {
    "risk.position_size_pct": 100, "risk.notional_pct": 100, "risk.contracts_per_order": 1_000,
    "risk.capital_at_risk_usd": 500_000, "risk.sector_exposure_pct": 100, "risk.portfolio_delta": 1_000_000,
    "risk.beta": 100,
}  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "refused"), [(SMALL, True), ({**SMALL, "risk.account_kind": "cash"}, False)]
)
def test_no_fourth_day_trade_under_25_000_dollars_not_even_in_one_instant(
    settings: dict[str, Any], refused: bool, tmp_path: Path
) -> None:
    """Seed 3 passes two strategies at 10:00, after two round trips: the second of them would be the fourth."""

    async def work() -> None:
        async with Stage(tmp_path, settings=settings, strategy={"position_size_pct": 0}) as lab:
            await lab.until("10:20")
            entered = [trade for trade in lab.trades() if trade.entry_ref]
            denied = [trade for trade in lab.trades() if trade.cause == "DAY_TRADES"]
            assert (len(entered), bool(denied)) == (3 if refused else 4, refused)
            assert all(trade.state is TradeState.FAILED and "3 made" in trade.reason for trade in denied)

    play(work)
    assert_sound(tmp_path)


def test_leverage_counts_the_shares_that_are_held(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, settings=FREE) as lab:
            await lab.until("09:36")

            async def leverage(qty: int) -> tuple[bool, str]:
                reply = await lab.during(lab.ask(PreviewOrder(Ticket("IWM", qty=qty, kind="MARKET"))))
                assert isinstance(reply, Data), reply
                (rule,) = [r for r in json.loads(reply.json)["rules"] if r["rule"] == "leverage"]
                return rule["ok"], rule["text"]

            price = lab.rooms.market.last_price("IWM")
            assert price is not None
            most = int(4 * 35_000 / price)
            assert (await leverage(most - 2))[0]
            assert not (await leverage(most + 2))[0]
            placed = await lab.during(lab.ask(PlaceOrder(Ticket("IWM", qty=20, kind="MARKET"), "one", "ann")))
            assert isinstance(placed, Ack) and placed.ok, placed
            await lab.until_true(lambda: any(t.open_qty == 20 for t in lab.trades()), limit_s=60)
            assert not (await leverage(most - 2))[0], "twenty shares are held already"
            assert (await leverage(most - 25))[0]

    play(work)
    assert ours(tmp_path, "SELECT origin FROM trades WHERE symbol = 'IWM'") == [("MANUAL",)]
    assert_sound(tmp_path)
