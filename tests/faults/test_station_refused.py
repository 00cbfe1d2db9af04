"""A change that the broker refuses, in whatever words: the order stands there as it was, and here too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from station.domain.broker import ExecutionReport, OrderNotice, OrderStatus
from station.domain.clock import MILLISECOND
from station.domain.events import ExitModified, ExitSubmitted, OrderNoticed, OrderReduced, PartAsked, Recorded
from station.domain.lifecycle import evolve
from station.domain.orders import Execution, Order, OrderKind, OrderState, Purpose, new_order
from station.domain.projection import order_ref_of, project_order
from station.domain.trade import Cause
from station.execution import Interpretation, OrderBook
from station.link import ClosePart, Kill, ModifyOrder
from tests.faults.station_stage import RICH
from tests.faults.test_station_manual import Hand
from tests.lab import assert_sound, play
from tests.unit.domain_cases import bought, entry_ref, exit_ref, run, to_submitted, utc
from tests.unit.domain_cases import ticket as a_ticket

LIMIT, FEE = Decimal("0.30"), Decimal("0.65")


def test_fault_14_a_change_refused_for_want_of_funds_leaves_the_order_as_it_was(tmp_path: Path) -> None:
    """Another hand has tied up the cash since: 201, which for a new order would be its end."""

    async def work() -> None:
        async with Hand(tmp_path) as lab:
            await lab.until("09:36")
            assert (await lab.placed("t1", qty=1, kind="LIMIT", limit=f"{LIMIT}")).ok
            await lab.step(1)
            (entry,) = lab.rooms.ledger.book.working()
            account, ticket = lab.rooms.money.account, entry.ticket
            assert account is not None
            free, each = account.cash - LIMIT * 100, LIMIT * 100 + FEE
            for name in ("HAND-1", "HAND-2"):
                lots = free // each
                free -= lots * LIMIT * 100
                theirs = replace(ticket, order_ref=name, qty=lots)
                await lab.run.exchange.by_hand([theirs])
            assert (await lab.ordered(ModifyOrder(entry.ref, qty=5, by="test"))).ok
            await lab.step(1)
            assert any('"code":201' in body.replace(" ", "") for body in lab.events("order.notice"))
            assert lab.at_exchange(entry.ref) == ("SUBMITTED", 1, 0)
            known = lab.order(entry.ref)
            assert (known.state, known.ticket) == (OrderState.SUBMITTED, ticket)
            assert not lab.is_over(entry.trade_id)
            orders = lab.floor().orders
            assert orders is not None
            assert [(row.order_ref, row.qty, row.limit) for row in orders.rows] == [(entry.ref, 1, LIMIT)]

    play(work)
    assert_sound(tmp_path)


@pytest.mark.parametrize("code", [105, 201])
def test_fault_14_a_refusal_after_a_word_that_seemed_to_confirm_the_change_is_asked_about(code: int) -> None:
    """A status from before the change looks like its answer; what the refusal says then needs the broker."""
    book = OrderBook(Decimal("0.65"))
    at_ns, ref = utc(15), exit_ref(1)
    ticket = a_ticket(ref, 3, limit="12.30", purpose=Purpose.TARGET)
    book.put(replace(new_order(ticket, "T1", at_ns), state=OrderState.SUBMITTED, broker_id=1))
    book.put(replace(book.orders[ref], ticket=replace(ticket, limit=Decimal("13.00"))))
    assert book.interpret(OrderStatus(ref, OrderState.SUBMITTED, Decimal(0), Decimal(3), at_ns, 1)).confirms
    found = book.interpret(OrderNotice(ref, code, "refused", at_ns))
    assert found.query
    assert [type(event) for event in found.events] == [OrderNoticed]


def at_market(order: Order) -> bool:
    return order.ticket.kind is OrderKind.MARKET


async def closely(lab: Hand, condition: Callable[[], bool]) -> None:
    """Every few milliseconds until `condition` holds: what was just asked has no instant yet to step to."""
    at_ns = lab.now()
    for _ in range(1_000):
        if condition():
            return
        at_ns += 5 * MILLISECOND
        await lab.run.advance(at_ns)
    raise AssertionError("not within five seconds")


@pytest.mark.parametrize("seed", [7, 8])
def test_fault_20_a_part_that_fills_while_more_is_wanted_out_sells_no_more_than_it_sold(
    tmp_path: Path, seed: int
) -> None:
    """The broker says that the order is filled, for the total it had when the change was on its way: that is
    no fill of the rest, which is still held and has to be sold."""

    async def work() -> None:
        async with Hand(tmp_path, seed=seed) as lab:
            trade = await lab.until_protected()
            first = asyncio.ensure_future(lab.ask(ClosePart(trade.id, 1, "test", token="p1")))
            await closely(lab, lambda: any(map(at_market, lab.exits(trade))))
            (part,) = (order.ref for order in lab.exits(trade) if at_market(order))
            more = asyncio.ensure_future(lab.ask(ClosePart(trade.id, 1, "test", token="p2")))
            await closely(lab, lambda: lab.order(part).state.is_terminal)
            assert [await lab.during(asked) for asked in (first, more)]
            await lab.step(5)
            assert lab.position(trade) == lab.trade(trade.id).open_qty == 1
            assert not lab.rooms.controls.controls.kill.on

    play(work)
    assert_sound(tmp_path)


@pytest.mark.parametrize("purpose", [Purpose.ENTRY, Purpose.CLOSE])
def test_fault_20_an_order_that_filled_before_it_grew_has_filled_what_the_broker_says(purpose: Purpose) -> None:
    """Two were asked for, five are by now: `Filled` is said of two, whether or not their execution is known."""
    at_ns, ref = utc(15), entry_ref() if purpose is Purpose.ENTRY else exit_ref(1)
    ticket = a_ticket(ref, 2, limit="12.30", purpose=purpose)
    filled = OrderStatus(ref, OrderState.FILLED, Decimal(2), Decimal(0), at_ns, 1)

    def grown(done: int) -> OrderBook:
        book = OrderBook(Decimal("0.65"))
        book.put(replace(new_order(ticket, "T1", at_ns), state=OrderState.SUBMITTED, broker_id=1))
        larger = replace(ticket, qty=Decimal(5))
        book.put(replace(book.orders[ref], ticket=larger, filled=Decimal(done)))
        return book

    known = grown(2)
    found = known.interpret(filled)
    assert not found.query
    assert found.events[0] == OrderReduced(ref, Decimal(2))
    missing = grown(0)
    assert missing.interpret(filled).query
    guess = missing.inferred(missing.orders[ref], at_ns)
    assert guess is not None
    assert guess.qty == 2


@pytest.mark.parametrize("seed", [5, 7])
def test_fault_20_an_entry_that_fills_past_a_smaller_total_still_works_for_the_rest(
    tmp_path: Path, seed: int
) -> None:
    """The change is refused, since more had filled than it leaves: what is left at the broker is seen, and a
    kill cancels it."""

    async def work() -> None:
        async with Hand(tmp_path, seed=seed, settings={**RICH, "risk.position_size_pct": 50}) as lab:
            await lab.until("09:36")
            assert (await lab.placed("t1", qty=900)).ok
            trade = await lab.until_holding()
            entry, first = trade.entry_ref, lab.order(trade.entry_ref).filled
            await lab.tick_until(lambda: lab.at_exchange(entry)[2] > first)
            assert lab.order(entry).filled == first, "its fill is on its way"
            smaller = ModifyOrder(entry, qty=int(first) + 1, by="test", token="m1")
            asked = asyncio.ensure_future(lab.ask(smaller))
            await closely(lab, lambda: lab.order(entry).filled > first)
            await lab.during(asked)
            assert lab.at_exchange(entry)[:2] == ("PARTIALLY_FILLED", 900)
            known = lab.order(entry)
            assert (known.state, known.ticket.qty) == (OrderState.PARTIALLY_FILLED, 900)
            assert not lab.rooms.controls.controls.quarantined
            assert (await lab.ordered(Kill(by="test"))).ok
            await lab.step(1)
            assert lab.at_exchange(entry)[0] == "CANCELLED"
            assert lab.position(trade) == lab.trade(trade.id).open_qty

    play(work)
    assert_sound(tmp_path)


def shrunk_exit() -> OrderBook:
    """Three are sold by it at the broker, and two are to be; then two have filled."""
    book, at_ns, ref = OrderBook(Decimal("0.65")), utc(15), exit_ref(1)
    ticket = a_ticket(ref, 3, limit="12.30", purpose=Purpose.TARGET)
    book.put(replace(new_order(ticket, "T1", at_ns), state=OrderState.SUBMITTED, broker_id=1))
    book.put(replace(book.orders[ref], ticket=replace(ticket, qty=Decimal(2))))
    done = Execution(
        "1.01", ref, ticket.account, ticket.contract, ticket.action, Decimal(2), Decimal(12), at_ns
    )
    booked(book, book.interpret(ExecutionReport(done)))
    return book


def booked(book: OrderBook, found: Interpretation) -> None:
    for execution in found.executions:
        book.put_execution(execution)
    for event in found.events:
        ref = order_ref_of(event)
        after = project_order(book.orders.get(ref), Recorded(event, utc(15), "T1"))
        assert after is not None
        book.put(after)


def test_fault_20_an_exit_that_filled_as_much_as_it_was_to_be_changed_to_stands_for_the_rest() -> None:
    """Whether the change came before the fill is the broker's to say: nothing is sold in its place before."""
    ref, at_ns = exit_ref(1), utc(15)
    book = shrunk_exit()
    known = book.orders[ref]
    assert (known.state, known.remaining, book.promised("T1")) == (OrderState.PARTIALLY_FILLED, 1, 1)
    booked(book, book.interpret(OrderNotice(ref, 105, "refused", at_ns)))
    assert book.promised("T1") == 1
    other = shrunk_exit()
    booked(other, other.interpret(OrderStatus(ref, OrderState.FILLED, Decimal(2), Decimal(0), at_ns, 1)))
    over = other.orders[ref]
    assert (over.state, over.ticket.qty, other.promised("T1")) == (OrderState.FILLED, 2, 0)


def test_fault_14_a_part_whose_growth_is_refused_still_counts_as_what_was_wanted_out() -> None:
    """Else what it sells would be wanted out once more."""
    book, at_ns, ref = OrderBook(Decimal("0.65")), utc(15), exit_ref(1)
    ticket = replace(a_ticket(ref, 1, purpose=Purpose.CLOSE), kind=OrderKind.MARKET)
    larger = replace(ticket, qty=Decimal(2))
    part = Cause.PART.value
    asked = PartAsked(Decimal(2), "hand"), ExitSubmitted(ticket, part), ExitModified(larger, part, "more")
    trade = run((*to_submitted(), bought(3), *asked))
    book.put(replace(new_order(ticket, trade.id, at_ns), state=OrderState.SUBMITTED, broker_id=1))
    book.put(replace(book.orders[ref], ticket=larger))
    for event in book.interpret(OrderNotice(ref, 105, "refused", at_ns)).events:
        if isinstance(event, ExitModified):
            trade = evolve(trade, trade.id, event, at_ns)
    assert trade.cause_of(ref) == part
