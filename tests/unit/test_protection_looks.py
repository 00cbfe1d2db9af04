"""When protection looks again, what wakes it sooner, and how often it asks for the same thing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from station.domain.clock import MINUTE, SECOND
from station.domain.orders import Action
from station.domain.trade import Cause
from station.protection import (
    CancelExit,
    LateMode,
    MarketOut,
    Memory,
    ProtectionSettings,
    RaiseAlert,
    RequestReconcile,
    decide,
    next_look,
    triggers,
)
from station.protection.asks import asked, retries
from station.protection.decide import Triggers
from station.protection.directives import Ask, Directive
from tests.unit.domain_cases import bought, run, sold, to_submitted
from tests.unit.test_protection_rules import DEFAULT, FILL, SPAN, held, holding, working

D = Decimal
CANCEL = CancelExit("X1", "one exit a trade")
RECONCILE = RequestReconcile("exit X1 is unanswered")
OUT = MarketOut(Cause.SHIELD, "bid")
PATIENT = ProtectionSettings(slow_poll_s=100)
FLAT = run((*to_submitted(3), bought(3, "10.00"), sold(3, "11.00")), FILL)


def pause(
    directive: Directive, times: int, settings: ProtectionSettings = DEFAULT, bid: str | None = "9.00"
) -> float:
    ask = Ask(directive, FILL, times, 1)
    (at_ns,) = retries(holding(bid=bid), FILL, settings, Memory(asks=(ask,)))
    return (at_ns - FILL) / SECOND


@pytest.mark.parametrize(
    ("times", "plain", "patient", "reconcile"),
    [(1, 1, 1, 5), (2, 2, 2, 10), (3, 4, 4, 20), (4, 8, 8, 30), (5, 16, 16, 30), (6, 30, 32, 30),
     (7, 30, 32, 30),
     (9, 30, 32, 30)],
)  # fmt: skip
def test_the_pause_doubles_up_to_the_slow_poll(times: int, plain: int, patient: int, reconcile: int) -> None:
    assert pause(CANCEL, times) == plain
    assert pause(CANCEL, times, PATIENT) == patient
    assert pause(RECONCILE, times) == reconcile


def test_a_market_exit_without_a_bid_waits_for_the_slow_poll_and_a_long_answer_time_is_respected() -> None:
    assert pause(OUT, 1, bid=None) == 30
    assert pause(OUT, 1) == 1
    assert pause(CANCEL, 1, bid=None) == 1
    assert pause(RECONCILE, 1, ProtectionSettings(slow_poll_s=3, ack_timeout_s=9)) == 9
    assert pause(RECONCILE, 4, ProtectionSettings(slow_poll_s=3, ack_timeout_s=9)) == 9


def test_an_instant_that_has_come_is_no_retry() -> None:
    memory = Memory(asks=(Ask(CANCEL, FILL, 1, 1),))
    assert retries(holding(), FILL + SECOND - 1, DEFAULT, memory) == [FILL + SECOND]
    assert retries(holding(), FILL + SECOND, DEFAULT, memory) == []


def ask(now_ns: int, memory: Memory, *orders: Directive) -> tuple[tuple[Directive, ...], Memory]:
    return asked(orders, (), now_ns, holding(), DEFAULT, memory)


def test_the_same_thing_is_asked_again_only_after_its_pause() -> None:
    sent, memory = ask(FILL, Memory(), CANCEL)
    assert (sent, memory.asks) == ((CANCEL,), (Ask(CANCEL, FILL, 1, 1),))
    assert ask(FILL + SECOND - 1, memory, CANCEL) == ((), memory)
    sent, again = ask(FILL + SECOND, memory, CANCEL)
    assert (sent, again.asks[0].times) == ((CANCEL,), 2)


def test_two_of_a_kind_are_two_asks() -> None:
    sent, memory = ask(FILL, Memory(), CANCEL, CANCEL)
    assert sent == (CANCEL, CANCEL)
    assert [each.nth for each in memory.asks] == [1, 2]
    assert ask(FILL + 1, memory, CANCEL, CANCEL)[0] == ()
    assert len(ask(FILL + 1, memory, CANCEL, CANCEL, CANCEL)[0]) == 1


def test_the_third_time_is_told_and_no_other() -> None:
    told: list[int] = []
    memory, now = Memory(), FILL
    for times in range(1, 6):
        sent, memory = ask(now, memory, CANCEL)
        told += [times for each in sent if isinstance(each, RaiseAlert)]
        now += 30 * SECOND
    assert told == [3]
    _, twice = ask(FILL + SECOND, ask(FILL, Memory(), CANCEL)[1], CANCEL)
    (_, alert), _ = ask(FILL + 3 * SECOND, twice, CANCEL)
    assert isinstance(alert, RaiseAlert)
    assert alert.text.endswith("asked 3 times for the same CancelExit in vain")


def test_an_ask_is_forgotten_after_a_minute() -> None:
    memory = Memory(asks=(Ask(CANCEL, FILL, 2, 1),))
    assert ask(FILL + 60 * SECOND - 1, memory, CANCEL)[1].asks[0].times == 3
    assert ask(FILL + 60 * SECOND, memory, CANCEL)[1].asks[0].times == 1


def test_a_question_to_the_broker_forgets_older_refusals_and_not_itself() -> None:
    memory = Memory(asks=(Ask(CANCEL, FILL, 4, 1),))
    sent, after = ask(FILL + SECOND, memory, RECONCILE)
    assert (sent, after.asks) == ((RECONCILE,), (Ask(RECONCILE, FILL + SECOND, 1, 1),))
    both, kept = ask(FILL + SECOND, memory, RECONCILE, CANCEL)
    assert (both, {each.directive for each in kept.asks}) == ((RECONCILE,), {RECONCILE, CANCEL})
    assert ask(FILL + 2 * SECOND, after, RECONCILE) == ((), after)


def test_nothing_to_ask_leaves_the_memory_alone() -> None:
    memory = Memory(asks=(Ask(CANCEL, FILL, 4, 1),))
    assert ask(FILL, memory) == ((), memory)


# --- the next look --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_s", "next_s"),
    [(0, 5), (4, 5), (5, 10), (594, 595), (599, 600), (600, 630), (629, 630), (630, 660), (889, 900),
     (900, 930)],
)  # fmt: skip
def test_it_looks_every_five_seconds_for_ten_minutes_and_then_every_thirty(after_s: int, next_s: int) -> None:
    assert next_look(holding(), FILL + after_s * SECOND, SPAN, DEFAULT, Memory()) == FILL + next_s * SECOND


def test_it_looks_exactly_when_a_rule_begins() -> None:
    odd = replace(DEFAULT, grace_s=905)
    assert next_look(holding(), FILL + 901 * SECOND, SPAN, odd, Memory()) == FILL + 905 * SECOND
    late = SPAN.close_ns - 30 * MINUTE
    drifted = holding(held(at_ns=FILL + 7 * SECOND))
    assert next_look(drifted, late - SECOND, SPAN, DEFAULT, Memory()) == late
    last = SPAN.close_ns - 5 * MINUTE
    assert next_look(drifted, last - SECOND, SPAN, DEFAULT, Memory()) == last


def test_it_looks_for_an_overdue_answer_a_missing_price_and_a_retry() -> None:
    now = FILL + 601 * SECOND
    order = working(updated_ns=now - 2 * SECOND)
    assert next_look(holding(exits=(order,)), now, SPAN, DEFAULT, Memory()) == now + 3 * SECOND
    absent = Memory(absent_checks=1, absent_ns=now - SECOND)
    assert next_look(holding(), now, SPAN, DEFAULT, absent) == now + 4 * SECOND
    assert next_look(holding(), now, SPAN, DEFAULT, replace(absent, absent_checks=0)) == FILL + 630 * SECOND
    asking = Memory(asks=(Ask(CANCEL, now, 1, 1),))
    assert next_look(holding(), now, SPAN, DEFAULT, asking) == now + SECOND


def test_it_does_not_look_when_there_is_nothing_to_see() -> None:
    assert next_look(holding(), FILL, None, DEFAULT, Memory()) is None
    assert next_look(holding(FLAT), FILL, SPAN, DEFAULT, Memory()) is None
    asking = Memory(asks=(Ask(CANCEL, FILL, 1, 1),))
    assert next_look(holding(FLAT), FILL, SPAN, DEFAULT, asking) is None
    assert next_look(holding(FLAT, (working(),)), FILL, SPAN, DEFAULT, asking) == FILL + SECOND
    assert next_look(holding(), FILL, None, DEFAULT, asking) == FILL + SECOND


def test_what_a_flat_trade_left_is_looked_at_until_it_is_gone() -> None:
    left = working(updated_ns=FILL)
    assert next_look(holding(FLAT, (left,)), FILL, SPAN, DEFAULT, Memory()) == FILL + 5 * SECOND
    assert next_look(holding(FLAT, (left,)), FILL + 5 * SECOND, SPAN, DEFAULT, Memory()) is None
    for qty in (1, 3):
        still_held = holding(held(qty), (left,))
        assert next_look(still_held, FILL, None, DEFAULT, Memory()) is None, "the session's start looks again"


def test_without_a_resting_stop_no_head_start_runs() -> None:
    for known in (Memory(), Memory(stop_ns=FILL)):
        assert decide(holding(exits=(working(),), bid="1.00"), FILL, SPAN, DEFAULT, known)[1].stop_ns == 0


# --- what wakes it --------------------------------------------------------------------------------------


def test_a_quote_wakes_it_only_past_a_level() -> None:
    levels = Triggers(at_or_under=D(8), under=D(10), over=D(12))
    for bid, pulls in (
        ("8.01", True),
        ("8", True),
        ("9.99", True),
        ("10", False),
        ("12", False),
        ("12.01", True),
    ):
        assert levels.pulled_by(D(bid)) is pulls
    assert Triggers(at_or_under=D(8)).pulled_by(D(8))
    assert not Triggers(at_or_under=D(8)).pulled_by(D("8.01"))
    assert not Triggers().pulled_by(None)
    assert Triggers(absent=True).pulled_by(None)
    assert Triggers(present=True).pulled_by(D(1))
    assert not Triggers(absent=True).pulled_by(D(1))


def test_the_levels_follow_what_is_decided() -> None:
    entry = triggers(holding(held()), FILL, SPAN, DEFAULT, Memory())
    assert entry == Triggers(absent=True)
    assert triggers(holding(held()), FILL, None, DEFAULT, Memory()) == Triggers()
    assert triggers(holding(FLAT), FILL, SPAN, DEFAULT, Memory()) == Triggers()
    gone = Memory(absent_checks=1)
    assert triggers(holding(held()), FILL, SPAN, DEFAULT, gone) == Triggers()
    out = Memory(out=Cause.SHIELD)
    assert triggers(holding(held(), bid=None), FILL, SPAN, DEFAULT, out) == Triggers(present=True)
    assert triggers(holding(held()), FILL, SPAN, DEFAULT, out) == Triggers()


def test_under_entry_wakes_it_once_the_sell_may_be_lowered() -> None:
    def under(
        now_ns: int, settings: ProtectionSettings = DEFAULT, memory: Memory | None = None
    ) -> Decimal | None:
        return triggers(holding(held()), now_ns, SPAN, settings, memory or Memory()).under

    grace = FILL + 900 * SECOND
    assert (under(grace - 1), under(grace)) == (None, D(10))
    assert under(grace, memory=Memory(lowered=Cause.BREAK_EVEN)) is None
    assert under(grace, ProtectionSettings(off=frozenset({"break_even"}))) is None
    late = SPAN.close_ns - 30 * MINUTE
    slow = ProtectionSettings(grace_s=86_400)
    assert (under(late - 1, slow), under(late, slow)) == (None, D(10))
    assert under(late, replace(slow, late_mode=LateMode.ALERT_ONLY)) is None
    assert under(late, replace(slow, off=frozenset({"late"}))) is None


def test_a_new_high_wakes_it_only_while_the_stop_trails() -> None:
    high = Memory(high_bid=D(11))
    assert triggers(holding(held()), FILL, SPAN, DEFAULT, high).over is None
    trailing = ProtectionSettings(trail_pct=D(10))
    assert triggers(holding(held()), FILL, SPAN, trailing, high).over == D(11)
    assert triggers(holding(held()), FILL, SPAN, replace(trailing, off=frozenset({"trail"})), high).over is None
    quiet = replace(DEFAULT, off=frozenset({"emergency"}))
    assert triggers(holding(held()), FILL, SPAN, quiet, Memory()).absent is False


def test_one_contract_is_as_wakeful_as_three() -> None:
    assert triggers(holding(held(1)), FILL, SPAN, DEFAULT, Memory()) == Triggers(absent=True)


def test_a_price_clears_the_count_of_absent_ones() -> None:
    before = Memory(absent_checks=3, absent_ns=FILL)
    after = decide(holding(held(), (working(),)), FILL + SECOND, SPAN, DEFAULT, before)[1]
    assert (after.absent_checks, after.absent_ns) == (0, 0)


def test_an_over_sell_outside_the_session_only_cancels_the_sells_that_still_work() -> None:
    over = run((*to_submitted(3), bought(3, "10.00"), sold(4, "11.00")), FILL)
    selling, going = working(n=1), working(n=2, cancel_cause="protection")
    buying = replace(working(n=3), ticket=replace(working(n=3).ticket, action=Action.BUY))
    orders, _ = decide(holding(over, (selling, going, buying)), FILL, None, DEFAULT, Memory())
    assert [each for each in orders if isinstance(each, CancelExit)] == [CancelExit(selling.ref, "over-sold")]


@pytest.mark.parametrize(
    ("before_close_s", "settings"),
    [(1800, DEFAULT), (300, DEFAULT), (240, DEFAULT), (420, ProtectionSettings(flatten_before_close_s=480)),
     (270, ProtectionSettings(flat_within_s=30)), (900, ProtectionSettings(late_before_close_s=900))],
)  # fmt: skip
def test_the_instants_before_the_close_are_looked_at_exactly(
    before_close_s: int, settings: ProtectionSettings
) -> None:
    """A trade filled 7 s past the half minute is polled there, and at these instants besides."""
    found, due_ns = holding(held(at_ns=FILL + 7 * SECOND)), SPAN.close_ns - before_close_s * SECOND
    assert next_look(found, due_ns - 3 * SECOND, SPAN, settings, Memory()) == due_ns
    assert next_look(found, due_ns, SPAN, settings, Memory()) == due_ns + 7 * SECOND


def test_of_two_questions_to_be_asked_again_outside_the_session_the_sooner_is_looked_at() -> None:
    memory = Memory(asks=(Ask(CANCEL, FILL, 1, 1), Ask(RECONCILE, FILL, 1, 1)))
    assert next_look(holding(), FILL, None, DEFAULT, memory) == FILL + SECOND
    assert next_look(holding(), FILL + SECOND, None, DEFAULT, memory) == FILL + 5 * SECOND
    assert next_look(holding(), FILL + 5 * SECOND, None, DEFAULT, memory) is None
