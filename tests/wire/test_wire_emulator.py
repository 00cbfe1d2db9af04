"""The emulator for anybody: the plain client library, several clients, hostile ones, and the verb's runner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import ib_async
import pytest

from station.brokers.ibkr import IbkrBroker
from station.brokers.tws.runner import serve_emulator
from station.brokers.tws.wire import HANDSHAKE, Framer, frame
from station.calendars import et_date
from station.clock import FollowingClock
from station.domain.broker import DepthReport
from station.domain.errors import BadInput, BrokerUnavailable
from station.domain.orders import OrderState
from tests.wire.wire_rig import ACCOUNT, DAY, PATIENCE_S, SPEED, Heard, Rig, turn


@pytest.fixture
async def ib(rig: Rig) -> AsyncIterator[ib_async.IB]:
    client = ib_async.IB()
    await client.connectAsync("127.0.0.1", rig.port, clientId=21, timeout=PATIENCE_S, raiseSyncErrors=True)
    yield client
    client.disconnect()


async def option(ib: ib_async.IB) -> ib_async.Contract:
    chains = await ib.reqSecDefOptParamsAsync("SPX", "", "IND", 1)
    (chain,) = [each for each in chains if each.tradingClass == "SPXW"]
    middle = chain.strikes[len(chain.strikes) // 2]
    asked = ib_async.Option("SPX", chain.expirations[0], middle, "C", "CBOE", tradingClass="SPXW")
    (found,) = await ib.qualifyContractsAsync(asked)
    assert isinstance(found, ib_async.Contract)
    return found


async def until(done: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not done():
            await turn()

    await asyncio.wait_for(wait(), PATIENCE_S)


async def test_plain_library_connects_with_everything_it_asks_for(ib: ib_async.IB) -> None:
    assert ib.managedAccounts() == [ACCOUNT]
    values = {value.tag: value.value for value in ib.accountValues(ACCOUNT)}
    assert Decimal(values["NetLiquidation"]) == Decimal(values["TotalCashValue"]) == 1_000_000
    summary = {row.tag: row.value for row in await ib.accountSummaryAsync(ACCOUNT)}
    assert Decimal(summary["BuyingPower"]) > 0
    assert ib.positions() == [] and ib.openTrades() == []
    assert (await ib.reqCurrentTimeAsync()).date() == DAY
    assert await ib.reqCompletedOrdersAsync(False) == []


async def test_plain_library_trades_without_a_reference_of_its_own(ib: ib_async.IB) -> None:
    contract = await option(ib)
    trade = ib.placeOrder(contract, ib_async.MarketOrder("BUY", 2))
    await until(lambda: trade.isDone() and all(f.commissionReport.execId for f in trade.fills))
    assert trade.orderStatus.status == "Filled"
    assert trade.filled() == 2
    assert trade.order.permId > 0
    await until(lambda: bool(ib.positions()) and bool(ib.portfolio()))
    (position,) = ib.positions()
    assert (position.position, position.contract.conId) == (2, contract.conId)
    assert position.avgCost == pytest.approx(trade.orderStatus.avgFillPrice * 100)
    (ended,) = await ib.reqCompletedOrdersAsync(False)
    assert (ended.orderStatus.status, ended.order.permId) == ("Filled", trade.order.permId)
    assert (ended.order.filledQuantity, ended.contract.conId) == (2, contract.conId)
    fills = await ib.reqExecutionsAsync()
    assert sum(fill.execution.shares for fill in fills) == 2


async def test_plain_library_places_its_own_bracket_and_cancels_it(ib: ib_async.IB) -> None:
    contract = await option(ib)
    bracket = ib.bracketOrder("BUY", 1, 1.05, 9.90, 0.50)
    trades = [ib.placeOrder(contract, order) for order in bracket]
    await until(lambda: all(trade.orderStatus.permId for trade in trades))
    assert len(await ib.reqAllOpenOrdersAsync()) == 3
    ib.cancelOrder(trades[0].order)
    await until(lambda: all(trade.isDone() for trade in trades))
    assert await ib.reqAllOpenOrdersAsync() == []


async def test_global_cancel_ends_every_client_s_orders(rig: Rig, ib: ib_async.IB) -> None:
    ticket = rig.buy(await rig.option(), 1, Decimal("1.05"))
    await rig.broker.place([ticket])
    await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    ib.reqGlobalCancel()
    await rig.heard.state(ticket.order_ref, OrderState.CANCELLED)


async def test_what_if_and_profit_and_depth_are_answered(rig: Rig, ib: ib_async.IB) -> None:
    contract = await option(ib)
    state = await ib.whatIfOrderAsync(contract, ib_async.LimitOrder("BUY", 1, 5.0))
    assert float(state.initMarginChange) > 0
    pnl = ib.reqPnL(ACCOUNT)
    await until(lambda: pnl.dailyPnL == 0)
    known = await rig.option()
    await rig.broker.watch_depth(known)
    await rig.heard.until(lambda: bool(rig.heard.of(DepthReport)), "a book")
    book = rig.heard.of(DepthReport)[-1]
    assert book.contract == known and len(book.bids) > 1 and len(book.asks) > 1
    assert [p for p, _ in book.bids] == sorted((p for p, _ in book.bids), reverse=True)
    assert book.bids[0][0] < book.asks[0][0]
    await rig.broker.unwatch_depth(known)


async def test_details_of_an_incomplete_contract_list_every_match(ib: ib_async.IB) -> None:
    one = await option(ib)
    both = await ib.reqContractDetailsAsync(
        ib_async.Option("SPX", one.lastTradeDateOrContractMonth, one.strike, "", "CBOE", tradingClass="SPXW")
    )
    assert [row.contract.right for row in both if row.contract] == ["C", "P"]
    assert both[0].tradingHours.startswith(f"{DAY:%Y%m%d}:0930-{DAY:%Y%m%d}:1600;")
    assert both[0].underSymbol == "SPX"
    (future,) = await ib.reqContractDetailsAsync(ib_async.Future("ES", exchange="CME"))
    assert future.contract is not None and future.contract.multiplier == "50"
    assert await ib.reqContractDetailsAsync(ib_async.Stock("NOSUCH", "SMART", "USD")) == []


async def test_unserved_requests_are_answered_with_a_clear_error(rig: Rig, ib: ib_async.IB) -> None:
    errors: list[tuple[int, int, str]] = []
    ib.errorEvent += lambda req_id, code, text, _: errors.append((req_id, code, text))
    ib.client.reqHeadTimeStamp(77, await option(ib), "TRADES", True, 1)
    ib.client.send(4711, 1, 2)
    await until(lambda: len(errors) >= 2)
    assert (errors[0][0], errors[0][1]) == (77, 321)
    assert "not served" in errors[0][2] and "4711" in errors[1][2]
    assert ib.isConnected()


async def connect(rig: Rig) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", rig.port)


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        HANDSHAKE + b"\x7f\xff\xff\xff",
        HANDSHAKE + frame(["v1..2"]),
        HANDSHAKE + frame(["hello"]),
        HANDSHAKE + frame(["v157..178"]) + frame([71, 2, "x", ""]),
        HANDSHAKE + frame(["v157..178"]) + frame([71, 2, 88, ""]) + frame([3, 1]),
    ],
)
async def test_hostile_client_loses_only_its_own_connection(rig: Rig, bytes_sent: bytes) -> None:
    reader, writer = await connect(rig)
    writer.write(bytes_sent)
    await asyncio.wait_for(reader.read(-1), PATIENCE_S)
    writer.close()
    assert rig.broker.connected
    assert await rig.broker.positions() == ()


async def test_client_that_never_says_its_id_is_served_nothing(rig: Rig) -> None:
    reader, writer = await connect(rig)
    writer.write(HANDSHAKE + frame(["v157..178"]) + frame([5, 1]))
    framer = Framer(greeted=True)
    said: list[tuple[str, ...]] = []
    while len(said) < 2:
        said += framer.feed(await asyncio.wait_for(reader.read(4096), PATIENCE_S))
    assert said[0][0] == "178"
    assert said[1][3] == "504"
    writer.close()


async def test_two_clients_keep_their_own_order_ids_and_see_each_other(rig: Rig, ib: ib_async.IB) -> None:
    contract = await option(ib)
    trade = ib.placeOrder(contract, ib_async.LimitOrder("BUY", 1, 1.05, orderRef="theirs"))
    await until(lambda: trade.orderStatus.status == "Submitted")
    ticket = rig.buy(await rig.option(), 1, Decimal("1.05"))
    await rig.broker.place([ticket])
    await rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
    shown = {(order.order_ref, order.client_id) for order in await rig.broker.open_orders()}
    assert shown == {("theirs", 21), (ticket.order_ref, 1)}
    assert [t.order.orderRef for t in await ib.reqOpenOrdersAsync()] == ["theirs"]


async def test_runner_serves_a_session_at_speed_and_resumes_its_book(tmp_path: Path) -> None:
    # The first is over before a slow client is there.
    broken = [f"2103@09:{minute}:02" for minute in range(30, 60)]

    async def one_run(refs: list[str]) -> list[str]:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        serving = asyncio.create_task(
            serve_emulator(
                0, 11, DAY, 20.0, [*broken, "reject_entry@15:00"], tmp_path, start="09:30",
                on_ready=ready.set_result, stop=stop,
            )
        )  # fmt: skip
        client = ib_async.IB()
        await client.connectAsync("127.0.0.1", await ready, clientId=1, timeout=PATIENCE_S)
        farms: list[int] = []
        client.errorEvent += lambda _req, code, _text, _contract: farms.append(code)
        for ref in refs:
            order = ib_async.LimitOrder("BUY", 1, 1.05, orderRef=ref)
            trade = client.placeOrder(await option(client), order)
            await until(lambda trade=trade: trade.orderStatus.status == "Submitted")
        if refs:
            await until(lambda: 2103 in farms)
        shown = [trade.order.orderRef for trade in await client.reqAllOpenOrdersAsync()]
        client.disconnect()
        stop.set()
        await serving
        return shown

    assert await one_run(["first"]) == ["first"]
    assert await one_run([]) == ["first"]


async def test_runner_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="speed 21"):
        await serve_emulator(0, 1, DAY, 21.0, [], tmp_path)
    with pytest.raises(BadInput, match="unknown fault"):
        await serve_emulator(0, 1, DAY, 1.0, ["no-such-thing"], tmp_path)


async def test_reports_wait_behind_a_delay_but_keep_their_order(rig: Rig) -> None:
    rig.server.faults.delay_s = 3.0
    ticket = rig.buy(await rig.option(), 1)
    await rig.broker.place([ticket])
    await rig.heard.paid(ticket.order_ref, 1)
    await rig.heard.state(ticket.order_ref, OrderState.FILLED)
    assert [s.state for s in rig.heard.statuses(ticket.order_ref)] == [
        OrderState.SUBMITTED, OrderState.FILLED,
    ]  # fmt: skip


async def test_exchange_that_drops_the_server_drops_its_clients_until_it_is_back(rig: Rig) -> None:
    await rig.exchange.disconnect()
    await rig.heard.until(lambda: not rig.broker.connected, "the link lost")
    again = Heard()
    while not rig.broker.connected:
        with suppress(BrokerUnavailable):
            await rig.broker.connect(again)
    assert await rig.broker.open_orders() == ()


async def test_station_on_the_broker_s_clock_runs_at_the_emulator_s_speed(rig: Rig) -> None:
    clock = FollowingClock(1.0)
    broker = IbkrBroker("127.0.0.1", rig.port, 31, clock=clock, emulator_port=rig.port, query_timeout_s=800.0)
    session = await broker.connect(Heard())
    assert clock.speed == SPEED
    assert et_date(session.venue_ns) == DAY
    before = rig.clock.now()
    await clock.sleep(5)
    await rig.pacer.present()
    assert et_date(clock.now()) == DAY
    assert rig.clock.now() > before
    await broker.disconnect()
