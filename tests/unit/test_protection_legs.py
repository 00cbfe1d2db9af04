"""The working exits, a case to each side of every line: who is kept, who goes, who grows, in which order."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from station.domain.clock import MINUTE, SECOND
from station.domain.instruments import flat_ticks
from station.domain.orders import OrderKind, OrderState, Purpose
from station.domain.specs import Rung
from station.domain.trade import Cause
from station.protection import CancelExit, MarketOut, Memory, ModifyExit, ProtectionSettings, SubmitExit
from station.protection.legs import promised
from station.protection.rules import break_even_limit
from tests.unit.domain_cases import exit_ref, exit_submitted, run, sold
from tests.unit.test_protection_ladder import P1, P2, held, rungs, submits
from tests.unit.test_protection_rules import FILL, SPAN, fresh, holding, looked, working
from tests.unit.test_protection_rules import held as position

EVEN = "10.10"
LOWERED = Memory(lowered=Cause.BREAK_EVEN)
TOO_MANY = "one exit too many"


def to_even(n: int, qty: int) -> ModifyExit:
    reason = "sell at entry + fees (break-even)"
    return ModifyExit(exit_ref(n), OrderKind.LIMIT, Decimal(qty), Decimal(EVEN), None, Cause.BREAK_EVEN, reason)


# --- lowered -----------------------------------------------------------------------------------------


def test_a_first_rung_at_break_even_already_leaves_the_ladder_as_it_is() -> None:
    near = (Rung(Decimal(1), Decimal("0.5")), Rung(Decimal(100), Decimal("0.5")))
    assert submits(looked(holding(held(2, near)), memory=LOWERED)) == [(EVEN, 1), ("20.00", 1)]


def test_lowered_exits_share_the_position_as_they_stand() -> None:
    assert looked(holding(held(4), exits=rungs((1, EVEN), (3, EVEN))), memory=LOWERED) == ()


def test_a_lowered_exit_that_nothing_is_left_for_is_cancelled() -> None:
    sold_two = run((exit_submitted(2), sold(2)), FILL, held(4))
    legs = rungs((2, EVEN), (1, EVEN))
    assert looked(holding(sold_two, exits=legs), memory=LOWERED) == (CancelExit(exit_ref(2), TOO_MANY),)


def test_what_is_missing_falls_to_the_first_exit_after_the_changes_of_price() -> None:
    now = FILL + 15 * MINUTE
    found = fresh(holding(held(4), exits=rungs((2, P1), (1, P2)), bid="9.00"), now)
    assert looked(found, now) == (to_even(2, 1), to_even(1, 3))


@pytest.mark.parametrize(
    ("most", "asked"),
    [
        (4, (to_even(1, 4),)),
        (3, (SubmitExit(OrderKind.LIMIT, Purpose.TARGET, Decimal(1), Decimal(EVEN), None, Cause.BREAK_EVEN),)),
    ],
)
def test_an_exit_grows_up_to_the_brokers_size_and_not_over_it(most: int, asked: tuple[object, ...]) -> None:
    settings = ProtectionSettings(max_contracts=Decimal(most))
    found = holding(held(5), exits=rungs((3, EVEN), (1, EVEN)))
    assert looked(found, settings=settings, memory=LOWERED) == asked


def test_a_single_exit_grows_up_to_the_brokers_size() -> None:
    found = holding(held(4), exits=rungs((3, EVEN)))
    assert looked(found, settings=ProtectionSettings(max_contracts=Decimal(4)), memory=LOWERED) == (
        to_even(1, 4),
    )


@pytest.mark.parametrize(("commission", "limit"), [("3.90", "10.03"), ("0", "10.00")])
def test_break_even_pays_the_fees_of_both_sides(commission: str, limit: str) -> None:
    """3 × 100 units bought for 3.90: 0.013 a unit in, as much out, and up to the cent."""
    trade = replace(position(), commission=Decimal(commission))
    cents = holding(trade, tick_rule=flat_ticks("0.01"))
    assert break_even_limit(trade, Decimal("10.00"), cents) == Decimal(limit)


def test_break_even_counts_what_was_sold_already_among_the_executions() -> None:
    """3 bought and 1 sold for 5.20: 0.013 a unit each, twice that for both sides."""
    trade = replace(run((exit_submitted(3), sold(1)), trade=position()), commission=Decimal("5.20"))
    assert break_even_limit(trade, Decimal("10.00"), holding(trade, tick_rule=flat_ticks("0.001"))) == Decimal(
        "10.026"
    )


@pytest.mark.parametrize(
    ("qty", "filled", "larger", "stands_for"),
    [
        (3, 0, None, 3),
        (3, 2, None, 1),
        (3, 3, None, 0),
        (3, 4, None, 0),
        (3, 1, 4, 3),
        (3, 1, 2, 2),
        (3, 5, 4, 0),
    ],
)
def test_an_exit_stands_for_what_it_may_still_sell_and_never_for_less_than_nothing(
    qty: int, filled: int, larger: int | None, stands_for: int
) -> None:
    leg = working(qty, P1, filled=Decimal(filled))
    unconfirmed = () if larger is None else ((leg.ref, Decimal(larger)),)
    beside = working(1, P1, n=2)
    found = holding(position(), exits=(leg, beside), unconfirmed=unconfirmed)
    assert promised(found) == stands_for + 1


# --- at market ---------------------------------------------------------------------------------------


def test_of_two_exits_the_one_at_market_already_is_kept() -> None:
    legs = (working(3, P1), working(3, None, n=2, created_ns=FILL + 1))
    assert looked(holding(position(), exits=legs, kill_flatten=True)) == (CancelExit(exit_ref(1), TOO_MANY),)


def test_an_exit_that_shrinks_counts_in_full_until_the_broker_confirms_it() -> None:
    legs = (working(2, None),)
    waiting = holding(position(), exits=legs, kill_flatten=True, unconfirmed=((exit_ref(1), Decimal(3)),))
    assert looked(waiting) == ()
    assert [type(d) for d in looked(replace(waiting, unconfirmed=()))] == [MarketOut]


# --- pairing and cancelling --------------------------------------------------------------------------


def test_each_exit_keeps_the_rung_at_its_own_price() -> None:
    """The older exit stands at another price, nearest to the first rung, which has its exit."""
    (moved,) = looked(holding(held(2), exits=rungs((1, "11.00"), (1, P1))))
    assert (moved.order_ref, str(moved.limit)) == (exit_ref(1), P2)


def test_an_exit_left_at_market_goes_back_to_the_first_rung() -> None:
    back, new = looked(holding(held(2), exits=(working(1, None),)))
    assert (back.order_ref, back.kind, str(back.limit)) == (exit_ref(1), OrderKind.LIMIT, P1)
    assert (new.qty, str(new.limit)) == (1, P2)
    (only,) = looked(holding(held(1), exits=(working(1, None),)))
    assert str(only.limit) == P1


@pytest.mark.parametrize(
    ("state", "cause", "age_s", "again"),
    [
        (OrderState.SUBMITTED, "", 0, True),
        (OrderState.PENDING, "", 0, True),
        (OrderState.SUBMITTED, "replace", 14, False),
        (OrderState.SUBMITTED, "replace", 15, True),
    ],
)
def test_a_spare_exit_is_cancelled_once_and_again_after_a_cancel_without_effect(
    state: OrderState, cause: str, age_s: int, again: bool
) -> None:
    now = FILL + age_s * SECOND
    spare = working(1, P1, state, n=2, created_ns=FILL + 1, cancel_cause=cause, updated_ns=FILL)
    found = fresh(holding(position(), exits=(working(3, P1), spare)), now)
    cancels = [d for d in looked(found, now) if isinstance(d, CancelExit)]
    assert cancels == ([CancelExit(exit_ref(2), TOO_MANY)] if again else [])


# --- the view ----------------------------------------------------------------------------------------


def test_a_fill_at_the_very_open_is_of_this_session() -> None:
    found = fresh(holding(position(at_ns=SPAN.open_ns)), SPAN.open_ns)
    assert [type(d) for d in looked(found, SPAN.open_ns)] == [SubmitExit]


def test_the_unclosed_alert_says_the_minutes() -> None:
    now = FILL + 60 * MINUTE
    settings = ProtectionSettings(unclosed_alert_s=3600)
    found = fresh(holding(exits=(working(),)), now)
    (alert,) = looked(found, now, settings=settings)
    assert alert.text.endswith("still open after 60 min")


# --- a part that leaves ------------------------------------------------------------------------------


def test_beside_a_part_that_leaves_at_market_the_exits_share_the_rest_as_they_stand() -> None:
    legs = (working(1, P1), working(1, P1, n=2), working(1, None, n=3))
    assert looked(holding(replace(position(), leaving=Decimal(1)), exits=legs)) == ()


def test_a_part_larger_than_an_order_may_be_keeps_each_of_its_orders() -> None:
    legs = (working(2, None), working(1, None, n=2), working(2, P1, n=3))
    found = holding(replace(held(5, ()), leaving=Decimal(3)), exits=legs)
    assert looked(found, settings=ProtectionSettings(max_contracts=Decimal(2))) == ()


def test_an_exit_left_at_market_shares_the_position_where_nothing_leaves() -> None:
    (back,) = looked(holding(held(2, ()), exits=(working(1, None), working(1, P1, n=2))))
    assert (back.order_ref, back.kind, back.qty, str(back.limit)) == (exit_ref(1), OrderKind.LIMIT, 1, P1)
