"""Between values and the book's rows. The schema is read by others: columns are added, never renamed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

from station.domain.instruments import Contract, Right, SecType
from station.domain.orders import Action, OcaType, OrderKind, Purpose, Ticket, Tif

SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS orders(order_ref TEXT PRIMARY KEY, account TEXT, broker_id INTEGER,
       perm_id INTEGER, contract TEXT, action TEXT, qty TEXT, kind TEXT, limit_price TEXT, stop_price TEXT,
       tif TEXT, oca_group TEXT, parent_ref TEXT, purpose TEXT, state TEXT, filled TEXT, received_ns INTEGER,
       updated_ns INTEGER, reason TEXT)""",
    """CREATE TABLE IF NOT EXISTS order_events(seq INTEGER PRIMARY KEY, at_ns INTEGER, order_ref TEXT,
       what TEXT, state TEXT, qty TEXT, filled TEXT)""",
    """CREATE TABLE IF NOT EXISTS executions(exec_id TEXT PRIMARY KEY, seq INTEGER, order_ref TEXT,
       account TEXT, contract TEXT, action TEXT, qty TEXT, price TEXT, multiplier INTEGER,
       commission TEXT, at_ns INTEGER)""",
    """CREATE TABLE IF NOT EXISTS cash(seq INTEGER PRIMARY KEY, at_ns INTEGER, kind TEXT, amount TEXT,
       ref TEXT)""",
    """CREATE TABLE IF NOT EXISTS settlements(seq INTEGER PRIMARY KEY, at_ns INTEGER, account TEXT,
       contract TEXT, qty TEXT, price TEXT, multiplier INTEGER)""",
    """CREATE TABLE IF NOT EXISTS requests(seq INTEGER PRIMARY KEY, at_ns INTEGER, due_ns INTEGER, what TEXT,
       order_ref TEXT, body TEXT, done INTEGER)""",
)


def contract_text(contract: Contract) -> str:
    """The contract as JSON with sorted keys, the strike a decimal string."""
    fields = {
        "symbol": contract.symbol, "sec_type": contract.sec_type.value, "expiry": contract.expiry,
        "strike": f"{contract.strike.normalize():f}",
        "right": contract.right.value if contract.right else None,
        "trading_class": contract.trading_class, "multiplier": contract.multiplier,
        "exchange": contract.exchange, "currency": contract.currency, "con_id": contract.con_id,
    }  # fmt: skip
    return json.dumps(fields, sort_keys=True)


def contract_of(text: str) -> Contract:
    """The contract that `contract_text` wrote."""
    raw: dict[str, Any] = json.loads(text)
    return Contract(
        raw["symbol"], SecType(raw["sec_type"]), raw["expiry"], Decimal(raw["strike"]),
        Right(raw["right"]) if raw["right"] else None, raw["trading_class"], int(raw["multiplier"]),
        raw["exchange"], raw["currency"], int(raw["con_id"]),
    )  # fmt: skip


def ticket_text(ticket: Ticket) -> str:
    """A whole ticket as JSON."""
    fields = {
        "order_ref": ticket.order_ref, "account": ticket.account, "contract": contract_text(ticket.contract),
        "action": ticket.action.value, "qty": str(ticket.qty), "kind": ticket.kind.value,
        "purpose": ticket.purpose.value, "limit": _text(ticket.limit), "stop": _text(ticket.stop),
        "tif": ticket.tif.value, "oca_group": ticket.oca_group, "oca_type": ticket.oca_type.value,
        "parent_ref": ticket.parent_ref, "outside_rth": ticket.outside_rth,
    }  # fmt: skip
    return json.dumps(fields, sort_keys=True)


def ticket_of(text: str) -> Ticket:
    """The ticket that `ticket_text` wrote."""
    raw: dict[str, Any] = json.loads(text)
    return Ticket(
        raw["order_ref"], raw["account"], contract_of(raw["contract"]), Action(raw["action"]),
        Decimal(raw["qty"]), OrderKind(raw["kind"]), Purpose(raw["purpose"]), _number(raw["limit"]),
        _number(raw["stop"]), Tif(raw["tif"]), raw["oca_group"], OcaType(raw["oca_type"]),
        raw["parent_ref"], bool(raw["outside_rth"]),
    )  # fmt: skip


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


price_text = _text
price_of = _number
