"""What befell an order: its fills and fees, its states, what the broker said of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from station.domain.orders import OrderState, Purpose


@dataclass(frozen=True, slots=True)
class ExecutionBooked:
    """A fill, once. For a correction `replaces_*` holds what was booked under the same root id before.

    `qty` is positive; `buys_back` marks the purchase that undoes an over-sell (FAULTS 18).
    """

    type: ClassVar[str] = "order.execution"
    v: ClassVar[int] = 1
    exec_id: str
    order_ref: str
    purpose: Purpose
    qty: Decimal
    price: Decimal
    multiplier: int
    provisional_fee: Decimal
    slippage: Decimal
    slippage_mid: Decimal
    inferred: bool = False
    replaces_qty: Decimal = Decimal(0)
    replaces_price: Decimal = Decimal(0)
    replaces_fee: Decimal = Decimal(0)
    buys_back: bool = False


@dataclass(frozen=True, slots=True)
class CommissionBooked:
    """The reported fee of one execution; `replaces` is the provisional (or earlier) amount in the books."""

    type: ClassVar[str] = "order.commission"
    v: ClassVar[int] = 1
    exec_id: str
    order_ref: str
    amount: Decimal
    replaces: Decimal


@dataclass(frozen=True, slots=True)
class OrderMoved:
    """An order's state changed by the broker's word, or by ours (UNKNOWN on a lost link)."""

    type: ClassVar[str] = "order.moved"
    v: ClassVar[int] = 1
    order_ref: str
    state: OrderState
    broker_id: int
    perm_id: int
    reason: str
    ack_synthesised: bool = False


@dataclass(frozen=True, slots=True)
class OrderReduced:
    """The total of an order at the broker is `qty`: another of its OCA group filled, or a change of ours to
    another total came too late."""

    type: ClassVar[str] = "order.reduced"
    v: ClassVar[int] = 1
    order_ref: str
    qty: Decimal


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A cancel is about to be sent, and why (protection, manual, expiry, replace, kill, reconcile …)."""

    type: ClassVar[str] = "order.cancel_requested"
    v: ClassVar[int] = 1
    order_ref: str
    cause: str


@dataclass(frozen=True, slots=True)
class OrderNoticed:
    """A broker's error or warning about an order that did not by itself move it."""

    type: ClassVar[str] = "order.notice"
    v: ClassVar[int] = 1
    order_ref: str
    code: int
    text: str
