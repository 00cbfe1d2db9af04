"""Against the paper exchange in lockstep: what was built from ticks is what its history says."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

from station.brokers.paper import GeneratedTape, PaperExchange
from station.calendars import at_et, load_calendar
from station.clock import Lockstep, LockstepLoop, VirtualClock
from station.domain.clock import SECOND
from station.domain.instruments import INSTRUMENTS, Timeframe
from station.domain.market import FeedMode
from station.market import Market
from station.series import Bars

DAY = date(2024, 7, 2)
TIMEFRAMES = (Timeframe.M1, Timeframe.M5, Timeframe.H1, Timeframe.H4)


async def live_through(loop: LockstepLoop, folder: Path) -> None:
    calendar = load_calendar()
    clock = VirtualClock(at_et(DAY, "10:00") + 17 * SECOND)
    tape = GeneratedTape(7, DAY, calendar)
    exchange = PaperExchange(
        tape, folder / "paper.db", clock=clock, activity=loop.activity, calendar=calendar
    )  # fmt: skip
    await exchange.open()
    here = {symbol: INSTRUMENTS[symbol] for symbol in tape.symbols}
    market = Market(clock, calendar, here, dict.fromkeys(here, TIMEFRAMES))
    await exchange.connect(market.on_report)
    assert await market.warm(exchange) == ()
    recoveries: list[int] = []

    async def close_bars() -> None:
        while True:
            boundary = market.next_boundary(clock.now())
            await clock.sleep_until(boundary)
            market.close_due(boundary)
            if market.wants_recovery:
                recoveries.append(boundary)
                assert await market.recover(exchange) == ()

    closing = asyncio.ensure_future(close_bars())
    await Lockstep(clock, exchange).run(at_et(DAY, "10:31"))
    closing.cancel()
    assert recoveries == [at_et(DAY, "10:01")], "only the minute whose beginning was missed"
    for symbol, instrument in here.items():
        assert market.health(symbol).mode is FeedMode.LIVE
        assert market.health(symbol).score == 100
        for timeframe in TIMEFRAMES:
            held = market.series(symbol, timeframe)
            told = await exchange.history(instrument, timeframe, clock.now(), len(held.bars))
            assert held.ready
            assert held.bars.same(Bars.from_bars(told)), (symbol, timeframe)
    await exchange.disconnect()
    await exchange.close()


def test_bars_built_from_the_exchange_s_ticks_equal_its_history(tmp_path: Path) -> None:
    loop = LockstepLoop()
    try:
        loop.run_until_complete(live_through(loop, tmp_path))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
