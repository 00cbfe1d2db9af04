"""Market data for whoever watches: ticks of instruments, quotes and greeks of contracts."""

from __future__ import annotations

from typing import Final

from station.brokers.paper.draws import key
from station.brokers.paper.faults import FaultPlan
from station.brokers.paper.listing import ticks_of
from station.brokers.paper.quotes import Board, Lone, Panel, Top, dollars
from station.domain.broker import DepthReport, GreeksReport, QuoteReport, Report, TickReport
from station.domain.clock import SECOND
from station.domain.instruments import Contract, SecType
from station.domain.market import Grade, Greeks, GreeksSource, Quote, Tick

REPEAT_NS: Final = SECOND
DEPTH_LEVELS: Final = 5
_SENTINELS: Final = [-2.0] * 5


class Line:
    """One watched contract and what was last sent of it; `row` is its place in the panel in use."""

    __slots__ = ("contract", "depth", "interest", "pace", "row", "sent", "sent_ns")

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.depth = False
        self.row = 0
        self.sent: Top = (-1, -1, -1, -1)
        self.sent_ns = 0
        self.interest = 200 + key("interest", contract.label) % 20_000
        self.pace = 50 + key("pace", contract.label) % 30_000


class Feed:
    """Subscriptions, and the reports they give. A quote is sent at a mark of its underlying, at most once a
    second, when it changed or is a second old: none that is alive grows older than four."""

    def __init__(self, plan: FaultPlan, open_ns: int, close_ns: int) -> None:
        self._plan = plan
        self._open_ns, self._span_ns = open_ns, close_ns - open_ns
        self.lines: dict[Contract, Line] = {}
        self.symbols: dict[str, None] = {}
        self.changed = True
        self._fresh: dict[str, None] = {}

    def fresh(self, symbol: str) -> bool:
        """Whether something of a symbol is watched that has not been sent yet."""
        return symbol in self._fresh

    def watch(self, contract: Contract, *, depth: bool = False) -> None:
        if not contract.is_option:
            self.symbols[contract.symbol] = None
        if contract.sec_type is not SecType.INDEX and contract not in self.lines:
            self.lines[contract] = Line(contract)
            self._fresh[contract.symbol] = None
            self.changed = True
        if depth and contract in self.lines:
            self.lines[contract].depth = True
            self.lines[contract].sent_ns = 0

    def unwatch(self, contract: Contract) -> None:
        self.changed = self.lines.pop(contract, None) is not None or self.changed
        if not contract.is_option:
            self.symbols.pop(contract.symbol, None)

    def shallow(self, contract: Contract) -> None:
        """No more depth of it."""
        if contract in self.lines:
            self.lines[contract].depth = False

    def clear(self) -> None:
        self.lines.clear()
        self.symbols.clear()
        self._fresh.clear()
        self.changed = True

    def roll(self, panel: Panel) -> list[Line]:
        """The watched lines of a panel, each told its row."""
        found = [self.lines[contract] for contract in panel.contracts if contract in self.lines]
        for line in found:
            line.row = panel.row[line.contract]
        return found

    def tick(self, symbol: str, at_ns: int, price: float, size: float, out: list[Report]) -> None:
        if symbol in self.symbols and not self._plan.holds("silent_ticks", at_ns, symbol):
            out.append(TickReport(Tick(symbol, at_ns, price, size)))

    def quotes(
        self, panel: Panel, board: Board | Lone, roll: list[Line], mark_ns: int, now_ns: int, out: list[Report]
    ) -> None:
        """Reports of the watched contracts of a panel that changed or are due again."""
        plan, symbol = self._plan, panel.symbol
        self._fresh.pop(symbol, None)
        if plan.holds("stale_quotes", now_ns, symbol) or plan.holds("competing", now_ns, symbol):
            return
        grade = Grade.DELAYED if plan.holds("delayed", now_ns, symbol) else Grade.LIVE
        greekless = plan.holds("no_greeks", now_ns, symbol)
        tops = board.tops()
        if plan.holds("crossed", now_ns, symbol):
            tops = [(ask, bid, bid_size, ask_size) for bid, ask, bid_size, ask_size in tops]
        slopes = board.greeks()
        source, spot, elapsed = GreeksSource.BROKER, panel.underlying, now_ns - self._open_ns
        late = (mark_ns // SECOND) & 1
        for line in roll:
            top = tops[line.row]
            if line.sent == top and now_ns - line.sent_ns < REPEAT_NS:
                continue
            line.sent, line.sent_ns = top, now_ns
            bid, ask, bid_size, ask_size = top
            contract = line.contract
            out.append(QuoteReport(Quote(
                contract, dollars(bid) if bid > 0 else None, dollars(ask) if ask > 0 else None,
                bid_size, ask_size, now_ns, dollars((bid if late else ask) or ask),
                line.pace * elapsed // self._span_ns, line.interest, grade, now_ns,
            )))  # fmt: skip
            if contract.right is not None:
                iv, delta, gamma, vega, theta = _SENTINELS if greekless else slopes[line.row]
                out.append(GreeksReport(Greeks(contract, iv, delta, gamma, theta, vega, spot, now_ns, source)))
            if line.depth:
                out.append(_ladder(contract, top, now_ns))


def _ladder(contract: Contract, top: tuple[int, int, int, int], now_ns: int) -> DepthReport:
    """Five levels a side, a tick apart, deeper sizes behind."""
    bid, ask, bid_size, ask_size = top
    rule = ticks_of(contract)
    down = int(rule.increment(dollars(max(bid - 1, 0))) * 100)
    up = int(rule.increment(dollars(ask)) * 100)
    levels = range(DEPTH_LEVELS)
    bids = tuple((dollars(bid - n * down), bid_size * (n + 2) // 2) for n in levels if bid - n * down > 0)
    asks = tuple((dollars(ask + n * up), ask_size * (n + 2) // 2) for n in levels)
    return DepthReport(contract, bids, asks, now_ns)
