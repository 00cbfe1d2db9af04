"""Positions that the broker and our trades tell differently: taken by another hand, expired, unknown, late."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from station.domain.instruments import Contract
from station.domain.orders import Action, OrderKind, Purpose, Ticket
from station.domain.trade import Trade, TradeState
from station.link import Flatten
from tests.faults.station_stage import Stage
from tests.lab import assert_sound, paper_rows, play

RICH: Mapping[str, Any] = {"paper.start_cash_usd": 2_000_000}


def by_hand(trade: Trade, action: Action, qty: Decimal, name: str = "HAND-1") -> Ticket:
    assert trade.contract is not None
    return Ticket(name, trade.account, trade.contract, action, qty, OrderKind.MARKET, Purpose.CLOSE)


async def at_broker(stage: Stage, contract: Contract | None) -> Decimal:
    positions = await stage.run.exchange.positions()
    return sum((p.qty for p in positions if p.contract == contract), Decimal(0))


def test_fault_37_sold_by_another_hand(tmp_path: Path) -> None:
    """The whole position goes by hand: its exits end, the trade closes as external, and nothing sells again."""

    async def session() -> None:
        async with Stage(tmp_path, settings=RICH) as stage:
            trade = await stage.until_holding()
            await stage.run.exchange.by_hand([by_hand(trade, Action.SELL, trade.open_qty)])
            await stage.until_true(lambda: stage.is_over(trade.id), limit_s=90)
            over = stage.trade(trade.id)
            assert (over.state, over.cause) == (TradeState.WEALTH_UPDATED, "external")
            assert not stage.exits(trade)
            controls = stage.rooms.controls.controls
            assert not controls.kill.on
            assert trade.symbol in dict(controls.quarantined)
            assert "by another hand" in stage.alerts()
            await stage.ask(Flatten(by="test"))
            await stage.step(60)
            assert await at_broker(stage, trade.contract) == 0
            (sold,) = paper_rows(tmp_path, "SELECT price FROM executions WHERE order_ref = 'HAND-1'")
            assert over.exit_price == Decimal(sold[0])

    play(session)
    assert_sound(tmp_path)
