"""The journal's list of trades: what it is filtered by, its lines, and the same as CSV. Pure."""

from __future__ import annotations

import csv
import io
from typing import Final

from widgets import filters, ink, story, words
from widgets.columns import Column, Table
from widgets.pane import Block
from widgets.told import RESULTS, TradeTold, instant

KEYS: Final = ("date", "from", "to", "symbol", "strategy", "result", "tag")
COLUMNS: Final = (
    Column("opened", 12), Column("contract", 16, grows=True), Column("result", 11, ">"),
    Column("held", 6, ">", rank=1), Column("cause", 10, rank=2), Column("strategy", 14, rank=3, grows=True),
    Column("tags", 12, rank=4, grows=True),
)  # fmt: skip
CSV_FIELDS: Final = (
    "id", "opened_utc", "closed_utc", "symbol", "label", "side", "strategy", "qty", "entry", "exit", "net_pnl",
    "commission", "hold_s", "result", "cause", "reason",
)  # fmt: skip


def wanted(line: str, shorthand: filters.Shorthand) -> dict[str, str]:
    """A line of filters by key. Raises ValueError, in words."""
    found = filters.parsed(line, KEYS, shorthand)
    if found.get("result", "any") not in RESULTS:
        raise ValueError(f"result {found['result']!r} is not known: use {', '.join(RESULTS)}")
    return found


def row(trade: TradeTold, table: Table) -> Block:
    """A trade as a line of the list."""
    opened = instant(trade.opened_utc)
    result, tone = story.result_text(trade)
    style = ink.DIM if trade.result == "refused" else ink.TEXT
    mark = f" ✓{trade.notes}" if trade.notes else ""
    line = table.line(
        [
            (f"{words.day_text(opened)} {words.minute_text(opened)}" if opened else "--", ink.DIM),
            (words.contract(trade.label or trade.symbol, opened), style), (result, tone),
            (story.hold_text(trade.hold_s), ink.DIM), (trade.cause or "", style), (trade.strategy, style),
            (" ".join(f"#{tag}" for tag in trade.tags) + mark, ink.KEY),
        ]
    )  # fmt: skip
    return Block((line,), trade.id)


def csv_of(trades: tuple[TradeTold, ...]) -> str:
    """The list as CSV: a header, one row a trade, tags joined by spaces. A cell never begins a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*CSV_FIELDS, "scanners", "tags", "notes"))
    for trade in trades:
        cells = [getattr(trade, name) for name in CSV_FIELDS]
        cells += [" ".join(trade.scanners), " ".join(trade.tags), trade.notes]
        writer.writerow([_cell(cell) for cell in cells])
    return out.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    is_formula = text[:1] in ("=", "@", "\t") or (text[:1] in ("+", "-") and not _is_number(text))
    return f"'{text}" if is_formula else text


def _is_number(text: str) -> bool:
    return text[1:].replace(".", "", 1).isdecimal()
