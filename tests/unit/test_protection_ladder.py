"""The profit ladder: who sells what at which rung, and exits that never stand for more than is open."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from station.domain.clock import MINUTE, SECOND
from station.domain.orders import OrderKind, OrderState, Purpose
from station.domain.specs import Rung
from station.domain.trade import Cause, Trade
from station.protection import (
    CancelExit,
    MarketOut,
    ModifyExit,
    ProtectionSettings,
    RequestReconcile,
    SubmitExit,
)
from station.protection.legs import shares
from tests.unit.domain_cases import bought, exit_ref, exit_submitted, run, sold, to_submitted
from tests.unit.test_protection_rules import FILL, fresh, holding, looked, working

HOUSE = tuple(Rung(Decimal(0), Decimal(share)) for share in ("0.5", "0.25", "0.25"))
P1, P2, P3 = "12.30", "14.00", "16.00"


def held(qty: int, ladder: tuple[Rung, ...] = HOUSE) -> Trade:
    return replace(run((*to_submitted(qty), bought(qty)), FILL), ladder=ladder)


def submits(asked: tuple[Any, ...]) -> list[tuple[str, int]]:
    assert all((d.kind, d.purpose, d.cause) == (OrderKind.LIMIT, Purpose.TARGET, Cause.TARGET) for d in asked)
    return [(str(d.limit), int(d.qty)) for d in asked]


@pytest.mark.parametrize(
    ("qty", "parts"),
    [
        (1, [1, 0, 0]), (2, [1, 1, 0]), (3, [2, 1, 0]), (4, [2, 1, 1]), (5, [3, 1, 1]), (8, [4, 2, 2]),
        (20, [10, 5, 5]),
    ],
)  # fmt: skip
def test_shares_are_whole_contracts_and_the_lower_rung_has_the_odd_one(qty: int, parts: list[int]) -> None:
    assert list(shares(held(qty))) == parts


@pytest.mark.parametrize(
    ("qty", "asked"),
    [(1, [(P1, 1)]), (2, [(P1, 1), (P2, 1)]), (4, [(P1, 2), (P2, 1), (P3, 1)])],
)
def test_the_rungs_are_asked_for_together_at_the_fill(qty: int, asked: list[tuple[str, int]]) -> None:
    assert submits(looked(holding(held(qty)))) == asked


def test_a_strategys_own_percents_and_the_settings_of_the_house() -> None:
    own = (Rung(Decimal(10), Decimal("0.5")), Rung(Decimal(100), Decimal("0.5")))
    assert submits(looked(holding(held(2, own)))) == [("11.00", 1), ("20.00", 1)]
    settings = ProtectionSettings(p2_pct=Decimal(50), p3_pct=Decimal(80))
    assert submits(looked(holding(held(4)), settings=settings)) == [(P1, 2), ("15.00", 1), ("18.00", 1)]


def test_an_order_too_large_is_parted() -> None:
    settings = ProtectionSettings(max_contracts=Decimal(2))
    assert submits(looked(holding(held(5, ())), settings=settings)) == [(P1, 2), (P1, 2), (P1, 1)]


def rungs(*parts: tuple[int, str], **more: Any) -> tuple[Any, ...]:
    return tuple(working(qty, limit, n=n, **more) for n, (qty, limit) in enumerate(parts, start=1))


def test_working_rungs_of_the_right_size_are_left_alone() -> None:
    legs = rungs((2, P1), (1, P2), (1, P3))
    assert looked(holding(held(4), exits=legs)) == ()
    first_sold = run((exit_submitted(2), sold(2)), FILL, held(4))
    assert looked(holding(first_sold, exits=legs[1:])) == ()


def test_a_missing_rung_is_created_again() -> None:
    legs = rungs((2, P1), (1, P2), (1, P3))
    assert submits(looked(holding(held(4), exits=(legs[0], legs[2])))) == [(P2, 1)]


def test_a_later_fill_of_the_entry_grows_the_rungs_within_the_room() -> None:
    trade = replace(run((*to_submitted(4), bought(2), bought(2, exec_id="e.2.01")), FILL), ladder=HOUSE)
    assert looked(holding(trade, exits=rungs((1, P1), (1, P2)))) == (
        ModifyExit(exit_ref(1), OrderKind.LIMIT, Decimal(2), Decimal(P1), None, Cause.TARGET, "profit target"),
        SubmitExit(OrderKind.LIMIT, Purpose.TARGET, Decimal(1), Decimal(P3), None, Cause.TARGET),
    )


def test_what_one_exit_lets_go_is_taken_by_another_only_once_the_broker_confirmed_it() -> None:
    """The whole position stands at P1 by an older row; the ladder wants half of it further up."""
    whole = working(4, P1)
    shrink = ModifyExit(
        exit_ref(1), OrderKind.LIMIT, Decimal(2), Decimal(P1), None, Cause.TARGET, "profit target"
    )
    assert looked(holding(held(4), exits=(whole,))) == (shrink,)
    shrunk = working(2, P1)
    waiting = holding(held(4), exits=(shrunk,), unconfirmed=((exit_ref(1), Decimal(4)),))
    assert looked(waiting) == ()
    assert submits(looked(replace(waiting, unconfirmed=()))) == [(P2, 1), (P3, 1)]


def test_a_change_without_confirmation_is_asked_about() -> None:
    waiting = holding(held(4), exits=(working(2, P1),), unconfirmed=((exit_ref(1), Decimal(4)),))
    now = FILL + 5 * SECOND
    (asked,) = looked(fresh(waiting, now), now)
    assert isinstance(asked, RequestReconcile)


def test_a_rung_on_which_the_answer_is_owed_is_left_alone_and_counted() -> None:
    legs = (working(2, P1, OrderState.PENDING), working(1, P2, n=2))
    assert submits(looked(holding(held(4), exits=legs))) == [(P3, 1)]
    (doubt, *rest) = looked(holding(held(4), exits=(replace(legs[0], state=OrderState.UNKNOWN), legs[1])))
    assert isinstance(doubt, RequestReconcile)
    assert submits(tuple(rest)) == [(P3, 1)]


def test_after_the_grace_period_every_rung_under_water_moves_to_entry_plus_fees() -> None:
    now = FILL + 15 * MINUTE
    legs = rungs((2, P1), (1, P2), (1, P3))
    asked = looked(fresh(holding(held(4), exits=legs, bid="9.00"), now), now)
    assert [(d.order_ref, d.qty, str(d.limit), d.cause) for d in asked] == [
        (exit_ref(n), qty, "10.10", Cause.BREAK_EVEN) for n, qty in ((1, 2), (2, 1), (3, 1))
    ]


def test_at_market_every_leg_is_asked_out_at_once() -> None:
    legs = rungs((2, P1), (1, P2), (1, P3))
    assert looked(holding(held(4), exits=legs, kill_flatten=True)) == (
        MarketOut(Cause.KILL, "kill switch: flatten"),
    )
    out = tuple(working(qty, None, n=n) for n, qty in ((1, 2), (2, 1), (3, 1)))
    assert looked(holding(held(4), exits=out, kill_flatten=True)) == ()


def test_at_market_a_leg_in_doubt_does_not_keep_the_others() -> None:
    legs = (working(2, P1, OrderState.UNKNOWN), working(1, P2, n=2), working(1, P3, n=3))
    doubt, out = looked(holding(held(4), exits=legs, kill_flatten=True))
    assert isinstance(doubt, RequestReconcile)
    assert out == MarketOut(Cause.KILL, "kill switch: flatten")
    market = (legs[0], working(1, None, n=2), working(1, None, n=3))
    assert [type(d) for d in looked(holding(held(4), exits=market, kill_flatten=True))] == [RequestReconcile]


def test_exits_that_are_too_many_go_before_anything_is_sent_at_market() -> None:
    legs = (*rungs((2, P1), (1, P2), (1, P3)), working(2, P1, n=4, created_ns=FILL + 1))
    assert looked(holding(held(4), exits=legs, kill_flatten=True)) == (
        CancelExit(exit_ref(4), "one exit too many"),
    )
