"""Plans, ladder, sizing, and results in a real wealth database."""

from __future__ import annotations

import csv
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from station.clock import Activity, VirtualClock
from station.domain.errors import BadInput
from station.domain.events import WealthRecorded
from station.domain.ports import WealthState
from station.store import open_stores
from station.wealth import (
    LEVELS,
    WealthBook,
    apply_result,
    contracts_of,
    first_state,
    parse_plan,
    read_plan,
    size,
)
from tests.unit.wealth_cases import CONFIG, closed, plan

STARTS = {"WM235K": 35_000, "WM2310K": 10_000, "WM2320K": 20_000}


@pytest.mark.parametrize(
    ("capital", "contracts"),
    [(0, 1), (9_999, 1), (10_000, 1), (19_999, 1), (20_000, 2), (29_999, 2), (30_000, 3), (500_000, 50)],
)  # fmt: skip
def test_contracts_are_five_percent_of_the_level_capital_in_units_of_500(capital: int, contracts: int) -> None:
    assert contracts_of(Decimal(capital)) == contracts


@pytest.mark.parametrize("name", sorted(STARTS))
def test_the_shipped_plans_hold_together(name: str) -> None:
    read = plan(name)
    assert (read.name, read.start, len(read.weeks)) == (name, STARTS[name], 52)
    for week in read.weeks:
        assert tuple(rung.level for rung in week.rungs) == LEVELS
        assert [week.rung_at(rung.capital).level for rung in week.rungs] == list(LEVELS)


def test_size_follows_the_ladder_within_and_below_the_week() -> None:
    wm = plan()
    week = wm.week(3)
    just_under = week.rungs[3].capital - Decimal("0.01")
    for capital, level in ((week.start, "trade_start"), (just_under, "T2"), (week.rungs[3].capital, "T3")):
        sized = size(wm, WealthState("WM235K", capital, 3, level, Decimal(0)), 7, "T1")
        assert (sized.level, sized.qty) == (level, contracts_of(week.rung_at(capital).capital))
    drawn = size(wm, WealthState("WM235K", Decimal(20_000), 3, "T3", Decimal(0)), 7)
    assert (drawn.level, drawn.week) == ("trade_start", 3)
    assert drawn.decisions[0].stage == "size"


def test_a_state_of_another_plan_is_not_sized() -> None:
    with pytest.raises(ValueError, match="WM2310K cannot be sized by plan WM235K"):
        size(plan(), first_state(plan("WM2310K")), 0)


def rows(name: str = "WM235K") -> list[dict[str, str]]:
    with (CONFIG / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("week", "column", "value", "says"),
    [
        (0, "week", "2", "must be 1"),
        (0, "start", "minus", "must be dollars over 0"),
        (0, "target", "35000", "must be over the week's start"),
        (0, "T1_contracts", "4", "must be 3"),
        (0, "T2_capital", "99999", "must be"),
        (0, "trade_start_capital", "35001", "must be 35000"),
        (0, "T3_capital", "", "has no T3_capital"),
    ],
)  # fmt: skip
def test_a_bad_plan_is_refused_by_week_and_column(week: int, column: str, value: str, says: str) -> None:
    bad = rows()
    bad[week] = bad[week] | {column: value}
    with pytest.raises(BadInput, match="wealth plan WM235K") as refused:
        parse_plan("WM235K", bad)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_gap_between_two_weeks_is_refused() -> None:
    bad = rows()
    bad[4] = bad[4] | {"start": "42945", "trade_start_capital": "42945"}
    with pytest.raises(BadInput, match="week 5: start = 42945 must be week 4's target"):
        parse_plan("WM235K", bad)


def test_a_short_or_missing_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="51 weeks, there must be 52"):
        parse_plan("WM235K", rows()[:-1])
    with pytest.raises(BadInput, match="cannot be read"):
        read_plan(tmp_path / "none.csv")


def test_a_win_past_two_targets_advances_one_week_and_the_next_trade_the_other() -> None:
    wm = plan()
    state, row = apply_result(wm, first_state(wm), None, closed("A", 5_000))
    assert (state.week, state.capital, row.week, row.level) == (2, 40_000, 1, "trade_start")
    again, same = apply_result(wm, state, row, closed("A", 5_000))
    assert (again, same) == (state, row)
    state, _ = apply_result(wm, state, None, closed("B", -1))
    assert (state.week, state.capital, state.pnl_to_date) == (3, 39_999, 4_999)
    state, _ = apply_result(wm, state, None, closed("C", -9_999))
    assert (state.week, state.level) == (3, "trade_start")


def test_a_restated_fee_that_reaches_the_target_advances_the_week_once() -> None:
    wm = plan()
    state, row = apply_result(wm, first_state(wm), None, closed("A", 1_835))
    assert state.week == 1
    state, row = apply_result(wm, state, row, closed("A", 1_836))
    assert state.week == 2
    state, row = apply_result(wm, state, row, closed("A", 9_000))
    assert (state.week, state.capital) == (2, 44_000)
    state, row = apply_result(wm, state, row, closed("A", 0))
    assert (state.week, state.capital, row.net_pnl, row.capital_after) == (2, 35_000, 0, 35_000)


def test_a_trade_without_a_result_is_not_recorded() -> None:
    wm = plan()
    with pytest.raises(ValueError, match="has no result"):
        apply_result(wm, first_state(wm), None, replace(closed("A", 1), net_pnl=None))


async def test_recording_twice_changes_nothing_in_the_database(tmp_path: Path) -> None:
    wm = plan()
    commits: list[str] = []
    stores = await open_stores(
        tmp_path, clock=VirtualClock(0), activity=Activity(ordered=True), probe=commits.append
    )  # fmt: skip
    try:
        book = WealthBook(stores.wealth, {wm.name: wm})
        assert await book.state(wm) == first_state(wm)
        first = await book.record(wm, closed("A", "123.45"))
        assert first == WealthRecorded(Decimal("123.45"), Decimal("35123.45"), 1, "trade_start")
        state, row = await stores.wealth.state(wm.name), await stores.wealth.diary_row("A")
        commits.clear()
        assert await book.record(wm, closed("A", "123.45")) == first
        assert commits == []
        assert (await stores.wealth.state(wm.name), await stores.wealth.diary_row("A")) == (state, row)
        await book.record(wm, closed("B", "-23.45"))
        restated = await book.record(wm, closed("A", "121.45"))
        assert restated.capital == Decimal("35098.00")
        diary = await stores.wealth.diary(wm.name)
        assert [(each.trade_id, each.net_pnl) for each in diary] == [
            ("A", Decimal("121.45")), ("B", Decimal("-23.45")),
        ]  # fmt: skip
        assert diary[0].hold_s == 600
    finally:
        await stores.close()
