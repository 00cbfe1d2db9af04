"""The rows of the fault list that pure rules decide, at that level."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from station.domain.events import TradeEvent
from station.domain.lifecycle import closing
from station.domain.orders import (
    Action,
    Execution,
    Order,
    OrderState,
    acknowledged,
    filled,
    latest_revisions,
    moved,
    new_order,
)
from station.domain.trade import TradeState
from tests.unit.domain_cases import (
    ACCOUNT,
    CONTRACT,
    bought,
    entry_ended,
    entry_ref,
    exit_submitted,
    run,
    sold,
    ticket,
    to_submitted,
)


def order(qty: int = 3, state: OrderState = OrderState.SUBMITTED) -> Order:
    return replace(new_order(ticket(entry_ref(), qty, action=Action.BUY), "T1", 0), state=state)


def execution(exec_id: str, qty: int, price: str = "10.00", perm_id: int = 77) -> Execution:
    return Execution(
        exec_id, entry_ref(), ACCOUNT, CONTRACT, Action.BUY, Decimal(qty), Decimal(price), 5, perm_id
    )  # fmt: skip


def test_fault_01_the_same_execution_twice_changes_nothing() -> None:
    fill = execution("e.1.01", 2)
    once = filled(order(), latest_revisions((fill,)), 5)
    assert filled(once, latest_revisions((fill, fill)), 5) == once
    assert (once.filled, once.state) == (2, OrderState.PARTIALLY_FILLED)


def test_fault_02_a_correction_supersedes_what_it_corrects_and_restates_the_result() -> None:
    wrong, right = execution("e.1.01", 3, "10.00"), execution("e.1.02", 3, "10.10")
    for arrived in ((wrong, right), (right, wrong)):
        known = filled(order(), latest_revisions(arrived), 5)
        assert (known.filled, known.avg_price) == (3, Decimal("10.10"))
    story: tuple[TradeEvent, ...] = (
        *to_submitted(3),
        bought(3, "10.00", "e.1.01"),
        exit_submitted(3),
        sold(3, "12.30"),
    )
    closed = closing(run(story))
    assert closed is not None
    fix = bought(
        3, "10.10", "e.1.02", replaces_qty=Decimal(3), replaces_price=Decimal("10.00"),
        replaces_fee=Decimal("1.95"),
    )  # fmt: skip
    restated = run((*story, closed, fix))
    assert restated.net_pnl == closed.net_pnl - 30
    assert (restated.entry_price, restated.open_qty) == (Decimal("10.10"), 0)


def test_fault_03_a_fill_before_its_acknowledgement_is_applied_and_synthesises_one() -> None:
    known = filled(order(state=OrderState.PENDING), (execution("e.1.01", 1),), 5)
    assert (known.state, known.ack_synthesised, known.perm_id) == (OrderState.PARTIALLY_FILLED, True, 77)
    late = acknowledged(known, 12, 77, 6)
    assert late is not None
    assert (late.state, late.filled, late.broker_id) == (OrderState.PARTIALLY_FILLED, 1, 12)


def test_fault_07_after_a_partial_fill_and_a_cancel_what_filled_is_what_is_protected() -> None:
    part = filled(order(), (execution("e.1.01", 1),), 5)
    gone = moved(part, OrderState.CANCELLED, 6)
    assert gone is not None
    assert (gone.state, gone.filled, gone.remaining) == (OrderState.CANCELLED, 1, 2)
    late = filled(gone, (execution("e.1.01", 1), execution("e.2.01", 1)), 7)
    assert (late.state, late.filled) == (OrderState.CANCELLED, 2)
    trade = run((*to_submitted(3), bought(1), entry_ended(OrderState.CANCELLED)))
    assert (trade.state, trade.open_qty, trade.entry_done) == (TradeState.BUY_FILLED, 1, True)


@pytest.mark.parametrize("claimed", [OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED])
def test_fault_08_an_order_that_filled_is_filled_whatever_else_is_said(claimed: OrderState) -> None:
    whole = filled(order(), (execution("e.1.01", 3),), 5)
    assert moved(whole, claimed, 6) is None
    believed = moved(order(), claimed, 4)
    assert believed is not None
    assert filled(believed, (execution("e.1.01", 3),), 5).state is OrderState.FILLED


def test_fault_11_an_overfill_is_booked_as_it_is() -> None:
    known = filled(order(3), (execution("e.1.01", 3), execution("e.2.01", 1)), 5)
    assert (known.filled, known.overfilled, known.state) == (4, True, OrderState.FILLED)
    trade = run((*to_submitted(3), bought(3), bought(1, exec_id="e.2.01")))
    assert (trade.open_qty, trade.entry_filled > trade.qty) == (4, True)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (OrderState.SUBMITTED, OrderState.SUBMITTED),
        (OrderState.PARTIALLY_FILLED, OrderState.SUBMITTED),
        (OrderState.PARTIALLY_FILLED, OrderState.PENDING),
        (OrderState.CANCELLED, OrderState.SUBMITTED),
        (OrderState.FILLED, OrderState.PARTIALLY_FILLED),
        (OrderState.FILLED, OrderState.UNKNOWN),
        (OrderState.UNKNOWN, OrderState.PENDING),
    ],
)
def test_fault_12_a_status_that_goes_backwards_is_ignored(held: OrderState, said: OrderState) -> None:
    assert moved(order(state=held), said, 9) is None


def test_fault_12_an_acknowledgement_never_undoes_a_partial_fill() -> None:
    part = replace(filled(order(), (execution("e.1.01", 1),), 5), state=OrderState.UNKNOWN)
    back = moved(part, OrderState.SUBMITTED, 6)
    assert back is not None
    assert back.state is OrderState.PARTIALLY_FILLED
