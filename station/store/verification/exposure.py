"""How much could be sold at a moment, if every working sell of ours filled."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from decimal import Decimal

_NONE = Decimal(0)


@dataclass(slots=True)
class _Sell:
    key: Hashable
    group: str
    qty: Decimal
    filled: Decimal = _NONE
    others: Decimal = _NONE
    """What the rest of its group filled since its quantity was last set: the broker reduced it by that."""


class Exposure:
    """Working sells by holding. Sells of one OCA group stand for the largest of them, since a fill of one
    reduces or cancels the others; every other sell counts by itself."""

    def __init__(self) -> None:
        self._sells: dict[str, _Sell] = {}

    def set(self, ref: str, key: Hashable, group: str, qty: Decimal) -> None:
        """A sell works for `qty` in all, what it has filled included."""
        filled = self._sells[ref].filled if ref in self._sells else _NONE
        self._sells[ref] = _Sell(key, group, qty, filled)

    def fill(self, ref: str, change: Decimal) -> None:
        """A working sell filled `change` more (less, after a correction)."""
        sell = self._sells.get(ref)
        if sell is None:
            return
        sell.filled += change
        for other_ref, other in self._sells.items():
            if sell.group and other.group == sell.group and other.key == sell.key and other_ref != ref:
                other.others += change

    def end(self, ref: str) -> None:
        """It can fill no further."""
        self._sells.pop(ref, None)

    def working(self, ref: str) -> bool:
        return ref in self._sells

    def keys(self) -> Iterable[Hashable]:
        """The holdings that have a working sell, in order of appearance."""
        return dict.fromkeys(sell.key for sell in self._sells.values())

    def total(self, key: Hashable) -> Decimal:
        """The most that could be sold of a holding."""
        groups: dict[str, Decimal] = {}
        for ref, sell in self._sells.items():
            if sell.key == key:
                name = f"oca {sell.group}" if sell.group else f"order {ref}"
                left = max(sell.qty - sell.filled - sell.others, _NONE)
                groups[name] = max(groups.get(name, _NONE), left)
        return sum(groups.values(), _NONE)
