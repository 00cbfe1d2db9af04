"""The daily report: Markdown for people, CSV for programs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date
from io import StringIO

from station.calendars import et_text
from station.domain.trade import Trade, TradeState
from station.journal.shapes import decimal_text
from station.journal.statistics import Statistics, closed_trades, grouped, of_day, statistics

COLUMNS = (
    "id", "strategy", "contract", "qty", "opened_et", "closed_et", "entry", "exit", "net_pnl", "commission",
    "cause", "state",
)  # fmt: skip


def daily_markdown(trades: Sequence[Trade], day: date, *, equity: str = "", notes: Sequence[str] = ()) -> str:
    """The day in Markdown: the figures, each trade, results by strategy and cause, refusals, notes."""
    mine = of_day(trades, day)
    closed = closed_trades(mine)
    lines = [f"# Vigil, {day:%A %d %B %Y}", "", *_figures(statistics(closed), equity), ""]
    lines += ["## Trades", "", *_table(COLUMNS[:11], [_row(trade)[:11] for trade in closed]), ""]
    groups = grouped(closed)
    for kind in ("strategy", "cause"):
        rows = [
            (name, str(found.trades), str(found.wins), f"{found.net_pnl:+.2f}")
            for name, found in groups[kind].items()
        ]
        lines += [f"## By {kind}", "", *_table((kind, "trades", "wins", "net"), rows), ""]
    refused = [trade for trade in mine if trade.state is TradeState.FAILED]
    if refused:
        rows = [(t.id, t.strategy, t.side.value, t.cause, t.reason) for t in refused]
        lines += ["## Not entered", "", *_table(("id", "strategy", "side", "code", "reason"), rows), ""]
    if notes:
        lines += ["## Notes", "", *(f"- {note}" for note in notes), ""]
    return "\n".join(lines)


def daily_csv(trades: Sequence[Trade], day: date) -> str:
    """One row a trade of the day, refused ones included; money as decimal text."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(trade) for trade in of_day(trades, day))
    return out.getvalue()


def _figures(found: Statistics, equity: str) -> list[str]:
    rate = "–" if found.win_rate is None else f"{found.win_rate:.0%}"
    factor = "–" if found.profit_factor is None else f"{found.profit_factor:.2f}"
    rows = [
        ("net", f"{found.net_pnl:+.2f}"), ("trades", str(found.trades)),
        ("won / lost", f"{found.wins} / {found.losses}"), ("win rate", rate), ("profit factor", factor),
        ("expectancy", "–" if found.expectancy is None else f"{found.expectancy:+.2f}"),
        ("deepest drawdown", f"{found.max_drawdown:.2f}"), ("commissions", f"{found.commissions:.2f}"),
    ]  # fmt: skip
    if equity:
        rows.append(("equity", equity))
    return _table(("figure", "value"), rows)


def _row(trade: Trade) -> tuple[str, ...]:
    return (
        trade.id, trade.strategy, trade.contract.label if trade.contract else trade.symbol, f"{trade.qty}",
        et_text(trade.opened_ns), et_text(trade.closed_ns) if trade.closed_ns else "",
        _price(trade.entry_price), _price(trade.exit_price),
        decimal_text(trade.net_pnl) if trade.net_pnl is not None else "", decimal_text(trade.commission),
        trade.cause, trade.state.value,
    )  # fmt: skip


def _price(price: object) -> str:
    return "" if price is None else f"{price:.2f}"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table; a bar inside a cell is escaped."""
    if not rows:
        return ["none"]
    head = "| " + " | ".join(names) + " |"
    rule = "|" + "---|" * len(names)
    body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [head, rule, *body]
