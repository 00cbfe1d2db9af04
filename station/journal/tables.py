"""The journal's JSON shapes as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from station.calendars import et_text
from station.domain.clock import from_datetime
from station.journal.shapes import Json

_GOOD: Final = "green"
_BAD: Final = "red"


def trades_table(shape: Json) -> Table:
    """What `trades` prints: one row a trade, times in ET."""
    table = Table(title=_counted(shape["trades"]), title_justify="left", box=None, pad_edge=False)
    for name in ("id", "opened", "closed", "strategy", "contract", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("qty", "entry", "exit", "net", "fees"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("cause")
    for trade in shape["trades"]:
        table.add_row(
            trade["id"], _et(trade["opened_utc"]), _et(trade["closed_utc"]), trade["strategy"],
            _contract(trade), trade["state"], f"{trade['qty']:g}", _short(trade["entry"]),
            _short(trade["exit"]), _result(trade["net_pnl"]), trade["commission"],
            trade["cause"] or "",
        )  # fmt: skip
    return table


def journal_table(shape: Json) -> Table:
    """What `journal` prints: one row a trade, the newest first, with its result, tags and how many notes."""
    title = f"{shape['found']} of {shape['total']} trades"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("id", "opened", "strategy", "contract", "result"):
        table.add_column(name, no_wrap=True)
    for name in ("net", "held s", "notes"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("tags")
    for row in shape["trades"]:
        table.add_row(
            row["id"], _et(row["opened_utc"]), row["strategy"], row["label"], row["result"],
            _result(row["net_pnl"]), "" if row["hold_s"] is None else str(row["hold_s"]),
            str(row["notes"] or ""), " ".join(row["tags"]),
        )  # fmt: skip
    return table


def _counted(trades: list[Json]) -> str:
    return f"{len(trades)} trade{'' if len(trades) == 1 else 's'}"


def story_text(shape: Json) -> Group:
    """What `story` prints: the trade, its states, the verdicts that made it, and its events."""
    return Group(
        trades_table({"trades": [shape["trade"]]}),
        Text(f"\n{shape['trade']['reason']}") if shape["trade"]["reason"] else Text(),
        _rows("states", ("seq", "ET", "state"), [
            (str(step["seq"]), _et(step["ts_utc"]), step["state"]) for step in shape["transitions"]
        ]),
        _rows("decision", ("ET", "stage", "verdict", "value", "limit", "reason"), [
            (_et(d["ts_utc"]), d["stage"], d["verdict"], d["value"] or "", d["limit"] or "", d["reason"])
            for d in shape["decision"]
        ]),
        _rows("events", ("seq", "ET", "type", "data"), [
            (str(e["seq"]), _et(e["ts_utc"]), e["type"], _data(e["data"])) for e in shape["events"]
        ]),
        *(Text(f"picture  {path}") for path in shape.get("pictures", ())),
    )  # fmt: skip


def _rows(title: str, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _et(ts_utc: str | None) -> str:
    if ts_utc is None:
        return ""
    return et_text(from_datetime(datetime.fromisoformat(ts_utc)))


def _contract(trade: Json) -> str:
    contract = trade["contract"]
    if contract is None:
        return trade["symbol"]
    strike = f" {contract['strike']}{contract['right']}" if contract["strike"] is not None else ""
    return f"{contract['class']} {contract['expiry'] or ''}{strike}".strip()


def _short(price: str | None) -> str:
    return "" if price is None else price


def _result(net_pnl: str | None) -> Text:
    if net_pnl is None:
        return Text()
    return Text(net_pnl, style=_BAD if net_pnl.startswith("-") else _GOOD)


def _data(data: Json) -> str:
    return " ".join(f"{name}={_brief(value)}" for name, value in data.items() if value not in (None, "", []))


def _brief(value: object) -> str:
    if isinstance(value, dict):
        ref = value.get("order_ref")
        return str(ref) if ref else "…"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def markdown_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table; a bar inside a cell is escaped."""
    if not rows:
        return ["none"]
    head = "| " + " | ".join(names) + " |"
    rule = "|" + "---|" * len(names)
    body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [head, rule, *body]
