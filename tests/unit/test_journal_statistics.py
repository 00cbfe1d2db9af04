"""Statistics and the daily report against figures worked out by hand."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import StringIO

from hypothesis import given
from hypothesis import strategies as st

from station.calendars import at_et
from station.domain.clock import MINUTE
from station.domain.trade import Trade, TradeState
from station.journal.periods import Period, day_of, periods_ending, week_of
from station.journal.report import COLUMNS, period_csv, period_markdown
from station.journal.statistics import closed_trades, document, drawdown, statistics

DAY = date(2026, 11, 18)


def closed(n: int, net: str, *, day: date = DAY, strategy: str = "A", clock: str = "10:00") -> Trade:
    opened = at_et(day, clock)
    return Trade(
        f"T{n}", TradeState.WEALTH_UPDATED, strategy=strategy, scanners=("S1", "S2"), net_pnl=Decimal(net),
        commission=Decimal("1.30"), cause="target", opened_ns=opened, filled_ns=opened,
        closed_ns=opened + n * MINUTE,
    )  # fmt: skip


TRADES = [closed(1, "100"), closed(2, "-50"), closed(3, "-30", strategy="B", clock="14:00"), closed(4, "60")]


def test_figures_of_a_worked_example() -> None:
    found = statistics(closed_trades(TRADES))
    assert (found.trades, found.wins, found.losses) == (4, 2, 2)
    assert found.net_pnl == 80
    assert found.win_rate == 0.5
    assert found.profit_factor == 2.0
    assert found.expectancy == 20
    assert (found.average_win, found.average_loss) == (80, -40)
    assert found.commissions == Decimal("5.20")
    assert found.mean_hold_s == 150
    assert found.sharpe is None


def test_drawdown_is_the_deepest_fall_from_a_peak_the_start_included() -> None:
    assert drawdown([Decimal(100), Decimal(-50), Decimal(-30), Decimal(60)]) == 80
    assert drawdown([Decimal(-10), Decimal(5)]) == 10
    assert drawdown([]) == 0


def test_sharpe_and_sortino_of_three_days() -> None:
    days = [date(2026, 11, 16), date(2026, 11, 17), date(2026, 11, 18)]
    trades = [
        closed(n, net, day=day) for n, (day, net) in enumerate(zip(days, ("100", "-50", "100"), strict=True), 1)
    ]
    found = statistics(closed_trades(trades))
    assert found.sharpe is not None
    assert abs(found.sharpe - 50 / 86.60254037844386 * 252**0.5) < 1e-9
    assert found.sortino is not None
    assert abs(found.sortino - 50 / (2500 / 3) ** 0.5 * 252**0.5) < 1e-9


def test_groups_by_strategy_scanner_hour_and_cause() -> None:
    by = document(TRADES)["by"]
    assert by["strategy"]["B"]["net_pnl"] == "-30.00"
    assert set(by["scanner"]) == {"S1", "S2"}
    assert by["scanner"]["S1"]["trades"] == 4
    assert by["hour"]["14"]["trades"] == 1
    assert by["cause"]["target"]["trades"] == 4


def test_nothing_traded_divides_by_nothing() -> None:
    found = document([])["all"]
    assert found["win_rate"] is None
    assert found["net_pnl"] == "0.00"


@given(st.lists(st.decimals("-500", "500", places=2), max_size=40))
def test_sums_hold_for_any_results(results: list[Decimal]) -> None:
    found = statistics([closed(n, str(net)) for n, net in enumerate(results, 1)])
    assert found.net_pnl == found.gross_win - found.gross_loss
    assert found.wins + found.losses <= found.trades
    assert found.max_drawdown >= max(-found.net_pnl, Decimal(0))


def test_the_daily_csv_has_a_row_a_trade_of_the_day() -> None:
    failed = replace(closed(9, "0"), state=TradeState.FAILED, net_pnl=None, cause="GATE_CLOSED", reason="a | b")
    other = closed(5, "7", day=date(2026, 11, 17))
    rows = list(csv.reader(StringIO(period_csv([*TRADES, failed, other], DAY, DAY))))
    assert tuple(rows[0]) == COLUMNS
    assert [row[0] for row in rows[1:]] == ["T1", "T2", "T3", "T4", "T9"]


def test_the_daily_markdown_tells_the_figures_and_why_trades_were_not_entered() -> None:
    failed = replace(closed(9, "0"), state=TradeState.FAILED, net_pnl=None, cause="GATE_CLOSED", reason="a | b")
    title = f"Vigil, {day_of(DAY).title}"
    text = period_markdown([*TRADES, failed], DAY, DAY, title, equity="35080.00", notes=["all books agree"])
    assert "# Vigil, Wednesday 18 November 2026" in text
    assert "| net | +80.00 |" in text
    assert "| T9 | A | CALL | GATE_CLOSED | a \\| b |" in text
    assert "- all books agree" in text


def test_a_week_is_told_by_day_and_holds_only_its_own_trades() -> None:
    monday, sunday = date(2026, 11, 16), date(2026, 11, 22)
    trades = [*TRADES, closed(7, "-10", day=monday), closed(8, "1000", day=date(2026, 11, 13))]
    week = week_of(sunday)
    text = period_markdown(trades, week.first, week.last, f"Vigil, {week.title}")
    assert (week.first, week.name) == (monday, "week-2026-W47")
    assert "| net | +70.00 |" in text
    assert "| Mon 16 Nov | 1 | 0 | -10.00 |" in text
    assert "| Wed 18 Nov | 4 | 2 | +80.00 |" in text
    assert len(period_csv(trades, week.first, week.last).splitlines()) == 6


def test_a_session_ends_its_day_and_the_last_of_a_week_or_month_those_too() -> None:
    def names(day: date, after: date) -> list[str]:
        found: tuple[Period, ...] = periods_ending(day, after)
        assert all(one.last == day for one in found)
        return [one.name for one in found]

    assert names(date(2026, 11, 18), date(2026, 11, 19)) == ["2026-11-18"]
    assert names(date(2026, 11, 25), date(2026, 11, 27)) == ["2026-11-25"]
    assert names(date(2026, 11, 27), date(2026, 11, 30)) == ["2026-11-27", "week-2026-W48"]
    assert names(date(2026, 12, 31), date(2027, 1, 4)) == ["2026-12-31", "week-2026-W53", "month-2026-12"]
    assert names(date(2026, 6, 30), date(2026, 7, 1)) == ["2026-06-30", "month-2026-06"]
