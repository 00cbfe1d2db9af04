"""Market data: what is watched, and the library's tickers in the domain's words, once a packet each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from ib_async import Ticker
from ib_async.objects import OptionComputation

from station.brokers.ibkr.values import UNSET, count, price
from station.domain.broker import (
    DepthReport,
    GreeksReport,
    HaltReport,
    QuoteReport,
    Report,
    TickReport,
)
from station.domain.clock import Clock
from station.domain.instruments import Contract, Right, SecType
from station.domain.market import Grade, Greeks, Quote, Tick

QUOTE_TICKS: Final = frozenset({0, 1, 2, 3, 66, 67, 69, 70})
LAST_PRICE: Final = frozenset({4, 68})
LAST_SIZE: Final = frozenset({5, 71})
DEPTH_ROWS: Final = 10
MISSING: Final = -2.0
LINE_REFUSED: Final = frozenset({101, 200, 309, 321, 354, 10089, 10090, 10168, 10186})
OPTION_TICKS: Final = "100,101"


@dataclass(slots=True, eq=False)
class Watched:
    """A line: its contract, the library's ticker, and what was last reported of it."""

    contract: Contract
    ticker: Ticker
    order: int
    req_id: int = 0
    depth: bool = False
    quote: Quote | None = None
    greeks: OptionComputation | None = None


class MarketRoom:
    """Tickers by contract. `lines` keeps the order in which they were asked for, which is also the order
    of the reports of one packet: a set of tickers has none of its own."""

    def __init__(self, clock: Clock, report: Callable[[Report], None]) -> None:
        self.lines: dict[Contract, Watched] = {}
        self.depths: dict[Contract, Watched] = {}
        self.grades: dict[int, Grade] = {}
        self._clock = clock
        self._report = report
        self._by_ticker: dict[int, Watched] = {}
        self._by_req: dict[int, Watched] = {}
        self._asked = 0

    def add(self, contract: Contract, ticker: Ticker, req_id: int, *, depth: bool = False) -> None:
        self._asked += 1
        line = Watched(contract, ticker, self._asked, req_id, depth)
        (self.depths if depth else self.lines)[contract] = line
        self._by_ticker.setdefault(id(ticker), line)
        self._by_req[req_id] = line

    def drop(self, contract: Contract, *, depth: bool = False) -> Watched | None:
        line = (self.depths if depth else self.lines).pop(contract, None)
        other = (self.lines if depth else self.depths).get(contract)
        if line is not None:
            self._by_req.pop(line.req_id, None)
            if other is None:
                self._by_ticker.pop(id(line.ticker), None)
        return line

    def clear(self) -> None:
        self.lines.clear()
        self.depths.clear()
        self._by_ticker.clear()
        self._by_req.clear()
        self.grades.clear()

    def symbol_of(self, req_id: int) -> str:
        line = self._by_req.get(req_id)
        return line.contract.symbol if line is not None else ""

    def on_refusal(self, req_id: int, code: int) -> None:
        """A line that TWS refuses is not watched: asking again is a new request (FAULTS 34)."""
        line = self._by_req.get(req_id)
        if line is not None and code in LINE_REFUSED:
            self.drop(line.contract, depth=line.depth)

    def on_grade(self, req_id: int, data_type: int) -> None:
        if data_type in (1, 2, 3, 4):
            self.grades[req_id] = Grade(data_type)

    def on_halt(self, req_id: int, value: float) -> None:
        line = self._by_req.get(req_id)
        if line is not None and not line.contract.is_option:
            self._report(HaltReport(line.contract.symbol, value > 0, self._clock.now()))

    def on_tickers(self, tickers: Iterable[Ticker]) -> None:
        """One packet's changed tickers, coalesced: the trades of each, then its quote, greeks and book."""
        found = [line for ticker in tickers if (line := self._by_ticker.get(id(ticker))) is not None]
        for line in sorted(found, key=lambda line: line.order):
            if line.contract in self.lines:
                self._tell(self.lines[line.contract])
            if line.contract in self.depths and line.ticker.domTicks:
                self._tell_depth(line)

    def _tell(self, line: Watched) -> None:
        now, ticker = self._clock.now(), line.ticker
        if not line.contract.is_option:
            for tick in _trades(line, now):
                self._report(TickReport(tick))
        if line.contract.sec_type is not SecType.INDEX:
            self._tell_quote(line, now)
        if ticker.modelGreeks is not None and ticker.modelGreeks is not line.greeks:
            line.greeks = ticker.modelGreeks
            self._report(GreeksReport(_greeks(line.contract, ticker.modelGreeks, now)))

    def _tell_quote(self, line: Watched, now: int) -> None:
        quote, ticker = _quote(line, now), line.ticker
        quoted = any(tick.tickType in QUOTE_TICKS for tick in ticker.ticks)
        before = line.quote
        if quoted or before is None or replace(quote, at_ns=before.at_ns) != before:
            line.quote = quote
            self._report(QuoteReport(quote))

    def _tell_depth(self, line: Watched) -> None:
        bids, asks = (
            tuple((known, count(level.size)) for level in levels if (known := price(level.price)) is not None)
            for levels in (line.ticker.domBids, line.ticker.domAsks)
        )
        self._report(DepthReport(line.contract, bids, asks, self._clock.now()))


def _trades(line: Watched, now: int) -> list[Tick]:
    """Trades of the packet. A size alone is a trade at the last price, unless it repeats the size that came
    with that price."""
    found: list[Tick] = []
    for tick in line.ticker.ticks:
        if tick.tickType in LAST_PRICE or tick.tickType in LAST_SIZE:
            known = price(tick.price)
            repeats = bool(found) and tick.tickType in LAST_SIZE and found[-1].size == tick.size
            if known is not None and not repeats:
                found.append(Tick(line.contract.symbol, now, float(known), float(count(tick.size))))
    return found


def _quote(line: Watched, now: int) -> Quote:
    ticker, contract = line.ticker, line.contract
    bid, ask = price(ticker.bid), price(ticker.ask)
    interest = ticker.futuresOpenInterest
    if contract.right is not None:
        interest = ticker.callOpenInterest if contract.right is Right.CALL else ticker.putOpenInterest
    return Quote(
        contract, bid, ask, count(ticker.bidSize) if bid is not None else 0,
        count(ticker.askSize) if ask is not None else 0, now, price(ticker.last), count(ticker.volume),
        count(interest), Grade(ticker.marketDataType) if ticker.marketDataType in (1, 2, 3, 4) else Grade.LIVE,
    )  # fmt: skip


def _greeks(contract: Contract, model: OptionComputation, now: int) -> Greeks:
    """The broker's greeks; every one of them −2 where any is missing, NaN or −2 itself (FAULTS 43). IBKR's
    vega is per point of volatility."""
    values = (model.impliedVol, model.delta, model.gamma, model.theta, model.vega)
    known = [float(value) for value in values if value is not None and value != MISSING]
    underlying = float(price(model.undPrice) or 0)
    if len(known) != len(values) or not all(math.isfinite(v) and abs(v) < UNSET for v in known):
        known = [MISSING] * len(values)
    iv, delta, gamma, theta, vega = known
    return Greeks(contract, iv, delta, gamma, theta, vega if vega == MISSING else vega * 100, underlying, now)
