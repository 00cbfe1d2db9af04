"""Scanners run on what closed, and four gates stand before a firing is published."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from station.calendars import Calendar, at_et, load_calendar
from station.clock import VirtualClock
from station.domain.clock import MINUTE
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, Side, Timeframe
from station.domain.market import Bar
from station.domain.signals import Firing, Gate
from station.domain.specs import ScannerSpec, Switches
from station.market import ClosedBar, Market, Origin
from station.scanners import ScannerRoom, Study, all_families, scan_all, warmup_bars
from station.scanners.registry import check
from station.series import Bars

DAY = date(2024, 7, 2)
OPEN = at_et(DAY, "09:30")
FIVE = 5 * MINUTE
SPX = ScannerSpec("SPX_MACD", "macd", "SPX", Timeframe.M5, "BOTH")
ES = ScannerSpec("ES_MACD", "macd", "ES", Timeframe.M5, "BOTH")


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return load_calendar()


def build(calendar: Calendar, *specs: ScannerSpec, switches: Switches | None = None) -> ScannerRoom:
    wanted = {symbol: [Timeframe.M5] for symbol in INSTRUMENTS}
    market = Market(VirtualClock(OPEN), calendar, INSTRUMENTS, wanted)
    return ScannerRoom(market, calendar, specs, switches or Switches())


def firing(start_ns: int, spec: ScannerSpec = SPX, close_ns: int | None = None) -> Firing:
    close = start_ns + FIVE if close_ns is None else close_ns
    return Firing(spec.name, spec.instrument, spec.timeframe, Side.CALL, 70, start_ns, close, 100.0)


def judged(room: ScannerRoom, one: Firing) -> Gate | None:
    return room.judge(one, one.bar_close_ns)


def test_gate_0_refuses_the_disabled_the_unknown_and_all_but_es_in_es_only_mode(calendar: Calendar) -> None:
    room = build(calendar, replace(SPX, enabled=False), ES, switches=Switches(es_only_mode=True))
    assert judged(room, firing(OPEN)) is Gate.CONFIG
    room.configure([SPX, ES], Switches(es_only_mode=True))
    assert judged(room, firing(OPEN)) is Gate.CONFIG
    assert judged(room, firing(OPEN, ES)) is None
    assert judged(room, firing(OPEN, replace(SPX, name="GONE"))) is Gate.CONFIG
    room.configure([SPX, ES], Switches())
    assert judged(room, firing(OPEN)) is None
    assert room.rejections == {"config": 3, "hours": 0, "cooldown": 0, "bar": 0}
    assert room.counts["SPX_MACD"].rejected == {"config": 2}


def test_gate_1_needs_the_close_inside_the_session_its_end_included(calendar: Calendar) -> None:
    room = build(calendar, SPX, ES)
    close = at_et(DAY, "16:00")
    assert judged(room, firing(close - FIVE)) is None
    assert judged(room, firing(close)) is Gate.HOURS
    assert judged(room, firing(OPEN - FIVE)) is Gate.HOURS
    assert judged(room, firing(OPEN)) is None
    half = at_et(date(2024, 7, 3), "13:00")
    assert judged(room, firing(half - FIVE)) is None
    assert judged(room, firing(half)) is Gate.HOURS
    assert judged(room, firing(at_et(DAY, "17:00") - FIVE, ES)) is None
    assert judged(room, firing(at_et(DAY, "17:00"), ES)) is Gate.HOURS


def test_gate_2_compares_bar_starts_and_an_equal_distance_passes(calendar: Calendar) -> None:
    room = build(calendar, replace(SPX, cooldown_s=600))
    room.published(firing(OPEN))
    assert judged(room, firing(OPEN + FIVE)) is Gate.COOLDOWN
    assert judged(room, firing(OPEN + 2 * FIVE)) is None
    default = build(calendar, SPX)
    default.published(firing(OPEN))
    assert judged(default, firing(OPEN + FIVE)) is None


def test_gate_3_lets_one_firing_a_bar_through(calendar: Calendar) -> None:
    room = build(calendar, replace(SPX, cooldown_s=0))
    room.published(firing(OPEN))
    assert judged(room, firing(OPEN)) is Gate.BAR
    assert judged(room, firing(OPEN + FIVE)) is None
    assert room.judge(firing(OPEN + FIVE), OPEN + 3 * FIVE) is Gate.BAR, "a newer bar has closed since"


def test_a_restart_keeps_the_marks(calendar: Calendar) -> None:
    room = build(calendar, SPX)
    room.published(firing(OPEN + FIVE))
    assert room.marks == {"SPX_MACD": OPEN + FIVE}
    restarted = build(calendar, SPX)
    restarted.restore(room.marks)
    for start in (OPEN, OPEN + FIVE):
        assert judged(restarted, firing(start)) is Gate.COOLDOWN
    assert judged(restarted, firing(OPEN + 2 * FIVE)) is None
    restarted.restore({"SPX_MACD": OPEN})
    assert restarted.marks == room.marks, "an older mark never replaces a newer one"


def test_a_restart_goes_on_counting_what_was_published_before(calendar: Calendar) -> None:
    room = build(calendar, SPX)
    for start in (OPEN, OPEN + 2 * FIVE):
        room.recall(firing(start))
    counts = room.counts["SPX_MACD"]
    assert (counts.fired, counts.published, counts.last) == (2, 2, firing(OPEN + 2 * FIVE))
    assert list(counts.times) == [OPEN + FIVE, OPEN + 3 * FIVE]
    assert room.marks == {}, "marks come back by themselves"


def wave(calendar: Calendar, count: int) -> Bars:
    spans = calendar.sessions(Hours.REGULAR, date(2024, 5, 1), DAY)
    starts = np.concatenate([calendar.bar_starts(Hours.REGULAR, span, Timeframe.M5) for span in spans])[-count:]
    close = 100 + 5 * np.sin(np.arange(count) / 11)
    return Bars(starts, close, close + 0.2, close - 0.2, close, np.ones(count))


def drive(room: ScannerRoom, calendar: Calendar, bars: Bars, warm: int) -> list[Firing]:
    series = room._market.series("SPX", Timeframe.M5)
    series.absorb(bars.cut(0, warm), 0, "history")
    series.warm = series.ready = True
    found: list[Firing] = []
    for bar in bars.cut(warm, None).to_bars():
        close_ns = calendar.bar_close(Hours.REGULAR, bar.start_ns, Timeframe.M5)
        series.append(bar, Origin.LIVE, close_ns, "stream")
        found.extend(room.on_closed([ClosedBar("SPX", Timeframe.M5, bar.start_ns, close_ns, bar)]))
    return found


def test_a_side_publishes_only_its_own_firings(calendar: Calendar) -> None:
    bars = wave(calendar, 600)
    by_side = {
        side: scan_all(replace(SPX, name=side, side=side), bars, calendar) for side in ("CALL", "PUT", "BOTH")
    }
    assert {f.side for f in by_side["CALL"]} == {Side.CALL}
    assert {f.side for f in by_side["PUT"]} == {Side.PUT}
    assert len(by_side["CALL"]) + len(by_side["PUT"]) == len(by_side["BOTH"]) > 10
    room = build(calendar, *(replace(SPX, name=side, side=side) for side in by_side))
    live = drive(room, calendar, bars, 300)
    assert sum(f.scanner == "BOTH" for f in live) == sum(f.scanner != "BOTH" for f in live) > 5


def test_a_cold_scanner_says_how_far_it_is_and_fires_nothing(calendar: Calendar) -> None:
    bars = wave(calendar, 200)
    room = build(calendar, SPX)
    assert warmup_bars(SPX) == 130
    live = drive(room, calendar, bars.cut(0, 129), 40)
    assert live == []
    assert room.warmth("SPX_MACD") == (129, 130)
    assert room.status("SPX_MACD") == "WARMING 129/130"
    firings = scan_all(SPX, bars, calendar)
    assert firings and min(f.bar_start_ns for f in firings) >= bars.start_ns[129]


def test_only_the_newest_bar_of_a_ready_series_is_evaluated(calendar: Calendar) -> None:
    bars = wave(calendar, 400)
    expected = scan_all(SPX, bars, calendar)[-2]
    at = bars.position(expected.bar_start_ns)
    room = build(calendar, SPX)
    series = room._market.series("SPX", Timeframe.M5)
    series.absorb(bars.cut(0, at + 1), 0, "history")
    closed = ClosedBar("SPX", Timeframe.M5, expected.bar_start_ns, expected.bar_close_ns, bars.bar(at))
    assert room.on_closed([closed]) == (), "not ready"
    series.warm = series.ready = True
    (fired,) = room.on_closed([closed])
    assert fired == replace(expected, provenance=series.head)
    series.absorb(bars.cut(0, at + 2), 0, "history")
    assert room.on_closed([closed]) == (), "no longer the newest"


def test_a_revision_fires_nothing(calendar: Calendar) -> None:
    bars = wave(calendar, 400)
    room = build(calendar, SPX)
    series = room._market.series("SPX", Timeframe.M5)
    series.absorb(bars, 0, "history")
    series.warm = series.ready = True
    jump = bars.bar(-1)
    series.absorb(Bars.from_bars([Bar(jump.start_ns, 50.0, 51.0, 49.0, 50.0, 1.0)]), 1, "history")
    assert room.on_closed([]) == ()
    assert room.counts["SPX_MACD"].evaluated == 0


def test_the_vix_scanner_calls_when_the_fast_average_falls_below(calendar: Calendar) -> None:
    bars = wave(calendar, 1500)
    plain = ScannerSpec("SPY_21_200", "cross_21_200", "SPY", Timeframe.M5, "BOTH")
    vix = ScannerSpec("VIX_21_200", "cross_21_200", "VIX", Timeframe.M5, "BOTH", (("invert", 1.0),))
    up, down = scan_all(plain, bars, calendar), scan_all(vix, bars, calendar)
    assert len(up) == len(down) > 0
    assert all(
        (a.bar_start_ns, a.score) == (b.bar_start_ns, b.score) and a.side is not b.side
        for a, b in zip(up, down, strict=True)
    )
    rule = all_families()["cross_21_200"]
    study = Study(bars, 0)
    falls = rule.answer(study, {**rule.defaults, "invert": 1}).side == 1
    fast, slow = study.ema(21), study.ema(200)
    assert (fast[falls] < slow[falls]).all() and falls.any()


def test_families_are_found_by_themselves_and_name_their_warm_up() -> None:
    found = all_families()
    assert {"v3", "macd", "cross_21_200"} <= set(found)
    assert list(found) == sorted(found)
    assert found["v3"].warmup(found["v3"].defaults) == 1000
    assert found["macd"].defaults["signal"] == 9


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"family": "magic"}, "no family 'magic'"),
        ({"params": (("speed", 3.0),)}, "no parameter 'speed'"),
        ({"params": (("fast", 1.0),)}, "whole number of bars from 2 to 400"),
        ({"params": (("slow", 26.5),)}, "whole number"),
        ({"params": (("slow", float("nan")),)}, "must be a number"),
        ({"side": "UP"}, "CALL, PUT or BOTH"),
        ({"cooldown_s": -1}, "cooldown -1 s"),
    ],
)
def test_a_spec_that_cannot_run_is_refused_with_its_reason(change, text) -> None:
    with pytest.raises(BadInput, match=text):
        check(replace(SPX, **change))


def test_a_bad_configuration_leaves_the_old_one(calendar: Calendar) -> None:
    room = build(calendar, SPX)
    with pytest.raises(BadInput, match="ZZZ is not watched"):
        room.configure([replace(SPX, instrument="ZZZ")], Switches())
    with pytest.raises(BadInput, match="named twice"):
        room.configure([SPX, SPX], Switches())
    assert room.specs == (SPX,)
