"""The typed, versioned events of the append-only log; replaying them rebuilds trades and orders.

An event is `(type, v)`: a change of shape raises `v` and adds an upcaster in the store, never edits a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Final

from station.domain.hand import HandOrder, OwnExits, Reversal
from station.domain.instruments import Contract, Side
from station.domain.orders import OrderState, Purpose, Ticket
from station.domain.specs import Rung


@dataclass(frozen=True, slots=True)
class SignalAccepted:
    """SCANNER_SIGNAL: the firings that make the trade; `key` names the set, unique with the strategy."""

    type: ClassVar[str] = "trade.signal"
    v: ClassVar[int] = 1
    scanners: tuple[str, ...]
    signal_ids: tuple[str, ...]
    key: str
    fired_ns: int
    underlying_price: float


@dataclass(frozen=True, slots=True)
class StrategyPassed:
    """STRATEGY_PASS: minted with everything the trade is to be run under."""

    type: ClassVar[str] = "trade.strategy_passed"
    v: ClassVar[int] = 2
    account: str
    environment: str
    strategy: str
    strategy_version: int
    origin: str
    symbol: str
    side: Side
    target_pct: Decimal
    shield: str
    wealth_plan: str
    ladder: tuple[Rung, ...] = ()


@dataclass(frozen=True, slots=True)
class OptionSelected:
    """OPTION_SELECTED: the contract and the market it was picked from."""

    type: ClassVar[str] = "trade.option_selected"
    v: ClassVar[int] = 1
    contract: Contract
    bid: Decimal
    ask: Decimal
    delta: float
    iv: float
    underlying_price: float
    greeks_source: str


@dataclass(frozen=True, slots=True)
class TradeSized:
    """WEALTH_SIZED: contracts, and the ladder that said so."""

    type: ClassVar[str] = "trade.sized"
    v: ClassVar[int] = 1
    qty: Decimal
    plan: str
    week: int
    level: str
    capital: Decimal


@dataclass(frozen=True, slots=True)
class TradeProposed:
    """A sized trade of a strategy that only proposes: `qty` of it waits for a hand until `until_ns`."""

    type: ClassVar[str] = "trade.proposed"
    v: ClassVar[int] = 1
    qty: Decimal
    until_ns: int


@dataclass(frozen=True, slots=True)
class ProposalTaken:
    """A hand takes `qty` of what was proposed, once; `token` is its client's, as an order's is. The limit, the
    exits and the target's percent are its own where it gave them, the strategy's otherwise."""

    type: ClassVar[str] = "trade.taken"
    v: ClassVar[int] = 2
    qty: Decimal
    by: str
    token: str
    limit: Decimal | None = None
    own: OwnExits | None = None
    target_pct: Decimal | None = None


@dataclass(frozen=True, slots=True)
class EntrySubmitted:
    """BUY_SUBMITTED: the intent is committed; the send follows. `valid_until_ns` bounds it unfilled."""

    type: ClassVar[str] = "trade.entry_submitted"
    v: ClassVar[int] = 1
    ticket: Ticket
    decision_price: Decimal
    decision_mid: Decimal
    valid_until_ns: int


@dataclass(frozen=True, slots=True)
class EntryModified:
    """A working entry changed in place; the ticket as it now stands. Its decision price stays the first one."""

    type: ClassVar[str] = "trade.entry_modified"
    v: ClassVar[int] = 2
    ticket: Ticket
    reason: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class EntryEnded:
    """The entry order can fill no further; `state` tells how it ended."""

    type: ClassVar[str] = "trade.entry_ended"
    v: ClassVar[int] = 1
    order_ref: str
    state: OrderState


@dataclass(frozen=True, slots=True)
class ExitSubmitted:
    """An exit intent is committed. `cause` is what CLOSED will say if this order takes the position out.

    `decision_price` is what it should bring: its limit, at market the bid when it was decided (the ask for a
    buy-back); `decision_mid` the mid then. None where there was no quote, and in events of version 1.
    """

    type: ClassVar[str] = "trade.exit_submitted"
    v: ClassVar[int] = 2
    ticket: Ticket
    cause: str
    replaces: str = ""
    decision_price: Decimal | None = None
    decision_mid: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ExitModified:
    """A working exit changed in place; the ticket and the decision behind it as they now stand."""

    type: ClassVar[str] = "trade.exit_modified"
    v: ClassVar[int] = 2
    ticket: Ticket
    cause: str
    reason: str
    decision_price: Decimal | None = None
    decision_mid: Decimal | None = None


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
    """The broker has made an order smaller, since another of its OCA group filled: its total is now `qty`."""

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


@dataclass(frozen=True, slots=True)
class TradeClosed:
    """CLOSED: open quantity is zero. `net_pnl` dollars after commissions (`provisional` while one is owed)."""

    type: ClassVar[str] = "trade.closed"
    v: ClassVar[int] = 1
    cause: str
    net_pnl: Decimal
    provisional: bool


@dataclass(frozen=True, slots=True)
class WealthRecorded:
    """WEALTH_UPDATED: the wealth database has this trade's result."""

    type: ClassVar[str] = "trade.wealth_updated"
    v: ClassVar[int] = 1
    net_pnl: Decimal
    capital: Decimal
    week: int
    level: str


@dataclass(frozen=True, slots=True)
class TradeFailed:
    """FAILED before any fill; `cause` is a reason code, `reason` a line for the trader."""

    type: ClassVar[str] = "trade.failed"
    v: ClassVar[int] = 1
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class PositionAdopted:
    """A position of ours found at the broker without a trade: it enters at BUY_FILLED, origin ADOPTED."""

    type: ClassVar[str] = "trade.adopted"
    v: ClassVar[int] = 1
    account: str
    environment: str
    contract: Contract
    qty: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class ManualOpened:
    """A manual trade: it enters at OPTION_SELECTED. Version 1 had no order of its own to place."""

    type: ClassVar[str] = "trade.manual"
    v: ClassVar[int] = 2
    account: str
    environment: str
    contract: Contract
    side: Side
    bid: Decimal
    ask: Decimal
    target_pct: Decimal
    shield: str
    wealth_plan: str
    underlying_price: float
    delta: float = 0.0
    hand: HandOrder | None = None
    own: OwnExits | None = None


@dataclass(frozen=True, slots=True)
class ExitsSet:
    """A hand has set the trade's own exits; protection brings the working orders to them."""

    type: ClassVar[str] = "trade.exits_set"
    v: ClassVar[int] = 2
    own: OwnExits
    by: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class PartAsked:
    """A hand wants `qty` of the position out at market; `token` where it was placed as an order."""

    type: ClassVar[str] = "trade.part_asked"
    v: ClassVar[int] = 1
    qty: Decimal
    by: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class ReverseAsked:
    """A hand wants the trade out at market, and the opposite of it once that has filled."""

    type: ClassVar[str] = "trade.reverse_asked"
    v: ClassVar[int] = 2
    reversal: Reversal


@dataclass(frozen=True, slots=True)
class SettledAtExpiry:
    """What left without an order of ours: `qty` at `price` a unit. The broker settled it in cash (0 for
    worthless), or, with cause external, another hand took it out."""

    type: ClassVar[str] = "trade.settled"
    v: ClassVar[int] = 1
    qty: Decimal
    price: Decimal
    multiplier: int
    cause: str


@dataclass(frozen=True, slots=True)
class GateChanged:
    type: ClassVar[str] = "control.gate"
    v: ClassVar[int] = 1
    state: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class KillChanged:
    type: ClassVar[str] = "control.kill"
    v: ClassVar[int] = 1
    on: bool
    flatten: bool
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class LimitBreached:
    type: ClassVar[str] = "risk.limit"
    v: ClassVar[int] = 1
    rule: str
    value: str
    limit: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A symbol is locked for entries (`on`) or free again; open positions stay protected."""

    type: ClassVar[str] = "risk.quarantine"
    v: ClassVar[int] = 1
    symbol: str
    on: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One reconciliation: how many orders, executions and positions were compared, what was found."""

    type: ClassVar[str] = "reconciliation"
    v: ClassVar[int] = 1
    reason: str
    orders: int
    executions: int
    positions: int
    discrepancies: tuple[str, ...]
    clean: bool


@dataclass(frozen=True, slots=True)
class LinkChanged:
    type: ClassVar[str] = "link"
    v: ClassVar[int] = 1
    up: bool
    data_kept: bool
    reason: str


@dataclass(frozen=True, slots=True)
class SessionMarked:
    """The engine started, resumed, stopped or ended a session; `what` says which."""

    type: ClassVar[str] = "session"
    v: ClassVar[int] = 1
    what: str
    session: str
    detail: str


@dataclass(frozen=True, slots=True)
class Alerted:
    """Something the trader must see. `severity` is info, warning or critical."""

    type: ClassVar[str] = "alert"
    v: ClassVar[int] = 1
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class HandlerFailed:
    """An exception in a task or handler: caught, counted, and a rule about what stops trading."""

    type: ClassVar[str] = "fault.handler"
    v: ClassVar[int] = 1
    task: str
    error: str


@dataclass(frozen=True, slots=True)
class TradeNoted:
    """A line of the trader's own about a trade. Notes are added, never rewritten."""

    type: ClassVar[str] = "journal.note"
    v: ClassVar[int] = 1
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class TradeTagged:
    """A tag put on a trade (`on`) or taken off it."""

    type: ClassVar[str] = "journal.tag"
    v: ClassVar[int] = 1
    tag: str
    on: bool
    by: str


TradeEvent = (
    SignalAccepted | StrategyPassed | OptionSelected | TradeSized | TradeProposed | ProposalTaken
    | EntrySubmitted | EntryModified
    | EntryEnded | ExitSubmitted | ExitModified | ExecutionBooked | CommissionBooked | TradeClosed
    | WealthRecorded | TradeFailed | PositionAdopted | ManualOpened | ExitsSet | PartAsked | ReverseAsked
    | SettledAtExpiry
)  # fmt: skip
OrderEvent = OrderMoved | OrderReduced | CancelRequested | OrderNoticed
SystemEvent = (
    GateChanged | KillChanged | LimitBreached | Quarantined | Reconciled | LinkChanged
    | SessionMarked | Alerted | HandlerFailed
)  # fmt: skip
JournalEvent = TradeNoted | TradeTagged
Event = TradeEvent | OrderEvent | SystemEvent | JournalEvent

_ALL: Final[tuple[type[Event], ...]] = (
    SignalAccepted, StrategyPassed, OptionSelected, TradeSized, TradeProposed, ProposalTaken, EntrySubmitted,
    EntryModified, EntryEnded, ExitSubmitted, ExitModified, ExecutionBooked, CommissionBooked, OrderMoved,
    OrderReduced, CancelRequested, OrderNoticed, TradeClosed, WealthRecorded, TradeFailed, PositionAdopted,
    ManualOpened, ExitsSet, PartAsked, ReverseAsked, SettledAtExpiry, GateChanged, KillChanged, LimitBreached,
    Quarantined, Reconciled, LinkChanged, SessionMarked, Alerted, HandlerFailed, TradeNoted, TradeTagged,
)  # fmt: skip
EVENT_TYPES: Final[dict[str, type[Event]]] = {kind.type: kind for kind in _ALL}
"""Every event by its name on the log."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its header. `trade_id` is empty for a system event; `at_ns` is the station's clock."""

    event: Event
    at_ns: int
    trade_id: str = ""
