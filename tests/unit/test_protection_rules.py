"""Each protection rule at its limit, and one unit to each side of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from station.calendars import SessionSpan
from station.domain.clock import MINUTE, SECOND
from station.domain.errors import BadInput
from station.domain.instruments import SPX_OPTION_TICKS, TickRule, flat_ticks
from station.domain.market import Quote
from station.domain.orders import Action, Order, OrderKind, OrderState, Purpose, new_order
from station.domain.trade import Cause, ExitLeg, Trade
from station.protection import (
    CancelEntry,
    CancelExit,
    Holding,
    LateMode,
    MarketOut,
    Memory,
    ModifyExit,
    ProtectionSettings,
    RaiseAlert,
    RequestReconcile,
    SubmitExit,
    decide,
    next_look,
    triggers,
)
from tests.unit.domain_cases import (
    CONTRACT,
    bought,
    exit_ref,
    exit_submitted,
    run,
    sold,
    ticket,
    to_submitted,
    utc,
)

SPAN = SessionSpan(date(2026, 11, 18), utc(14, 30), utc(21), early=False)
HALF_DAY = SessionSpan(date(2026, 11, 18), utc(14, 30), utc(18), early=True)
FILL = utc(15, 5)
DEFAULT = ProtectionSettings()


def held(qty: int = 3, price: str = "10.00", shield: str = "none", at_ns: int = FILL) -> Trade:
    return run((*to_submitted(qty, shield), bought(qty, price)), at_ns)


def quote(bid: str | None, at_ns: int, ask: str | None = None) -> Quote:
    low = Decimal(bid) if bid is not None else None
    high = Decimal(ask) if ask is not None else (low + Decimal("0.10") if low is not None else None)
    return Quote(CONTRACT, low, high, 10, 10, at_ns)


def working(
    qty: int = 3,
    limit: str | None = "12.30",
    state: OrderState = OrderState.SUBMITTED,
    n: int = 1,
    **more: Any,
) -> Order:
    kind = OrderKind.LIMIT if limit is not None else OrderKind.MARKET
    order = new_order(ticket(exit_ref(n), qty, kind=kind, limit=limit), "T1", FILL)
    return replace(order, state=state, **more)


def holding(
    trade: Trade | None = None, exits: tuple[Order, ...] = (), bid: str | None = "10.00", **more: Any
) -> Holding:
    fields: dict[str, Any] = {"tick_rule": SPX_OPTION_TICKS, **more}
    at_ns = fields.pop("quoted_ns", FILL)
    fields.setdefault("quote", quote(bid, at_ns))
    return Holding(trade if trade is not None else held(), exits, **fields)


def looked(
    found: Holding,
    now_ns: int = FILL,
    session: SessionSpan | None = SPAN,
    settings: ProtectionSettings = DEFAULT,
    memory: Memory | None = None,
) -> tuple[Any, ...]:
    return decide(found, now_ns, session, settings, memory or Memory())[0]


def fresh(found: Holding, now_ns: int) -> Holding:
    assert found.quote is not None
    return replace(found, quote=replace(found.quote, at_ns=now_ns))


# --- rule 1 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "pct", "rule", "limit"),
    [
        ("10.00", "23", SPX_OPTION_TICKS, "12.30"),
        ("10.01", "23", SPX_OPTION_TICKS, "12.40"),
        ("2.00", "23", SPX_OPTION_TICKS, "2.50"),
        ("2.40", "25", SPX_OPTION_TICKS, "3.00"),
        ("2.44", "23", SPX_OPTION_TICKS, "3.10"),
        ("0.01", "23", SPX_OPTION_TICKS, "0.05"),
        ("1.00", "23", flat_ticks("0.01"), "1.23"),
        ("1.01", "23", flat_ticks("0.01"), "1.25"),
    ],
)
def test_the_target_is_entry_plus_percent_rounded_up_to_a_tick(
    entry: str, pct: str, rule: TickRule, limit: str
) -> None:
    trade = replace(held(price=entry), target_pct=Decimal(pct))
    found = holding(trade, bid=entry, tick_rule=rule)
    assert looked(found) == (
        SubmitExit(OrderKind.LIMIT, Purpose.TARGET, Decimal(3), Decimal(limit), None, Cause.TARGET),
    )


def test_a_trade_without_its_own_target_takes_the_default() -> None:
    trade = replace(held(), target_pct=Decimal(0))
    assert looked(holding(trade))[0].limit == Decimal("12.30")


def test_a_working_target_of_the_right_size_is_left_alone() -> None:
    assert looked(holding(exits=(working(),))) == ()


def test_a_later_partial_fill_of_the_entry_grows_the_sell_in_place() -> None:
    trade = run((*to_submitted(3), bought(1), bought(1, exec_id="e.2.01")))
    asked = looked(holding(trade, (working(1),), entry_working=True))
    assert asked == (
        ModifyExit(exit_ref(), OrderKind.LIMIT, Decimal(2), Decimal("12.30"), None, Cause.TARGET,
                   "profit target"),
    )  # fmt: skip


def test_a_partial_exit_needs_no_change() -> None:
    trade = run((exit_submitted(3), sold(1)), trade=held())
    part = working(3, state=OrderState.PARTIALLY_FILLED, filled=Decimal(1))
    assert looked(holding(trade, (part,))) == ()


def test_a_missing_protective_order_is_created_again() -> None:
    trade = run((exit_submitted(3),), trade=held())
    assert isinstance(looked(holding(trade))[0], SubmitExit)


def test_nothing_is_sent_outside_the_session() -> None:
    assert looked(holding(), utc(22), None) == ()


# --- rule 2 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_ns", "bid", "moved"),
    [
        (15 * MINUTE - 1, "9.00", False),
        (15 * MINUTE, "9.90", True),
        (15 * MINUTE, "10.00", False),
        (15 * MINUTE + 1, "9.00", True),
    ],
)
def test_after_the_grace_period_a_sell_under_water_moves_to_entry_plus_fees(
    after_ns: int, bid: str, moved: bool
) -> None:
    now_ns = FILL + after_ns
    found = fresh(holding(exits=(working(),), bid=bid), now_ns)
    asked = looked(found, now_ns)
    assert bool(asked) is moved
    if moved:
        # 2 × 0.65 dollars a contract = 0.013 a unit over 10.00, up to the next dime.
        assert (asked[0].limit, asked[0].cause) == (Decimal("10.10"), Cause.BREAK_EVEN)


def test_once_moved_to_break_even_the_sell_stays_there() -> None:
    now_ns = FILL + 16 * MINUTE
    under = fresh(holding(exits=(working(),), bid="9.00"), now_ns)
    _, memory = decide(under, now_ns, SPAN, DEFAULT, Memory())
    over = fresh(holding(exits=(working(limit="10.10"),), bid="10.05"), now_ns)
    assert looked(over, now_ns, memory=memory) == ()


@pytest.mark.parametrize(("bid", "out"), [("11.10", False), ("11.00", True), ("10.90", True)])
def test_a_trailing_stop_follows_the_best_bid_down_to_a_tick(bid: str, out: bool) -> None:
    settings = ProtectionSettings(trail_pct=Decimal(10))
    now_ns = FILL + 16 * MINUTE
    found = fresh(holding(exits=(working(),), bid=bid), now_ns)
    asked = looked(found, now_ns, settings=settings, memory=Memory(high_bid=Decimal("12.04")))
    assert (asked[:1] == (MarketOut(Cause.BREAK_EVEN, asked[0].reason),) if asked else False) is out


# --- rule 3 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after_ns", "told"), [(30 * MINUTE - 1, 0), (30 * MINUTE, 1), (30 * MINUTE + 1, 1)])
def test_an_open_trade_is_told_after_half_an_hour(after_ns: int, told: int) -> None:
    now_ns = FILL + after_ns
    asked = looked(fresh(holding(exits=(working(),)), now_ns), now_ns)
    assert sum(isinstance(d, RaiseAlert) and d.severity == "critical" for d in asked) == told


def test_an_open_trade_is_told_once_every_half_hour() -> None:
    memory, told = Memory(), 0
    for minute in range(0, 95, 5):
        now_ns = FILL + minute * MINUTE
        asked, memory = decide(fresh(holding(exits=(working(),)), now_ns), now_ns, SPAN, DEFAULT, memory)
        told += sum(isinstance(d, RaiseAlert) for d in asked)
    assert told == 3


# --- rule 4 ------------------------------------------------------------------------------------------

LATE = SPAN.close_ns - 30 * MINUTE
YOUNG = utc(20, 20)


@pytest.mark.parametrize(
    ("at_ns", "bid", "moved"),
    [(LATE - 1, "9.00", False), (LATE, "9.90", True), (LATE, "10.00", False), (LATE + 1, "9.00", True)],
)
def test_at_half_past_three_a_sell_under_water_moves_to_entry(at_ns: int, bid: str, moved: bool) -> None:
    found = fresh(holding(held(at_ns=YOUNG), (working(),), bid=bid), at_ns)
    asked = looked(found, at_ns)
    assert [d.cause for d in asked] == ([Cause.LATE] if moved else [])


def test_late_alert_only_tells_and_leaves_the_sell() -> None:
    settings = ProtectionSettings(late_mode=LateMode.ALERT_ONLY, off=frozenset({"break_even"}))
    found = fresh(holding(held(at_ns=YOUNG), (working(),), bid="9.00"), LATE)
    asked = looked(found, LATE, settings=settings)
    assert [type(d) for d in asked] == [RaiseAlert]


@pytest.mark.parametrize(("at_ns", "out"), [(LATE - 1, False), (LATE, True), (LATE + 1, True)])
def test_late_force_close_leaves_at_market(at_ns: int, out: bool) -> None:
    settings = ProtectionSettings(late_mode=LateMode.FORCE_CLOSE)
    asked = looked(fresh(holding(held(at_ns=YOUNG), (working(),)), at_ns), at_ns, settings=settings)
    assert [d.cause for d in asked] == ([Cause.LATE] if out else [])


# --- rule 5 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("span", [SPAN, HALF_DAY], ids=["full day", "half day"])
@pytest.mark.parametrize(("before_close_ns", "out"), [(5 * MINUTE + 1, False), (5 * MINUTE, True), (1, True)])
def test_fault_47_every_trade_leaves_at_market_five_minutes_before_the_close(
    span: SessionSpan, before_close_ns: int, out: bool
) -> None:
    now_ns = span.close_ns - before_close_ns
    found = fresh(holding(held(at_ns=now_ns - MINUTE), (working(),), bid="10.10"), now_ns)
    asked = looked(found, now_ns, span)
    assert [type(d) for d in asked] == ([MarketOut] if out else [])
    assert not out or asked[0].cause is Cause.END_OF_DAY


def test_a_market_exit_already_working_at_the_close_is_kept() -> None:
    now_ns = SPAN.close_ns - MINUTE
    trade = run((exit_submitted(3, "shield"),), trade=held(at_ns=now_ns - 2 * MINUTE), at_ns=now_ns)
    asked = looked(fresh(holding(trade, (working(limit=None),)), now_ns), now_ns)
    assert [type(each) for each in asked] == [RaiseAlert], "two minutes later it is told that it is not flat"


def test_a_position_held_over_from_an_earlier_session_leaves_at_the_open() -> None:
    trade = held(at_ns=utc(15, 5, day=17))
    asked = looked(fresh(holding(trade), SPAN.open_ns), SPAN.open_ns)
    assert [type(d) for d in asked] == [MarketOut, RaiseAlert]
    assert asked[0].cause is Cause.END_OF_DAY


def test_a_contract_with_no_bid_at_the_close_is_told_and_not_asked_in_a_storm() -> None:
    now_ns = SPAN.close_ns - 5 * MINUTE
    found = fresh(holding(held(at_ns=now_ns - MINUTE), bid=None), now_ns)
    asked, memory = decide(found, now_ns, SPAN, DEFAULT, Memory())
    assert [type(d) for d in asked] == [MarketOut, RaiseAlert]
    again, memory = decide(found, now_ns + 10 * SECOND, SPAN, DEFAULT, memory)
    assert again == ()
    back = fresh(holding(held(at_ns=now_ns - MINUTE), bid="0.05"), now_ns + 11 * SECOND)
    assert looked(back, now_ns + 11 * SECOND, memory=memory)[0].cause is Cause.END_OF_DAY


def test_after_the_close_an_unsold_contract_waits_for_settlement() -> None:
    found = fresh(holding(bid=None), SPAN.close_ns)
    assert looked(found, SPAN.close_ns, None, memory=Memory(out=Cause.END_OF_DAY)) == ()


# --- rule 6 ------------------------------------------------------------------------------------------


def absent_for(checks: int, **more: Any) -> tuple[Any, ...]:
    memory, asked = Memory(), ()
    for n in range(checks):
        now_ns = FILL + n * 5 * SECOND
        found = fresh(holding(exits=(working(),), bid=None, **more), now_ns)
        asked, memory = decide(found, now_ns, SPAN, DEFAULT, memory)
    return asked


@pytest.mark.parametrize(("checks", "out"), [(7, False), (8, True)])
def test_eight_checks_without_a_price_leave_at_market(checks: int, out: bool) -> None:
    asked = absent_for(checks)
    orders = [d for d in asked if not isinstance(d, RaiseAlert)]
    assert [d.cause for d in orders] == ([Cause.EMERGENCY] if out else [])
    told = [d for d in asked if isinstance(d, RaiseAlert)]
    assert [alert.severity for alert in told] == (["critical"] if out else [])
    assert all("price-feed emergency" in alert.text for alert in told)


def test_a_contract_never_quoted_counts_as_absent() -> None:
    _, memory = decide(replace(holding(), quote=None), FILL, SPAN, DEFAULT, Memory())
    assert memory.absent_checks == 1


def test_looks_between_two_checks_do_not_count() -> None:
    memory = Memory()
    for ms in range(0, 5000, 500):
        now_ns = FILL + ms * 1_000_000
        found = fresh(holding(exits=(working(),), bid=None), now_ns)
        _, memory = decide(found, now_ns, SPAN, DEFAULT, memory)
    assert memory.absent_checks == 1


def test_one_price_begins_the_count_again() -> None:
    _, memory = decide(holding(), FILL, SPAN, DEFAULT, Memory(absent_checks=7, absent_ns=FILL - 5 * SECOND))
    assert memory.absent_checks == 0


def test_fault_44_a_halt_holds_but_the_end_of_day_still_comes() -> None:
    assert absent_for(20, halted=True) == ()
    halted = holding(held(shield="rapid_shield"), (working(),), bid="5.00", halted=True)
    assert looked(halted) == ()
    now_ns = SPAN.close_ns - 5 * MINUTE
    assert looked(fresh(halted, now_ns), now_ns)[0].cause is Cause.END_OF_DAY


# --- shields, kill -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("bid", "out"), [("7.81", False), ("7.80", True), ("7.79", True)])
def test_the_rapid_shield_goes_off_at_minus_22_percent(bid: str, out: bool) -> None:
    asked = looked(holding(held(shield="rapid_shield"), (working(),), bid=bid))
    assert [d.cause for d in asked] == ([Cause.SHIELD] if out else [])


def test_without_the_shield_a_fall_moves_nothing() -> None:
    assert looked(holding(exits=(working(),), bid="1.00")) == ()


@pytest.mark.parametrize(("age_s", "out"), [(15, True), (16, False)])
def test_fault_39_a_stale_quote_never_fires_the_shield_and_is_told(age_s: int, out: bool) -> None:
    now_ns = FILL + age_s * SECOND
    found = holding(held(shield="rapid_shield"), (working(),), bid="5.00", quoted_ns=FILL)
    asked, memory = decide(found, now_ns, SPAN, DEFAULT, Memory())
    assert [type(d) for d in asked] == [MarketOut if out else RaiseAlert]
    assert out or decide(found, now_ns + SECOND, SPAN, DEFAULT, memory)[0] == ()


@pytest.mark.parametrize("ask", ["5.00", "4.90"], ids=["locked", "crossed"])
def test_fault_41_a_crossed_or_locked_quote_never_fires_the_shield(ask: str) -> None:
    sick = quote("5.00", FILL, ask)
    assert looked(holding(held(shield="rapid_shield"), (working(),), quote=sick)) == ()


def test_the_day_shield_takes_out_only_the_trades_it_covers() -> None:
    hit = holding(held(shield="day_shield"), (working(),), day_shield_hit=True)
    assert looked(hit)[0].cause is Cause.SHIELD
    assert looked(holding(exits=(working(),), day_shield_hit=True)) == ()


def test_kill_flatten_leaves_at_market_and_cancels_the_entry() -> None:
    found = holding(exits=(working(),), kill_flatten=True, entry_working=True)
    asked = looked(found)
    assert [type(d) for d in asked] == [MarketOut, CancelEntry]
    assert asked[0].cause is Cause.KILL


def test_the_first_cause_stays_until_flat() -> None:
    found = holding(held(shield="rapid_shield"), (working(),), bid="5.00")
    _, memory = decide(found, FILL, SPAN, DEFAULT, Memory())
    _, memory = decide(replace(found, kill_flatten=True), FILL + SECOND, SPAN, DEFAULT, memory)
    assert memory.out is Cause.SHIELD
    flat = run((exit_submitted(3), sold(3)), trade=held())
    assert decide(holding(flat), FILL + 2 * SECOND, SPAN, DEFAULT, memory)[1].out is None


def test_kill_outranks_what_speaks_at_the_same_instant() -> None:
    found = holding(held(shield="rapid_shield"), (working(),), bid="5.00", kill_flatten=True)
    assert looked(found)[0].cause is Cause.KILL


@pytest.mark.parametrize("cause", [Cause.SHIELD, Cause.KILL, Cause.MANUAL, Cause.EMERGENCY, Cause.STRATEGY])
def test_after_a_restart_the_market_out_is_remembered_from_the_trade(cause: Cause) -> None:
    trade = run((exit_submitted(3, cause.value),), trade=held())
    assert looked(holding(trade)) == (MarketOut(cause, f"{cause.value}, resumed"),)


def test_after_a_restart_the_break_even_sell_stays_lowered() -> None:
    trade = replace(held(), exits=(ExitLeg(exit_ref(), Cause.BREAK_EVEN.value),))
    assert looked(holding(trade, (working(limit="10.10"),), bid="10.50")) == ()


# --- one exit, certain before another ----------------------------------------------------------------


def test_an_unknown_exit_is_asked_about_and_never_doubled() -> None:
    unknown = working(state=OrderState.UNKNOWN)
    reasons: tuple[dict[str, Any], ...] = ({}, {"kill_flatten": True})
    for more in reasons:
        asked = looked(holding(exits=(unknown,), **more))
        assert [type(d) for d in asked] == [RequestReconcile]


@pytest.mark.parametrize(("age_s", "asks"), [(4, False), (5, True)])
def test_fault_16_an_unanswered_exit_is_asked_about_before_anything_else(age_s: int, asks: bool) -> None:
    now_ns = FILL + age_s * SECOND
    found = fresh(holding(exits=(working(state=OrderState.PENDING),), kill_flatten=True), now_ns)
    assert [type(d) for d in looked(found, now_ns)] == ([RequestReconcile] if asks else [])


def test_an_exit_being_cancelled_is_waited_for_and_then_used_again() -> None:
    leaving = working(cancel_cause="replace")
    found = holding(exits=(leaving,), kill_flatten=True)
    assert looked(found) == ()
    for after_s, asked in ((5, RequestReconcile), (14, RequestReconcile), (15, MarketOut)):
        now_ns = FILL + after_s * SECOND
        assert [type(d) for d in looked(fresh(found, now_ns), now_ns)] == [asked]


def test_of_two_working_exits_one_is_cancelled_and_nothing_else_is_sent() -> None:
    first, second = working(3), working(3, n=2, created_ns=FILL + 1)
    assert looked(holding(exits=(first, second), kill_flatten=True)) == (
        CancelExit(exit_ref(2), "one exit too many"),
    )


def test_an_exit_of_a_flat_trade_is_cancelled() -> None:
    flat = run((exit_submitted(3), sold(3)), trade=held())
    assert looked(holding(flat, (working(n=2),))) == (CancelExit(exit_ref(2), "position is flat"),)


@pytest.mark.parametrize(("after_s", "again"), [(0, False), (4.999, False), (5, True), (60, True)])
def test_a_cancel_of_what_a_flat_trade_left_is_repeated_until_it_is_gone(after_s: float, again: bool) -> None:
    flat = run((exit_submitted(3), sold(3)), trade=held())
    left = working(n=2, cancel_cause="stop", updated_ns=FILL)
    asked = looked(holding(flat, (left,)), FILL + round(after_s * SECOND))
    assert asked == ((CancelExit(exit_ref(2), "position is flat"),) if again else ())


def test_fault_18_an_over_sell_is_bought_back_and_its_sells_are_cancelled() -> None:
    over = run((exit_submitted(3), sold(3), sold(1, exec_id="x.2.01")), trade=held())
    asked = looked(holding(over, (working(n=2),)))
    assert [type(d) for d in asked] == [CancelExit, RaiseAlert]
    asked = looked(holding(over))
    assert asked[0] == MarketOut(Cause.TARGET, "over-sold by 1")
    (told,) = [each.text for each in asked if isinstance(each, RaiseAlert)]
    assert told == "T1 is over-sold by 1: buying back"
    back = new_order(ticket(exit_ref(3), 1, action=Action.BUY, kind=OrderKind.MARKET), "T1", FILL)
    buying = replace(back, state=OrderState.SUBMITTED)
    assert [type(d) for d in looked(holding(over, (buying,)))] == [RaiseAlert]


def test_fault_14_a_refused_change_is_asked_again_only_after_a_pause_and_then_told() -> None:
    found = holding(held(shield="rapid_shield"), (working(),), bid="5.00")
    memory, times, told = Memory(), [], []
    for step in range(20):
        now_ns = FILL + step * SECOND // 2
        asked, memory = decide(fresh(found, now_ns), now_ns, SPAN, DEFAULT, memory)
        if any(isinstance(d, MarketOut) for d in asked):
            times.append(step / 2)
        told += [d for d in asked if isinstance(d, RaiseAlert)]
    assert times == [0, 1, 3, 7]
    assert [alert.severity for alert in told] == ["critical"]


# --- when to look again ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_s", "next_s"),
    [(0, 5), (4, 5), (5, 10), (599, 600), (600, 630), (629, 630), (890, 900), (900, 930)],
)
def test_it_looks_every_5_s_for_10_minutes_and_then_every_30_s(after_s: int, next_s: int) -> None:
    now_ns = FILL + after_s * SECOND
    assert next_look(holding(), now_ns, SPAN, DEFAULT, Memory()) == FILL + next_s * SECOND


def test_it_looks_exactly_at_the_two_instants_before_the_close() -> None:
    odd = held(at_ns=utc(15, 5, 7))
    late = next_look(holding(odd), LATE - SECOND, SPAN, DEFAULT, Memory())
    last = next_look(holding(odd), LATE + 25 * MINUTE - SECOND, SPAN, DEFAULT, Memory())
    assert (late, last) == (LATE, SPAN.close_ns - 5 * MINUTE)


def test_without_a_price_it_looks_every_5_s_at_any_age() -> None:
    now_ns = FILL + 20 * MINUTE + SECOND
    memory = Memory(absent_checks=1, absent_ns=now_ns)
    assert next_look(holding(), now_ns, SPAN, DEFAULT, memory) == now_ns + 5 * SECOND


def test_only_a_quote_that_matters_wakes_protection() -> None:
    shielded = holding(held(shield="rapid_shield"), (working(),))
    watch = triggers(shielded, FILL, SPAN, DEFAULT, Memory())
    assert watch.pulled_by(Decimal("7.80"))
    assert not watch.pulled_by(Decimal("7.85"))
    assert watch.pulled_by(None)
    counting = triggers(shielded, FILL, SPAN, DEFAULT, Memory(absent_checks=1))
    assert not counting.pulled_by(None)
    plain = triggers(holding(), FILL, SPAN, DEFAULT, Memory())
    assert not plain.pulled_by(Decimal("0.05"))
    after_grace = triggers(holding(), FILL + 15 * MINUTE, SPAN, DEFAULT, Memory())
    assert after_grace.pulled_by(Decimal("9.99"))
    assert not after_grace.pulled_by(Decimal("10.00"))


# --- settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target_pct": Decimal(0)}, "target_pct is 0"),
        ({"rapid_shield_pct": Decimal(100)}, "rapid_shield_pct is 100"),
        ({"emergency_checks": 0}, "emergency_checks is 0"),
        ({"off": frozenset({"end_of_day"})}, "'end_of_day' cannot be switched off"),
        ({"off": frozenset({"typo"})}, "'typo' is not a rule"),
    ],
)
def test_a_bad_setting_is_refused_with_its_name_and_value(change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        ProtectionSettings(**change)


def test_a_switched_off_rule_does_not_speak() -> None:
    settings = ProtectionSettings(off=frozenset({"rapid_shield"}))
    assert looked(holding(held(shield="rapid_shield"), (working(),), bid="5.00"), settings=settings) == ()
