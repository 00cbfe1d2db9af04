"""Statistics of closed trades: pure functions, dollars and fractions (SPEC §19)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import sqrt
from statistics import fmean, stdev
from typing import Final

from station.calendars import et_date, et_text
from station.domain.clock import SECOND
from station.domain.orders import ZERO
from station.domain.trade import Trade, TradeState
from station.journal.shapes import Json, decimal_text

DAYS_A_YEAR: Final = 252
_CENT: Final = Decimal("0.01")
_ENDED: Final = frozenset({TradeState.CLOSED, TradeState.WEALTH_UPDATED})


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a set of closed trades came to. Dollars; rates as fractions of 1; None where nothing can be divided.

    `sharpe` and `sortino` are of daily results against zero, annualised by √252; `max_drawdown` is the deepest
    fall of the running total from its peak, a positive number of dollars.
    """

    trades: int
    wins: int
    losses: int
    net_pnl: Decimal
    gross_win: Decimal
    gross_loss: Decimal
    commissions: Decimal
    win_rate: float | None
    profit_factor: float | None
    expectancy: Decimal | None
    average_win: Decimal | None
    average_loss: Decimal | None
    max_drawdown: Decimal
    sharpe: float | None
    sortino: float | None
    mean_hold_s: int | None

    def shape(self) -> Json:
        return {
            "trades": self.trades,
            "wins": self.wins,
            "losses": self.losses,
            "net_pnl": decimal_text(self.net_pnl),
            "gross_win": decimal_text(self.gross_win),
            "gross_loss": decimal_text(self.gross_loss),
            "commissions": decimal_text(self.commissions),
            "win_rate": _rounded(self.win_rate),
            "profit_factor": _rounded(self.profit_factor),
            "expectancy": _text(self.expectancy),
            "average_win": _text(self.average_win),
            "average_loss": _text(self.average_loss),
            "max_drawdown": decimal_text(self.max_drawdown),
            "sharpe": _rounded(self.sharpe),
            "sortino": _rounded(self.sortino),
            "mean_hold_s": self.mean_hold_s,
        }


def closed_trades(trades: Iterable[Trade]) -> list[Trade]:
    """Those with a result, in the order they closed."""
    ended = [trade for trade in trades if trade.state in _ENDED and trade.net_pnl is not None]
    return sorted(ended, key=lambda trade: (trade.closed_ns, trade.id))


def statistics(trades: Sequence[Trade]) -> Statistics:
    """The figures of closed trades, in the order they closed."""
    results = [trade.net_pnl or ZERO for trade in trades]
    wins = [r for r in results if r > 0]
    losses = [r for r in results if r < 0]
    daily = _by_day(trades)
    return Statistics(
        trades=len(results), wins=len(wins), losses=len(losses), net_pnl=sum(results, ZERO),
        gross_win=sum(wins, ZERO), gross_loss=-sum(losses, ZERO),
        commissions=sum((trade.commission for trade in trades), ZERO),
        win_rate=len(wins) / len(results) if results else None,
        profit_factor=float(sum(wins, ZERO) / -sum(losses, ZERO)) if losses else None,
        expectancy=_mean(results), average_win=_mean(wins), average_loss=_mean(losses),
        max_drawdown=drawdown(results), sharpe=_sharpe(daily), sortino=_sortino(daily),
        mean_hold_s=_mean_hold(trades),
    )  # fmt: skip


def drawdown(results: Iterable[Decimal]) -> Decimal:
    """The deepest fall of the running total below its highest point, the start included."""
    total = peak = deepest = ZERO
    for result in results:
        total += result
        peak = max(peak, total)
        deepest = max(deepest, peak - total)
    return deepest


def grouped(trades: Sequence[Trade]) -> dict[str, dict[str, Statistics]]:
    """The figures by strategy, by scanner (a trade counts under each of its own), and by hour of entry (ET)."""
    return {
        "strategy": _groups(trades, lambda trade: (trade.strategy,)),
        "scanner": _groups(trades, lambda trade: trade.scanners),
        "hour": _groups(trades, lambda trade: (et_text(trade.opened_ns)[:2],)),
        "cause": _groups(trades, lambda trade: (trade.cause,)),
    }


def document(trades: Iterable[Trade]) -> Json:
    """The `stats` document: everything, then by group."""
    closed = closed_trades(trades)
    groups = {
        kind: {name: found.shape() for name, found in members.items()}
        for kind, members in grouped(closed).items()
    }
    return {"v": 1, "all": statistics(closed).shape(), "by": groups}


def of_day(trades: Iterable[Trade], day: date) -> list[Trade]:
    """The trades opened on an exchange date."""
    return [trade for trade in trades if et_date(trade.opened_ns) == day]


def of_days(trades: Iterable[Trade], first: date, last: date) -> list[Trade]:
    """The trades opened on exchange dates from `first` to `last`, both included."""
    return [trade for trade in trades if first <= et_date(trade.opened_ns) <= last]


def _groups(trades: Sequence[Trade], names: Callable[[Trade], tuple[str, ...]]) -> dict[str, Statistics]:
    members: dict[str, list[Trade]] = {}
    for trade in trades:
        for name in names(trade):
            members.setdefault(name, []).append(trade)
    return {name: statistics(members[name]) for name in sorted(members)}


def _by_day(trades: Iterable[Trade]) -> list[float]:
    days: dict[date, Decimal] = {}
    for trade in trades:
        day = et_date(trade.closed_ns)
        days[day] = days.get(day, ZERO) + (trade.net_pnl or ZERO)
    return [float(days[day]) for day in sorted(days)]


def _sharpe(daily: list[float]) -> float | None:
    if len(daily) < 2 or (spread := stdev(daily)) == 0:
        return None
    return fmean(daily) / spread * sqrt(DAYS_A_YEAR)


def _sortino(daily: list[float]) -> float | None:
    if len(daily) < 2:
        return None
    downside = sqrt(fmean([min(result, 0.0) ** 2 for result in daily]))
    return fmean(daily) / downside * sqrt(DAYS_A_YEAR) if downside else None


def _mean(amounts: Sequence[Decimal]) -> Decimal | None:
    return (sum(amounts, ZERO) / len(amounts)).quantize(_CENT) if amounts else None


def _mean_hold(trades: Sequence[Trade]) -> int | None:
    held = [(trade.closed_ns - trade.filled_ns) // SECOND for trade in trades if trade.filled_ns]
    return round(sum(held) / len(held)) if held else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else decimal_text(amount)
