"""The delta ladder: which strikes are held, when it moves, and what a broken link leaves."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from station.domain.clock import SECOND
from station.options import choose_expiry
from tests.unit.options_cases import EXPIRY, NOON, SPOT, bench


async def test_a_few_strikes_in_the_money_and_more_out_of_it_are_watched() -> None:
    made = await bench()
    ladder = made.desk.ladder("SPX")
    assert ladder is not None
    assert (ladder.expiry, len(ladder.calls), len(ladder.puts)) == (EXPIRY, 15, 15)
    assert (ladder.calls[0].strike, ladder.calls[-1].strike) == (5900, 5970)
    assert (ladder.puts[0].strike, ladder.puts[-1].strike) == (5855, 5925)
    assert made.chain.watched == list(ladder.contracts)


async def test_it_is_refreshed_after_a_minute_or_half_its_band() -> None:
    made = await bench()
    assert not made.desk.stale("SPX", "0dte", NOON + 59 * SECOND)
    assert made.desk.stale("SPX", "0dte", NOON + 60 * SECOND)
    made.table.price = SPOT + 30.0
    assert not made.desk.stale("SPX", "0dte", NOON)
    made.table.price = SPOT - 30.01
    assert made.desk.stale("SPX", "0dte", NOON)


async def test_a_fresh_ladder_asks_the_broker_nothing() -> None:
    made = await bench()
    made.chain.calls.clear()
    warmed = await made.desk.keep_warm(made.broker, ("SPX",))
    assert (warmed[0].warm, warmed[0].contracts, made.chain.calls) == (True, 30, [])


async def test_a_move_takes_new_strikes_in_and_lets_old_ones_go_but_for_what_is_held() -> None:
    made = await bench()
    before = made.desk.ladder("SPX")
    assert before is not None
    held = before.puts[0]
    made.table.price = SPOT + 40.0
    made.chain.calls.clear()
    await made.desk.keep_warm(made.broker, ("SPX",), held=(held,))
    after = made.desk.ladder("SPX")
    assert after is not None
    assert set(made.chain.watched) == {*after.contracts, held}
    assert made.chain.calls.count("watch") == made.chain.calls.count("unwatch") + 1 == 16
    assert "chain" not in made.chain.calls
    assert all(contract.con_id for contract in after.contracts)


async def test_strikes_the_broker_does_not_know_are_left_out() -> None:
    made = await bench(unlisted=frozenset({Decimal(5915)}))
    ladder = made.desk.ladder("SPX")
    assert ladder is not None
    assert Decimal(5915) not in {contract.strike for contract in ladder.contracts}


async def test_a_broken_link_keeps_the_old_ladder_and_says_why() -> None:
    made = await bench()
    before = made.desk.ladder("SPX")
    made.chain.down = True
    made.table.price = SPOT + 40.0
    warmed = await made.desk.keep_warm(made.broker, ("SPX",))
    assert (warmed[0].warm, warmed[0].reason) == (False, "SPX: qualify: the link is down")
    assert made.desk.ladder("SPX") == before


async def test_lost_subscriptions_are_all_watched_again() -> None:
    made = await bench()
    made.chain.watched.clear()
    made.desk.forget_watches()
    await made.desk.keep_warm(made.broker, ("SPX",))
    assert len(made.chain.watched) == 30


async def test_no_price_and_no_expiry_are_said() -> None:
    made = await bench(expiries=("20261218",))
    assert made.desk.ladder("SPX") is None
    made.table.price = None
    warmed = await made.desk.keep_warm(made.broker, ("SPX",))
    assert warmed[0].reason == "SPX has no price yet"
    made.table.price = SPOT
    warmed = await made.desk.keep_warm(made.broker, ("SPX",))
    assert warmed[0].reason == "SPX lists no 0dte expiry"


LISTED = ("20261119", "20261120", "20261123", "20261125", "20261127", "20261204", "20261217", "20270115")


@pytest.mark.parametrize(
    ("kind", "day", "expiry"),
    [
        ("0dte", date(2026, 11, 20), "20261120"),
        ("0dte", date(2026, 11, 24), None),
        ("weekly", date(2026, 11, 19), "20261120"),
        ("weekly", date(2026, 11, 20), "20261127"),
        ("weekly", date(2026, 11, 23), "20261127"),
        ("monthly", date(2026, 11, 19), "20261120"),
        ("monthly", date(2026, 11, 23), "20261217"),
        ("monthly", date(2026, 12, 18), "20270115"),
        ("20261204", date(2026, 11, 20), "20261204"),
        ("20261118", date(2026, 11, 20), None),
    ],
)  # fmt: skip
def test_expiries_by_name(kind: str, day: date, expiry: str | None) -> None:
    assert choose_expiry(kind, LISTED, day) == expiry
