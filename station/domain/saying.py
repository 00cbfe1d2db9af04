"""Events in a trader's words, one line each, from their plain data: for the log, a story, a screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Data = Mapping[str, Any]


def said(kind: str, data: Data) -> str:
    """What an event of that type says; what no sentence is kept for as `name value` pairs."""
    sentence = _SENTENCES.get(kind)
    if sentence is not None:
        try:
            return sentence(data)
        except (KeyError, TypeError, ValueError):
            return _pairs(data)
    return _pairs(data)


def ticket_text(ticket: Data) -> str:
    """`BUY 2 LMT 4.20`"""
    stop = f" stop {ticket['stop']}" if ticket.get("stop") else ""
    limit = f" {ticket['limit']}" if ticket.get("limit") else ""
    tif = f" {ticket['tif']}" if ticket.get("tif", "DAY") != "DAY" else ""
    return f"{ticket['action']} {ticket['qty']} {ticket['kind']}{limit}{stop}{tif}"


def contract_text(contract: Data) -> str:
    """`SPXW 20261118 5790P`; the symbol where it is no option."""
    if not contract.get("right"):
        return str(contract["symbol"])
    name = contract.get("trading_class") or contract["symbol"]
    return f"{name} {contract['expiry']} {contract['strike']}{contract['right']}"


def _pairs(data: Data) -> str:
    return "  ".join(f"{name} {text}" for name, value in data.items() if (text := _plain(value)))


def _plain(value: object) -> str:
    """Nothing for what is empty, off or zero."""
    if isinstance(value, Mapping):
        held: Data = value
        return str(held["order_ref"]) if "order_ref" in held else _pairs(held)
    if isinstance(value, list | tuple):
        many: list[object] = list(value)
        return ", ".join(_plain(one) for one in many)
    if value is True:
        return "yes"
    return "" if value in (None, False, 0, "0", "", "0.0") else str(value)


def _leg(data: Data) -> str:
    """`E-1` of an order's reference."""
    return "-".join(str(data["order_ref"]).split("-")[-2:])


def _why(data: Data, key: str = "reason") -> str:
    return f": {data[key]}" if data.get(key) else ""


def _by(data: Data) -> str:
    return f" by {data['by']}" if data.get("by") else ""


def _passed(data: Data) -> str:
    plan = f", plan {data['wealth_plan']}" if data.get("wealth_plan") else ""
    shield = f", {data['shield']}" if data.get("shield") not in ("", "none", None) else ""
    version = f"{data['strategy']} v{data['strategy_version']}"
    return f"{version}: {data['side']} on {data['symbol']}, target {data['target_pct']} %{shield}{plan}"


def _picked(data: Data) -> str:
    greeks = f"delta {data['delta']:.2f}, iv {data['iv']:.2f} ({data['greeks_source']})"
    at = f"{data['underlying_price']:.2f}"
    return f"{contract_text(data['contract'])}  {data['bid']} × {data['ask']}, {greeks}, underlying {at}"


def _amount(text: str) -> str:
    """Without the sign of a nothing."""
    return text if text.strip("-0.") else text.removeprefix("-")


def _filled(data: Data) -> str:
    inferred = ", inferred" if data.get("inferred") else ""
    slip = f"slip {_amount(data['slippage'])}, {_amount(data['slippage_mid'])} from the mid{inferred}"
    return f"{data['purpose']}: {data['qty']} @ {data['price']}, {slip}"


def _fee(data: Data) -> str:
    before = f", counted as {data['replaces']} until now" if data["replaces"] != data["amount"] else ""
    return f"{data['amount']}{before}"


def _reconciled(data: Data) -> str:
    counted = f"orders {data['orders']}, executions {data['executions']}, positions {data['positions']}"
    word = "clean" if data["clean"] else "BREAKS"
    found = f"; {'; '.join(data['discrepancies'])}" if data["discrepancies"] else ""
    return f"{word} ({data['reason']}): {counted}{found}"


def _manual(data: Data) -> str:
    target = f", target {data['target_pct']} %" if data["target_pct"] != "0" else ""
    return f"{data['side']} {contract_text(data['contract'])}  {data['bid']} × {data['ask']}{target}"


def _exits(data: Data) -> str:
    """`target 8.90, stop 5.80`; a rung without a price of its own keeps its percent."""
    own: Data = data["own"]
    prices = [price for price in own["targets"] if float(price)]
    stop = own.get("stop_price") or (f"{own['stop_pct']} %" if own.get("stop_pct") else "")
    parts = [f"target {' then '.join(prices)}" if prices else "", f"stop {stop}" if stop else "no stop"]
    return f"{', '.join(part for part in parts if part)}{_by(data)}"


def _reversed(data: Data) -> str:
    reversal: Data = data["reversal"]
    return f"out at market, then BUY {reversal['qty']} {contract_text(reversal['contract'])}{_by(reversal)}"


def _wealth(data: Data) -> str:
    return f"net {data['net_pnl']}, capital {data['capital']}, week {data['week']} {data['level']}"


def _sized(data: Data) -> str:
    return f"{data['qty']} by {data['plan']} week {data['week']} {data['level']}, capital {data['capital']}"


def _closed(data: Data) -> str:
    return f"{data['cause']}, net {data['net_pnl']}{', fees not final' if data['provisional'] else ''}"


_SENTENCES: Final[dict[str, Callable[[Data], str]]] = {
    "trade.signal": lambda data: f"{', '.join(data['scanners'])}, underlying {data['underlying_price']:.2f}",
    "trade.strategy_passed": _passed,
    "trade.option_selected": _picked,
    "trade.sized": _sized,
    "trade.proposed": lambda data: f"{data['qty']} proposed, nothing sent",
    "trade.taken": lambda data: f"{data['qty']} taken{_by(data)}",
    "trade.entry_submitted": lambda data: f"{ticket_text(data['ticket'])}, decided at {data['decision_price']}",
    "trade.entry_modified": lambda data: f"{ticket_text(data['ticket'])}{_why(data)}",
    "trade.entry_ended": lambda data: f"{_leg(data)} {str(data['state']).lower()}",
    "trade.exit_submitted": lambda data: f"{data['cause']}: {ticket_text(data['ticket'])}",
    "trade.exit_modified": lambda data: f"{data['cause'] or 'exit'}: {ticket_text(data['ticket'])}{_why(data)}",
    "order.execution": _filled,
    "order.commission": _fee,
    "order.moved": lambda data: f"{_leg(data)} {str(data['state']).lower()}{_why(data)}",
    "order.reduced": lambda data: f"{_leg(data)} is for {data['qty']} at the broker",
    "order.cancel_requested": lambda data: f"{_leg(data)}{_why(data, 'cause')}",
    "order.notice": lambda data: f"{_leg(data)}: {data['code']} {data['text']}",
    "trade.closed": _closed,
    "trade.wealth_updated": _wealth,
    "trade.failed": lambda data: f"{data['cause']}{_why(data)}",
    "trade.adopted": lambda data: f"{data['qty']} {contract_text(data['contract'])} @ {data['price']}",
    "trade.manual": _manual,
    "trade.part_asked": lambda data: f"{data['qty']}{_by(data)}",
    "trade.exits_set": _exits,
    "trade.reverse_asked": _reversed,
    "trade.close_asked": lambda data: f"{data['cause']}{_why(data)}",
    "trade.settled": lambda data: f"{data['qty']} @ {data['price']}{_why(data, 'cause')}",
    "control.gate": lambda data: f"{data['state']}{_by(data)}{_why(data)}",
    "control.kill": lambda data: f"{_on(data)}{', flatten' if data['flatten'] else ''}{_by(data)}{_why(data)}",
    "risk.limit": lambda data: f"{data['rule']}: {data['value']}, limit {data['limit']}",
    "risk.quarantine": lambda data: f"{data['symbol']} {'locked' if data['on'] else 'free'}{_why(data)}",
    "reconciliation": _reconciled,
    "link": lambda data: f"{'up' if data['up'] else 'DOWN'}{_why(data)}",
    "session": lambda data: f"{data['what']} {data['session']}{_why(data, 'detail')}",
    "alert": lambda data: str(data["text"]),
    "fault.handler": lambda data: f"{data['task']}{_why(data, 'error')}",
    "journal.note": lambda data: f"{data['text']}  ({data['by']})",
    "journal.tag": lambda data: f"#{data['tag']} {'on' if data['on'] else 'off'}{_by(data)}",
}


def _on(data: Data) -> str:
    return "ON" if data["on"] else "OFF"
