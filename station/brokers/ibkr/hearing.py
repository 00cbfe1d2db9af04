"""What TWS says, heard message by message and passed to the room it concerns."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

import ib_async
from ib_async.objects import CommissionReport as TheirCommission

from station.brokers.ibkr.connection import ID_IN_USE, Connection
from station.brokers.ibkr.market_room import MarketRoom
from station.brokers.ibkr.order_room import OrderRoom
from station.brokers.ibkr.tap import TappedIB
from station.brokers.ibkr.values import ContractBook, number
from station.clock import FollowingClock
from station.domain.broker import FarmReport, LinkReport, NoticeReport, Position, Report
from station.domain.clock import Clock
from station.domain.orders import ZERO

FARM_DOWN: Final = frozenset({2103, 2105, 2157})
FARM_UP: Final = frozenset({2104, 2106, 2158})
DUPLICATE_ID: Final = 103
TOO_MANY: Final = 100
SIMULATED_TIME: Final = 2199
"""The emulator's own notice, in the range of codes that every client takes for a harmless warning."""
_SIMULATED: Final = re.compile(r"simulated time (\d+) ns at ([0-9.]+) x")

log = logging.getLogger(__name__)


class Hearing:
    """The tap's listener. `positions` and `summaries` collect the answer of a query while it is out; `follows`
    once a clock that can has taken the time and the speed of a simulated market."""

    def __init__(
        self, clock: Clock, link: Connection, orders: OrderRoom, market: MarketRoom, contracts: ContractBook,
        report: Callable[[Report], None], resubscribe: Callable[[TappedIB], None],
    ) -> None:  # fmt: skip
        self.account = ""
        self.follows = False
        self.positions: dict[tuple[str, int], Position] | None = None
        self.summaries: dict[int, dict[str, Decimal]] = {}
        self._clock = clock
        self._link = link
        self._orders = orders
        self._market = market
        self._contracts = contracts
        self._report = report
        self._resubscribe = resubscribe

    def tickers(self, tickers: set[ib_async.Ticker]) -> None:
        try:
            self._market.on_tickers(tickers)
        except Exception as error:
            log.exception("market data handler failed")
            self.failed("tickers", error)

    def heard(self) -> None:
        self._link.heard()

    def order_status(
        self, order_id: int, status: str, filled: float, remaining: float, average: float, perm_id: int,
        client_id: int, why_held: str,
    ) -> None:  # fmt: skip
        self._orders.order_status(order_id, status, filled, remaining, average, perm_id, client_id, why_held)

    def open_order(
        self, contract: ib_async.Contract, order: ib_async.Order, state: ib_async.OrderState
    ) -> None:
        self._orders.open_order(contract, order, state)

    def executed(self, req_id: int, contract: ib_async.Contract, execution: ib_async.Execution) -> None:
        self._orders.executed(req_id, contract, execution)

    def commission(self, report: TheirCommission) -> None:
        self._orders.commission(report)

    def position(self, account: str, contract: ib_async.Contract, qty: float, cost: float) -> None:
        if self.positions is None:
            return
        known = self._contracts.ours(contract)
        if known is None:
            text = f"position in {contract.secType} {contract.symbol} cannot be represented: it is left out"
            self._report(NoticeReport(0, text, self._clock.now(), contract.symbol))
            return
        each = (number(cost) or ZERO) / known.multiplier
        self.positions[account, contract.conId] = Position(account, known, number(qty) or ZERO, each)

    def account_row(self, req_id: int, account: str, tag: str, value: str, currency: str) -> None:
        held = self.summaries.get(req_id)
        amount = number(value)
        if held is not None and account == self.account and currency in ("USD", "") and amount is not None:
            held[tag] = amount

    def error(self, req_id: int, code: int, text: str) -> None:
        now = self._clock.now()
        if req_id > 0 and self._orders.error(req_id, code, text):
            if code == DUPLICATE_ID and self._link.up:
                self._link.ib().client.reqIds(1)
        elif code == ID_IN_USE:
            self._link.refused(text)
        elif code == SIMULATED_TIME:
            self._follow(text)
        elif code == 1100:
            self._link.venue_up = False
            self._report(LinkReport(up=False, at_ns=now, reason=text))
        elif code in (1101, 1102):
            self._link.venue_up = True
            if code == 1101 and self._link.up:
                self._resubscribe(self._link.ib())
            self._report(LinkReport(up=True, at_ns=now, data_kept=code == 1102, reason=text))
        elif code in FARM_DOWN or code in FARM_UP:
            self._report(FarmReport(text.rpartition(":")[2].strip(), code in FARM_UP, now))
        else:
            if code == TOO_MANY and self._link.up:
                self._link.ib().client.lanes.ease()
            symbol = self._market.symbol_of(req_id)
            self._market.on_refusal(req_id, code)
            self._report(NoticeReport(code, text, now, symbol))

    def _follow(self, text: str) -> None:
        told = _SIMULATED.fullmatch(text)
        if told is not None and isinstance(self._clock, FollowingClock):
            self._clock.speed = float(told[2])
            self._clock.anchor(int(told[1]))
            self.follows = True

    def grade(self, req_id: int, data_type: int) -> None:
        self._market.on_grade(req_id, data_type)

    def halted(self, req_id: int, value: float) -> None:
        self._market.on_halt(req_id, value)

    def next_id(self, order_id: int) -> None:
        if self._link.up:
            self._link.ib().client.updateReqId(max(order_id, self._orders.highest_id() + 1))

    def closed(self) -> None:
        self._link.closed()

    def failed(self, what: str, error: Exception) -> None:
        """A handler of ours raised: said aloud, and the connection lives on (FAULTS 59)."""
        self._report(NoticeReport(0, f"broker handler {what} failed: {error!r}", self._clock.now()))
