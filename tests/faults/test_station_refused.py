"""A change that the broker refuses, in whatever words: the order stands there as it was, and here too."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from station.domain.broker import OrderNotice, OrderStatus
from station.domain.events import OrderNoticed
from station.domain.orders import OrderState, Purpose, new_order
from station.execution import OrderBook
from station.link import ModifyOrder
from tests.faults.test_station_manual import Hand
from tests.lab import assert_sound, play
from tests.unit.domain_cases import exit_ref, utc
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
