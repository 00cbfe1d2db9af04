"""Picking: the nearest delta of what is liquid, the ties, and the reason where nothing is."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from station.domain.clock import HOUR, SECOND
from station.domain.instruments import SPX_OPTION_TICKS, Side
from station.domain.market import GreeksSource
from station.options import NoPick, Pick, PickLimits
from tests.unit.options_cases import EXPIRY, NOON, SPOT, Bench, bench


def picked(made: Bench, side: Side = Side.CALL, delta: float = 0.30, now_ns: int = NOON) -> Pick:
    found = made.desk.pick("SPX", side, delta, "0dte", now_ns, "T1")
    assert isinstance(found, Pick), found
    return found


def refused(made: Bench, now_ns: int = NOON, expiry: str = "0dte") -> NoPick:
    found = made.desk.pick("SPX", Side.CALL, 0.30, expiry, now_ns, "T1")
    assert isinstance(found, NoPick), found
    assert found.decisions[0].verdict == "block"
    return found


@pytest.mark.parametrize(("side", "delta"), [(Side.CALL, 0.30), (Side.PUT, 0.25), (Side.CALL, 0.15)])
async def test_the_strike_nearest_the_target_delta_is_picked(side: Side, delta: float) -> None:
    made = await bench()
    found = picked(made, side, delta)
    gaps = {
        contract: abs(abs(greeks.delta) - delta)
        for contract, greeks in made.table.told.items()
        if contract.right is side.right
    }
    assert gaps[found.contract] == min(gaps.values())
    assert (found.contract.expiry, found.contract.trading_class) == (EXPIRY, "SPXW")
    assert (found.tick_rule, found.underlying_price) == (SPX_OPTION_TICKS, SPOT)
    assert found.greeks.source is GreeksSource.BROKER
    assert found.contract.con_id
    decision = found.decisions[0]
    assert (decision.stage, decision.verdict, decision.trade_id) == ("contract", "pass", "T1")
    assert f"delta {delta:.2f}" in decision.limit


async def test_equal_deltas_go_to_the_tighter_spread_then_nearer_the_money() -> None:
    made = await bench()
    ladder = made.desk.ladder("SPX")
    assert ladder is not None
    made.table.spoil_greeks(delta=0.30)
    made.table.spoil(bid=Decimal("4.10"), ask=Decimal("4.20"))
    above = [contract for contract in ladder.calls if float(contract.strike) >= SPOT]
    nearest = min(ladder.calls, key=lambda each: abs(float(each.strike) - SPOT))
    assert picked(made).contract == nearest
    far = above[-1]
    made.table.quotes[far] = replace(made.table.quotes[far], bid=Decimal("4.15"))
    assert picked(made).contract == far


async def test_an_illiquid_nearest_strike_gives_way_to_the_next() -> None:
    made = await bench()
    first = picked(made).contract
    made.table.quotes[first] = replace(made.table.quotes[first], ask=made.table.quotes[first].bid * 2)
    second = picked(made).contract
    assert second != first
    assert abs(second.strike - first.strike) == 5


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (PickLimits(max_spread_pct=Decimal("0.01")), "SPREAD"),
        (PickLimits(min_volume=1), "VOLUME"),
        (PickLimits(min_open_interest=1), "OPEN_INTEREST"),
    ],
)  # fmt: skip
async def test_illiquid_chains_are_refused_with_the_count_and_reason(limits: PickLimits, code: str) -> None:
    made = await bench(limits)
    found = refused(made)
    assert found.code == code
    assert found.reason.startswith("of 15 SPX contracts ")


@pytest.mark.parametrize(("ask", "passes"), [("4.10", True), ("4.11", False)])
async def test_the_spread_limit_holds_to_the_cent(ask: str, passes: bool) -> None:
    made = await bench()
    made.table.spoil(bid=Decimal("3.90"), ask=Decimal(ask))
    found = made.desk.pick("SPX", Side.CALL, 0.30, "0dte", NOON)
    assert isinstance(found, Pick) is passes


async def test_a_hole_in_the_ladder_is_not_a_choice() -> None:
    made = await bench()
    made.table.spoil_greeks(delta=0.51)
    assert refused(made).code == "DELTA_GAP"
    made.table.spoil_greeks(delta=0.49)
    picked(made)


async def test_a_ladder_that_is_cold_or_expired_is_not_picked_from() -> None:
    made = await bench()
    assert refused(made, expiry="weekly").code == "NO_CHAIN"
    assert refused(made, NOON + 5 * HOUR).code == "EXPIRED"


async def test_the_cache_shows_every_contract_with_its_age() -> None:
    made = await bench()
    rows = made.desk.cache("SPX", "0dte", NOON + 3 * SECOND)
    assert len(rows) == 30
    assert {row.age_s for row in rows} == {3.0}
    assert all(row.greeks for row in rows)
    del made.table.quotes[rows[0].contract]
    bare = made.desk.cache("SPX", "0dte", NOON)[0]
    assert (bare.quote, bare.greeks, bare.age_s) == (None, None, None)
    assert made.desk.cache("ES", "0dte", NOON) == ()


async def test_one_contracts_greeks_are_the_brokers_else_ours_else_none() -> None:
    made = await bench()
    contract = picked(made).contract
    told = made.desk.greeks(contract, NOON)
    assert told is made.table.told[contract]
    own = made.desk.greeks(contract, NOON + 61 * SECOND)
    assert own is None
    made.table.updated_ns = NOON + 61 * SECOND
    own = made.desk.greeks(contract, NOON + 61 * SECOND)
    assert own is not None
    assert (own.source, own.at_ns) == (GreeksSource.MODEL, NOON + 61 * SECOND)
