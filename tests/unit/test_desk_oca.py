"""Orders of one OCA group in our book and in a reconciliation: what a fill of one takes from another is the
broker's word, here too."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from station.domain.broker import OpenOrder, OrderNotice, OrderStatus
from station.domain.events import Event, ExecutionBooked, ExitModified, OrderMoved, OrderReduced, Recorded
from station.domain.orders import Execution, Order, OrderKind, OrderState, Purpose, new_order
from station.domain.projection import order_ref_of, project_order
from station.domain.trade import Cause
from station.execution import BrokerTruth, OrderBook, plan_reconciliation
from station.execution.reconcile import Kind
from tests.unit.domain_cases import ACCOUNT, CONTRACT, exit_ref, ticket, utc

D = Decimal
NOW = utc(15)
T, S = exit_ref(1), exit_ref(2)


def leg(ref: str, qty: int = 3, group: str = "OCA-1", **more: object) -> Order:
    plain = ticket(ref, qty, limit="12.30", purpose=Purpose.TARGET)
    if ref == S:
        plain = replace(plain, kind=OrderKind.STOP, limit=None, stop=D("9.00"), purpose=Purpose.STOP)
    made = new_order(replace(plain, oca_group=group), "T1", NOW)
    return replace(made, **{"state": OrderState.SUBMITTED, "broker_id": 1, **more})  # pyright: ignore[reportArgumentType]


def book(*orders: Order) -> OrderBook:
    made = OrderBook(D("0.65"))
    for order in orders:
        made.put(order)
    return made


def said(ref: str, state: OrderState, filled: int, remaining: int) -> OrderStatus:
    return OrderStatus(ref, state, D(filled), D(remaining), NOW, 1, 0)


def booked(made: OrderBook, events: tuple[Event, ...]) -> None:
    """Put on the book what the log would make of the events."""
    for event in events:
        ref = order_ref_of(event)
        after = project_order(made.orders.get(ref), Recorded(event, NOW, "T1"))
        assert after is not None
        made.put(after)


def test_a_pair_is_promised_once_and_left_out_together() -> None:
    made = book(leg(T), leg(S), leg(exit_ref(3), 2, ""))
    assert made.promised("T1") == 3 + 2
    assert made.promised("T1", T) == made.promised("T1", S) == 2
    assert made.promised("T1", exit_ref(3)) == 3
    assert made.promised("T1", "unknown") == 5


def test_a_smaller_total_of_the_brokers_is_booked_and_is_no_change_of_ours() -> None:
    made = book(leg(T), leg(S))
    found = made.interpret(said(S, OrderState.SUBMITTED, 0, 2))
    assert found.events == (OrderReduced(S, D(2)),)
    assert found.confirms
    booked(made, found.events)
    assert (made.orders[S].ticket.qty, made.is_changing(S)) == (2, False)
    assert made.interpret(said(S, OrderState.SUBMITTED, 0, 2)).events == ()


def test_a_reduction_and_an_acknowledgement_come_in_one_word() -> None:
    made = book(leg(T), leg(S, state=OrderState.PENDING))
    found = made.interpret(said(S, OrderState.SUBMITTED, 0, 2))
    assert [type(event) for event in found.events] == [OrderReduced, OrderMoved]


@pytest.mark.parametrize(
    ("filled", "remaining", "group"), [(0, 3, "OCA-1"), (0, 4, "OCA-1"), (2, 0, "OCA-1"), (0, 2, "")]
)
def test_what_is_no_reduction(filled: int, remaining: int, group: str) -> None:
    made = book(leg(S, group=group, filled=D(filled)))
    found = made.interpret(said(S, OrderState.SUBMITTED, filled, remaining))
    assert not any(isinstance(event, OrderReduced) for event in found.events)


def test_a_word_from_before_a_change_of_ours_does_not_undo_it() -> None:
    made = book(leg(S))
    made.put(leg(S, 5))
    assert made.interpret(said(S, OrderState.SUBMITTED, 0, 2)).events == ()
    assert made.is_changing(S)
    assert made.interpret(said(S, OrderState.SUBMITTED, 0, 5)).confirms


def test_one_that_its_group_has_spent_is_filled_with_what_it_filled() -> None:
    made = book(leg(S, state=OrderState.PARTIALLY_FILLED, filled=D(2)))
    found = made.interpret(said(S, OrderState.FILLED, 2, 0))
    assert found.events[0] == OrderReduced(S, D(2))
    assert not found.query
    booked(made, found.events)
    assert (made.orders[S].state, made.orders[S].ticket.qty) == (OrderState.FILLED, 2)


@pytest.mark.parametrize(("group", "claimed", "inferred"), [("OCA-1", 2, 1), ("", 2, 1), ("", 3, 2)])
def test_only_what_an_order_claims_itself_is_inferred(group: str, claimed: int, inferred: int) -> None:
    made = book(leg(S, group=group, state=OrderState.PARTIALLY_FILLED, filled=D(1)))
    assert made.interpret(said(S, OrderState.FILLED, claimed, 0)).query
    found = made.inferred(made.orders[S], NOW)
    assert found is not None
    assert found.qty == inferred


def test_a_stop_whose_change_is_refused_is_still_a_stop() -> None:
    """What closes the trade says what its last exit was for."""
    made = book(leg(T), leg(S))
    made.put(leg(S, 5))
    found = made.interpret(OrderNotice(S, 105, "Order being modified was refused", NOW))
    undone = [event for event in found.events if isinstance(event, ExitModified)]
    assert [(event.ticket, event.cause) for event in undone] == [(leg(S).ticket, Cause.STOP_ORDER.value)]


# --- reconciliation ----------------------------------------------------------------------------------


def truth(*orders: Order, executions: tuple[Execution, ...] = ()) -> BrokerTruth:
    listed = (OpenOrder(o.ref, CONTRACT, OrderState.SUBMITTED, o.ticket, D(0), 1, 0) for o in orders)
    return BrokerTruth(tuple(listed), executions, (), NOW + 10**10)


def test_a_leg_that_shrank_while_nobody_looked_is_taken_as_it_is() -> None:
    """The target sold one of three meanwhile; the stop is not made larger again."""
    made = book(leg(T), leg(S))
    sold = Execution("e1.01", T, ACCOUNT, CONTRACT, leg(T).ticket.action, D(1), D("12.30"), NOW)
    plan = plan_reconciliation(made, truth(leg(T), leg(S, 2), executions=(sold,)))
    assert [(one.order_ref, one.filled, one.remaining) for one in plan.reduced] == [(S, 0, 2)]
    assert plan.unchanged == ()
    assert plan.confirmed == (T,)
    assert [finding.kind for finding in plan.findings] == [Kind.MISSED_EXECUTION]
    found = made.interpret(plan.reduced[0])
    assert found.events == (OrderReduced(S, D(2)),)


@pytest.mark.parametrize(
    ("theirs", "group"), [(leg(S, 4), "OCA-1"), (leg(S, 2), "")], ids=["larger", "of no group"]
)
def test_any_other_difference_is_a_change_that_never_arrived(theirs: Order, group: str) -> None:
    made = book(leg(S, group=group))
    plan = plan_reconciliation(made, truth(theirs))
    assert plan.reduced == ()
    assert [order.ref for order in plan.unchanged] == [S]


def test_a_smaller_one_at_another_price_is_a_change_that_never_arrived() -> None:
    other = leg(S, 2)
    moved = replace(other, ticket=replace(other.ticket, stop=D("8.00")))
    plan = plan_reconciliation(book(leg(S)), truth(moved))
    assert [order.ref for order in plan.unchanged] == [S]


def test_one_whose_answer_was_lost_comes_back_as_small_as_it_is() -> None:
    made = book(leg(S, state=OrderState.UNKNOWN))
    plan = plan_reconciliation(made, truth(leg(S, 2)))
    events = [event for report in plan.reports for event in made.interpret(report).events]
    assert [type(event) for event in events] == [OrderReduced, OrderMoved]


def test_old_logs_read_on() -> None:
    """An event that is new changes no old one: a reduction of an order nobody knows is none."""
    assert project_order(None, Recorded(OrderReduced(S, D(1)), NOW, "T1")) is None
    fill = ExecutionBooked("e1", S, Purpose.STOP, D(1), D(9), 100, D(0), D(0), D(0))
    after = project_order(leg(S, 1), Recorded(fill, NOW, "T1"))
    assert after is not None
    assert after.state is OrderState.FILLED
