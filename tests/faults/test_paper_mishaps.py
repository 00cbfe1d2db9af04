"""Every mishap that the exchange can be asked for happens once or for its time; the book keeps the truth."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from station.brokers.paper import FAULTS, Fault, GeneratedTape, parse_fault
from station.calendars import at_et, load_calendar
from station.domain.broker import (
    CommissionReport,
    ExecutionReport,
    FarmReport,
    GreeksReport,
    HaltReport,
    LinkReport,
    NoticeReport,
    OpenOrder,
    OrderStatus,
    QuoteReport,
    TickReport,
)
from station.domain.errors import BadInput, BrokerUnavailable
from station.domain.instruments import INSTRUMENTS
from station.domain.market import Grade
from station.domain.orders import Execution
from tests.unit.paper_harness import (
    DAY,
    SECOND,
    Action,
    Alone,
    OrderState,
    Right,
    alone,
    at_the_money,
    option,
    place,
    ticket,
)

TAPE = GeneratedTape(7, DAY, load_calendar(), None)
CALL = option("SPX", at_the_money(TAPE, "SPX") + 20, Right.CALL)
BUY, SELL = Action.BUY, Action.SELL


def at(seconds: float) -> int:
    return TAPE.open_ns + round(seconds * SECOND)


async def watch(run: Alone) -> None:
    await run.exchange.watch(CALL)
    await run.exchange.watch(await run.exchange.resolve(INSTRUMENTS["SPX"]))


def bought(runtime: Path, *faults: Fault, qty: int = 1) -> Alone:
    return alone(runtime, [(10, place(ticket("b", CALL, BUY, qty)))], 20, faults=faults)


def order_of(run: Alone, ref: str) -> list[str]:
    """Kinds of the reports about an order, in the order told."""
    fills = {e.exec_id for e in run.executions(ref)}
    names: list[str] = []
    for _, report in run.reports:
        if isinstance(report, OrderStatus) and report.order_ref == ref:
            names.append(report.state.value)
        elif isinstance(report, ExecutionReport) and report.execution.order_ref == ref:
            names.append("fill")
        elif isinstance(report, CommissionReport) and report.exec_id in fills:
            names.append("fee")
    return names


def test_nothing_goes_wrong_by_itself(tmp_path: Path) -> None:
    assert order_of(bought(tmp_path), "b") == ["SUBMITTED", "fill", "fee", "FILLED"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("duplicate_execution", ["SUBMITTED", "fill", "fill", "fee", "FILLED"]),
        ("fill_before_ack", ["fill", "fee", "FILLED", "SUBMITTED"]),
        ("commission_lost", ["SUBMITTED", "fill", "FILLED"]),
        ("commission_early", ["SUBMITTED", "fee", "fill", "FILLED"]),
        ("status_before_fill", ["SUBMITTED", "FILLED"]),
        ("backward_status", ["SUBMITTED", "fill", "fee", "FILLED", "SUBMITTED"]),
        ("drop_ack", ["fill", "fee", "FILLED"]),
        ("drop_order", []),
        ("reject_entry", ["REJECTED"]),
    ],
)
def test_one_shot_mishaps_disorder_one_orders_reports(tmp_path: Path, name: str, told: list[str]) -> None:
    second = (30, place(ticket("again", CALL, BUY)))
    run = alone(tmp_path, [(10, place(ticket("b", CALL, BUY))), second], 60, faults=[Fault(name)])
    assert order_of(run, "b") == told
    assert order_of(run, "again") == ["SUBMITTED", "fill", "fee", "FILLED"], "it strikes once"


def test_fault_01_a_repeated_execution_carries_the_same_id(tmp_path: Path) -> None:
    first, second = bought(tmp_path, Fault("duplicate_execution")).executions("b")
    assert first == second


def test_fault_05_a_lost_commission_reads_unknown_in_the_answer_too(tmp_path: Path) -> None:
    told: list[Execution] = []

    async def ask(run: Alone) -> None:
        told.extend(await run.exchange.executions())

    alone(tmp_path, [(10, place(ticket("b", CALL, BUY))), (15, ask)], 20, faults=[Fault("commission_lost")])
    assert [e.commission for e in told] == [None]


def test_fault_10_a_fill_known_only_by_its_status_is_found_by_asking(tmp_path: Path) -> None:
    told: list[Execution] = []

    async def ask(run: Alone) -> None:
        told.extend(await run.exchange.executions())

    run = alone(
        tmp_path, [(10, place(ticket("b", CALL, BUY))), (15, ask)], 20, faults=[Fault("status_before_fill")]
    )
    assert run.executions("b") == []
    assert [e.order_ref for e in told] == ["b"]


def test_fault_11_an_overfill_is_one_too_many(tmp_path: Path) -> None:
    run = bought(tmp_path, Fault("overfill"), qty=2)
    assert sum(e.qty for e in run.executions("b")) == 3


def test_fault_13_the_child_of_a_bracket_is_rejected_and_its_parent_lives(tmp_path: Path) -> None:
    tickets = ticket("p", CALL, BUY), ticket("t", CALL, SELL, limit="90.00", parent_ref="p")
    run = alone(tmp_path, [(10, place(*tickets))], 20, faults=[Fault("reject_child")])
    assert run.states("t") == [OrderState.REJECTED]
    assert run.states("p")[-1] is OrderState.FILLED


def test_fault_14_a_refused_modify_leaves_the_order_working(tmp_path: Path) -> None:
    resting = ticket("b", CALL, BUY, limit="1.00")

    async def change(run: Alone) -> None:
        await run.exchange.modify(ticket("b", CALL, BUY, limit="1.10"))

    run = alone(tmp_path, [(10, place(resting)), (12, change)], 20, faults=[Fault("reject_modify")])
    assert run.codes("b") == [105]
    assert run.states("b") == [OrderState.SUBMITTED]


def test_a_lost_cancel_leaves_the_order_working(tmp_path: Path) -> None:
    async def end(run: Alone) -> None:
        await run.exchange.cancel("b")

    deeds = [(10, place(ticket("b", CALL, BUY, limit="1.00"))), (12, end), (14, end)]
    run = alone(tmp_path, deeds, 20, faults=[Fault("drop_cancel")])
    assert run.states("b") == [OrderState.SUBMITTED, OrderState.CANCELLED]


def test_fault_18_both_legs_of_a_group_can_fill(tmp_path: Path) -> None:
    legs = [ticket(ref, CALL, SELL, oca_group="g") for ref in ("t", "x")]
    run = alone(
        tmp_path, [(10, place(ticket("b", CALL, BUY))), (12, place(*legs))], 20, faults=[Fault("oca_ignored")]
    )
    assert len(run.executions("t")) == len(run.executions("x")) == 1


def test_fault_22_the_connection_drops_with_an_order_in_flight_and_the_exchange_goes_on(tmp_path: Path) -> None:
    seen: list[object] = []

    async def ask(run: Alone) -> None:
        for again in (False, True):
            try:
                if again:
                    await run.exchange.connect(run.sink)
                seen.append(await run.exchange.positions())
            except BrokerUnavailable as refused:
                seen.append(str(refused))

    deeds = [(10, place(ticket("b", CALL, BUY))), (12, ask), (50, ask)]
    run = alone(tmp_path, deeds, 60, faults=[Fault("disconnect", at(10.01), seconds=30)])
    assert not run.exchange.connected or seen
    links = [(at_ns, r.up) for at_ns, r in run.reports if isinstance(r, LinkReport)]
    assert links == [(at(0), True), (at(10.01), False), (at(50), True)]
    assert run.executions("b") == [], "what was reported while away is lost"
    assert [isinstance(found, str) for found in seen] == [True, True, True, False]
    assert len(seen[-1]) == 1, "and found by asking"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "kept", "codes"), [("link_lost", True, ["1100", "1102"]), ("data_lost", False, ["1100", "1101"])]
)
def test_fault_23_24_the_venue_comes_back_with_or_without_our_data(
    tmp_path: Path, name: str, kept: bool, codes: list[str]
) -> None:
    run = alone(tmp_path, [(5, watch)], 60, faults=[Fault(name, at(10), seconds=20)])
    links = [r for r in run.of(LinkReport) if isinstance(r, LinkReport)][1:]
    assert [(link.up, link.reason) for link in links] == [(False, codes[0]), (True, codes[1])]
    assert links[1].data_kept is kept
    ticks = [at_ns for at_ns, r in run.reports if isinstance(r, TickReport)]
    assert not any(at(10) <= at_ns < at(30) for at_ns in ticks)
    assert any(at_ns > at(30) for at_ns in ticks) is kept


def test_fault_25_44_farms_and_halts_are_told_from_and_to(tmp_path: Path) -> None:
    faults = [Fault("farm", at(10), seconds=5, symbol="ES"), Fault("halt", at(20), seconds=5, symbol="SPX")]
    run = alone(tmp_path, [(5, watch), (21, place(ticket("b", CALL, BUY)))], 60, faults=faults)
    assert [(r.farm, r.up, r.at_ns) for r in run.of(FarmReport) if isinstance(r, FarmReport)] == [
        ("ES", False, at(10)), ("ES", True, at(15)),
    ]  # fmt: skip
    assert [(r.symbol, r.halted) for r in run.of(HaltReport) if isinstance(r, HaltReport)] == [
        ("SPX", True),
        ("SPX", False),
    ]
    ticks = [at_ns for at_ns, r in run.reports if isinstance(r, TickReport)]
    assert not any(at(20) <= at_ns < at(25) for at_ns in ticks)
    assert run.executions("b")[0].at_ns >= at(25), "nothing trades in a halt"


def quotes(run: Alone, first: float, last: float) -> list[QuoteReport]:
    return [r for at_ns, r in run.reports if isinstance(r, QuoteReport) and at(first) <= at_ns < at(last)]


@pytest.mark.parametrize(
    ("name", "sick"),
    [
        ("zero_bid", lambda run: all(r.quote.bid is None for r in quotes(run, 20, 30))),
        ("crossed", lambda run: all(r.quote.crossed for r in quotes(run, 20, 30))),
        ("delayed", lambda run: all(r.quote.grade is Grade.DELAYED for r in quotes(run, 20, 30))),
        ("stale_quotes", lambda run: not quotes(run, 20, 30)),
        ("no_greeks", lambda run: all(
            r.greeks.delta == r.greeks.iv == -2 for at_ns, r in run.reports
            if isinstance(r, GreeksReport) and at(20) <= at_ns < at(30))),
        ("silent_ticks", lambda run: not any(
            at(20) <= at_ns < at(30) for at_ns, r in run.reports if isinstance(r, TickReport))),
        ("competing", lambda run: run.of(NoticeReport)[0].code == 10197 and not quotes(run, 20, 30)),
    ],
)  # fmt: skip
def test_fault_26_39_40_41_42_43_data_falls_sick_for_a_time_and_recovers(
    tmp_path: Path, name: str, sick
) -> None:
    run = alone(tmp_path, [(5, watch)], 60, faults=[Fault(name, at(20), seconds=10)])
    assert sick(run)
    healthy = quotes(run, 6, 20) + quotes(run, 34, 60)
    assert len(healthy) > 8
    assert all(r.quote.two_sided and not r.quote.crossed and r.quote.grade is Grade.LIVE for r in healthy)


def test_fault_40_without_a_bid_nothing_can_be_sold(tmp_path: Path) -> None:
    deeds = [(10, place(ticket("b", CALL, BUY))), (21, place(ticket("s", CALL, SELL)))]
    run = alone(tmp_path, deeds, 60, faults=[Fault("zero_bid", at(20), seconds=10)])
    assert run.executions("s")[0].at_ns >= at(30)


def test_fault_36_37_orders_by_hand_are_seen_as_nobody_of_ours(tmp_path: Path) -> None:
    seen: list[OpenOrder] = []

    async def hand(run: Alone) -> None:
        await run.exchange.by_hand([ticket("hand-1", CALL, SELL), ticket("hand-2", CALL, BUY, limit="1.00")])

    async def ask(run: Alone) -> None:
        seen.extend(await run.exchange.open_orders())
        assert await run.exchange.positions() == ()

    alone(tmp_path, [(10, place(ticket("b", CALL, BUY))), (12, hand), (15, ask)], 20)
    assert [order.order_ref for order in seen] == ["hand-2"]


def test_a_one_shot_mishap_that_struck_does_not_strike_again_after_a_restart(tmp_path: Path) -> None:
    faults = [Fault("reject_entry")]
    first = alone(tmp_path, [(10, place(ticket("a", CALL, BUY)))], 20, faults=faults)
    second = alone(tmp_path, [(30, place(ticket("b", CALL, BUY)))], 40, faults=faults)
    assert first.states("a") == [OrderState.REJECTED]
    assert second.states("b")[-1] is OrderState.FILLED


def test_faults_are_asked_for_by_name_and_time() -> None:
    assert parse_fault("drop_ack", DAY) == Fault("drop_ack")
    assert parse_fault("disconnect@10:15:30", DAY) == Fault("disconnect", at_et(DAY, "10:15:30"))
    with pytest.raises(BadInput, match="unknown fault 'nonsense': choose one of"):
        parse_fault("nonsense", DAY)
    with pytest.raises(BadInput, match="'25:99' is not a time"):
        parse_fault("drop_ack@25:99", DAY)
    assert all(Fault(name).name == name for name in FAULTS)


def test_only_so_many_and_only_from_their_time(tmp_path: Path) -> None:
    deeds = [(at_s, place(ticket(f"o{at_s}", CALL, BUY, 1))) for at_s in (10, 20, 30, 40)]
    run = alone(tmp_path, deeds, 50, faults=[Fault("reject_entry", at(15), count=2)])
    states = [run.states(f"o{at_s}")[-1] for at_s in (10, 20, 30, 40)]
    assert states == [OrderState.FILLED, OrderState.REJECTED, OrderState.REJECTED, OrderState.FILLED]


def spoilt(book: Path, *, mended: bool) -> None:
    """Make every execution fail to be written, or mend it."""
    with closing(sqlite3.connect(book)) as connection:
        if mended:
            connection.execute("DROP TRIGGER full")
        else:
            connection.execute(
                "CREATE TRIGGER full BEFORE INSERT ON executions BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        connection.commit()


def test_fault_55_an_exchange_that_cannot_write_says_nothing_and_goes_off_the_air_until_it_can(
    tmp_path: Path,
) -> None:
    refused: list[str] = []

    async def spoil(run: Alone) -> None:
        spoilt(tmp_path / "paper.db", mended=False)

    async def mend(run: Alone) -> None:
        try:
            await run.exchange.positions()
        except BrokerUnavailable:
            refused.append("positions")
        try:
            await run.exchange.connect(run.sink)
        except BrokerUnavailable as error:
            refused.append(str(error))
        spoilt(tmp_path / "paper.db", mended=True)

    async def back(run: Alone) -> None:
        await run.exchange.connect(run.sink)
        assert [p.qty for p in await run.exchange.positions()] == [1]

    deeds = [(5, spoil), (10, place(ticket("b", CALL, BUY))), (30, mend), (60, back)]
    run = alone(tmp_path, deeds, 70)
    assert run.executions("b") == []
    assert run.states("b") == []
    assert refused[0] == "positions"
    assert "disk full" in refused[1]
    assert [r.up for r in run.of(LinkReport) if isinstance(r, LinkReport)] == [True, False, True]
