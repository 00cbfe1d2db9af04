"""Order states under any sequence of late, repeated, disordered broker reports."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from station.domain.instruments import CENT_TICKS, ES_OPTION_TICKS, SPX_OPTION_TICKS, TickRule
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
from tests.unit.domain_cases import ACCOUNT, CONTRACT, exit_ref, ticket

QTY: Final = 4
Report = OrderState | Execution | str
RULES: Final = st.sampled_from([SPX_OPTION_TICKS, ES_OPTION_TICKS, CENT_TICKS])


def execution(n: int, revision: int, qty: int = 1) -> Execution:
    return Execution(
        f"e{n}.{revision:02d}", exit_ref(), ACCOUNT, CONTRACT, Action.SELL, Decimal(qty),
        Decimal(10 + n) + Decimal(revision) / 10, 0, perm_id=77,
    )  # fmt: skip


STATES = st.sampled_from([state for state in OrderState if state is not OrderState.PENDING])
EXECUTIONS = st.builds(execution, st.integers(0, 3), st.integers(1, 3))
REPORTS = st.lists(st.one_of(STATES, EXECUTIONS, st.just("ack")), max_size=25)


class Told:
    """An order as reports come in, with everything that was booked for it."""

    def __init__(self) -> None:
        self.order = new_order(ticket(exit_ref(), QTY, limit="12.30"), "T1", 0)
        self.booked: tuple[Execution, ...] = ()

    def hear(self, report: Report, at_ns: int = 0) -> None:
        before = self.order
        match report:
            case OrderState():
                self.order = moved(self.order, report, at_ns) or self.order
            case Execution():
                self.booked = latest_revisions((*self.booked, report))
                self.order = filled(self.order, self.booked, at_ns)
            case _:
                self.order = acknowledged(self.order, 5, 77, at_ns) or self.order
        self.check(before)

    def check(self, before: Order) -> None:
        order = self.order
        assert before.state is not OrderState.FILLED or order.state is OrderState.FILLED
        if before.state.is_terminal:
            assert order.state in (before.state, OrderState.FILLED)
        assert order.filled == sum((e.qty for e in self.booked), Decimal(0))
        if order.filled:
            paid = sum((e.qty * e.price for e in self.booked), Decimal(0))
            assert order.avg_price == paid / order.filled
            assert order.state not in (OrderState.PENDING, OrderState.SUBMITTED)
        if order.filled >= order.ticket.qty:
            assert order.state is OrderState.FILLED


@given(REPORTS)
def test_no_sequence_of_reports_leaves_filled_or_hides_an_execution(reports: list[Report]) -> None:
    told = Told()
    for report in reports:
        told.hear(report)


@given(REPORTS)
def test_every_report_heard_twice_changes_nothing_the_second_time(reports: list[Report]) -> None:
    told = Told()
    for report in reports:
        told.hear(report)
        once = told.order
        told.hear(report)
        assert told.order == once


@given(st.lists(EXECUTIONS, max_size=12), st.randoms(use_true_random=False))
def test_executions_in_any_order_book_the_same(executions: list[Execution], random: Random) -> None:
    first, second = Told(), Told()
    shuffled = list(executions)
    random.shuffle(shuffled)
    for report in executions:
        first.hear(report)
    for report in shuffled:
        second.hear(report)
    assert (first.order.filled, first.order.avg_price) == (second.order.filled, second.order.avg_price)


@given(st.lists(EXECUTIONS, max_size=12))
def test_a_root_id_is_booked_once_at_its_highest_revision(executions: list[Execution]) -> None:
    kept = latest_revisions(tuple(executions))
    assert len({e.root_id for e in kept}) == len(kept)
    for found in kept:
        rivals = [e.revision for e in executions if e.root_id == found.root_id]
        assert found.revision == max(rivals)
    assert latest_revisions(kept) == kept


@given(RULES, st.decimals(0, 50, places=4))
def test_a_price_rounds_to_the_nearest_legal_ones_around_it(rule: TickRule, price: Decimal) -> None:
    low, high = rule.down(price), rule.up(price)
    assert low <= price <= high
    assert rule.is_legal(low)
    assert rule.is_legal(high)
    assert high - low <= rule.increment(high)
    assert (low == high) is rule.is_legal(price)
    assert rule.nearest(price) in (low, high)


def test_an_order_withdrawn_to_nothing_is_not_called_partly_filled() -> None:
    order = replace(new_order(ticket(exit_ref(), QTY, limit="12.30"), "T1", 0), state=OrderState.SUBMITTED)
    assert filled(order, (), 1).state is OrderState.SUBMITTED
