"""What screens ask for beyond the plain floor, answered by a whole station at work."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from station.calendars import at_et, series_hours
from station.domain.clock import HOUR, MINUTE
from station.domain.instruments import INSTRUMENTS, Timeframe, underlying_contract
from station.domain.market import FeedMode
from station.engine.panes import Panes
from station.engine.standing import DayCurve
from station.engine.view import FloorView
from station.journal import Journal
from station.link import Account, Ask, Book, Chain, Chart, Level, Tip, Watch, Wealth
from station.link.floor import ERROR, LOADING, READY
from tests.lab import Lab, play


class Perf:
    """Host time moved by hand."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def panes_of(lab: Lab, perf: Perf | None = None) -> Panes:
    return Panes(lab.run.engine, perf or Perf(), lambda _symbol: 0.5)


async def chart(lab: Lab, panes: Panes, symbol: str, timeframe: str, count: int = 60) -> Chart:
    """The chart once it has come."""
    ask = Ask("chart", symbol, timeframe, count)
    for _ in range(30):
        found = panes.answer(ask)
        assert isinstance(found, Chart)
        assert found.ask == ask
        if found.state == READY:
            return found
        assert found.state == LOADING, found.note
        await lab.step(0.5)
    raise AssertionError(f"{symbol} {timeframe} never came")


async def true_bars(lab: Lab, symbol: str, timeframe: Timeframe, count: int) -> list[tuple[float, ...]]:
    """The newest finished bars, by the exchange itself."""
    broker = lab.run.engine.outside.broker
    return [tuple(bar) for bar in await broker.history(INSTRUMENTS[symbol], timeframe, lab.now(), count)]


def by_day(lab: Lab, symbol: str) -> dict[int, tuple[float, float]]:
    """Close and volume of each trade date in the kept 5-minute series, counted bar by bar."""
    bars = lab.rooms.market.series(symbol, Timeframe.M5).bars
    calendar, hours = lab.run.engine.outside.calendar, series_hours(INSTRUMENTS[symbol])
    found: dict[int, tuple[float, float]] = {}
    for start_ns, close, volume in zip(bars.start_ns, bars.close, bars.volume, strict=True):
        span = calendar.at(hours, int(start_ns))
        assert span is not None
        day = span.day.toordinal()
        found[day] = float(close), found.get(day, (0.0, 0.0))[1] + float(volume)
    return found


def holdings_are_measured_by_session(lab: Lab, symbol: str) -> None:
    holdings, days = lab.rooms.judgement._holdings, by_day(lab, symbol)
    closes = [close for _, (close, _) in sorted(days.items())]
    assert len(closes) > 5
    returns = [after / before - 1 for before, after in pairwise(closes)]
    assert holdings.daily_returns(symbol).tolist() == pytest.approx(returns)
    whole = [volume for day, (_, volume) in sorted(days.items())[1:] if day < lab.day.toordinal()]
    contract = underlying_contract(INSTRUMENTS[symbol])
    assert holdings.average_volume(contract) == (pytest.approx(fmean(whole[-14:])) if sum(whole) else None)


async def _charts(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        await lab.until("09:36")
        for symbol in ("SPX", "SPY", "ES"):
            holdings_are_measured_by_session(lab, symbol)
        panes = panes_of(lab)
        pairs = [(symbol, one) for one in Timeframe for symbol in lab.run.engine.outside.symbols]
        for turn in range(100):
            symbol, timeframe = pairs[turn * 7 % len(pairs)]
            found = await chart(lab, panes, symbol, timeframe.value)
            shown = [(b.start_ns, b.open, b.high, b.low, b.close, b.volume) for b in found.bars]
            assert shown == await true_bars(lab, symbol, timeframe, 60), (symbol, timeframe)
            assert [bar[0] for bar in shown] == sorted({bar[0] for bar in shown})
            assert len(found.ema_fast) == len(found.ema_slow) == len(found.bars) == 60
            assert lab.rooms.market.health(symbol).mode is FeedMode.LIVE, "a look must not unsettle a feed"
        assert not lab.rooms.market.wants_recovery
        assert panes.answer(Ask("chart", "SPX", "5m", 60)) is panes.answer(Ask("chart", "SPX", "5m", 60))
        for ask in (Ask("chart", "SPX", "7m", 60), Ask("chart", "XYZ", "5m", 60)):
            assert getattr(panes.answer(ask), "state", "") == ERROR


def test_a_hundred_switches_show_a_hundred_right_charts(tmp_path: Path) -> None:
    play(lambda: _charts(tmp_path))


async def _before_the_books_are_read(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        engine = lab.run.engine
        view = FloorView(engine, "", lambda: None)
        engine._loaded = False
        floor = view.floor()
        parts = (floor.feed, floor.positions, floor.alerts, floor.orders)
        assert [part.state for part in parts if part is not None] == [LOADING] * 4
        engine._loaded = True
        floor = view.floor()
        parts = (floor.feed, floor.positions, floor.alerts, floor.orders)
        assert [part.state for part in parts if part is not None] == [READY] * 4


def test_a_floor_whose_books_are_not_read_yet_is_loading_and_not_flat(tmp_path: Path) -> None:
    play(lambda: _before_the_books_are_read(tmp_path))


async def _levels_of_the_day_before(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        opens = at_et(lab.day, "09:30")
        for clock in ("09:29", "09:32", "09:36"):
            await lab.until(clock)
            panes = panes_of(lab)
            earlier = lab.rooms.market.series("SPX", Timeframe.M5).bars.before(opens)
            before = earlier.since(int(earlier.start_ns[-1]) - 12 * HOUR)
            for timeframe in ("5m", "15m", "1h"):
                levels = {
                    level.text: level.price for level in (await chart(lab, panes, "SPX", timeframe)).levels
                }
                told = [levels[f"prev {name}"] for name in ("high", "low", "close")]
                truth = [float(before.high.max()), float(before.low.min()), float(before.close[-1])]
                assert told == truth, (clock, timeframe)


def test_the_day_before_is_the_same_in_every_timeframe_from_before_the_open_on(tmp_path: Path) -> None:
    play(lambda: _levels_of_the_day_before(tmp_path))


async def _levels(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        await lab.until("09:52:30")
        panes = panes_of(lab)
        opens = at_et(lab.day, "09:30")
        for symbol in ("SPX", "ES"):
            found = await chart(lab, panes, symbol, "5m")
            levels = {level.text: level.price for level in found.levels}
            minutes = lab.rooms.market.series(symbol, Timeframe.M1).bars
            first = minutes.since(opens).before(opens + 5 * MINUTE)
            assert levels["OR high"] == float(first.high.max())
            assert levels["OR low"] == float(first.low.min())
            assert levels["OR mid"] == (levels["OR high"] + levels["OR low"]) / 2
        found = await chart(lab, panes, "SPX", "15m")
        levels = {level.text: (level.kind, level.price) for level in found.levels}
        minutes = lab.rooms.market.series("SPX", Timeframe.M1).bars
        block = minutes.since(opens + 15 * MINUTE).before(opens + 20 * MINUTE)
        assert levels["GB5m high"] == ("plan", pytest.approx(float(block.high.max())))
        assert levels["GB5m low"] == ("plan", pytest.approx(float(block.low.min())))
        assert {"fib38 1h", "fib62 1h", "fib38 10m", "GB4h high"} <= set(levels)
        await lab.until("09:55:01")
        found = await chart(lab, panes, "SPX", "15m")
        minutes = lab.rooms.market.series("SPX", Timeframe.M1).bars
        block = minutes.since(opens + 20 * MINUTE).before(opens + 25 * MINUTE)
        assert Level("plan", "GB5m high", round(float(block.high.max()), 4)) in found.levels, (
            "the block is over"
        )
        days = await chart(lab, panes, "SPX", "1d")
        assert not [level for level in days.levels if level.kind in ("range", "plan", "day")]


def test_a_chart_knows_the_opening_range_and_what_scanners_wait_at(tmp_path: Path) -> None:
    play(lambda: _levels(tmp_path))


async def _trading(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        await lab.until("09:31")
        trade = await lab.until_holding()
        perf = Perf()
        panes = panes_of(lab, perf)
        assert trade.contract is not None
        await _sees_the_trade(lab, panes, trade.symbol)
        await _sees_the_book(lab, panes, perf, trade.symbol)
        panes.beat()
        account = panes.answer(Ask("account"))
        assert isinstance(account, Account)
        assert account.trades == 1
        assert account.buying_power is not None and account.buying_power > 0
        assert len(account.curve) == 1
        wealth = panes.answer(Ask("wealth"))
        assert isinstance(wealth, Wealth) and wealth.state == LOADING
        await lab.step()
        wealth = panes.answer(Ask("wealth"))
        assert isinstance(wealth, Wealth)
        assert [rung.level for rung in wealth.plans[0].rungs] == ["trade_start", "T1", "T2", "T3"]
        watch = panes.answer(Ask("watch"))
        assert isinstance(watch, Watch)
        assert [row.symbol for row in watch.rows] == list(lab.run.engine.outside.symbols)
        for row in watch.rows:
            assert row.low is not None and row.high is not None and row.last is not None
            assert row.low <= row.last <= row.high
        assert panes.answer(Ask("weather")) is None


async def _sees_the_trade(lab: Lab, panes: Panes, symbol: str) -> None:
    found = await chart(lab, panes, symbol, "1m")
    assert [(mark.kind, mark.side) for mark in found.marks] == [("entry", lab.first().side.value)]
    kinds = {level.kind for level in found.levels}
    assert {"entry", "even", "target", "day"} <= kinds
    tip = panes.answer(Ask("tip", symbol, "1m"))
    assert isinstance(tip, Tip)
    assert tip.mode == "LIVE" and tip.score > 70
    target = next(level for level in found.levels if level.kind == "target")
    assert target.about and tip.last is not None
    assert (target.price > tip.last) == (lab.first().side.value == "CALL")


async def _sees_the_book(lab: Lab, panes: Panes, perf: Perf, symbol: str) -> None:
    trade = lab.first()
    assert trade.contract is not None
    name = f"{trade.contract.strike:f}{trade.contract.right.value}"  # type: ignore[union-attr]
    ask = Ask("book", symbol, expiry="0dte", contract=name)
    panes.answer(ask)
    await lab.step(5)
    book = panes.answer(ask)
    assert isinstance(book, Book)
    assert book.label == trade.contract.label
    assert book.deep and len(book.bids) > 1
    assert [order.purpose for order in book.orders] == ["target"]
    assert book.held == trade.open_qty
    assert book.entry is not None and book.break_even is not None and book.break_even > book.entry
    chain = panes.answer(Ask("chain", symbol, expiry="0dte"))
    assert isinstance(chain, Chain)
    held = [side.held for row in chain.rows for side in (row.call, row.put) if side is not None]
    assert sum(held) == trade.open_qty
    strikes = [row.strike for row in chain.rows]
    assert strikes == sorted(strikes) and len(strikes) > 10
    perf.now += 10_000_000_000
    panes.beat()
    await lab.step(5)
    assert lab.rooms.market.depth(trade.contract) is None, "depth nobody looks at is given back"


def test_an_open_trade_is_seen_on_chart_chain_and_book(tmp_path: Path) -> None:
    play(lambda: _trading(tmp_path))


async def _late(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        await lab.until("09:31")
        await lab.until_holding()
        link = lab.run.local_link()
        await link.open()
        link.pull()
        floor = link.view.floor
        assert floor.alerts is not None and any("FILL BUY" in row.text for row in floor.alerts.rows)
        assert floor.feed is not None and floor.feed.rows
        assert sum(not row.gate for row in floor.feed.rows) == floor.feed.published
        await link.close()


def test_a_screen_that_comes_late_sees_what_came_before(tmp_path: Path) -> None:
    play(lambda: _late(tmp_path))


async def _unwarmed(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        await lab.until("09:35")
        panes = panes_of(lab)
        ask = Ask("chain", "SPY", expiry="weekly")
        first = panes.answer(ask)
        assert isinstance(first, Chain) and first.state == LOADING
        panes = panes_of(lab)
        await lab.step(3)
        chain = panes.answer(ask)
        assert isinstance(chain, Chain) and chain.state == READY
        assert chain.rows and chain.name == "SPY"
        bare = panes.answer(Ask("chain", "VIX", expiry="0dte"))
        assert isinstance(bare, Chain) and not bare.rows and "no options" in bare.note


def test_a_chain_nobody_trades_is_warmed_when_looked_at(tmp_path: Path) -> None:
    play(lambda: _unwarmed(tmp_path))


@pytest.mark.parametrize(
    ("looks", "points"),
    [
        ([(0, "1"), (20, "2"), (70, "5")], (2.0, 5.0)),
        ([(0, "1"), (200, "4")], (1.0, 1.0, 1.0, 4.0)),
        ([(0, "1"), (90_000, "7")], (7.0,)),
    ],
)
def test_the_day_s_curve_has_one_point_a_minute(
    looks: list[tuple[int, str]], points: tuple[float, ...]
) -> None:
    from decimal import Decimal

    curve = DayCurve()
    for at_s, pnl in looks:
        curve.note(at_s * 1_000_000_000, Decimal(pnl))
    assert curve.points == points
    assert np.isfinite(curve.points).all()


async def _digest(tmp_path: Path, *, watched: bool) -> str:
    """The session's digest up to 09:46, with or without a screen that looks at everything it can."""
    async with Lab(tmp_path) as lab:
        await lab.until("09:34")
        perf, frames = Perf(), list(Timeframe)
        panes = panes_of(lab, perf)
        for turn in range(12 * 6):
            await lab.step(10)
            perf.now += 10_000_000_000
            for ask in _everything(turn, frames[turn % len(frames)].value) if watched else ():
                panes.answer(ask)
            panes.beat()
        assert len(lab.entered()) == 2
        return await Journal(lab.run.engine.outside.stores.lifecycle).digest()


def _everything(turn: int, timeframe: str) -> tuple[Ask, ...]:
    symbol = ("SPX", "SPY", "ES")[turn % 3]
    return (
        Ask("account"), Ask("wealth"), Ask("watch"), Ask("chart", symbol, timeframe, 300),
        Ask("tip", symbol, timeframe), Ask("chain", symbol, expiry=("0dte", "weekly")[turn % 2]),
        Ask("book", "SPX", expiry="0dte", contract="6860P"),
    )  # fmt: skip


def test_a_screen_that_looks_at_everything_changes_no_trade(tmp_path: Path) -> None:
    for name in ("unwatched", "watched"):
        (tmp_path / name).mkdir()
    unwatched = play(lambda: _digest(tmp_path / "unwatched", watched=False))
    assert play(lambda: _digest(tmp_path / "watched", watched=True)) == unwatched
