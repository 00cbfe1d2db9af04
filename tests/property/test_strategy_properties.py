"""What must hold of the hunt for any pool: it repeats itself, and no firing opens two trades."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from station.domain.clock import SECOND
from station.domain.instruments import Side
from station.domain.signals import Signal
from station.strategy import Caps, Counts, Pass, Verdict, hunt, identity
from tests.unit.strategy_cases import T0, signal, strategy

NAMES = ("SPX_A_CALL", "SPX_B_CALL", "ES_C", "SPX_A_PUT")
SPECS = (
    strategy(strategy_id="EITHER", call_patterns=("SPX_*",), put_patterns=("SPX_*", "ES_*")),
    strategy(strategy_id="BOTH", call_patterns=("SPX_A* + ES_*",), put_patterns=("SPX_A* + ES_*",), priority=2),
    strategy(
        strategy_id="CONTEXT",
        hunter="context_plus_trigger",
        context_patterns=("ES_*",),
        call_patterns=("SPX_*",),
    ),
)
SIGNALS = st.lists(
    st.builds(
        lambda name, side, age_s, score: signal(name, side, T0 - age_s * SECOND, score),
        st.sampled_from(NAMES), st.sampled_from(list(Side)), st.integers(0, 400), st.integers(0, 100),
    ),
    max_size=6,
)  # fmt: skip


def latest(signals: list[Signal]) -> tuple[Signal, ...]:
    by_name = {each.firing.scanner: each for each in signals}
    return tuple(by_name[name] for name in sorted(by_name))


def run(
    signals: tuple[Signal, ...], used: frozenset[tuple[str, str]], specs: tuple = SPECS
) -> tuple[Verdict, ...]:
    return hunt(T0, specs, signals, used, Counts(), lambda *_: None, Caps())


@given(st.lists(SIGNALS, max_size=6))
def test_no_trigger_firing_opens_two_trades_of_one_strategy(waves: list[list[Signal]]) -> None:
    used = frozenset[tuple[str, str]]()
    opened: dict[str, set[str]] = {spec.strategy_id: set() for spec in SPECS}
    for wave in waves:
        for verdict in run(latest(wave), used):
            if not isinstance(verdict, Pass):
                continue
            name = verdict.spec.strategy_id
            triggers = {identity(each) for each in verdict.signals if not each.firing.scanner.startswith("ES")}
            assert not triggers & opened[name]
            opened[name] |= triggers
            used |= {(name, verdict.key)}


@given(SIGNALS)
def test_a_pass_used_up_is_never_passed_again(wave: list[Signal]) -> None:
    signals = latest(wave)
    passes = [each for each in run(signals, frozenset()) if isinstance(each, Pass)]
    used = frozenset((each.spec.strategy_id, each.key) for each in passes)
    assert not [each for each in run(signals, used) if isinstance(each, Pass)]


@given(SIGNALS, st.permutations(SPECS))
def test_the_order_of_rows_changes_nothing(wave: list[Signal], specs: list) -> None:
    signals = latest(wave)
    assert run(signals, frozenset(), tuple(specs)) == run(signals, frozenset())


@given(SIGNALS)
def test_every_signal_of_a_pass_was_eligible(wave: list[Signal]) -> None:
    for verdict in run(latest(wave), frozenset()):
        assert verdict.decisions
        if isinstance(verdict, Pass):
            assert verdict.signals
            for each in verdict.signals:
                assert each.firing.side is verdict.side
                assert each.confidence >= 50
                assert T0 - each.published_ns <= 300 * SECOND
