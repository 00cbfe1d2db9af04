"""Reports of a day, a week or a month: Markdown for people, CSV for programs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date
from io import StringIO

from station.calendars import et_date, et_text
from station.domain.trade import Trade, TradeState
from station.journal.shapes import decimal_text
from station.journal.statistics import Statistics, closed_trades, grouped, of_day, of_days, statistics
from station.journal.tables import markdown_table

COLUMNS = (
    "id", "strategy", "contract", "qty", "opened_et", "closed_et", "entry", "exit", "net_pnl", "commission",
    "cause", "state",
)  # fmt: skip


def period_markdown(
    trades: Sequence[Trade], first: date, last: date, title: str, *, equity: str = "",
    notes: Sequence[str] = (), wealth: Sequence[str] = (), gallery: Sequence[str] = (),
) -> str:  # fmt: skip
    """The trades opened on exchange dates from `first` to `last` in Markdown: the figures, each trade, results
    by day, strategy and cause, refusals, wealth, notes, the gallery."""
    mine = of_days(trades, first, last)
    closed = closed_trades(mine)
    lines = [f"# {title}", "", *_figures(statistics(closed), equity), ""]
    if first != last:
        rows = [(f"{day:%a %d %b}", *_brief(of_day(closed, day))) for day in _days_of(closed)]
        lines += ["## By day", "", *markdown_table(("day", "trades", "won", "net"), rows), ""]
    lines += ["## Trades", "", *markdown_table(COLUMNS[:11], [_row(trade)[:11] for trade in closed]), ""]
    groups = grouped(closed)
    for kind in ("strategy", "cause"):
        rows = [
            (name, str(found.trades), str(found.wins), f"{found.net_pnl:+.2f}")
            for name, found in groups[kind].items()
        ]
        lines += [f"## By {kind}", "", *markdown_table((kind, "trades", "wins", "net"), rows), ""]
    refused = [trade for trade in mine if trade.state is TradeState.FAILED]
    if refused:
        rows = [(t.id, t.strategy, t.side.value, t.cause, t.reason) for t in refused]
        lines += ["## Not entered", "", *markdown_table(("id", "strategy", "side", "code", "reason"), rows), ""]
    lines += wealth
    if notes:
        lines += ["## Notes", "", *(f"- {note}" for note in notes), ""]
    return "\n".join([*lines, *gallery])


def period_csv(trades: Sequence[Trade], first: date, last: date) -> str:
    """One row a trade opened from `first` to `last`, refused ones included; money as decimal text."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(trade) for trade in of_days(trades, first, last))
    return out.getvalue()


def _days_of(trades: Sequence[Trade]) -> list[date]:
    return sorted({et_date(trade.opened_ns) for trade in trades})


def _brief(closed: Sequence[Trade]) -> tuple[str, str, str]:
    found = statistics(closed)
    return str(found.trades), str(found.wins), f"{found.net_pnl:+.2f}"


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
    return markdown_table(("figure", "value"), rows)


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
