"""Every family is causal to the last bit, and live equals the batch on any walk."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.calendars import load_calendar
from station.clock import VirtualClock
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe
from station.domain.specs import ScannerSpec, Switches
from station.market import KEPT_BEFORE_SESSION, Market, Origin
from station.market.feed import ClosedBar
from station.scanners import ScannerRoom, Study, all_families, scan_all
from station.series import Bars

CALENDAR = load_calendar()


def walk(seed: int, starts: np.ndarray, step: float) -> Bars:
    draws = np.random.default_rng(seed)
    moves = np.round(draws.normal(0, step, len(starts)) * 20) / 20
    close = np.maximum(100.0 + np.cumsum(moves), 1.0)
    opened = np.concatenate(([100.0], close[:-1]))
    reach = np.abs(np.round(draws.normal(0, step, len(starts)) * 20) / 20)
    low = np.maximum(np.minimum(opened, close) - reach, 0.05)
    return Bars(
        starts, opened, np.maximum(opened, close) + reach, low, close, draws.integers(1, 9, len(starts)) * 1.0
    )


@pytest.mark.parametrize("family", list(all_families()))
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(2, 2600),
    cut=st.floats(0, 1),
    since=st.floats(0, 1),
    step=st.sampled_from([0.0, 0.02, 0.3, 5.0]),
)
def test_an_answer_stands_to_the_last_bit_when_bars_follow(family, seed, length, cut, since, step) -> None:
    rule = all_families()[family]
    bars = walk(seed, np.arange(length, dtype=np.int64), step)
    whole = rule.answer(Study(bars, 0), rule.defaults)
    assert len(whole.side) == len(whole.score) == length
    stop = max(1, round(cut * length))
    start = min(round(since * stop), stop - 1)
    part = rule.answer(Study(bars.cut(0, stop), 0, since=start), rule.defaults)
    assert np.array_equal(part.side, whole.side[start:stop])
    assert np.array_equal(part.score, whole.score[start:stop])
    assert (whole.score >= 0).all() and (whole.score <= 100).all()


@given(seed=st.integers(0, 2**32 - 1), timeframe=st.sampled_from([Timeframe.M15, Timeframe.H1]))
@settings(max_examples=6)
def test_live_equals_the_batch_on_any_walk(seed: int, timeframe: Timeframe) -> None:
    spans = CALENDAR.sessions(Hours.REGULAR, date(2023, 1, 3), date(2024, 6, 28))
    starts = np.concatenate([CALENDAR.bar_starts(Hours.REGULAR, span, timeframe) for span in spans])
    bars = walk(seed, starts, 0.3).cut(0, KEPT_BEFORE_SESSION + 400)
    specs = tuple(
        ScannerSpec(f"{family}_{side}", family, "SPX", timeframe, side)
        for family in all_families()
        for side in ("CALL", "PUT", "BOTH")
    )
    market = Market(VirtualClock(int(starts[0])), CALENDAR, INSTRUMENTS, {"SPX": [timeframe]})
    room = ScannerRoom(market, CALENDAR, specs, Switches())
    series = market.series("SPX", timeframe)
    warm = 1_100
    series.absorb(bars.cut(0, warm), 0, "history")
    series.warm = series.ready = True
    live = []
    for bar in bars.cut(warm, None).to_bars():
        close_ns = CALENDAR.bar_close(Hours.REGULAR, bar.start_ns, timeframe)
        series.append(bar, Origin.LIVE, close_ns, "stream")
        live.extend(room.on_closed([ClosedBar("SPX", timeframe, bar.start_ns, close_ns, bar)]))
    batch = [firing for spec in specs for firing in scan_all(spec, bars, CALENDAR)]
    since = int(bars.start_ns[warm])
    expected = {firing for firing in batch if firing.bar_start_ns >= since}
    shown = [(f.scanner, f.bar_start_ns, f.bar_close_ns, f.side, f.score, f.price) for f in live]
    assert sorted(shown, key=repr) == sorted(
        ((f.scanner, f.bar_start_ns, f.bar_close_ns, f.side, f.score, f.price) for f in expected), key=repr
    )
