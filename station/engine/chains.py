"""The option chain and the order book of one option, for the screens that show them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from station.domain.clock import MILLISECOND, SECOND
from station.domain.errors import VigilError
from station.domain.instruments import INSTRUMENTS, Contract, Right
from station.domain.market import GreeksSource
from station.domain.orders import ZERO
from station.domain.trade import Trade
from station.engine.engine import Engine
from station.link import Ask, Book, BookLevel, Chain, ChainRow, OwnOrder, Side
from station.link.floor import ERROR, LOADING
from station.options.desk import CacheRow

CHAIN_BEAT_NS: Final = 450 * MILLISECOND
"""A chain of thirty options moves at every print; read twice a second it is as useful."""
STALE_S: Final = 5
RETRY_S: Final = 5
FORGOTTEN_NS: Final = 3 * SECOND


class ChainDesk:
    """Answers `chain` asks from the greek cache; a ladder nobody trades is warmed while it is looked at."""

    def __init__(self, engine: Engine, perf: Callable[[], int]) -> None:
        self._engine = engine
        self._perf = perf
        self._made: dict[Ask, tuple[int, Chain]] = {}
        self._warming: set[tuple[str, str]] = set()
        self._refused: dict[tuple[str, str], tuple[int, str]] = {}

    def chain(self, ask: Ask) -> Chain:
        """The chain of `ask.symbol` and `ask.expiry`, read twice a second at most."""
        known = self._made.get(ask)
        if known is not None and self._perf() - known[0] < CHAIN_BEAT_NS:
            return known[1]
        chain = self._read(ask)
        if len(self._made) >= 8:
            self._made.clear()
        self._made[ask] = (self._perf(), chain)
        return chain

    def _read(self, ask: Ask) -> Chain:
        instrument = INSTRUMENTS.get(ask.symbol)
        if instrument is None or ask.symbol not in self._engine.outside.symbols:
            return Chain(ask, state=ERROR, note=f"{ask.symbol} is not watched")
        if not instrument.has_options:
            return Chain(ask, note=f"{ask.symbol} has no options here")
        options, now_ns = self._engine.rooms.options, self._engine.outside.clock.now()
        self._keep_warm(ask.symbol, ask.expiry, now_ns)
        ladder = options.ladder(ask.symbol, ask.expiry)
        if ladder is None:
            why = self._refused.get((ask.symbol, ask.expiry), (0, ""))[1]
            note = why or f"asking for the {ask.expiry} options of {ask.symbol} …"
            return Chain(ask, state=LOADING, note=note)
        held = self._held(ask.symbol)
        rows = _rows(options.cache(ask.symbol, ask.expiry, now_ns), held)
        return Chain(
            ask, instrument.option_class, ladder.expiry, self._spot(ask.symbol, instrument.strike_step), rows
        )

    def _spot(self, symbol: str, step: Decimal) -> float | None:
        last, grain = self._engine.rooms.market.last_price(symbol), float(step) / 10
        return None if last is None else round(round(last / grain) * grain, 2)

    def _held(self, symbol: str) -> dict[Contract, int]:
        held: dict[Contract, int] = {}
        for trade in self._engine.rooms.ledger.open_trades():
            if trade.symbol == symbol and trade.contract is not None and trade.open_qty:
                held[trade.contract] = held.get(trade.contract, 0) + int(trade.open_qty)
        return held

    def _keep_warm(self, symbol: str, expiry: str, now_ns: int) -> None:
        engine, key = self._engine, (symbol, expiry)
        refused_ns, _ = self._refused.get(key, (-(2**62), ""))
        if (
            engine.progress.phase != "trading" or key in self._warming
            or now_ns - refused_ns < RETRY_S * SECOND or not engine.rooms.options.stale(symbol, expiry, now_ns)
        ):  # fmt: skip
            return
        self._warming.add(key)
        engine.soon(self._warm(symbol, expiry))

    async def _warm(self, symbol: str, expiry: str) -> None:
        rooms, outside = self._engine.rooms, self._engine.outside
        try:
            held = rooms.desk.held_contracts()
            for warmed in await rooms.options.keep_warm(outside.broker, (symbol,), expiry, held):
                self._refused.pop((symbol, expiry), None)
                if not warmed.warm:
                    self._refused[symbol, expiry] = (outside.clock.now(), warmed.reason)
        finally:
            self._warming.discard((symbol, expiry))


def _rows(cache: Sequence[CacheRow], held: dict[Contract, int]) -> tuple[ChainRow, ...]:
    sides: dict[Decimal, dict[Right, Side]] = {}
    for row in cache:
        if row.contract.right is not None:
            sides.setdefault(row.contract.strike, {})[row.contract.right] = _side(row, held)
    return tuple(
        ChainRow(strike, found.get(Right.CALL), found.get(Right.PUT)) for strike, found in sorted(sides.items())
    )


def _side(row: CacheRow, held: dict[Contract, int]) -> Side:
    quote, greeks = row.quote, row.greeks
    return Side(
        bid=quote.bid if quote else None, ask=quote.ask if quote else None,
        delta=round(greeks.delta, 2) if greeks else None, iv=round(greeks.iv * 100, 1) if greeks else None,
        old_s=int(row.age_s) if row.age_s is not None and row.age_s > STALE_S else 0,
        modelled=greeks is not None and greeks.source is GreeksSource.MODEL, held=held.get(row.contract, 0),
        volume=quote.volume if quote else 0,
    )  # fmt: skip


class BookDesk:
    """Answers `book` asks. Depth is asked of the broker for what is looked at, and given back after."""

    def __init__(self, engine: Engine, perf: Callable[[], int]) -> None:
        self._engine = engine
        self._perf = perf
        self._deep: dict[Contract, int] = {}
        self._turn = asyncio.Lock()

    def book(self, ask: Ask) -> Book:
        """The book of `ask.contract` (`5940C`) in the chain of `ask.symbol` and `ask.expiry`."""
        contract = self._contract(ask)
        if contract is None:
            return Book(
                ask, state=LOADING, note=f"{ask.contract} is not in the chain now: choose another there"
            )
        rooms = self._engine.rooms
        quote = rooms.market.quote(contract)
        ladder = rooms.options.ladder(ask.symbol, ask.expiry)
        steps = ladder.tick_rule.steps if ladder else INSTRUMENTS[ask.symbol].option_ticks.steps
        if quote is None:
            return Book(
                ask, contract.label, steps=steps, state=LOADING, note=f"no quote of {contract.label} yet"
            )
        bids, asks, deep = self._levels(contract)
        held = [t for t in rooms.ledger.open_trades() if t.contract == contract and t.open_qty > 0]
        entry, even = _cost(held)
        return Book(
            ask, contract.label, bids, asks, deep, quote.last, quote.at_ns, quote.volume,
            quote.open_interest, steps, self._orders(contract), sum((t.open_qty for t in held), ZERO),
            entry, even,
        )  # fmt: skip

    def _contract(self, ask: Ask) -> Contract | None:
        ladder = self._engine.rooms.options.ladder(ask.symbol, ask.expiry)
        known = ladder.contracts if ladder is not None else ()
        return next((each for each in known if short_name(each) == ask.contract), None)

    def _levels(self, contract: Contract) -> tuple[tuple[BookLevel, ...], tuple[BookLevel, ...], bool]:
        market = self._engine.rooms.market
        self._want_depth(contract)
        depth, quote = market.depth(contract), market.quote(contract)
        if depth is not None and quote is not None and depth.at_ns + SECOND >= quote.at_ns:
            return (
                tuple(BookLevel(*level) for level in depth.bids),
                tuple(BookLevel(*level) for level in depth.asks), True,
            )  # fmt: skip
        bids = (BookLevel(quote.bid, quote.bid_size),) if quote and quote.bid is not None else ()
        asks = (BookLevel(quote.ask, quote.ask_size),) if quote and quote.ask is not None else ()
        return bids, asks, False

    def _orders(self, contract: Contract) -> tuple[OwnOrder, ...]:
        rows: list[OwnOrder] = []
        for order in self._engine.rooms.ledger.book.working():
            ticket = order.ticket
            price = ticket.stop if ticket.stop is not None else ticket.limit
            if ticket.contract == contract and price is not None:
                rows.append(
                    OwnOrder(price, order.remaining, ticket.action.value, ticket.purpose.value, order.trade_id)
                )
        return tuple(rows)

    # --- depth ---------------------------------------------------------------------------------------

    def _want_depth(self, contract: Contract) -> None:
        engine = self._engine
        if engine.outside.broker.capabilities.depth and engine.outside.broker.connected:
            if contract not in self._deep:
                engine.soon(self._ask(contract, wanted=True))
            self._deep[contract] = self._perf()

    def tidy(self) -> None:
        """Give back the depth of what nobody has looked at for a while."""
        for contract, seen in list(self._deep.items()):
            if self._perf() - seen > FORGOTTEN_NS:
                del self._deep[contract]
                self._engine.soon(self._ask(contract, wanted=False))

    async def _ask(self, contract: Contract, *, wanted: bool) -> None:
        broker, market = self._engine.outside.broker, self._engine.rooms.market
        async with self._turn:
            try:
                if wanted:
                    await broker.watch_depth(contract)
                else:
                    await broker.unwatch_depth(contract)
                    market.forget_depth(contract)
            except VigilError:
                market.forget_depth(contract)


def short_name(contract: Contract) -> str:
    """`5940C`: an option inside its chain."""
    right = contract.right.value if contract.right is not None else ""
    return f"{contract.strike.normalize():f}{right}"


def _cost(held: Sequence[Trade]) -> tuple[Decimal | None, Decimal | None]:
    """Average entry of what is held, and the price that also earns both sides' fees back."""
    qty = sum((trade.entry_filled for trade in held), ZERO)
    if not qty or held[0].contract is None:
        return None, None
    units = qty * held[0].contract.multiplier
    entry = sum((trade.entry_value for trade in held), ZERO) / units
    fees = 2 * sum((trade.commission for trade in held), ZERO) / units
    return round(entry, 4), round(entry + fees, 4)
