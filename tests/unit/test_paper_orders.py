"""Orders on the paper exchange: every kind, groups, changes, cancels, refusals, and the order of reports."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from station.brokers.paper import GeneratedTape
from station.brokers.paper.quotes import Quoter, Touch
from station.calendars import load_calendar
from station.domain.broker import CommissionReport, ExecutionReport, OrderStatus
from station.domain.instruments import Contract, SecType
from station.domain.orders import Execution, Purpose, Ticket
from tests.unit.paper_harness import (
    DAY,
    MILLISECOND,
    SECOND,
    Action,
    Alone,
    OcaType,
    OrderKind,
    OrderState,
    Right,
    Tif,
    alone,
    at_the_money,
    cancel,
    modify,
    option,
    place,
    ticket,
)

TAPE = GeneratedTape(7, DAY, load_calendar(), None)
QUOTER = Quoter(TAPE, load_calendar())
STRIKE = at_the_money(TAPE, "SPX")
CALL = option("SPX", STRIKE + 20, Right.CALL)
BUY, SELL = Action.BUY, Action.SELL


def touch(contract: Contract, at_ns: int) -> Touch:
    return QUOTER.touches((contract,), at_ns)[contract]


def at(seconds: float) -> int:
    return TAPE.open_ns + round(seconds * SECOND)


def cents(value: int) -> Decimal:
    return Decimal(value) / 100


def total(executions: list[Execution]) -> Decimal:
    return sum((e.qty for e in executions), Decimal(0))


# --- kinds ---------------------------------------------------------------------------------------------


def test_a_market_order_pays_the_far_side_of_the_book_it_meets(tmp_path: Path) -> None:
    run = alone(tmp_path, [(10, place(ticket("b", CALL, BUY))), (20, place(ticket("s", CALL, SELL)))], 30)
    (bought,), (sold,) = run.executions("b"), run.executions("s")
    assert bought.price == cents(touch(CALL, bought.at_ns).ask)
    assert sold.price == cents(touch(CALL, sold.at_ns).bid)
    assert run.states("b") == [OrderState.SUBMITTED, OrderState.FILLED]


def test_latencies_lie_between_20_and_80_ms_and_reports_come_in_order(tmp_path: Path) -> None:
    run = alone(tmp_path, [(10, place(ticket("b", CALL, BUY)))], 30)
    told = [(at_ns, report) for at_ns, report in run.reports if not type(report).__name__.startswith("Link")]
    kinds = [type(report) for _, report in told]
    assert kinds == [OrderStatus, ExecutionReport, CommissionReport, OrderStatus]
    (ack, *_), (fill, *_) = told[0], told[1]
    assert 20 * MILLISECOND <= ack - at(10) <= 80 * MILLISECOND
    assert 20 * MILLISECOND <= fill - ack <= 80 * MILLISECOND
    last = run.of(OrderStatus, "b")[-1]
    assert isinstance(last, OrderStatus)
    assert (last.filled, last.remaining, last.avg_price) == (1, 0, run.executions("b")[0].price)


def test_a_marketable_limit_gets_the_markets_price(tmp_path: Path) -> None:
    high = cents(touch(CALL, at(10)).ask) + 3
    run = alone(tmp_path, [(10, place(ticket("b", CALL, BUY, limit=high)))], 30)
    (bought,) = run.executions("b")
    assert bought.price == cents(touch(CALL, bought.at_ns).ask) < high


def test_a_resting_limit_waits_until_the_other_side_crosses_it(tmp_path: Path) -> None:
    wanted = cents(touch(CALL, at(10)).ask) + 2
    deeds = [(10, place(ticket("b", CALL, BUY))), (11, place(ticket("s", CALL, SELL, limit=wanted)))]
    run = alone(tmp_path, deeds, 3600)
    (sold,) = run.executions("s")
    assert sold.price == wanted
    marks = [ns for ns in QUOTER.marks("SPX").at_ns if at(11.2) < ns <= sold.at_ns]
    bids = [touch(CALL, ns).bid for ns in marks]
    assert all(cents(bid) < wanted for bid in bids[:-1])
    assert cents(bids[-1]) >= wanted


def test_a_sell_stop_turns_into_a_market_order_when_the_bid_touches_it(tmp_path: Path) -> None:
    stop = cents(touch(CALL, at(10)).bid) - 1
    deeds = [(10, place(ticket("b", CALL, BUY))), (11, place(ticket("s", CALL, SELL, stop=stop)))]
    run = alone(tmp_path, deeds, 7200)
    (sold,) = run.executions("s")
    assert sold.price <= stop
    assert sold.price == cents(touch(CALL, sold.at_ns).bid)


def test_a_stop_limit_becomes_a_limit_and_keeps_its_price(tmp_path: Path) -> None:
    stop = cents(touch(CALL, at(10)).ask) + 1
    order = ticket("b", CALL, BUY, stop=stop, limit=stop + 5)
    run = alone(tmp_path, [(10, place(order))], 7200)
    (bought,) = run.executions("b")
    assert stop <= bought.price <= stop + 5
    far = ticket("b", CALL, BUY, stop=stop, limit=Decimal("0.05"))
    assert alone(tmp_path, [(10, place(far))], 900, book="far.db").executions("b") == []


# --- sizes ---------------------------------------------------------------------------------------------


def test_what_exceeds_the_size_shown_fills_later_piece_by_piece(tmp_path: Path) -> None:
    run = alone(tmp_path, [(10, place(ticket("b", CALL, BUY, 200)))], 120)
    pieces = run.executions("b")
    assert len(pieces) > 1
    assert total(pieces) == 200
    for piece in pieces:
        assert piece.qty <= touch(CALL, piece.at_ns).ask_size
    states = run.states("b")
    assert states[0] is OrderState.SUBMITTED
    assert set(states[1:-1]) == {OrderState.PARTIALLY_FILLED}
    assert states[-1] is OrderState.FILLED
    sent = [report.filled for report in run.of(OrderStatus, "b") if isinstance(report, OrderStatus)]
    assert sent == sorted(sent)


def test_two_orders_share_the_size_shown(tmp_path: Path) -> None:
    run = alone(tmp_path, [(10, place(ticket("a", CALL, BUY, 60), ticket("b", CALL, BUY, 60)))], 60)
    first_mark = QUOTER.marks("SPX").at(run.executions("a")[0].at_ns)
    of_mark = [e for e in run.executions() if QUOTER.marks("SPX").at(e.at_ns) == first_mark]
    assert total(of_mark) <= touch(CALL, of_mark[0].at_ns).ask_size


# --- changing and cancelling ---------------------------------------------------------------------------


def test_a_working_order_is_changed_in_place(tmp_path: Path) -> None:
    resting = ticket("b", CALL, BUY, 2, limit="1.00")
    changed = replace(resting, limit=Decimal("1.10"), qty=Decimal(3))
    seen: list[Ticket | None] = []

    async def look(run: Alone) -> None:
        (order,) = await run.exchange.open_orders()
        seen.append(order.ticket)

    market = replace(changed, kind=OrderKind.MARKET, limit=None)
    run = alone(tmp_path, [(10, place(resting)), (12, modify(changed)), (13, look), (14, modify(market))], 30)
    assert seen == [changed]
    assert total(run.executions("b")) == 3
    assert run.states("b")[:2] == [OrderState.SUBMITTED, OrderState.SUBMITTED]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"limit": Decimal("1.01")}, 110),
        ({"action": SELL}, 105),
        ({"contract": option("SPX", STRIKE, Right.PUT)}, 105),
    ],
)
def test_a_refused_change_leaves_the_order_as_it_was(
    tmp_path: Path, change: dict[str, object], code: int
) -> None:
    resting = ticket("b", CALL, BUY, limit="1.00")
    left: list[Ticket | None] = []

    async def look(run: Alone) -> None:
        left.extend(order.ticket for order in await run.exchange.open_orders())

    run = alone(tmp_path, [(10, place(resting)), (12, modify(replace(resting, **change))), (13, look)], 20)
    assert run.codes("b") == [code]
    assert left == [resting]
    assert run.states("b") == [OrderState.SUBMITTED]


def test_changing_what_is_filled_or_unknown_is_refused(tmp_path: Path) -> None:
    order = ticket("b", CALL, BUY)
    run = alone(
        tmp_path, [(10, place(order)), (12, modify(order)), (13, modify(replace(order, order_ref="x")))], 20
    )
    assert run.codes("b") == [104]
    assert run.codes("x") == [10147]


def test_a_cancel_ends_a_working_order(tmp_path: Path) -> None:
    run = alone(tmp_path, [(10, place(ticket("b", CALL, BUY, limit="1.00"))), (12, cancel("b"))], 20)
    assert run.states("b") == [OrderState.SUBMITTED, OrderState.CANCELLED]
    assert run.codes("b") == [202]


def test_cancels_that_cannot_be_say_why_in_ibkrs_codes(tmp_path: Path) -> None:
    deeds = [
        (10, place(ticket("filled", CALL, BUY), ticket("twice", CALL, BUY, limit="1.00"))),
        (12, cancel("filled")), (12, cancel("unknown")), (12, cancel("twice")), (13, cancel("twice")),
    ]  # fmt: skip
    run = alone(tmp_path, deeds, 20)
    assert run.codes("filled") == [10148]
    assert run.codes("unknown") == [10147]
    assert run.codes("twice") == [202, 161]


def test_a_cancel_sent_right_behind_its_order_never_overtakes_it(tmp_path: Path) -> None:
    async def both(run: Alone) -> None:
        await run.exchange.place([ticket("b", CALL, BUY)])
        await run.exchange.cancel("b")

    run = alone(tmp_path, [(10 + n * 0.37, both) for n in range(1)], 20)
    filled, codes = total(run.executions("b")), run.codes("b")
    assert (filled, codes) == (1, [10148])


def test_a_cancel_racing_a_partial_fill_tells_both(tmp_path: Path) -> None:
    run = alone(tmp_path, [(10, place(ticket("b", CALL, BUY, 200))), (10.05, cancel("b"))], 20)
    filled = total(run.executions("b"))
    assert 0 < filled < 200
    final = run.of(OrderStatus, "b")[-1]
    assert isinstance(final, OrderStatus)
    assert (final.state, final.filled) == (OrderState.CANCELLED, filled)


# --- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (ticket("r", CALL, BUY, limit="1.01"), 110),
        (ticket("r", CALL, BUY, limit="3.05"), 110),
        (ticket("r", CALL, BUY, limit="-1.00"), 110),
        (ticket("r", CALL, BUY, stop="1.01"), 110),
        (ticket("r", option("SPX", STRIKE + 1, Right.CALL), BUY), 200),
        (ticket("r", option("SPX", STRIKE, Right.CALL, "20250722"), BUY), 200),
        (ticket("r", Contract("SPX", SecType.INDEX, exchange="CBOE", trading_class="SPX"), BUY), 201),
        (ticket("r", CALL, BUY, 0), 201),
        (ticket("r", CALL, BUY, "1.5"), 201),
        (ticket("r", CALL, BUY, 1000), 201),
        (ticket("r", CALL, SELL, 10), 201),
        (ticket("r", CALL, BUY, kind=OrderKind.LIMIT), 321),
        (ticket("r", CALL, BUY, account="DU2"), 321),
        (ticket("r", CALL, BUY, parent_ref="nobody"), 10006),
    ],
)
def test_a_bad_order_is_rejected_with_its_code_and_changes_nothing(
    tmp_path: Path, order: Ticket, code: int
) -> None:
    run = alone(tmp_path, [(10, place(order))], 20, start_cash=Decimal(35000))
    assert run.codes("r") == [code]
    assert run.states("r") == [OrderState.REJECTED]
    assert run.executions() == []
    assert run.exchange.equity() == 35000


def test_cash_promised_to_one_order_is_not_there_for_the_next(tmp_path: Path) -> None:
    price = cents(touch(CALL, at(10)).ask) - 5
    first, second = (ticket(ref, CALL, BUY, 2, limit=price) for ref in "ab")
    run = alone(tmp_path, [(10, place(first)), (11, place(second))], 20, start_cash=price * 300)
    assert run.states("a") == [OrderState.SUBMITTED]
    assert run.codes("b") == [201]


def test_selling_twice_what_is_held_is_short_selling_and_needs_margin(tmp_path: Path) -> None:
    deeds = [
        (10, place(ticket("b", CALL, BUY))),
        (12, place(ticket("s", CALL, SELL, limit="90.00"))),
        (14, place(ticket("t", CALL, SELL, limit="90.00"))),
    ]
    run = alone(tmp_path, deeds, 20, start_cash=Decimal(35000))
    assert run.states("s") == [OrderState.SUBMITTED]
    assert run.codes("t") == [201]


def test_the_same_reference_again_is_a_duplicate_and_not_an_order(tmp_path: Path) -> None:
    order = ticket("b", CALL, BUY)
    run = alone(tmp_path, [(10, place(order)), (15, place(order))], 30)
    assert total(run.executions("b")) == 1
    assert run.codes("b") == [103]


def test_day_orders_expire_at_the_close_and_later_ones_are_refused(tmp_path: Path) -> None:
    rich, tomorrow = (option("SPX", STRIKE - 200, Right.CALL, expiry) for expiry in ("20260722", "20260723"))
    day = ticket("day", rich, BUY, limit="0.05")
    gtc = ticket("gtc", tomorrow, BUY, limit="0.05", tif=Tif.GTC)
    deeds = [(23_000, place(day, gtc)), (23_401, place(ticket("late", CALL, BUY)))]
    left: list[str] = []

    async def look(run: Alone) -> None:
        left.extend(order.order_ref for order in await run.exchange.open_orders())

    run = alone(tmp_path, [*deeds, (23_402, look)], 23_410, start_s=22_990)
    assert run.states("day")[-1] is OrderState.EXPIRED
    assert left == ["gtc"]
    assert run.codes("late") == [201]


# --- groups --------------------------------------------------------------------------------------------


def exits(qty: int, kind: OcaType, gap: int = 1) -> tuple[Ticket, Ticket]:
    """A target and a stop so near that both are touched within minutes."""
    ask = cents(touch(CALL, at(10)).ask)
    common = {"oca_group": "g", "oca_type": kind}
    return (
        ticket("t", CALL, SELL, qty, limit=ask + gap, purpose=Purpose.TARGET, **common),
        ticket("x", CALL, SELL, qty, stop=ask - gap, purpose=Purpose.STOP, **common),
    )


@pytest.mark.parametrize("kind", [OcaType.CANCEL_WITH_BLOCK, OcaType.REDUCE_WITH_BLOCK])
@pytest.mark.parametrize("qty", [1, 150])
def test_one_leg_of_an_oca_group_ends_the_other_and_never_overfills(
    tmp_path: Path, kind: OcaType, qty: int
) -> None:
    run = alone(tmp_path, [(10, place(ticket("b", CALL, BUY, qty))), (60, place(*exits(qty, kind)))], 9000)
    sold = run.executions("t") + run.executions("x")
    assert total(run.executions("b")) == qty
    assert total(sold) <= qty
    if kind is OcaType.REDUCE_WITH_BLOCK:
        assert total(sold) == qty
    finals = {ref: run.states(ref)[-1] for ref in "tx"}
    assert OrderState.CANCELLED in finals.values()
    assert 202 in run.codes("t") + run.codes("x")


def test_a_bracket_sleeps_until_its_parent_fills_and_follows_its_size(tmp_path: Path) -> None:
    ask = cents(touch(CALL, at(10)).ask)
    parent = ticket("p", CALL, BUY, 120, limit=ask + 1)
    target = ticket("t", CALL, SELL, 120, limit=Decimal("0.05"), parent_ref="p", purpose=Purpose.TARGET)
    sizes: list[tuple[Decimal, Decimal]] = []

    async def look(run: Alone) -> None:
        done = {ref: total(list(run.executions(ref))) for ref in "pt"}
        sizes.append((done["p"], done["t"]))

    looks = [(10 + n / 4, look) for n in range(1, 80)]
    run = alone(tmp_path, [(10, place(parent, target)), *looks], 200)
    assert all(sold <= bought for bought, sold in sizes)
    assert total(run.executions("p")) == total(run.executions("t"))
    first_buy, first_sell = run.executions("p")[0], run.executions("t")[0]
    assert first_sell.at_ns >= first_buy.at_ns


def test_a_cancelled_parent_takes_its_children_along(tmp_path: Path) -> None:
    parent = ticket("p", CALL, BUY, 2, limit="1.00")
    children = (
        ticket("t", CALL, SELL, 2, limit="90.00", parent_ref="p"),
        ticket("x", CALL, SELL, 2, stop="0.50", parent_ref="p"),
    )
    run = alone(tmp_path, [(10, place(parent, *children)), (12, cancel("p"))], 20)
    assert [run.states(ref)[-1] for ref in "ptx"] == [OrderState.CANCELLED] * 3


def test_a_parent_cancelled_half_way_leaves_children_of_its_filled_size(tmp_path: Path) -> None:
    parent = ticket("p", CALL, BUY, 200)
    target = ticket("t", CALL, SELL, 200, limit="90.00", parent_ref="p")
    left: list[Decimal] = []

    async def look(run: Alone) -> None:
        left.extend(o.ticket.qty for o in await run.exchange.open_orders() if o.ticket is not None)

    run = alone(tmp_path, [(10, place(parent, target)), (10.05, cancel("p")), (12, look)], 20)
    assert left == [total(run.executions("p"))]


def test_brothers_of_a_bracket_end_one_another(tmp_path: Path) -> None:
    ask = cents(touch(CALL, at(10)).ask)
    parent = ticket("p", CALL, BUY, 3)
    children = (
        ticket("t", CALL, SELL, 3, limit=ask + 1, parent_ref="p"),
        ticket("x", CALL, SELL, 3, stop=ask - 1, parent_ref="p"),
    )
    run = alone(tmp_path, [(10, place(parent, *children))], 9000)
    assert total(run.executions("t")) + total(run.executions("x")) == 3
    assert {run.states("t")[-1], run.states("x")[-1]} == {OrderState.FILLED, OrderState.CANCELLED}


def test_a_group_without_block_can_overfill_and_is_reduced_after_a_while(tmp_path: Path) -> None:
    legs = [ticket(ref, CALL, SELL, 2, oca_group="g", oca_type=OcaType.REDUCE_NO_BLOCK) for ref in ("t", "x")]
    resting = replace(legs[1], kind=OrderKind.LIMIT, limit=Decimal("90.00"))
    run = alone(tmp_path, [(10, place(ticket("b", CALL, BUY, 2))), (12, place(*legs))], 20)
    assert total(run.executions("t")) + total(run.executions("x")) == 4
    calm = alone(
        tmp_path, [(10, place(ticket("b", CALL, BUY, 2))), (12, place(resting, legs[0]))], 20, book="calm.db"
    )
    assert calm.states("x") == [OrderState.SUBMITTED, OrderState.CANCELLED]
    told = [at_ns for at_ns, r in calm.reports if isinstance(r, OrderStatus) and r.order_ref == "x"]
    assert 20 * MILLISECOND <= told[1] - calm.executions("t")[0].at_ns <= 80 * MILLISECOND
