"""What a hand asks of a strategy's proposal: what it would be told now, its sending, its end."""

from __future__ import annotations

import json

from station.domain.errors import BadInput, Refused
from station.domain.trade import TradeState
from station.engine.by_hand import placed_line
from station.engine.engine import Engine
from station.engine.preview import nothing, proposal_preview
from station.engine.tickets import read_taking
from station.link import Ack, Data, DeclineProposal, PreviewProposal, Reply, TakeProposal

ProposalCommand = PreviewProposal | TakeProposal | DeclineProposal


async def proposal_answer(engine: Engine, command: ProposalCommand) -> Reply:
    """The reply. Raises Refused or BadInput with the line to show."""
    desk = engine.rooms.proposals
    match command:
        case PreviewProposal():
            try:
                look = await desk.look(command.trade_id, read_taking(command.terms, command.qty))
            except (Refused, BadInput) as refused:
                return Data(json.dumps(nothing("BUY", command.qty, str(refused))))
            return Data(json.dumps(await proposal_preview(engine, look)))
        case TakeProposal():
            return await _taken(engine, command)
        case DeclineProposal():
            trade = await desk.decline(command.trade_id, command.by or "operator")
            return Ack(True, f"{trade.id} is declined: nothing is sent")


async def _taken(engine: Engine, command: TakeProposal) -> Ack:
    known = engine.rooms.ledger.by_token(command.token)
    asked = read_taking(command.terms, command.qty)
    trade = await engine.rooms.proposals.take(command.trade_id, asked, command.token, command.by or "operator")
    again = " (it was taken before)" if known is not None else ""
    if trade.state is TradeState.FAILED:
        return Ack(False, f"{trade.id} is not sent: {trade.reason or trade.cause}{again}", trade.cause)
    return Ack(True, f"{placed_line(engine, trade)}{again}", trade_id=trade.id)
