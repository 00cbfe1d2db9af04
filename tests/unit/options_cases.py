"""A small live market and broker for the picker: quotes in a table, a chain that answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, cast

from station.calendars import load_calendar
from station.clock import VirtualClock
from station.domain.broker import Broker, ChainListing
from station.domain.clock import HOUR, SECOND
from station.domain.errors import BrokerUnavailable
from station.domain.instruments import INSTRUMENTS, SPX_OPTION_TICKS, Contract, Instrument, Right, TickRule
from station.domain.market import Greeks, Quote
from station.options import OptionDesk, PickLimits
from station.pricing import expiry_instant, greeks, price, year_fraction

NOON = 1_795_185_000 * SECOND + 2 * HOUR  # 2026-11-20 11:30 ET, a Friday
EXPIRY = "20261120"
SPOT = 5912.0
VOL = 0.18


@dataclass
class Table:
    """The market as a table that a test may spoil."""

    quotes: dict[Contract, Quote] = field(default_factory=dict[Contract, Quote])
    told: dict[Contract, Greeks] = field(default_factory=dict[Contract, Greeks])
    price: float | None = SPOT
    updated_ns: int = NOON

    def quote(self, contract: Contract) -> Quote | None:
        return self.quotes.get(contract)

    def greeks(self, contract: Contract) -> Greeks | None:
        return self.told.get(contract)

    def last_price(self, symbol: str) -> float | None:
        return self.price

    def last_update_ns(self, symbol: str) -> int:
        return self.updated_ns

    def spoil(self, **change: Any) -> None:
        self.quotes = {contract: replace(quote, **change) for contract, quote in self.quotes.items()}

    def spoil_greeks(self, **change: Any) -> None:
        self.told = {contract: replace(each, **change) for contract, each in self.told.items()}


@dataclass
class Chain:
    """The four answers that keeping warm asks a broker for; `down` makes each raise."""

    strikes: tuple[Decimal, ...] = tuple(Decimal(strike) for strike in range(5700, 6105, 5))
    expiries: tuple[str, ...] = (EXPIRY, "20261123", "20261127", "20261218")
    unlisted: frozenset[Decimal] = frozenset()
    down: bool = False
    watched: list[Contract] = field(default_factory=list[Contract])
    calls: list[str] = field(default_factory=list[str])

    def _answer(self, name: str) -> None:
        self.calls.append(name)
        if self.down:
            raise BrokerUnavailable(f"{name}: the link is down")

    async def chain(self, instrument: Instrument) -> tuple[ChainListing, ...]:
        self._answer("chain")
        monthly = ChainListing("SPX", "SPX", "CBOE", 100, ("20261218",), self.strikes)
        smart = ChainListing("SPX", "SPXW", "SMART", 100, ("20261218",), self.strikes)
        return (monthly, smart, ChainListing("SPX", "SPXW", "CBOE", 100, self.expiries, self.strikes))

    async def qualify(self, contracts: Sequence[Contract]) -> tuple[Contract, ...]:
        self._answer("qualify")
        known = [each for each in contracts if each.strike not in self.unlisted]
        return tuple(replace(each, con_id=1_000 + n) for n, each in enumerate(known))

    async def tick_rule(self, contract: Contract) -> TickRule:
        self._answer("tick_rule")
        return INSTRUMENTS[contract.symbol].option_ticks

    async def watch(self, contract: Contract) -> None:
        self._answer("watch")
        self.watched.append(contract)

    async def unwatch(self, contract: Contract) -> None:
        self._answer("unwatch")
        self.watched.remove(contract)


@dataclass
class Bench:
    clock: VirtualClock
    table: Table
    chain: Chain
    desk: OptionDesk

    @property
    def broker(self) -> Broker:
        return cast("Broker", self.chain)

    def fill(self) -> None:
        """A fair, tight, fresh market with broker greeks in every contract of the warm ladder."""
        ladder = self.desk.ladder("SPX")
        for contract in () if ladder is None else ladder.contracts:
            self.table.quotes[contract], self.table.told[contract] = fair(contract)


def fair(contract: Contract, now_ns: int = NOON) -> tuple[Quote, Greeks]:
    years = year_fraction(now_ns, expiry_instant(contract.expiry, load_calendar()))
    call = contract.right is Right.CALL
    terms = (SPOT, float(contract.strike), years, VOL, call)
    worth = Decimal(str(round(float(price(*terms)), 4)))
    bid = max(SPX_OPTION_TICKS.down(worth), Decimal("0.05"))
    values = greeks(*terms)
    quote = Quote(contract, bid, bid + SPX_OPTION_TICKS.increment(bid), 30, 30, now_ns)
    numbers = (float(values.delta), float(values.gamma), float(values.theta), float(values.vega))
    return quote, Greeks(contract, VOL, *numbers, SPOT, now_ns)


async def bench(limits: PickLimits | None = None, **chain: Any) -> Bench:
    """A warm desk on a fair market."""
    clock, table = VirtualClock(NOON), Table()
    made = Bench(clock, table, Chain(**chain), OptionDesk(clock, load_calendar(), table, limits))
    await made.desk.keep_warm(made.broker, ("SPX",))
    made.fill()
    return made
