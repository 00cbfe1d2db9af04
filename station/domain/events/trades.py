"""What moves a trade through its life, one after another."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from station.domain.hand import HandOrder, OwnExits, Reversal
from station.domain.instruments import Contract, Side
from station.domain.orders import OrderState, Ticket
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
class CloseAsked:
    """A hand or a rule wants all of the position out at market, and what its entry may still buy: written
    before it is acknowledged, or where no order can carry it yet. `cause` is what CLOSED will say."""

    type: ClassVar[str] = "trade.close_asked"
    v: ClassVar[int] = 1
    cause: str
    reason: str
    by: str


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
