"""How trading has gone: the equity curve of closed trades, its falls, and the figures by group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from station.domain.clock import utc_text
from station.domain.orders import ZERO
from station.domain.ports import DailyMetrics
from station.domain.trade import Trade
from station.journal.shapes import Json, decimal_text
from station.journal.statistics import closed_trades, grouped, statistics


def performance_document(trades: Iterable[Trade], days: Sequence[DailyMetrics]) -> Json:
    """`{v, all, by, curve, days}`: figures as in `stats`; a point of the curve for every closed trade, in the
    order they closed, `total` the running result and `fall` how far it is under its highest; the sessions
    that ended, with the account's equity at both ends."""
    closed = closed_trades(trades)
    groups = {
        kind: {name: found.shape() for name, found in members.items()}
        for kind, members in grouped(closed).items()
    }
    return {
        "v": 1,
        "all": statistics(closed).shape(),
        "by": groups,
        "curve": curve(closed),
        "days": [_day(day) for day in days],
    }


def curve(closed: Sequence[Trade]) -> list[Json]:
    """A point a trade, dollars."""
    points: list[Json] = []
    total = peak = ZERO
    for trade in closed:
        net = trade.net_pnl or ZERO
        total += net
        peak = max(peak, total)
        points.append(
            {
                "ts_utc": utc_text(trade.closed_ns), "at_ns": trade.closed_ns, "trade": trade.id,
                "net_pnl": decimal_text(net), "total": decimal_text(total), "fall": decimal_text(peak - total),
            }
        )  # fmt: skip
    return points


def _day(day: DailyMetrics) -> Json:
    return {
        "session": day.session,
        "trades": day.trades,
        "wins": day.wins,
        "losses": day.losses,
        "net_pnl": decimal_text(day.net_pnl),
        "commissions": decimal_text(day.commissions),
        "max_drawdown": decimal_text(day.max_drawdown),
        "equity_start": decimal_text(day.equity_start),
        "equity_end": decimal_text(day.equity_end),
        "return_pct": _percent(day.equity_end - day.equity_start, day.equity_start),
    }


def _percent(change: Decimal, base: Decimal) -> float | None:
    return round(float(change / base * 100), 4) if base else None
