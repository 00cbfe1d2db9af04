"""The tape: history is what the ticks build, the past is the same from everywhere, the future is unseen."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from station.brokers.paper import GeneratedTape
from station.brokers.paper.universe import CORE
from station.calendars import at_et, load_calendar, series_hours
from station.domain.clock import MINUTE, SECOND
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe
from station.series import aggregate
from tests.unit.paper_harness import DAY, minutes_of

CALENDAR = load_calendar()


@pytest.fixture(scope="module")
def tape() -> GeneratedTape:
    return GeneratedTape(7, DAY, CALENDAR, None)


@pytest.mark.parametrize("symbol", ["SPX", "SPY", "ES", "VIX"])
@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M5, Timeframe.H1, Timeframe.H4])
def test_history_answers_the_very_bars_that_the_ticks_build(
    tape: GeneratedTape, symbol: str, timeframe: Timeframe
) -> None:
    hours = series_hours(INSTRUMENTS[symbol])
    span = CALENDAR.on(hours, DAY)
    assert span is not None
    after = max(span.close_ns, tape.close_ns)
    built = aggregate(minutes_of(tape, symbol), timeframe, hours, CALENDAR)
    told = tape.history(symbol, timeframe, after, len(built), after)
    assert len(built) == len(CALENDAR.bar_starts(hours, span, timeframe))
    assert told.same(built)


@pytest.mark.parametrize("timeframe", list(Timeframe))
@pytest.mark.parametrize("symbol", ["SPX", "ES"])
def test_a_bar_is_told_when_it_is_over_and_not_a_nanosecond_before(
    tape: GeneratedTape, symbol: str, timeframe: Timeframe
) -> None:
    hours = series_hours(INSTRUMENTS[symbol])
    span = CALENDAR.on(hours, DAY)
    assert span is not None
    start = int(CALENDAR.bar_starts(hours, span, timeframe)[0])
    close = CALENDAR.bar_close(hours, start, timeframe)
    assert int(tape.history(symbol, timeframe, 2**62, 5, close).start_ns[-1]) == start
    assert int(tape.history(symbol, timeframe, 2**62, 5, close - 1).start_ns[-1]) < start


def test_what_history_tells_at_noon_does_not_depend_on_the_afternoon(tape: GeneratedTape) -> None:
    noon = at_et(DAY, "12:00")
    early = tape.history("SPX", Timeframe.M5, noon, 400, noon)
    late = tape.history("SPX", Timeframe.M5, noon, 400, tape.close_ns)
    assert early.same(late)
    assert int(early.start_ns[-1]) == noon - 5 * MINUTE


@pytest.mark.parametrize("symbol", ["SPX", "SPY", "ES", "VIX"])
def test_a_session_is_the_same_lived_through_and_looked_back_on(tape: GeneratedTape, symbol: str) -> None:
    later = GeneratedTape(7, date(2026, 7, 28), CALENDAR, None)
    past = later.history(symbol, Timeframe.M1, 2**62, 8000, later.open_ns)
    mine = minutes_of(tape, symbol)
    assert past.since(int(mine.start_ns[0])).cut(0, len(mine)).same(mine)


def test_a_thousand_sessions_stand_before_the_first_tick(tape: GeneratedTape) -> None:
    for symbol in ("SPX", "ES"):
        days = tape.history(symbol, Timeframe.D1, tape.open_ns, 5000, tape.open_ns)
        assert len(days) == 1000
    minutes = tape.history("SPX", Timeframe.M1, tape.open_ns, 2000, tape.open_ns)
    assert len(minutes) == 2000
    for bars in (days, minutes):
        assert (np.diff(bars.start_ns) > 0).all()
        assert (bars.high >= np.maximum(bars.open, bars.close)).all()
        assert (bars.low <= np.minimum(bars.open, bars.close)).all()


def test_the_futures_night_is_there_and_leads_into_the_morning(tape: GeneratedTape) -> None:
    night = tape.history("ES", Timeframe.M1, tape.open_ns, 930, tape.open_ns)
    assert int(night.start_ns[0]) == at_et(date(2026, 7, 21), "18:00")
    assert int(night.start_ns[-1]) == tape.open_ns - MINUTE
    first = tape.history("ES", Timeframe.M1, 2**62, 1, tape.open_ns + MINUTE)
    assert abs(first.open[0] / night.close[-1] - 1) < 0.002
    assert (night.volume >= 1).all()


def test_another_seed_is_another_market() -> None:
    one, two = (GeneratedTape(seed, DAY, CALENDAR, None).ticks("SPX").price for seed in (1, 2))
    assert not np.array_equal(one, two)


def test_prices_stand_on_their_ticks_and_indices_have_no_volume(tape: GeneratedTape) -> None:
    for symbol, step in (("SPX", 1), ("SPY", 1), ("ES", 25), ("VIX", 1)):
        cents = tape.ticks(symbol).price * 100
        assert np.allclose(cents, np.round(cents), atol=1e-6)
        assert (np.round(cents).astype(int) % step == 0).all()
        assert (tape.ticks(symbol).size.sum() == 0) == (symbol in ("SPX", "VIX"))


def test_every_second_of_the_regular_session_has_a_print_and_futures_print_around_it(
    tape: GeneratedTape,
) -> None:
    for symbol in CORE:
        ticks = tape.ticks(symbol)
        regular = ticks.at_ns[(ticks.at_ns >= tape.open_ns) & (ticks.at_ns < tape.close_ns)]
        assert np.array_equal(regular, np.arange(tape.open_ns, tape.close_ns, SECOND))
        assert (np.diff(ticks.at_ns) > 0).all()
    around = tape.ticks("ES").at_ns
    assert int(around[0]) == at_et(date(2026, 7, 21), "18:00")
    assert int(around[-1]) == at_et(DAY, "17:00") - 4 * SECOND


def test_the_market_moves_like_one(tape: GeneratedTape) -> None:
    days = tape.history("SPX", Timeframe.D1, tape.open_ns, 1000, tape.open_ns)
    moves = np.diff(np.log(days.close))
    assert 0.10 < moves.std() * np.sqrt(252) < 0.30
    vix = tape.history("VIX", Timeframe.D1, tape.open_ns, 1000, tape.open_ns)
    assert np.corrcoef(np.diff(np.log(vix.close)), moves)[0, 1] < -0.3
    assert 6 < vix.close.min() < vix.close.max() < 90
    spx, spy, es = (tape.history(s, Timeframe.M5, 2**62, 78, tape.close_ns) for s in ("SPX", "SPY", "ES"))
    assert np.abs(spx.close / spy.close / 10 - 1).max() < 2e-4
    assert np.corrcoef(np.diff(spx.close), np.diff(spy.close))[0, 1] > 0.98
    assert np.corrcoef(np.diff(spx.close), np.diff(es.close[: len(spx)]))[0, 1] > 0.98
    ranges = (spx.high - spx.low) / spx.close
    assert ranges[:6].mean() > 1.3 * ranges[30:48].mean(), "the open is livelier than noon"


def test_averages_cross_several_times_a_day(tape: GeneratedTape) -> None:
    import talib

    five = tape.history("SPX", Timeframe.M5, tape.open_ns, 1560, tape.open_ns)
    gap = np.sign(talib.EMA(five.close, 9) - talib.EMA(five.close, 21))[30:]
    assert 1.5 < (gap[1:] != gap[:-1]).sum() / 20 < 8
    ten = tape.history("SPX", Timeframe.M10, tape.open_ns, 1560, tape.open_ns)
    histogram = np.sign(talib.MACD(ten.close)[2])[40:]
    assert 1.5 < (histogram[1:] != histogram[:-1]).sum() / 40 < 8


def test_a_half_day_ends_at_one_and_a_holiday_is_refused() -> None:
    half = GeneratedTape(3, date(2026, 11, 27), CALENDAR, None)
    assert half.close_ns == at_et(date(2026, 11, 27), "13:00")
    assert len(half.ticks("SPX")) == 3.5 * 3600
    with pytest.raises(BadInput, match="2026-11-26 is not an exchange day"):
        GeneratedTape(3, date(2026, 11, 26), CALENDAR, None)


def test_dst_and_holiday_nights_are_played_too() -> None:
    for day in (date(2026, 3, 9), date(2026, 11, 2), date(2026, 1, 20), date(2026, 11, 30)):
        tape = GeneratedTape(3, day, CALENDAR, None)
        span = CALENDAR.on(Hours.FUTURES, day)
        assert span is not None
        assert len(tape.minutes("ES")) == (span.close_ns - span.open_ns) // MINUTE


def test_the_cache_on_disk_answers_the_same_and_a_damaged_one_is_made_anew(tmp_path: Path) -> None:
    cold = GeneratedTape(7, DAY, CALENDAR, tmp_path).history("SPX", Timeframe.M5, 2**62, 300, 0)
    files = sorted(tmp_path.glob("tape-*.npz"))
    assert files
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    warm = GeneratedTape(7, DAY, CALENDAR, tmp_path).history("SPX", Timeframe.M5, 2**62, 300, 0)
    assert warm.same(cold)
    for path in files:
        path.write_bytes(path.read_bytes()[:-200])
    mended = GeneratedTape(7, DAY, CALENDAR, tmp_path).history("SPX", Timeframe.M5, 2**62, 300, 0)
    assert mended.same(cold)
    none = GeneratedTape(7, DAY, CALENDAR, None).history("SPX", Timeframe.M5, 2**62, 300, 0)
    assert none.same(cold)


def test_a_deeper_question_extends_a_shallow_one(tape: GeneratedTape) -> None:
    fresh = GeneratedTape(7, DAY, CALENDAR, None)
    shallow = fresh.history("VIX", Timeframe.M15, 2**62, 50, tape.open_ns)
    deep = fresh.history("VIX", Timeframe.M15, 2**62, 2500, tape.open_ns)
    assert len(deep) == 2500
    assert deep.cut(-50, None).same(shallow)


def test_settlement_is_the_last_print_of_the_regular_session(tape: GeneratedTape) -> None:
    for symbol in tape.symbols:
        ticks = tape.ticks(symbol)
        last = ticks.price[ticks.at_ns < tape.close_ns][-1]
        assert tape.settlement(symbol, DAY) == last
    assert tape.settlement("SPX", date(2026, 7, 25)) is None
    assert tape.settlement("XYZ", DAY) is None
