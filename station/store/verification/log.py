"""The log itself: sealed, legal, and agreeing with the tables kept beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast, get_args

import msgspec

from station.domain.errors import IllegalTransition, VigilError
from station.domain.events import OrderMoved, Recorded, TradeEvent
from station.domain.lifecycle import evolve
from station.domain.orders import LEGAL, Order
from station.domain.projection import order_ref_of, project_order
from station.domain.trade import Trade
from station.store.codec import decode_event
from station.store.verification.rows import Books, Row

_TRADE_EVENTS: Final = get_args(TradeEvent)
_FIELDS: Final = ("seq", "at_ns", "account", "environment", "trade_id", "type", "v", "data")
_NESTED: Final = frozenset(
    {"contract", "scanners", "exits", "ladder", "hand", "own", "part_tokens", "reversal", "closing", "offer"}
)


def hash_chain(books: Books) -> tuple[int, list[str]]:
    """Every row carries the hash of the row before it and of itself; no number is missing."""
    lines: list[str] = []
    events = books.lifecycle["trade_events"]
    before, expected = "0" * 64, 1
    for row in events:
        if row["seq"] != expected:
            lines.append(f"event {expected} is missing: {row['seq']} comes next")
        if row["prev_hash"] != before:
            lines.append(f"event {row['seq']} does not carry the hash of the event before it")
        text = "\n".join([row["prev_hash"], *(str(row[name]) for name in _FIELDS)])
        if hashlib.sha256(text.encode()).hexdigest() != row["hash"]:
            lines.append(f"event {row['seq']} ({row['type']}) does not have its own hash")
        before, expected = row["hash"], row["seq"] + 1
    return len(events), lines


class Replay:
    """The log replayed by the domain's rules; what they forbid is collected."""

    def __init__(self, books: Books) -> None:
        self.trades: dict[str, Trade] = {}
        self.orders: dict[str, Order] = {}
        self.illegal: list[str] = []
        for row in books.lifecycle["trade_events"]:
            try:
                event = decode_event(row["type"], row["v"], row["data"])
                self._apply(row["seq"], Recorded(event, row["at_ns"], row["trade_id"]))
            except (VigilError, IllegalTransition) as error:
                self.illegal.append(f"event {row['seq']}: {error}")

    def _apply(self, seq: int, recorded: Recorded) -> None:
        event, trade_id = recorded.event, recorded.trade_id
        ref = order_ref_of(event)
        before = self.orders.get(ref)
        if isinstance(event, OrderMoved) and before is not None:
            there = event.state
            if there is not before.state and there not in LEGAL[before.state]:
                self.illegal.append(
                    f"event {seq}: order {ref} cannot go from {before.state.value} to {there.value}"
                )
        if isinstance(event, OrderMoved) and before is None:
            self.illegal.append(f"event {seq}: order {ref} moves before it exists")
        if ref and (order := project_order(before, recorded)) is not None:
            self.orders[ref] = order
        if trade_id and isinstance(event, _TRADE_EVENTS):
            change = cast("TradeEvent", event)
            self.trades[trade_id] = evolve(self.trades.get(trade_id), trade_id, change, recorded.at_ns)


def legal_lifecycles(books: Books) -> tuple[int, list[str]]:
    """Every trade and every order went only through the states that the lifecycle allows."""
    replay = Replay(books)
    return len(replay.trades) + len(replay.orders), replay.illegal


def projections(books: Books) -> tuple[int, list[str]]:
    """The tables say, field by field, what the log says."""
    replay = Replay(books)
    trades = {key: _plain(trade) for key, trade in replay.trades.items()}
    orders = {key: _flat(order) for key, order in replay.orders.items()}
    kept_trades = {row["id"]: row for row in books.lifecycle["trades"]}
    kept_orders = {row["order_ref"]: row for row in books.lifecycle["orders"]}
    lines = [*_compared("trade", trades, kept_trades), *_compared("order", orders, kept_orders)]
    return len({*trades, *kept_trades}) + len({*orders, *kept_orders}), lines


def _plain(value: Trade | Order) -> Row:
    """As JSON would have it: lists, strings for Decimals, enum values."""
    return msgspec.json.decode(msgspec.json.encode(value), type=dict[str, Any])


def _flat(order: Order) -> Row:
    body = _plain(order)
    ticket = body.pop("ticket")
    prices = {"limit_price": ticket.pop("limit"), "stop_price": ticket.pop("stop")}
    return {**body, **ticket, **prices}


def _compared(what: str, log: dict[str, Row], table: dict[str, Row]) -> Iterator[str]:
    for key in sorted({*log, *table}):
        if key not in table:
            yield f"{what} {key} is on the log but not in its table"
        elif key not in log:
            yield f"{what} {key} is in its table but not on the log"
        else:
            for name, said in log[key].items():
                kept = table[key][name]
                kept = json.loads(kept) if name in _NESTED and isinstance(kept, str) else kept
                if not _same(said, kept):
                    yield f"{what} {key}: {name} is {kept}, the log says {said}"


def _same(a: Any, b: Any) -> bool:
    if a == b:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        # A row may be older than a field that says nothing yet.
        return all(_same(a.get(name), b.get(name)) for name in {*a, *b})
    if not (isinstance(a, str) and isinstance(b, str)):
        return False
    try:
        return Decimal(a) == Decimal(b)
    except InvalidOperation:
        return False
