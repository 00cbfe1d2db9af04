"""The tally of ended trades says what a walk over every trade would."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from station.calendars import at_et, et_date
from station.desk.daybook import DayBook, ended_ns, trip_of
from station.desk.ledger import Ledger
from station.domain.clock import HOUR
from station.domain.orders import ZERO
from station.domain.trade import Trade, TradeState
from station.execution import OrderBook
from tests.unit.store_books import spx

D = Decimal
DAY = date(2026, 11, 18)
START = at_et(DAY, "00:00")
BLANK = cast("Any", SimpleNamespace(now=lambda: START))

moments = st.sampled_from([START - 20 * HOUR, START - HOUR, START + 10 * HOUR, START + 12 * HOUR])
steps = st.lists(
    st.tuples(
        st.sampled_from(["T1", "T2", "T3", "T4"]), st.sampled_from(["A", "B"]), st.integers(-500, 500),
        moments, moments, st.sampled_from([TradeState.BUY_FILLED, TradeState.WEALTH_UPDATED]), st.booleans(),
    ),
    max_size=20,
)  # fmt: skip


def trade(
    trade_id: str, strategy: str, dollars: int, filled_ns: int, closed_ns: int, state: TradeState
) -> Trade:
    over = state is TradeState.WEALTH_UPDATED
    blank = Trade(id=trade_id, state=state, opened_ns=filled_ns, updated_ns=max(filled_ns, closed_ns))
    return replace(
        blank, strategy=strategy, contract=spx(6800), filled_ns=filled_ns, closed_ns=closed_ns if over else 0,
        entry_filled=D(1), exit_filled=D(1) if over else ZERO, exit_value=D(dollars),
    )  # fmt: skip


@given(steps)
def test_the_tally_is_what_a_walk_over_all_trades_finds(steps: list[tuple[Any, ...]]) -> None:
    ledger = Ledger(BLANK, OrderBook(ZERO), BLANK)
    book = DayBook(ledger)
    days = frozenset({DAY, et_date(START - HOUR)})
    for *what, ask in steps:
        ledger._remember(trade(*what))
        if not ask:
            continue
        for strategy in (None, "A", "B"):
            walked = [
                t.realised for t in ledger.trades.values()
                if t.state.is_terminal and ended_ns(t) >= START and strategy in (None, t.strategy)
            ]  # fmt: skip
            assert book.ended(START, strategy) == sum(walked, ZERO)
        trades = list(ledger.trades.values())
        today = [t for t in trades if t.opened_ns >= START]
        counts = book.counts(START)
        assert counts.runs == len(today)
        assert counts.positions == sum(t.state is not TradeState.FAILED for t in today)
        assert counts.by_strategy == {s: n for s in "AB" if (n := sum(t.strategy == s for t in today))}
        assert book.used() >= {(t.strategy, t.signal_key) for t in trades}
        assert book.day_trades(DAY, days) == sum(trip_of(t, DAY) in days for t in ledger.trades.values())


def test_a_new_session_begins_at_nothing() -> None:
    ledger = Ledger(BLANK, OrderBook(ZERO), BLANK)
    ledger._remember(trade("T1", "A", 120, START + HOUR, START + 2 * HOUR, TradeState.WEALTH_UPDATED))
    book = DayBook(ledger)
    assert book.ended(START) == D(120)
    assert book.ended(START + 24 * HOUR) == ZERO
    assert book.ended(START) == D(120)
