"""Prices that the scanners of a symbol watch, as levels of its chart: opening range, blocks, swings, boxes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from station.calendars import Calendar
from station.domain.clock import MINUTE
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe
from station.domain.specs import ScannerSpec
from station.link import Level
from station.market import Market
from station.scanners import Study, all_families
from station.scanners.family import Params
from station.scanners.sessions import WHOLE_SESSION_MIN, blocks, opening_range, recent_opens
from station.scanners.swings import swings

RANGE: Final = "range"
PLAN: Final = "plan"
_REGULAR_OPEN_MIN: Final = 930
"""Minutes from a future's 18:00 open to the stock exchange's."""


def watched_levels(
    market: Market, calendar: Calendar, specs: Iterable[ScannerSpec], symbol: str
) -> tuple[Level, ...]:
    """The opening range of the newest session (kind `range`), and what the enabled scanners of `symbol` wait at
    (kind `plan`): each price once, as the scanners themselves compute it."""
    own = [spec for spec in specs if spec.enabled and spec.instrument == symbol]
    studies = _Studies(market, calendar, symbol)
    found = [*_opening(studies, own), *_planned(studies, own)]
    return tuple(dict.fromkeys(found))


class _Studies:
    """The newest row of each series of a symbol, asked for once."""

    def __init__(self, market: Market, calendar: Calendar, symbol: str) -> None:
        self._market = market
        self._calendar = calendar
        self.symbol = symbol
        self._known: dict[Timeframe, Study | None] = {}

    def of(self, timeframe: Timeframe) -> Study | None:
        """None where the market keeps no such series, or holds nothing of it yet."""
        if timeframe not in self._known:
            self._known[timeframe] = self._study(timeframe)
        return self._known[timeframe]

    def _study(self, timeframe: Timeframe) -> Study | None:
        try:
            series = self._market.series(self.symbol, timeframe)
        except BadInput:
            return None
        bars = series.bars
        if not series.warm or not len(bars):
            return None
        opens = partial(recent_opens, bars.start_ns, series.hours, self._calendar)
        return Study(bars, series.session_start, len(bars) - 1, opens)


def _params(spec: ScannerSpec) -> Params:
    return all_families()[spec.family].params(spec)


def _opening(studies: _Studies, own: list[ScannerSpec]) -> Iterator[Level]:
    study = studies.of(Timeframe.M1)
    if study is None:
        return
    params = next((_params(spec) for spec in own if spec.family == "opening_range"), None)
    future = INSTRUMENTS[studies.symbol].hours is Hours.FUTURES
    anchor = params["anchor_min"] if params is not None else _REGULAR_OPEN_MIN if future else 0
    minutes = params["range_min"] if params is not None else 5
    high, low, _ = opening_range(study, anchor, minutes)
    if high > low:
        yield Level(RANGE, "OR high", high)
        yield Level(RANGE, "OR mid", (high + low) / 2)
        yield Level(RANGE, "OR low", low)


def _planned(studies: _Studies, own: list[ScannerSpec]) -> Iterator[Level]:
    readers = {"goldback": _block, "fibonacci": _zone, "zone_breakout": _box}
    for spec in own:
        reader, study = readers.get(spec.family), studies.of(spec.timeframe)
        if reader is None or study is None:
            continue
        for text, price in reader(study, _params(spec), spec.timeframe):
            if not math.isnan(price):
                yield Level(PLAN, text, round(price, 4))


def _block(study: Study, params: Params, timeframe: Timeframe) -> Iterator[tuple[str, float]]:
    """The last finished block's edges; whole sessions are the day before's levels already."""
    minutes = params["block_min"]
    if minutes >= WHOLE_SESSION_MIN:
        return
    block, bars = blocks(study, minutes), study.bars
    high, low = float(block.high[-1]), float(block.low[-1])
    passed_ns = int(bars.start_ns[-1]) + timeframe.seconds * MINUTE // 60 - int(study.opens[-1])
    if passed_ns % round(minutes * MINUTE) == 0:
        inside = bars.cut(int(block.first[-1]), None)
        high, low = float(inside.high.max()), float(inside.low.min())
    name = f"{minutes / 60:g}h" if minutes >= 60 else f"{minutes:g}m"
    yield f"GB{name} high", high
    yield f"GB{name} low", low


def _zone(study: Study, params: Params, timeframe: Timeframe) -> Iterator[tuple[str, float]]:
    swing = swings(study, params["pivot"])
    base, tip = float(swing.base[-1]), float(swing.tip[-1])
    for share in (params["low"], params["high"]):
        yield f"fib{share * 100:.0f} {timeframe.value}", tip - (tip - base) * share


def _box(study: Study, params: Params, timeframe: Timeframe) -> Iterator[tuple[str, float]]:
    """The consolidation box of the newest bars, while it is tight enough to be broken out of."""
    top, bottom = float(study.highest(params["bars"])[-1]), float(study.lowest(params["bars"])[-1])
    if top - bottom < params["height"] * float(study.atr(params["atr"])[-1]):
        yield f"box hi {timeframe.value}", top
        yield f"box lo {timeframe.value}", bottom
