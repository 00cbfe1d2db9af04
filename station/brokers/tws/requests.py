"""What a client may ask, as typed values; `parse` reads one message of server version 178."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from station.brokers.tws.order_request import PlaceOrder, WireContract, read_contract, read_place_order
from station.brokers.tws.wire import Fields, WireError


@dataclass(frozen=True, slots=True)
class StartApi:
    client_id: int


@dataclass(frozen=True, slots=True)
class MarketData:
    req_id: int
    contract: WireContract
    generic_ticks: str
    snapshot: bool


@dataclass(frozen=True, slots=True)
class Depth:
    req_id: int
    contract: WireContract
    rows: int


@dataclass(frozen=True, slots=True)
class CancelOrder:
    order_id: int


@dataclass(frozen=True, slots=True)
class AccountUpdates:
    subscribe: bool
    account: str


@dataclass(frozen=True, slots=True)
class AccountUpdatesMulti:
    req_id: int
    account: str


@dataclass(frozen=True, slots=True)
class AccountSummary:
    req_id: int
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Executions:
    req_id: int
    client_id: int
    account: str
    symbol: str
    sec_type: str
    side: str


@dataclass(frozen=True, slots=True)
class ContractDetails:
    req_id: int
    contract: WireContract


@dataclass(frozen=True, slots=True)
class OptionParams:
    req_id: int
    symbol: str
    exchange: str
    sec_type: str
    con_id: int


@dataclass(frozen=True, slots=True)
class MarketRule:
    rule_id: int


@dataclass(frozen=True, slots=True)
class HistoricalData:
    req_id: int
    contract: WireContract
    end: str
    bar_size: str
    duration: str
    use_rth: bool
    what: str
    format_date: int
    keep_up_to_date: bool


@dataclass(frozen=True, slots=True)
class MarketDataType:
    data_type: int


@dataclass(frozen=True, slots=True)
class ProfitAndLoss:
    req_id: int
    account: str


@dataclass(frozen=True, slots=True)
class MarketScan:
    req_id: int
    rows: int
    code: str
    above_price: Decimal | None
    above_volume: int | None


@dataclass(frozen=True, slots=True)
class Plain:
    """A request that is its name alone, or its name and one id (`ref`, -1 where it has none)."""

    name: str
    ref: int = -1


@dataclass(frozen=True, slots=True)
class Unknown:
    msg_id: int
    req_id: int


Request = (
    StartApi | MarketData | Depth | PlaceOrder | CancelOrder | AccountUpdates | AccountUpdatesMulti
    | AccountSummary | Executions | ContractDetails | OptionParams | MarketRule | HistoricalData
    | MarketDataType | ProfitAndLoss | MarketScan | Plain | Unknown
)  # fmt: skip


def _start_api(f: Fields) -> Request:
    f.skip(1)
    return StartApi(f.integer())


def _market_data(f: Fields) -> Request:
    f.skip(1)
    req_id, contract = f.integer(), read_contract(f)
    if contract.sec_type == "BAG":
        f.skip(4 * f.integer())
    if f.flag():
        f.skip(3)
    return MarketData(req_id, contract, f.text(), f.flag())


def _depth(f: Fields) -> Request:
    f.skip(1)
    return Depth(f.integer(), read_contract(f), f.integer())


def _cancel_order(f: Fields) -> Request:
    f.skip(1)
    return CancelOrder(f.integer())


def _account_updates(f: Fields) -> Request:
    f.skip(1)
    return AccountUpdates(f.flag(), f.text())


def _account_updates_multi(f: Fields) -> Request:
    f.skip(1)
    return AccountUpdatesMulti(f.integer(), f.text())


def _account_summary(f: Fields) -> Request:
    f.skip(1)
    req_id, _group = f.integer(), f.text()
    return AccountSummary(req_id, tuple(tag for tag in f.text().split(",") if tag))


def _executions(f: Fields) -> Request:
    f.skip(1)
    req_id, client_id, account = f.integer(), f.integer(), f.text()
    f.skip(1)
    symbol, sec_type = f.text(), f.text()
    f.skip(1)
    return Executions(req_id, client_id, account, symbol, sec_type, f.text())


def _contract_details(f: Fields) -> Request:
    f.skip(1)
    return ContractDetails(f.integer(), read_contract(f))


def _historical(f: Fields) -> Request:
    req_id, contract = f.integer(), read_contract(f)
    f.skip(1)
    end, bar_size, duration, rth, what, form = (
        f.text(), f.text(), f.text(), f.flag(), f.text(), f.integer(1),
    )  # fmt: skip
    if contract.sec_type == "BAG":
        f.skip(4 * f.integer())
    return HistoricalData(req_id, contract, end, bar_size, duration, rth, what, form, f.flag())


def _option_params(f: Fields) -> Request:
    return OptionParams(f.integer(), f.text(), f.text(), f.text(), f.integer())


def _pnl(f: Fields) -> Request:
    return ProfitAndLoss(f.integer(), f.text())


def _scan(f: Fields) -> Request:
    req_id, rows = f.integer(), f.integer()
    f.skip(2)
    code, above_price = f.text(), f.decimal()
    f.skip(1)
    volume = f.integer(-1)
    return MarketScan(req_id, rows, code, above_price, None if volume < 0 else volume)


def _market_data_type(f: Fields) -> Request:
    f.skip(1)
    return MarketDataType(f.integer(1))


def _plain(name: str) -> Callable[[Fields], Request]:
    return lambda _: Plain(name)


def _with_id(name: str, *, versioned: bool) -> Callable[[Fields], Request]:
    def read(f: Fields) -> Request:
        f.skip(1 if versioned else 0)
        return Plain(name, f.integer(-1))

    return read


_READERS: Final[Mapping[int, Callable[[Fields], Request]]] = {
    1: _market_data,
    2: _with_id("cancelMktData", versioned=True),
    3: read_place_order,
    4: _cancel_order,
    5: _plain("reqOpenOrders"),
    6: _account_updates,
    7: _executions,
    8: _plain("reqIds"),
    9: _contract_details,
    10: _depth,
    11: _with_id("cancelMktDepth", versioned=True),
    15: _plain("reqAutoOpenOrders"),
    16: _plain("reqAllOpenOrders"),
    17: _plain("reqManagedAccts"),
    20: _historical,
    22: _scan,
    23: _with_id("cancelScannerSubscription", versioned=True),
    25: _with_id("cancelHistoricalData", versioned=True),
    49: _plain("reqCurrentTime"),
    58: _plain("reqGlobalCancel"),
    59: _market_data_type,
    61: _plain("reqPositions"),
    62: _account_summary,
    63: _with_id("cancelAccountSummary", versioned=True),
    64: _plain("cancelPositions"),
    71: _start_api,
    76: _account_updates_multi,
    77: _with_id("cancelAccountUpdatesMulti", versioned=True),
    78: _option_params,
    91: lambda f: MarketRule(f.integer()),
    92: _pnl,
    93: _with_id("cancelPnL", versioned=False),
    99: _plain("reqCompletedOrders"),
    104: _with_id("reqUserInfo", versioned=False),
}

_VERSIONED_UNKNOWN: Final = frozenset({12, 13, 14, 18, 19, 21, 24, 50, 51, 52, 53, 54, 55, 56, 57, 74, 75})


def parse(fields: tuple[str, ...]) -> Request:
    """One client message. Raises WireError where it is malformed; what is merely unserved is `Unknown`."""
    cursor = Fields(fields)
    msg_id = cursor.integer(-1)
    reader = _READERS.get(msg_id)
    if reader is not None:
        return reader(cursor)
    return Unknown(msg_id, _unknown_id(msg_id, cursor))


def _unknown_id(msg_id: int, cursor: Fields) -> int:
    """The request id of an unserved message, so that its asker gets an error and not silence."""
    try:
        cursor.skip(1 if msg_id in _VERSIONED_UNKNOWN else 0)
        return cursor.integer(-1)
    except WireError:
        return -1
