"""Brackets of a hand over random histories: their stops rest at the exchange, the legs of each never sell more
than is held, and a group that fills twice is bought back."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from station.domain.clock import SECOND
from station.domain.events import ExitsSet, PartAsked, TradeEvent
from station.domain.hand import OwnExits
from tests.property.protection_exchange import FairExchange
from tests.property.test_protection_by_hand import PRICES, Hand, at_work
from tests.property.test_protection_histories import (
    ACTS,
    GAP_LIMIT,
    LAST_CALL,
    MOODS,
    START,
    TRADES,
    WILD_UNTIL_S,
    Act,
    Opened,
    Watch,
    history,
)

NEAR = st.integers(80, 120).map(lambda n: Decimal(n) / 10)
MOVES: st.SearchStrategy[TradeEvent] = st.one_of(
    st.integers(1, 3).map(lambda qty: PartAsked(Decimal(qty), "hand")),
    st.tuples(PRICES, NEAR).map(lambda both: ExitsSet(OwnExits((both[0],), min(both)), "hand")),
    st.tuples(NEAR, NEAR).map(lambda both: ExitsSet(OwnExits((max(both),), min(both)), "hand")),
    st.integers(1, 60).map(lambda pct: ExitsSet(OwnExits((), None, Decimal(pct)), "hand")),
)
HANDS = st.lists(st.tuples(st.integers(0, WILD_UNTIL_S), st.integers(0, 1), MOVES), max_size=12)


def bracketed(
    hands: list[Hand], *, blocks: bool = True, rested: list[int] | None = None
) -> Callable[[FairExchange], None]:
    """Every trade is a bracket from its first fill on, and hands work at it; `rested` notes for how long the
    stops that should rest did not."""

    def prepare(exchange: FairExchange) -> None:
        exchange.blocks = blocks
        for name in sorted(exchange.accounts):
            exchange.hand(name, ExitsSet(OwnExits((Decimal(12),), Decimal(9)), "hand"))
        at_work(hands)(exchange)
        if rested is not None:
            for at_ns in range(START, LAST_CALL, SECOND):
                exchange.at(at_ns, lambda: rested.append(int(_unrested(exchange))))

    return prepare


def _unrested(exchange: FairExchange) -> bool:
    """Whether a position that protection has not taken out, and none leaves, lacks its stop."""
    worker = exchange.worker
    assert worker is not None
    waiting = (
        account
        for trade_id, account in exchange.accounts.items()
        if account.trade.open_qty > account.trade.leaving and worker.memory_of(trade_id).out is None
    )
    return any(account.resting < account.trade.open_qty - account.trade.leaving for account in waiting)


@settings(max_examples=40)
@given(ACTS, TRADES, st.lists(MOODS, max_size=12), HANDS)
def test_brackets_never_sell_more_than_is_held_and_end_flat(
    acts: list[Act], trades: list[Opened], moods: list[str], hands: list[Hand]
) -> None:
    exchange, watch, faults = history(acts, trades, moods, bracketed(hands))
    assert all(isinstance(error, ConnectionResetError) for _, error in faults), faults
    ends_flat(exchange, watch)


@settings(max_examples=30)
@given(ACTS, TRADES, HANDS)
def test_a_stop_rests_within_one_decision_of_an_exchange_in_order(
    acts: list[Act], trades: list[Opened], hands: list[Hand]
) -> None:
    rested: list[int] = []
    exchange, watch, faults = history(acts, trades, [], bracketed(hands, rested=rested))
    assert faults == []
    ends_flat(exchange, watch)
    assert longest(rested) <= 1


@settings(max_examples=30)
@given(ACTS, TRADES, st.lists(MOODS, max_size=8), HANDS)
def test_fault_18_what_two_legs_sell_too_much_is_bought_back_and_told(
    acts: list[Act], trades: list[Opened], moods: list[str], hands: list[Hand]
) -> None:
    """The exchange lets both legs of a pair fill."""
    exchange, watch, _ = history(acts, trades, moods, bracketed(hands, blocks=False))
    ends_flat(exchange, watch)
    if exchange.excess > 0:
        assert any("over-sold" in alert.text for alert in exchange.alerts)


def ends_flat(exchange: FairExchange, watch: Watch) -> None:
    assert [account.trade.open_qty for account in exchange.accounts.values()] == [0] * len(exchange.accounts)
    assert all(account.live == {} for account in exchange.accounts.values())
    assert all(account.exits == () for account in exchange.accounts.values())
    assert max(watch.longest.values()) <= GAP_LIMIT


def longest(flags: list[int]) -> int:
    """The longest run of ones."""
    best = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        best = max(best, run)
    return best


def test_a_history_with_both_fills_is_among_them() -> None:
    """Target 12, stop 9: the stop fills first, the target a moment later, and one is bought back."""
    acts = [Act(30, "quote", Decimal("8.90"), 4), Act(30, "quote", Decimal("12.50"), 4)]
    exchange, watch, _ = history(acts, [(1, "none", ())], [], bracketed([], blocks=False))
    ends_flat(exchange, watch)
    assert exchange.excess == 1
    assert [alert.severity for alert in exchange.alerts if "over-sold" in alert.text] == ["critical"]
