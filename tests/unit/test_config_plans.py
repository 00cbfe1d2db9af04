"""The shipped wealth plans are their formula, week by week."""

from __future__ import annotations

import csv
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.files import ConfigError
from config.plans import (
    COLUMNS,
    LEVELS,
    SHIPPED,
    contracts_at,
    generate_plan,
    plan_path,
    plan_text,
    write_shipped,
)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_file_is_what_the_formula_gives(name: str, tmp_path: Path) -> None:
    assert plan_path(name).read_text() == plan_text(name)
    write_shipped(tmp_path)
    assert (tmp_path / f"{name}.csv").read_bytes() == plan_path(name).read_bytes()


@pytest.mark.parametrize(
    ("name", "start", "goal"),
    [("WM235K", 35_000, 500_000), ("WM2310K", 10_000, 150_000), ("WM2320K", 20_000, 300_000)],
)
def test_a_plan_leads_from_its_start_to_the_years_goal(name: str, start: int, goal: int) -> None:
    rows = rows_of(plan_path(name))
    assert [int(row["week"]) for row in rows] == list(range(1, 53))
    assert (int(rows[0]["start"]), int(rows[-1]["target"])) == (start, goal)
    for before, after in pairwise(rows):
        assert before["target"] == after["start"]


def test_growth_is_geometric_within_half_a_dollar_of_rounding() -> None:
    for row in rows_of(plan_path("WM235K")):
        growth = int(row["target"]) / int(row["start"])
        assert growth == pytest.approx((500_000 / 35_000) ** (1 / 52), rel=3e-5)
        steps = [int(row[f"{level}_capital"]) for level in LEVELS] + [int(row["target"])]
        for low, high in pairwise(steps):
            assert high / low == pytest.approx((500_000 / 35_000) ** (1 / 208), rel=6e-5)


def test_contracts_follow_the_rule_of_five_percent_in_500_dollar_contracts() -> None:
    assert [contracts_at(Decimal(text)) for text in ("100", "10000", "19999", "20000", "35000", "40000")] == [
        1, 1, 1, 2, 3, 4,
    ]  # fmt: skip
    for row in rows_of(plan_path("WM2310K")):
        for level in LEVELS:
            capital, contracts = int(row[f"{level}_capital"]), int(row[f"{level}_contracts"])
            assert contracts == max(1, capital * 5 // 50_000)


@given(start=st.integers(1_000, 200_000), factor=st.integers(2, 30))
def test_any_plan_rises_level_by_level(start: int, factor: int) -> None:
    rows = generate_plan(Decimal(start), Decimal(start * factor))
    ladder = [int(row[f"{level}_capital"]) for row in rows for level in LEVELS] + [int(rows[-1]["target"])]
    assert ladder[0] == start and ladder[-1] == start * factor
    assert all(low < high for low, high in pairwise(ladder))
    sizes = [int(row[f"{level}_contracts"]) for row in rows for level in LEVELS]
    assert sizes == sorted(sizes) and sizes[0] >= 1


@pytest.mark.parametrize(("start", "goal"), [(0, 10), (10, 10), (10, 5), (-5, 5)])
def test_a_plan_that_does_not_grow_is_refused(start: int, goal: int) -> None:
    with pytest.raises(ConfigError, match="0 < start < goal"):
        generate_plan(Decimal(start), Decimal(goal))


@pytest.mark.parametrize("name", ["NOPE", "../WM235K", ""])
def test_an_unknown_plan_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match="use one of WM2310K, WM2320K, WM235K"):
        plan_path(name)


def test_the_columns_are_a_contract() -> None:
    assert COLUMNS == (
        "week", "start", "target",
        "trade_start_capital", "trade_start_contracts", "T1_capital", "T1_contracts",
        "T2_capital", "T2_contracts", "T3_capital", "T3_contracts",
    )  # fmt: skip
