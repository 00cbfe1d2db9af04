"""The factor model: what follows the market follows it as closely as meant, is the same from everywhere, and
costs nothing until it is asked for."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from station.brokers.paper import GeneratedTape
from station.brokers.paper.scanner import CODES, MarketScanner
from station.brokers.paper.universe import equities
from station.calendars import at_et, load_calendar, series_hours
from station.domain.broker import QuoteReport, ScanRequest, TickReport
from station.domain.clock import MINUTE
from station.domain.errors import Refused
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe, equity, underlying_contract
from station.series import Bars
from tests.unit.paper_harness import DAY, Action, Alone, alone, ticket

CALENDAR = load_calendar()
TAPE = GeneratedTape(7, DAY, CALENDAR, None)
SESSIONS = CALENDAR.sessions(Hours.REGULAR, date(2023, 1, 3), date(2026, 7, 22))


def closes(symbol: str, each: int = 1) -> np.ndarray:
    market = TAPE._market
    spans = SESSIONS[::each]
    minutes = market.minutes(symbol, [CALENDAR.on(Hours.REGULAR, span.day) for span in spans])
    last = np.searchsorted(minutes.start_ns, [span.close_ns for span in spans]) - 1
    return minutes.close[last]


@pytest.fixture(scope="module")
def returns() -> dict[str, np.ndarray]:
    return {s: np.diff(np.log(closes(s))) for s in ("SPX", "QQQ", "IWM", "NVDA", "SOFI", "JPM")}


@pytest.mark.parametrize(
    ("symbol", "beta", "low", "high"),
    [
        ("QQQ", 1.15, 0.90, 0.97), ("IWM", 1.15, 0.74, 0.90), ("NVDA", 1.75, 0.55, 0.80),
        ("SOFI", 1.75, 0.40, 0.68), ("JPM", 1.05, 0.55, 0.80),
    ],
)  # fmt: skip
def test_each_moves_with_the_market_as_closely_as_meant(
    returns: dict[str, np.ndarray], symbol: str, beta: float, low: float, high: float
) -> None:
    market, own = returns["SPX"], returns[symbol]
    assert low < np.corrcoef(market, own)[0, 1] < high
    assert abs(np.cov(market, own)[0, 1] / market.var() - beta) < 0.25


def test_technology_shares_more_than_the_market(returns: dict[str, np.ndarray]) -> None:
    def left(symbol: str) -> np.ndarray:
        slope = np.polyfit(returns["SPX"], returns[symbol], 1)
        return returns[symbol] - np.polyval(slope, returns["SPX"])

    assert np.corrcoef(left("QQQ"), left("NVDA"))[0, 1] > 0.15
    assert abs(np.corrcoef(left("IWM"), left("SOFI"))[0, 1]) < 0.15


def test_nq_and_qqq_are_one_index_within_the_session() -> None:
    span = CALENDAR.on(Hours.REGULAR, DAY)
    assert span is not None
    nq, qqq, spx = (
        TAPE.minutes(symbol).since(span.open_ns).before(span.close_ns).close for symbol in ("NQ", "QQQ", "SPX")
    )
    assert np.corrcoef(np.diff(nq), np.diff(qqq))[0, 1] > 0.97
    assert 0.6 < np.corrcoef(np.diff(spx), np.diff(qqq))[0, 1] < 0.99
    ratio = nq / qqq
    assert ratio.std() / ratio.mean() < 2e-4


def test_volume_is_a_smile_over_the_day() -> None:
    for symbol in ("QQQ", "IWM", "NVDA", "SOFI"):
        spans = SESSIONS[-20:]
        minutes = TAPE._market.minutes(symbol, spans)
        full = minutes.volume[: len(minutes) // 390 * 390].reshape(-1, 390).mean(axis=0)
        opening, middle, closing = full[:15].mean(), full[150:240].mean(), full[-15:].mean()
        assert opening > 1.5 * middle
        assert closing > 1.2 * middle


@pytest.mark.parametrize("symbol", ["NQ", "QQQ", "IWM", "NVDA", "ZZZZ"])
def test_what_is_lived_through_is_what_is_looked_back_on(symbol: str) -> None:
    if symbol == "ZZZZ":
        minutes = TAPE._market.minutes(symbol, SESSIONS[-2:])
        assert len(minutes) == 780
        return
    ticks = TAPE.ticks(symbol)
    start = ticks.at_ns // MINUTE * MINUTE
    first = np.flatnonzero(np.concatenate(([True], start[1:] != start[:-1])))
    last = np.append(first[1:], len(start)) - 1
    built = Bars(
        start[first], ticks.price[first], np.maximum.reduceat(ticks.price, first),
        np.minimum.reduceat(ticks.price, first), ticks.price[last], np.add.reduceat(ticks.size, first),
    )  # fmt: skip
    assert built.same(TAPE.minutes(symbol))
    later = GeneratedTape(7, date(2026, 7, 24), CALENDAR, None)
    past = later.history(symbol, Timeframe.M1, 2**62, 6000, later.open_ns)
    assert past.since(int(built.start_ns[0])).cut(0, len(built)).same(built)


def test_a_thousand_sessions_of_nq_and_qqq_stand_before_the_open() -> None:
    for symbol in ("NQ", "QQQ"):
        days = TAPE.history(symbol, Timeframe.D1, TAPE.open_ns, 5000, TAPE.open_ns)
        assert len(days) == 1000
        assert (np.diff(days.start_ns) > 0).all()
        assert CALENDAR.on(series_hours(INSTRUMENTS[symbol]), DAY) is not None


def test_an_unwatched_share_is_never_made(tmp_path: Path) -> None:
    tape = GeneratedTape(7, DAY, CALENDAR, None)
    alone(tmp_path, [], 30.0, tape=tape)
    assert sorted(tape._ticks) == ["ES", "SPX", "SPY", "VIX"]


def test_a_share_beside_the_catalogue_is_resolved_watched_and_traded(tmp_path: Path) -> None:
    aapl = underlying_contract(equity("AAPL"))

    async def watch(run: Alone) -> None:
        found = await run.exchange.resolve(equity("AAPL"))
        assert found.con_id
        await run.exchange.watch(found)
        await run.exchange.place([ticket("M1", found, Action.BUY, 10)])

    run = alone(tmp_path, [(2.0, watch)], 30.0)
    (fill,) = run.executions("M1")
    quotes = [r.quote for _, r in run.reports if isinstance(r, QuoteReport)]
    assert any(isinstance(r, TickReport) and r.tick.symbol == "AAPL" for _, r in run.reports)
    assert fill.contract == aapl
    assert quotes[0].ask is not None
    assert abs(fill.price - quotes[0].ask) < Decimal("0.50")
    assert all(quote.bid and quote.ask and 0 < quote.ask - quote.bid < Decimal("0.10") for quote in quotes)


def test_the_scanner_ranks_by_what_has_happened_so_far() -> None:
    scanner = MarketScanner(TAPE, CALENDAR)
    noon = at_et(DAY, "12:00")
    rows = {row.symbol: row for row in scanner.standings(noon)}
    assert set(rows) == set(equities())
    gains = scanner.scan(ScanRequest("TOP_PERC_GAIN", rows=100), noon)
    moves = [rows[s].last / rows[s].before for s in gains]
    assert moves == sorted(moves, reverse=True)
    assert scanner.scan(ScanRequest("TOP_PERC_LOSE", rows=3), noon) == gains[::-1][:3]
    active = scanner.scan(ScanRequest("MOST_ACTIVE", rows=5, above_price=Decimal(100)), noon)
    assert len(active) == 5
    assert all(rows[s].last > 100 for s in active)
    gaps = scanner.scan(ScanRequest("HIGH_OPEN_GAP", rows=100), noon)
    assert gaps == scanner.scan(ScanRequest("HIGH_OPEN_GAP", rows=100), TAPE.open_ns + MINUTE), (
        "gaps are known early"
    )
    assert scanner.scan(ScanRequest("MOST_ACTIVE"), TAPE.open_ns - 1) == ()
    assert len(CODES) == 9
    with pytest.raises(Refused, match="ask one of MOST_ACTIVE"):
        scanner.scan(ScanRequest("NO_SUCH_CODE"), noon)
