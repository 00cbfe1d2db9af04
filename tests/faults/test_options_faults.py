"""FAULTS 39, 40, 41, 42, 43 and 24 at the picker: what cannot be trusted is never bought."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from station.domain.clock import SECOND
from station.domain.instruments import Side
from station.domain.market import Grade, GreeksSource
from station.options import NoPick, Pick
from tests.unit.options_cases import NOON, Bench, bench


def pick(made: Bench, now_ns: int = NOON) -> Pick | NoPick:
    return made.desk.pick("SPX", Side.CALL, 0.30, "0dte", now_ns)


def code(made: Bench, now_ns: int = NOON) -> str:
    found = pick(made, now_ns)
    return found.code if isinstance(found, NoPick) else ""


async def test_fault_39_quote_that_stopped_updating_is_not_picked() -> None:
    made = await bench()
    assert code(made, NOON + 5 * SECOND) == ""
    assert code(made, NOON + 5 * SECOND + 1) == "QUOTE_STALE"


async def test_fault_39_one_stale_contract_gives_way_to_a_fresh_one() -> None:
    made = await bench()
    first = pick(made)
    assert isinstance(first, Pick)
    made.table.quotes[first.contract] = replace(first.quote, at_ns=NOON - 6 * SECOND)
    second = pick(made)
    assert isinstance(second, Pick)
    assert second.contract != first.contract


@pytest.mark.parametrize("side", ["bid", "ask"])
@pytest.mark.parametrize("price", [None, Decimal(0), Decimal(-1), Decimal("NaN")])
async def test_fault_40_a_missing_side_is_no_market(side: str, price: Decimal | None) -> None:
    made = await bench()
    made.table.spoil(**{side: price})
    assert code(made) in ("NO_QUOTE", "NO_BID")


@pytest.mark.parametrize(("bid", "ask"), [("4.20", "4.20"), ("4.30", "4.20")])
async def test_fault_41_crossed_or_locked_is_refused_until_sane(bid: str, ask: str) -> None:
    made = await bench()
    sane = dict(made.table.quotes)
    made.table.spoil(bid=Decimal(bid), ask=Decimal(ask))
    assert code(made) == "CROSSED"
    made.table.quotes = sane
    assert code(made) == ""


@pytest.mark.parametrize("grade", [Grade.FROZEN, Grade.DELAYED, Grade.DELAYED_FROZEN])
async def test_fault_42_delayed_or_frozen_counts_as_stale(grade: Grade) -> None:
    made = await bench()
    made.table.spoil(grade=grade)
    assert code(made) == "QUOTE_STALE"


@pytest.mark.parametrize("broken", ["absent", "sentinel", "nan", "no iv", "old"])
async def test_fault_43_missing_greeks_come_from_our_model_and_say_so(broken: str) -> None:
    made = await bench()
    told = pick(made)
    match broken:
        case "absent":
            made.table.told.clear()
        case "sentinel":
            made.table.spoil_greeks(delta=-2.0, gamma=-2.0, theta=-2.0, vega=-2.0)
        case "nan":
            made.table.spoil_greeks(delta=float("nan"))
        case "no iv":
            made.table.spoil_greeks(iv=0.0)
        case _:
            made.table.spoil_greeks(at_ns=NOON - 61 * SECOND)
    own = pick(made)
    assert isinstance(told, Pick)
    assert isinstance(own, Pick)
    assert own.greeks.source is GreeksSource.MODEL
    assert own.contract == told.contract
    assert own.greeks.delta == pytest.approx(told.greeks.delta, abs=0.01)
    assert own.greeks.iv == pytest.approx(told.greeks.iv, abs=0.01)
    assert "(model)" in own.decisions[0].value


async def test_fault_43_without_greeks_and_without_a_live_underlying_it_is_denied() -> None:
    made = await bench()
    made.table.told.clear()
    made.table.updated_ns = NOON - 16 * SECOND
    assert code(made) == "NO_GREEKS"


async def test_fault_43_a_mid_under_intrinsic_value_has_no_greeks() -> None:
    made = await bench()
    made.table.told.clear()
    made.table.price = 6_500.0
    assert code(made) == "NO_GREEKS"


async def test_fault_24_after_lost_data_every_ladder_is_due_again() -> None:
    made = await bench()
    made.desk.forget_watches()
    assert made.desk.stale("SPX", "0dte", NOON)
