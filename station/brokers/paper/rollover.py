"""From one session to a later one on the same book."""

from __future__ import annotations

from datetime import date

from station.brokers.paper.book import Stored
from station.brokers.paper.faults import FaultPlan
from station.brokers.paper.floor import Floor
from station.brokers.paper.tape import Tape
from station.calendars import Calendar, at_et
from station.domain.errors import Fatal
from station.domain.orders import OrderState, Tif


def carried_over(stored: Stored, tape: Tape, calendar: Calendar, account: str) -> Floor:
    """The floor of the book's last session, played to its end, with everything settled that expired before the
    tape's session. Its draft holds what the book is still to learn. Raises Fatal where a settlement price is
    not on the tape."""
    last = date.fromisoformat(stored.meta["session"])
    before = tape.on(last)
    floor = Floor(before or tape, calendar, stored, account, FaultPlan(()), int(stored.meta["instant_ns"]))
    if before is not None:
        floor.step(max(before.close_ns, floor.through_ns))
    register = floor.register
    midnight = at_et(tape.session, "00:00")
    for order in list(register.open.values()):
        if order.ticket.tif is Tif.DAY:
            register.move(order, OrderState.EXPIRED, "expired", floor.through_ns, "the session closed")
    for contract in list(register.ledger.holdings):
        if contract.is_option and contract.expiry < f"{tape.session:%Y%m%d}":
            price = floor.pit.settlement_price(contract)
            if price is None:
                raise Fatal(
                    f"{contract.label} expired before {tape.session} and the tape has no close of "
                    f"{contract.symbol} for its date: add bars of that day, or begin a new --runtime"
                )
            register.settle(contract, price, max(floor.through_ns, midnight))
    return floor
