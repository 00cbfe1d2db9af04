"""Market data on the wire: who asked for what, and what each has been told so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from station.brokers.tws import answers
from station.brokers.tws.answers import Message
from station.domain.broker import Broker, DepthReport
from station.domain.instruments import Contract, Right
from station.domain.market import Grade, Greeks, Quote, Tick

Send = Callable[..., None]
Row = tuple[Decimal, int]


@dataclass(slots=True, eq=False)
class Subscription:
    """One line of market data of one client. `told` is the last value sent of each tick type."""

    client_id: int
    req_id: int
    contract: Contract
    send: Send
    snapshot: bool = False
    told: dict[int, object] = field(default_factory=dict[int, object])
    grade: Grade = Grade.LIVE


@dataclass(slots=True, eq=False)
class DepthSubscription:
    client_id: int
    req_id: int
    contract: Contract
    send: Send
    rows: int
    shown: list[int] = field(default_factory=lambda: [0, 0])


class MarketDesk:
    """Fans the broker's quotes, ticks, greeks and books out to the lines that asked for them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lines: dict[tuple[int, int], Subscription] = {}
        self._of: dict[Contract, list[Subscription]] = {}
        self._depth: dict[tuple[int, int], DepthSubscription] = {}
        self._quotes: dict[Contract, Quote] = {}
        self._greeks: dict[Contract, Greeks] = {}

    async def watch(self, line: Subscription) -> None:
        """Start a line; what is already known of its contract is told at once."""
        self._lines[line.client_id, line.req_id] = line
        self._of.setdefault(line.contract, []).append(line)
        line.send(answers.market_data_type(line.req_id, line.grade.value))
        quote, greeks = self._quotes.get(line.contract), self._greeks.get(line.contract)
        if quote is not None:
            self._tell_quote(line, quote)
        if greeks is not None:
            self._tell_greeks(line, greeks)
        await self._broker.watch(line.contract)

    async def unwatch(self, client_id: int, req_id: int) -> bool:
        line = self._lines.pop((client_id, req_id), None)
        if line is None:
            return False
        left = self._of[line.contract]
        left.remove(line)
        if not left:
            del self._of[line.contract]
            self._quotes.pop(line.contract, None)
            self._greeks.pop(line.contract, None)
            await self._broker.unwatch(line.contract)
        return True

    async def watch_depth(self, line: DepthSubscription) -> None:
        self._depth[line.client_id, line.req_id] = line
        await self._broker.watch_depth(line.contract)

    async def unwatch_depth(self, client_id: int, req_id: int) -> bool:
        line = self._depth.pop((client_id, req_id), None)
        if line is None:
            return False
        if all(other.contract != line.contract for other in self._depth.values()):
            await self._broker.unwatch_depth(line.contract)
        return True

    async def forget(self, client_id: int) -> None:
        """End every line of a client that has gone."""
        for client, req_id in [key for key in self._lines if key[0] == client_id]:
            await self.unwatch(client, req_id)
        for client, req_id in [key for key in self._depth if key[0] == client_id]:
            await self.unwatch_depth(client, req_id)

    def lose_all(self) -> None:
        """Data lost (1101): every line is gone, its client has to ask again."""
        self._lines.clear()
        self._of.clear()
        self._depth.clear()
        self._quotes.clear()
        self._greeks.clear()

    def lines(self) -> Iterable[Subscription]:
        return tuple(self._lines.values())

    def on_quote(self, quote: Quote) -> None:
        lines = self._of.get(quote.contract)
        if lines is None:
            return
        self._quotes[quote.contract] = quote
        for line in tuple(lines):
            self._tell_quote(line, quote)

    def on_greeks(self, greeks: Greeks) -> None:
        lines = self._of.get(greeks.contract)
        if lines is None:
            return
        self._greeks[greeks.contract] = greeks
        for line in tuple(lines):
            self._tell_greeks(line, greeks)

    def on_tick(self, tick: Tick) -> None:
        for line in self._of_symbol(tick.symbol):
            line.send(answers.price_tick(line.req_id, answers.LAST, tick.price, tick.size))

    def on_halt(self, symbol: str, *, halted: bool) -> None:
        for line in self._of_symbol(symbol):
            line.send(answers.generic_tick(line.req_id, answers.HALTED, 1 if halted else 0))

    def on_depth(self, report: DepthReport) -> None:
        for line in tuple(self._depth.values()):
            if line.contract == report.contract:
                line.send(*_rows(line, 1, report.bids), *_rows(line, 0, report.asks))

    def _of_symbol(self, symbol: str) -> tuple[Subscription, ...]:
        return tuple(
            line
            for contract, lines in self._of.items()
            if contract.symbol == symbol and not contract.is_option
            for line in lines
        )

    def _tell_quote(self, line: Subscription, quote: Quote) -> None:
        messages: list[Message] = []
        if quote.grade is not line.grade:
            line.grade = quote.grade
            messages.append(answers.market_data_type(line.req_id, quote.grade.value))
        for tick_type, value, message in _quote_ticks(line, quote):
            if line.told.get(tick_type) != value:
                line.told[tick_type] = value
                messages.append(message)
        if not messages:
            # The broker confirmed a quote that stands still; a tick keeps it from looking stale.
            bid_size = quote.bid_size if quote.bid is not None else 0
            messages.append(answers.price_tick(line.req_id, answers.BID, quote.bid, bid_size))
        line.send(*messages)

    def _tell_greeks(self, line: Subscription, greeks: Greeks) -> None:
        line.send(answers.option_computation(line.req_id, greeks, None))


def _quote_ticks(line: Subscription, quote: Quote) -> list[tuple[int, object, Message]]:
    req, price, size = line.req_id, answers.price_tick, answers.size_tick
    bid_size = quote.bid_size if quote.bid is not None else 0
    ask_size = quote.ask_size if quote.ask is not None else 0
    ticks: list[tuple[int, object, Message]] = [
        (answers.BID, (quote.bid, bid_size), price(req, answers.BID, quote.bid, bid_size)),
        (answers.ASK, (quote.ask, ask_size), price(req, answers.ASK, quote.ask, ask_size)),
        (answers.VOLUME, quote.volume, size(req, answers.VOLUME, quote.volume)),
    ]
    right = quote.contract.right
    if right is not None:
        kind = answers.CALL_OPEN_INTEREST if right is Right.CALL else answers.PUT_OPEN_INTEREST
        ticks.append((kind, quote.open_interest, size(req, kind, quote.open_interest)))
        if quote.last is not None:
            ticks.append((answers.LAST, quote.last, price(req, answers.LAST, quote.last, 1)))
    return ticks


def _rows(line: DepthSubscription, side: int, levels: tuple[Row, ...]) -> list[Message]:
    """The rows of one side that bring the client's book to `levels`."""
    levels = levels[: line.rows]
    shown = line.shown[side]
    rows = [
        answers.depth_row(line.req_id, at, 1 if at < shown else 0, side, price, size)
        for at, (price, size) in enumerate(levels)
    ]
    rows += [
        answers.depth_row(line.req_id, at, 2, side, Decimal(0), 0)
        for at in range(shown - 1, len(levels) - 1, -1)
    ]
    line.shown[side] = len(levels)
    return rows
