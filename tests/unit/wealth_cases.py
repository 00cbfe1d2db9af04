"""Closed trades and the shipped plan, for the wealth tests."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from station.domain.instruments import INSTRUMENTS, Right, option_contract
from station.domain.orders import ZERO
from station.domain.trade import Trade, TradeState
from station.wealth import Plan, read_plan

CONFIG = Path(__file__).resolve().parents[2] / "config"
CONTRACT = option_contract(INSTRUMENTS["SPX"], "20261120", Decimal(5940), Right.CALL)
SECOND = 1_000_000_000


def plan(name: str = "WM235K") -> Plan:
    return read_plan(CONFIG / f"{name}.csv")


def closed(trade_id: str, net: Decimal | int | str, at_ns: int = 900 * SECOND) -> Trade:
    """Two contracts bought at 4.20 and sold so that `net` dollars are left."""
    result = Decimal(net)
    bought = Decimal("840.00")
    return replace(
        Trade(trade_id, TradeState.CLOSED), symbol="SPX", contract=CONTRACT, qty=Decimal(2), delta=0.3,
        entry_filled=Decimal(2), entry_value=bought, exit_filled=Decimal(2), exit_value=bought + result,
        commission=ZERO, net_pnl=result, cause="target", filled_ns=300 * SECOND, closed_ns=at_ns,
    )  # fmt: skip
