"""What is listed: expiries, strikes, contract ids, tick rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from station.brokers.paper.draws import key
from station.brokers.paper.instruments import front_expiry
from station.brokers.paper.tape import Tape
from station.calendars import Calendar
from station.domain.broker import ChainListing
from station.domain.instruments import (
    INSTRUMENTS,
    Contract,
    Hours,
    Instrument,
    SecType,
    TickRule,
    option_contract,
    underlying_contract,
)

EXPIRIES: Final = 5
_REACH: Final = 0.07


def con_id(contract: Contract) -> int:
    """A stable id from what the contract is."""
    right = contract.right.value if contract.right else ""
    strike = f"{contract.strike.normalize():f}"
    return 1 + key(contract.symbol, contract.sec_type.value, contract.expiry, strike, right) % (2**31 - 2)


class Listing:
    """The contracts of one session: each instrument of the tape, and its options of today and the next four
    sessions, at strikes within 7 % of the previous close."""

    def __init__(self, tape: Tape, calendar: Calendar) -> None:
        self._tape = tape
        days = [tape.session]
        at_ns = tape.open_ns
        while len(days) < EXPIRIES:
            span = calendar.next_after(Hours.REGULAR, at_ns)
            days.append(span.day)
            at_ns = span.open_ns
        self.expiries = tuple(f"{day:%Y%m%d}" for day in days)
        self._before = calendar.previous(Hours.REGULAR, tape.session).day
        self._strikes: dict[str, tuple[Decimal, ...]] = {}
        self._held: dict[Contract, Contract] = {}
        self._front = f"{front_expiry(tape.session):%Y%m%d}"

    def keep(self, contract: Contract) -> None:
        """List a contract that is held from an earlier session, whatever its strike."""
        self._held[contract] = numbered(contract)

    def strikes(self, symbol: str) -> tuple[Decimal, ...]:
        found = self._strikes.get(symbol)
        if found is None:
            found = self._strikes[symbol] = self._listed(symbol)
        return found

    def _listed(self, symbol: str) -> tuple[Decimal, ...]:
        step = INSTRUMENTS[symbol].strike_step
        reference = self._tape.settlement(symbol, self._before)
        if reference is None:
            ticks = self._tape.ticks(symbol)
            if len(ticks) == 0:
                return ()
            reference = float(ticks.price[0])
        middle = int(Decimal(repr(reference)) / step)
        each = max(int(reference * _REACH / float(step)), 5)
        return tuple(step * n for n in range(max(middle - each, 1), middle + each + 1))

    def underlying(self, instrument: Instrument) -> Contract | None:
        """The instrument's own contract, None where the tape has no such symbol."""
        if instrument.symbol not in self._tape.symbols or INSTRUMENTS.get(instrument.symbol) is None:
            return None
        expiry = self._front if instrument.sec_type is SecType.FUTURE else ""
        return numbered(underlying_contract(instrument, expiry))

    def chain(self, instrument: Instrument) -> tuple[ChainListing, ...]:
        known = INSTRUMENTS.get(instrument.symbol)
        if known is None or not known.has_options or known.symbol not in self._tape.symbols:
            return ()
        strikes = self.strikes(known.symbol)
        return (
            ChainListing(
                known.symbol,
                known.option_class,
                known.exchange,
                known.option_multiplier,
                self.expiries,
                strikes,
            ),
        )

    def find(self, contract: Contract) -> Contract | None:
        """The listed contract that this names, with its id; None where there is none."""
        if contract in self._held:
            return self._held[contract]
        instrument = INSTRUMENTS.get(contract.symbol)
        if instrument is None or contract.symbol not in self._tape.symbols:
            return None
        if contract.right is None:
            own = self.underlying(instrument)
            same = own is not None and own.sec_type is contract.sec_type
            return own if same and contract.expiry in ("", own.expiry if own else "") else None
        if not instrument.has_options or contract.expiry not in self.expiries:
            return None
        listed = numbered(option_contract(instrument, contract.expiry, contract.strike, contract.right))
        fits = (
            contract.strike in self.strikes(contract.symbol)
            and contract.trading_class in ("", listed.trading_class)
            and contract.multiplier == listed.multiplier
            and contract.sec_type is listed.sec_type
        )
        return listed if fits else None


def numbered(contract: Contract) -> Contract:
    """The contract with its id."""
    return Contract(
        contract.symbol, contract.sec_type, contract.expiry, contract.strike, contract.right,
        contract.trading_class, contract.multiplier, contract.exchange, contract.currency, con_id(contract),
    )  # fmt: skip


def ticks_of(contract: Contract) -> TickRule:
    """The market rule of a listed contract."""
    instrument = INSTRUMENTS[contract.symbol]
    return instrument.option_ticks if contract.is_option else instrument.tick
