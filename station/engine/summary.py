"""What a run came to: the summary document of VERBS.md."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from station.desk.stopwatch import FILL_TO_PROTECT, SIGNAL_TO_WIRE
from station.domain.trade import TradeState
from station.engine.engine import Engine
from station.journal import Journal
from station.journal.shapes import decimal_text


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What only the runner knows. `sim_s` simulated and `wall_s` host seconds, `instants` lockstep's steps."""

    broker: str
    seed: int | None
    date: str
    wall_s: float
    sim_s: float
    instants: int
    dirt: Mapping[str, int]


async def summarise(engine: Engine, facts: RunFacts) -> dict[str, Any]:
    """One object, `v` 1, all but the auditor's violations; money as decimal strings, scores and counts as
    numbers, `peak_mib` the most that this process ever held."""
    rooms = engine.rooms
    journal = Journal(engine.outside.stores.lifecycle)
    figures = (await journal.figures(engine.day_start())).shape()
    refused: Counter[str] = Counter(
        trade.cause for trade in rooms.ledger.trades.values() if trade.state is TradeState.FAILED
    )
    return {
        "v": 1,
        "broker": facts.broker,
        "seed": facts.seed,
        "date": facts.date,
        **figures,
        "gate_rejections": dict(sorted(rooms.scanners.rejections.items())),
        "risk_rejections": dict(sorted(refused.items())),
        "final_equity": decimal_text(rooms.money.equity),
        "dirt": dict(sorted(facts.dirt.items())),
        "wall_s": round(facts.wall_s, 3),
        "sim_s": round(facts.sim_s, 3),
        "events_per_s": round(facts.instants / facts.wall_s, 1) if facts.wall_s else 0.0,
        "latency_ms": {
            "signal_to_wire": _quantiles(engine, SIGNAL_TO_WIRE),
            "fill_to_protect": _quantiles(engine, FILL_TO_PROTECT),
        },
        "digest": await journal.digest(),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _quantiles(engine: Engine, path: str) -> dict[str, float | None]:
    watch = engine.rooms.stopwatch
    return {"p50": watch.quantile_ms(path, 0.50), "p99": watch.quantile_ms(path, 0.99)}
