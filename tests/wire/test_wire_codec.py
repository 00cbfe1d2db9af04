"""The wire itself: framing, the long messages through the real library's coder and decoder, hostile bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import ib_async
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ib_async.order import PriceCondition

from station.brokers.tws import answers
from station.brokers.tws.faults import TimedFault, wire_fault
from station.brokers.tws.order_answer import OrderIds, open_order
from station.brokers.tws.order_request import PlaceOrder
from station.brokers.tws.requests import MarketData, Plain, StartApi, Unknown, parse
from station.brokers.tws.wire import HANDSHAKE, MAX_FRAME, Framer, WireError, frame, split
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, SPX_OPTION_TICKS, Right, option_contract
from station.domain.market import Bar, Greeks
from station.domain.orders import Action, Execution, OcaType, OrderKind, Purpose, Ticket

CALL = option_contract(INSTRUMENTS["SPX"], "20261118", Decimal(5940), Right.CALL)
TICKET = Ticket(
    "V1-DU1-T1-X-1", "DU1", CALL, Action.SELL, Decimal(2), OrderKind.STOP_LIMIT, Purpose.STOP,
    limit=Decimal("12.30"), stop=Decimal("12.50"), oca_group="g", oca_type=OcaType.REDUCE_NO_BLOCK,
)  # fmt: skip


class Library:
    """The real client's coder and decoder, without a socket."""

    def __init__(self) -> None:
        self.ib = ib_async.IB()
        self.client = self.ib.client
        self.client.connState = self.client.CONNECTED
        self.client._serverVersion = self.client.decoder.serverVersion = 178
        self.client.MaxRequests = 0
        self.sent: list[tuple[str, ...]] = []
        self.client.conn.sendMsg = lambda msg: self.sent.append(split(msg[4:]))
        self.heard: list[tuple[Any, ...]] = []

    def hears(self, name: str, message: answers.Message) -> tuple[Any, ...]:
        setattr(self.ib.wrapper, name, lambda *args: self.heard.append(args))
        self.client.decoder.interpret(list(split(frame(message)[4:])))
        return self.heard.pop()


@pytest.fixture
def library() -> Iterator[Library]:
    library = Library()
    yield library
    library.client.connState = library.client.DISCONNECTED


def order(**fields: Any) -> ib_async.Order:
    usual = {"totalQuantity": Decimal(2), "lmtPrice": Decimal("12.30"), "orderType": "LMT", "account": "DU1"}
    return ib_async.Order(action="BUY", orderRef="V1-DU1-T1-E-1", **{**usual, **fields})


def option() -> ib_async.Contract:
    found = ib_async.Option("SPX", "20261118", 5940, "C", "CBOE", "100", "USD", tradingClass="SPXW")
    found.conId = 5
    return found


def test_place_order_of_the_library_is_read_to_its_last_field(library: Library) -> None:
    library.client.placeOrder(
        12, option(), order(ocaGroup="g", ocaType=2, parentId=7, transmit=False, outsideRth=True)
    )
    got = parse(library.sent[-1])
    assert isinstance(got, PlaceOrder)
    assert (got.order_id, got.action, got.qty, got.order_type) == (12, "BUY", 2, "LMT")
    assert (got.limit, got.aux, got.order_ref, got.account) == (
        Decimal("12.30"), None, "V1-DU1-T1-E-1", "DU1",
    )  # fmt: skip
    assert (got.transmit, got.parent_id, got.oca_group, got.oca_type) == (False, 7, "g", 2)
    assert (got.outside_rth, got.what_if, got.exotic) == (True, False, "")
    assert (got.contract.strike, got.contract.right, got.contract.trading_class) == (5940, "C", "SPXW")


@pytest.mark.parametrize(
    ("fields", "feature"),
    [
        ({"conditions": [PriceCondition(price=1.0, conId=3, exch="SMART")]}, "conditions"),
        ({"algoStrategy": "Adaptive", "algoParams": [ib_async.TagValue("p", "Normal")]}, "an algo"),
        ({"hedgeType": "D", "hedgeParam": "1"}, "a hedge"),
        ({"scalePriceIncrement": 0.05}, "a scale"),
        ({"deltaNeutralOrderType": "MKT"}, "a delta-neutral hedge"),
        ({"orderType": "PEG BENCH"}, ""),
    ],
)
def test_exotic_orders_are_understood_well_enough_to_refuse(
    library: Library, fields: dict[str, Any], feature: str
) -> None:
    library.client.placeOrder(1, option(), order(**fields, whatIf=True))
    got = parse(library.sent[-1])
    assert isinstance(got, PlaceOrder)
    assert (got.exotic, got.what_if) == (feature, True)


def test_open_order_is_read_back_by_the_library(library: Library) -> None:
    order_id, contract, known, state = library.hears(
        "openOrder", open_order(TICKET, OrderIds(3, 1, 99, 2), "PreSubmitted")
    )
    assert (order_id, state.status, known.permId, known.clientId, known.parentId) == (
        3, "PreSubmitted", 99, 1, 2,
    )  # fmt: skip
    assert (known.orderType, known.lmtPrice, known.auxPrice, known.totalQuantity) == (
        "STP LMT", 12.3, 12.5, 2,
    )  # fmt: skip
    assert (known.orderRef, known.ocaGroup, known.ocaType, known.account) == ("V1-DU1-T1-X-1", "g", 3, "DU1")
    assert (contract.strike, contract.localSymbol) == (5940.0, "SPXW  261118C05940000")


def test_execution_carries_its_zone_and_reference(library: Library) -> None:
    at_ns = 1_795_013_100_000_000_000
    fill = Execution("0e.01", "V1-r", "DU1", CALL, Action.SELL, Decimal(2), Decimal("12.3"), at_ns, 9)
    req_id, _, execution = library.hears(
        "execDetails", answers.exec_details(-1, 3, 1, fill, Decimal(2), Decimal("12.3"))
    )
    assert req_id == -1
    assert round(execution.time.timestamp()) == at_ns // 10**9
    assert (execution.side, execution.shares, execution.orderRef, execution.permId) == ("SLD", 2, "V1-r", 9)


def test_other_answers_reach_the_library_s_handlers(library: Library) -> None:
    assert library.hears("marketRule", answers.market_rule(26, SPX_OPTION_TICKS))[1][1].lowEdge == 3.0
    assert library.hears("position", answers.position("DU1", CALL, Decimal(2), Decimal(9)))[2:] == (2.0, 9.0)
    greeks = Greeks(CALL, 0.2, 0.5, 0.01, -1.0, 25.0, 5900.0, 1)
    told = library.hears("tickOptionComputation", answers.option_computation(5, greeks, None))
    assert told[3:] == (0.2, 0.5, -1.0, -1.0, 0.01, 0.25, -1.0, 5900.0)
    assert library.hears("priceSizeTick", answers.price_tick(5, 1, None, 0)) == (5, 1, -1.0, 0.0)
    rows = [("1795013100", Bar(1, 1.0, 2.0, 0.5, 1.5, 10.0))]
    (_, bar) = library.hears("historicalData", answers.historical_data(5, rows, "a", "b"))
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (1.0, 2.0, 0.5, 1.5, 10.0)
    details = library.hears(
        "contractDetails", answers.contract_details(4, CALL, 26, Decimal("0.05"), 77, ("a", "b"))
    )
    assert (details[1].marketRuleIds, details[1].minTick, details[1].underConId) == ("26", 0.05, 77)


def test_messages_may_arrive_in_any_pieces() -> None:
    whole = HANDSHAKE + frame(["v157..178"]) + frame([71, 2, 4, ""]) + frame([49, 1])
    for size in (1, 2, 3, 7, len(whole)):
        framer = Framer()
        found = [m for i in range(0, len(whole), size) for m in framer.feed(whole[i : i + size])]
        assert [parse(m) for m in found[1:]] == [StartApi(4), Plain("reqCurrentTime")]


def test_unserved_message_keeps_its_request_id() -> None:
    assert parse(("96", "17")) == Unknown(96, 17)
    assert parse(("52", "2", "18")) == Unknown(52, 18)
    assert parse(("77777",)) == Unknown(77777, -1)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        HANDSHAKE + (MAX_FRAME + 1).to_bytes(4, "big"),
        b"\0\0\0\0",
    ],
)
def test_what_is_not_this_protocol_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        Framer().feed(data)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), max_size=60))
def test_no_message_makes_the_parser_raise_anything_but_wire_error(fields: list[str]) -> None:
    with suppress(WireError):
        parse(tuple(fields) or ("",))


@given(
    st.sampled_from([1, 3, 4, 6, 7, 9, 20, 22, 78]),
    st.lists(st.sampled_from(["", "1", "-1", "x", "9e99"]), max_size=130),
)
def test_known_messages_with_any_fields_parse_or_are_malformed(msg_id: int, rest: list[str]) -> None:
    with suppress(WireError):
        parse((str(msg_id), *rest))


def test_text_never_smuggles_a_field_separator() -> None:
    assert split(frame(["a\0b", 1])[4:]) == ("a b", "1")
    assert isinstance(parse(("1", "11", "5", *[""] * 12, "0", "", "0", "0", "")), MarketData)


def test_faults_are_named_in_words_or_in_codes() -> None:
    assert wire_fault("drop") == TimedFault("drop")
    assert wire_fault("1100@10:30") == TimedFault("link-down", "10:30:00")
    assert wire_fault("halt@10:30:05") is None
    with pytest.raises(BadInput, match="NAME@HH:MM:SS"):
        wire_fault("drop at ten")
