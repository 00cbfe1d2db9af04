"""Gate, kill, quarantine, the day's books: pure steps, and their rows in the database."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from station.domain.clock import MINUTE
from station.domain.errors import Fatal, Refused
from station.domain.events import Alerted, GateChanged, KillChanged, LimitBreached
from station.risk import (
    Controls,
    DayLoss,
    Gate,
    Limits,
    StrategyBook,
    StrategyTerms,
    apply_day_loss,
    begin_session,
    day_loss_action,
    engage_kill,
    from_rows,
    lift_quarantine,
    note_equity,
    note_override,
    note_result,
    note_strategy,
    quarantine,
    release_kill,
    set_gate,
    to_rows,
)
from tests.unit.risk_cases import EQUITY, NOON

LIMITS = Limits()


def begun() -> Controls:
    return begin_session(Controls(), "2026-11-20", EQUITY)[0]


def test_a_gate_moved_twice_is_recorded_once() -> None:
    closed, events = set_gate(Controls(), Gate.CLOSED, "hand", "lunch")
    assert events == (GateChanged("CLOSED", "hand", "lunch"),)
    assert set_gate(closed, Gate.CLOSED, "hand", "again") == (closed, ())


def test_the_kill_switch_is_idempotent_and_flatten_is_a_second_step() -> None:
    on, events = engage_kill(Controls(), "hand", "smoke", 5)
    assert KillChanged(True, False, "hand", "smoke") in events
    assert engage_kill(on, "shell", "again", 6) == (on, ())
    flat, events = engage_kill(on, "shell", "more smoke", 7, flatten=True)
    assert flat.kill.flatten
    assert KillChanged(True, True, "shell", "more smoke") in events
    assert engage_kill(flat, "hand", "once more", 8, flatten=True) == (flat, ())
    assert engage_kill(flat, "hand", "no flatten", 9) == (flat, ())


def test_release_needs_the_typed_word_and_a_clean_reconciliation() -> None:
    on, _ = engage_kill(Controls(), "hand", "smoke", 5, flatten=True)
    with pytest.raises(Refused, match="RELEASE is asked"):
        release_kill(on, "release", "hand", reconciled_clean=True)
    with pytest.raises(Refused, match="reconcile first") as refused:
        release_kill(on, "RELEASE", "hand", reconciled_clean=False)
    assert refused.value.code == "KILL_UNRECONCILED"
    off, events = release_kill(on, "RELEASE", "hand", reconciled_clean=True)
    assert not off.kill.on
    assert events == (KillChanged(False, False, "hand", "released"),)
    assert release_kill(off, "", "hand", reconciled_clean=False) == (off, ())


def test_a_restart_never_resets_the_days_loss() -> None:
    start = begun()
    again, events = begin_session(start, "2026-11-20", Decimal(34_000))
    assert again == start
    assert events == ()


def test_a_new_session_has_its_baseline_and_keeps_the_months_and_the_peak() -> None:
    next_day, _ = begin_session(begun(), "2026-11-23", Decimal(34_000))
    assert (next_day.day.baseline, next_day.day.month_baseline, next_day.day.peak) == (34_000, EQUITY, EQUITY)
    december, _ = begin_session(next_day, "2026-12-01", Decimal(36_000))
    assert (december.day.month_baseline, december.day.peak) == (36_000, 36_000)


def test_a_gate_closed_by_the_days_loss_opens_with_the_next_session_and_one_by_hand_does_not() -> None:
    lost, _ = apply_day_loss(begun(), Decimal(-500), NOON, LIMITS)
    assert lost.gate.state is Gate.CLOSED
    opened, events = begin_session(lost, "2026-11-23", Decimal(34_500))
    assert opened.gate.state is Gate.OPEN
    assert [type(event) for event in events] == [GateChanged]
    by_hand, _ = set_gate(begun(), Gate.CLOSED, "hand", "holiday")
    assert begin_session(by_hand, "2026-11-23", EQUITY)[0].gate.state is Gate.CLOSED


@pytest.mark.parametrize(
    ("pnl", "action"),
    [
        ("0", DayLoss.NONE), ("-499.99", DayLoss.NONE), ("-500.00", DayLoss.CLOSE_GATE),
        ("-500.01", DayLoss.CLOSE_GATE), ("-749.99", DayLoss.CLOSE_GATE), ("-750.00", DayLoss.KILL_FLATTEN),
        ("-750.01", DayLoss.KILL_FLATTEN), ("900", DayLoss.NONE),
    ],
)  # fmt: skip
def test_the_days_loss_closes_the_gate_and_at_half_as_much_again_flattens(pnl: str, action: DayLoss) -> None:
    assert day_loss_action(Decimal(pnl), EQUITY, LIMITS) is action


def test_the_days_loss_acts_once_a_step_and_alerts() -> None:
    assert apply_day_loss(Controls(), Decimal(-9_000), NOON, LIMITS) == (Controls(), ())
    closed, events = apply_day_loss(begun(), Decimal(-500), NOON, LIMITS)
    assert [type(event) for event in events] == [LimitBreached, GateChanged, Alerted]
    assert apply_day_loss(closed, Decimal(-600), NOON, LIMITS) == (closed, ())
    killed, events = apply_day_loss(closed, Decimal(-750), NOON, LIMITS)
    assert killed.kill.flatten
    assert [type(event) for event in events] == [KillChanged, Alerted]
    assert apply_day_loss(killed, Decimal(-800), NOON, LIMITS) == (killed, ())


def test_a_gate_reopened_by_hand_at_the_loss_limit_closes_again() -> None:
    closed, _ = apply_day_loss(begun(), Decimal(-500), NOON, LIMITS)
    opened, _ = set_gate(closed, Gate.OPEN, "hand", "hope")
    assert apply_day_loss(opened, Decimal(-500), NOON, LIMITS)[0].gate.state is Gate.CLOSED


def test_three_losses_in_a_row_cool_off_for_half_an_hour_and_a_win_ends_the_streak() -> None:
    held = begun()
    for _ in range(2):
        held, events = note_result(held, Decimal(-1), NOON, LIMITS)
        assert events == ()
    cooled, events = note_result(held, Decimal("-0.01"), NOON, LIMITS)
    assert cooled.day.cooling_until_ns == NOON + 30 * MINUTE
    assert [type(event) for event in events] == [LimitBreached, Alerted]
    won, events = note_result(held, Decimal(1), NOON, LIMITS)
    assert (won.day.losses, won.day.cooling_until_ns, events) == (0, 0, ())


def test_a_fourth_override_is_refused() -> None:
    held = begun()
    for _ in range(3):
        held = note_override(held, LIMITS)
    with pytest.raises(Refused, match="3 today, the limit is 3"):
        note_override(held, LIMITS)


def test_quarantine_keeps_its_first_reason_and_lifts_once() -> None:
    locked, events = quarantine(Controls(), "SPX", "overfill")
    assert len(events) == 2
    assert quarantine(locked, "SPX", "other") == (locked, ())
    both, _ = quarantine(locked, "ES", "unknown order")
    assert [symbol for symbol, _ in both.quarantined] == ["ES", "SPX"]
    for word, clean, code in (("release", True, "LIFT_CONFIRM"), ("RELEASE", False, "LIFT_UNRECONCILED")):
        with pytest.raises(Refused) as refused:
            lift_quarantine(locked, "SPX", word, "hand", reconciled_clean=clean)
        assert refused.value.code == code
    free, events = lift_quarantine(locked, "SPX", "RELEASE", "hand", reconciled_clean=True)
    assert (free, len(events)) == (Controls(), 2)
    assert lift_quarantine(free, "SPX", "", "hand", reconciled_clean=False) == (free, ())


def test_the_peak_only_rises() -> None:
    assert note_equity(begun(), Decimal(34_000)) == begun()
    assert note_equity(begun(), Decimal(36_000)).day.peak == 36_000


def test_controls_survive_the_database() -> None:
    held, _ = apply_day_loss(begun(), Decimal(-750), NOON, LIMITS)
    held, _ = quarantine(held, "SPX", 'overfill "2"')
    held, _ = note_result(held, Decimal(-1), NOON, LIMITS)
    held = note_override(replace(held), LIMITS)
    assert from_rows(to_rows(held)) == held
    assert from_rows({}) == Controls()
    assert to_rows(from_rows(to_rows(held))) == to_rows(held)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"on": true, "at_ns": "soon"}'])
def test_an_unreadable_kill_switch_stops_the_start(text: str) -> None:
    with pytest.raises(Fatal, match="cannot be read"):
        from_rows({"kill": text})


TERMS = StrategyTerms(3)


def booked(*results: str, terms: StrategyTerms = TERMS, held: Controls | None = None) -> Controls:
    now = held or begun()
    for net in results:
        now, _ = note_strategy(now, "TREND", terms, Decimal(net), LIMITS)
    return now


def test_a_strategys_book_adds_up_and_remembers_its_peak() -> None:
    assert booked("100", "-40", "10").strategies == (StrategyBook("TREND", 3, Decimal(70), Decimal(100)),)
    assert booked("-40").book_of("TREND", 3) == StrategyBook("TREND", 3, Decimal(-40), Decimal(0))
    assert begun().book_of("TREND", 3) == StrategyBook("TREND", 3, Decimal(0), Decimal(0), "")


def test_books_of_several_strategies_stand_side_by_side_in_order() -> None:
    now, _ = note_strategy(booked("5"), "MACD", TERMS, Decimal(7), LIMITS)
    now = booked("1", held=now)
    assert [(book.strategy, book.pnl) for book in now.strategies] == [("MACD", 7), ("TREND", 6)]


@pytest.mark.parametrize(
    ("own", "fall", "paused"),
    [
        (None, "-3499.99", False), (None, "-3500.00", True), (None, "-3500.01", True),
        ("5", "-1749.99", False), ("5", "-1750.00", True), ("50", "-3499.99", False), ("50", "-3500.00", True),
    ],
)  # fmt: skip
def test_a_strategy_is_paused_after_its_drawdown(own: str | None, fall: str, paused: bool) -> None:
    terms = StrategyTerms(3, drawdown_pct=None if own is None else Decimal(own))
    after, events = note_strategy(booked("100", terms=terms), "TREND", terms, Decimal(fall), LIMITS)
    assert bool(after.book_of("TREND", 3).paused) is paused
    assert [type(event) for event in events] == ([LimitBreached, Alerted] if paused else [])


def test_a_pause_says_what_fell_and_is_told_once() -> None:
    terms = StrategyTerms(3, drawdown_pct=Decimal(1))
    after, events = note_strategy(booked("100"), "TREND", terms, Decimal(-450), LIMITS)
    assert after.book_of("TREND", 3).paused == "fell $450.00 from its peak, the limit is $350.00"
    breach, alert = events
    assert breach == LimitBreached("TREND drawdown", "-450", "-350")
    assert isinstance(alert, Alerted)
    assert (alert.severity, "edit its row" in alert.text) == ("critical", True)
    again, events = note_strategy(after, "TREND", terms, Decimal(-450), LIMITS)
    assert (events, again.book_of("TREND", 3).paused) == ((), after.book_of("TREND", 3).paused)
    won, _ = note_strategy(again, "TREND", terms, Decimal(9000), LIMITS)
    assert won.book_of("TREND", 3).paused


def test_an_edited_row_starts_a_new_book_and_a_trade_of_the_old_row_does_not_disturb_it() -> None:
    fresh = booked("-9", terms=StrategyTerms(4), held=booked("-9000"))
    assert fresh.strategies == (StrategyBook("TREND", 4, Decimal(-9), Decimal(0)),)
    late, events = note_strategy(fresh, "TREND", TERMS, Decimal(-9000), LIMITS)
    assert (late, events) == (fresh, ())
    other, _ = note_strategy(fresh, "OTHER", TERMS, Decimal(-1), LIMITS)
    assert other.book_of("OTHER", 3).pnl == -1


def test_without_a_baseline_a_strategy_is_counted_and_not_paused() -> None:
    after, events = note_strategy(Controls(), "TREND", TERMS, Decimal(-99_999), LIMITS)
    assert (after.book_of("TREND", 3).pnl, after.book_of("TREND", 3).paused, events) == (-99_999, "", ())


def test_pauses_outlive_sessions_and_the_database() -> None:
    paused = booked("-9000")
    next_day, _ = begin_session(paused, "2026-11-23", EQUITY)
    assert next_day.book_of("TREND", 3).paused
    assert from_rows(to_rows(next_day)) == next_day
    with pytest.raises(Fatal):
        from_rows(to_rows(paused) | {"strategies": '{"TREND":{"version":3}}'})


def test_a_loss_streak_counts_losses_only_and_says_how_long_it_cools() -> None:
    held = begun()
    for _ in range(2):
        held, _ = note_result(held, Decimal(-1), NOON, LIMITS)
    held, events = note_result(held, Decimal(-1), NOON, LIMITS)
    assert held.day.losses == 3
    assert events[1] == Alerted("warning", "cooling off for 30 minutes: 3 losses in a row")
    longer = replace(LIMITS, cooling_s=3540)
    assert "for 59 minutes" in str(note_result(held, Decimal(-1), NOON, longer)[1][1])
    even, events = note_result(held, Decimal(0), NOON + MINUTE, LIMITS)
    assert (even.day.losses, events) == (0, ())
    assert even.day.cooling_until_ns == held.day.cooling_until_ns
    small, events = note_result(held, Decimal("0.5"), NOON + MINUTE, LIMITS)
    assert (small.day.losses, events) == (0, ())
    instant = replace(LIMITS, cooling_losses=0)
    won, events = note_result(begun(), Decimal("0.5"), NOON, instant)
    assert (events, won.day.cooling_until_ns) == ((), 0)
    level, events = note_result(begun(), Decimal(0), NOON, instant)
    assert (events, level.day.cooling_until_ns) == ((), 0)


def test_equity_at_the_peak_changes_nothing() -> None:
    held = begun()
    assert note_equity(held, EQUITY) is held
    assert note_equity(Controls(), EQUITY).day.peak == EQUITY


def test_a_day_that_is_not_at_its_limit_changes_nothing() -> None:
    assert apply_day_loss(begun(), Decimal("-499.99"), NOON, LIMITS) == (begun(), ())
    assert apply_day_loss(begun(), Decimal(900), NOON, LIMITS) == (begun(), ())
