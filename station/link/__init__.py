"""The door between engine and screen: messages, codec, server, client. Stands on station.domain alone."""

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
    Query,
    Reconcile,
    Reply,
    Scanners,
    Status,
    Stop,
    Story,
    Takeover,
    Trades,
)
from station.link.port import Link, LinkDown, LinkState, View
from station.link.server import LinkServer

__all__ = [
    "PROTOCOL", "Ack", "AlertRow", "Alerts", "Attach", "CancelOrder", "CloseTrade", "Command", "Data", "Feed",
    "FiringRow", "Flatten", "Floor", "Gate", "Header", "Kill", "KillRelease", "Link", "LinkClient", "LinkDown",
    "LinkServer", "LinkState", "LocalLink", "PositionRow", "Positions", "Price", "Query", "Reconcile", "Reply",
    "Scanners", "Status", "Stop", "Story", "Strategies", "StrategyRow", "Takeover", "Trades", "View", "address",
    "pointer_file", "request",
]  # fmt: skip
