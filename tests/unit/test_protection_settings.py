"""The numbers of protection (SPEC §10), their bounds, and the words that carry them."""

# pyright: reportArgumentType=false

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from station.domain.clock import MINUTE, SECOND
from station.domain.errors import BadInput
from station.domain.trade import Cause
from station.protection import LateMode, Memory, ModifyExit, ProtectionSettings, RaiseAlert, decide
from station.protection.directives import Ask, CancelExit
from tests.unit.test_protection_rules import DEFAULT, FILL, SPAN, fresh, held, holding, looked, working

D = Decimal
DEFAULTS: dict[str, Any] = {
    "target_pct": D(23), "p2_pct": D(40), "p3_pct": D(60), "grace_s": 900, "trail_pct": None,
    "unclosed_alert_s": 1800, "late_before_close_s": 1800, "late_mode": LateMode.MODIFY_TO_ENTRY,
    "flatten_before_close_s": 300, "flat_within_s": 60, "emergency_checks": 8, "check_s": 5,
    "rapid_shield_pct": D(22),
    "stale_after_s": 15, "fast_poll_s": 5, "fast_poll_for_s": 600, "slow_poll_s": 30, "retry_s": 1,
    "stop_head_start_s": 2,
    "ack_timeout_s": 5, "max_contracts": None, "off": frozenset(),
}  # fmt: skip


def values(thing: Any) -> dict[str, Any]:
    return {each.name: getattr(thing, each.name) for each in fields(thing)}


def test_the_defaults_are_those_of_the_specification() -> None:
    assert values(DEFAULT) == DEFAULTS
    assert values(Memory()) == {
        "out": None, "out_reason": "", "lowered": None, "absent_checks": 0, "absent_ns": 0, "high_bid": None,
        "raised": frozenset(), "asks": (),
        "stop_ns": 0,
    }  # fmt: skip
    assert Ask(CancelExit("X1", "x"), FILL, 1).nth == 1


@pytest.mark.parametrize(
    ("name", "most"),
    [("target_pct", 1000), ("p2_pct", 1000), ("p3_pct", 1000), ("rapid_shield_pct", 99), ("trail_pct", 99)],
)
def test_a_percent_is_over_zero_and_up_to_its_limit(name: str, most: int) -> None:
    assert getattr(ProtectionSettings(**{name: D(most)}), name) == most
    assert getattr(ProtectionSettings(**{name: D("0.01")}), name) == D("0.01")
    for wrong in (D(most) + D("0.01"), D(-1), D("-0.5")):
        with pytest.raises(BadInput, match=f"up to {most}$"):
            ProtectionSettings(**{name: wrong})


@pytest.mark.parametrize(
    "name",
    ["emergency_checks", "check_s", "unclosed_alert_s", "fast_poll_s", "slow_poll_s", "retry_s",
     "flatten_before_close_s", "flat_within_s"],
)  # fmt: skip
def test_a_count_is_one_or_more(name: str) -> None:
    assert getattr(ProtectionSettings(**{name: 1}), name) == 1
    with pytest.raises(BadInput, match="give 1 or more"):
        ProtectionSettings(**{name: 0})


@pytest.mark.parametrize("rule", ["kill", "end_of_day", "target"])
def test_what_must_stay_on_cannot_be_switched_off(rule: str) -> None:
    with pytest.raises(BadInput, match="cannot be switched off"):
        ProtectionSettings(off=frozenset({rule}))
    with pytest.raises(BadInput, match="is not a rule"):
        ProtectionSettings(off=frozenset({"weather"}))


def test_the_late_alert_says_how_many_minutes_are_left() -> None:
    for seconds, minutes in ((1800, 30), (3540, 59)):
        settings = ProtectionSettings(late_mode=LateMode.ALERT_ONLY, late_before_close_s=seconds)
        now = SPAN.close_ns - seconds * SECOND
        late = fresh(holding(held(at_ns=now - MINUTE), (working(),)), now)
        (alert,) = [each for each in looked(late, now, settings=settings) if isinstance(each, RaiseAlert)]
        assert alert.text == f"T1 SPXW 20261118 5940C is open {minutes} min before the close"


def test_a_trailing_stop_no_higher_than_the_entry_is_none() -> None:
    settings = ProtectionSettings(trail_pct=D(10))
    now = FILL + 900 * SECOND
    at_entry = fresh(holding(held(), (working(),), bid="10.00"), now)
    assert decide(at_entry, now, SPAN, settings, Memory(high_bid=D("11.00")))[1].out is None
    over = fresh(holding(held(), (working(),), bid="10.00"), now)
    assert decide(over, now, SPAN, settings, Memory(high_bid=D("11.10")))[1].out is Cause.BREAK_EVEN


@pytest.mark.parametrize(("past_grace_ns", "out"), [(-1, None), (0, Cause.BREAK_EVEN), (1, Cause.BREAK_EVEN)])
def test_a_trailing_stop_waits_for_the_end_of_the_grace_period(past_grace_ns: int, out: Cause | None) -> None:
    now = FILL + 900 * SECOND + past_grace_ns
    fallen = fresh(holding(held(), (working(),), bid="10.00"), now)
    trailing = ProtectionSettings(trail_pct=D(10))
    assert decide(fallen, now, SPAN, trailing, Memory(high_bid=D("11.10")))[1].out is out


def test_a_sell_already_at_break_even_is_not_lowered_for_another_reason() -> None:
    settings = replace(DEFAULT, target_pct=D("0.01"))
    now = FILL + 900 * SECOND
    under = fresh(holding(replace(held(), target_pct=D("0.01")), (working(limit="10.10"),), bid="9.00"), now)
    assert [each for each in looked(under, now, settings=settings) if isinstance(each, ModifyExit)] == []


@pytest.mark.parametrize(("after_s", "told"), [(0, False), (29, False), (30, True), (200, True)])
def test_what_is_not_flat_in_its_time_is_told_once_and_critical(after_s: int, told: bool) -> None:
    settings = replace(DEFAULT, flat_within_s=30)
    now = SPAN.close_ns - 300 * SECOND + after_s * SECOND
    asked, memory = decide(fresh(holding(), now), now, SPAN, settings, Memory())
    alerts = [each for each in asked if isinstance(each, RaiseAlert) and "is not flat 30 s" in each.text]
    assert [each.severity for each in alerts] == (["critical"] if told else [])
    again, _ = decide(fresh(holding(), now + SECOND), now + SECOND, SPAN, settings, memory)
    assert not any(isinstance(each, RaiseAlert) and "not flat" in each.text for each in again) or not told
    nobody = fresh(holding(bid=None), now)
    silent, _ = decide(nobody, now, SPAN, settings, Memory())
    assert not any(isinstance(each, RaiseAlert) and "not flat" in each.text for each in silent)
