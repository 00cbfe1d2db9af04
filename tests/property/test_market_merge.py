"""However live bars and answers of history interleave, one finished series comes of it."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from station.calendars import load_calendar
from station.domain.clock import MINUTE
from station.domain.instruments import Hours, Timeframe
from station.domain.market import Bar
from station.market.merge import Origin, Stamped, merge
from station.market.series import Series
from station.series import Bars

CALENDAR = load_calendar()
SPANS = CALENDAR.sessions(Hours.REGULAR, date(2024, 6, 3), date(2024, 6, 14))
STARTS = np.concatenate([CALENDAR.bar_starts(Hours.REGULAR, span, Timeframe.M30) for span in SPANS])

rows = st.lists(
    st.tuples(
        st.integers(0, 12), st.sampled_from(list(Origin)), st.integers(0, 3), st.sampled_from([1.0, 2.0, 3.0])
    ),
    max_size=12,
)


def stamped(row: tuple[int, Origin, int, float]) -> Stamped:
    start, origin, received, price = row
    return Stamped.of(Bars.from_bars((Bar(start, price, price, price, price, 1.0),)), origin, received)


def folded(versions: list[tuple[int, Origin, int, float]]) -> Stamped:
    whole = Stamped.of(Bars.empty(), Origin.HISTORY, 0)
    for row in versions:
        whole = merge(whole, stamped(row))
    return whole


def equal(one: Stamped, other: Stamped) -> bool:
    return (
        one.bars.same(other.bars)
        and np.array_equal(one.origin, other.origin)
        and np.array_equal(one.received_ns, other.received_ns)
    )


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_arrival_decides_nothing(versions, random) -> None:
    shuffled = list(versions)
    random.shuffle(shuffled)
    assert equal(folded(versions), folded(shuffled))


@given(rows, rows)
def test_merging_is_commutative_idempotent_and_loses_no_start(left, right) -> None:
    one, other = folded(left), folded(right)
    both = merge(one, other)
    assert equal(both, merge(other, one))
    assert equal(both, merge(both, other))
    assert set(both.bars.start_ns.tolist()) == {row[0] for row in left + right}
    assert (np.diff(both.bars.start_ns) > 0).all()


@given(rows)
def test_a_whole_stream_outranks_history_and_history_a_pierced_stream(versions) -> None:
    found = folded(versions)
    for start, origin in zip(found.bars.start_ns.tolist(), found.origin.tolist(), strict=True):
        assert origin == max(row[1] for row in versions if row[0] == start)


@given(
    known=st.integers(0, len(STARTS)),
    cuts=st.lists(st.tuples(st.integers(0, len(STARTS)), st.integers(1, 60)), max_size=6),
    partial=st.sets(st.integers(0, len(STARTS) - 1), max_size=5),
    data=st.data(),
)
def test_any_interleaving_of_live_and_history_gives_the_same_series(known, cuts, partial, data) -> None:
    """The stream is right but for its partial bars; history is right, and arrives late."""
    truth = 100.0 + np.arange(len(STARTS)) % 13
    whole = Bars(STARTS, truth, truth + 1, truth - 1, truth + 0.5, np.ones(len(STARTS)))
    live = list(range(known, len(STARTS)))
    asked = [(min(stop, len(STARTS)), count) for stop, count in cuts]
    series = Series("SPX", Timeframe.M30, Hours.REGULAR, CALENDAR)
    series.absorb(whole.cut(0, known), int(STARTS[known - 1]) if known else 0, "history")
    newest = -1
    for position in live:
        bar = whole.bar(position)
        close_ns = bar.start_ns + 30 * MINUTE
        if position in partial:
            series.append(bar._replace(high=bar.high + 5, volume=0.5), Origin.PARTIAL, close_ns, "stream")
        else:
            series.append(bar, Origin.LIVE, close_ns, "stream")
        while asked and data.draw(st.booleans()):
            stop, count = asked.pop()
            stop = min(stop, position + 1)
            series.absorb(whole.cut(max(0, stop - count), stop), close_ns, "history")
        assert series.newest_start_ns > newest, "never backwards"
        newest = series.newest_start_ns
    series.absorb(whole, int(STARTS[-1]) + 30 * MINUTE, "history")
    before = series.revision
    assert series.bars.same(whole)
    assert not series.partial_starts
    series.absorb(whole, int(STARTS[-1]) + 30 * MINUTE, "history")
    assert series.revision == before
