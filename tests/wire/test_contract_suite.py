"""The broker contract: one suite, for the paper exchange in process and for the IBKR adapter over TCP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from station.domain.broker import (
    CommissionReport,
    GreeksReport,
    LinkReport,
    OpenOrder,
    TickReport,
)
from station.domain.errors import BrokerUnavailable
from station.domain.instruments import INSTRUMENTS, SPX_OPTION_TICKS, Contract, SecType, Timeframe
from station.domain.market import Grade
from station.domain.orders import Action, Execution, OcaType, OrderKind, OrderState, Purpose, Ticket
from tests.wire.wire_rig import ACCOUNT, Heard, Rig

WORKING = (OrderState.SUBMITTED, OrderState.PARTIALLY_FILLED)


@pytest.fixture(params=["paper", "tws"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(request.param, tmp_path)
    await rig.open()
    yield rig
    await rig.close()


async def open_order(rig: Rig, ref: str) -> OpenOrder | None:
    return next((order for order in await rig.broker.open_orders() if order.order_ref == ref), None)


async def executions(rig: Rig, ref: str) -> list[Execution]:
    return [execution for execution in await rig.broker.executions() if execution.order_ref == ref]


async def held(rig: Rig, contract: Contract) -> Decimal:
    return sum((p.qty for p in await rig.broker.positions() if p.contract == contract), Decimal(0))


def check_sequence(heard: Heard, ticket: Ticket) -> None:
    """Acknowledged before any fill, executions unique and adding up, then Filled; our reference throughout."""
    ref = ticket.order_ref
    states = [status.state for status in heard.statuses(ref)]
    assert states[0] in WORKING
    assert states[-1] is OrderState.FILLED
    fills = heard.fills(ref)
    assert sum(fill.qty for fill in fills) == ticket.qty
    assert len({fill.exec_id for fill in fills}) == len(fills)
    assert {fill.account for fill in fills} == {ACCOUNT}
    assert {fill.contract for fill in fills} == {ticket.contract}
    assert {fill.action for fill in fills} == {ticket.action}
    first_status = heard.reports.index(heard.statuses(ref)[0])
    first_fill = next(i for i, r in enumerate(heard.reports) if getattr(r, "execution", None) == fills[0])
    assert first_status < first_fill
    assert len({status.perm_id for status in heard.statuses(ref) if status.perm_id}) == 1


async def test_market_order_fills_and_every_answer_agrees(rig: Rig) -> None:
    contract = await rig.option()
    ticket = rig.buy(contract, 3)
    before = await rig.broker.account()
    await rig.broker.place([ticket])
    fills = await rig.heard.paid(ticket.order_ref, 3)
    await rig.heard.state(ticket.order_ref, OrderState.FILLED)
    check_sequence(rig.heard, ticket)
    assert await open_order(rig, ticket.order_ref) is None
    asked = await executions(rig, ticket.order_ref)
    assert {(e.exec_id, e.qty, e.price) for e in asked} == {(e.exec_id, e.qty, e.price) for e in fills}
    assert await held(rig, contract) == 3
    fees = {fee.exec_id: fee.commission for fee in rig.heard.of(CommissionReport)}
    assert {e.exec_id: e.commission for e in asked} == {e.exec_id: fees[e.exec_id] for e in asked}
    paid = sum((e.qty * e.price * contract.multiplier + fees[e.exec_id] for e in fills), Decimal(0))
    after = await rig.broker.account()
    assert before.cash - after.cash == paid
    (position,) = [p for p in await rig.broker.positions() if p.contract == contract]
    assert position.avg_cost == sum(e.qty * e.price for e in fills) / 3


async def test_limit_order_fills_at_its_limit_or_better(rig: Rig) -> None:
    contract = await rig.option()
    quote = await rig.quote(contract)
    assert quote.ask is not None
    ticket = rig.buy(contract, 2, quote.ask + 2)
    await rig.broker.place([ticket])
    fills = await rig.heard.paid(ticket.order_ref, 2)
    await rig.heard.state(ticket.order_ref, OrderState.FILLED)
    check_sequence(rig.heard, ticket)
    assert ticket.limit is not None
    assert all(fill.price <= ticket.limit for fill in fills)


async def test_resting_limit_is_shown_as_it_was_sent(rig: Rig) -> None:
    contract = await rig.option()
    ticket = rig.buy(contract, 2, Decimal("1.05"))
    await rig.broker.place([ticket])
    status = await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    shown = await open_order(rig, ticket.order_ref)
    assert shown is not None
    assert shown.ticket == ticket
    assert shown.contract == contract
    assert (shown.state, shown.filled, shown.perm_id) == (OrderState.SUBMITTED, 0, status.perm_id)
    assert rig.heard.fills(ticket.order_ref) == []


async def test_bracket_works_its_children_and_one_exit_ends_the_other(rig: Rig) -> None:
    contract = await rig.option()
    entry, target, stop = await rig.bracket(contract, 2)
    await rig.broker.place([entry, target, stop])
    await rig.heard.paid(entry.order_ref, 2)
    await rig.heard.state(entry.order_ref, OrderState.FILLED)
    check_sequence(rig.heard, entry)
    for child in (target, stop):
        await rig.heard.state(child.order_ref, *WORKING)
        shown = await open_order(rig, child.order_ref)
        assert shown is not None and shown.ticket is not None
        assert (shown.ticket.action, shown.ticket.kind, shown.ticket.qty) == (Action.SELL, child.kind, 2)
        assert (shown.ticket.limit, shown.ticket.stop) == (child.limit, child.stop)
    await rig.broker.modify(replace(target, limit=Decimal("1.00")))
    await rig.heard.paid(target.order_ref, 2)
    await rig.heard.state(stop.order_ref, OrderState.CANCELLED)
    assert rig.heard.filled(stop.order_ref) == 0
    assert await held(rig, contract) == 0
    assert await rig.broker.open_orders() == ()


async def test_modify_changes_the_same_order_in_place(rig: Rig) -> None:
    contract = await rig.option()
    ticket = rig.buy(contract, 2, Decimal("1.05"))
    await rig.broker.place([ticket])
    await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    before = await open_order(rig, ticket.order_ref)
    said = len(rig.heard.statuses(ticket.order_ref))
    await rig.broker.modify(replace(ticket, limit=Decimal("1.10"), qty=Decimal(3)))
    await rig.heard.until(lambda: len(rig.heard.statuses(ticket.order_ref)) > said, "the change confirmed")
    after = await open_order(rig, ticket.order_ref)
    assert before is not None and after is not None and after.ticket is not None
    assert (after.ticket.limit, after.ticket.qty) == (Decimal("1.10"), 3)
    assert (after.perm_id, after.broker_id) == (before.perm_id, before.broker_id)
    quote = await rig.quote(contract)
    assert quote.ask is not None
    final = replace(ticket, limit=quote.ask + 2, qty=Decimal(3))
    await rig.broker.modify(final)
    await rig.heard.paid(ticket.order_ref, 3)
    await rig.heard.state(ticket.order_ref, OrderState.FILLED)
    check_sequence(rig.heard, final)
    assert len(await executions(rig, ticket.order_ref)) == len(rig.heard.fills(ticket.order_ref))


async def test_resting_target_becomes_a_market_order_by_a_change(rig: Rig) -> None:
    contract = await rig.option()
    entry = rig.buy(contract, 1)
    await rig.broker.place([entry])
    await rig.heard.paid(entry.order_ref, 1)
    target = rig.sell(contract, 1, Decimal("900.00"))
    await rig.broker.place([target])
    await rig.heard.state(target.order_ref, OrderState.SUBMITTED)
    await rig.broker.modify(replace(target, kind=OrderKind.MARKET, limit=None))
    await rig.heard.paid(target.order_ref, 1)
    assert await held(rig, contract) == 0


async def test_cancel_ends_a_resting_order(rig: Rig) -> None:
    ticket = rig.buy(await rig.option(), 2, Decimal("1.05"))
    await rig.broker.place([ticket])
    await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    await rig.broker.cancel(ticket.order_ref)
    status = await rig.heard.state(ticket.order_ref, OrderState.CANCELLED)
    assert (status.filled, status.remaining) == (0, 2)
    assert await rig.heard.notice(ticket.order_ref, 202) == 202
    assert await rig.broker.open_orders() == ()
    assert await executions(rig, ticket.order_ref) == []


async def test_reconnect_loses_nothing_and_doubles_nothing(rig: Rig) -> None:
    contract = await rig.option()
    resting, filling = rig.buy(contract, 1, Decimal("1.05")), rig.buy(contract, 2)
    await rig.broker.place([resting])
    await rig.heard.state(resting.order_ref, OrderState.SUBMITTED)
    await rig.broker.place([filling])
    await rig.heard.state(filling.order_ref, OrderState.SUBMITTED, OrderState.FILLED)
    if rig.kind == "tws":
        rig.server.drop()
        await rig.heard.until(lambda: not rig.broker.connected, "the link lost")
    else:
        await rig.broker.disconnect()
    assert rig.heard.of(LinkReport)[-1].up is False
    with pytest.raises(BrokerUnavailable):
        await rig.broker.positions()
    again = Heard()
    await rig.broker.connect(again)
    shown = await open_order(rig, resting.order_ref)
    assert shown is not None and shown.ticket == resting
    if not await executions(rig, filling.order_ref):
        await again.paid(filling.order_ref, 2)
    fills = await executions(rig, filling.order_ref)
    assert sum(fill.qty for fill in fills) == 2
    assert len({fill.exec_id for fill in fills}) == len(fills)
    assert await held(rig, contract) == 2
    await rig.broker.cancel(resting.order_ref)
    await again.state(resting.order_ref, OrderState.CANCELLED)
    assert await rig.broker.open_orders() == ()


async def test_oca_group_fills_once(rig: Rig) -> None:
    contract = await rig.option()
    group = {"oca_group": "pair", "oca_type": OcaType.CANCEL_WITH_BLOCK}
    first = rig.buy(contract, 1, Decimal("1.05"), **group)
    second = rig.buy(contract, 1, Decimal("1.00"), **group)
    for ticket in (first, second):
        await rig.broker.place([ticket])
        await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    quote = await rig.quote(contract)
    assert quote.ask is not None
    await rig.broker.modify(replace(first, limit=quote.ask + 2))
    await rig.heard.paid(first.order_ref, 1)
    await rig.heard.state(second.order_ref, OrderState.CANCELLED)
    assert await held(rig, contract) == 1


async def test_partial_fill_then_cancel_keeps_what_filled(rig: Rig) -> None:
    contract = await rig.option(away=3)
    quote = await rig.quote(contract)
    assert quote.ask is not None
    ticket = rig.buy(contract, 200, quote.ask)
    rig.at_the_host_s_pace()
    await rig.broker.place([ticket])
    await rig.heard.until(lambda: rig.heard.filled(ticket.order_ref) > 0 or bool(
        rig.heard.statuses(ticket.order_ref)), "something of the order")  # fmt: skip
    await rig.broker.cancel(ticket.order_ref)
    status = await rig.heard.state(ticket.order_ref, OrderState.CANCELLED)
    filled = rig.heard.filled(ticket.order_ref)
    assert status.filled == filled < 200
    assert await held(rig, contract) == filled


async def test_illegal_tick_is_refused_with_110(rig: Rig) -> None:
    ticket = rig.buy(await rig.option(), 1, Decimal("3.03"))
    await rig.broker.place([ticket])
    assert await rig.heard.notice(ticket.order_ref, 110) == 110
    await rig.heard.state(ticket.order_ref, OrderState.REJECTED)
    assert await rig.broker.open_orders() == ()


async def test_unknown_contract_is_refused_with_200(rig: Rig) -> None:
    contract = replace(await rig.option(), strike=Decimal(1), con_id=0)
    assert await rig.broker.qualify((contract,)) == ()
    ticket = rig.buy(contract, 1)
    await rig.broker.place([ticket])
    assert await rig.heard.notice(ticket.order_ref, 200) == 200
    assert await rig.broker.open_orders() == ()


async def test_cancel_after_the_fill_is_refused(rig: Rig) -> None:
    ticket = rig.buy(await rig.option(), 1)
    await rig.broker.place([ticket])
    await rig.heard.paid(ticket.order_ref, 1)
    await rig.heard.state(ticket.order_ref, OrderState.FILLED)
    await rig.broker.cancel(ticket.order_ref)
    assert await rig.heard.notice(ticket.order_ref, 161, 10148) in (161, 10148)
    assert [s.state for s in rig.heard.statuses(ticket.order_ref)][-1] is OrderState.FILLED


async def test_cancel_of_an_unknown_order_says_10147(rig: Rig) -> None:
    ref = rig.ref()
    await rig.broker.cancel(ref)
    assert await rig.heard.notice(ref, 10147) == 10147


async def test_stop_waits_until_it_is_touched(rig: Rig) -> None:
    contract = await rig.option()
    entry = rig.buy(contract, 1)
    await rig.broker.place([entry])
    await rig.heard.paid(entry.order_ref, 1)
    stop = rig.sell(contract, 1, kind=OrderKind.STOP, limit=None, stop=Decimal("0.50"))
    await rig.broker.place([stop])
    await rig.heard.state(stop.order_ref, OrderState.SUBMITTED)
    await rig.broker.modify(replace(stop, stop=Decimal("900.00")))
    await rig.heard.paid(stop.order_ref, 1)
    assert await held(rig, contract) == 0


async def test_market_data_of_both_agrees_with_the_exchange(rig: Rig) -> None:
    contract = await rig.option()
    quote = await rig.quote(contract)
    assert quote.bid is not None and quote.ask is not None and quote.bid < quote.ask
    assert SPX_OPTION_TICKS.is_legal(quote.bid) and SPX_OPTION_TICKS.is_legal(quote.ask)
    assert quote.bid_size > 0 and quote.ask_size > 0 and quote.grade is Grade.LIVE
    await rig.heard.until(lambda: bool(rig.heard.of(GreeksReport)), "greeks")
    greeks = rig.heard.of(GreeksReport)[-1].greeks
    assert greeks.contract == contract and 0 < greeks.delta < 1 and greeks.vega > 1 and greeks.theta < 0
    spx = await rig.broker.resolve(INSTRUMENTS["SPX"])
    await rig.broker.watch(spx)
    await rig.heard.until(lambda: len(rig.heard.of(TickReport)) > 2, "ticks of SPX")
    assert {report.tick.symbol for report in rig.heard.of(TickReport)} == {"SPX"}
    await rig.broker.unwatch(spx)


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M5, Timeframe.H1, Timeframe.H4, Timeframe.D1])
@pytest.mark.parametrize("symbol", ["SPX", "ES"])
async def test_history_is_the_exchange_s_own(rig: Rig, symbol: str, timeframe: Timeframe) -> None:
    instrument = INSTRUMENTS[symbol]
    rig.at_the_host_s_pace()
    end_ns = rig.clock.now()
    told = await rig.broker.history(instrument, timeframe, end_ns, 30)
    own = await rig.exchange.history(instrument, timeframe, end_ns, 30)
    assert len(told) == 30
    assert [bar[:5] for bar in told] == [bar[:5] for bar in own]


async def test_reference_answers_are_the_exchange_s_own(rig: Rig) -> None:
    for symbol in ("SPX", "SPY", "ES"):
        instrument = INSTRUMENTS[symbol]
        contract = await rig.broker.resolve(instrument)
        own = await rig.exchange.resolve(instrument)
        assert (contract, contract.con_id) == (own, own.con_id)
        assert await rig.broker.tick_rule(contract) == await rig.exchange.tick_rule(own)
        assert await rig.broker.chain(instrument) == await rig.exchange.chain(instrument)
    option = await rig.option()
    assert option.con_id and option.sec_type is SecType.OPTION
    assert await rig.broker.tick_rule(option) == SPX_OPTION_TICKS


async def test_what_if_answers_without_trading(rig: Rig) -> None:
    contract = await rig.option()
    quote = await rig.quote(contract)
    assert quote.bid is not None
    margin = await rig.broker.what_if(rig.buy(contract, 2, quote.bid))
    assert margin.initial >= 2 * quote.bid * 100
    assert await rig.broker.open_orders() == ()


async def test_a_target_and_a_stop_placed_together_rest_both_and_sell_once(rig: Rig) -> None:
    """As protection places them: one group that reduces, no parent. The stop is moved to the market, and takes
    the target with it."""
    contract = await rig.option()
    entry = rig.buy(contract, 2)
    await rig.broker.place([entry])
    await rig.heard.paid(entry.order_ref, 2)
    target = rig.sell(contract, 2, Decimal("900.00"), oca_group=f"OCA-{entry.order_ref}")
    stop = replace(
        target, order_ref=rig.ref("X"), kind=OrderKind.STOP, limit=None, stop=Decimal("0.10"),
        purpose=Purpose.STOP,
    )  # fmt: skip
    await rig.broker.place([target, stop])
    for ticket in (target, stop):
        await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
        shown = await open_order(rig, ticket.order_ref)
        assert shown is not None and shown.ticket == ticket
    quote = await rig.quote(contract)
    assert quote.bid is not None
    await rig.broker.modify(replace(stop, stop=quote.bid))
    await rig.heard.paid(stop.order_ref, 2)
    await rig.heard.state(target.order_ref, OrderState.CANCELLED)
    assert await held(rig, contract) == 0
    assert await rig.broker.open_orders() == ()


async def test_a_part_that_one_of_a_group_fills_is_told_of_the_other(rig: Rig) -> None:
    contract = await rig.option(away=3)
    quote = await rig.quote(contract)
    assert quote.ask is not None
    size = 60
    entry = rig.buy(contract, size, quote.ask + 5)
    await rig.broker.place([entry])
    await rig.heard.until(lambda: rig.heard.filled(entry.order_ref) >= size, "the entry in full")
    target = rig.sell(contract, size, Decimal("900.00"), oca_group=f"OCA-{entry.order_ref}")
    stop = replace(
        target, order_ref=rig.ref("X"), kind=OrderKind.STOP, limit=None, stop=Decimal("0.05"),
        purpose=Purpose.STOP,
    )  # fmt: skip
    await rig.broker.place([target, stop])
    await rig.heard.state(stop.order_ref, OrderState.SUBMITTED)
    await rig.broker.modify(replace(target, qty=Decimal(size), limit=Decimal("0.05")))
    await rig.heard.paid(target.order_ref, size)
    await rig.heard.state(stop.order_ref, OrderState.CANCELLED)
    left = [said.remaining for said in rig.heard.statuses(stop.order_ref)]
    assert left == sorted(left, reverse=True), "it only ever shrinks"
    assert await held(rig, contract) == 0
