"""Finding the option that a hand names in what is listed, or saying in one line what is near it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from station.domain.broker import ChainListing
from station.domain.errors import BadInput
from station.domain.instruments import Contract, Instrument, Right, option_contract
from station.options.expiry import choose_expiry

NAMED_KEPT: Final = 8
"""How many contracts that were named last stay watched."""
_NEAR: Final = 4
_KINDS: Final = "0dte, 1dte, weekly, monthly or YYYYMMDD"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An option as a hand names it; `expiry` as `choose_expiry` takes it."""

    symbol: str
    expiry: str
    strike: Decimal
    right: Right


def listed(wanted: Wanted, instrument: Instrument, listing: ChainListing | None, day: date) -> Contract:
    """The contract of the instrument's own class. Raises BadInput naming what is listed near it."""
    if listing is None or not instrument.has_options:
        raise BadInput(f"{wanted.symbol} has no options here: leave right, strike and expiry out")
    expiry = choose_expiry(wanted.expiry, listing.expiries, day)
    if expiry is None:
        near = ", ".join(_expiries(listing.expiries, wanted.expiry, day)) or "none"
        raise BadInput(
            f"{wanted.symbol} lists no expiry {wanted.expiry or '(none given)'}: {near} are, write {_KINDS}"
        )
    if wanted.strike not in listing.strikes:
        near = ", ".join(f"{each.normalize():f}" for each in nearest(wanted.strike, listing.strikes))
        strike = f"{wanted.strike.normalize():f}{wanted.right.value}"
        raise BadInput(f"{wanted.symbol} {expiry} has no strike {strike}: the nearest are {near}")
    return option_contract(instrument, expiry, wanted.strike, wanted.right)


def unlisted(contract: Contract, listing: ChainListing | None) -> BadInput:
    """The refusal of a contract whose strike exists, but not in this expiry."""
    strikes = () if listing is None else listing.strikes
    around = [each for each in nearest(contract.strike, strikes) if each != contract.strike]
    near = ", ".join(f"{each.normalize():f}" for each in around)
    return BadInput(f"{contract.label} is not listed: try a strike near it ({near}) or another expiry")


def nearest(strike: Decimal, strikes: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """The listed strikes around one, ascending."""
    near = sorted(strikes, key=lambda each: (abs(each - strike), each))[:_NEAR]
    return tuple(sorted(near))


def _expiries(expiries: Sequence[str], wanted: str, day: date) -> list[str]:
    """The listed expiries from today on; around the wanted one where that is a day."""
    ahead = sorted(each for each in expiries if each >= f"{day:%Y%m%d}")
    if not wanted.isdecimal():
        return ahead[:_NEAR]
    at = sum(each < wanted for each in ahead)
    first = max(min(at - _NEAR // 2, len(ahead) - _NEAR), 0)
    return ahead[first : first + _NEAR]
