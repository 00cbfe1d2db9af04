"""The pool: one entry a scanner, freshness, expiry, instant wake; and the making of signals."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from station.domain.clock import SECOND
from station.domain.instruments import Side, Timeframe
from station.domain.signals import SignalState
from station.strategy import Pool, make_signal
from tests.unit.strategy_cases import T0, firing, scanner, signal


def test_publishing_overwrites_the_scanners_entry_and_tells_what_it_displaced() -> None:
    pool = Pool()
    first, second = signal("A"), signal("A", close_ns=T0 + SECOND)
    assert pool.publish(first) is None
    assert pool.publish(second) is first
    assert pool.publish(second) is None
    assert pool.snapshot(T0 + SECOND) == (second,)


@pytest.mark.parametrize(("age_s", "seen"), [(0, True), (299, True), (300, True), (301, False)])
def test_a_signal_is_fresh_for_three_hundred_seconds(age_s: int, seen: bool) -> None:
    pool = Pool()
    pool.publish(signal("A"))
    now_ns = T0 + age_s * SECOND
    assert bool(pool.snapshot(now_ns)) is seen
    assert (pool.get("A", 300, now_ns) is not None) is seen
    assert pool.get("B", 300, now_ns) is None


def test_the_snapshot_is_in_order_of_names_whatever_the_order_of_publishing() -> None:
    pool = Pool()
    for name in ("C", "A", "B"):
        pool.publish(signal(name))
    assert [each.firing.scanner for each in pool.snapshot(T0)] == ["A", "B", "C"]


def test_signals_expire_at_their_instant_and_one_on_its_way_to_an_order_does_not_change() -> None:
    pool = Pool()
    waiting, moving = signal("A"), replace(signal("B"), state=SignalState.EXECUTING)
    pool.publish(waiting)
    pool.publish(moving)
    assert pool.next_expiry() == waiting.valid_until_ns == T0 + 900 * SECOND
    assert pool.expire(waiting.valid_until_ns - 1) == ()
    assert pool.get("A", 9_999, waiting.valid_until_ns) is None
    assert pool.expire(waiting.valid_until_ns) == (waiting.moved(SignalState.EXPIRED),)
    assert pool.next_expiry() is None


def test_a_change_of_state_follows_the_same_signal_only() -> None:
    pool = Pool()
    old, new = signal("A"), signal("A", close_ns=T0 + SECOND)
    pool.publish(new)
    pool.update(old.moved(SignalState.VALIDATED))
    assert pool.snapshot(T0 + SECOND) == (new,)
    pool.update(new.moved(SignalState.VALIDATED))
    assert pool.snapshot(T0 + SECOND)[0].state is SignalState.VALIDATED


async def test_publishing_wakes_the_hunter_at_once() -> None:
    pool = Pool()
    woken = asyncio.create_task(pool.changed())
    pool.publish(signal("A"))
    await woken
    assert not pool.wake.is_set()


def test_a_signal_carries_confidence_priority_validity_and_its_reason() -> None:
    made = make_signal(firing("A", Side.PUT), scanner("A"), "S1", T0)
    assert (made.confidence, made.valid_until_ns, made.warnings) == (74, T0 + 900 * SECOND, ())
    assert made.rationale == "ema cross PUT on SPX 5m at 5938.25, score 74"
    priorities = [make_signal(firing("A"), scanner("A", each), "S", T0).priority for each in Timeframe]
    assert priorities == list(range(10, 0, -1))


def test_a_weak_or_wild_score_is_warned_of() -> None:
    weak = make_signal(firing("A", score=49), scanner("A"), "S1", T0)
    assert weak.warnings == ("confidence 49 is under 50: not traded",)
    wild = make_signal(firing("A", score=120), scanner("A"), "S1", T0)
    assert (wild.confidence, len(wild.warnings)) == (100, 1)
