"""The exchange's answers about the account, as of one instant."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from station.brokers.paper.floor import Floor
from station.brokers.paper.intake import available, maintenance
from station.brokers.paper.quotes import Touch
from station.domain.broker import Account, OpenOrder, Position
from station.domain.instruments import Contract
from station.domain.orders import ZERO, Execution

_CENT = Decimal("0.01")


class Accounts:
    """A view; it changes nothing."""

    def __init__(self, floor: Floor, now_ns: int) -> None:
        self._floor = floor
        self._register = floor.register
        self._now_ns = now_ns

    def open_orders(self) -> tuple[OpenOrder, ...]:
        """Received and working orders, oldest first."""
        orders = sorted(self._register.open.values(), key=lambda order: order.number)
        return tuple(
            OpenOrder(o.ref, o.ticket.contract, o.state, o.ticket, o.filled, o.number, o.perm_id)
            for o in orders
        )

    def executions(self) -> tuple[Execution, ...]:
        """Those of this session; a commission that a fault withholds reads None."""
        since = f"PX{self._floor.tape.session:%Y%m%d}."
        unpaid = self._floor.outbox.unpaid
        return tuple(
            replace(e, commission=None) if e.exec_id in unpaid else e
            for e in self._register.executions
            if e.exec_id.startswith(since)
        )

    def positions(self) -> tuple[Position, ...]:
        holdings = self._register.ledger.holdings.items()
        return tuple(Position(self._register.account, c, h.qty, h.cost) for c, h in holdings)

    def prices(self) -> dict[Contract, Decimal]:
        """What is held at the middle of its quote, so that the account says what its positions do; the model's
        price where a side is absent, cost where nothing has traded yet."""
        holdings = self._register.ledger.holdings
        touches = self._floor.quoter.touches(tuple(holdings), self._now_ns)
        return {
            contract: _middle(touches[contract]) if contract in touches else holding.cost
            for contract, holding in holdings.items()
        }

    def equity(self) -> Decimal:
        ledger = self._register.ledger
        return (ledger.cash + ledger.value(self.prices())).quantize(_CENT)

    def account(self) -> Account:
        ledger, prices = self._register.ledger, self.prices()
        unrealised = sum(
            (h.qty * (prices[c] - h.cost) * c.multiplier for c, h in ledger.holdings.items()), ZERO
        )  # fmt: skip
        margin = maintenance(ledger, self._floor.pit.look)
        free = max(available(ledger, self._floor.pit.look), ZERO)
        return Account(
            self._register.account, (ledger.cash + ledger.value(prices)).quantize(_CENT), ledger.cash,
            free.quantize(_CENT), self._now_ns, ledger.realised, unrealised.quantize(_CENT),
            margin.quantize(_CENT),
        )  # fmt: skip


def _middle(touch: Touch) -> Decimal:
    if touch.bid and touch.ask:
        return Decimal(touch.bid + touch.ask) / 200
    return Decimal(repr(round(touch.mid, 4)))
