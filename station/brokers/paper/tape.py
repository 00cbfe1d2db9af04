"""What the exchange plays: one session's ticks a symbol, and the bars of the sessions before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from station.brokers.paper.draws import stream
from station.calendars import Calendar
from station.domain.clock import MINUTE, SECOND
from station.domain.instruments import Hours, Timeframe
from station.series import Bars, aggregate, concat, finished

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Ticks:
    """A session's prints in columns, ascending: instants (UTC ns), prices, sizes."""

    at_ns: Int64s
    price: Floats
    size: Floats

    def __len__(self) -> int:
        return len(self.at_ns)


class Tape(Protocol):
    """A source of one session. `source` names it in the book: another source against the same book is an error.

    `open_ns` and `close_ns` are of the regular session; ticks of futures reach beyond both.
    """

    @property
    def kind(self) -> str:
        """`paper` or `replay`."""
        ...

    @property
    def source(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def session(self) -> date: ...

    @property
    def open_ns(self) -> int: ...

    @property
    def close_ns(self) -> int: ...

    @property
    def symbols(self) -> tuple[str, ...]:
        """What it has, in catalogue order."""
        ...

    def ticks(self, symbol: str) -> Ticks:
        """Every print of the session; empty for a symbol it does not have."""
        ...

    def history(self, symbol: str, timeframe: Timeframe, end_ns: int, bars: int, now_ns: int) -> Bars:
        """Up to `bars` bars starting before `end_ns` and finished at `now_ns`: exactly those that the ticks
        up to then build."""
        ...

    def volatility(self, at_ns: Int64s) -> Floats:
        """The level that options are priced from, per year (0.16 for a VIX of 16), as known at each instant."""
        ...

    def settlement(self, symbol: str, day: date) -> float | None:
        """The last price of the regular session of `day`, None if the tape cannot know it."""
        ...

    def on(self, day: date) -> Tape | None:
        """The tape of another session from the same source, None where there is none."""
        ...


BEATS: Final = np.arange(0, 60, 4, dtype=np.int64)
"""The seconds at which a minute known only by its bar is played; extremes on 20 and 40, the close on 56."""
_NEAR_BEAT: Final = 5
_FAR_BEAT: Final = 10


def bar_ticks(minutes: Bars, tick: float) -> Ticks:
    """Open, then to the extreme nearer to it, then to the other, then to the close, in lines on the tick grid.

    Sizes are whole but for the last and add up to the bar's volume exactly; a bar rebuilt from the ticks is the
    bar. Where both extremes are as near, a rising bar goes low first.
    """
    beats = len(BEATS)
    up, down = minutes.high - minutes.open, minutes.open - minutes.low
    high_first = (up < down) | ((up == down) & (minutes.close < minutes.open))
    near = np.where(high_first, minutes.high, minutes.low)
    far = np.where(high_first, minutes.low, minutes.high)
    price = np.empty((len(minutes), beats))
    legs = (
        (0, _NEAR_BEAT, minutes.open, near),
        (_NEAR_BEAT, _FAR_BEAT, near, far),
        (_FAR_BEAT, beats - 1, far, minutes.close),
    )
    for first, last, start, end in legs:
        share = (BEATS[first:last] - BEATS[first]) / (BEATS[last] - BEATS[first])
        line = start[:, None] + (end - start)[:, None] * share[None, :]
        price[:, first:last] = np.round(np.round(line / tick) * tick, 2)
        price[:, first] = start
    price[:, -1] = minutes.close
    price = np.clip(price, minutes.low[:, None], minutes.high[:, None])
    volume = np.where(np.isfinite(minutes.volume), minutes.volume, 0.0)
    size = np.repeat(np.floor(volume / beats)[:, None], beats, axis=1)
    size[:, -1] = volume - (beats - 1) * size[:, 0]
    at_ns = minutes.start_ns[:, None] + BEATS * SECOND
    return Ticks(at_ns.ravel(), price.ravel(), size.ravel())


@dataclass(frozen=True, slots=True, eq=False)
class Weave:
    """What the symbols share inside each minute: where extremes fall, which comes first, and the noise."""

    low_first: NDArray[np.bool_]
    first: Int64s
    second: Int64s
    noise: Floats
    shares: Floats


def weave(lead: Bars, *keys: int | str) -> Weave:
    """The texture of a session under its leading symbol."""
    source, count = stream(*keys), len(lead)
    first = source.integers(3, 27, count)
    second = source.integers(30, 57, count)
    walk = np.cumsum(source.standard_normal((count, 60)), axis=1)
    shares = source.gamma(0.7, 1.0, (count, 60))
    shares /= shares.sum(axis=1, keepdims=True)
    return Weave(lead.close >= lead.open, first, second, walk, shares)


def sixty_ticks(minutes: Bars, texture: Weave, tick: float, *, mirrored: bool) -> Ticks:
    """A print each second: from the open through both extremes to the close, with noise kept inside the bar's
    range, so that a bar rebuilt from the ticks is the bar. `mirrored` for what falls when the lead rises."""
    count = len(minutes)
    rows = np.arange(count)
    low_first = ~texture.low_first if mirrored else texture.low_first
    knots = np.zeros((count, 60))
    one = np.where(low_first, minutes.low, minutes.high)
    two = np.where(low_first, minutes.high, minutes.low)
    second = np.arange(60)[None, :]
    a, b = texture.first[:, None], texture.second[:, None]
    lead_in = minutes.open[:, None] + (one - minutes.open)[:, None] * (second / a)
    middle = one[:, None] + (two - one)[:, None] * ((second - a) / (b - a))
    run_out = two[:, None] + (minutes.close - two)[:, None] * ((second - b) / (59 - b))
    knots = np.where(second <= a, lead_in, np.where(second <= b, middle, run_out))
    bump = texture.noise - texture.noise[rows, texture.first][:, None]
    width = (minutes.high - minutes.low)[:, None] * (-0.04 if mirrored else 0.04)
    price = np.round((knots + bump * width) / tick) * tick
    price = np.clip(np.round(price, 2), minutes.low[:, None], minutes.high[:, None])
    price[:, 0], price[:, 59] = minutes.open, minutes.close
    price[rows, texture.first], price[rows, texture.second] = one, two
    size = np.floor(minutes.volume[:, None] * texture.shares)
    size[:, 59] += minutes.volume - size.sum(axis=1)
    at_ns = minutes.start_ns[:, None] + np.arange(60, dtype=np.int64) * SECOND
    return Ticks(at_ns.ravel(), price.ravel(), size.ravel())


def thinned(day: Ticks, texture: Weave, stride: int) -> Ticks:
    """One print in `stride` seconds of what `sixty_ticks` made; ends, extremes and all of the volume stay."""
    count = len(texture.first)
    kept = np.zeros((count, 60), np.bool_)
    kept[:, ::stride] = kept[:, 59] = True
    rows = np.arange(count)
    kept[rows, texture.first] = kept[rows, texture.second] = True
    chosen = np.flatnonzero(kept.ravel())
    passed = np.cumsum(day.size)[chosen]
    return Ticks(day.at_ns[chosen], day.price[chosen], np.diff(passed, prepend=0.0))


def shown(
    past: Bars, minutes: Bars, timeframe: Timeframe, hours: Hours, calendar: Calendar, end_ns: int, bars: int,
    now_ns: int,
) -> Bars:  # fmt: skip
    """What history answers: bars of earlier sessions, then of the session's minutes that are over."""
    over = minutes.before(now_ns - MINUTE + 1)
    live = finished(aggregate(over, timeframe, hours, calendar), timeframe, hours, calendar, now_ns)
    joined = concat(past, live).before(end_ns)
    return joined.cut(max(len(joined) - bars, 0), None)


def last_regular(minutes: Bars, day: date, calendar: Calendar) -> float | None:
    """The last price of a day's regular session among these minutes."""
    span = calendar.on(Hours.REGULAR, day)
    if span is None:
        return None
    inside = minutes.since(span.open_ns).before(span.close_ns)
    return float(inside.close[-1]) if len(inside) else None
