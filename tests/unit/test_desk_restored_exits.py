"""Exits that an earlier process left: how they stand at the broker is not known until it says so."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from station.domain.broker import OrderStatus
from station.domain.orders import Order, OrderState, Purpose, new_order
from station.execution import OrderBook
from tests.unit.domain_cases import entry_ref, exit_ref, ticket, utc

D = Decimal
NOW = utc(15)


def order(ref: str, qty: int, purpose: Purpose = Purpose.TARGET) -> Order:
    made = new_order(ticket(ref, qty, limit="12.30", purpose=purpose), "T1", NOW)
    return replace(made, state=OrderState.SUBMITTED)


def restored(*orders: Order) -> OrderBook:
    book = OrderBook(D("0.65"))
    book.restore(orders, ())
    return book


def test_until_the_broker_speaks_they_could_stand_for_anything() -> None:
    book = restored(order(exit_ref(1), 2), order(entry_ref(), 3, Purpose.ENTRY))
    assert book.promised("T1") == D("Infinity")
    assert book.promised("T1", exit_ref(1)) == 0
    assert not book.is_changing(entry_ref()), "an entry sells nothing"


@pytest.mark.parametrize(("qty", "promised"), [(D(2), 2), (D(1), 2), (D(3), 3), (None, 2)])
def test_what_the_broker_lists_is_what_they_stand_for(qty: Decimal | None, promised: int) -> None:
    book = restored(order(exit_ref(1), 2))
    book.told(exit_ref(1), qty)
    assert book.promised("T1") == promised
    assert book.is_changing(exit_ref(1)) is (promised > 2)


def test_a_status_for_the_very_total_settles_it_and_another_does_not() -> None:
    book = restored(order(exit_ref(1), 2))
    said = OrderStatus(exit_ref(1), OrderState.SUBMITTED, D(0), D(3), NOW)
    assert not book.interpret(said).confirms
    assert book.promised("T1") == D("Infinity")
    assert book.interpret(replace(said, remaining=D(2))).confirms
    assert book.promised("T1") == 2


def test_one_that_ends_is_settled_by_its_end() -> None:
    book = restored(order(exit_ref(1), 2))
    book.put(replace(order(exit_ref(1), 2), state=OrderState.CANCELLED))
    assert book.unconfirmed("T1") == ()
