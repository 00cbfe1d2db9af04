"""How good one instrument's data is: a robust test of every tick, counters of what was wrong, and a score."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Final

import numpy as np

from station.domain.clock import MINUTE
from station.domain.market import Quote

_MAD_TO_SIGMA: Final = 1.4826
_JUMP_SIGMAS: Final = 15.0
_JUMP_FLOOR: Final = 0.01
_OPENING_FLOOR: Final = 0.10
_MINUTES_SEEN: Final = 30
_CONFIRMATIONS: Final = 3
_BUCKET_NS: Final = 5 * MINUTE


class JumpGate:
    """The robust outlier test of ticks.

    A price may differ from the last good one by 1 %, or by 15 robust deviations (1.4826 × the median of the
    last 30 absolute one-minute returns) where that is more; from one session to the next by 10 %. A tick
    beyond is held: three in a row that agree are a real move and all count, else they are bad ticks.
    `low` and `high` are the band that needs no further question.
    """

    __slots__ = ("_held", "_limit", "_returns", "bad", "high", "last", "low")

    def __init__(self) -> None:
        self.last = math.nan
        self.low = self.high = math.nan
        self.bad = 0
        self._limit = _JUMP_FLOOR
        self._returns: deque[float] = deque(maxlen=_MINUTES_SEEN)
        self._held: list[tuple[int, float, float]] = []

    def minute_closed(self, previous: float, close: float) -> None:
        """Learn the size of a minute's move."""
        self._returns.append(abs(close / previous - 1.0))
        if len(self._returns) >= _MINUTES_SEEN // 2:
            sigma = _MAD_TO_SIGMA * median(self._returns)
            self._limit = max(_JUMP_FLOOR, _JUMP_SIGMAS * sigma)
        self._center(close, self._limit)

    def session_opened(self) -> None:
        """Allow for the overnight gap until the first tick."""
        if not math.isnan(self.last):
            self._center(self.last, max(_OPENING_FLOOR, self._limit))

    def _center(self, price: float, limit: float) -> None:
        self.low, self.high = price * (1.0 - limit), price * (1.0 + limit)

    def accept(self, price: float) -> None:
        """Note a price inside the band: what was held before it was bad."""
        if self._held:
            self.bad += len(self._held)
            self._held.clear()
        self.last = price

    def question(self, at_ns: int, price: float, size: float) -> tuple[tuple[int, float, float], ...]:
        """Judge a price outside the band: the ticks to count now, as (at_ns, price, size)."""
        if not (price > 0.0 and math.isfinite(price)):
            self.bad += 1
            return ()
        inside = self.low <= price <= self.high
        if inside or math.isnan(self.last) or abs(price - self.last) <= self._limit * self.last:
            self.accept(price)
            self._center(price, self._limit)
            return ((at_ns, price, size),)
        if self._held and abs(price - self._held[-1][1]) > self._limit * price:
            self.bad += len(self._held)
            self._held.clear()
        self._held.append((at_ns, price, size))
        if len(self._held) < _CONFIRMATIONS:
            return ()
        confirmed = tuple(self._held)
        self._held.clear()
        self.last = price
        self._center(price, self._limit)
        return confirmed


@dataclass(slots=True)
class Tally:
    """Counts of one five-minute bucket."""

    ticks: int = 0
    bad_ticks: int = 0
    late_ticks: int = 0
    quotes: int = 0
    zero_quotes: int = 0
    crossed_quotes: int = 0
    stale_quotes: int = 0
    compared: int = 0
    divergent: int = 0

    def plus(self, other: Tally) -> Tally:
        return Tally(
            self.ticks + other.ticks, self.bad_ticks + other.bad_ticks, self.late_ticks + other.late_ticks,
            self.quotes + other.quotes, self.zero_quotes + other.zero_quotes,
            self.crossed_quotes + other.crossed_quotes, self.stale_quotes + other.stale_quotes,
            self.compared + other.compared, self.divergent + other.divergent,
        )  # fmt: skip


@dataclass(slots=True)
class Quality:
    """Counters of one instrument: rows of history by fault, ticks and quotes of the last ten minutes."""

    history: dict[str, int] = field(default_factory=dict[str, int])
    total: Tally = field(default_factory=Tally)
    _recent: Tally = field(default_factory=Tally)
    _before: Tally = field(default_factory=Tally)
    _turn_ns: int = 0

    def now(self, at_ns: int) -> Tally:
        """The bucket to count in."""
        if at_ns >= self._turn_ns:
            stale = at_ns >= self._turn_ns + _BUCKET_NS
            self._before = Tally() if stale else self._recent
            self.total = self.total.plus(self._recent)
            self._recent = Tally()
            self._turn_ns = at_ns - at_ns % _BUCKET_NS + _BUCKET_NS
        return self._recent

    def quoted(self, quote: Quote) -> None:
        """Count a quote of the instrument itself."""
        tally = self.now(quote.at_ns)
        tally.quotes += 1
        if not quote.two_sided:
            tally.zero_quotes += 1
        elif quote.crossed:
            tally.crossed_quotes += 1
        if quote.grade.value != 1:
            tally.stale_quotes += 1

    def row_faults(self, faults: dict[str, int]) -> None:
        for code, count in faults.items():
            self.history[code] = self.history.get(code, 0) + count

    def counted(self) -> dict[str, int]:
        """Everything counted so far, by name."""
        return asdict(self.total.plus(self._recent)) | {"history_faults": sum(self.history.values())}

    def penalty(self, at_ns: int) -> int:
        """Points off 100 for the last five to ten minutes: up to 40 for bad and late ticks (a hundredth of them
        bad costs all), up to 40 for zero, crossed and stale quotes by share, up to 40 for bars that a second
        source contradicts by share, up to 10 for faults in history."""
        self.now(at_ns)
        seen = self._recent.plus(self._before)
        ticks = (seen.bad_ticks + 0.5 * seen.late_ticks) / max(seen.ticks, 100)
        quotes = (seen.zero_quotes + seen.crossed_quotes + seen.stale_quotes) / max(seen.quotes, 20)
        faults = sum(count for code, count in self.history.items() if code != "off_session")
        bars = 100.0 * seen.divergent / max(seen.compared, 1)
        return round(min(40.0, 4_000.0 * ticks) + min(40.0, 100.0 * quotes) + min(40.0, bars) + min(10, faults))


class Latency:
    """The last 512 delays between the venue's stamp and our receipt, ms; one clock's skew is in it.

    The smallest delay is the skew as far as it can be seen: a message is never early by a true clock, and
    hardly late when the way is short.
    """

    def __init__(self) -> None:
        self._delays: deque[float] = deque(maxlen=512)

    def note(self, venue_ns: int, at_ns: int) -> None:
        if venue_ns > 0:
            self._delays.append((at_ns - venue_ns) / 1e6)

    @property
    def samples(self) -> int:
        return len(self._delays)

    def skew_ms(self) -> float | None:
        """Our clock's lead over the venue's, ms, the quickest message's way in it; None without samples."""
        return min(self._delays) if self._delays else None

    def slowest_ms(self) -> float | None:
        """The longest delay, ms; None without samples."""
        return max(self._delays) if self._delays else None

    def percentile(self, share: float) -> float | None:
        """The delay that `share` of the samples stay under, ms; None without samples."""
        if not self._delays:
            return None
        return float(np.quantile(np.fromiter(self._delays, np.float64), share))
