"""Commissions (IBKR's fixed schedule, US): dollars."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from station.domain.instruments import Contract, SecType

OPTION_FEE: Final = Decimal("0.65")
FUTURE_OPTION_FEE: Final = Decimal("1.42")
FUTURE_FEE: Final = Decimal("2.25")
SHARE_FEE: Final = Decimal("0.005")
LEAST: Final = Decimal("1.00")
_CENT: Final = Decimal("0.01")


def order_fee(contract: Contract, qty: Decimal) -> Decimal:
    """What an order costs once `qty` of it has filled; options and shares have a minimum of $1 an order."""
    if contract.sec_type is SecType.FUTURE:
        return FUTURE_FEE * qty
    if contract.sec_type is SecType.FUTURE_OPTION:
        return FUTURE_OPTION_FEE * qty
    each = OPTION_FEE if contract.sec_type is SecType.OPTION else SHARE_FEE
    return max(each * qty, LEAST).quantize(_CENT, ROUND_HALF_UP) if qty else Decimal(0)


def fill_fee(contract: Contract, before: Decimal, qty: Decimal) -> Decimal:
    """The commission of one fill of `qty` after `before` of the same order."""
    return order_fee(contract, before + qty) - order_fee(contract, before)
