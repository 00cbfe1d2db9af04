"""Bar close → every scanner evaluated: 100 scanners over 36 series, none of their answers known before."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, cycle
from random import Random
from typing import Final

from station.clock import VirtualClock, WallClock
from station.domain.broker import TickReport
from station.domain.clock import MILLISECOND
from station.domain.instruments import INSTRUMENTS, Timeframe
from station.domain.market import Tick
from station.domain.specs import ScannerSpec, Switches
from station.engine.bench.figures import Figure, figure
from station.engine.bench.station import Drill
from station.engine.desired import shipped
from station.market import ClosedBar, Market
from station.scanners import ScannerRoom

SERIES: Final = 36
SCANNERS: Final = 100


def hundred(symbols: tuple[str, ...]) -> tuple[ScannerSpec, ...]:
    """The shipped rules spread over 36 series: a hundred scanners, no two of one name."""
    frames = list(Timeframe)[: -(-SERIES // len(symbols))]
    places = cycle([(symbol, frame) for frame in frames for symbol in symbols][:SERIES])
    rules, numbers = cycle(shipped().scanners), count(1)
    return tuple(
        replace(next(rules), name=f"BENCH_{next(numbers)}", instrument=symbol, timeframe=frame)
        for symbol, frame in (next(places) for _ in range(SCANNERS))
    )


async def scanning(drill: Drill, trials: int) -> Figure:
    """Minutes pass on series of their own, warmed from the exchange; each closes its bars, then all 36 newest
    bars are evaluated anew, which no real boundary asks for at once."""
    outside, wall = drill.engine.outside, WallClock()
    specs = hundred(outside.symbols)
    wanted: dict[str, list[Timeframe]] = {symbol: [] for symbol in outside.symbols}
    for spec in specs:
        if spec.timeframe not in wanted[spec.instrument]:
            wanted[spec.instrument].append(spec.timeframe)
    clock = VirtualClock(drill.engine.session.open_ns)
    instruments = {symbol: INSTRUMENTS[symbol] for symbol in outside.symbols}
    market = Market(clock, outside.calendar, instruments, wanted)
    await market.warm(outside.broker)
    room = ScannerRoom(market, outside.calendar, specs, Switches())
    ticks = Random(1)
    laps: list[float] = []
    for _ in range(trials):
        boundary = market.next_boundary(clock.now())
        clock.move_to(boundary - 1)
        for symbol in outside.symbols:
            price = (market.last_price(symbol) or 100.0) * (1 + ticks.gauss(0, 1e-4))
            market.on_report(TickReport(Tick(symbol, clock.now(), round(price, 2), 1.0)))
        clock.move_to(boundary)
        room.configure(specs, Switches())
        began = wall.perf()
        market.close_due(boundary)
        closed = wall.perf()
        bars = _newest(market, wanted)
        ready = wall.perf()
        room.on_closed(bars)
        laps.append((wall.perf() - ready + closed - began) / MILLISECOND)
    evaluated = sum(counts.evaluated for counts in room.counts.values()) // trials
    note = f"{evaluated} scanners, {sum(map(len, wanted.values()))} series"
    return figure("bar close → all scanners evaluated", "ms", laps, 5, 10, note)


def _newest(market: Market, wanted: dict[str, list[Timeframe]]) -> tuple[ClosedBar, ...]:
    """The newest finished bar of every series, as if all had closed together."""
    found: list[ClosedBar] = []
    for symbol, frames in wanted.items():
        for frame in frames:
            series = market.series(symbol, frame)
            bar = series.bars.cut(-1, len(series.bars)).to_bars()[0]
            found.append(ClosedBar(symbol, frame, bar.start_ns, bar.start_ns + frame.ns, bar))
    return tuple(found)
