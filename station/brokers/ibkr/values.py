"""Numbers and names between the library and the domain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import ib_async

from station.domain.instruments import INSTRUMENTS, Contract, Instrument, Right, SecType

UNSET: Final = 1e300
"""IBKR says "no value" with the largest double; nothing real comes near."""

_DERIVATIVES: Final = (SecType.OPTION, SecType.FUTURE_OPTION, SecType.FUTURE)


def price(value: float | Decimal | str | None) -> Decimal | None:
    """A price, or None for −1, 0, NaN and unset: the ways TWS says that there is none (FAULTS 40)."""
    known = number(value)
    return known if known is not None and known > 0 else None


def number(value: float | Decimal | str | None) -> Decimal | None:
    """Any number by its shortest text, whole ones without a point; None for NaN, unset and empty."""
    if value is None or value == "":
        return None
    try:
        known = Decimal(str(value))
    except InvalidOperation:
        return None
    if not known.is_finite() or abs(known) > UNSET:
        return None
    return known.to_integral_value() if known == known.to_integral_value() else known


def count(value: float | None) -> int:
    """A size or volume; 0 for NaN, unset and negative."""
    if value is None or not math.isfinite(value) or not 0 < value < UNSET:
        return 0
    return int(value)


def plain(value: Decimal | None) -> Decimal:
    """The number so that its text has no exponent, which the wire would not read."""
    return Decimal(f"{value:f}") if value is not None else Decimal(0)


class ContractBook:
    """One domain contract a con id, whatever exchange or class TWS decorates it with this time."""

    def __init__(self, instruments: Mapping[str, Instrument] = INSTRUMENTS) -> None:
        self._instruments = instruments
        self._by_id: dict[int, Contract] = {}
        self._ids: dict[Contract, int] = {}

    def remember(self, contract: Contract) -> Contract:
        if contract.con_id:
            self._by_id[contract.con_id] = contract
            self._ids[contract] = contract.con_id
        return contract

    def con_id(self, contract: Contract) -> int:
        """The broker's id, 0 while unknown."""
        return contract.con_id or self._ids.get(contract, 0)

    def theirs(self, contract: Contract) -> ib_async.Contract:
        """The contract as the library sends it."""
        derivative = contract.sec_type in _DERIVATIVES
        return ib_async.Contract(
            secType=contract.sec_type.value,
            conId=self.con_id(contract),
            symbol=contract.symbol,
            lastTradeDateOrContractMonth=contract.expiry,
            strike=float(contract.strike),
            right=contract.right.value if contract.right is not None else "",
            multiplier=str(contract.multiplier) if derivative else "",
            exchange=contract.exchange,
            currency=contract.currency,
            tradingClass=contract.trading_class if derivative else "",
        )

    def ours(self, theirs: ib_async.Contract) -> Contract | None:
        """The domain's contract, or None for a kind it cannot name (currencies, bonds, combinations)."""
        known = self._by_id.get(theirs.conId)
        if known is not None:
            return known
        sec_type = next((kind for kind in SecType if kind.value == theirs.secType), None)
        if sec_type is None:
            return None
        instrument = self._instruments.get(theirs.symbol)
        named = theirs.exchange or theirs.primaryExchange or "SMART"
        exchange = instrument.exchange if instrument is not None else named
        if instrument is None and sec_type in (SecType.STOCK, SecType.OPTION):
            exchange = "SMART"
        derivative = sec_type in _DERIVATIVES
        right = Right(theirs.right[0]) if theirs.right[:1] in ("C", "P") else None
        return self.remember(
            Contract(
                theirs.symbol, sec_type, theirs.lastTradeDateOrContractMonth[:8] if derivative else "",
                (number(theirs.strike) or Decimal(0)) if right is not None else Decimal(0), right,
                (theirs.tradingClass or theirs.symbol) if derivative else theirs.symbol,
                int(float(theirs.multiplier or 1)), exchange, theirs.currency or "USD", theirs.conId,
            )
        )  # fmt: skip
