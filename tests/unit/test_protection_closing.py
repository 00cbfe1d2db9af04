"""What is to leave and cannot yet is written down, and found again by a station that remembers nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from station.domain.clock import MINUTE
from station.domain.events import CloseAsked
from station.domain.hand import OwnExits, Reversal
from station.domain.orders import Order, OrderState
from station.domain.trade import Cause, ExitLeg, Trade
from station.protection import (
    AskClose,
    CancelEntry,
    CancelExit,
    LateMode,
    MarketOut,
    Memory,
    RequestReconcile,
    decide,
)
from tests.unit.domain_cases import CONTRACT, bought, entry_ref, exit_ref, run, to_submitted
from tests.unit.test_protection_ladder import P1
from tests.unit.test_protection_pairs import NOW, bracket, leg, stop
from tests.unit.test_protection_rules import DEFAULT, FILL, SPAN, holding, looked, working

STOPPED = OwnExits(stop_price=Decimal("9.00"))
UNKNOWN = working(state=OrderState.UNKNOWN)


def held(own: OwnExits | None = None) -> Trade:
    return replace(run((*to_submitted(3), bought(3)), FILL), own=own)


def wanted(trade: Trade, cause: Cause = Cause.MANUAL) -> Trade:
    return run((CloseAsked(cause.value, "closed by hand", "hand"),), FILL, trade)


def test_a_close_is_carried_out_by_whoever_finds_it_written() -> None:
    assert looked(holding(wanted(held()), (working(),))) == (MarketOut(Cause.MANUAL, "closed by hand"),)


def test_a_close_waits_for_the_brokers_word_and_for_the_session() -> None:
    trade = wanted(held())
    (doubt,) = looked(holding(trade, (UNKNOWN,)))
    assert isinstance(doubt, RequestReconcile)
    assert looked(holding(trade, (working(),)), session=None) == ()
    assert looked(holding(trade, (working(),))) == (MarketOut(Cause.MANUAL, "closed by hand"),)


def test_a_close_asked_before_the_fill_ends_the_entry_and_takes_out_what_it_buys() -> None:
    trade = wanted(run(to_submitted(3), FILL))
    asked = CancelEntry(entry_ref(), Cause.MANUAL)
    assert looked(holding(trade, entry_working=True)) == (asked,)
    part = run((bought(1),), FILL, trade)
    assert looked(holding(part, entry_working=True)) == (MarketOut(Cause.MANUAL, "closed by hand"), asked)


def test_what_a_hand_asked_goes_before_what_a_rule_says_at_the_same_look() -> None:
    trade = replace(wanted(held(STOPPED)), shield="rapid_shield")
    assert looked(holding(trade, (working(),), bid="1.00")) == (MarketOut(Cause.MANUAL, "closed by hand"),)


@pytest.mark.parametrize(
    "exits",
    [(UNKNOWN,), (working(state=OrderState.PENDING),), (working(cancel_cause="replace"),)],
    ids=["unknown", "sent", "being cancelled"],
)
def test_a_stop_that_goes_off_while_nothing_can_be_sent_is_written_down_once(exits: tuple[Order, ...]) -> None:
    found = holding(held(STOPPED), exits, bid="8.90")
    asked, memory = decide(found, FILL, SPAN, DEFAULT, Memory())
    reason = "bid 8.90 at or under the stop of 9.00"
    assert asked[0] == AskClose(Cause.STOP, reason)
    kept = run((CloseAsked(Cause.STOP.value, reason, "protection"),), FILL, found.trade)
    again, _ = decide(replace(found, trade=kept), FILL, SPAN, DEFAULT, memory)
    assert not any(isinstance(each, AskClose) for each in again)
    risen = holding(kept, (working(),), bid="11.00")
    assert looked(risen) == (MarketOut(Cause.STOP, reason),), "the bid is back, and the stop has gone off"


def test_what_an_order_tells_is_not_written_down_beside_it() -> None:
    found = holding(held(STOPPED), (working(),), bid="8.90")
    assert [type(each) for each in looked(found)] == [MarketOut]
    legs = (ExitLeg(exit_ref(1), Cause.STOP.value),)
    sent = working(limit=None, state=OrderState.PENDING)
    assert looked(holding(replace(held(STOPPED), exits=legs), (sent,), bid="8.90")) == ()


def test_the_cancel_of_a_resting_stop_says_why_and_nothing_is_written_down_beside_it() -> None:
    legs = (leg(3, P1), stop())
    found = bracket(*legs, bid="7.00")
    shielded = replace(found, trade=replace(found.trade, shield="rapid_shield"))
    assert looked(shielded, NOW) == (CancelExit(exit_ref(2), Cause.SHIELD.value),)


REVERSED = Reversal("r1", "hand", CONTRACT, Decimal(3))
LATE = replace(DEFAULT, late_mode=LateMode.FORCE_CLOSE)


@pytest.mark.parametrize(
    ("trade", "more", "at_ns", "cause"),
    [
        (held(), {"kill_flatten": True}, FILL, Cause.KILL),
        (held(), {}, SPAN.close_ns - 10 * MINUTE, Cause.LATE),
        (held(), {}, SPAN.close_ns - MINUTE, Cause.END_OF_DAY),
        (replace(held(), reversal=REVERSED), {}, FILL, Cause.MANUAL),
    ],
    ids=lambda value: value.value if isinstance(value, Cause) else "",
)
def test_what_comes_again_by_itself_is_not_written_down(
    trade: Trade, more: dict[str, Any], at_ns: int, cause: Cause
) -> None:
    found = holding(trade, (UNKNOWN,), quoted_ns=at_ns, **more)
    asked, memory = decide(found, at_ns, SPAN, LATE, Memory())
    assert memory.out is cause
    assert not any(isinstance(each, AskClose) for each in asked)


def test_an_emergency_that_is_found_written_is_not_told_again() -> None:
    asked = looked(holding(wanted(held(), Cause.EMERGENCY), (working(),)))
    assert asked == (MarketOut(Cause.EMERGENCY, "closed by hand"),)
