"""When a fill and the quote that meets a stop reached the engine, as a measurement asks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from station.clock import WallClock
from station.engine.commands import Commander
from station.engine.doors import LoopLag
from station.link import Data, PlaceOrder, Query, Ticket
from tests.faults.station_stage import Stage
from tests.lab import play


def test_the_first_question_begins_it_and_each_arrival_is_noted_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, start="09:36", strategy={"enabled": False}) as lab:
            commander = Commander(lab.run.engine, lambda _why: None, LoopLag(WallClock()))

            async def arrivals() -> dict[str, Any]:
                reply = await commander.handle(Query("arrivals"))
                assert isinstance(reply, Data)
                return json.loads(reply.json)

            await lab.until("09:37")
            before = await arrivals()
            assert before["reports"] == 0 and not before["noted"]
            last = lab.rooms.market.last_price("SPY")
            assert last is not None
            ticket = Ticket(
                "SPY", "BUY", 1, "C", f"{round(last)}", "0dte", "MARKET", target_pct="900", stop_pct="3"
            )
            await lab.during(lab.ask(PlaceOrder(ticket, "one", "ann")))
            (trade,) = lab.trades()
            await lab.until_true(lambda: lab.trade(trade.id).state.is_terminal)
            after = await arrivals()
            bought, met, sold = after["noted"]
            assert (bought["what"], bought["of"]) == ("fill", lab.trade(trade.id).entry_ref)
            assert (met["what"], met["of"]) == ("stop", trade.id)
            assert sold["what"] == "fill" and f"{trade.id}-X-" in sold["of"]
            instants = [before["perf_ns"], *(one["perf_ns"] for one in after["noted"]), after["perf_ns"]]
            assert instants == sorted(instants) and after["reports"] > 0
            assert lab.trade(trade.id).cause == "stop"

    play(work)
