"""What events say in words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from station.domain.events import (
    Alerted,
    CloseAsked,
    CommissionBooked,
    Event,
    ExecutionBooked,
    ExitModified,
    ExitsSet,
    KillChanged,
    OrderMoved,
    OrderReduced,
    Reconciled,
    ReverseAsked,
    TradeClosed,
    TradeFailed,
    TradeTagged,
)
from station.domain.hand import OwnExits, Reversal
from station.domain.instruments import Right
from station.domain.orders import OrderKind, OrderState, Purpose
from station.domain.saying import said
from tests.unit.domain_cases import (
    entry_ref,
    entry_submitted,
    exit_ref,
    option_selected,
    strategy_passed,
    ticket,
)
from tests.unit.store_books import spx


def plain(event: Event) -> dict[str, Any]:
    return msgspec.to_builtins(event)


FILL = ExecutionBooked(
    "X1", entry_ref(), Purpose.ENTRY, Decimal(2), Decimal("4.20"), 100, Decimal("0.65"), Decimal("0.00"),
    Decimal("-0.00"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (strategy_passed("rapid_shield"), "V3 v1: CALL on SPX, target 23 %, rapid_shield, plan WM235K"),
        (
            option_selected(),
            "SPXW 20261118 5940C  9.90 × 10.00, delta 0.30, iv 0.20 (broker), underlying 5938.50",
        ),
        (CloseAsked("manual", "closed by hand", "hand"), "manual: closed by hand"),
        (entry_submitted(2), "BUY 2 MKT, decided at 10.00"),
        (OrderMoved(exit_ref(), OrderState.REJECTED, 7, 9, "off the tick"), "X-1 rejected: off the tick"),
        (OrderReduced(exit_ref(), Decimal(2)), "X-1 is for 2 at the broker"),
        (FILL, "entry: 2 @ 4.20, slip 0.00, 0.00 from the mid"),
        (CommissionBooked("X1", "R", Decimal("1.00"), Decimal("0.65")), "1.00, counted as 0.65 until now"),
        (
            ExitModified(ticket(exit_ref(), 1, kind=OrderKind.MARKET), "shield", "bid 6.60 under 6.63"),
            "shield: SELL 1 MKT: bid 6.60 under 6.63",
        ),
        (TradeClosed("shield", Decimal("-192.00"), True), "shield, net -192.00, fees not final"),
        (TradeFailed("POSITION_SIZE", "7 % of equity"), "POSITION_SIZE: 7 % of equity"),
        (Reconciled("start", 1, 2, 3, ("one too many",), False),
         "BREAKS (start): orders 1, executions 2, positions 3; one too many"),
        (KillChanged(True, True, "screen", ""), "ON, flatten by screen"),
        (TradeTagged("late", False, "screen"), "#late off by screen"),
        (Alerted("warning", "quotes are late"), "quotes are late"),
        (ExitsSet(OwnExits((Decimal("8.90"),), Decimal("5.80")), "screen"), "target 8.90, stop 5.80 by screen"),
        (ExitsSet(OwnExits((Decimal(0), Decimal("9.50"))), "screen"), "target 9.50, no stop by screen"),
        (ExitsSet(OwnExits(stop_pct=Decimal(22)), "screen"), "stop 22 % by screen"),
        (ReverseAsked(Reversal("k1", "screen", spx(5295, Right.PUT), Decimal(2), -0.2, 1795014489000000000)),
         "out at market, then BUY 2 SPXW 20261118 5295P by screen"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)  # fmt: skip
def test_an_event_is_a_sentence(event: Event, words: str) -> None:
    assert said(event.type, plain(event)) == words


def test_an_event_of_another_version_is_told_by_its_fields() -> None:
    assert said("trade.closed", {"cause": "target", "bonus": "1.50"}) == "cause target  bonus 1.50"
    assert said("trade.dreamt", {"off": False, "ticket": {"order_ref": "R1", "qty": "2"}}) == "ticket R1"
