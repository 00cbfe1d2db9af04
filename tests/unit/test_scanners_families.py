"""Each family by hand: small tables of bars whose answer can be read off them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest

from station.calendars import load_calendar
from station.domain.clock import MINUTE
from station.domain.instruments import Hours, Timeframe
from station.domain.specs import ScannerSpec
from station.scanners import Study, all_families, scan_marks
from station.scanners.sessions import blocks, opening_range, prior_session, vwap
from station.scanners.swings import swings
from station.series import Bars

CALENDAR = load_calendar()
SPAN = CALENDAR.on(Hours.REGULAR, date(2024, 7, 2))
BEFORE = CALENDAR.on(Hours.REGULAR, date(2024, 7, 1))
assert SPAN is not None and BEFORE is not None
Row = tuple[float, float, float]
"""High, low, close; the open is the close before."""


def table(rows: Sequence[Row], starts: np.ndarray | None = None, volume: float = 100.0) -> Bars:
    high, low, close = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    opened = np.concatenate((close[:1], close[:-1]))
    at = SPAN.open_ns + 5 * MINUTE * np.arange(len(rows)) if starts is None else starts
    return Bars(at.astype(np.int64), opened, high, low, close, np.full(len(rows), volume))


def closes(values: Sequence[float]) -> Bars:
    return table([(value + 0.5, value - 0.5, value) for value in values])


def sides(family: str, study: Study, **params: float) -> list[int]:
    rule = all_families()[family]
    return rule.answer(study, {**rule.defaults, **params}).side.tolist()


def two_sessions(yesterday: Sequence[Row], today: Sequence[Row], step_min: int = 5) -> Study:
    """The last bars of one session, then the first of the next."""
    step = step_min * MINUTE
    old = BEFORE.close_ns - step * np.arange(len(yesterday), 0, -1)
    new = SPAN.open_ns + step * np.arange(len(today))
    bars = table([*yesterday, *today], np.concatenate((old, new)))
    opens = np.where(bars.start_ns >= SPAN.open_ns, SPAN.open_ns, BEFORE.open_ns).astype(np.int64)
    first = len(yesterday)
    return Study(bars, first, first, lambda: opens)


# --- momentum ---------------------------------------------------------------------------------------


def test_rsi_fires_on_the_bar_that_leaves_the_zone_only() -> None:
    falling_then_up = [100 - n for n in range(20)] + [80.0, 82, 86, 90, 90, 90]
    study = Study(closes(falling_then_up), 0)
    rsi = study.rsi(14)
    fired = sides("rsi", study)
    at = fired.index(1)
    assert fired.count(1) == 1 and fired.count(-1) == 0
    assert rsi[at - 1] <= 30 < rsi[at]
    mirrored = sides("rsi", Study(closes([200 - value for value in falling_then_up]), 0))
    assert mirrored == [-side for side in fired]


def test_rsi_is_wilders() -> None:
    """Gains of 1 and losses of 0.5 in turn: with 14 changes the averages are 0.5 and 0.25, RS 2, RSI 66.67."""
    values = [100.0]
    for n in range(14):
        values.append(values[-1] + (1.0 if n % 2 == 0 else -0.5))
    assert Study(closes(values), 0).rsi(14)[-1] == pytest.approx(100 - 100 / 3)


def test_adx_holds_while_the_trend_is_strong_on_the_side_of_its_directional_index() -> None:
    up = sides("adx", Study(closes([100 + n for n in range(60)]), 0))
    assert up[:27] == [0] * 27 and set(up[30:]) == {1}
    down = sides("adx", Study(closes([200 - n for n in range(60)]), 0))
    assert set(down[30:]) == {-1}
    flat = [100 + (n % 2) * 0.1 for n in range(60)]
    assert set(sides("adx", Study(closes(flat), 0))) == {0}


def test_momentum_needs_the_level_and_the_direction() -> None:
    rising = [100.0 + n * n / 100 for n in range(60)]
    study = Study(closes(rising), 0)
    line, signal = study.smi(20, 5), study.smi_signal(20, 5, 5)
    assert line[-1] == pytest.approx(100) and signal[-1] == pytest.approx(100)
    assert sides("momentum", study)[-1] == 0, "at 100 it cannot rise any more"
    turning = [100 - n * 0.5 for n in range(40)] + [80 + n for n in range(14)]
    fired = sides("momentum", Study(closes(turning), 0))
    line = Study(closes(turning), 0).smi(20, 5)
    for at, side in enumerate(fired):
        beyond = abs(line[at]) > 40
        assert side == (1 if beyond and line[at] > 0 and line[at] > line[at - 1] else
                        -1 if beyond and line[at] < 0 and line[at] < line[at - 1] else 0), at  # fmt: skip
    assert 1 in fired


def test_smi_ergodic_of_an_unmoved_price_is_zero() -> None:
    study = Study(closes([50.0] * 60), 0)
    line, signal = study.smi(20, 5), study.smi_signal(20, 5, 5)
    assert line[-1] == 0.0 == signal[-1]
    assert np.isnan(line[:24]).all() and line[24] == 0.0


@pytest.mark.parametrize(
    ("k", "d", "plain", "reversal"),
    [(90, 85, 1, 0), (85, 90, 0, -1), (15, 10, 0, 1), (10, 15, -1, 0), (50, 40, 0, 0), (80, 70, 0, 0)],
)
def test_stochastic_momentum_table(monkeypatch, k, d, plain, reversal) -> None:
    study = Study(closes([100.0]), 0)
    monkeypatch.setattr(Study, "stochastic", lambda *_: (np.array([float(k)]), np.array([float(d)])))
    assert sides("stochastic_momentum", study) == [plain]
    assert sides("stochastic_momentum", study, reversal=1) == [reversal]


def test_stochastic_is_the_place_in_the_range_twice_smoothed() -> None:
    k, d = Study(closes([100.0 + n for n in range(30)]), 0).stochastic(14, 3, 3)
    assert k[-1] == pytest.approx(100 * 13.5 / 14) and d[-1] == pytest.approx(k[-1])


def test_trifecta_needs_all_three() -> None:
    study = Study(closes([100 + 0.02 * n * n for n in range(80)]), 0)
    assert sides("trifecta", study)[-1] in (0, 1)
    wave = [100 + 8 * np.sin(n / 9) for n in range(200)]
    study = Study(closes(wave), 0)
    fired = np.array(sides("trifecta", study))
    line, signal, _ = study.macd(12, 26, 9)
    smi, smi_signal = study.smi(20, 5), study.smi_signal(20, 5, 5)
    beyond = study.close - study.ema(21)
    with np.errstate(invalid="ignore"):
        together = np.sign(beyond) + np.sign(line - signal) + np.sign(smi - smi_signal)
    assert np.array_equal(fired == 1, together == 3) and np.array_equal(fired == -1, together == -3)
    assert {1, -1} <= set(fired.tolist())


# --- structure --------------------------------------------------------------------------------------


def test_zone_breakout_needs_a_tight_box_and_a_close_outside() -> None:
    box = [(101.0, 100.0, 100.5)] * 30
    assert sides("zone_breakout", Study(table([*box, (102.0, 100.5, 101.5)]), 0))[-1] == 1
    assert sides("zone_breakout", Study(table([*box, (102.0, 100.5, 101.0)]), 0))[-1] == 0, "at the edge"
    assert sides("zone_breakout", Study(table([*box, (100.5, 99.0, 99.5)]), 0))[-1] == -1
    wide = [(101.0 + n % 20, 100.0 + n % 20, 100.5 + n % 20) for n in range(60)]
    assert sides("zone_breakout", Study(table([*wide, (140.0, 110.0, 130.0)]), 0), height=1)[-1] == 0


def fib_bars(last: float) -> Bars:
    """Down to 90, up to 110, then `last`; both turns confirmed by five bars."""
    path = [100, 98, 96, 94, 92, 90.5, 93, 96, 99, 102, 105, 109.5, 108, 107, 106, 105.5, 105, last]
    return table([(value + 0.5, value - 0.5, value) for value in path])


@pytest.mark.parametrize(
    ("last", "side"), [(103.0, 0), (102.36, 1), (100.0, 1), (97.64, 1), (97.6, 0), (109.0, 0)]
)
def test_fibonacci_fires_inside_the_zone_of_the_last_confirmed_swing(last: float, side: int) -> None:
    study = Study(fib_bars(last), 0)
    swing = swings(study, 5)
    assert (swing.base[-1], swing.tip[-1]) == (90.0, 110.0)
    assert sides("fibonacci", study)[-1] == side


def test_a_pivot_is_known_five_bars_late_and_its_mirror_is_a_put() -> None:
    study = Study(fib_bars(100.0), 0)
    tip = swings(study, 5).tip
    top = int(np.argmax(study.bars.high))
    assert tip[top + 4] == 90.0 and tip[top + 5] == 110.0
    mirrored = table([(200 - row.low, 200 - row.high, 200 - row.close) for row in fib_bars(100.0).to_bars()])
    assert sides("fibonacci", Study(mirrored, 0))[-1] == -1


def test_of_neighbouring_pivots_of_one_kind_the_most_extreme_counts() -> None:
    flat = [100.0] * 5
    path = [*flat, 110, *flat, 105, *flat, 112, *flat, 108, *flat]
    study = Study(table([(value, 90.0 if n else 89.0, value - 1) for n, value in enumerate(path)]), 0)
    tips = swings(study, 5).tip
    assert tips[-1] == 112.0


# --- sessions ---------------------------------------------------------------------------------------


def test_vwap_weighs_by_volume_and_starts_anew_with_the_session() -> None:
    study = two_sessions([(51, 49, 50)] * 3, [(11, 9, 10), (21, 19, 20)])
    bars = study.bars
    bars.volume[:] = [9, 9, 9, 300, 100]
    mean, sigma = vwap(study)
    assert np.isnan(mean[0])
    assert mean[1] == 10.0 and sigma[1] == 0.0
    assert mean[2] == 12.5 and sigma[2] == pytest.approx(np.sqrt((300 * 2.5**2 + 100 * 7.5**2) / 400))
    bars.volume[:] = 0.0
    mean, sigma = vwap(two_sessions([(51, 49, 50)] * 3, [(11, 9, 10), (21, 19, 20)]))
    silent = Study(Bars(*bars.columns), 3, 3, lambda: study.opens)
    assert vwap(silent)[0][2] == 15.0 and vwap(silent)[1][2] == 5.0


def test_vwap_reversion_waits_for_the_turn() -> None:
    today = [(100.5, 99.5, 100.0 + (n % 2) * 0.1) for n in range(20)]
    fall = [(value + 0.5, value - 0.5, value) for value in (99.0, 98, 97, 96, 95, 94)]
    turn = [(95.5, 94.0, 95.0), (96.5, 95.0, 96.0)]
    study = two_sessions([(100.5, 99.5, 100.0)] * 20, [*today, *fall, *turn])
    fired = sides("vwap_reversion", study)
    assert fired[len(today) : len(today) + len(fall)] == [0] * len(fall)
    assert fired[-2] == 1
    assert sides("vwap_reversion", study, stretch=8)[-2] == 0


def opening(rows: Sequence[Row], volumes: Sequence[float]) -> Study:
    study = two_sessions([(100.0, 99.0, 99.5)] * 30, rows)
    study.bars.volume[30:] = volumes
    return study


RANGE: list[Row] = [(101.0, 99.0, 100.0), (100.5, 99.5, 100.2)]


@pytest.mark.parametrize(
    ("rows", "volumes", "expected"),
    [
        ([*RANGE, (102, 100, 101.5)], [100, 100, 150], [0, 0, 1]),
        ([*RANGE, (102, 100, 101.5)], [100, 100, 110], [0, 0, 0]),
        ([*RANGE, (102, 98, 98.5)], [100, 100, 150], [0, 0, -1]),
        ([*RANGE, (102, 100, 101.0)], [100, 100, 150], [0, 0, 0]),
        ([RANGE[0], (102, 100, 101.5)], [100, 150], [0, 0]),
        ([RANGE[0], (102, 100, 101.5), (103, 101, 102)], [100, 100, 150], [0, 0, 1]),
        ([*RANGE, (102, 100, 101.5), (103, 101, 102)], [100, 100, 150, 200], [0, 0, 1, 0]),
    ],
    ids=["up", "thin", "down", "at the edge", "in the wait", "broken in the wait", "once"],
)
def test_opening_range_table(rows, volumes, expected) -> None:
    """Bars of 5 minutes: the first is the range, 99–101, the second the rest of the 10 minutes' wait."""
    study = opening(rows, volumes)
    assert opening_range(study, 0, 5)[:2] == (101.0, 99.0)
    assert sides("opening_range", study) == expected


def test_the_opening_range_of_a_future_is_anchored_inside_its_session() -> None:
    span = CALENDAR.on(Hours.FUTURES, date(2024, 7, 2))
    assert span is not None
    starts = CALENDAR.bar_starts(Hours.FUTURES, span, Timeframe.M5)
    bars = table([(101.0, 99.0, 100.0)] * len(starts), starts)
    at = int(np.searchsorted(starts, SPAN.open_ns))
    bars.high[at], bars.low[at] = 105.0, 95.0
    study = Study(bars, 0, 0, lambda: np.full(len(starts), span.open_ns))
    assert opening_range(study, 930, 5) == (105.0, 95.0, SPAN.open_ns + 5 * MINUTE)


YESTERDAY: list[Row] = [(104.0, 100.0, 102.0), (103.0, 96.0, 98.0), (101.0, 97.0, 100.0)]
"""High 104, low 96, close 100."""


@pytest.mark.parametrize(
    ("came", "bar", "side"),
    [
        (103.0, (105.0, 102.5, 104.5), 1),
        (103.0, (105.0, 102.0, 103.5), -1),
        (103.0, (103.9, 102.0, 103.5), 0),
        (105.0, (105.5, 103.5, 104.5), 1),
        (97.0, (97.5, 95.0, 95.5), -1),
        (97.0, (98.0, 95.0, 96.5), 1),
        (99.0, (101.5, 98.5, 101.0), 1),
        (101.0, (101.5, 98.5, 99.0), -1),
        (101.0, (102.0, 99.5, 101.5), 1),
        (103.0, (105.0, 102.5, 104.0), 0),
    ],
    ids=["break high", "reject high", "no touch", "retest from above", "break low", "reject low",
         "break close up", "break close down", "bounce off close", "at the level"],
)  # fmt: skip
def test_prior_day_table(came: float, bar: Row, side: int) -> None:
    first = (came + 0.2, came - 0.2, came)
    study = two_sessions(YESTERDAY, [first, bar])
    levels = prior_session(study)
    assert (levels.high, levels.low, levels.close) == (104.0, 96.0, 100.0)
    assert sides("prior_day", study) == [0, side]


def test_a_gap_over_a_level_is_no_break() -> None:
    assert sides("prior_day", two_sessions(YESTERDAY, [(106.0, 104.5, 105.0)])) == [0]


def goldback(bars: Sequence[Row], **params: float) -> list[int]:
    """Minutes in two blocks of five: the first has high 101 and low 99."""
    first = [(101.0, 99.5, 100.0), (100.5, 99.0, 100.0), *[(100.5, 99.5, 100.0)] * 3]
    study = two_sessions([(100.0, 100.0, 100.0)] * 2, [*first, *bars], step_min=1)
    block = blocks(study, 5)
    assert (block.high[-1], block.low[-1]) == (101.0, 99.0)
    return sides("goldback", study, **params)[5:]


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        ([(100.0, 98.5, 99.5)], [1]),
        ([(101.5, 100.0, 100.5)], [-1]),
        ([(100.0, 98.5, 98.8), (99.5, 98.9, 99.3)], [0, 1]),
        ([(100.0, 98.5, 98.8), (99.0, 98.0, 98.9)], [0, 0]),
        ([(102.5, 100.0, 102.0), (103.0, 101.5, 102.5), (102.5, 100.8, 101.5)], [0, 0, 1]),
        ([(102.5, 100.0, 102.0), (103.0, 101.5, 102.5), (102.5, 101.2, 101.5)], [0, 0, 0]),
        ([(99.5, 97.5, 98.0), (98.6, 97.0, 98.0), (99.2, 97.5, 98.4)], [0, 0, -1]),
        ([(101.5, 98.5, 100.0)], [0]),
    ],
    ids=["sweep low", "sweep high", "slow sweep", "still under", "retest", "no touch", "retest from below",
         "both sides"],
)  # fmt: skip
def test_goldback_table(bars, expected) -> None:
    assert goldback(bars) == expected


def test_goldbacks_events_can_be_chosen() -> None:
    sweep = [(100.0, 98.5, 99.5)]
    retest = [(102.5, 100.0, 102.0), (103.0, 101.5, 102.5), (102.5, 100.8, 101.5)]
    assert goldback(sweep, sweeps=0) == [0]
    assert goldback(retest, retests=0) == [0, 0, 0]


def test_blocks_of_a_day_are_the_sessions() -> None:
    study = two_sessions(YESTERDAY, [(102.0, 101.0, 101.5)] * 2)
    block = blocks(study, 1440)
    assert (block.high[-1], block.low[-1], block.first[-1]) == (104.0, 96.0, 3)


# --- over whole sessions ----------------------------------------------------------------------------

LIVELIER = {"goldback": (("block_min", 240.0),), "zone_breakout": (("height", 6.0),)}
"""What a random walk needs to fire at all, or to fire on longer blocks."""


@pytest.mark.parametrize("family", list(all_families()))
@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M5])
def test_what_was_said_of_a_session_stands_when_more_sessions_follow(family: str, timeframe) -> None:
    """Real session grids with missing minutes: every prefix gives the same marks to the last bit."""
    spans = CALENDAR.sessions(Hours.REGULAR, date(2024, 6, 24), date(2024, 7, 5))
    starts = np.concatenate([CALENDAR.bar_starts(Hours.REGULAR, span, timeframe) for span in spans])
    draws = np.random.default_rng(len(family))
    starts = starts[draws.random(len(starts)) > 0.03]
    close = 100 + np.cumsum(np.round(draws.normal(0, 0.12, len(starts)), 2))
    opened = np.concatenate((close[:1], close[:-1]))
    reach = np.abs(np.round(draws.normal(0, 0.1, len(starts)), 2))
    bars = Bars(
        starts, opened, np.maximum(opened, close) + reach, np.minimum(opened, close) - reach, close,
        draws.integers(1, 900, len(starts)).astype(np.float64),
    )  # fmt: skip
    spec = ScannerSpec("ANY", family, "SPX", timeframe, "BOTH", LIVELIER.get(family, ()))
    whole = scan_marks(spec, bars, CALENDAR)
    for stop in draws.integers(1, len(bars), 60).tolist():
        part = scan_marks(spec, bars.cut(max(0, stop - 2_300), stop), CALENDAR)
        assert part.side[-1] == whole.side[stop - 1] and part.score[-1] == whole.score[stop - 1]
    assert (whole.side != 0).any() or family in ("cross_21_200", "v3")
