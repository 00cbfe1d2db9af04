"""A screen's ticket read into the desk's values; every complaint is one line that names the field."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from station.desk.asked import Asked, Pricing
from station.domain.errors import BadInput
from station.domain.instruments import Right
from station.domain.orders import Action
from station.link import Taking, Ticket

LARGEST: Final = Decimal(1_000_000)
LONGEST_S: Final = 86_400
_NEEDS: Final = {
    Pricing.MID: (False, False), Pricing.MARKET: (False, False), Pricing.LIMIT: (True, False),
    Pricing.STOP: (False, True), Pricing.STOP_LIMIT: (True, True),
}  # fmt: skip
"""Which of limit and stop a kind has."""


def read_ticket(ticket: Ticket) -> Asked:
    """The order that the ticket asks for. Raises BadInput."""
    pricing = _pricing(ticket)
    right = _right(ticket)
    _pair("target", ticket.target_price, ticket.target_pct)
    _pair("stop", ticket.stop_price, ticket.stop_pct)
    if not 0 <= ticket.valid_s <= LONGEST_S:
        raise BadInput(f"ticket: valid_s = {ticket.valid_s}: give 0 to {LONGEST_S} seconds")
    if not 1 <= ticket.qty <= LARGEST:
        raise BadInput(f"ticket: qty = {ticket.qty}: give a whole number from 1")
    return Asked(
        ticket.symbol.strip().upper(), _action(ticket.action), Decimal(ticket.qty), pricing,
        ticket.expiry.strip().lower(), price("strike", ticket.strike) or Decimal(0), right,
        price("limit", ticket.limit), price("stop", ticket.stop), price("target_price", ticket.target_price),
        percent("target_pct", ticket.target_pct, Decimal(1000)), price("stop_price", ticket.stop_price),
        percent("stop_pct", ticket.stop_pct, Decimal(99)), ticket.override, _score(ticket.self_report),
        ticket.valid_s,
    )  # fmt: skip


def read_taking(terms: Taking, qty: int) -> Asked:
    """What a hand wants of a proposal: how much (0: all), and its own prices. Raises BadInput."""
    _pair("target", terms.target_price, terms.target_pct)
    _pair("stop", terms.stop_price, terms.stop_pct)
    limit = price("limit", terms.limit)
    return Asked(
        "", Action.BUY, Decimal(qty), Pricing.MID if limit is None else Pricing.LIMIT, limit=limit,
        target_price=price("target_price", terms.target_price),
        target_pct=percent("target_pct", terms.target_pct, Decimal(1000)),
        stop_price=price("stop_price", terms.stop_price),
        stop_pct=percent("stop_pct", terms.stop_pct, Decimal(99)),
    )  # fmt: skip


def price(name: str, text: str) -> Decimal | None:
    """A price or strike, None where it is left empty. Raises BadInput."""
    return _number(name, text, LARGEST, "a number over 0")


def percent(name: str, text: str, most: Decimal) -> Decimal | None:
    return _number(name, text.strip().removesuffix("%"), most, f"a percent over 0 and up to {most}")


def _number(name: str, text: str, most: Decimal, mend: str) -> Decimal | None:
    if not text.strip():
        return None
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 < number <= most:
        raise BadInput(f"ticket: {name} = {text!r}: give {mend}")
    return number


def _pricing(ticket: Ticket) -> Pricing:
    try:
        pricing = Pricing(ticket.kind.strip().upper())
    except ValueError:
        kinds = ", ".join(each.value for each in Pricing)
        raise BadInput(f"ticket: kind = {ticket.kind!r}: give {kinds}") from None
    for name, text, needed in zip(("limit", "stop"), (ticket.limit, ticket.stop), _NEEDS[pricing], strict=True):
        if needed and not text.strip():
            raise BadInput(f"ticket: a {pricing.value} order needs a {name}: give a price")
        if text.strip() and not needed:
            raise BadInput(f"ticket: a {pricing.value} order has no {name}: leave {text!r} out")
    return pricing


def _right(ticket: Ticket) -> Right | None:
    right = ticket.right.strip().upper()
    if right not in ("", "C", "P"):
        raise BadInput(f"ticket: right = {ticket.right!r}: give C or P, or nothing for {ticket.symbol} itself")
    if right and not (ticket.strike.strip() and ticket.expiry.strip()):
        missing = "strike" if not ticket.strike.strip() else "expiry"
        raise BadInput(f"ticket: an option needs its {missing}: write it like 5940C 0dte")
    if not right and (ticket.strike.strip() or ticket.expiry.strip()):
        raise BadInput("ticket: strike and expiry are of an option: give right C or P, or leave them out")
    return Right(right) if right else None


def _action(text: str) -> Action:
    try:
        return Action(text.strip().upper())
    except ValueError:
        raise BadInput(f"ticket: action = {text!r}: give BUY or SELL") from None


def _pair(what: str, at: str, pct: str) -> None:
    if at.strip() and pct.strip():
        raise BadInput(f"ticket: the {what} is a price or a percent, not both: leave {at!r} or {pct!r} out")


def _score(text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal() or int(text) > 100:
        raise BadInput(f"ticket: self_report = {text!r}: give a whole number from 0 to 100")
    return int(text)
