"""The rows of FAULTS that preflight and the switches answer: no entry on doubt, never in the way of an exit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from station.domain.clock import MINUTE, SECOND
from station.domain.errors import Fatal
from station.domain.events import KillChanged
from station.domain.market import FeedMode, Grade
from station.domain.orders import Action
from station.risk import Controls, Limits, engage_kill, from_rows, preflight, quarantine, to_rows
from tests.unit.risk_cases import NOON, OPEN_NS, controls, greeks, held, proposal, quote, view

LIMITS = Limits()


def codes(**facts: Any) -> tuple[str, ...]:
    return preflight(proposal(), view(**facts), LIMITS).codes


def test_fault_11_an_overfilled_symbol_is_locked_for_entries_only() -> None:
    locked, _ = quarantine(controls(), "SPX", "overfill: 3 filled of 2")
    assert codes(controls=locked) == ("QUARANTINED",)
    close = proposal(action=Action.SELL, opens_risk=False, protective=True)
    assert preflight(close, view(controls=locked, held=(held("SPX", 5940, qty=3),)), LIMITS).approved


def test_fault_22_no_entry_while_the_link_is_down() -> None:
    assert codes(link_up=False) == ("LINK_DOWN",)


def test_fault_26_a_competing_session_stops_entries() -> None:
    assert codes(feed_mode=FeedMode.DEGRADED) == ("FEED_NOT_LIVE",)


def test_fault_32_no_trading_until_the_start_is_reconciled() -> None:
    assert codes(reconciled=False) == ("NOT_RECONCILED",)


def test_fault_36_a_foreign_position_takes_its_place_in_risk() -> None:
    by_hand = tuple(held(symbol, 590 + n, value="900") for n, symbol in enumerate(("SPY", "ES", "QQQ")))
    assert codes(held=by_hand) == ("MAX_POSITIONS",)


def test_fault_39_a_quote_that_stopped_updating_stops_entries() -> None:
    assert codes(quote=quote(at_ns=NOON - 6 * SECOND)) == ("QUOTE_STALE",)
    assert codes(feed_age_s=16.0) == ("FEED_STALE",)


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_fault_40_a_missing_side_has_no_mid_and_no_entry(side: str) -> None:
    assert codes(quote=replace(quote(), **{side: None})) == ("ONE_SIDED", "SPREAD")


@pytest.mark.parametrize(("bid", "ask"), [("4.20", "4.20"), ("4.25", "4.20")])
def test_fault_41_a_crossed_or_locked_market_is_refused(bid: str, ask: str) -> None:
    assert codes(quote=quote(bid, ask)) == ("CROSSED", "SPREAD")


@pytest.mark.parametrize("grade", [Grade.FROZEN, Grade.DELAYED, Grade.DELAYED_FROZEN])
def test_fault_42_a_delayed_or_frozen_quote_counts_as_stale(grade: Grade) -> None:
    assert codes(quote=quote(grade=grade)) == ("QUOTE_STALE",)


@pytest.mark.parametrize("facts", [{"delta": -2.0}, {"delta": float("nan")}, {"iv": -2.0}, {"iv": 0.0}])
def test_fault_43_greeks_that_are_no_greeks_are_denied(facts: dict[str, float]) -> None:
    assert codes(greeks=greeks(**facts)) == ("NOT_VIABLE",)


def test_fault_44_a_halted_instrument_takes_no_entries() -> None:
    assert codes(halted=True) == ("HALTED",)


def test_fault_45_a_series_being_backfilled_takes_no_entries() -> None:
    assert codes(feed_mode=FeedMode.BACKFILLING) == ("FEED_NOT_LIVE",)


def test_fault_47_on_a_half_day_entries_end_half_an_hour_before_the_early_close() -> None:
    early = OPEN_NS + 210 * MINUTE
    at_1230 = early - 30 * MINUTE
    fresh = quote(at_ns=at_1230)
    assert codes(session_close_ns=early, now_ns=at_1230, quote=fresh) == ("OUTSIDE_WINDOW",)
    assert codes(session_close_ns=early, now_ns=at_1230 - 1, quote=quote(at_ns=at_1230 - 1)) == ()


def test_fault_56_switches_that_cannot_be_read_refuse_the_start() -> None:
    with pytest.raises(Fatal):
        from_rows(to_rows(Controls()) | {"gate": '{"state":"AJAR"}'})


def test_fault_61_the_kill_switch_is_idempotent_and_survives_a_restart() -> None:
    held_now = controls()
    events: list[object] = []
    for n in range(5):
        held_now, more = engage_kill(held_now, "hand", f"press {n}", NOON + n)
        held_now = from_rows(to_rows(held_now))
        events.extend(more)
    assert [type(event) for event in events].count(KillChanged) == 1
    assert held_now.kill.reason == "press 0"
    assert codes(controls=held_now) == ("KILL_ON",)
    close = proposal(action=Action.SELL, opens_risk=False, protective=True, limit=None)
    gone = view(
        controls=held_now, link_up=False, reconciled=False, quote=None, greeks=None,
        feed_mode=FeedMode.STALE, equity=Decimal(0), held=(held("SPX", 5940, qty=3),),
    )  # fmt: skip
    assert preflight(close, gone, LIMITS).approved
