"""The typed, versioned events of the append-only log; replaying them rebuilds trades and orders.

An event is `(type, v)`: a change of shape raises `v` and adds an upcaster in the store, never edits a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from station.domain.events.journal import TradeNoted, TradeTagged
from station.domain.events.orders import (
    CancelRequested,
    CommissionBooked,
    ExecutionBooked,
    OrderMoved,
    OrderNoticed,
    OrderReduced,
)
from station.domain.events.station import (
    Alerted,
    GateChanged,
    HandlerFailed,
    KillChanged,
    LimitBreached,
    LinkChanged,
    Quarantined,
    Reconciled,
    SessionMarked,
)
from station.domain.events.trades import (
    CloseAsked,
    EntryEnded,
    EntryModified,
    EntrySubmitted,
    ExitModified,
    ExitsSet,
    ExitSubmitted,
    ManualOpened,
    OptionSelected,
    PartAsked,
    PositionAdopted,
    ProposalTaken,
    ReverseAsked,
    SettledAtExpiry,
    SignalAccepted,
    StrategyPassed,
    TradeClosed,
    TradeFailed,
    TradeProposed,
    TradeSized,
    WealthRecorded,
)

TradeEvent = (
    SignalAccepted | StrategyPassed | OptionSelected | TradeSized | TradeProposed | ProposalTaken
    | EntrySubmitted | EntryModified
    | EntryEnded | ExitSubmitted | ExitModified | ExecutionBooked | CommissionBooked | TradeClosed
    | WealthRecorded | TradeFailed | PositionAdopted | ManualOpened | ExitsSet | PartAsked | CloseAsked
    | ReverseAsked | SettledAtExpiry
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
    ManualOpened, ExitsSet, PartAsked, CloseAsked, ReverseAsked, SettledAtExpiry, GateChanged, KillChanged,
    LimitBreached, Quarantined, Reconciled, LinkChanged, SessionMarked, Alerted, HandlerFailed, TradeNoted,
    TradeTagged,
)  # fmt: skip
EVENT_TYPES: Final[dict[str, type[Event]]] = {kind.type: kind for kind in _ALL}
"""Every event by its name on the log."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its header. `trade_id` is empty for a system event; `at_ns` is the station's clock."""

    event: Event
    at_ns: int
    trade_id: str = ""
