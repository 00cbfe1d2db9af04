"""Faults at the broker's seam, driven through the emulator with the real client library (FAULTS.md)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from station.brokers.ibkr import IbkrBroker
from station.domain.broker import (
    ExecutionReport,
    FarmReport,
    LinkReport,
    NoticeReport,
    OrderNotice,
    QuoteReport,
    TickReport,
)
from station.domain.errors import BrokerUnavailable, Fatal, Refused
from station.domain.instruments import INSTRUMENTS
from station.domain.orders import OrderKind, OrderState
from tests.wire.wire_rig import Heard, Rig


async def test_fault_03_fill_before_acknowledgement_is_reported_as_it_came(rig: Rig) -> None:
    rig.server.faults.hold_acknowledgements = True
    ticket = rig.buy(await rig.option(), 2)
    await rig.broker.place([ticket])
    await rig.heard.paid(ticket.order_ref, 2)
    await rig.heard.state(ticket.order_ref, OrderState.FILLED)
    about = [
        r
        for r in rig.heard.reports
        if getattr(r, "order_ref", "") == ticket.order_ref or isinstance(r, ExecutionReport)
    ]
    assert isinstance(about[0], ExecutionReport)
    assert about[0].execution.order_ref == ticket.order_ref
    assert about[0].execution.perm_id != 0


async def test_fault_04_order_is_matched_by_reference_while_its_permanent_id_is_zero(rig: Rig) -> None:
    rig.server.faults.late_perm_ids = True
    ticket = rig.buy(await rig.option(), 1)
    await rig.broker.place([ticket])
    await rig.heard.paid(ticket.order_ref, 1)
    await rig.heard.state(ticket.order_ref, OrderState.FILLED)
    statuses = rig.heard.statuses(ticket.order_ref)
    assert statuses[0].perm_id == 0
    assert statuses[-1].perm_id != 0
    (execution,) = await rig.broker.executions()
    assert execution.order_ref == ticket.order_ref


@pytest.mark.parametrize("code", [161, 10148])
async def test_fault_08_refused_cancel_of_a_working_order_is_a_notice_only(rig: Rig, code: int) -> None:
    ticket = rig.buy(await rig.option(), 1, Decimal("1.05"))
    await rig.broker.place([ticket])
    await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    rig.server.warn(ticket.order_ref, code, "cannot be cancelled, state: Filled.")
    await rig.heard.notice(ticket.order_ref, code)
    assert {status.state for status in rig.heard.statuses(ticket.order_ref)} == {OrderState.SUBMITTED}
    (shown,) = await rig.broker.open_orders()
    assert (shown.order_ref, shown.state) == (ticket.order_ref, OrderState.SUBMITTED)


async def test_fault_09_cancel_not_found_says_10147_and_ends_nothing(rig: Rig) -> None:
    ticket = rig.buy(await rig.option(), 1, Decimal("1.05"))
    await rig.broker.place([ticket])
    await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    rig.server.forget_order(ticket.order_ref)
    await rig.broker.cancel(ticket.order_ref)
    await rig.heard.notice(ticket.order_ref, 10147)
    assert all(not status.state.is_terminal for status in rig.heard.statuses(ticket.order_ref))


async def test_fault_14_refused_change_leaves_the_old_order_live(rig: Rig) -> None:
    rig.server.faults.refuse_type_changes = True
    ticket = rig.buy(await rig.option(), 1, Decimal("1.05"))
    await rig.broker.place([ticket])
    await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    await rig.broker.modify(replace(ticket, kind=OrderKind.MARKET, limit=None))
    await rig.heard.notice(ticket.order_ref, 329)
    await rig.broker.modify(replace(ticket, limit=Decimal("1.07")))
    await rig.heard.notice(ticket.order_ref, 110)
    (shown,) = await rig.broker.open_orders()
    assert shown.ticket == ticket
    assert all(not status.state.is_terminal for status in rig.heard.statuses(ticket.order_ref))


@pytest.mark.parametrize("code", [399, 10349])
async def test_fault_15_warnings_leave_the_order_live_whatever_the_library_says(rig: Rig, code: int) -> None:
    contract = await rig.option()
    ticket = rig.buy(contract, 1, Decimal("1.05"))
    await rig.broker.place([ticket])
    await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    rig.server.warn(ticket.order_ref, code, "Order Message: TIF was set to DAY")
    await rig.heard.notice(ticket.order_ref, code)
    assert all(not status.state.is_terminal for status in rig.heard.statuses(ticket.order_ref))
    quote = await rig.quote(contract)
    assert quote.ask is not None
    await rig.broker.modify(replace(ticket, limit=quote.ask + 2))
    await rig.heard.paid(ticket.order_ref, 1)


async def test_fault_22_drop_with_an_order_in_flight_is_told_by_the_link(rig: Rig) -> None:
    ticket = rig.buy(await rig.option(), 1)
    rig.server.faults.muted = True
    await rig.broker.place([ticket])
    rig.server.drop()
    await rig.heard.until(lambda: not rig.broker.connected, "the link lost")
    assert rig.heard.of(LinkReport)[-1].up is False
    assert rig.heard.statuses(ticket.order_ref) == []
    with pytest.raises(BrokerUnavailable, match="not connected"):
        await rig.broker.place([replace(ticket, order_ref=rig.ref())])
    rig.server.faults.muted = False
    again = Heard()
    await rig.broker.connect(again)
    known = {order.order_ref for order in await rig.broker.open_orders()}
    known |= {execution.order_ref for execution in await rig.broker.executions()}
    there = {order.order_ref for order in await rig.exchange.open_orders()}
    there |= {execution.order_ref for execution in await rig.exchange.executions()}
    assert known == there
    if ticket.order_ref not in known:
        await rig.broker.place([ticket])
        await again.paid(ticket.order_ref, 1)
    assert [e.order_ref for e in await rig.broker.executions()] == [ticket.order_ref]


async def test_fault_23_link_lost_and_restored_with_data_kept(rig: Rig) -> None:
    rig.server.link_down()
    await rig.heard.until(lambda: rig.heard.of(LinkReport)[-1].up is False, "1100")
    assert not rig.broker.connected
    for attempt in (rig.broker.place([]), rig.broker.positions()):
        with pytest.raises(BrokerUnavailable, match="1100"):
            await attempt
    await rig.broker.connect(rig.heard)
    assert rig.heard.of(LinkReport)[-1].up is False
    rig.server.link_up(data_kept=True)
    await rig.heard.until(lambda: rig.heard.of(LinkReport)[-1].up, "1102")
    assert rig.heard.of(LinkReport)[-1].data_kept
    assert rig.broker.connected


async def test_fault_24_data_lost_subscribes_to_everything_again(rig: Rig) -> None:
    spx = await rig.broker.resolve(INSTRUMENTS["SPX"])
    await rig.broker.watch(spx)
    await rig.heard.until(lambda: bool(rig.heard.of(TickReport)), "a tick")
    rig.server.link_down()
    rig.server.link_up(data_kept=False)
    await rig.heard.until(lambda: len(rig.heard.of(LinkReport)) >= 3, "1100 and 1101")
    assert not rig.heard.of(LinkReport)[-1].data_kept
    since = len(rig.heard.of(TickReport))
    await rig.heard.until(lambda: len(rig.heard.of(TickReport)) > since + 2, "ticks again")


async def test_fault_25_broken_farm_is_named(rig: Rig) -> None:
    rig.server.farm("usopt", up=False)
    rig.server.farm("usopt", up=True)
    await rig.heard.until(lambda: len(rig.heard.of(FarmReport)) >= 4, "farm reports")
    assert [(r.farm, r.up) for r in rig.heard.of(FarmReport)[-2:]] == [("usopt", False), ("usopt", True)]


async def test_fault_26_competing_session_is_noticed_per_instrument(rig: Rig) -> None:
    await rig.broker.watch(await rig.broker.resolve(INSTRUMENTS["SPX"]))
    await rig.heard.until(lambda: bool(rig.heard.of(TickReport)), "a tick")
    rig.server.competing_session()
    await rig.heard.until(lambda: any(n.code == 10197 for n in rig.heard.of(NoticeReport)), "10197")
    (notice,) = [n for n in rig.heard.of(NoticeReport) if n.code == 10197]
    assert notice.symbol == "SPX"


async def test_fault_27_client_id_in_use_is_refused_until_it_is_free(rig: Rig) -> None:
    second = rig.ibkr(1)
    with pytest.raises(BrokerUnavailable, match="client id 1 is in use"):
        await second.connect(Heard())
    assert rig.broker.connected
    await rig.broker.disconnect()
    await rig.gone()
    session = await second.connect(Heard())
    assert session.accounts == ("DU1000001",)


async def test_fault_27_the_same_id_is_given_up_in_the_end_and_never_another_tried(rig: Rig) -> None:
    second = rig.ibkr(1)
    for _ in range(4):
        with pytest.raises(BrokerUnavailable, match="in use"):
            await second.connect(Heard())
    with pytest.raises(Fatal, match="refused 5 times"):
        await second.connect(Heard())
    assert rig.server.clients == (1,)


async def test_fault_28_order_ids_start_above_the_station_s_own_and_the_broker_s(rig: Rig) -> None:
    await rig.broker.disconnect()
    broker = rig.ibkr(7, first_order_id=5000)
    heard = Heard()
    await broker.connect(heard)
    rig.broker = broker
    ticket = rig.buy(await rig.option(), 1, Decimal("1.05"))
    await broker.place([ticket])
    status = await heard.state(ticket.order_ref, OrderState.SUBMITTED)
    assert status.broker_id >= 5000
    await broker.disconnect()
    restarted = rig.ibkr(8)
    again = Heard()
    await restarted.connect(again)
    second = replace(ticket, order_ref=rig.ref())
    await restarted.place([second])
    assert (await again.state(second.order_ref, OrderState.SUBMITTED)).broker_id > status.broker_id


async def test_fault_28_duplicate_order_id_is_noticed_and_the_next_id_is_higher(rig: Rig) -> None:
    contract = await rig.option()
    ticket = rig.buy(contract, 1, Decimal("1.05"))
    await rig.broker.place([ticket])
    first = await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    assert isinstance(rig.broker, IbkrBroker)
    rig.broker._link.ib().client._reqIdSeq = first.broker_id - 1
    duplicate = replace(ticket, order_ref=rig.ref())
    await rig.broker.place([duplicate])
    await rig.heard.notice(duplicate.order_ref, 103)
    third = replace(ticket, order_ref=rig.ref())
    await rig.broker.open_orders()
    await rig.broker.place([third])
    assert (await rig.heard.state(third.order_ref, OrderState.SUBMITTED)).broker_id > first.broker_id


async def test_fault_29_orders_of_another_client_are_seen_and_left_alone(rig: Rig) -> None:
    other, heard = rig.ibkr(9), Heard()
    await other.connect(heard)
    ticket = rig.buy(await rig.option(), 1, Decimal("1.05"))
    await other.place([ticket])
    await heard.state(ticket.order_ref, OrderState.SUBMITTED)
    (shown,) = await rig.broker.open_orders()
    assert (shown.order_ref, shown.client_id) == (ticket.order_ref, 9)
    with pytest.raises(Refused, match="client 9"):
        await rig.broker.cancel(ticket.order_ref)
    with pytest.raises(Refused, match="not of client 1"):
        await rig.broker.modify(replace(ticket, limit=Decimal("1.10")))


async def test_fault_31_half_open_socket_is_dropped_by_the_heartbeat(rig: Rig) -> None:
    await rig.broker.disconnect()
    broker, heard = rig.ibkr(3, heartbeat_s=20.0, silence_s=60.0), Heard()
    await broker.connect(heard)
    rig.server.faults.muted = True
    await heard.until(lambda: not broker.connected, "the silence noticed")
    assert "nothing heard" in heard.of(LinkReport)[-1].reason
    rig.server.faults.muted = False
    await broker.connect(heard)
    assert broker.connected
    assert await broker.positions() == ()


async def test_fault_32_start_up_without_answers_is_no_connection(rig: Rig) -> None:
    await rig.broker.disconnect()
    broker = rig.ibkr(4, connect_timeout_s=0.2)
    rig.server.faults.muted = True
    with pytest.raises(BrokerUnavailable):
        await broker.connect(Heard())
    assert not broker.connected


async def test_fault_33_a_cancel_passes_what_is_held_after_too_many_messages(rig: Rig) -> None:
    options = [await rig.option(away) for away in range(30)]
    ticket = rig.buy(options[0], 1, Decimal("0.05"))
    await rig.broker.place([ticket])
    await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    rig.at_the_host_s_pace()
    rig.server.faults.a_second = 12
    await asyncio.gather(*(rig.broker.watch(option) for option in options))
    await rig.heard.until(lambda: any(n.code == 100 for n in rig.heard.of(NoticeReport)), "100")
    rig.server.faults.a_second = 0
    await rig.broker.cancel(ticket.order_ref)
    await rig.heard.state(ticket.order_ref, OrderState.CANCELLED)
    assert rig.broker.connected


async def test_fault_34_refused_line_is_noticed_and_may_be_asked_for_again(rig: Rig) -> None:
    spx = await rig.broker.resolve(INSTRUMENTS["SPX"])
    await rig.broker.watch(spx)
    await rig.heard.until(lambda: bool(rig.heard.of(TickReport)), "a tick")
    rig.server.refuse_lines(101, "Max number of tickers has been reached")
    await rig.heard.until(lambda: any(n.code == 101 for n in rig.heard.of(NoticeReport)), "101")
    assert [n.symbol for n in rig.heard.of(NoticeReport) if n.code == 101] == ["SPX"]
    since = len(rig.heard.of(TickReport))
    await rig.broker.watch(spx)
    await rig.heard.until(lambda: len(rig.heard.of(TickReport)) > since + 2, "ticks again")


async def test_unanswered_query_is_unavailable_and_never_empty(rig: Rig) -> None:
    await rig.broker.disconnect()
    broker, heard = rig.ibkr(5, query_timeout_s=20.0), Heard()
    await broker.connect(heard)
    rig.server.faults.muted = True
    with pytest.raises(BrokerUnavailable, match="executions: no answer within 20 s"):
        await broker.executions()
    assert broker.connected
    with pytest.raises(BrokerUnavailable, match="positions"):
        await broker.positions()
    await heard.until(lambda: not broker.connected, "a link that does not answer given up")


async def test_queries_of_one_kind_queue_and_are_all_answered(rig: Rig) -> None:
    ticket = rig.buy(await rig.option(), 1, Decimal("1.05"))
    await rig.broker.place([ticket])
    await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    answers = await asyncio.gather(*(rig.broker.open_orders() for _ in range(5)))
    assert [[order.order_ref for order in answer] for answer in answers] == [[ticket.order_ref]] * 5


async def test_raising_handler_is_a_notice_and_the_loop_lives(rig: Rig) -> None:
    await rig.broker.disconnect()
    broker, heard = rig.ibkr(6), Heard()

    def brittle(report: object) -> None:
        heard(report)  # pyright: ignore[reportArgumentType]
        if isinstance(report, OrderNotice | QuoteReport):
            raise RuntimeError("a sink that breaks")

    await broker.connect(brittle)
    ref = rig.ref()
    rig.broker = broker
    ticket = replace(rig.buy(await rig.option(), 1, Decimal("3.03")), order_ref=ref)
    await broker.place([ticket])
    await heard.until(lambda: any("failed" in n.text for n in heard.of(NoticeReport)), "the failure said")
    good = rig.buy(await rig.option(), 1, Decimal("1.05"))
    await broker.place([good])
    await heard.state(good.order_ref, OrderState.SUBMITTED)


async def test_new_process_finds_its_orders_and_may_change_them(rig: Rig) -> None:
    contract = await rig.option()
    ticket = rig.buy(contract, 1, Decimal("1.05"))
    await rig.broker.place([ticket])
    await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    await rig.broker.disconnect()
    await rig.gone()
    fresh, heard = rig.ibkr(1), Heard()
    await fresh.connect(heard)
    (shown,) = await fresh.open_orders()
    assert shown.ticket == ticket
    await fresh.modify(replace(ticket, limit=Decimal("1.10")))
    await heard.until(lambda: bool(heard.statuses(ticket.order_ref)), "the change confirmed")
    await fresh.cancel(ticket.order_ref)
    await heard.state(ticket.order_ref, OrderState.CANCELLED)
    again = replace(ticket, order_ref=rig.ref())
    with pytest.raises(Refused, match="placed before"):
        await fresh.place([ticket])
    await fresh.place([again])
    await heard.state(again.order_ref, OrderState.SUBMITTED)


async def test_emulator_restarted_over_the_same_book_gives_orders_back(rig: Rig) -> None:
    ticket = rig.buy(await rig.option(), 1, Decimal("1.05"))
    await rig.broker.place([ticket])
    await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    await rig.broker.disconnect()
    await rig.server.stop()
    await rig.restart_server()
    fresh, heard = rig.ibkr(1), Heard()
    await fresh.connect(heard)
    (shown,) = await fresh.open_orders()
    assert shown.ticket == ticket
    await fresh.cancel(ticket.order_ref)
    await heard.state(ticket.order_ref, OrderState.CANCELLED)
