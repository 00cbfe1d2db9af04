"""A trader's hand as a script: what it orders at which minute, sent until it is answered, as a screen does that
lost its engine between the order and the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

from station.calendars import at_et
from station.domain.clock import SECOND
from station.domain.orders import Purpose
from station.domain.trade import Trade
from station.engine.rooms import Rooms
from station.engine.simulated import SimulatedRun
from station.link import (
    Ack,
    CancelAll,
    CloseTrade,
    Command,
    DeclineProposal,
    ModifyOrder,
    PlaceOrder,
    Reply,
    ReverseTrade,
    TakeProposal,
    Taking,
    Ticket,
)

ANSWERED: Final = "answered"
BY: Final = "script"


def _held(rooms: Rooms, symbol: str) -> Trade | None:
    open_trades = (trade for trade in rooms.ledger.open_trades() if trade.symbol == symbol)
    return next((trade for trade in open_trades if trade.open_qty > 0), None)


def _near(rooms: Rooms, symbol: str, step: int) -> str:
    return str(round((rooms.market.last_price(symbol) or 0) / step) * step)


def buys(rooms: Rooms) -> Command | None:
    ticket = Ticket(
        "SPY", "BUY", 3, "C", _near(rooms, "SPY", 1), "0dte", "MARKET", target_pct="90", stop_pct="60"
    )
    return PlaceOrder(ticket, "buy", BY)


def buys_much(rooms: Rooms) -> Command | None:
    """A bracket of more than the book shows at once."""
    strike = _near(rooms, "SPY", 1)
    ticket = Ticket("SPY", "BUY", 400, "C", strike, "0dte", "MARKET", target_pct="3", stop_pct="60")
    return PlaceOrder(ticket, "much", BY)


def rests(rooms: Rooms) -> Command | None:
    ticket = Ticket("SPX", "BUY", 1, "P", _near(rooms, "SPX", 5), "0dte", "LIMIT", limit="1.00")
    return PlaceOrder(ticket, "rest", BY)


def sells_a_part(rooms: Rooms) -> Command | None:
    trade = _held(rooms, "SPY")
    if trade is None or trade.contract is None:
        return None
    strike = f"{trade.contract.strike.normalize():f}"
    return PlaceOrder(Ticket("SPY", "SELL", 1, "C", strike, "0dte", "MARKET"), "part", BY)


def moves_the_target(rooms: Rooms) -> Command | None:
    trade = _held(rooms, "SPY")
    exits = () if trade is None else rooms.ledger.book.working_exits(trade.id)
    priced = next((order for order in exits if order.ticket.limit is not None), None)
    if priced is None or priced.ticket.limit is None:
        return None
    return ModifyOrder(priced.ref, limit=f"{priced.ticket.limit + 1}", stop="0.05", by=BY, token="move")


def changes_the_entry(rooms: Rooms) -> Command | None:
    orders = rooms.ledger.book.working()
    entry = next((order for order in orders if order.ticket.purpose is Purpose.ENTRY), None)
    return None if entry is None else ModifyOrder(entry.ref, qty=2, limit="1.10", by=BY, token="change")


def turns_round(rooms: Rooms) -> Command | None:
    trade = _held(rooms, "SPY")
    return None if trade is None else ReverseTrade(trade.id, "turn", BY)


def cancels(rooms: Rooms) -> Command | None:
    del rooms
    return CancelAll(BY)


def closes(rooms: Rooms) -> Command | None:
    trade = _held(rooms, "SPY")
    return None if trade is None else CloseTrade(trade.id, BY)


def _proposed(rooms: Rooms, symbol: str) -> Trade | None:
    offered = (trade for trade in rooms.ledger.trades.values() if trade.offer is not None)
    return next((trade for trade in offered if trade.symbol == symbol), None)


def takes(rooms: Rooms) -> Command | None:
    trade = _proposed(rooms, "SPY")
    own = Taking(target_pct="60", stop_pct="40")
    return None if trade is None else TakeProposal(trade.id, "take", by=BY, terms=own)


def takes_again(rooms: Rooms) -> Command | None:
    """From another terminal, which has not seen that it was taken."""
    trade = _proposed(rooms, "SPY")
    return None if trade is None else TakeProposal(trade.id, "take too", by=BY)


def declines(rooms: Rooms) -> Command | None:
    trade = _proposed(rooms, "SPX")
    return None if trade is None else DeclineProposal(trade.id, BY)


Script = tuple[tuple[str, Callable[[Rooms], Command | None]], ...]
TAKINGS: Final[Script] = (
    ("09:40:20", takes), ("09:40:40", takes_again), ("09:45:20", declines), ("09:46:00", closes),
)  # fmt: skip
BRACKET: Final[Script] = (("09:36:00", buys_much),)
SCRIPT: Final[Script] = (
    ("09:36:00", buys), ("09:36:20", rests), ("09:36:40", sells_a_part), ("09:37:00", moves_the_target),
    ("09:37:20", changes_the_entry), ("09:37:40", cancels), ("09:38:00", turns_round), ("09:39:00", closes),
)  # fmt: skip


async def play_by_hand(run: SimulatedRun, runtime: Path, day: date, until: str, script: Script) -> None:
    """Order by order from where the answers ended, then on to `until`."""
    for number, (at, wants) in enumerate(script):
        if number < _answered(runtime):
            continue
        await _pass(run, at_et(day, at))
        await _until_loaded(run)
        command = wants(run.engine.rooms)
        if command is not None:
            await _send(run, command)
        with (runtime / ANSWERED).open("a") as told:
            told.write(f"{at} {type(command).__name__}\n")
    await _pass(run, at_et(day, until))


def _answered(runtime: Path) -> int:
    told = runtime / ANSWERED
    return len(told.read_text().splitlines()) if told.exists() else 0


async def _pass(run: SimulatedRun, until_ns: int) -> None:
    now = run.engine.outside.clock.now()
    await run.advance(max(until_ns, now + SECOND))


async def _until_loaded(run: SimulatedRun) -> None:
    while run.engine.progress.phase != "trading":
        await _pass(run, 0)


async def _send(run: SimulatedRun, command: Command) -> Reply:
    """Once is enough in one process: the answer comes, or the process ends."""
    link = run.local_link()
    await link.open()
    asked = asyncio.create_task(link.ask(command, timeout_s=60.0))
    while not asked.done():
        await _pass(run, 0)
    reply = await asked
    assert isinstance(reply, Ack)
    return reply
