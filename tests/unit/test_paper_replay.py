"""Recorded bars on the paper exchange: bars survive the trip exactly, and nobody sees tomorrow."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.brokers.paper import GeneratedTape
from station.brokers.paper.quotes import Quoter
from station.brokers.paper.tape import bar_ticks
from station.brokers.replay import RecordedTape
from station.calendars import at_et, load_calendar
from station.domain.broker import TickReport
from station.domain.clock import MINUTE
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe
from station.domain.market import Bar
from station.series import Bars, aggregate, concat, read_all_bars
from tests.unit.paper_harness import DAY, Action, Alone, Right, alone, at_the_money, minutes_of, option, ticket

CALENDAR = load_calendar()
BEFORE = [date(2026, 7, 20), date(2026, 7, 21)]


def recorded(symbol: str, days: list[date]) -> Bars:
    """Minutes of a generated market, taken for a file's."""
    return concat(*(GeneratedTape(5, day, CALENDAR, None).minutes(symbol) for day in days))


@pytest.fixture(scope="module")
def spy() -> Bars:
    return recorded("SPY", [*BEFORE, DAY])


def test_bars_rebuilt_from_the_ticks_are_the_files_bars(spy: Bars) -> None:
    tape = RecordedTape({"SPY": spy}, DAY, CALENDAR)
    today = spy.since(tape.open_ns)
    assert minutes_of(tape, "SPY").same(today)
    told = tape.history("SPY", Timeframe.M1, 2**62, 390, tape.close_ns)
    assert told.same(today)


price = st.floats(0.5, 9000.0, allow_nan=False)
volume = st.one_of(st.integers(0, 10**9).map(float), st.floats(0, 1e7))


@given(st.lists(st.tuples(price, price, price, price, volume), min_size=1, max_size=20))
def test_any_bar_survives_being_played_to_the_last_bit(rows: list[tuple[float, ...]]) -> None:
    bars = Bars.from_bars(
        Bar(n * MINUTE, a, max(a, b, c, d), min(a, b, c, d), b, v) for n, (a, b, c, d, v) in enumerate(rows)
    )
    ticks = bar_ticks(bars, 0.01)
    beats = len(ticks) // len(bars)
    prices, sizes = ticks.price.reshape(-1, beats), ticks.size.reshape(-1, beats)
    built = Bars(
        bars.start_ns, prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1],
        np.array([_summed(row) for row in sizes.tolist()]),
    )  # fmt: skip
    assert built.same(bars)
    assert (sizes >= 0).all()


def _summed(sizes: list[float]) -> float:
    total = 0.0
    for size in sizes:
        total += size
    return total


def test_the_path_goes_to_the_nearer_extreme_first() -> None:
    near_low = Bar(0, 10.0, 14.0, 9.0, 12.0, 0.0)
    near_high = Bar(MINUTE, 10.0, 11.0, 6.0, 8.0, 0.0)
    tie_up, tie_down = Bar(2 * MINUTE, 10.0, 11.0, 9.0, 10.5, 0.0), Bar(3 * MINUTE, 10.0, 11.0, 9.0, 9.5, 0.0)
    ticks = bar_ticks(Bars.from_bars([near_low, near_high, tie_up, tie_down]), 0.01)
    paths = ticks.price.reshape(4, -1)
    assert [path[5] for path in paths] == [9.0, 11.0, 9.0, 11.0]
    assert [path[10] for path in paths] == [14.0, 6.0, 11.0, 9.0]


def test_spy_alone_trades_its_options_and_nothing_else_exists(tmp_path: Path, spy: Bars) -> None:
    tape = RecordedTape({"SPY": spy}, DAY, CALENDAR)
    call = option("SPY", at_the_money(tape, "SPY") + 1, Right.CALL)
    chains: list[int] = []

    async def trade(run: Alone) -> None:
        await run.exchange.watch(await run.exchange.resolve(INSTRUMENTS["SPY"]))
        for symbol in ("SPY", "SPX", "ES"):
            chains.append(len(await run.exchange.chain(INSTRUMENTS[symbol])))
        chains.append(len(await run.exchange.history(INSTRUMENTS["SPX"], Timeframe.M1, tape.open_ns, 10)))
        await run.exchange.place([ticket("b", call, Action.BUY, 2)])

    run = alone(tmp_path, [(10, trade)], 60, tape=tape)
    assert chains == [1, 0, 0, 0]
    assert run.exchange.name == "replay"
    assert sum(e.qty for e in run.executions("b")) == 2
    assert all(r.tick.symbol == "SPY" for r in run.of(TickReport) if isinstance(r, TickReport))


def test_what_comes_later_in_the_files_changes_nothing_before(tmp_path: Path, spy: Bars) -> None:
    noon = at_et(DAY, "12:00")
    upto = {"SPY": spy.before(noon)}
    whole = {"SPY": concat(spy, recorded("SPY", [date(2026, 7, 23)]))}
    call = option("SPY", at_the_money(RecordedTape(whole, DAY, CALENDAR), "SPY") + 1, Right.CALL)

    async def trade(run: Alone) -> None:
        await run.exchange.watch(call)
        await run.exchange.place(
            [ticket("b", call, Action.BUY, 2), ticket("s", call, Action.SELL, 2, limit="9.00")]
        )

    runs = [
        alone(tmp_path / name, [(10, trade)], 9000 - 1, tape=RecordedTape(bars, DAY, CALENDAR))
        for name, bars in (("upto", upto), ("whole", whole))
    ]
    assert runs[0].digest() == runs[1].digest()
    for timeframe in (Timeframe.M1, Timeframe.H1, Timeframe.D1):
        told = [
            RecordedTape(bars, DAY, CALENDAR).history("SPY", timeframe, 2**62, 500, noon)
            for bars in (upto, whole)
        ]
        assert told[0].same(told[1])
    assert RecordedTape(whole, DAY, CALENDAR).settlement("SPY", date(2026, 7, 23)) is None


def test_volatility_is_the_vix_of_the_moment_where_there_is_one(spy: Bars) -> None:
    vix = recorded("VIX", [*BEFORE, DAY])
    tape = RecordedTape({"SPY": spy, "VIX": vix}, DAY, CALENDAR)
    asked = np.array([tape.open_ns, at_et(DAY, "11:00"), at_et(DAY, "11:00") + 20 * 10**9])
    row = vix.position(at_et(DAY, "11:00"))
    told = tape.volatility(asked)
    assert told[0] == vix.since(tape.open_ns).open[0] / 100
    assert told[1] == vix.open[row] / 100
    assert told[2] * 100 in (vix.high[row], vix.low[row])
    late = {"SPY": spy, "VIX": vix.before(tape.open_ns)}
    assert (
        RecordedTape(late, DAY, CALENDAR).volatility(asked) == vix.before(tape.open_ns).close[-1] / 100
    ).all()


def test_volatility_without_a_vix_is_the_realised_one_of_twenty_days() -> None:
    days = [span.day for span in CALENDAR.sessions(Hours.REGULAR, date(2026, 6, 1), DAY)]
    spy = recorded("SPY", days)
    tape = RecordedTape({"SPY": spy}, DAY, CALENDAR)
    daily = aggregate(spy.before(tape.open_ns), Timeframe.D1, Hours.REGULAR, CALENDAR).close[-21:]
    expected = np.diff(np.log(daily)).std(ddof=1) * np.sqrt(252) * 1.15
    assert tape.volatility(np.array([tape.open_ns])) == pytest.approx(expected)
    young = RecordedTape({"SPY": recorded("SPY", [DAY])}, DAY, CALENDAR)
    assert young.volatility(np.array([tape.open_ns])) == 0.16


def test_quotes_are_never_older_than_four_seconds(spy: Bars) -> None:
    marks = Quoter(RecordedTape({"SPY": spy}, DAY, CALENDAR), CALENDAR).marks("SPY").at_ns
    assert max(np.diff(marks)) <= 4 * 10**9


def test_bars_that_cannot_be_played_are_refused_with_a_reason(spy: Bars) -> None:
    with pytest.raises(BadInput, match="no bar of SPY on 2026-07-24"):
        RecordedTape({"SPY": spy}, date(2026, 7, 24), CALENDAR)
    with pytest.raises(BadInput, match="is not an exchange day"):
        RecordedTape({"SPY": spy}, date(2026, 7, 25), CALENDAR)
    with pytest.raises(BadInput, match="bars of ZZZ: none of them is in the catalogue"):
        RecordedTape({"ZZZ": spy}, DAY, CALENDAR)
    five = aggregate(spy, Timeframe.M5, Hours.REGULAR, CALENDAR)
    with pytest.raises(BadInput, match="bars of SPY are 5 minutes apart"):
        RecordedTape({"SPY": five}, DAY, CALENDAR)


def test_missing_minutes_stay_missing(spy: Bars) -> None:
    tape = RecordedTape({"SPY": spy}, DAY, CALENDAR)
    holed = spy.take(np.abs(spy.start_ns - tape.open_ns - 100 * MINUTE) > 3 * MINUTE)
    again = RecordedTape({"SPY": holed}, DAY, CALENDAR)
    assert minutes_of(again, "SPY").same(holed.since(tape.open_ns))


def test_a_volume_that_is_missing_counts_as_none(spy: Bars) -> None:
    blank = replace(spy, volume=np.full(len(spy), np.nan))
    assert RecordedTape({"SPY": blank}, DAY, CALENDAR).ticks("SPY").size.sum() == 0


def test_real_minutes_play_to_the_close(tmp_path: Path, shared_data: Path) -> None:
    files = read_all_bars(shared_data / "bars_1m" / "us24_1m_2019-02-11_13.parquet", None)
    bars = {file.symbol: file.bars for file in files if file.symbol in INSTRUMENTS}
    day = date(2019, 2, 13)
    tape = RecordedTape(bars, day, CALENDAR)
    assert tape.symbols == ("SPY", "VIX", "QQQ")
    call = option("SPY", at_the_money(tape, "SPY"), Right.CALL, "20190213")

    async def trade(run: Alone) -> None:
        await run.exchange.place([ticket("b", call, Action.BUY, 3)])

    run = alone(tmp_path, [(600, trade)], 23_401, tape=tape, start_cash=Decimal(35000))
    assert minutes_of(tape, "SPY").same(bars["SPY"].since(tape.open_ns).before(tape.close_ns))
    (fill, *_) = run.executions("b")
    assert Decimal("0.20") < fill.price < Decimal("3.00")
    assert run.exchange.floor.over
    last = Decimal(repr(float(bars["SPY"].before(tape.close_ns).close[-1])))
    spent = sum((e.qty * e.price * 100 for e in run.executions("b")), Decimal(0))
    worth = max(last - call.strike, Decimal(0)).quantize(Decimal("0.01"))
    assert run.exchange.equity() == Decimal(35000) - spent - Decimal("1.95") + 3 * worth * 100
