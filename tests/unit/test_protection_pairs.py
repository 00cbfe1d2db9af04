"""A target and the stop that rests beside it: when they come, how they grow and shrink, who goes first."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from station.domain.clock import SECOND
from station.domain.hand import OwnExits
from station.domain.orders import OrderKind, OrderState, Purpose, together
from station.domain.trade import Cause, ExitLeg
from station.protection import (
    CancelExit,
    Holding,
    MarketOut,
    Memory,
    ModifyExit,
    ProtectionSettings,
    SubmitExit,
    decide,
    next_look,
)
from station.protection.legs import promised
from station.protection.rules import resting_level, rests
from tests.unit.domain_cases import exit_ref
from tests.unit.test_protection_by_hand import held
from tests.unit.test_protection_ladder import HOUSE, P1, P2, P3
from tests.unit.test_protection_rules import DEFAULT, FILL, SPAN, Order, holding, looked, working

D = Decimal
OWN = OwnExits(stop_price=D("9.00"))
NOW = FILL + 10 * SECOND
GROUP = "OCA-1"
REASON = "the stop of a hand"
OFF = ProtectionSettings(off=frozenset({"own_stop"}))


def leg(qty: int, limit: str | None, n: int = 1, group: str = GROUP, **more: Any) -> Order:
    order = working(qty, limit, n=n, **more)
    return replace(order, ticket=replace(order.ticket, oca_group=group))


def stop(qty: int = 3, level: str = "9.00", n: int = 2, group: str = GROUP, **more: Any) -> Order:
    order = leg(qty, None, n, group, **more)
    ticket = replace(order.ticket, kind=OrderKind.STOP, purpose=Purpose.STOP, stop=D(level))
    return replace(order, ticket=ticket)


def bracket(*exits: Order, own: OwnExits | None = OWN, qty: int = 3, leaving: int = 0, **more: Any) -> Holding:
    fields = {"stop_rests": True, "quoted_ns": NOW, **more}
    return holding(held(qty, own, leaving), exits, **fields)


def asked(found: Holding, at_ns: int = NOW, **more: Any) -> tuple[Any, ...]:
    return looked(found, at_ns, **more)


def pair(qty: int = 3, level: str = "9.00", limit: str = P1) -> SubmitExit:
    return SubmitExit(OrderKind.LIMIT, Purpose.TARGET, D(qty), D(limit), D(level), Cause.TARGET)


def to_target(qty: int, limit: str = P1, n: int = 1) -> ModifyExit:
    return ModifyExit(exit_ref(n), OrderKind.LIMIT, D(qty), D(limit), None, Cause.TARGET, "profit target")


def to_stop(qty: int, level: str = "9.00", n: int = 2) -> ModifyExit:
    return ModifyExit(exit_ref(n), OrderKind.STOP, D(qty), None, D(level), Cause.STOP_ORDER, REASON)


def beside(qty: int = 3, level: str = "9.00", group: str = GROUP) -> SubmitExit:
    return SubmitExit(OrderKind.STOP, Purpose.STOP, D(qty), None, D(level), Cause.STOP_ORDER, group)


# --- where it rests ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "can", "settings", "level"),
    [
        (OWN, True, DEFAULT, "9.00"),
        (OwnExits(stop_price=D("9.04")), True, DEFAULT, "9.00"),
        (OwnExits(stop_pct=D(15)), True, DEFAULT, "8.50"),
        (OwnExits(stop_pct=D("99.9")), True, DEFAULT, "0.05"),
        (OwnExits((D(12),)), True, DEFAULT, None),
        (None, True, DEFAULT, None),
        (OWN, False, DEFAULT, None),
        (OWN, True, OFF, None),
    ],
)
def test_a_hands_stop_rests_at_a_legal_tick_where_the_broker_pairs(
    own: OwnExits | None, can: bool, settings: ProtectionSettings, level: str | None
) -> None:
    found = resting_level(bracket(own=own, stop_rests=can), settings)
    assert found == (None if level is None else D(level))


def test_a_strategys_stop_does_not_rest() -> None:
    (alone,) = asked(bracket(own=None, stop_pct=D(15)))
    assert alone.stop is None


def test_the_target_and_the_stop_leave_together() -> None:
    assert asked(bracket()) == (pair(),)
    assert asked(bracket(leg(3, P1), stop())) == ()


def test_each_rung_has_a_stop_of_its_own() -> None:
    trade = replace(held(4, OWN), ladder=HOUSE)
    sent = asked(replace(bracket(), trade=trade))
    assert [(one.qty, one.stop) for one in sent] == [(2, 9), (1, 9), (1, 9)]
    assert len({one.limit for one in sent}) == 3


def test_an_order_is_for_no_more_than_the_broker_takes_and_each_has_its_stop() -> None:
    assert asked(bracket(), settings=ProtectionSettings(max_contracts=D(2))) == (pair(2), pair(1))


# --- missing -----------------------------------------------------------------------------------------


def test_a_stop_that_is_missing_joins_its_target_once_the_broker_has_that() -> None:
    assert asked(bracket(leg(3, P1))) == (beside(),)
    assert asked(bracket(leg(3, P1, state=OrderState.PENDING, updated_ns=NOW))) == ()


def test_a_target_that_is_missing_joins_its_stop() -> None:
    joined = replace(pair(), stop=None, oca_group=GROUP)
    assert asked(bracket(stop())) == (joined,)
    assert asked(bracket(stop(state=OrderState.PENDING, updated_ns=NOW))) == ()
    assert asked(bracket(stop(2))) == (replace(joined, qty=D(2)),)


def test_a_stop_joins_for_what_its_target_has_at_the_broker() -> None:
    assert asked(bracket(leg(2, P1))) == (to_target(3), beside(2))


def test_a_stop_without_a_group_or_without_a_wish_has_no_target_beside_it() -> None:
    gone = CancelExit(exit_ref(2), "one exit too many")
    assert asked(bracket(stop(group=""))) == (gone,)
    assert asked(bracket(stop(), own=OwnExits())) == (gone,)


def test_a_target_without_a_group_gives_way_to_a_pair() -> None:
    alone = bracket(leg(3, P1, group=""))
    assert asked(alone) == (CancelExit(exit_ref(1), "one exit too many"),)
    assert asked(bracket(leg(3, P1, group="", cancel_cause="x", updated_ns=NOW))) == ()


def test_a_stop_that_is_no_longer_wished_goes() -> None:
    gone = CancelExit(exit_ref(2), "one exit too many")
    assert asked(bracket(leg(3, P1), stop(), own=OwnExits())) == (gone,)
    assert asked(bracket(leg(3, P1), stop(), own=None, stop_rests=False)) == (gone,)


def test_a_stop_of_a_group_that_stands_for_nothing_goes() -> None:
    other = stop(3, n=3, group="OCA-2")
    assert asked(bracket(leg(3, P1), stop(), other)) == (CancelExit(exit_ref(3), "one exit too many"),)


# --- one quantity ------------------------------------------------------------------------------------


def test_both_grow_with_the_position_and_shrink_with_a_part() -> None:
    assert asked(bracket(leg(2, P1), stop(2))) == (to_target(3), to_stop(3))
    assert asked(bracket(leg(3, P1), stop(), leaving=1)) == (to_target(2), to_stop(2))


def test_a_part_waits_until_both_have_let_go() -> None:
    part = SubmitExit(OrderKind.MARKET, Purpose.CLOSE, D(1), None, None, Cause.PART)
    for waiting in (exit_ref(1), exit_ref(2)):
        legs = (leg(2, P1, updated_ns=NOW), stop(2, updated_ns=NOW))
        assert asked(bracket(*legs, leaving=1, unconfirmed=((waiting, D(3)),))) == ()
    assert asked(bracket(leg(2, P1), stop(2), leaving=1)) == (part,)


@pytest.mark.parametrize(("after_ns", "resized"), [(0, False), (SECOND - 1, False), (SECOND, True)])
def test_what_a_fill_takes_from_the_other_is_the_brokers_to_take_for_a_second(
    after_ns: int, resized: bool
) -> None:
    """One of three is sold by the target: the stop is still for three here."""
    trade = replace(held(3, OWN), exit_filled=D(1))
    legs = (leg(3, P1, filled=D(1), updated_ns=NOW), stop(updated_ns=FILL))
    found = replace(bracket(*legs), trade=trade)
    assert asked(found, NOW + after_ns) == ((to_stop(2),) if resized else ())
    stopped = (leg(3, P1, updated_ns=FILL), stop(filled=D(1), updated_ns=NOW))
    assert asked(replace(found, exits=stopped), NOW + after_ns) == ((to_target(2),) if resized else ())
    assert next_look(found, NOW + after_ns, SPAN, DEFAULT, Memory()) == NOW + (5 if resized else 1) * SECOND


def test_a_pair_stands_for_the_larger_of_its_legs() -> None:
    legs = (leg(3, P1, filled=D(1)), stop(3), leg(2, P1, n=3, group="OCA-2"), working(1, P1, n=4))
    assert promised(bracket(*legs)) == 3 + 2 + 1
    assert promised(bracket(*legs, unconfirmed=((exit_ref(1), D(5)),))) == 4 + 2 + 1
    assert together(((legs[0].ticket, D(-1)), (legs[1].ticket, D(-2)))) == -1


def test_a_leg_that_is_busy_is_left_alone_and_the_other_is_not() -> None:
    sent = {"state": OrderState.PENDING, "updated_ns": NOW}
    assert asked(bracket(leg(2, P1, **sent), stop(3))) == ()
    assert asked(bracket(leg(3, P1), stop(3, "8.00", **sent))) == ()
    assert asked(bracket(leg(3, P1, **sent), stop(3, "8.00"))) == (to_stop(3),)
    assert asked(bracket(leg(3, "12.00"), stop(3, **sent))) == (to_target(3),)


def test_a_hand_moves_either_price() -> None:
    assert asked(bracket(leg(3, P1), stop(3, "8.00"))) == (to_stop(3),)
    moved = OwnExits((D("13.00"),), D("9.00"))
    assert asked(bracket(leg(3, P1), stop(), own=moved)) == (to_target(3, "13.00"),)


def test_a_new_price_is_asked_for_before_what_takes_hold() -> None:
    own = OwnExits((D(0), D("13.00")), D("9.00"))
    trade = replace(held(4, own), ladder=HOUSE)
    rungs = ((1, P1, 1), (1, P2, 3), (1, P3, 5))
    legs = [leg(qty, limit, n, f"OCA-{n}") for qty, limit, n in rungs]
    stops = [stop(qty, n=n + 1, group=f"OCA-{n}") for qty, _, n in rungs]
    sent = asked(replace(bracket(*legs, *stops), trade=trade))
    assert sent == (to_target(1, "13.00", 3), to_target(2, P1, 1), to_stop(2, n=2))


# --- going off ---------------------------------------------------------------------------------------


def test_a_stop_that_rests_is_no_reason_to_leave_at_market() -> None:
    """Neither while it waits nor once it has gone, by the causes of the trade's exits."""
    trade = replace(held(3, OWN), exits=(ExitLeg(exit_ref(2), Cause.STOP_ORDER.value),))
    found = replace(bracket(leg(3, P1), stop()), trade=trade)
    assert decide(found, NOW, SPAN, DEFAULT, Memory())[1].out is None


AT = "9.00"


@pytest.mark.parametrize(("after_ns", "out"), [(0, False), (2 * SECOND - 1, False), (2 * SECOND, True)])
def test_the_brokers_stop_has_a_head_start_of_two_seconds(after_ns: int, out: bool) -> None:
    found = bracket(leg(3, P1), stop(), bid=AT)
    _, memory = decide(found, NOW, SPAN, DEFAULT, Memory())
    assert (memory.stop_ns, memory.out) == (NOW, None)
    assert next_look(found, NOW, SPAN, DEFAULT, memory) == NOW + 2 * SECOND
    again = decide(found, NOW + after_ns, SPAN, DEFAULT, memory)
    assert again[1].out is (Cause.STOP if out else None)
    assert again[0] == ((CancelExit(exit_ref(2), "stop"),) if out else ())


@pytest.mark.parametrize(
    ("bid", "since"),
    [("9.05", 0), (AT, FILL), ("8.00", FILL), (None, FILL)],
    ids=["over", "at", "under", "none"],
)
def test_the_head_start_ends_with_a_bid_over_the_level(bid: str | None, since: int) -> None:
    found = bracket(leg(3, P1), stop(), bid=bid)
    assert decide(found, NOW, SPAN, DEFAULT, Memory(stop_ns=FILL))[1].stop_ns == since


@pytest.mark.parametrize(
    "legs",
    [
        (leg(3, P1),),
        (leg(3, P1), stop(2)),
        (leg(3, P1), stop(level="8.95")),
        (leg(3, P1), stop(state=OrderState.PENDING, updated_ns=NOW)),
        (leg(3, P1), stop(state=OrderState.UNKNOWN)),
        (leg(3, P1), stop(cancel_cause="x", updated_ns=NOW)),
    ],
    ids=["missing", "too small", "elsewhere", "sent", "unknown", "cancelled"],
)
def test_without_a_confirmed_stop_the_station_goes_at_once(legs: tuple[Order, ...]) -> None:
    found = bracket(*legs, bid=AT)
    assert not rests(found, DEFAULT)
    assert decide(found, NOW, SPAN, DEFAULT, Memory())[1].out is Cause.STOP


def test_a_stop_whose_change_is_not_confirmed_is_not_relied_on() -> None:
    legs = (leg(3, P1), stop())
    assert rests(bracket(*legs), DEFAULT)
    assert rests(bracket(leg(3, P1), stop(state=OrderState.PARTIALLY_FILLED)), DEFAULT)
    assert not rests(bracket(*legs, unconfirmed=((exit_ref(2), D(3)),)), DEFAULT)
    assert not rests(bracket(*legs, own=None), DEFAULT)


def test_a_head_start_of_nothing_is_none() -> None:
    settings = ProtectionSettings(stop_head_start_s=0)
    found = bracket(leg(3, P1), stop(), bid=AT)
    assert decide(found, NOW, SPAN, settings, Memory())[1].out is Cause.STOP


# --- everything out ----------------------------------------------------------------------------------


def test_an_out_cancels_the_stops_first_and_sells_once_they_are_gone() -> None:
    both = bracket(leg(3, P1), stop(), kill_flatten=True)
    assert asked(both) == (CancelExit(exit_ref(2), "kill"),)
    waits = bracket(leg(3, P1), stop(cancel_cause="x", updated_ns=NOW), kill_flatten=True)
    assert asked(waits) == ()
    alone = bracket(leg(3, P1), kill_flatten=True)
    assert asked(alone) == (MarketOut(Cause.KILL, "kill switch: flatten"),)
    only_stop = bracket(stop(), kill_flatten=True)
    assert asked(only_stop) == (MarketOut(Cause.KILL, "kill switch: flatten"),)


def test_of_a_ladder_the_stops_go_and_every_rung_stays_for_the_market() -> None:
    legs = (leg(2, P1), stop(2), leg(2, "14.00", 3, "OCA-3"), stop(2, n=4, group="OCA-3"))
    gone = asked(replace(bracket(*legs, kill_flatten=True), trade=held(4, OWN)))
    assert [one.order_ref for one in gone] == [exit_ref(2), exit_ref(4)]


@pytest.mark.parametrize(("after_s", "sells"), [(4, False), (5, True)])
def test_a_cancel_that_is_lost_holds_an_out_back_for_five_seconds(after_s: int, sells: bool) -> None:
    """Then its group keeps it from selling beside the one that goes to market."""
    found = bracket(leg(3, P1), stop(cancel_cause="x", updated_ns=NOW), kill_flatten=True)
    sent = [one for one in asked(found, NOW + after_s * SECOND) if isinstance(one, MarketOut)]
    assert bool(sent) is sells
    apart = replace(found, exits=(leg(3, P1), stop(cancel_cause="x", updated_ns=NOW, group="OCA-2")))
    sent = [one for one in asked(apart, NOW + after_s * SECOND) if isinstance(one, MarketOut)]
    assert sent == []


def test_a_flat_position_cancels_what_its_group_left() -> None:
    sold = replace(held(3, OWN), exit_filled=D(3), last_exit_ref=exit_ref(1))
    found = replace(bracket(stop()), trade=sold)
    assert asked(found) == (CancelExit(exit_ref(2), "position is flat"),)
