"""Hands that close parts and move targets and stops at any moment of a history: never over-sold (the exchange
itself asserts it), never bare for long, flat in the end."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from station.domain.clock import SECOND
from station.domain.events import CloseAsked, ExitsSet, PartAsked, TradeEvent
from station.domain.hand import OwnExits
from station.domain.orders import OrderKind
from station.domain.trade import Cause
from station.protection import SubmitExit
from tests.property.protection_exchange import FairExchange
from tests.property.test_protection_histories import (
    ACTS,
    GAP_LIMIT,
    MOODS,
    START,
    TRADES,
    WILD_UNTIL_S,
    Act,
    Opened,
    history,
)

PRICES = st.integers(40, 400).map(lambda n: Decimal(n) / 10)
ASKS: st.SearchStrategy[TradeEvent] = st.one_of(
    st.integers(1, 3).map(lambda qty: PartAsked(Decimal(qty), "hand")),
    st.just(CloseAsked(Cause.MANUAL.value, "closed by hand", "hand")),
    PRICES.map(lambda price: ExitsSet(OwnExits((price,)), "hand")),
    PRICES.map(lambda price: ExitsSet(OwnExits((), price), "hand")),
)
Hand = tuple[int, int, TradeEvent]
HANDS = st.lists(st.tuples(st.integers(0, WILD_UNTIL_S), st.integers(0, 1), ASKS), max_size=12)


def at_work(hands: list[Hand]) -> Callable[[FairExchange], None]:
    def prepare(exchange: FairExchange) -> None:
        for at_s, which, event in hands:
            name = sorted(exchange.accounts)[which % len(exchange.accounts)]
            exchange.at(START + at_s * SECOND, lambda name=name, event=event: exchange.hand(name, event))

    return prepare


@settings(max_examples=30)
@given(ACTS, TRADES, st.lists(MOODS, max_size=12), HANDS)
def test_whatever_a_hand_asks_every_trade_stays_covered_and_ends_flat(
    acts: list[Act], trades: list[Opened], moods: list[str], hands: list[Hand]
) -> None:
    exchange, watch, faults = history(acts, trades, moods, at_work(hands))
    assert all(isinstance(error, ConnectionResetError) for _, error in faults), faults
    assert [account.trade.open_qty for account in exchange.accounts.values()] == [0] * len(trades)
    assert max(watch.longest.values()) <= GAP_LIMIT
    assert all(account.live == {} for account in exchange.accounts.values())


def test_a_part_leaves_at_market_and_the_rest_keeps_its_target() -> None:
    part = PartAsked(Decimal(2), "hand")
    exchange, watch, _ = history([Act(1, "entry", None, 4)], [(5, "none", ())], [], at_work([(60, 0, part)]))
    account = exchange.accounts["T1"]
    asked = [d for _, _, d in exchange.log if isinstance(d, SubmitExit) and d.cause is Cause.PART]
    assert [(d.kind, d.qty) for d in asked] == [(OrderKind.MARKET, 2)]
    assert account.trade.leaving == 0
    assert max(watch.longest.values()) <= SECOND
