"""The delta ladder: strikes around the money kept qualified and watched, so that a pick never waits."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from station.calendars import Calendar
from station.domain.broker import Broker, ChainListing
from station.domain.clock import SECOND, Clock
from station.domain.errors import BrokerUnavailable
from station.domain.instruments import (
    INSTRUMENTS,
    Contract,
    Hours,
    Instrument,
    Right,
    Side,
    TickRule,
    option_contract,
)
from station.domain.market import Greeks, Quote
from station.domain.signals import Decision
from station.options.expiry import choose_expiry
from station.options.greekcache import QuoteSource, model_greeks, sound
from station.options.naming import NAMED_KEPT, Wanted, listed, unlisted
from station.options.picker import FAULTS, NoPick, Pick, PickLimits, choose, relative_spread, with_greeks
from station.pricing import expiry_instant


@dataclass(frozen=True, slots=True)
class Ladder:
    """The warm contracts of one symbol and expiry kind, strikes ascending; `centre` the price they surround."""

    symbol: str
    expiry: str
    centre: float
    refreshed_ns: int
    calls: tuple[Contract, ...]
    puts: tuple[Contract, ...]
    tick_rule: TickRule

    @property
    def contracts(self) -> tuple[Contract, ...]:
        return self.calls + self.puts


@dataclass(frozen=True, slots=True)
class Warmed:
    """What keeping one symbol warm came to; `reason` says why it is not."""

    symbol: str
    warm: bool
    contracts: int
    reason: str


@dataclass(frozen=True, slots=True)
class CacheRow:
    """One line of the greek cache. `age_s` of the quote; None where there is none."""

    contract: Contract
    quote: Quote | None
    greeks: Greeks | None
    age_s: float | None


class OptionDesk:
    """Keeps ladders warm through the broker, and picks from them without waiting."""

    def __init__(
        self, clock: Clock, calendar: Calendar, market: QuoteSource, limits: PickLimits | None = None
    ) -> None:
        self._clock = clock
        self._calendar = calendar
        self._market = market
        self._limits = limits or PickLimits()
        self._ladders: dict[tuple[str, str], Ladder] = {}
        self._listings: dict[tuple[str, date], ChainListing] = {}
        self._watched: dict[Contract, None] = {}
        self._named: dict[Contract, None] = {}
        self._turn = asyncio.Lock()

    def configure(self, limits: PickLimits) -> None:
        """New limits, in force with the next pick."""
        self._limits = limits

    # --- warming: awaits the broker ---

    async def keep_warm(
        self, broker: Broker, symbols: Sequence[str], expiry: str = "0dte", held: Collection[Contract] = ()
    ) -> tuple[Warmed, ...]:
        """Refresh every ladder that is due (`stale`); contracts in `held` are never unwatched. A symbol that
        cannot be refreshed keeps its old ladder and says why; the others go on. Callers take turns: what one
        has begun to watch, another must not find unneeded."""
        async with self._turn:
            return tuple([await self._warm(broker, symbol, expiry, held) for symbol in symbols])

    def stale(self, symbol: str, expiry: str, now_ns: int) -> bool:
        """True when the ladder is missing, of another day, 60 s old, or its band half left behind."""
        ladder = self._ladders.get((symbol, expiry))
        if ladder is None or now_ns - ladder.refreshed_ns >= self._limits.refresh_s * SECOND:
            return True
        price = self._market.last_price(symbol)
        band = float(INSTRUMENTS[symbol].strike_step) * self._limits.strikes_outside
        return price is not None and abs(price - ladder.centre) > band / 2

    def forget_watches(self) -> None:
        """The broker lost its subscriptions (FAULTS 24): the next `keep_warm` watches all again."""
        self._watched.clear()
        self._ladders = {key: replace(ladder, refreshed_ns=0) for key, ladder in self._ladders.items()}

    async def _warm(self, broker: Broker, symbol: str, expiry: str, held: Collection[Contract]) -> Warmed:
        now_ns = self._clock.now()
        if not self.stale(symbol, expiry, now_ns):
            return Warmed(symbol, True, len(self._ladders[symbol, expiry].contracts), "fresh")
        price = self._market.last_price(symbol)
        if price is None:
            return Warmed(symbol, False, 0, f"{symbol} has no price yet")
        try:
            ladder = await self._build(broker, INSTRUMENTS[symbol], expiry, price, now_ns)
            if ladder is None:
                return Warmed(symbol, False, 0, f"{symbol} lists no {expiry} expiry")
            await self._watch(broker, (symbol, expiry), ladder, held)
        except BrokerUnavailable as gone:
            return Warmed(symbol, False, 0, f"{symbol}: {gone}")
        return Warmed(symbol, True, len(ladder.contracts), "refreshed")

    async def _build(
        self, broker: Broker, instrument: Instrument, expiry: str, price: float, now_ns: int
    ) -> Ladder | None:
        day = self._trade_date(now_ns)
        listing = await self._listing(broker, instrument, day)
        chosen = choose_expiry(expiry, listing.expiries, day) if listing else None
        if listing is None or chosen is None:
            return None
        calls, puts = self._strikes(listing.strikes, price)
        wanted = [option_contract(instrument, chosen, strike, Right.CALL) for strike in calls]
        wanted += [option_contract(instrument, chosen, strike, Right.PUT) for strike in puts]
        known = {contract: contract for contract in self._watched}
        missing = [contract for contract in wanted if contract not in known]
        known |= {contract: contract for contract in await broker.qualify(missing)} if missing else {}
        found = [known[contract] for contract in wanted if contract in known]
        if not found:
            return None
        rule = await broker.tick_rule(found[0])
        return Ladder(
            instrument.symbol, chosen, price, now_ns,
            tuple(each for each in found if each.right is Right.CALL),
            tuple(each for each in found if each.right is Right.PUT), rule,
        )  # fmt: skip

    async def _listing(self, broker: Broker, instrument: Instrument, day: date) -> ChainListing | None:
        """The listing of the instrument's own class, asked once a trade date."""
        key = (instrument.symbol, day)
        if key not in self._listings:
            chains = [
                each for each in await broker.chain(instrument) if each.trading_class == instrument.option_class
            ]
            here = [each for each in chains if each.exchange == instrument.exchange] or chains
            if not here:
                return None
            self._listings = {known: self._listings[known] for known in self._listings if known[1] == day}
            self._listings[key] = here[0]
        return self._listings[key]

    def _strikes(self, strikes: Sequence[Decimal], price: float) -> tuple[list[Decimal], list[Decimal]]:
        """Call and put strikes to hold: a few in the money, more out of it, ascending."""
        spot = Decimal(str(price))
        below = sorted(strike for strike in strikes if strike < spot)
        above = sorted(strike for strike in strikes if strike >= spot)
        inside, outside = self._limits.strikes_inside, self._limits.strikes_outside
        calls = below[len(below) - min(inside, len(below)):] + above[:outside]  # fmt: skip
        puts = below[len(below) - min(outside, len(below)):] + above[:inside]  # fmt: skip
        return calls, puts

    async def _watch(
        self, broker: Broker, key: tuple[str, str], ladder: Ladder, held: Collection[Contract]
    ) -> None:
        for contract in ladder.contracts:
            if contract not in self._watched:
                await broker.watch(contract)
                self._watched[contract] = None
        self._ladders[key] = ladder
        needed = {contract for each in self._ladders.values() for contract in each.contracts}
        needed |= {*held, *self._named}
        for contract in [each for each in self._watched if each not in needed]:
            await broker.unwatch(contract)
            del self._watched[contract]

    # --- naming: awaits the broker ---

    async def named(self, broker: Broker, wanted: Wanted) -> Contract:
        """The listed option that a hand names, watched from now on; the last NAMED_KEPT of them stay so. Raises
        BadInput in one line, with the nearest strikes or expiries, and BrokerUnavailable."""
        async with self._turn:
            instrument = INSTRUMENTS[wanted.symbol]
            day = self._trade_date(self._clock.now())
            listing = await self._listing(broker, instrument, day)
            contract = listed(wanted, instrument, listing, day)
            found = await broker.qualify([contract])
            if not found:
                raise unlisted(contract, listing)
            if found[0] not in self._watched:
                await broker.watch(found[0])
                self._watched[found[0]] = None
            self._named.pop(found[0], None)
            self._named = dict.fromkeys([*self._named, found[0]][-NAMED_KEPT:])
            return found[0]

    def opposite(self, contract: Contract, delta: float, now_ns: int) -> Contract | None:
        """The warm contract of the other right and the same expiry that is nearest the absolute `delta`; None
        where no ladder of it is warm."""
        ladders = (each for each in self._ladders.values() if each.symbol == contract.symbol)
        ladder = next((each for each in ladders if each.expiry == contract.expiry), None)
        if ladder is None or not contract.is_option:
            return None
        contracts = ladder.puts if contract.right is Right.CALL else ladder.calls
        underlying = self._underlying(contract.symbol, now_ns)
        expiry_ns = expiry_instant(ladder.expiry, self._calendar)
        best, _ = choose(contracts, self._market, delta, underlying, expiry_ns, now_ns, self._limits)
        return None if best is None else best[0].contract

    # --- picking: never awaits ---

    def pick(
        self, symbol: str, side: Side, delta: float, expiry: str, now_ns: int, trade_id: str = ""
    ) -> Pick | NoPick:
        """The warm contract of `side` nearest the absolute `delta`, or why there is none. Never waits."""
        ladder = self._ladders.get((symbol, expiry))
        if ladder is None:
            return _none("NO_CHAIN", f"the {expiry} ladder of {symbol} is not warm", now_ns, trade_id)
        expiry_ns = expiry_instant(ladder.expiry, self._calendar)
        if now_ns >= expiry_ns:
            return _none("EXPIRED", f"the ladder of {symbol} expired with {ladder.expiry}", now_ns, trade_id)
        contracts = ladder.calls if side is Side.CALL else ladder.puts
        underlying = self._underlying(symbol, now_ns)
        best, faults = choose(contracts, self._market, delta, underlying, expiry_ns, now_ns, self._limits)
        if best is None:
            return self._nothing(symbol, len(contracts), faults, now_ns, trade_id)
        quote, greeks = best
        decision = Decision(
            trade_id, "contract", "pass", f"{quote.contract.label} is nearest {delta:.2f} delta", now_ns,
            value=f"delta {abs(greeks.delta):.3f} ({greeks.source.value}), bid {quote.bid}, ask {quote.ask}, "
            f"spread {relative_spread(quote) or 0:.1f} %",
            limit=f"delta {delta:.2f}, spread {self._limits.max_spread_pct} %, "
            f"age {self._limits.quote_age_s:g} s",
        )  # fmt: skip
        price = greeks.underlying if underlying is None else underlying
        return Pick(quote.contract, quote, greeks, ladder.tick_rule, price, (decision,))

    def greeks(self, contract: Contract, now_ns: int) -> Greeks | None:
        """The greeks to go by for one contract: the broker's where sound, else our model's from its quote
        and a live underlying, else None. What risk should be shown, so that it judges what was picked."""
        told = self._market.greeks(contract)
        if sound(told, now_ns, self._limits.greeks_age_s):
            return told
        quote, underlying = self._market.quote(contract), self._underlying(contract.symbol, now_ns)
        if quote is None or underlying is None:
            return None
        return model_greeks((quote,), underlying, expiry_instant(contract.expiry, self._calendar), now_ns)[0]

    def ladder(self, symbol: str, expiry: str = "0dte") -> Ladder | None:
        return self._ladders.get((symbol, expiry))

    def cache(self, symbol: str, expiry: str, now_ns: int) -> tuple[CacheRow, ...]:
        """The greek cache of a ladder, calls then puts, strikes ascending; empty where it is not warm."""
        ladder = self._ladders.get((symbol, expiry))
        if ladder is None:
            return ()
        quotes = {each: self._market.quote(each) for each in ladder.contracts}
        there = [quote for quote in quotes.values() if quote is not None]
        expiry_ns = expiry_instant(ladder.expiry, self._calendar)
        known = with_greeks(
            there, self._market, self._underlying(symbol, now_ns), expiry_ns, now_ns, self._limits
        )
        greeks = {quote.contract: each for quote, each in known}
        return tuple(
            CacheRow(each, quote, greeks.get(each), None if quote is None else (now_ns - quote.at_ns) / SECOND)
            for each, quote in quotes.items()
        )

    def _underlying(self, symbol: str, now_ns: int) -> float | None:
        age_ns = now_ns - self._market.last_update_ns(symbol)
        return self._market.last_price(symbol) if age_ns <= self._limits.underlying_age_s * SECOND else None

    def _nothing(self, symbol: str, asked: int, faults: dict[str, int], now_ns: int, trade_id: str) -> NoPick:
        told = [(code, text) for code, text in FAULTS if faults.get(code)]
        counts = ", ".join(f"{faults[code]} {text}" for code, text in told)
        code = told[-1][0] if told else "NO_STRIKES"
        return _none(code, f"of {asked} {symbol} contracts {counts or 'none is listed'}", now_ns, trade_id)

    def _trade_date(self, now_ns: int) -> date:
        span = self._calendar.at(Hours.REGULAR, now_ns) or self._calendar.next_after(Hours.REGULAR, now_ns)
        return span.day


def _none(code: str, reason: str, now_ns: int, trade_id: str) -> NoPick:
    return NoPick(code, reason, (Decision(trade_id, "contract", "block", reason, now_ns, code),))
