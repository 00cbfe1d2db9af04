"""What the account holds: positions at average cost, cash, realised profit. Rebuilt from the book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from station.domain.instruments import Contract
from station.domain.orders import ZERO


@dataclass(slots=True)
class Holding:
    """Signed quantity and average price a unit."""

    qty: Decimal = ZERO
    cost: Decimal = ZERO


class Ledger:
    """Executions, fees and settlements in, balances out."""

    def __init__(self) -> None:
        self.cash = ZERO
        self.realised = ZERO
        self.holdings: dict[Contract, Holding] = {}

    def held(self, contract: Contract) -> Decimal:
        holding = self.holdings.get(contract)
        return holding.qty if holding else ZERO

    def trade(self, contract: Contract, signed: Decimal, price: Decimal) -> None:
        """Move `signed` units at `price`; what closes is realised, what remains or turns keeps its own cost."""
        holding = self.holdings.setdefault(contract, Holding())
        closing = min(abs(signed), abs(holding.qty)) if signed * holding.qty < 0 else ZERO
        side = 1 if holding.qty > 0 else -1
        self.realised += closing * side * (price - holding.cost) * contract.multiplier
        after = holding.qty + signed
        if closing == 0:
            holding.cost = (holding.cost * abs(holding.qty) + price * abs(signed)) / abs(after)
        elif abs(signed) > closing:
            holding.cost = price
        holding.qty = after
        if after == 0:
            del self.holdings[contract]

    def value(self, prices: Mapping[Contract, Decimal]) -> Decimal:
        """Dollars of everything held at these prices."""
        return sum((h.qty * prices[c] * c.multiplier for c, h in self.holdings.items()), ZERO)
