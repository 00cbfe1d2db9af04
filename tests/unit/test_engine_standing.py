"""What a screen is told of a position's exits: covered is what the broker has confirmed, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from station.domain.orders import Action, Order, OrderState
from station.engine.standing_orders import covered, exit_rows, is_protected, standing
from tests.unit.test_desk_oca import S, T, leg


@pytest.mark.parametrize(
    ("target", "stop", "sure"),
    [
        (leg(T), leg(S), 3),
        (leg(T), leg(S, state=OrderState.UNKNOWN), 3),
        (leg(T, state=OrderState.UNKNOWN), leg(S, state=OrderState.UNKNOWN), 0),
        (leg(T, state=OrderState.PENDING), leg(S, state=OrderState.PENDING), 0),
        (leg(T, 2), leg(S, cancel_cause="kill"), 2),
        (leg(T, cancel_cause="replace"), leg(S, 1), 1),
    ],
)
def test_an_exit_that_the_broker_has_not_confirmed_covers_nothing(
    target: Order, stop: Order, sure: int
) -> None:
    assert covered((target, stop)) == sure


def test_an_exit_that_is_being_cancelled_is_not_called_live() -> None:
    stop = leg(S, cancel_cause="kill")
    assert standing((leg(T), stop)) == "sell stop 3 @ 9.00 cancelling, 3 @ 12.30 live"
    assert [row.state for row in exit_rows((leg(T), stop))] == ["CANCELLING", "SUBMITTED"]
    gone = replace(stop, state=OrderState.UNKNOWN)
    assert standing((gone,)) == "sell stop 9.00 UNKNOWN"


def test_what_was_sold_too_much_is_covered_by_what_buys_it_back_alone() -> None:
    sell = leg(T, 2, group="")
    buy = replace(sell, ticket=replace(sell.ticket, action=Action.BUY))
    assert [is_protected(Decimal(qty), (sell,)) for qty in (3, 2, -1)] == [False, True, False]
    assert is_protected(Decimal(-1), (buy,))
