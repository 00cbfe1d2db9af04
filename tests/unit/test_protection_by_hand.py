"""What a hand sets and asks: its own target and stop, a part out at market, a trade turned round."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from station.domain.events import PartAsked
from station.domain.hand import OwnExits, Reversal
from station.domain.orders import OrderKind, Purpose
from station.domain.trade import Cause, ExitLeg, Trade
from station.protection import MarketOut, Memory, ModifyExit, SubmitExit, decide, rungs_of
from tests.unit.domain_cases import CONTRACT, bought, exit_ref, run, to_submitted
from tests.unit.test_protection_ladder import HOUSE, P1, P2, P3, rungs
from tests.unit.test_protection_rules import DEFAULT, FILL, SPAN, holding, looked, working

D = Decimal


def held(qty: int = 3, own: OwnExits | None = None, leaving: int = 0) -> Trade:
    trade = run((*to_submitted(qty), bought(qty)), FILL)
    return replace(trade, own=own, leaving=D(leaving))


def test_the_hands_target_goes_before_the_percent() -> None:
    (asked,) = looked(holding(held(own=OwnExits((D("11.50"),)))))
    assert (asked.limit, asked.qty) == (D("11.50"), 3)


def test_one_rung_of_a_ladder_is_moved_and_the_others_stay() -> None:
    trade = replace(held(4, OwnExits((D(0), D("13.00")))), ladder=HOUSE)
    legs = rungs((2, P1), (1, P2), (1, P3))
    (asked,) = looked(holding(trade, exits=legs))
    assert asked == ModifyExit(
        exit_ref(2), OrderKind.LIMIT, D(1), D("13.00"), None, Cause.TARGET, "profit target"
    )
    assert rungs_of(holding(trade), DEFAULT) == (D(P1), D("13.00"), D(P3))
    assert rungs_of(None, DEFAULT) == ()


@pytest.mark.parametrize(
    ("own", "bid", "out"),
    [
        (OwnExits(stop_price=D("9.00")), "9.10", False),
        (OwnExits(stop_price=D("9.00")), "9.00", True),
        (OwnExits(stop_pct=D(20)), "8.10", False),
        (OwnExits(stop_pct=D(20)), "8.00", True),
        (OwnExits((D(14),)), "1.00", False),
    ],
)
def test_the_hands_stop_takes_the_position_out_with_that_cause(own: OwnExits, bid: str, out: bool) -> None:
    asked = looked(holding(held(own=own), (working(),), bid=bid))
    assert [each.cause for each in asked if isinstance(each, MarketOut)] == ([Cause.STOP] if out else [])


def test_a_stop_that_went_off_before_a_crash_is_gone_on_with() -> None:
    trade = replace(held(own=OwnExits(stop_price=D(9))), exits=(ExitLeg(exit_ref(1), Cause.STOP.value),))
    asked = looked(holding(trade, (working(),), bid="12.00"))
    assert [each.cause for each in asked if isinstance(each, MarketOut)] == [Cause.STOP]


def test_a_part_waits_until_the_target_has_let_go_of_it() -> None:
    shrink = looked(holding(held(leaving=1), (working(3),)))
    assert shrink == (
        ModifyExit(exit_ref(1), OrderKind.LIMIT, D(2), D("12.30"), None, Cause.TARGET, "profit target"),
    )
    unconfirmed = holding(held(leaving=1), (working(2),), unconfirmed=((exit_ref(1), D(3)),))
    assert looked(unconfirmed) == ()
    sell = looked(holding(held(leaving=1), (working(2),)))
    assert sell == (SubmitExit(OrderKind.MARKET, Purpose.CLOSE, D(1), None, None, Cause.PART),)


def test_a_part_on_its_way_and_the_rest_at_the_target_are_left_alone() -> None:
    trade = replace(held(leaving=1), exits=(ExitLeg(exit_ref(2), Cause.PART.value),))
    assert looked(holding(trade, (working(2), working(1, None, n=2)))) == ()


def test_a_part_of_a_ladder_leaves_from_its_lowest_rung() -> None:
    trade = replace(held(4, leaving=1), ladder=HOUSE)
    (asked,) = looked(holding(trade, exits=rungs((2, P1), (1, P2), (1, P3))))
    assert (asked.order_ref, asked.qty, asked.limit) == (exit_ref(1), 1, D(P1))


def test_a_part_is_no_reason_to_take_the_rest_out_after_a_restart() -> None:
    trade = replace(held(), exits=(ExitLeg(exit_ref(2), Cause.PART.value),))
    assert decide(holding(trade, (working(3),)), FILL, SPAN, DEFAULT, Memory())[1].out is None


def test_a_part_without_any_exit_is_sold_and_the_rest_protected_in_one_look() -> None:
    asked = looked(holding(held(leaving=2)))
    assert {(each.kind, each.qty, each.cause) for each in asked} == {
        (OrderKind.MARKET, D(2), Cause.PART), (OrderKind.LIMIT, D(1), Cause.TARGET),
    }  # fmt: skip


def test_everything_out_outranks_a_part() -> None:
    asked = looked(holding(held(own=OwnExits(stop_price=D(9)), leaving=1), (working(3),), bid="8.00"))
    assert [type(each) for each in asked] == [MarketOut]


def test_a_trade_that_is_turned_round_leaves_at_market() -> None:
    reversal = Reversal("t", "screen", CONTRACT, D(3))
    asked = looked(holding(replace(held(), reversal=reversal), (working(3),)))
    assert asked == (MarketOut(Cause.MANUAL, "reversed by screen"),)


def test_what_a_hand_asks_twice_adds_up() -> None:
    trade = run((*to_submitted(3), bought(3), PartAsked(D(1), "a"), PartAsked(D(1), "b")), FILL)
    assert trade.leaving == 2
