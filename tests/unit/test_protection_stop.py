"""The strategy's own stop (SPEC §5 risk): at its level, a tick to each side, and what it yields to."""

from __future__ import annotations

from decimal import Decimal

import pytest

from station.domain.trade import Cause
from station.protection import MarketOut, Memory, ProtectionSettings, decide, triggers
from station.protection.rules import stop_level
from tests.unit.test_protection_rules import DEFAULT, FILL, SPAN, held, holding, looked, working

D = Decimal


@pytest.mark.parametrize(("bid", "out"), [("8.51", False), ("8.50", True), ("8.49", True), (None, False)])
def test_the_strategys_own_stop_goes_off_at_its_percent(bid: str | None, out: bool) -> None:
    asked = looked(holding(held(), (working(),), bid=bid, stop_pct=D(15)))
    leaving = MarketOut(Cause.STRATEGY, f"bid {bid} at or under 8.5000 (-15 %)")
    assert [each for each in asked if isinstance(each, MarketOut)] == ([leaving] if out else [])


def test_without_a_stop_of_its_own_a_fall_moves_nothing() -> None:
    assert looked(holding(held(), (working(),), bid="1.00")) == ()
    assert stop_level(D(10), holding(held())) is None
    assert stop_level(D(10), holding(held(), stop_pct=D(15))) == D("8.5")


def test_the_shield_outranks_the_stop_and_the_stop_the_day_shield() -> None:
    both = holding(held(shield="rapid_shield"), (working(),), bid="5.00", stop_pct=D(15))
    assert decide(both, FILL, SPAN, DEFAULT, Memory())[1].out is Cause.SHIELD
    day = holding(held(shield="day_shield"), (working(),), bid="5.00", stop_pct=D(15), day_shield_hit=True)
    assert decide(day, FILL, SPAN, DEFAULT, Memory())[1].out is Cause.STRATEGY


def test_a_quote_at_the_nearer_of_stop_and_shield_wakes_protection() -> None:
    def level(stop: str | None, shield: str, settings: ProtectionSettings = DEFAULT) -> Decimal | None:
        found = holding(held(shield=shield), (working(),), stop_pct=None if stop is None else D(stop))
        return triggers(found, FILL, SPAN, settings, Memory()).at_or_under

    assert level("15", "none") == D("8.5")
    assert level("15", "rapid_shield") == D("8.5")
    assert level("30", "rapid_shield") == D("7.8")
    assert level(None, "none") is None
    assert level("15", "none", ProtectionSettings(off=frozenset({"own_stop"}))) is None


def test_the_stop_can_be_switched_off() -> None:
    settings = ProtectionSettings(off=frozenset({"own_stop"}))
    assert looked(holding(held(), (working(),), bid="5.00", stop_pct=D(15)), settings=settings) == ()
