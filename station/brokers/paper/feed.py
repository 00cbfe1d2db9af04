"""Market data for whoever watches: ticks of instruments, quotes and greeks of contracts."""

from __future__ import annotations

from typing import Final

import numpy as np

from station.brokers.paper.draws import key
from station.brokers.paper.faults import FaultPlan
from station.brokers.paper.listing import ticks_of
from station.brokers.paper.quotes import Board, Panel, dollars
from station.brokers.paper.tape import Ticks
from station.domain.broker import DepthReport, GreeksReport, QuoteReport, Report, TickReport
from station.domain.clock import SECOND
from station.domain.instruments import Contract, SecType
from station.domain.market import Grade, Greeks, GreeksSource, Quote, Tick

REPEAT_NS: Final = 4 * SECOND
DEPTH_LEVELS: Final = 5
_SENTINEL: Final = -2.0


class _Line:
    """What was last sent of one watched contract."""

    __slots__ = ("interest", "pace", "sent", "sent_ns")

    def __init__(self, contract: Contract) -> None:
        self.sent = (-1, -1, -1, -1)
        self.sent_ns = 0
        self.interest = 200 + key("interest", contract.label) % 20_000
        self.pace = 50 + key("pace", contract.label) % 30_000


class Feed:
    """Subscriptions, and the reports they give. Quotes are sent when they change, and at least each 4 s."""

    def __init__(self, plan: FaultPlan, open_ns: int, close_ns: int) -> None:
        self._plan = plan
        self._open_ns, self._span_ns = open_ns, close_ns - open_ns
        self.lines: dict[Contract, _Line] = {}
        self.depth: dict[Contract, None] = {}
        self.symbols: dict[str, None] = {}
        self.changed = True
        self._fresh: dict[str, None] = {}

    def fresh(self, symbol: str) -> bool:
        """Whether something of a symbol is watched that has not been sent yet."""
        return symbol in self._fresh

    def watch(self, contract: Contract) -> None:
        if not contract.is_option:
            self.symbols[contract.symbol] = None
        if contract.sec_type is not SecType.INDEX and contract not in self.lines:
            self.lines[contract] = _Line(contract)
            self._fresh[contract.symbol] = None
            self.changed = True

    def unwatch(self, contract: Contract) -> None:
        self.changed = self.lines.pop(contract, None) is not None or self.changed
        if not contract.is_option:
            self.symbols.pop(contract.symbol, None)

    def clear(self) -> None:
        self.lines.clear()
        self.depth.clear()
        self.symbols.clear()
        self._fresh.clear()
        self.changed = True

    def ticks(self, symbol: str, prints: Ticks, first: int, stop: int, out: list[Report]) -> None:
        if symbol not in self.symbols:
            return
        for row in range(first, stop):
            at_ns = int(prints.at_ns[row])
            if not self._plan.holds("silent_ticks", at_ns, symbol):
                out.append(TickReport(Tick(symbol, at_ns, float(prints.price[row]), float(prints.size[row]))))

    def quotes(self, panel: Panel, board: Board, mark_ns: int, now_ns: int, out: list[Report]) -> None:
        """Reports of the watched contracts of a panel that changed or are due again."""
        plan, symbol = self._plan, panel.symbol
        if plan.holds("stale_quotes", now_ns, symbol) or plan.holds("competing", now_ns, symbol):
            return
        self._fresh.pop(symbol, None)
        grade = Grade.DELAYED if plan.holds("delayed", now_ns, symbol) else Grade.LIVE
        crossed = plan.holds("crossed", now_ns, symbol)
        greekless = plan.holds("no_greeks", now_ns, symbol)
        rows = zip(
            panel.contracts, board.bid.tolist(), board.ask.tolist(), board.bid_size.tolist(),
            board.ask_size.tolist(), strict=True,
        )  # fmt: skip
        slopes = np.column_stack((board.iv, *board.slopes)).tolist()
        for row, (contract, bid, ask, bid_size, ask_size) in enumerate(rows):
            line = self.lines.get(contract)
            if line is None:
                continue
            if crossed:
                bid, ask = ask, bid
            shown = (bid, ask, bid_size, ask_size)
            if line.sent == shown and now_ns - line.sent_ns < REPEAT_NS:
                continue
            line.sent, line.sent_ns = shown, now_ns
            volume = line.pace * (now_ns - self._open_ns) // self._span_ns
            last = (bid if (mark_ns // SECOND) & 1 else ask) or ask
            out.append(QuoteReport(Quote(
                contract, dollars(bid) if bid > 0 else None, dollars(ask) if ask > 0 else None, bid_size, ask_size,
                now_ns, dollars(last), volume, line.interest, grade, mark_ns,
            )))  # fmt: skip
            if contract.right is not None:
                iv, delta, gamma, vega, theta = [_SENTINEL] * 5 if greekless else slopes[row]
                out.append(GreeksReport(Greeks(
                    contract, iv, delta, gamma, theta, vega, panel.underlying, now_ns, GreeksSource.BROKER
                )))  # fmt: skip
            if contract in self.depth:
                out.append(_ladder(contract, shown, now_ns))


def _ladder(contract: Contract, shown: tuple[int, int, int, int], now_ns: int) -> DepthReport:
    """Five levels a side, a tick apart, deeper sizes behind."""
    bid, ask, bid_size, ask_size = shown
    rule = ticks_of(contract)
    step = int(rule.increment(dollars(max(bid, 0))) * 100)
    up = int(rule.increment(dollars(ask)) * 100)
    levels = range(DEPTH_LEVELS)
    bids = tuple((dollars(bid - n * step), bid_size * (n + 2) // 2) for n in levels if bid - n * step > 0)
    asks = tuple((dollars(ask + n * up), ask_size * (n + 2) // 2) for n in levels)
    return DepthReport(contract, bids, asks, now_ns)
