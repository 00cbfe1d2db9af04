"""Trades and their stories as the JSON of the command line: money as decimal strings, times as UTC text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from station.domain.clock import utc_text
from station.domain.events import TradeEvent
from station.domain.hand import Offer
from station.domain.instruments import Contract
from station.domain.lifecycle import evolve
from station.domain.signals import Decision
from station.domain.trade import Trade
from station.store import Logged
from station.store.codec import canonical

VERSION: Final = 1
_FINEST: Final = Decimal("1e-8")
_CENT: Final = Decimal("0.01")

Json = dict[str, Any]


def decimal_text(amount: Decimal) -> str:
    """Dollars or a price without an exponent: at least two decimals, at most eight."""
    short = amount.quantize(_FINEST).normalize() + 0
    exponent = short.as_tuple().exponent
    coarse = not isinstance(exponent, int) or exponent > -2
    return f"{short.quantize(_CENT) if coarse else short:f}"


def count(qty: Decimal) -> int | float:
    """A quantity as a JSON number: whole where it is whole."""
    return int(qty) if qty == qty.to_integral_value() else float(qty)


def moment(at_ns: int) -> str | None:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`, None for an instant that has not come."""
    return utc_text(at_ns) if at_ns else None


def trade_shape(trade: Trade) -> Json:
    """One trade. `qty` is what was bought, or what is to be; `entry` and `exit` average prices a unit."""
    return {
        "id": trade.id,
        "account": trade.account,
        "environment": trade.environment,
        "strategy": trade.strategy,
        "strategy_version": trade.strategy_version,
        "origin": trade.origin.value,
        "symbol": trade.symbol,
        "contract": _contract_shape(trade.contract),
        "qty": count(trade.entry_filled or trade.qty),
        "state": trade.state.value,
        "entry": _optional(trade.entry_price),
        "exit": _optional(trade.exit_price),
        "net_pnl": _optional(trade.net_pnl),
        "commission": decimal_text(trade.commission),
        "cause": trade.cause or None,
        "reason": trade.reason or None,
        "opened_utc": moment(trade.opened_ns),
        "closed_utc": moment(trade.closed_ns),
        "proposal": _proposal_shape(trade.offer),
    }


def _proposal_shape(offer: Offer | None) -> Json | None:
    """What a strategy proposed, and who took it; None where it sent by itself."""
    if offer is None:
        return None
    return {
        "until_utc": moment(offer.until_ns),
        "taken_by": offer.by or None,
        "taken_utc": moment(offer.taken_ns),
    }


def _optional(amount: Decimal | None) -> str | None:
    return None if amount is None else decimal_text(amount)


def _contract_shape(contract: Contract | None) -> Json | None:
    if contract is None:
        return None
    return {
        "class": contract.trading_class or contract.symbol,
        "expiry": contract.expiry or None,
        "strike": f"{contract.strike.normalize():f}" if contract.is_option else None,
        "right": contract.right.value if contract.right is not None else None,
    }


def trades_shape(trades: Iterable[Trade]) -> Json:
    return {"v": VERSION, "trades": [trade_shape(trade) for trade in trades]}


def story_shape(trade: Trade, events: Sequence[Logged], decisions: Iterable[Decision]) -> Json:
    """A trade with every state it went through, every event and the decision trace, in order.

    The transitions are the log replayed through the reducer, so they cannot disagree with it.
    """
    return {
        "v": VERSION,
        "trade": trade_shape(trade),
        "transitions": _transitions(trade.id, events),
        "events": [_event_shape(logged) for logged in events],
        "decision": [_decision_shape(decision) for decision in decisions],
    }


def _transitions(trade_id: str, events: Iterable[Logged]) -> list[Json]:
    steps: list[Json] = []
    trade: Trade | None = None
    for logged in events:
        event = logged.recorded.event
        if not isinstance(event, TradeEvent):
            continue
        after = evolve(trade, trade_id, event, logged.recorded.at_ns)
        if trade is None or after.state is not trade.state:
            ts = utc_text(logged.recorded.at_ns)
            steps.append({"seq": logged.seq, "state": after.state.value, "ts_utc": ts})
        trade = after
    return steps


def _event_shape(logged: Logged) -> Json:
    event = logged.recorded.event
    return {
        "seq": logged.seq,
        "ts_utc": utc_text(logged.recorded.at_ns),
        "type": event.type,
        "v": event.v,
        "data": json.loads(canonical(event)),
    }


def _decision_shape(decision: Decision) -> Json:
    return {
        "stage": decision.stage,
        "verdict": decision.verdict,
        "reason": decision.reason,
        "value": decision.value or None,
        "limit": decision.limit or None,
        "ts_utc": utc_text(decision.at_ns),
    }
