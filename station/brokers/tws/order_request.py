"""The longest message of the wire: placeOrder at server version 178, and the contract fields all share."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from station.brokers.tws.wire import Fields

CONDITION_FIELDS = {1: 7, 3: 4, 4: 4, 5: 5, 6: 6, 7: 6}
"""How many fields each kind of order condition has, its kind included."""


@dataclass(frozen=True, slots=True)
class WireContract:
    """A contract as a client describes it; what it left empty is empty here."""

    con_id: int
    symbol: str
    sec_type: str
    expiry: str
    strike: Decimal
    right: str
    multiplier: str
    exchange: str
    primary_exchange: str
    currency: str
    local_symbol: str
    trading_class: str


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """The fields of placeOrder that an order here can have; `exotic` names what it cannot."""

    order_id: int
    contract: WireContract
    action: str
    qty: Decimal
    order_type: str
    limit: Decimal | None
    aux: Decimal | None
    tif: str
    oca_group: str
    account: str
    order_ref: str
    transmit: bool
    parent_id: int
    outside_rth: bool
    oca_type: int
    what_if: bool
    exotic: str = ""


def read_contract(f: Fields) -> WireContract:
    return WireContract(
        f.integer(), f.text(), f.text(), f.text(), f.decimal() or Decimal(0), f.text(), f.text(),
        f.text(), f.text(), f.text(), f.text(), f.text(),
    )  # fmt: skip


def read_place_order(f: Fields) -> PlaceOrder:
    """The whole message, conditionals included, so that a malformed one is seen and not half understood."""
    order_id, contract = f.integer(), read_contract(f)
    f.skip(2)
    action, qty, kind = f.text(), f.decimal() or Decimal(0), f.text()
    limit, aux, tif, oca_group, account = f.decimal(), f.decimal(), f.text(), f.text(), f.text()
    f.skip(2)
    order_ref, transmit, parent_id = f.text(), f.flag(), f.integer()
    f.skip(4)
    outside_rth = f.flag()
    f.skip(1)
    exotic = _skip_combo(f) if contract.sec_type == "BAG" else ""
    f.skip(11)
    oca_type = f.integer()
    exotic = _skip_to_what_if(f) or exotic
    what_if = f.flag()
    exotic = _skip_tail(f, kind, contract.exchange) or exotic
    return PlaceOrder(
        order_id, contract, action, qty, kind, limit, aux, tif, oca_group, account, order_ref,
        transmit, parent_id, outside_rth, oca_type, what_if, exotic,
    )  # fmt: skip


def _skip_combo(f: Fields) -> str:
    f.skip(8 * f.integer())
    f.skip(f.integer())
    f.skip(2 * f.integer())
    return "combo legs"


def _skip_to_what_if(f: Fields) -> str:
    """From rule80A up to algoId; answers the first feature named there that no order here can have."""
    exotic = ""
    f.skip(17)
    if f.text():
        f.skip(1 + 8)
        exotic = "a delta-neutral hedge"
    else:
        f.skip(1)
    f.skip(6)
    increment = f.decimal()
    if increment is not None and increment > 0:
        f.skip(7)
        exotic = "a scale"
    f.skip(3)
    if f.text():
        f.skip(1)
        exotic = "a hedge"
    f.skip(4)
    if f.flag():
        f.skip(3)
        exotic = "a delta-neutral contract"
    if f.text():
        f.skip(2 * f.integer())
        exotic = "an algo"
    f.skip(1)
    return exotic


def _skip_tail(f: Fields, kind: str, exchange: str) -> str:
    exotic = ""
    f.skip(4)
    if kind in {"PEG BENCH", "PEGBENCH"}:
        f.skip(5)
    conditions = f.integer()
    for _ in range(conditions):
        f.skip(CONDITION_FIELDS.get(f.integer(), 1) - 1)
    if conditions:
        f.skip(2)
        exotic = "conditions"
    f.skip(24)
    if exchange == "IBKRATS":
        f.skip(1)
    return exotic
