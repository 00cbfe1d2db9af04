"""Documents about the station itself: the health of its data, its tasks and jobs, its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from station.domain.clock import utc_text
from station.domain.errors import Retryable
from station.domain.instruments import Timeframe
from station.engine.engine import Engine
from station.engine.logbook import LogFilter, read_log
from station.engine.profiles import profile_of, profiles_document
from station.market import Market

Json = dict[str, Any]
WATCHING_QUERIES: Final = ("health", "jobs", "log", "profiles", "arrivals")


class Lag(Protocol):
    """How late the engine's loop is."""

    def quantile_ms(self, share: float) -> float | None: ...


async def watching_answer(engine: Engine, lag: Lag, name: str, args: Mapping[str, str]) -> Json:
    """The document of that name. Raises what the log's reading raises."""
    if name == "health":
        return health_document(engine)
    if name == "arrivals":
        return engine.arrivals.document(engine.rooms)
    if name == "jobs":
        return jobs_document(
            engine, {f"p{round(share * 100)}": lag.quantile_ms(share) for share in (0.5, 0.99)}
        )
    return await (accounts_document(engine) if name == "profiles" else log_document(engine, args))


async def accounts_document(engine: Engine) -> Json:
    """The `profiles` document, of the runtime directory that this engine's stands in, read off the loop."""
    runtime = engine.outside.runtime
    home = runtime.resolve().parent.parent if profile_of(runtime) else runtime
    return await engine.outside.activity.off_loop(profiles_document, home)


def health_document(engine: Engine) -> Json:
    """`{v, now_ns, broker, broker_up, latency, alarms, feeds}`: each feed with its mode, age (seconds, None
    before its first update), gaps, quality, throttling and every series kept; latency in milliseconds."""
    market, outside = engine.rooms.market, engine.outside
    latency = market.latency
    return {
        "v": 1,
        "now_ns": outside.clock.now(),
        "broker": outside.broker.name,
        "broker_up": outside.broker.connected,
        "latency": {
            "samples": latency.samples,
            "p50_ms": _rounded(latency.percentile(0.5)),
            "p95_ms": _rounded(latency.percentile(0.95)),
            "skew_ms": _rounded(latency.skew_ms()),
            "limit_ms": market.limits.latency_p95_ms,
        },
        "alarms": market.alarms(),
        "feeds": [_feed(engine, market, symbol) for symbol in market.symbols],
    }


def _feed(engine: Engine, market: Market, symbol: str) -> Json:
    health, seen_ns = market.health(symbol), market.last_update_ns(symbol)
    kept = [market.series(symbol, frame) for frame in Timeframe if market.keeps(symbol, frame)]
    return {
        "symbol": symbol,
        "mode": health.mode.value,
        "source": health.source,
        "age_s": round(health.age_s, 1) if seen_ns else None,
        "last_ns": seen_ns,
        "last": market.last_price(symbol),
        "gaps": health.gaps,
        "score": health.score,
        "throttled": health.throttled,
        "halted": market.halted(symbol),
        "note": health.note,
        "counts": market.counts(symbol),
        "series": [
            {
                "timeframe": one.timeframe.value,
                "bars": len(one.bars),
                "ready": one.ready,
                "newest_ns": max(one.newest_start_ns, 0),
                "divergent": one.divergent,
                "trouble": one.trouble,
            }
            for one in kept
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def jobs_document(engine: Engine, lag: Json) -> Json:
    """`{v, now_ns, phase, lag_ms, tasks, jobs, day_end}`: every long-lived task, its heartbeat (when it last
    had the loop), restarts and last error; every job's schedule and runs; the end-of-day checklist."""
    runner, day_end = engine.jobs, engine.day_end
    return {
        "v": 1,
        "now_ns": engine.outside.clock.now(),
        "phase": engine.progress.phase,
        "lag_ms": lag,
        "tasks": [
            {
                "name": one.name,
                "critical": one.critical,
                "running": one.running,
                "beat_ns": one.beat_ns,
                "started_ns": one.started_ns,
                "restarts": one.restarts,
                "failing": one.chronic,
                "last_error": one.last_error,
                "last_failure_ns": one.last_failure_ns,
            }
            for one in engine.supervisor.records.values()
        ],
        "jobs": [
            {
                "name": one.name,
                "cron": one.cron,
                "next_ns": one.next_ns,
                "last_ns": one.last_ns,
                "runs": one.runs,
                "failures": one.failures,
                "last": one.last,
            }
            for one in (runner.records.values() if runner is not None else ())
        ],
        "day_end": [
            {"name": step.name, "ok": step.ok, "detail": step.detail}
            for step in (day_end.results if day_end is not None else ())
        ],
    }


async def log_document(engine: Engine, args: Mapping[str, str]) -> Json:
    """The `log` document of `logbook.read_log`, read off the loop. Raises BadInput for a filter it does not
    know, Retryable where the disk does not give the file."""
    wanted, path = LogFilter.parse(args), engine.outside.runtime / "vigil.log"
    try:
        found = await engine.outside.activity.off_loop(read_log, path, wanted)
    except OSError as error:
        raise Retryable(f"{path} cannot be read: {error.strerror or error}") from error
    return found | {"now_utc": utc_text(engine.outside.clock.now())}
