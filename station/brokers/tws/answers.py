"""What the server says, one function a message, at server version 178. Each answers the message's fields."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from station.brokers.tws.wire import Field
from station.domain.clock import SECOND, to_datetime
from station.domain.instruments import Contract, SecType, TickRule
from station.domain.market import Bar, Greeks
from station.domain.orders import Action, Execution

Message = tuple[Field, ...]

SERVER_VERSION = 178
ZONE_NAME = "US/Eastern"
ZONE = ZoneInfo(ZONE_NAME)
NO_PRICE, NO_GREEK = -1, -2

BID_SIZE, BID, ASK, ASK_SIZE, LAST, LAST_SIZE, VOLUME = 0, 1, 2, 3, 4, 5, 8
CALL_OPEN_INTEREST, PUT_OPEN_INTEREST, CALL_VOLUME, PUT_VOLUME = 27, 28, 29, 30
MODEL_GREEKS, LAST_TIMESTAMP, HALTED = 13, 45, 49


def venue_time(at_ns: int) -> str:
    """`YYYYMMDD HH:MM:SS US/Eastern`: an instant as TWS prints it, to the second."""
    return f"{_eastern(at_ns):%Y%m%d %H:%M:%S} {ZONE_NAME}"


def _eastern(at_ns: int) -> datetime:
    return to_datetime(at_ns).astimezone(ZONE)


def contract_fields(contract: Contract, *, primary: bool = False) -> Message:
    """The eleven contract fields of server messages: conId to tradingClass, without primaryExchange."""
    right = contract.right.value if contract.right is not None else ""
    multiplier = "" if contract.sec_type in (SecType.STOCK, SecType.INDEX) else contract.multiplier
    exchange: Message = () if primary else (contract.exchange,)
    return (
        contract.con_id, contract.symbol, contract.sec_type.value, contract.expiry, contract.strike,
        right, multiplier, *exchange, *((contract.exchange,) if primary else ()),
        contract.currency, local_symbol(contract), contract.trading_class or contract.symbol,
    )  # fmt: skip


def local_symbol(contract: Contract) -> str:
    """The OCC form of an option (`SPXW  261118C05940000`), else symbol and expiry."""
    if contract.right is None:
        return f"{contract.symbol}{contract.expiry}"
    root = f"{contract.trading_class or contract.symbol:<6}"
    return f"{root}{contract.expiry[2:]}{contract.right.value}{int(contract.strike * 1000):08d}"


def handshake(at_ns: int) -> Message:
    return (SERVER_VERSION, f"{_eastern(at_ns):%Y%m%d %H:%M:%S} EST")


def managed_accounts(accounts: Sequence[str]) -> Message:
    return (15, 1, ",".join(accounts))


def next_valid_id(order_id: int) -> Message:
    return (9, 1, order_id)


def error(req_id: int, code: int, text: str) -> Message:
    return (4, 2, req_id, code, text.replace("\n", " "), "")


def simulated_time(at_ns: int, speed: float) -> Message:
    """A notice of our own: what time it is here to the nanosecond, and how fast it runs."""
    return error(-1, 2199, f"simulated time {at_ns} ns at {speed:g} x")


def current_time(at_ns: int) -> Message:
    return (49, 1, at_ns // SECOND)


def price_tick(req_id: int, tick_type: int, price: Decimal | float | None, size: float) -> Message:
    return (1, 6, req_id, tick_type, NO_PRICE if price is None else price, size, 0)


def size_tick(req_id: int, tick_type: int, size: float) -> Message:
    return (2, 6, req_id, tick_type, size)


def generic_tick(req_id: int, tick_type: int, value: float) -> Message:
    return (45, 6, req_id, tick_type, value)


def option_computation(req_id: int, greeks: Greeks, price: Decimal | None) -> Message:
    """IBKR's vega is per point of volatility; −2 stands for a greek that is not known."""
    vega = greeks.vega if greeks.vega == NO_GREEK else greeks.vega / 100
    return (
        21, req_id, MODEL_GREEKS, 0, greeks.iv, greeks.delta, NO_PRICE if price is None else price,
        NO_PRICE, greeks.gamma, vega, greeks.theta, greeks.underlying,
    )  # fmt: skip


def market_data_type(req_id: int, data_type: int) -> Message:
    return (58, 1, req_id, data_type)


def snapshot_end(req_id: int) -> Message:
    return (57, 1, req_id)


def depth_row(req_id: int, position: int, operation: int, side: int, price: Decimal, size: int) -> Message:
    """One row of a book: operation 0 insert, 1 update, 2 delete; side 0 ask, 1 bid."""
    return (12, 1, req_id, position, operation, side, price, size)


def order_status(
    order_id: int, status: str, filled: Decimal, remaining: Decimal, average: Decimal, perm_id: int,
    parent_id: int, last_price: Decimal, client_id: int, why_held: str = "",
) -> Message:  # fmt: skip
    return (
        3, order_id, status, filled, remaining, average, perm_id, parent_id, last_price, client_id,
        why_held, 0,
    )  # fmt: skip


def exec_details(
    req_id: int, order_id: int, client_id: int, execution: Execution, total: Decimal, average: Decimal
) -> Message:
    side = "BOT" if execution.action is Action.BUY else "SLD"
    exchange = execution.contract.exchange
    return (
        11, req_id, order_id, *contract_fields(execution.contract), execution.exec_id,
        venue_time(execution.at_ns), execution.account, exchange, side, execution.qty, execution.price,
        execution.perm_id, client_id, 0, total, average, execution.order_ref, "", "", "", 1, 0,
    )  # fmt: skip


def exec_details_end(req_id: int) -> Message:
    return (55, 1, req_id)


def commission_report(exec_id: str, commission: Decimal) -> Message:
    return (59, 1, exec_id, commission, "USD", "", "", "")


def open_order_end() -> Message:
    return (53, 1)


def completed_orders_end() -> Message:
    return (102,)


def position(account: str, contract: Contract, qty: Decimal, cost: Decimal) -> Message:
    return (61, 3, account, *contract_fields(contract), qty, cost)


def position_end() -> Message:
    return (62, 1)


def account_value(tag: str, value: Field, account: str, currency: str = "USD") -> Message:
    return (6, 2, tag, value, currency, account)


def account_time(at_ns: int) -> Message:
    return (8, 1, f"{_eastern(at_ns):%H:%M}")


def account_download_end(account: str) -> Message:
    return (54, 1, account)


def portfolio(
    account: str, contract: Contract, qty: Decimal, price: Decimal, cost: Decimal, unrealised: Decimal
) -> Message:
    return (
        7, 8, *contract_fields(contract, primary=True), qty, price, qty * price * contract.multiplier,
        cost * contract.multiplier, unrealised, 0, account,
    )  # fmt: skip


def account_update_multi(req_id: int, account: str, tag: str, value: Field) -> Message:
    return (73, 1, req_id, account, "", tag, value, "USD")


def account_update_multi_end(req_id: int) -> Message:
    return (74, 1, req_id)


def account_summary(req_id: int, account: str, tag: str, value: Field) -> Message:
    return (63, 1, req_id, account, tag, value, "USD")


def account_summary_end(req_id: int) -> Message:
    return (64, 1, req_id)


def pnl(req_id: int, daily: Decimal, unrealised: Decimal, realised: Decimal) -> Message:
    return (94, req_id, daily, unrealised, realised)


def contract_details(
    req_id: int, contract: Contract, rule_id: int, tick: Decimal, underlying_id: int, hours: tuple[str, str]
) -> Message:
    right = contract.right.value if contract.right is not None else ""
    multiplier = "" if contract.sec_type in (SecType.STOCK, SecType.INDEX) else contract.multiplier
    under_type = "FUT" if contract.sec_type is SecType.FUTURE_OPTION else "IND"
    derived = contract.sec_type not in (SecType.STOCK, SecType.INDEX)
    trading_hours, liquid_hours = hours
    return (
        10, req_id, contract.symbol, contract.sec_type.value, contract.expiry, contract.strike, right,
        contract.exchange, contract.currency, local_symbol(contract), contract.symbol,
        contract.trading_class or contract.symbol, contract.con_id, tick, multiplier,
        "LMT,MKT,OCA,STP,STPLMT", contract.exchange, 1, underlying_id, contract.symbol,
        contract.exchange, contract.expiry[:6], "", "", "", ZONE_NAME, trading_hours, liquid_hours, "", "",
        0, 1, contract.symbol if derived else "", under_type if derived else "", rule_id,
        contract.expiry, "", 1, 1, 1,
    )  # fmt: skip


def contract_details_end(req_id: int) -> Message:
    return (52, 1, req_id)


def option_params(
    req_id: int, exchange: str, con_id: int, trading_class: str, multiplier: int,
    expiries: Sequence[str], strikes: Sequence[Decimal],
) -> Message:  # fmt: skip
    return (
        75, req_id, exchange, con_id, trading_class, multiplier, len(expiries), *expiries, len(strikes),
        *strikes,
    )  # fmt: skip


def option_params_end(req_id: int) -> Message:
    return (76, req_id)


def market_rule(rule_id: int, rule: TickRule) -> Message:
    steps = [value for step in rule.steps for value in step]
    return (93, rule_id, len(rule.steps), *steps)


def historical_data(req_id: int, rows: Sequence[tuple[str, Bar]], start: str, end: str) -> Message:
    values: list[Field] = []
    for stamp, bar in rows:
        values += [stamp, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.close, 1]
    return (17, req_id, start, end, len(rows), *values)


def scanner_data(req_id: int, contracts: Sequence[Contract]) -> Message:
    values: list[Field] = []
    for rank, contract in enumerate(contracts):
        con_id, symbol, sec_type, expiry, strike, right, _mult, exchange, currency, local, cls = (
            contract_fields(contract)
        )
        values += [rank, con_id, symbol, sec_type, expiry, strike, right, exchange, currency, local]
        values += [symbol, cls, "", "", "", ""]
    return (20, 3, req_id, len(contracts), *values)


def user_info(req_id: int) -> Message:
    return (107, req_id, "")
