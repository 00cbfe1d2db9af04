"""Capital is the start plus every result, however often and in whatever order results are told."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from station.domain.ports import DiaryRow, WealthState
from station.wealth import apply_result, first_state
from tests.unit.wealth_cases import closed, plan

WM = plan()
CENTS = st.integers(-300_000, 900_000).map(lambda cents: Decimal(cents) / 100)
TOLD = st.lists(st.tuples(st.sampled_from("ABCDEFGH"), CENTS), max_size=40)


def run(told: list[tuple[str, Decimal]]) -> tuple[list[WealthState], dict[str, DiaryRow]]:
    state, diary = first_state(WM), dict[str, DiaryRow]()
    states = [state]
    for trade_id, net in told:
        state, row = apply_result(WM, state, diary.get(trade_id), closed(trade_id, net))
        diary[trade_id] = row
        states.append(state)
    return states, diary


@given(TOLD)
def test_capital_is_the_start_and_the_sum_of_the_latest_results(told: list[tuple[str, Decimal]]) -> None:
    states, diary = run(told)
    earned = sum(dict(told).values(), Decimal(0))
    assert states[-1].capital == WM.start + earned
    assert states[-1].pnl_to_date == earned
    assert {trade_id: row.net_pnl for trade_id, row in diary.items()} == dict(told)


@given(TOLD, st.data())
def test_telling_any_result_again_changes_nothing(told: list[tuple[str, Decimal]], data: st.DataObject) -> None:
    states, diary = run(told)
    latest = dict(told)
    again = data.draw(st.lists(st.sampled_from(sorted(latest)), max_size=10)) if latest else []
    for trade_id in again:
        after, row = apply_result(WM, states[-1], diary[trade_id], closed(trade_id, latest[trade_id]))
        assert (after, row) == (states[-1], diary[trade_id])


@given(TOLD)
def test_the_week_never_goes_back_and_moves_at_most_once_for_a_trade(told: list[tuple[str, Decimal]]) -> None:
    states, diary = run(told)
    steps = [after.week - before.week for before, after in pairwise(states)]
    assert all(step in (0, 1) for step in steps)
    moved_by = [trade_id for (trade_id, _), step in zip(told, steps, strict=True) if step]
    assert len(moved_by) == len(set(moved_by))
    assert states[-1].week == 1 + sum(steps)
    assert len(diary) == len(dict(told))


@given(st.lists(CENTS, max_size=12))
def test_the_order_of_trades_does_not_change_the_capital(nets: list[Decimal]) -> None:
    told = [(chr(65 + n), net) for n, net in enumerate(nets)]
    shuffled = sorted(told, key=lambda each: (each[1], each[0]))
    assert run(told)[0][-1].capital == run(shuffled)[0][-1].capital
