"""The door between engine and screen: messages, codec, server, client. Stands on station.domain alone."""

from station.link.asked import (
    ASKED,
    Account,
    Ask,
    AskedPart,
    Book,
    BookLevel,
    Candle,
    Chain,
    ChainRow,
    Chart,
    Level,
    Mark,
    OwnOrder,
    PlanRow,
    RungRow,
    Side,
    Tip,
    Watch,
    WatchRow,
    Wealth,
)
from station.link.client import LinkClient, request
from station.link.door import address, pointer_file
from station.link.floor import (
    AlertRow,
    Alerts,
    Feed,
    FiringRow,
    Floor,
    Header,
    PositionRow,
    Positions,
    Price,
    Strategies,
    StrategyRow,
)
from station.link.local import LocalLink
from station.link.messages import (
    PROTOCOL,
    Ack,
    Attach,
    CancelOrder,
    CloseTrade,
    Command,
    Data,
    Flatten,
    Gate,
    Kill,
    KillRelease,
    NoteTrade,
    Query,
    Reconcile,
    Reply,
    Scanners,
    Status,
    Stop,
    Story,
    TagTrade,
    Takeover,
    Trades,
)
from station.link.port import Link, LinkDown, LinkState, View
from station.link.server import LinkServer

__all__ = [
    "ASKED", "PROTOCOL", "Account", "Ack", "AlertRow", "Alerts", "Ask", "AskedPart", "Attach", "Book",
    "BookLevel", "CancelOrder", "Candle", "Chain", "ChainRow", "Chart", "CloseTrade", "Command", "Data",
    "Feed", "FiringRow", "Flatten", "Floor", "Gate", "Header", "Kill", "KillRelease", "Level", "Link",
    "LinkClient", "LinkDown", "LinkServer", "LinkState", "LocalLink", "Mark", "NoteTrade", "OwnOrder",
    "PlanRow", "PositionRow", "Positions", "Price", "Query", "Reconcile", "Reply", "RungRow", "Scanners",
    "Side", "Status", "Stop", "Story", "Strategies", "StrategyRow", "TagTrade", "Takeover", "Tip", "Trades",
    "View", "Watch", "WatchRow", "Wealth", "address", "pointer_file", "request",
]  # fmt: skip
