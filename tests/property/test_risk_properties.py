"""What must hold of risk for any order, any account and any history of switches."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from station.domain.orders import Action
from station.risk import (
    RULES,
    Controls,
    Gate,
    Limits,
    apply_day_loss,
    begin_session,
    engage_kill,
    fit,
    from_rows,
    lift_quarantine,
    note_equity,
    note_result,
    preflight,
    quarantine,
    set_gate,
    to_rows,
)
from station.risk.preflight import SIZE_RULES
from tests.unit.risk_cases import NOON, controls, held, proposal, view

LIMITS = Limits()
CENTS = st.integers(5, 5_000).map(lambda cents: Decimal(cents) / 100)
DOLLARS = st.integers(-60_000, 200_000).map(Decimal)


@given(st.integers(0, 40), CENTS, DOLLARS, DOLLARS, DOLLARS, st.none() | st.floats(1, 5_000))
def test_fit_is_the_largest_quantity_that_the_size_rules_pass(
    asked: int, price: Decimal, equity: Decimal, power: Decimal, value: Decimal, volume: float | None
) -> None:
    other = held("SPY", value=str(value))
    seen = view(equity=equity, buying_power=power, held=(other,), avg_volume=volume)
    order = proposal(str(asked), limit=price)

    def passes(qty: int) -> bool:
        sized = replace(order, qty=Decimal(qty))
        return all(rule(sized, seen, LIMITS).passed for rule in SIZE_RULES)

    found = fit(order, seen, LIMITS)
    assert 0 <= found.qty <= asked
    assert found.qty == max((qty for qty in range(1, asked + 1) if passes(qty)), default=0)
    assert (found.bound_by is None) == (found.qty == asked and asked > 0)
    if found.qty:
        assert not set(preflight(replace(order, qty=found.qty), seen, LIMITS).codes) & {
            "CONTRACTS", "POSITION_SIZE", "NOTIONAL", "CAPITAL_AT_RISK", "BUYING_POWER", "VOLUME_SHARE",
        }  # fmt: skip


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("gate"), st.sampled_from(list(Gate))),
        st.tuples(st.just("kill"), st.booleans()),
        st.tuples(st.just("lock"), st.sampled_from(["SPX", "ES"])),
        st.tuples(st.just("free"), st.sampled_from(["SPX", "ES"])),
        st.tuples(st.just("result"), DOLLARS),
        st.tuples(st.just("equity"), DOLLARS),
        st.tuples(st.just("day"), DOLLARS),
        st.tuples(st.just("session"), st.sampled_from(["2026-11-20", "2026-11-23", "2026-12-01"])),
    ),
    max_size=25,
)  # fmt: skip


def walk(steps: list[tuple[str, object]]) -> Controls:
    now = controls()
    for n, step in enumerate(steps):
        match step:
            case ("gate", Gate() as state):
                now, _ = set_gate(now, state, "hand", "x")
            case ("kill", bool() as flatten):
                now, _ = engage_kill(now, "hand", "x", n, flatten=flatten)
            case ("lock", str() as symbol):
                now, _ = quarantine(now, symbol, "x")
            case ("free", str() as symbol):
                now, _ = lift_quarantine(now, symbol, "RELEASE", "x", reconciled_clean=True)
            case ("result", Decimal() as net):
                now, _ = note_result(now, net, NOON + n, LIMITS)
            case ("equity", Decimal() as equity):
                now = note_equity(now, equity)
            case ("day", Decimal() as pnl):
                now, _ = apply_day_loss(now, pnl, n, LIMITS)
            case (_, str() as session):
                now, _ = begin_session(now, session, Decimal(35_000))
            case _:
                raise AssertionError(step)
    return now


@given(STEPS)
def test_any_history_of_switches_survives_the_database(steps: list[tuple[str, object]]) -> None:
    now = walk(steps)
    assert from_rows(to_rows(now)) == now


@given(STEPS)
def test_no_switch_or_missing_fact_ever_stands_before_a_protective_exit(
    steps: list[tuple[str, object]],
) -> None:
    close = proposal(action=Action.SELL, opens_risk=False, protective=True, limit=None)
    dark = view(
        controls=walk(steps), quote=None, greeks=None, vix=None, link_up=False, reconciled=False, feed_score=0,
        equity=Decimal(0), orders_today=99, orders_last_minute=99, held=(held("SPX", 5940, qty=3),),
    )  # fmt: skip
    assert preflight(close, dark, LIMITS).approved


@given(STEPS)
def test_nothing_opens_risk_while_the_kill_is_on_or_the_gate_is_not_open(
    steps: list[tuple[str, object]],
) -> None:
    now = walk(steps)
    verdict = preflight(proposal(), view(controls=now), LIMITS)
    if now.kill.on or now.gate.state is not Gate.OPEN or now.quarantine_of("SPX"):
        assert not verdict.approved
    assert len(verdict.findings) == len(RULES)


@given(STEPS)
def test_a_kill_once_on_stays_on_without_a_release(steps: list[tuple[str, object]]) -> None:
    pressed = any(step[0] == "kill" for step in steps)
    assert walk(steps).kill.on or not pressed
