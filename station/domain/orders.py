"""Orders as we know them: tickets, states, executions, and the pure state machine over broker reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from station.domain.changed import changed
from station.domain.instruments import Contract, Side

ZERO: Final = Decimal(0)


class Action(Enum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        return 1 if self is Action.BUY else -1

    @property
    def opposite(self) -> Action:
        return Action.SELL if self is Action.BUY else Action.BUY


class OrderKind(Enum):
    MARKET = "MKT"
    LIMIT = "LMT"
    STOP = "STP"
    STOP_LIMIT = "STP LMT"


class Tif(Enum):
    DAY = "DAY"
    GTC = "GTC"


class Purpose(Enum):
    """Why an order exists; it also picks the lane to the broker (exits before entries)."""

    ENTRY = "entry"
    TARGET = "target"
    STOP = "stop"
    CLOSE = "close"

    @property
    def is_exit(self) -> bool:
        return self is not Purpose.ENTRY


class OcaType(Enum):
    """IBKR OCA types. 1 and 2 block overfill, 3 does not."""

    CANCEL_WITH_BLOCK = 1
    REDUCE_WITH_BLOCK = 2
    REDUCE_NO_BLOCK = 3


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is asked of the broker. `order_ref` is ours and unique: `V1-account-trade-leg-n`.

    `qty` in contracts or shares, prices in dollars. Children of a bracket name `parent_ref`; they work once
    the parent fills. Orders that share `oca_group` cancel or reduce one another.
    """

    order_ref: str
    account: str
    contract: Contract
    action: Action
    qty: Decimal
    kind: OrderKind
    purpose: Purpose
    limit: Decimal | None = None
    stop: Decimal | None = None
    tif: Tif = Tif.DAY
    oca_group: str = ""
    oca_type: OcaType = OcaType.REDUCE_WITH_BLOCK
    parent_ref: str = ""
    outside_rth: bool = False


def order_ref(account: str, trade_id: str, leg: str, n: int) -> str:
    """The intent's unique reference. `leg` is `E` (entry) or `X` (exit), `n` counts from 1."""
    return f"V1-{account}-{trade_id}-{leg}-{n}"


def trade_of(ref: str) -> str | None:
    """The trade id inside one of our references, or None for a foreign one. It may hold dashes itself; an
    account has none."""
    parts = ref.split("-")
    return "-".join(parts[2:-2]) if len(parts) >= 5 and parts[0] == "V1" else None


class OrderState(Enum):
    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_terminal(self) -> bool:
        return self in _TERMINAL

    @property
    def is_working(self) -> bool:
        """It may still fill at the broker, as far as we know; UNKNOWN counts."""
        return self not in _TERMINAL


_TERMINAL: Final = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED})

LEGAL: Final[dict[OrderState, frozenset[OrderState]]] = {
    OrderState.PENDING: frozenset(OrderState) - {OrderState.PENDING},
    OrderState.SUBMITTED: frozenset(
        {OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.CANCELLED,
         OrderState.REJECTED, OrderState.EXPIRED, OrderState.UNKNOWN}
    ),
    OrderState.PARTIALLY_FILLED: frozenset(
        {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED,
         OrderState.UNKNOWN}
    ),
    OrderState.UNKNOWN: frozenset(OrderState) - {OrderState.UNKNOWN, OrderState.PENDING},
    # A cancel that lost its race: the broker's executions outrank its status (FAULTS 8, 10).
    OrderState.CANCELLED: frozenset({OrderState.FILLED}),
    OrderState.EXPIRED: frozenset({OrderState.FILLED}),
    OrderState.REJECTED: frozenset({OrderState.FILLED}),
    OrderState.FILLED: frozenset(),
}  # fmt: skip
"""Which state may follow which; whatever is not here is ignored and counted (FAULTS 12)."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill. `exec_id` is the broker's; a correction repeats it with a higher `.NN` suffix.

    `price` dollars a unit, `qty` always positive, `commission` None until it is reported.
    """

    exec_id: str
    order_ref: str
    account: str
    contract: Contract
    action: Action
    qty: Decimal
    price: Decimal
    at_ns: int
    perm_id: int = 0
    commission: Decimal | None = None
    inferred: bool = False

    @property
    def root_id(self) -> str:
        """The id without its correction suffix: `0000e.1.01` and `0000e.1.02` share it."""
        head, dot, tail = self.exec_id.rpartition(".")
        return head if dot and tail.isdigit() and len(tail) == 2 else self.exec_id

    @property
    def revision(self) -> int:
        """The correction number; 0 where the id has no suffix."""
        return 0 if self.root_id == self.exec_id else int(self.exec_id.rpartition(".")[2])


@dataclass(frozen=True)
class Order:
    """Our record of one order: the ticket as last sent, and what the broker has said of it."""

    ticket: Ticket
    trade_id: str
    state: OrderState
    created_ns: int
    updated_ns: int
    filled: Decimal = ZERO
    avg_price: Decimal = ZERO
    broker_id: int = 0
    perm_id: int = 0
    cancel_cause: str = ""
    reason: str = ""
    decision_price: Decimal | None = None
    decision_mid: Decimal | None = None
    ack_synthesised: bool = False
    side: Side | None = None

    @property
    def ref(self) -> str:
        return self.ticket.order_ref

    @property
    def remaining(self) -> Decimal:
        return max(self.ticket.qty - self.filled, ZERO)

    @property
    def overfilled(self) -> bool:
        return self.filled > self.ticket.qty


def together(orders: Iterable[tuple[Ticket, Decimal]]) -> Decimal:
    """The most that orders could still trade, given what each could by itself: those of one OCA group stand
    for the largest of them, since a fill of one reduces or cancels the others."""
    largest: dict[str, Decimal] = {}
    for ticket, left in orders:
        name = ticket.oca_group or ticket.order_ref
        largest[name] = max(largest[name], left) if name in largest else left
    return sum(largest.values(), ZERO)


def new_order(ticket: Ticket, trade_id: str, at_ns: int) -> Order:
    return Order(ticket, trade_id, OrderState.PENDING, at_ns, at_ns)


def moved(order: Order, state: OrderState, at_ns: int, reason: str = "") -> Order | None:
    """The order in `state`, or None where that is not a legal step (late, repeated, backwards). What is known
    to have filled in part is never plainly SUBMITTED again."""
    if state not in LEGAL[order.state]:
        return None
    if state is OrderState.SUBMITTED and order.filled > 0:
        state = OrderState.PARTIALLY_FILLED
    return changed(order, state=state, updated_ns=at_ns, reason=reason or order.reason)


def acknowledged(order: Order, broker_id: int, perm_id: int, at_ns: int) -> Order | None:
    """The order as accepted; None when nothing new was said. An acknowledgement never undoes a fill."""
    known = changed(order, broker_id=broker_id or order.broker_id, perm_id=perm_id or order.perm_id)
    if order.state in (OrderState.PENDING, OrderState.UNKNOWN):
        state = OrderState.PARTIALLY_FILLED if order.filled > 0 else OrderState.SUBMITTED
        return changed(known, state=state, updated_ns=at_ns)
    return None if known == order else changed(known, updated_ns=at_ns)


def filled(order: Order, executions: tuple[Execution, ...], at_ns: int) -> Order:
    """The order after its booked executions (all of them, latest revision each); executions outrank status.

    A fill before its acknowledgement synthesises one (FAULTS 3). An order that was cancelled with a rest
    stays cancelled, with the truth of what filled (FAULTS 7).
    """
    total = sum((e.qty for e in executions), ZERO)
    value = sum((e.qty * e.price for e in executions), ZERO)
    known = changed(
        order,
        filled=total,
        avg_price=value / total if total else ZERO,
        perm_id=order.perm_id or next((e.perm_id for e in executions if e.perm_id), 0),
        ack_synthesised=order.ack_synthesised or order.state is OrderState.PENDING,
        updated_ns=at_ns,
    )
    if total >= order.ticket.qty:
        return changed(known, state=OrderState.FILLED)
    if total > 0 and order.state in (OrderState.PENDING, OrderState.SUBMITTED, OrderState.PARTIALLY_FILLED,
                       OrderState.UNKNOWN):  # fmt: skip
        return changed(known, state=OrderState.PARTIALLY_FILLED)
    return known


def latest_revisions(executions: tuple[Execution, ...]) -> tuple[Execution, ...]:
    """One execution a root id: the highest correction, in order of first appearance (FAULTS 1, 2)."""
    best: dict[str, Execution] = {}
    for execution in executions:
        held = best.get(execution.root_id)
        if held is None or execution.revision > held.revision:
            best[execution.root_id] = execution
    return tuple(best.values())
