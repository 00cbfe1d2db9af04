"""Why something was traded, or was not: what fired, what it was matched to, what stopped it.

Read from the signals, trades and decision traces of a runtime directory, whether an engine runs there or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from station.calendars import at_et, et_date, et_text
from station.domain.clock import MINUTE, from_datetime, utc_text
from station.domain.signals import Decision, Signal, stage_of
from station.domain.trade import Trade, TradeState
from station.store import Inline, LifecycleReader, viewed
from station.store.files import LIFECYCLE

T = TypeVar("T")
Json = dict[str, Any]
BEFORE_NS: Final = 5 * MINUTE
"""How far back a signal still counts in the hunter's pool (SPEC §4)."""
BLOCK: Final = "block"


async def why_document(runtime: Path, symbol: str | None, at: str | None) -> Json:
    """`{v, symbol, session, from_utc, to_utc, fired, matched, blocked}` of the newest session in the directory,
    or of the five minutes up to and with the minute `at` (HH:MM ET) of it. Raises BadInput, Fatal."""
    with viewed(runtime / LIFECYCLE) as connection:
        reader = LifecycleReader(Inline(connection))
        signals, trades = await reader.signals(), await reader.trades()
        newest = max([*(s.published_ns for s in signals), *(t.opened_ns for t in trades)], default=0)
        day = et_date(newest)
        since, until = _span(day, at) if newest else (0, 0)
        trades = tuple(trade for trade in trades if since <= trade.opened_ns < until)
        signals = tuple(signal for signal in signals if since <= signal.published_ns < until)
        if symbol is not None:
            trades = _of_symbol(trades, signals, symbol)
            taken = {signal_id for trade in trades for signal_id in _ids(signals, trade)}
            signals = tuple(s for s in signals if s.firing.instrument == symbol or s.id in taken)
        traces = {trade.id: await reader.decisions(trade.id) for trade in trades}
        untaken = [signal for signal in signals if not signal.trade_id]
        left = {signal.id: await reader.decisions(signal.id) for signal in untaken}
    return {
        "v": 1,
        "symbol": symbol,
        "session": day.isoformat() if newest else None,
        "from_utc": utc_text(since) if newest else None,
        "to_utc": utc_text(until) if newest else None,
        "fired": [_fired(signal) for signal in signals],
        "matched": [_matched(trade, traces[trade.id]) for trade in trades],
        "blocked": [*_blocked(trades, traces), *_untaken(untaken, left)],
    }


def _span(day: date, at: str | None) -> tuple[int, int]:
    if at is None:
        return at_et(day, "00:00"), at_et(day, "23:59") + MINUTE
    moment = at_et(day, at)
    return moment - BEFORE_NS, moment + MINUTE


def _of_symbol(trades: Sequence[Trade], signals: Sequence[Signal], symbol: str) -> tuple[Trade, ...]:
    """Trades in the symbol, and those that a firing on it made."""
    made = {signal.trade_id for signal in signals if signal.firing.instrument == symbol}
    return tuple(trade for trade in trades if trade.symbol == symbol or trade.id in made)


def _ids(signals: Sequence[Signal], trade: Trade) -> list[str]:
    return [signal.id for signal in signals if signal.trade_id == trade.id]


def _fired(signal: Signal) -> Json:
    firing = signal.firing
    return {
        "ts_utc": utc_text(signal.published_ns),
        "scanner": firing.scanner,
        "instrument": firing.instrument,
        "timeframe": firing.timeframe.value,
        "side": firing.side.value,
        "confidence": signal.confidence,
        "state": signal.state.value,
        "trade": signal.trade_id or None,
    }


def _matched(trade: Trade, trace: Iterable[Decision]) -> Json:
    return {
        "ts_utc": utc_text(trade.opened_ns),
        "trade": trade.id,
        "strategy": trade.strategy,
        "symbol": trade.symbol,
        "side": trade.side.value,
        "scanners": list(trade.scanners),
        "contract": trade.contract.label if trade.contract is not None else None,
        "state": trade.state.value,
        "stages": [_stage(decision) for decision in trace if decision.stage != "risk"],
    }


def _stage(decision: Decision) -> Json:
    return {"stage": decision.stage, "verdict": decision.verdict, "reason": decision.reason}


def _blocked(trades: Iterable[Trade], traces: Mapping[str, Sequence[Decision]]) -> list[Json]:
    """Each verdict that stopped a trade; where the trace has none, what the trade itself failed of."""
    rows: list[Json] = []
    for trade in trades:
        if trade.state is not TradeState.FAILED:
            continue
        blocks = [decision for decision in traces[trade.id] if decision.verdict == BLOCK]
        if not blocks:
            blocks = [Decision(trade.id, "trade", BLOCK, f"{trade.cause}: {trade.reason}", trade.closed_ns)]
        rows += [
            {
                "ts_utc": utc_text(block.at_ns), "trade": trade.id, "strategy": trade.strategy,
                "symbol": trade.symbol, "stage": block.stage, "reason": block.reason,
                "value": block.value or None, "limit": block.limit or None,
            }
            for block in blocks
        ]  # fmt: skip
    return rows


def _untaken(signals: Iterable[Signal], left: Mapping[str, Sequence[Decision]]) -> list[Json]:
    """Signals that no strategy made a trade of: where each strategy that they would have suited left them last,
    or that they suited none."""
    rows: list[Json] = []
    for signal in signals:
        newest = {stage_of(decision.stage)[1]: decision for decision in left[signal.id]}
        rows += [_left(signal, strategy, decision) for strategy, decision in newest.items()]
        if not newest:
            rows.append(
                {
                    "ts_utc": utc_text(signal.published_ns), "trade": None, "strategy": None,
                    "symbol": signal.firing.instrument, "stage": "match",
                    "reason": f"no strategy trades {signal.firing.scanner} ({signal.state.value.lower()})",
                    "value": None, "limit": None,
                }
            )  # fmt: skip
    return rows


def _left(signal: Signal, strategy: str, decision: Decision) -> Json:
    return {
        "ts_utc": utc_text(decision.at_ns), "trade": None, "strategy": strategy,
        "symbol": signal.firing.instrument, "stage": stage_of(decision.stage)[0],
        "reason": f"{strategy} left {signal.firing.scanner}: {decision.reason}",
        "value": decision.value or None, "limit": decision.limit or None,
    }  # fmt: skip


def why_text(document: Mapping[str, Any]) -> str:
    """The document for people, in three parts."""
    if document["session"] is None:
        return "nothing has fired or traded here yet"
    lines = [f"session {document['session']}" + (f", {document['symbol']}" if document["symbol"] else "")]
    lines.append(f"fired {len(document['fired'])}")
    lines += [
        f"  {_time(row)} {row['scanner']:26} {row['side']:4} {row['confidence']:>3} "
        f"{row['trade'] or row['state']}"
        for row in document["fired"]
    ]
    lines.append(f"matched {len(document['matched'])}")
    lines += [
        f"  {_time(row)} {row['strategy']:14} {row['trade']} {row['contract'] or row['symbol']} {row['state']}"
        for row in document["matched"]
    ]
    lines.append(f"blocked {len(document['blocked'])}")
    lines += [
        f"  {_time(row)} {row['stage']:8} {row['trade'] or '':13} {row['reason']}{_measured(row)}"
        for row in document["blocked"]
    ]
    return "\n".join(lines)


def _time(row: Mapping[str, Any]) -> str:
    return et_text(from_datetime(datetime.fromisoformat(str(row["ts_utc"]))))


def _measured(row: Mapping[str, Any]) -> str:
    return f" ({row['value']}, limit {row['limit']})" if row["value"] else ""
