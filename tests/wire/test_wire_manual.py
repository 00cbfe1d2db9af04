"""Orders of a hand over the wire: the screen's link, the engine, the real client library and the emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from station.brokers.paper import Fault
from station.domain.orders import Order, OrderKind, OrderState
from station.domain.trade import Trade, TradeState
from station.link import (
    CancelAll,
    CancelOrder,
    ClosePart,
    CloseTrade,
    Flatten,
    Gate,
    Kill,
    KillRelease,
    LinkDown,
    ModifyOrder,
    PlaceOrder,
    ReverseTrade,
)
from tests.lab import assert_sound, paper_rows
from tests.wire.wire_station import WireStation

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = ("MARKET", "MID", "LIMIT", "STOP", "STOP_LIMIT", "bracket")
CENT, FAR = Decimal("0.01"), Decimal("0.05")
REFUSING = (Fault("reject_entry", symbol="QQQ"), Fault("reject_modify", symbol="IWM"))
"""One each: of the symbols that only the tests of refusals trade."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def station(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WireStation]:
    """One start for all of them: the history of every instrument is asked for anew at each."""
    home: Path = tmp_path_factory.mktemp("wire")
    station = WireStation(home, REFUSING)
    await station.open()
    yield station
    await station.close()
    assert_sound(home / "station")


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def clear_floor(station: WireStation) -> None:
    """Whatever the test before has left."""
    await station.ask(KillRelease("RELEASE", "test"))
    await station.done(Flatten("test"))
    await station.until(lambda: not station.rooms.ledger.open_trades(), "nothing is open")
    await station.done(Gate("open", "test"))


def priced(kind: str, ask: Decimal) -> dict[str, Any]:
    """What a ticket of this kind says so that it fills: its trigger is behind the market already."""
    limit, trigger = f"{ask + 1}", "0.10"
    return {
        "MARKET": {}, "MID": {"valid_s": 3600}, "LIMIT": {"limit": limit}, "STOP": {"stop": trigger},
        "STOP_LIMIT": {"stop": trigger, "limit": limit},
        "bracket": {"limit": limit, "target_pct": "40", "stop_pct": "30"},
    }[kind]  # fmt: skip


@pytest.mark.parametrize("kind", ["MARKET", "MID", "LIMIT", "STOP", "STOP_LIMIT", "bracket"])
async def test_each_kind_of_order_is_filled_and_protected_over_the_wire(
    station: WireStation, kind: str
) -> None:
    off = ["MARKET", "MID", "LIMIT", "STOP", "STOP_LIMIT", "bracket"].index(kind)
    ask = await station.ask_of(station.near(off=off))
    terms = priced(kind, ask) | {"kind": "LIMIT" if kind == "bracket" else kind}
    trade = await station.placed(station.near(off=off, **terms))
    sent = station.entry(trade).ticket
    assert sent.kind is (OrderKind.LIMIT if kind in ("MID", "bracket") else OrderKind[kind])
    if kind == "MID":
        await station.until(lambda: station.entry(trade).state is OrderState.SUBMITTED, "it rests at mid")
        await station.done(ModifyOrder(sent.order_ref, limit=f"{ask + 1}", by="test", token=station.token()))
    await station.until(lambda: station.is_protected(trade), f"{kind} is filled and protected")
    held, target = station.now(trade), station.target(trade)
    there = await station.at_broker(target.ref)
    assert there is not None and there.ticket is not None
    assert (there.ticket.limit, there.ticket.qty) == (target.ticket.limit, held.open_qty)
    if kind == "bracket":
        assert held.entry_price is not None and target.ticket.limit is not None
        assert 0 <= target.ticket.limit - held.entry_price * Decimal("1.4") < CENT
        assert held.own is not None and held.own.stop_pct == 30
        stop = station.stop(trade)
        assert stop is not None
        beside = await station.at_broker(stop.ref)
        assert beside is not None and beside.ticket is not None
        assert beside.ticket.stop == stop.ticket.stop
        assert beside.ticket.oca_group == there.ticket.oca_group == f"OCA-{target.ref}"
    await station.done(CloseTrade(trade.id, "test"))
    await station.until(lambda: station.is_over(trade), f"{kind} is closed")
    assert station.now(trade).cause == "manual"


async def test_resting_entries_are_changed_in_place_and_cancelled_one_by_one_and_together(
    station: WireStation,
) -> None:
    far: dict[str, dict[str, Any]] = {"LIMIT": {"limit": "0.05"}, "STOP": {"stop": "90.00"},
           "STOP_LIMIT": {"stop": "90.00", "limit": "91.00"}}  # fmt: skip
    wants: dict[str, dict[str, Any]] = {"LIMIT": {"limit": "0.06", "qty": 2}, "STOP": {"stop": "92.00"},
             "STOP_LIMIT": {"stop": "93.00", "limit": "94.00"}}  # fmt: skip
    first_strike = int(station.near().strike)
    trades = {
        kind: await rested(station, strike=f"{first_strike + n}", kind=kind, **far[kind])
        for n, kind in enumerate(far)
    }
    for kind, trade in trades.items():
        ref = station.entry(trade).ref
        await station.done(ModifyOrder(ref, **wants[kind], by="test", token=station.token()))
    for kind, trade in trades.items():
        ref = station.entry(trade).ref
        await station.until(
            lambda ref=ref: not station.rooms.ledger.book.is_changing(ref), f"{kind} is changed"
        )
        there = await station.at_broker(ref)
        assert there is not None and there.ticket is not None
        told = {"limit": there.ticket.limit, "stop": there.ticket.stop, "qty": int(there.ticket.qty)}
        assert {name: told[name] for name in wants[kind]} == {
            name: value if name == "qty" else Decimal(str(value)) for name, value in wants[kind].items()
        }
    first, *rest = trades.values()
    await station.done(CancelOrder(station.entry(first).ref, "test"))
    await station.until(lambda: station.now(first).state is TradeState.FAILED, "one is cancelled")
    assert station.now(first).reason == "cancelled by hand"
    assert await station.done(CancelAll("test")) == "cancelling 2 working entries"
    await station.until(lambda: all(station.is_over(one) for one in rest), "all are cancelled")
    assert await station.rig.exchange.open_orders() == ()


def works(station: WireStation, trade: Trade) -> bool:
    ref = station.now(trade).entry_ref
    return bool(ref) and station.rooms.ledger.book.orders[ref].state is OrderState.SUBMITTED


async def rested(station: WireStation, **terms: Any) -> Trade:
    """An entry that works at the broker and will not fill."""
    price = {} if "kind" in terms else {"kind": "LIMIT", "limit": "0.05"}
    trade = await station.placed(station.near(**price, **terms))
    await station.until(lambda: works(station, trade), f"{trade.id} rests")
    return trade


async def test_a_target_is_moved_a_part_closed_and_the_rest_turned_round_and_flattened(
    station: WireStation,
) -> None:
    trade = await station.held(station.near(qty=3, target_pct="200", stop_pct="80"))
    target = station.target(trade)
    assert target.ticket.limit is not None
    higher = target.ticket.limit + CENT
    await station.done(ModifyOrder(target.ref, limit=f"{higher}", by="test", token=station.token()))
    await station.until(lambda: station.target(trade).ticket.limit == higher, "the target is moved")
    token = station.token()
    await station.done(ClosePart(trade.id, 1, "test", token))
    await station.until(lambda: station.now(trade).open_qty == 2, "a part is closed")
    await station.until(lambda: station.is_protected(trade), "the rest is protected")
    assert "it was placed before" in await station.done(ClosePart(trade.id, 1, "test", token))
    token = station.token()
    await station.agreed()
    await station.done(ReverseTrade(trade.id, token, "test"))
    await station.until(lambda: station.is_over(trade), "the call is closed")
    turned = station.by_token(f"{token}:opposite")
    await station.until(lambda: station.is_protected(turned), "the put is bought")
    after = station.now(turned)
    assert after.contract is not None and (after.contract.label[-1], after.open_qty) == ("P", 2)
    assert await station.done(Flatten("test")) == "flattening 1 positions, gate CLOSED"
    await station.until(lambda: station.is_over(turned), "flat")
    assert await station.rig.exchange.positions() == ()
    assert await station.rig.exchange.open_orders() == ()


async def went_off(station: WireStation, trade: Trade, stop: Order) -> Decimal:
    """The stop follows the bid, a cent under it, until the market comes back to it; where it was then."""
    contract, book = trade.contract, station.rooms.ledger.book
    assert contract is not None

    def stands() -> Decimal:
        return book.orders[stop.ref].ticket.stop or Decimal(0)

    def is_at(level: Decimal) -> bool:
        return station.is_over(trade) or stands() == level

    def wanted() -> Decimal:
        quote = station.rooms.market.quote(contract)
        return stands() if quote is None or quote.bid is None else quote.bid - CENT

    while not station.is_over(trade):
        level = wanted()
        if level > stands():
            moved = ModifyOrder(stop.ref, stop=f"{level}", by="test", token=station.token())
            if (await station.ask(moved)).ok:
                await station.until(partial(is_at, level), f"the stop is at {level}")
        await station.until(lambda: station.is_over(trade) or wanted() > stands(), "the bid moves")
    return stands()


async def test_a_stop_is_moved_at_the_broker_goes_off_there_and_ends_its_target(station: WireStation) -> None:
    trade = await station.held(station.near(right="P", off=2, qty=2, target_pct="200", stop_pct="80"))
    target, stop = station.target(trade), station.stop(trade)
    assert stop is not None
    assert stop.ticket.stop is not None
    assert await went_off(station, trade, stop) > stop.ticket.stop
    assert station.now(trade).cause == "stop"
    book = station.rooms.ledger.book
    await station.until(lambda: book.orders[target.ref].state is OrderState.CANCELLED, "its target is gone")
    assert await station.rig.exchange.open_orders() == ()


async def test_the_kill_switch_stops_and_cancels_then_flattens_and_a_word_releases_it(
    station: WireStation,
) -> None:
    held = await station.held(station.near(right="P", target_pct="200", stop_pct="80"))
    rests = await rested(station, right="P", off=1)
    await station.done(Kill(False, "test"))
    await station.until(lambda: station.is_over(rests), "the entry is cancelled")
    assert station.is_protected(held)
    refused = await station.ask(PlaceOrder(station.near(), station.token(), "test"))
    assert not refused.ok and "kill" in refused.text
    await station.done(Kill(True, "test"))
    await station.until(lambda: station.is_over(held), "flat")
    assert await station.rig.exchange.positions() == ()
    assert not (await station.ask(KillRelease("release", "test"))).ok
    await station.done(KillRelease("RELEASE", "test"))


async def test_what_the_broker_refuses_is_told_with_its_code_and_its_words(station: WireStation) -> None:
    trade = await station.placed(station.near("QQQ"))
    await station.until(lambda: station.is_over(trade), "the order is rejected")
    assert station.now(trade).reason == "201 Order rejected - reason: refused by the exchange"
    await station.until(lambda: any("201 Order rejected" in text for text in station.alerts()), "it is told")
    trade = await rested(station, symbol="IWM")
    ref = station.entry(trade).ref
    await station.done(ModifyOrder(ref, limit="0.06", by="test", token=station.token()))
    await station.until(lambda: any("CHANGE REFUSED IWM" in text for text in station.alerts()), "it is told")
    told = next(text for text in station.alerts() if "CHANGE REFUSED" in text)
    assert "105 " in told
    assert told.endswith("the order stands as it was")
    assert station.entry(trade).ticket.limit == FAR
    again = await station.ask(ModifyOrder(ref, limit="0.07", by="test", token=station.token()))
    assert (again.code, "cancel it and place a new one" in again.text) == ("FIXED", True)
    await station.done(CancelOrder(ref, "test"))
    await station.until(lambda: station.is_over(trade), "it is cancelled")


async def test_the_preview_asks_the_broker_for_the_margin(station: WireStation) -> None:
    ticket = station.near(kind="LIMIT", limit="2.00", qty=2)
    await station.ask_of(ticket)
    document = await station.margin_of(ticket)
    assert document["verdict"] == "approved", document["rules"]
    assert (Decimal(document["margin"]["initial"]), Decimal(document["cost"])) == (Decimal("401.30"), 400)
    assert await station.rig.exchange.open_orders() == ()


async def test_an_order_whose_answer_a_screen_lost_is_placed_once(station: WireStation) -> None:
    ticket = station.near(off=1, kind="LIMIT", limit="0.05")
    await station.ask_of(ticket)
    token = station.token()
    screen = await station.new_link()
    with pytest.raises(LinkDown):
        await screen.ask(PlaceOrder(ticket, token, "test"), 0.0)
    await screen.close()
    await station.until(lambda: station.rooms.ledger.by_token(token) is not None, "the order arrived")
    said = await station.done(PlaceOrder(ticket, token, "test"))
    assert "it was placed before" in said
    trade = station.by_token(token)
    await station.until(lambda: works(station, trade), "it rests")
    (order,) = await station.rig.exchange.open_orders()
    assert order.order_ref == station.entry(trade).ref
    await station.done(CancelAll("test"))
    await station.until(lambda: station.is_over(trade), "it is cancelled")


def there(station: WireStation) -> int:
    """Entries that the exchange has on its book, by its own database."""
    sql = "SELECT order_ref FROM orders WHERE purpose = 'entry' AND state = 'SUBMITTED'"
    return len(paper_rows(station.rig_home, sql))


async def test_an_order_in_flight_when_the_broker_s_line_drops_is_there_once_or_sent_once(
    station: WireStation,
) -> None:
    ticket = station.near(kind="LIMIT", limit="0.05")
    await station.ask_of(ticket)
    tuned, broker = station.rooms.tuned, station.run.engine.outside.broker
    asking = tuned.settings
    unasked = asking.execution.model_copy(update={"what_if": False})
    tuned.take(asking.model_copy(update={"execution": unasked}))
    station.rig.server.faults.muted = True
    token = station.token()
    await station.done(PlaceOrder(ticket, token, "test"))
    await station.until(lambda: there(station) > 0, "the order has arrived")
    station.rig.server.drop()
    await station.until(lambda: not broker.connected, "the line is lost")
    assert "it was placed before" in await station.done(PlaceOrder(ticket, token, "test"))
    trade = station.by_token(token)
    assert station.entry(trade).state in (OrderState.PENDING, OrderState.UNKNOWN)
    station.rig.server.faults.muted = False
    tuned.take(asking)
    await station.until(lambda: works(station, trade), "it is found at the broker")
    assert there(station) == 1
    await station.done(CancelAll("test"))
    await station.until(lambda: station.is_over(trade), "it is cancelled")
