"""The reducer over random legal histories: money, quantities and order of states always hold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from station.domain.events import SettledAtExpiry, TradeEvent, WealthRecorded
from station.domain.lifecycle import closing, evolve
from station.domain.orders import OrderState, Purpose
from station.domain.trade import Trade, TradeState
from tests.unit.domain_cases import (
    TRADE,
    bought,
    entry_ended,
    exit_submitted,
    fee,
    sold,
    to_submitted,
    utc,
)

RANK: Final = {state: n for n, state in enumerate(TradeState)}
PRICES: Final = st.integers(1, 400).map(lambda n: Decimal(n) / 20)
FEES: Final = st.integers(0, 500).map(lambda n: Decimal(n) / 100)
START: Final = utc(15, 5)


@dataclass
class Books:
    """A second, simple set of books: what each execution is worth now, by its root id."""

    rows: dict[str, tuple[Purpose, Decimal, Decimal, Decimal]] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    settled: Decimal = Decimal(0)
    settled_qty: Decimal = Decimal(0)

    def open_qty(self) -> Decimal:
        held = sum((q if p is Purpose.ENTRY else -q for p, q, _, _ in self.rows.values()), Decimal(0))
        return held - self.settled_qty

    def cash(self) -> Decimal:
        flows = (
            (-1 if p is Purpose.ENTRY else 1) * q * price * 100 - f for p, q, price, f in self.rows.values()
        )
        return sum(flows, Decimal(0)) + self.settled


class Story:
    """Draws one legal event after another and books each in both sets."""

    def __init__(self, draw: st.DrawFn, qty: int) -> None:
        self.draw = draw
        self.books = Books()
        self.events: list[tuple[TradeEvent, int]] = []
        self.trade: Trade | None = None
        self.now = START
        self.exits = 0
        for event in to_submitted(qty):
            self.tell(event)

    def tell(self, event: TradeEvent) -> None:
        before = self.trade
        self.now += 1000
        self.events.append((event, self.now))
        self.trade = evolve(before, TRADE, event, self.now)
        if before is not None:
            assert RANK[self.trade.state] >= RANK[before.state], "a state went backwards"

    def step(self) -> None:
        trade = self.known
        moves = ["correct", "fee"] if self.books.rows else []
        if not trade.entry_done:
            moves += ["buy", "end"]
        if trade.open_qty > 0 and trade.exits and trade.state is not TradeState.CLOSED:
            moves += ["sell", "sell"]
        if trade.open_qty > 0 and trade.state in (TradeState.BUY_FILLED, TradeState.SELL_SUBMITTED):
            moves += ["exit", "settle"]
        if closing(trade) is not None:
            moves += ["close", "close"]
        if trade.state is TradeState.CLOSED:
            moves.append("wealth")
        if moves:
            getattr(self, self.draw(st.sampled_from(moves)))()

    @property
    def known(self) -> Trade:
        assert self.trade is not None
        return self.trade

    def buy(self) -> None:
        left = self.known.qty - self.known.entry_filled
        qty = self.draw(st.integers(1, int(left)))
        self._book(Purpose.ENTRY, Decimal(qty), bought, {})

    def sell(self) -> None:
        qty = self.draw(st.integers(1, int(self.known.open_qty)))
        self._book(Purpose.TARGET, Decimal(qty), sold, {"n": self.exits})

    def _book(self, purpose: Purpose, qty: Decimal, make: Any, more: dict[str, Any]) -> None:
        root = f"r{len(self.books.rows)}"
        price = self.draw(PRICES)
        event = make(qty, str(price), f"{root}.01", **more)
        self.books.rows[root] = (purpose, qty, price, event.provisional_fee)
        self.books.revisions[root] = 1
        self.tell(event)

    def correct(self) -> None:
        root = self.draw(st.sampled_from(sorted(self.books.rows)))
        purpose, qty, price, owed = self.books.rows[root]
        dearer = self.draw(PRICES)
        self.books.revisions[root] += 1
        exec_id = f"{root}.{self.books.revisions[root]:02d}"
        make = bought if purpose is Purpose.ENTRY else sold
        event = make(qty, str(dearer), exec_id, replaces_qty=qty, replaces_price=price, replaces_fee=owed)
        self.books.rows[root] = (purpose, qty, dearer, event.provisional_fee)
        self.tell(event)

    def fee(self) -> None:
        root = self.draw(st.sampled_from(sorted(self.books.rows)))
        purpose, qty, price, owed = self.books.rows[root]
        amount = self.draw(FEES)
        self.books.rows[root] = (purpose, qty, price, amount)
        self.tell(fee(root, str(amount), str(owed)))

    def end(self) -> None:
        if self.known.entry_filled > 0:
            self.tell(entry_ended(OrderState.CANCELLED))

    def exit(self) -> None:
        self.exits += 1
        self.tell(exit_submitted(self.known.open_qty, n=self.exits))

    def settle(self) -> None:
        qty, price = self.known.open_qty, self.draw(PRICES)
        self.books.settled += qty * price * 100
        self.books.settled_qty += qty
        self.tell(SettledAtExpiry(qty, price, 100, "expiry"))

    def close(self) -> None:
        event = closing(self.known)
        assert event is not None
        assert event.net_pnl == self.books.cash()
        self.tell(event)

    def wealth(self) -> None:
        net = self.known.net_pnl
        assert net is not None
        self.tell(WealthRecorded(net, Decimal(35000) + net, 1, "trade_start"))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    story = Story(draw, draw(st.integers(1, 6)))
    for _ in range(draw(st.integers(0, 30))):
        story.step()
    return story


@given(stories())
def test_quantities_and_cash_are_the_sum_of_what_was_booked(story: Story) -> None:
    trade, books = story.known, story.books
    assert trade.open_qty == books.open_qty()
    assert trade.realised == books.cash()
    if trade.net_pnl is not None:
        assert trade.net_pnl == books.cash()


@given(stories())
def test_a_trade_is_over_only_when_flat(story: Story) -> None:
    trade = story.known
    if trade.state in (TradeState.CLOSED, TradeState.WEALTH_UPDATED):
        assert trade.open_qty == 0
        assert trade.cause
    if trade.state is TradeState.SELL_FILLED:
        assert trade.entry_done


@given(stories())
def test_replaying_the_same_history_gives_the_same_trade(story: Story) -> None:
    again: Trade | None = None
    for event, at_ns in story.events:
        again = evolve(again, TRADE, event, at_ns)
    assert again == story.known


@given(
    st.lists(st.tuples(PRICES, PRICES, PRICES), min_size=1, max_size=5),
    st.booleans(),
)
def test_a_corrected_price_equals_having_booked_the_correction_alone(
    fills: list[tuple[Decimal, Decimal, Decimal]], exits_too: bool
) -> None:
    qty = len(fills)
    corrected, alone = list(to_submitted(qty)), list(to_submitted(qty))
    for n, (wrong, middle, right) in enumerate(fills):
        corrected.append(bought(1, str(wrong), f"e{n}.1.01"))
        for revision, (old, new) in enumerate(((wrong, middle), (middle, right)), start=2):
            corrected.append(
                bought(1, str(new), f"e{n}.1.{revision:02d}", replaces_qty=Decimal(1), replaces_price=old,
                       replaces_fee=Decimal("0.65"))
            )  # fmt: skip
        alone.append(bought(1, str(right), f"e{n}.1.03"))
    if exits_too:
        wrong, _, right = fills[0]
        tail = [exit_submitted(qty), sold(qty, str(wrong), "x.1.01")]
        fix = sold(
            qty, str(right), "x.1.02", replaces_qty=Decimal(qty), replaces_price=wrong,
            replaces_fee=Decimal("0.65") * qty,
        )  # fmt: skip
        corrected += [*tail, fix]
        alone += [exit_submitted(qty), sold(qty, str(right), "x.1.02")]
    assert _told(corrected) == _told(alone)


@given(st.integers(2, 6), st.data())
def test_a_corrected_quantity_restates_what_is_held(qty: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(1, qty))
    fix = bought(
        right, "10.00", "e.1.02", replaces_qty=Decimal(qty), replaces_price=Decimal("10.00"),
        replaces_fee=Decimal("0.65") * qty,
    )  # fmt: skip
    corrected = _told([*to_submitted(qty), bought(qty), fix])
    alone = _told([*to_submitted(qty), bought(right, exec_id="e.1.02")])
    assert replace(corrected, entry_done=alone.entry_done) == alone


@given(st.integers(1, 8), st.data())
def test_any_split_of_a_fill_is_worth_the_same(qty: int, data: st.DataObject) -> None:
    price = data.draw(PRICES)
    parts: list[int] = []
    while sum(parts) < qty:
        parts.append(data.draw(st.integers(1, qty - sum(parts))))
    split = _told([*to_submitted(qty), *(bought(q, str(price), f"e{n}.01") for n, q in enumerate(parts))])
    whole = _told([*to_submitted(qty), bought(qty, str(price))])
    assert replace(split, fees_owed=1) == whole


def _told(events: list[TradeEvent]) -> Trade:
    trade: Trade | None = None
    for event in events:
        trade = evolve(trade, TRADE, event, START)
    assert trade is not None
    return trade
