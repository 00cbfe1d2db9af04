"""What is listed: expiries, strikes, contract ids, tick rules."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from station.brokers.paper.classes import MORNING_CLASS, Dates, in_the_morning
from station.brokers.paper.draws import key
from station.brokers.paper.instruments import front_expiry
from station.brokers.paper.tape import Tape
from station.brokers.paper.universe import listed, offered, volatility_ratio
from station.calendars import Calendar
from station.domain.broker import ChainListing
from station.domain.instruments import (
    Contract,
    Hours,
    Instrument,
    SecType,
    TickRule,
    option_contract,
    underlying_contract,
)

_REACH: Final = 0.07


def con_id(contract: Contract) -> int:
    """A stable id from what the contract is."""
    right = contract.right.value if contract.right else ""
    strike = f"{contract.strike.normalize():f}"
    named = (contract.symbol, contract.sec_type.value, contract.expiry, strike, right)
    morning = (MORNING_CLASS,) if in_the_morning(contract) else ()
    return 1 + key(*named, *morning) % (2**31 - 2)


class Listing:
    """The contracts of one session: each instrument of the tape, and its options of today and the next four
    sessions, of the Fridays of a month and of three third Fridays, at strikes within 7 % of the previous close
    (further out for what moves more)."""

    def __init__(self, tape: Tape, calendar: Calendar) -> None:
        self._tape = tape
        self.dates = Dates(tape.session, tape.open_ns, calendar)
        self.expiries = self.dates.dailies
        self._before = calendar.previous(Hours.REGULAR, tape.session).day
        self._strikes: dict[str, tuple[Decimal, ...]] = {}
        self._held: dict[Contract, Contract] = {}
        self._dates_of: dict[str, tuple[str, ...]] = {}
        self._front = f"{front_expiry(tape.session):%Y%m%d}"

    def keep(self, contract: Contract) -> None:
        """List a contract that is held from an earlier session, whatever its strike."""
        self._held[contract] = numbered(contract)

    def ceased(self, contract: Contract) -> bool:
        """Whether it is listed only because it is still held: settled this morning, no longer traded."""
        return in_the_morning(contract) and contract.expiry <= self.expiries[0]

    def strikes(self, symbol: str) -> tuple[Decimal, ...]:
        found = self._strikes.get(symbol)
        if found is None:
            found = self._strikes[symbol] = self._listed(symbol)
        return found

    def _listed(self, symbol: str) -> tuple[Decimal, ...]:
        step = listed(symbol).strike_step
        reference = self._tape.settlement(symbol, self._before)
        if reference is None:
            ticks = self._tape.ticks(symbol)
            if len(ticks) == 0:
                return ()
            reference = float(ticks.price[0])
        middle = int(Decimal(repr(reference)) / step)
        reach = _REACH * max(volatility_ratio(symbol), 1.0)
        each = max(int(reference * reach / float(step)), 5)
        return tuple(step * n for n in range(max(middle - each, 1), middle + each + 1))

    def _expiries(self, instrument: Instrument) -> tuple[str, ...]:
        found = self._dates_of.get(instrument.symbol)
        if found is None:
            found = self._dates_of[instrument.symbol] = self.dates.of(instrument)
        return found

    def underlying(self, instrument: Instrument) -> Contract | None:
        """The instrument's own contract, None where the tape has no such symbol."""
        if offered(self._tape, instrument.symbol) is None:
            return None
        expiry = self._front if instrument.sec_type is SecType.FUTURE else ""
        return numbered(underlying_contract(instrument, expiry))

    def chain(self, instrument: Instrument) -> tuple[ChainListing, ...]:
        known = offered(self._tape, instrument.symbol)
        if known is None or not known.has_options:
            return ()
        classes = [(known.option_class, self.dates.of(known))]
        if known.symbol == MORNING_CLASS:
            classes.append((MORNING_CLASS, self.dates.mornings()))
        strikes = self.strikes(known.symbol)
        return tuple(
            ChainListing(known.symbol, name, known.exchange, known.option_multiplier, expiries, strikes)
            for name, expiries in sorted(classes)
        )

    def find(self, contract: Contract) -> Contract | None:
        """The listed contract that this names, with its id; None where there is none."""
        if contract in self._held:
            return self._held[contract]
        instrument = offered(self._tape, contract.symbol)
        if instrument is None:
            return None
        if contract.right is None:
            own = self.underlying(instrument)
            same = own is not None and own.sec_type is contract.sec_type
            return own if same and contract.expiry in ("", own.expiry if own else "") else None
        own_class = in_the_morning(contract)
        expiries = self.dates.mornings() if own_class else self._expiries(instrument)
        if not instrument.has_options or contract.expiry not in expiries:
            return None
        plain = option_contract(instrument, contract.expiry, contract.strike, contract.right)
        found = numbered(replace(plain, trading_class=contract.trading_class) if own_class else plain)
        fits = (
            contract.strike in self.strikes(contract.symbol)
            and contract.trading_class in ("", found.trading_class)
            and contract.multiplier == found.multiplier
            and contract.sec_type is found.sec_type
        )
        return found if fits else None


def numbered(contract: Contract) -> Contract:
    """The contract with its id."""
    return Contract(
        contract.symbol, contract.sec_type, contract.expiry, contract.strike, contract.right,
        contract.trading_class, contract.multiplier, contract.exchange, contract.currency, con_id(contract),
    )  # fmt: skip


def ticks_of(contract: Contract) -> TickRule:
    """The market rule of a listed contract."""
    instrument = listed(contract.symbol)
    return instrument.option_ticks if contract.is_option else instrument.tick
