"""Match, window, veera, hunter mode and caps: every stage of a strategy's turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from station.desk.passed_over import PassedOver
from station.domain.clock import SECOND
from station.domain.instruments import Side, Timeframe
from station.domain.signals import Signal, SignalState, stage_of
from station.domain.specs import StrategySpec
from station.strategy import Block, Caps, Counts, Hunter, Pass, Pool, Verdict, hunt, key_of
from tests.unit.strategy_cases import T0, signal, strategy


def no_bars(_symbol: str, _timeframe: Timeframe) -> None:
    """A market without history."""


STAGES = ["pool", "match", "window", "veera", "hunter", "caps"]


def judged(
    signals: Sequence[Signal],
    *specs: StrategySpec,
    used: frozenset[tuple[str, str]] = frozenset(),
    counts: Counts | None = None,
    caps: Caps | None = None,
    now_ns: int = T0 + SECOND,
) -> tuple[Verdict, ...]:
    snapshot = tuple(sorted(signals, key=lambda each: each.firing.scanner))
    return hunt(now_ns, specs, snapshot, used, counts or Counts(), no_bars, caps or Caps())


def one(signals: Sequence[Signal], spec: StrategySpec | None = None, **more: Any) -> Verdict:
    return judged(signals, spec or strategy(), **more)[0]


def blocked(verdict: Verdict, stage: str) -> str:
    assert isinstance(verdict, Block), verdict
    assert verdict.stage == stage, verdict
    assert [each.verdict for each in verdict.decisions][-1] == "block"
    assert verdict.decisions[-1].stage == stage
    return verdict.reason


def test_a_match_passes_every_stage_and_each_leaves_its_decision() -> None:
    verdict = one([signal("SPX_V3_CALL")])
    assert isinstance(verdict, Pass)
    assert verdict.side is Side.CALL
    assert verdict.key == key_of(verdict.signals) == f"SPX_V3_CALL@{T0 - 300 * SECOND}"
    assert [each.stage for each in verdict.decisions] == STAGES
    assert all(each.verdict == "pass" and each.value and each.limit for each in verdict.decisions)
    assert {each.at_ns for each in verdict.decisions} == {T0 + SECOND}


@pytest.mark.parametrize(
    ("signals", "stage", "says"),
    [
        ([], "pool", "no fresh signal"),
        ([signal("ES_CALL_V3")], "match", "no signal matches"),
        ([signal("SPX_V3_CALL", Side.PUT)], "match", "no signal matches"),
        ([signal("spx_v3_call")], "match", "no signal matches"),
        ([signal("SPX_V3_CALL", score=49)], "match", "not sure enough"),
        ([signal("SPX_V3_CALL").moved(SignalState.REJECTED)], "match", "traded or rejected before"),
        ([signal("SPX_V3_CALL", at_ns=T0 - 300 * SECOND)], "window", "older than the confirmation window"),
    ],
)  # fmt: skip
def test_a_case_that_is_not_there_is_blocked_where_it_breaks(
    signals: list[Signal], stage: str, says: str
) -> None:
    assert says in blocked(one(signals), stage)


@pytest.mark.parametrize(("age_s", "passes"), [(299, True), (300, True), (301, False)])
def test_the_confirmation_window_holds_to_the_second(age_s: int, passes: bool) -> None:
    verdict = one([signal("SPX_V3_CALL")], now_ns=T0 + age_s * SECOND)
    assert isinstance(verdict, Pass) is passes


def test_confidence_fifty_is_enough_and_a_row_may_ask_more() -> None:
    assert isinstance(one([signal("SPX_V3_CALL", score=50)]), Pass)
    verdict = one([signal("SPX_V3_CALL", score=79)], strategy(min_confidence=80))
    assert "not sure enough" in blocked(verdict, "match")
    assert (verdict.decisions[-1].value, verdict.decisions[-1].limit) == ("SPX_V3_CALL 79", "confidence 80")


def test_entries_are_alternatives_and_plus_asks_for_confirmation() -> None:
    either = strategy(call_patterns=("SPX_A_CALL", "SPX_B_CALL"))
    assert isinstance(one([signal("SPX_B_CALL")], either), Pass)
    both = strategy(call_patterns=("SPX_A_CALL + ES_*",))
    blocked(one([signal("SPX_A_CALL")], both), "match")
    confirmed = one([signal("SPX_A_CALL"), signal("ES_CALL_V3"), signal("SPX_C_CALL")], both)
    assert isinstance(confirmed, Pass)
    assert [each.firing.scanner for each in confirmed.signals] == ["ES_CALL_V3", "SPX_A_CALL"]


def test_a_confirmation_that_fell_out_of_the_window_confirms_nothing() -> None:
    both = strategy(call_patterns=("SPX_A_CALL + ES_*",), window_s=60)
    late = [signal("SPX_A_CALL"), signal("ES_CALL_V3", at_ns=T0 - 61 * SECOND)]
    blocked(one(late, both), "window")


def test_the_key_is_the_set_of_firings_whatever_their_order() -> None:
    a, b = signal("SPX_A_CALL"), signal("SPX_B_CALL")
    assert key_of((a, b)) == key_of((b, a, b))
    assert key_of((a,)) != key_of((b,))


def test_a_stop_out_never_re_enters_on_the_firing_that_opened_it() -> None:
    a, b = signal("SPX_A_CALL"), signal("SPX_B_CALL")
    used = frozenset({("TREND", key_of((a, b)))})
    for again in ([a, b], [a], [b]):
        assert "traded or rejected before" in blocked(one(again, used=used), "match")
    fresh = signal("SPX_C_CALL")
    verdict = one([a, b, fresh], used=used)
    assert isinstance(verdict, Pass)
    assert verdict.key == key_of((fresh,))


def test_a_firing_used_by_one_strategy_is_free_for_another() -> None:
    a = signal("SPX_A_CALL")
    assert isinstance(one([a], used=frozenset({("OTHER", key_of((a,)))})), Pass)


def test_the_same_scanner_firing_on_a_later_bar_is_a_new_case() -> None:
    used = frozenset({("TREND", key_of((signal("SPX_A_CALL"),)))})
    assert isinstance(one([signal("SPX_A_CALL", close_ns=T0 + 300 * SECOND)], used=used), Pass)


def test_of_both_sides_the_newest_firing_wins_and_a_tie_is_none() -> None:
    call, put = signal("SPX_A_CALL"), signal("SPX_A_PUT", Side.PUT, T0 + SECOND)
    newer = one([call, put])
    assert isinstance(newer, Pass)
    assert newer.side is Side.PUT
    tied = one([call, signal("SPX_A_PUT", Side.PUT)])
    assert "closed together" in blocked(tied, "window")
    assert isinstance(tied, Block)
    assert tied.side is None


def test_an_older_opposite_firing_does_not_come_into_its_own_after_the_newest_was_traded() -> None:
    call, put = signal("SPX_A_CALL"), signal("SPX_A_PUT", Side.PUT, T0 + SECOND)
    used = frozenset({("TREND", key_of((put,)))})
    assert "says PUT" in blocked(one([call, put], used=used), "window")
    assert isinstance(one([signal("SPX_A_CALL", close_ns=T0 + 2 * SECOND), put], used=used), Pass)


def test_a_signal_that_another_strategy_trades_on_still_counts_for_this_one() -> None:
    traded = signal("SPX_A_CALL").moved(SignalState.VALIDATED).moved(SignalState.EXECUTING, "T1")
    assert isinstance(one([traded]), Pass)


def test_strategies_run_by_priority_then_id_and_disabled_ones_do_not() -> None:
    specs = (
        strategy(strategy_id="B", priority=2), strategy(strategy_id="C"), strategy(strategy_id="A", priority=2),
        strategy(strategy_id="X", enabled=False),
    )  # fmt: skip
    verdicts = judged([signal("SPX_V3_CALL")], *specs)
    assert [each.spec.strategy_id for each in verdicts] == ["C", "A", "B"]


def test_unknown_veera_data_blocks_with_the_series_named() -> None:
    verdict = one([signal("SPX_V3_CALL")], strategy(veera=("adx_5m", "nq_ema5_12_10m")))
    assert blocked(verdict, "veera") == "adx_5m: SPX 5m is not available"
    assert [each.stage for each in verdict.decisions].count("veera") == 2


def test_context_plus_trigger_needs_both_and_they_are_separate() -> None:
    spec = strategy(hunter="context_plus_trigger", context_patterns=("SPX_1HR_*",), call_patterns=("SPX_*",))
    context, trigger = signal("SPX_1HR_MACD_UP"), signal("SPX_V3_CALL")
    assert "no context" in blocked(one([trigger], spec), "hunter")
    assert "no context" in blocked(one([context], spec), "hunter")
    verdict = one([context, trigger], spec)
    assert isinstance(verdict, Pass)
    assert verdict.key == key_of((context, trigger))
    other_way = signal("SPX_1HR_MACD_DOWN", Side.PUT)
    blocked(one([other_way, trigger], spec), "hunter")


def test_a_context_may_serve_a_second_trigger() -> None:
    spec = strategy(hunter="context_plus_trigger", context_patterns=("SPX_1HR_*",), call_patterns=("SPX_V3_*",))
    context, first = signal("SPX_1HR_MACD_UP"), signal("SPX_V3_CALL")
    used = frozenset({("TREND", key_of((context, first)))})
    blocked(one([context, first], spec, used=used), "match")
    again = signal("SPX_V3_CALL", close_ns=T0 + SECOND)
    assert isinstance(one([context, again], spec, used=used), Pass)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        (Counts(runs=100), "strategy runs today"),
        (Counts(by_strategy={"TREND": 10}), "signals of TREND today"),
        (Counts(positions=20), "positions today"),
        (Counts(99, 19, {"TREND": 9, "OTHER": 10}), ""),
    ],
)  # fmt: skip
def test_the_days_caps_hold_exactly(counts: Counts, says: str) -> None:
    verdict = one([signal("SPX_V3_CALL")], counts=counts)
    if says:
        assert says in blocked(verdict, "caps")
    else:
        assert isinstance(verdict, Pass)


def test_a_pass_counts_against_the_caps_of_those_after_it() -> None:
    specs = tuple(strategy(strategy_id=name) for name in "ABC")
    verdicts = judged([signal("SPX_V3_CALL")], *specs, counts=Counts(positions=18))
    assert [type(each) for each in verdicts] == [Pass, Pass, Block]
    watching = tuple(strategy(strategy_id=name, autonomy="observe") for name in "ABC")
    assert all(
        isinstance(each, Pass) for each in judged([signal("SPX_V3_CALL")], *watching, counts=Counts(0, 19))
    )


def test_the_hunter_reads_the_pool_as_far_back_as_its_widest_window() -> None:
    pool = Pool()
    pool.publish(signal("SPX_V3_CALL"))
    hunter = Hunter(pool, no_bars)
    wide, narrow = strategy(window_s=600), strategy(strategy_id="Z")
    verdicts = hunter.hunt(T0 + 400 * SECOND, (wide, narrow), (), Counts())
    assert [type(each) for each in verdicts] == [Pass, Block]
    assert "window" in blocked(verdicts[1], "window")


@pytest.mark.parametrize(
    ("schedule", "passes"),
    [
        ("", True), ("* * * * *", True), ("0 10 * * *", True), ("0-30 10-11 * * fri", True),
        ("*/5 9-15 * * *", True),
        ("1 10 * * *", False), ("0 15 * * *", False), ("0 10 * * mon", False),
    ],
)  # fmt: skip
def test_a_schedule_in_new_york_time_says_when_a_strategy_may_hunt(schedule: str, passes: bool) -> None:
    verdict = one([signal("SPX_V3_CALL")], strategy(schedule=schedule), now_ns=T0 + 59 * SECOND)
    assert isinstance(verdict, Pass) is passes
    if not passes:
        assert blocked(verdict, "schedule") == "the schedule does not name this minute"


def test_a_schedule_that_is_no_schedule_blocks_and_says_so() -> None:
    verdict = one([signal("SPX_V3_CALL")], strategy(schedule="often"))
    assert "'often' cannot be read" in blocked(verdict, "schedule")


def test_a_block_names_the_signals_it_left_and_a_reason_is_told_once() -> None:
    left, other = signal("SPX_V3_CALL"), signal("ES_CALL_V3")
    full = Counts(runs=100)
    block = judged([left, other], strategy(), counts=full)[0]
    assert isinstance(block, Block)
    assert (block.stage, block.signals) == ("caps", (left,))
    passed_over = PassedOver()
    (said,) = passed_over.news([block])
    assert (said.trade_id, stage_of(said.stage)) == (left.id, ("caps", "TREND"))
    assert "used up" in said.reason
    assert passed_over.news([block]) == ()
    veera = judged([left], strategy(veera=("macd_10m",)))[0]
    (said,) = passed_over.news([veera])
    assert (said.verdict, stage_of(said.stage)[0]) == ("block", "veera")
    assert passed_over.news([one([other])]) == (), "a signal that suits no pattern is nobody's"
