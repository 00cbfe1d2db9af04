"""What is refused at the door, in IBKR's codes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

from station.brokers.paper.ledger import Ledger
from station.brokers.paper.listing import Listing, ticks_of
from station.brokers.paper.orders import PaperOrder
from station.brokers.paper.quotes import Touch, dollars, tradable
from station.brokers.paper.register import Register
from station.domain.fees import order_fee
from station.domain.instruments import Contract, SecType
from station.domain.orders import ZERO, Action, OrderKind, OrderState, Ticket

SHORT_MARGIN: Final = Decimal("0.20")
LONG_MARGIN: Final = Decimal("0.25")
"""Of the value of shares: an account buys four times what it has free, as a day trader's may."""
SHORT_SHARE_MARGIN: Final = Decimal("0.30")
FUTURE_MARGIN: Final = Decimal("0.08")
"""Of a future's notional, either way. Its notional passes through the cash as a share's price does, which comes
to the same equity as settling its gains and losses day by day."""
Look = Callable[[Contract], Touch | None]


class Refusal(NamedTuple):
    code: int
    text: str


def form_fault(ticket: Ticket, listing: Listing) -> Refusal | None:
    """What is wrong with the ticket itself."""
    contract = listing.find(ticket.contract)
    if contract is None:
        return Refusal(200, f"No security definition has been found for {ticket.contract.label}")
    if listing.ceased(contract):
        return Refusal(201, f"Order rejected - {contract.label} last traded the session before its expiry")
    if not tradable(contract):
        return Refusal(201, f"Order rejected - {contract.label} takes no orders here: trade its options")
    if ticket.qty <= 0 or ticket.qty != ticket.qty.to_integral_value():
        return Refusal(201, f"Order rejected - quantity {ticket.qty} is not a whole positive number")
    needs_limit = ticket.kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT)
    needs_stop = ticket.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
    for needed, price, name in ((needs_limit, ticket.limit, "limit"), (needs_stop, ticket.stop, "stop")):
        if needed and price is None:
            return Refusal(321, f"Error validating request - a {ticket.kind.value} order needs a {name} price")
        if needed and price is not None and (price <= 0 or not ticks_of(contract).is_legal(price)):
            return Refusal(
                110, f"The price {price} does not conform to the minimum price variation for this contract"
            )
    return None


def money_fault(
    order: PaperOrder, register: Register, look: Look, replacing: PaperOrder | None = None
) -> Refusal | None:
    """Whether the account can carry it: cash for what it buys, margin for what it sells short.
    A bracket's sells are covered by their parent's buy."""
    ticket = order.ticket
    if ticket.parent_ref and not order.buys:
        return None
    need = requirement(ticket, register, look, replacing or order)
    free = free_cash(register, look, replacing or order)
    if need > free:
        return Refusal(
            201, f"Order rejected - reason: it needs {need:.2f} USD and {free:.2f} USD are available"
        )
    return None


def requirement(ticket: Ticket, register: Register, look: Look, own: PaperOrder | None = None) -> Decimal:
    """Dollars the order ties up: what an option costs, a quarter of what shares cost, 8 % of a future's
    notional, or the margin of what it would sell short (20 % of an option's notional, 30 % of the value of
    shares: the proceeds are set aside)."""
    contract = ticket.contract
    fee = order_fee(contract, ticket.qty)
    if ticket.action is Action.BUY:
        cost = ticket.qty * _price(ticket, look) * contract.multiplier
        closes = min(max(-register.ledger.held(contract), ZERO), ticket.qty)
        share = long_share(contract) * (1 - closes / ticket.qty) if on_margin(contract) else Decimal(1)
        return cost * share + fee
    short = ticket.qty - uncommitted(contract, register, ticket, own)
    return short_margin(contract, short, look) if short > 0 else ZERO


def uncommitted(contract: Contract, register: Register, ticket: Ticket, own: PaperOrder | None) -> Decimal:
    """What is held and not yet promised to another sell outside the ticket's own OCA group."""
    promised: dict[str, Decimal] = {}
    for other in register.open.values():
        same = other.ticket.contract == contract and other.ticket.action is Action.SELL
        if not same or other is own or other.state is OrderState.PENDING or other.ticket.parent_ref:
            continue
        if other.group and other.group == ticket.oca_group:
            continue
        name = other.group or other.ref
        promised[name] = max(promised.get(name, ZERO), other.remaining)
    return max(register.ledger.held(contract) - sum(promised.values(), ZERO), ZERO)


def short_margin(contract: Contract, qty: Decimal, look: Look) -> Decimal:
    """Dollars for a short position: 20 % of an option's notional, 30 % of the value of shares, 8 % of a
    future's."""
    if contract.is_option:
        return qty * SHORT_MARGIN * contract.strike * contract.multiplier
    touch = look(contract)
    price = dollars(touch.ask) if touch else ZERO
    share = FUTURE_MARGIN if contract.sec_type is SecType.FUTURE else SHORT_SHARE_MARGIN
    return qty * price * contract.multiplier * share


def free_cash(register: Register, look: Look, own: PaperOrder | None = None) -> Decimal:
    """Dollars free for new positions: cash and shares, less what positions and working buys tie up."""
    tied = ZERO
    for other in register.open.values():
        if other is own or not other.buys or other.state is OrderState.PENDING:
            continue
        ticket = other.ticket
        cost = other.remaining * _price(ticket, look) * ticket.contract.multiplier
        tied += cost * long_share(ticket.contract)
    return available(register.ledger, look) - tied


def available(ledger: Ledger, look: Look) -> Decimal:
    """Dollars that no position ties up: cash and the value of what is on margin, long or owed, less the margin
    of all."""
    shares = sum(
        (held.qty * _mark(contract, look, held.cost) * contract.multiplier
         for contract, held in ledger.holdings.items() if on_margin(contract)), ZERO,
    )  # fmt: skip
    return ledger.cash + shares - maintenance(ledger, look)


def maintenance(ledger: Ledger, look: Look) -> Decimal:
    """Margin of all short positions, and of shares and futures held."""
    total = ZERO
    for contract, holding in ledger.holdings.items():
        if holding.qty < 0:
            total += short_margin(contract, -holding.qty, look)
        elif on_margin(contract):
            value = holding.qty * _mark(contract, look, holding.cost) * contract.multiplier
            total += value * long_share(contract)
    return total


def on_margin(contract: Contract) -> bool:
    """Shares and futures are; options are paid for in full."""
    return contract.sec_type in (SecType.STOCK, SecType.FUTURE)


def long_share(contract: Contract) -> Decimal:
    """What part of its value a long position ties up."""
    if contract.sec_type is SecType.FUTURE:
        return FUTURE_MARGIN
    return LONG_MARGIN if contract.sec_type is SecType.STOCK else Decimal(1)


def _mark(contract: Contract, look: Look, cost: Decimal) -> Decimal:
    touch = look(contract)
    return dollars(touch.bid) if touch and touch.bid else cost


def _price(ticket: Ticket, look: Look) -> Decimal:
    stated = ticket.limit or ticket.stop
    if stated is not None and ticket.kind is not OrderKind.MARKET:
        return stated
    touch = look(ticket.contract)
    return dollars(touch.ask) if touch else ZERO
