"""Prices, quotes, references and instants of the domain."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from station.domain.clock import from_datetime, to_datetime, utc_text
from station.domain.instruments import ES_OPTION_TICKS, SPX_OPTION_TICKS, TickRule
from station.domain.market import Quote
from station.domain.orders import Action, Execution, order_ref, trade_of
from tests.unit.domain_cases import ACCOUNT, CONTRACT


@pytest.mark.parametrize(
    ("rule", "price", "down", "up"),
    [
        (SPX_OPTION_TICKS, "2.94", "2.90", "2.95"),
        (SPX_OPTION_TICKS, "2.95", "2.95", "2.95"),
        (SPX_OPTION_TICKS, "2.96", "2.95", "3.00"),
        (SPX_OPTION_TICKS, "2.99", "2.95", "3.00"),
        (SPX_OPTION_TICKS, "3.00", "3.00", "3.00"),
        (SPX_OPTION_TICKS, "3.01", "3.00", "3.10"),
        (SPX_OPTION_TICKS, "3.05", "3.00", "3.10"),
        (SPX_OPTION_TICKS, "3.10", "3.10", "3.10"),
        (SPX_OPTION_TICKS, "0.01", "0.00", "0.05"),
        (ES_OPTION_TICKS, "4.97", "4.95", "5.00"),
        (ES_OPTION_TICKS, "5.05", "5.00", "5.25"),
    ],
)
def test_fault_46_a_price_is_legal_on_both_sides_of_the_tick_boundary(
    rule: TickRule, price: str, down: str, up: str
) -> None:
    assert (rule.down(Decimal(price)), rule.up(Decimal(price))) == (Decimal(down), Decimal(up))
    assert rule.is_legal(Decimal(down))
    assert rule.is_legal(Decimal(up))


@pytest.mark.parametrize(
    ("price", "legal"),
    [("2.95", True), ("2.97", False), ("3.00", True), ("3.05", False), ("3.10", True), ("0", True)],
)
def test_fault_46_five_cents_are_legal_below_three_dollars_only(price: str, legal: bool) -> None:
    assert SPX_OPTION_TICKS.is_legal(Decimal(price)) is legal


def top(bid: str | None, ask: str | None) -> Quote:
    return Quote(CONTRACT, Decimal(bid) if bid else None, Decimal(ask) if ask else None, 1, 1, 0)


@pytest.mark.parametrize(
    ("bid", "ask", "mid", "crossed", "spread"),
    [
        ("9.90", "10.00", Decimal("9.95"), False, Decimal("0.10")),
        (None, "10.00", None, False, None),
        ("9.90", None, None, False, None),
        (None, None, None, False, None),
        ("10.00", "10.00", None, True, Decimal(0)),
        ("10.10", "10.00", None, True, Decimal("-0.10")),
    ],
    ids=["sane", "no bid", "no ask", "empty", "locked", "crossed"],
)
def test_fault_40_and_41_no_mid_from_an_absent_or_a_crossed_side(
    bid: str | None, ask: str | None, mid: Decimal | None, crossed: bool, spread: Decimal | None
) -> None:
    quote = top(bid, ask)
    assert (quote.mid, quote.crossed, quote.spread) == (mid, crossed, spread)
    assert quote.two_sided is (bid is not None and ask is not None)


def test_a_reference_carries_its_trade() -> None:
    ref = order_ref(ACCOUNT, "T2611180001", "X", 2)
    assert ref == "V1-DU1000001-T2611180001-X-2"
    assert trade_of(ref) == "T2611180001"
    assert trade_of(order_ref(ACCOUNT, "20261118-7", "E", 1)) == "20261118-7"


@pytest.mark.parametrize("foreign", ["", "V1", "manual", "V2-DU1-T1-E-1", "V1-DU1-T1-E", "x-V1-DU1-T1-E-1"])
def test_a_foreign_reference_has_no_trade(foreign: str) -> None:
    assert trade_of(foreign) is None


@pytest.mark.parametrize(
    ("exec_id", "root", "revision"),
    [
        ("0000e.1.01", "0000e.1", 1),
        ("0000e.1.02", "0000e.1", 2),
        ("0000e.1", "0000e.1", 0),
        ("0000e.1.102", "0000e.1.102", 0),
        ("plain", "plain", 0),
    ],
)
def test_an_executions_root_is_its_id_without_the_correction(exec_id: str, root: str, revision: int) -> None:
    found = Execution(exec_id, "", ACCOUNT, CONTRACT, Action.BUY, Decimal(1), Decimal(1), 0)
    assert (found.root_id, found.revision) == (root, revision)


@pytest.mark.parametrize(
    ("at_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_794_999_901_000_000_999, "2026-11-18T11:05:01.000000Z"),
        (999_999_999, "1970-01-01T00:00:00.999999Z"),
        (1, "1970-01-01T00:00:00.000000Z"),
    ],
)
def test_an_instant_is_written_to_the_microsecond_and_never_rounded_up(at_ns: int, text: str) -> None:
    assert utc_text(at_ns) == text


def test_a_naive_datetime_is_refused_and_an_aware_one_returns() -> None:
    moment = datetime(2026, 11, 18, 15, 5, 0, 123456, tzinfo=UTC)
    assert to_datetime(from_datetime(moment)) == moment
    with pytest.raises(ValueError, match="naive"):
        from_datetime(moment.replace(tzinfo=None))
