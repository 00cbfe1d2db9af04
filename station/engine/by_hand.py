"""What a hand orders, and the line it is answered with."""

from __future__ import annotations

import json
from decimal import Decimal

from station.domain.trade import Trade, TradeState
from station.engine.engine import Engine
from station.engine.preview import preview, reverse_preview
from station.engine.tickets import price, read_ticket
from station.link import (
    Ack,
    CancelAll,
    ClosePart,
    Data,
    ModifyOrder,
    PlaceOrder,
    PreviewOrder,
    PreviewReverse,
    Reply,
    ReverseTrade,
)

HandCommand = (
    PreviewOrder | PreviewReverse | PlaceOrder | ModifyOrder | ClosePart | ReverseTrade | CancelAll
)  # fmt: skip
_BEGUN = (TradeState.OPTION_SELECTED, TradeState.WEALTH_SIZED)


async def by_hand(engine: Engine, command: HandCommand) -> Reply:
    """The reply to a hand's command. Raises Refused or BadInput with the line to show."""
    rooms = engine.rooms
    match command:
        case PreviewOrder():
            return Data(json.dumps(await preview(engine, command.ticket)))
        case PreviewReverse():
            return Data(json.dumps(await reverse_preview(engine, command.trade_id)))
        case PlaceOrder():
            return await _place(engine, command)
        case ModifyOrder():
            return Ack(True, await _changed(engine, command))
        case ClosePart():
            again = _again(engine, command.token)
            await rooms.manual.part(
                command.trade_id, Decimal(command.qty), command.token, command.by or "operator"
            )
            return Ack(True, f"closing {command.qty} of {command.trade_id} at market{again}")
        case ReverseTrade():
            trade = await rooms.manual.reverse(command.trade_id, command.token, command.by or "operator")
            return Ack(True, _reversing(trade))
        case CancelAll():
            count = await rooms.controls.cancel_entries("manual")
            return Ack(True, f"cancelling {count} working {'entry' if count == 1 else 'entries'}")


async def _changed(engine: Engine, command: ModifyOrder) -> str:
    limit, stop = price("limit", command.limit), price("stop", command.stop)
    return await engine.rooms.changes.change(
        command.order_ref, Decimal(command.qty), limit, stop, command.token, command.by or "operator"
    )


def _again(engine: Engine, token: str) -> str:
    return " (it was placed before)" if engine.rooms.ledger.by_token(token) is not None else ""


async def _place(engine: Engine, command: PlaceOrder) -> Ack:
    asked = read_ticket(command.ticket)
    again = _again(engine, command.token)
    trade = await engine.rooms.manual.place(asked, command.token, command.by or "operator")
    if command.token in trade.part_tokens:
        return Ack(True, f"closing {asked.qty} of {trade.id} at market{again}")
    if trade.state is TradeState.FAILED:
        return Ack(False, f"{trade.id} is not placed: {trade.reason or trade.cause}{again}", trade.cause)
    return Ack(True, f"{placed_line(engine, trade)}{again}", trade_id=trade.id)


def placed_line(engine: Engine, trade: Trade) -> str:
    """An entry as it was sent, in a line."""
    label = trade.contract.label if trade.contract is not None else trade.symbol
    if trade.state in _BEGUN:
        return f"{trade.id} BUY {label} is being placed"
    order = engine.rooms.ledger.book.orders[trade.entry_ref].ticket
    prices = [f"{price}" for price in (order.stop, order.limit) if price is not None]
    return " ".join([trade.id, order.action.value, f"{order.qty}", label, order.kind.value, *prices, "sent"])


def _reversing(trade: Trade) -> str:
    if trade.reversal is None:
        return f"{trade.id} is not being reversed"
    reversal = trade.reversal
    return f"closing {trade.id} at market, then BUY {reversal.qty} {reversal.contract.label}"
