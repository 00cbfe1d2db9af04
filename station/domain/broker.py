"""The Broker port, and everything a broker may say. The paper exchange and the IBKR adapter both fulfil it.

Answers may be late, repeated or missing; a query that could not be answered completely raises
`BrokerUnavailable`, it never returns less than the truth. Reports arrive through the sink given to `connect`,
synchronously, in the order the broker made them, each carrying our `order_ref` where it has one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from station.domain.instruments import Contract, Instrument, TickRule, Timeframe
from station.domain.market import Bar, Grade, Greeks, Quote, Tick
from station.domain.orders import Execution, OrderState, Ticket


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this broker can do natively; the station falls back to its own ways elsewhere."""

    modify_in_place: bool = True
    oca: bool = True
    depth: bool = False
    what_if: bool = False
    market_scanner: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """What a completed connect established. `venue_ns` is the broker's clock at the handshake."""

    accounts: tuple[str, ...]
    server: str
    venue_ns: int


# --- reports -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """The broker's word on an order's state, in our terms; executions outrank it.

    `avg_price` dollars a unit over `filled`, None where the broker does not say.
    """

    order_ref: str
    state: OrderState
    filled: Decimal
    remaining: Decimal
    at_ns: int
    broker_id: int = 0
    perm_id: int = 0
    reason: str = ""
    avg_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderNotice:
    """An error or warning about one order, in IBKR's codes on every broker (201 rejected, 202 cancelled,
    161/10148 not cancellable, 10147 not found, 110 illegal tick, 399/10349 warnings …)."""

    order_ref: str
    code: int
    text: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    execution: Execution


@dataclass(frozen=True, slots=True)
class CommissionReport:
    """The fee of one execution, dollars; it may come before its fill (FAULTS 6) or never (FAULTS 5)."""

    exec_id: str
    commission: Decimal
    at_ns: int


@dataclass(frozen=True, slots=True)
class QuoteReport:
    quote: Quote


@dataclass(frozen=True, slots=True)
class TickReport:
    tick: Tick


@dataclass(frozen=True, slots=True)
class GreeksReport:
    greeks: Greeks


@dataclass(frozen=True, slots=True)
class DepthReport:
    """The whole visible book of a contract, best first: (price, size) a level."""

    contract: Contract
    bids: tuple[tuple[Decimal, int], ...]
    asks: tuple[tuple[Decimal, int], ...]
    at_ns: int


@dataclass(frozen=True, slots=True)
class HaltReport:
    """Trading in an instrument stopped or resumed (FAULTS 44)."""

    symbol: str
    halted: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class LinkReport:
    """The link to the broker or its venue. `data_kept` tells a resumed link's subscriptions survived (1102
    against 1101). After any `up`, reconcile before sending."""

    up: bool
    at_ns: int
    data_kept: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FarmReport:
    """One data farm went or came back (2103/2105 against 2104/2106); only its instruments are affected."""

    farm: str
    up: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class NoticeReport:
    """A message about no order of ours: entitlement, pacing, competing session (10197) and so on. Code 0 is the
    adapter's own word: something that it cannot name, or a handler that failed."""

    code: int
    text: str
    at_ns: int
    symbol: str = ""


Report = (
    OrderStatus | OrderNotice | ExecutionReport | CommissionReport | QuoteReport | TickReport
    | GreeksReport | DepthReport | HaltReport | LinkReport | FarmReport | NoticeReport
)  # fmt: skip
Sink = Callable[[Report], None]


# --- answers -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order the broker holds working. `order_ref` is empty for a foreign one (FAULTS 29, 36)."""

    order_ref: str
    contract: Contract
    state: OrderState
    ticket: Ticket | None
    filled: Decimal
    broker_id: int
    perm_id: int
    client_id: int = 0


@dataclass(frozen=True, slots=True)
class Position:
    """The broker's net position in a contract; `qty` signed, `avg_cost` dollars a unit of price."""

    account: str
    contract: Contract
    qty: Decimal
    avg_cost: Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """Dollars, by the broker. `net_liquidation` is equity."""

    account: str
    net_liquidation: Decimal
    cash: Decimal
    buying_power: Decimal
    at_ns: int
    realised: Decimal = Decimal(0)
    unrealised: Decimal = Decimal(0)
    maintenance: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class ChainListing:
    """What is listed of one trading class on one exchange: expiries `YYYYMMDD` and strikes, ascending."""

    symbol: str
    trading_class: str
    exchange: str
    multiplier: int
    expiries: tuple[str, ...]
    strikes: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Margin:
    """A what-if answer: dollars of initial margin and commission the order would take."""

    initial: Decimal
    maintenance: Decimal
    commission: Decimal | None


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """A market-scanner question: `code` as IBKR names it (MOST_ACTIVE, TOP_PERC_GAIN, …)."""

    code: str
    rows: int = 50
    above_price: Decimal | None = None
    above_volume: int | None = None


class Broker(Protocol):
    """Who fulfils orders and answers for the account. All times UTC ns by the injected clock."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def connect(self, sink: Sink) -> Session:
        """Connect (or re-connect) and start reporting to `sink`. Raises BrokerUnavailable, or Fatal where
        no retry can help (wrong account type, client id refused for good)."""
        ...

    async def disconnect(self) -> None: ...

    @property
    def connected(self) -> bool: ...

    # orders: each returns when the bytes are handed to the transport, not when the broker agreed
    async def place(self, tickets: Sequence[Ticket]) -> None:
        """Send one order, or a bracket as a group (parent first). Raises BrokerUnavailable if nothing was
        sent for certain; any doubt after the first byte is an UNKNOWN order, reported by the link."""
        ...

    async def modify(self, ticket: Ticket) -> None:
        """Change price, stop or quantity of the working order with this `order_ref`, in place."""
        ...

    async def cancel(self, order_ref: str) -> None: ...

    # truth: complete answers or BrokerUnavailable
    async def open_orders(self) -> tuple[OpenOrder, ...]: ...

    async def executions(self) -> tuple[Execution, ...]:
        """Every execution of the current trading session, ours and foreign, with commissions if known."""
        ...

    async def positions(self) -> tuple[Position, ...]: ...

    async def account(self) -> Account: ...

    async def what_if(self, ticket: Ticket) -> Margin: ...

    # reference
    async def resolve(self, instrument: Instrument) -> Contract:
        """The instrument's own contract, con_id filled; for a future the front month."""
        ...

    async def qualify(self, contracts: Sequence[Contract]) -> tuple[Contract, ...]:
        """The same contracts with con_ids; an unknown one is left out."""
        ...

    async def chain(self, instrument: Instrument) -> tuple[ChainListing, ...]: ...

    async def tick_rule(self, contract: Contract) -> TickRule: ...

    # market data
    async def history(
        self, instrument: Instrument, timeframe: Timeframe, end_ns: int, bars: int
    ) -> tuple[Bar, ...]:
        """Up to `bars` bars that start before `end_ns`, oldest first, session-aligned, regular hours for
        regular and extended instruments; a bar still forming at the broker's now is left out."""
        ...

    async def watch(self, contract: Contract) -> None:
        """Start reports on a contract: ticks of an instrument, quotes and greeks of an option. Idempotent."""
        ...

    async def unwatch(self, contract: Contract) -> None: ...

    async def watch_depth(self, contract: Contract) -> None: ...

    async def unwatch_depth(self, contract: Contract) -> None: ...

    async def scan(self, request: ScanRequest) -> tuple[str, ...]:
        """Symbols, best first."""
        ...

    async def market_data_grade(self, contract: Contract) -> Grade: ...
