"""The option that a hand names: found and watched, or told what is listed near it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from station.domain.errors import BadInput
from station.domain.instruments import Right
from station.options import Wanted, choose_expiry, nearest
from station.options.naming import NAMED_KEPT
from tests.unit.options_cases import EXPIRY, NOON, bench

D = Decimal


def wanted(strike: str, expiry: str = "0dte", right: Right = Right.CALL) -> Wanted:
    return Wanted("SPX", expiry, D(strike), right)


async def test_a_named_option_is_the_brokers_own_and_is_watched() -> None:
    made = await bench()
    found = await made.desk.named(made.broker, wanted("6100"))
    assert (found.label, found.con_id > 0) == (f"SPXW {EXPIRY} 6100C", True)
    assert made.chain.watched.count(found) == 1
    await made.desk.named(made.broker, wanted("6100"))
    assert made.chain.watched.count(found) == 1


@pytest.mark.parametrize(
    ("want", "said"),
    [
        (wanted("5941"), f"SPX {EXPIRY} has no strike 5941C: the nearest are 5935, 5940, 5945, 5950"),
        (wanted("9000"), "the nearest are 6085, 6090, 6095, 6100"),
        (wanted("5940", "20261124"), "no expiry 20261124: 20261120, 20261123, 20261127, 20261218 are"),
        (wanted("5940", "2dte"), "no expiry 2dte: 20261120, 20261123, 20261127, 20261218 are"),
        (wanted("5940", ""), r"no expiry \(none given\)"),
    ],
)
async def test_what_is_not_listed_is_told_what_is_near(want: Wanted, said: str) -> None:
    made = await bench()
    with pytest.raises(BadInput, match=said):
        await made.desk.named(made.broker, want)


async def test_a_strike_of_another_expiry_is_told_apart() -> None:
    made = await bench(unlisted=frozenset({D(6100)}))
    with pytest.raises(BadInput, match=f"SPXW {EXPIRY} 6100C is not listed: try a strike near it"):
        await made.desk.named(made.broker, wanted("6100"))


async def test_only_the_last_few_that_were_named_stay_watched_beside_the_ladder() -> None:
    made = await bench()
    strikes = [str(strike) for strike in range(5700, 5700 + 5 * (NAMED_KEPT + 2), 5)]
    named = [await made.desk.named(made.broker, wanted(strike)) for strike in strikes]
    made.desk.forget_watches()
    made.clock.move_to(NOON + 120 * 10**9)
    made.table.updated_ns = made.clock.now()
    for contract in named:
        await made.desk.named(made.broker, wanted(str(contract.strike)))
    made.clock.move_to(NOON + 240 * 10**9)
    made.table.updated_ns = made.clock.now()
    await made.desk.keep_warm(made.broker, ("SPX",))
    kept = [contract for contract in named if contract in made.chain.watched]
    assert set(kept) >= set(named[-NAMED_KEPT:])


async def test_the_opposite_is_the_other_right_nearest_the_same_delta() -> None:
    made = await bench()
    call = await made.desk.named(made.broker, wanted("5930"))
    put = made.desk.opposite(call, 0.30, NOON)
    assert put is not None
    assert (put.right, put.expiry) == (Right.PUT, EXPIRY)
    assert abs(abs(made.table.told[put].delta) - 0.30) < 0.06
    other = await made.desk.named(made.broker, wanted("5930", "20261127"))
    assert made.desk.opposite(other, 0.30, NOON) is None, "no ladder of that expiry is warm"


def test_one_day_on_is_the_next_listed_expiry() -> None:
    expiries = ("20261120", "20261123", "20261127")
    assert choose_expiry("1dte", expiries, date(2026, 11, 20)) == "20261123"
    assert choose_expiry("1dte", expiries, date(2026, 11, 27)) is None
    assert nearest(D(5), ()) == ()
