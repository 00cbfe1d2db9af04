"""What the alert log tells of the events that are recorded."""

from __future__ import annotations

from typing import Final

from station.calendars import et_text
from station.desk.entries import NOT_FILLED
from station.domain.events import (
    Alerted,
    EntryModified,
    ExecutionBooked,
    ExitModified,
    GateChanged,
    KillChanged,
    Recorded,
    TradeClosed,
    TradeFailed,
    TradeProposed,
)
from station.domain.orders import OrderState
from station.domain.trade import Cause, Trade
from station.execution.reports import CHANGE_REFUSED
from station.link.floor import AlertRow

TOLD: Final = (
    Alerted, EntryModified, ExecutionBooked, ExitModified, GateChanged, KillChanged, TradeClosed, TradeFailed,
    TradeProposed,
)  # fmt: skip
"""The events that may be told."""
_STOPPED: Final = frozenset({Cause.STOP.value, Cause.SHIELD.value, Cause.EMERGENCY.value})
REJECTED: Final = f"entry {OrderState.REJECTED.value.lower()}"
_SEVERITY: Final = {"info": "info", "warning": "warn", "critical": "critical"}


def alert_row(item: Recorded, trade: Trade | None) -> AlertRow | None:
    """The row of one event, None where it is nothing to tell; `trade` is the one it is of, as it stands."""
    told = _told(item, trade)
    return None if told is None else AlertRow(item.at_ns, *told, trade_id=item.trade_id)


def _told(item: Recorded, trade: Trade | None) -> tuple[str, ...] | None:
    """Severity and text, and the kind of what may ring."""
    event = item.event
    label = trade.contract.label if trade is not None and trade.contract is not None else item.trade_id
    match event:
        case Alerted():
            return _SEVERITY.get(event.severity, "info"), event.text
        case ExecutionBooked():
            side = "SELL" if event.purpose.is_exit else "BUY"
            text = f"FILL {side} {label} {event.qty} @ {event.price} slip {event.slippage + 0}"
            return "good", text, "fill"
        case TradeClosed():
            severity, kind = "good" if event.net_pnl > 0 else "warn", "stop" if event.cause in _STOPPED else ""
            return severity, f"CLOSED {label} {event.net_pnl:+} {event.cause}", kind
        case TradeProposed() if trade is not None:
            until = et_text(event.until_ns)
            text = f"PROPOSAL {trade.strategy}: BUY {event.qty} {label} until {until} ET"
            return "warn", text, "proposal"
        case TradeFailed():
            symbol = f"{trade.strategy} {trade.symbol} {trade.side.value}" if trade else item.trade_id
            by_hand = trade is not None and (trade.hand is not None or trade.offer is not None)
            gone = event.cause == REJECTED or event.reason == NOT_FILLED
            kind = "reject" if by_hand and gone else ""
            return "warn" if by_hand else "info", f"no entry {symbol}: {event.reason}", kind
        case EntryModified() | ExitModified() if event.reason.startswith(CHANGE_REFUSED):
            why = event.reason.removeprefix(CHANGE_REFUSED)
            return "warn", f"CHANGE REFUSED {label}: {why}; the order stands as it was", "reject"
        case GateChanged():
            return "warn", f"GATE {event.state.lower()}: {event.reason} (by {event.by})", "gate"
        case KillChanged(on=False):
            # That it is on, and why, is told by the alert of the same commit.
            return "warn", f"KILL released by {event.by}", "gate"
        case _:
            return None
