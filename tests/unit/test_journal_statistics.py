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
from station.journal.report import COLUMNS, daily_csv, daily_markdown
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
    rows = list(csv.reader(StringIO(daily_csv([*TRADES, failed, other], DAY))))
    assert tuple(rows[0]) == COLUMNS
    assert [row[0] for row in rows[1:]] == ["T1", "T2", "T3", "T4", "T9"]


def test_the_daily_markdown_tells_the_figures_and_why_trades_were_not_entered() -> None:
    failed = replace(closed(9, "0"), state=TradeState.FAILED, net_pnl=None, cause="GATE_CLOSED", reason="a | b")
    text = daily_markdown([*TRADES, failed], DAY, equity="35080.00", notes=["all books agree"])
    assert "# Vigil, Wednesday 18 November 2026" in text
    assert "| net | +80.00 |" in text
    assert "| T9 | A | CALL | GATE_CLOSED | a \\| b |" in text
    assert "- all books agree" in text
