"""Random legal histories: the log alone rebuilds the rows, and the auditor finds nothing to say."""

from __future__ import annotations

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from station.domain.events import (
    CancelRequested,
    EntryEnded,
    EntrySubmitted,
    ExecutionBooked,
    ExitSubmitted,
    OrderMoved,
    Recorded,
)
from station.domain.orders import (
    Action,
    Execution,
    OrderKind,
    OrderState,
    Purpose,
    Ticket,
    acknowledged,
    filled,
    latest_revisions,
    moved,
    new_order,
    order_ref,
)
from station.domain.projection import project_order
from station.domain.trade import TradeState
from station.store import rebuild, replay_log, verify
from tests.unit.store_books import ACCOUNT, Exchange, Hand, opened, spx

PRICES = st.integers(5, 900).map(lambda cents: f"{Decimal(cents) / 20:.2f}")


@st.composite
def acts(draw: st.DrawFn) -> list[tuple[str, int, str]]:
    """What to try next on one of three trades: (act, trade, price)."""
    names = ["enter", "fill", "sell", "take", "modify", "cancel", "settle", "close", "doubt"]
    return draw(
        st.lists(st.tuples(st.sampled_from(names), st.integers(0, 2), PRICES), min_size=10, max_size=60)
    )


async def play(hand: Hand, script: list[tuple[str, int, str]]) -> None:
    """Every act that makes sense where the trade stands; the others are passed over."""
    ids: dict[int, str] = {}
    for act, slot, price in script:
        if slot not in ids:
            if act == "enter":
                ids[slot] = await hand.enter(2 + slot, spx(5900 + 5 * slot))
            continue
        await step(hand, act, ids[slot], price)


async def step(hand: Hand, act: str, trade_id: str, price: str) -> None:
    trade = hand.trades[trade_id]
    entry = hand.orders[order_ref(ACCOUNT, trade_id, "E", 1)]
    exits = [o for o in hand.orders.values() if o.trade_id == trade_id and o.ticket.purpose.is_exit]
    working = [o for o in exits if o.state.is_working]
    holding = trade.state in (TradeState.BUY_FILLED, TradeState.SELL_SUBMITTED)
    match act:
        case "fill" if entry.state.is_working and trade.state is not TradeState.SELL_FILLED:
            await hand.fill(entry.ref, 1, price)
        case "cancel" if entry.state.is_working and entry.filled == 0:
            await hand.cancelled(entry.ref)
        case "sell" if holding and not working and trade.open_qty > 0:
            await hand.sell(trade_id, len(exits) + 1, int(trade.open_qty), price)
        case "modify" if holding and working:
            await hand.modify(working[0].ref, int(working[0].filled + trade.open_qty), price)
        case "take" if holding and working:
            await hand.fill(working[0].ref, 1, price)
        case "doubt" if working and working[0].state is not OrderState.UNKNOWN:
            doubt = OrderMoved(working[0].ref, OrderState.UNKNOWN, 0, 0, "link lost")
            await hand.record(trade_id, CancelRequested(working[0].ref, "reconcile"), doubt)
        case "settle" if holding and not working and trade.entry_done and trade.open_qty > 0:
            await hand.settle(trade_id, int(trade.open_qty), price)
        case "close" if trade.state is TradeState.SELL_FILLED:
            await hand.close(trade_id)
        case _:
            pass


@settings(max_examples=15)
@given(script=acts())
def test_any_legal_history_is_rebuilt_from_its_log_and_passes_the_audit(
    script: list[tuple[str, int, str]],
) -> None:
    async def history(runtime: Path) -> None:
        stores = await opened(runtime)
        exchange = Exchange(runtime / "paper.db")
        hand = Hand(stores, exchange)
        await play(hand, script)
        exchange.close()
        state = rebuild(logged.recorded for logged in await stores.lifecycle.events())
        snapshot = await stores.lifecycle.load(0)
        assert state.illegal == []
        assert state.trades == {trade.id: trade for trade in snapshot.trades} == hand.trades
        assert state.orders == {order.ref: order for order in snapshot.orders} == hand.orders
        await stores.close()

    with tempfile.TemporaryDirectory() as place:
        runtime = Path(place) / "runtime"
        asyncio.run(history(runtime))
        assert replay_log(runtime).differences == ()
        broken = {check.name: check.violations for check in verify(runtime).checks if check.violations}
        assert broken == {}


@given(
    fills=st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 99_999), st.integers(0, 3)), min_size=1, max_size=12
    ),
    size=st.integers(1, 60),
)
def test_an_order_projected_fill_by_fill_is_the_order_computed_from_all_its_executions(
    fills: list[tuple[int, int, int]], size: int
) -> None:
    ref = order_ref(ACCOUNT, "T2611180001", "E", 1)
    ticket = Ticket(ref, ACCOUNT, spx(5940), Action.BUY, Decimal(size), OrderKind.MARKET, Purpose.ENTRY)
    projected = project_order(None, recorded(EntrySubmitted(ticket, Decimal(1), Decimal(1), 0), 1))
    computed = new_order(ticket, "T2611180001", 1)
    booked: dict[int, Execution] = {}
    for at_ns, (qty, cents, root) in enumerate(fills, start=2):
        held = booked.get(root)
        revision = held.revision + 1 if held else 1
        booked[root] = execution = Execution(
            f"E{root}.{revision:02d}", ref, ACCOUNT, spx(5940), Action.BUY, Decimal(qty),
            Decimal(cents) / 100, at_ns,
        )  # fmt: skip
        zero = Decimal(0)
        event = ExecutionBooked(
            execution.exec_id, ref, Purpose.ENTRY, execution.qty, execution.price, 100, zero, zero, zero,
            replaces_qty=held.qty if held else zero, replaces_price=held.price if held else zero,
        )  # fmt: skip
        projected = project_order(projected, recorded(event, at_ns))
        computed = filled(computed, latest_revisions(tuple(booked.values())), at_ns)
        assert projected is not None
        assert (projected.filled, projected.avg_price, projected.state, projected.ack_synthesised) == (
            computed.filled, computed.avg_price, computed.state, computed.ack_synthesised,
        )  # fmt: skip
        assert projected.updated_ns == computed.updated_ns


@given(states=st.lists(st.sampled_from(list(OrderState)), max_size=8), broker_id=st.integers(0, 3))
def test_moves_project_as_the_order_rules_move(states: list[OrderState], broker_id: int) -> None:
    ref = order_ref(ACCOUNT, "T2611180001", "X", 1)
    ticket = Ticket(ref, ACCOUNT, spx(5940), Action.SELL, Decimal(1), OrderKind.MARKET, Purpose.CLOSE)
    order = project_order(None, recorded(ExitSubmitted(ticket, "manual"), 1))
    for at_ns, state in enumerate(states, start=2):
        assert order is not None
        there = moved(order, state, at_ns)
        after = project_order(order, recorded(OrderMoved(ref, state, broker_id, 7, ""), at_ns))
        assert after is not None
        if there is None and state is not order.state:
            assert after == order
        elif there is not None:
            assert (after.state, after.updated_ns, after.perm_id) == (there.state, at_ns, 7)
        if state is OrderState.SUBMITTED and (known := acknowledged(order, broker_id, 7, at_ns)):
            assert after.state is known.state or state is order.state or there is None
        order = after


def test_events_that_say_nothing_of_an_order_leave_it_as_it_is() -> None:
    ref = order_ref(ACCOUNT, "T2611180001", "E", 1)
    ended = EntryEnded(ref, OrderState.CANCELLED)
    assert project_order(None, recorded(ended, 1)) is None
    ticket = Ticket(ref, ACCOUNT, spx(5940), Action.BUY, Decimal(1), OrderKind.MARKET, Purpose.ENTRY)
    order = project_order(None, recorded(EntrySubmitted(ticket, Decimal(1), Decimal(1), 0), 1))
    assert project_order(order, recorded(ended, 2)) == order


def recorded(
    event: EntrySubmitted | ExitSubmitted | ExecutionBooked | OrderMoved | EntryEnded, at_ns: int
) -> Recorded:
    return Recorded(event, at_ns, "T2611180001")
