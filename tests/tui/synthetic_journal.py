"""A journal, its performance, and a station's word of itself, as documents of a synthetic engine."""

from __future__ import annotations

import math
from typing import Any

from station.domain.clock import MINUTE, SECOND, utc_text

NOON = 1_763_666_527 * SECOND  # Thursday 2025-11-20, 14:22:07 in New York
Json = dict[str, Any]

TRADES = (
    ("T0004", "SPX", "SPXW 20251120 5940C", "CALL", "5MIN_TREND", "4.20", None, None, None, ("SPX_V3_CALL",)),
    ("T0003", "SPX", "SPXW 20251120 5920C", "CALL", "5MIN_TREND", "3.90", "4.80", "176.00", "target",
     ("SPX_V3_CALL", "ES_CALL_V3")),
    ("T0002", "SPY", "SPY 20251120 591P", "PUT", "SPY_MEAN", "1.12", "0.87", "-127.50", "shield",
     ("SPY_21_200_PUT",)),
    ("T0001", "SPX", "SPXW 20251119 5900P", "PUT", "MACD_TREND", "6.10", "7.50", "278.00", "target",
     ("SPX_10MIN_MACD_DOWN",)),
)  # fmt: skip


def opened_ns(number: int) -> int:
    return NOON - (20 + 65 * number) * MINUTE


def trade(number: int, tags: tuple[str, ...] = (), notes: int = 0) -> Json:
    trade_id, symbol, label, side, strategy, entry, exit_, net, cause, scanners = TRADES[number]
    at = opened_ns(number)
    return {
        "id": trade_id, "symbol": symbol, "label": label, "side": side, "strategy": strategy,
        "strategy_version": 3, "origin": "STRATEGY",
        "state": "SELL_SUBMITTED" if net is None else "WEALTH_UPDATED",
        "qty": 2, "entry": entry, "exit": exit_, "net_pnl": net, "commission": "4.00", "cause": cause,
        "reason": None, "opened_utc": utc_text(at),
        "closed_utc": None if net is None else utc_text(at + 24 * MINUTE),
        "result": "open" if net is None else "loss" if net.startswith("-") else "win",
        "hold_s": None if net is None else 23 * 60 + 12, "scanners": scanners, "notes": notes, "tags": tags,
    }  # fmt: skip


def journal(args: dict[str, str]) -> Json:
    """What the filters leave; only those the tests use are heeded."""
    rows = [trade(0), trade(1, ("breakout", "late"), 1), trade(2, ("revenge",)), trade(3)]
    kept = [
        row
        for row in rows
        if all(row.get(key) == value for key, value in args.items() if key in ("symbol", "strategy", "result"))
        and (args.get("tag") is None or args["tag"] in row["tags"])
    ]
    return {
        "v": 1, "total": len(rows), "found": len(kept), "trades": kept, "symbols": ["SPX", "SPY"],
        "strategies": ["5MIN_TREND", "MACD_TREND", "SPY_MEAN"],
        "tags": {"breakout": 1, "late": 1, "revenge": 1},
    }  # fmt: skip


def _number(trade_id: str) -> int:
    return next(place for place, row in enumerate(TRADES) if row[0] == trade_id)


def story(trade_id: str) -> Json:
    number = _number(trade_id)
    at, told = opened_ns(number), trade(number)
    steps = ("SIGNALED", "SELECTED", "SIZED", "BUY_SUBMITTED", "BUY_FILLED", "SELL_SUBMITTED", "CLOSED")
    kinds = ("signal", "option_selected", "sized", "entry_submitted", "execution", "exit_submitted", "closed")
    count = 6 if told["net_pnl"] is None else 7
    instants = [utc_text(at + n * 180 * SECOND) for n in range(count)]
    notes = [
        {"ts_utc": utc_text(at + 30 * MINUTE), "text": "held through the pullback, as planned", "by": "screen"}
    ]
    return {
        "v": 1, "trade": told,
        "transitions": [{"seq": n, "state": steps[n], "ts_utc": instants[n]} for n in range(count)],
        "events": [
            {"seq": n, "ts_utc": instants[n], "type": f"trade.{kinds[n]}", "v": 1,
             "data": {"symbol": told["symbol"], "price": told["entry"], "ticket": {"order_ref": f"V1-DU-{n}"}}}
            for n in range(count)
        ],
        "decision": [
            {"stage": "pool", "verdict": "pass", "reason": "fresh signals in the pool", "value": "14",
             "limit": "1", "ts_utc": utc_text(at)},
            {"stage": "match", "verdict": "pass", "reason": "signals match the patterns", "value": None,
             "limit": None, "ts_utc": utc_text(at)},
            {"stage": "preflight", "verdict": "pass", "reason": "31 rules pass; the nearest is spread",
             "value": "3.1%", "limit": "5%", "ts_utc": utc_text(at)},
        ],
        "notes": notes if number == 1 else [], "tags": ["breakout", "late"] if number == 1 else [],
        "pictures": ["entry"] if told["net_pnl"] is None else ["entry", "exit"],
    }  # fmt: skip


def film(trade_id: str) -> Json:
    number = _number(trade_id)
    at, told = opened_ns(number), trade(number)
    start = at - 30 * MINUTE - at % MINUTE
    bars: list[list[float]] = []
    price = 5928.0
    for n in range(64):
        close = 5934 + 9 * math.sin(n / 9) + 3 * math.sin(n / 2.3)
        high, low = max(price, close) + 1.25, min(price, close) - 1.5
        bars.append([start + n * MINUTE, price, high, low, close, 0.0])
        price = close
    marks = [
        {"at_ns": at, "kind": "signal", "text": ", ".join(told["scanners"]), "price": None},
        {"at_ns": at + SECOND, "kind": "order", "text": "entry: BUY 2 LMT 3.90", "price": "3.90"},
        {"at_ns": at + 70 * SECOND, "kind": "entry", "text": "entry 2 @ 3.90 slip 0.02", "price": "3.90"},
        {"at_ns": at + 71 * SECOND, "kind": "exit order", "text": "target: SELL 2 LMT 4.80", "price": "4.80"},
    ]
    end = at + 24 * MINUTE
    if told["net_pnl"] is not None:
        marks += [
            {"at_ns": end, "kind": "exit", "text": "exit 2 @ 4.80 slip 0.00", "price": "4.80"},
            {"at_ns": end, "kind": "close", "text": f"target {told['net_pnl']}", "price": None},
        ]
    return {
        "v": 1, "trade": told, "timeframe": "1m", "bars": bars, "marks": marks,
        "lines": [
            {"kind": "target", "price": "4.80", "order_ref": "x", "from_ns": at + 71 * SECOND, "until_ns": end},
            {"kind": "stop", "price": "3.05", "order_ref": "x", "from_ns": at + 71 * SECOND, "until_ns": end},
        ],
        "greeks": [{"at_ns": at + 5 * MINUTE, "bid": "4.10", "ask": "4.20", "delta": 0.44, "theta": -1.9}],
        "note": "",
    }  # fmt: skip


def picture(trade_id: str, moment: str = "") -> Json:
    """What a film was at its entry or its end."""
    whole, number = film(trade_id), _number(trade_id)
    ended = whole["trade"]["net_pnl"] is not None
    moments = ["entry", "exit"] if ended else ["entry"]
    shown = moment or moments[-1]
    if shown not in moments:
        return {"v": 1, "trade": whole["trade"], "bars": [], "moments": moments,
                "note": f"no picture of {trade_id} at {shown} was kept"}  # fmt: skip
    at = opened_ns(number) + (70 * SECOND if shown == "entry" else 24 * MINUTE) + 2 * SECOND
    bars = [bar for bar in whole["bars"] if bar[0] <= at]
    spot = bars[-1][4]
    return whole | {
        "moment": shown, "at_ns": at, "moments": moments, "path": f"/r/pictures/{trade_id}-{shown}.svg",
        "greeks": [],
        "lines": [line | ({"until_ns": 0} if shown == "entry" else {}) for line in whole["lines"]],
        "bars": bars, "marks": [mark for mark in whole["marks"] if mark["at_ns"] <= at],
        "trade": whole["trade"] if shown == "exit" else whole["trade"] | {"net_pnl": None, "result": "open"},
        "levels": [
            {"kind": "entry", "text": "entry 3.90", "price": spot},
            {"kind": "target", "text": "TP 4.80", "price": spot + 2.5, "about": True},
            {"kind": "stop", "text": "SL 3.05", "price": spot - 2.25, "about": True},
        ][shown == "exit" :],
    }  # fmt: skip


def gallery(args: dict[str, str]) -> Json:
    week = args.get("week", "2025-W47")
    shown = [picture(row[0]) for row in TRADES] if week == "2025-W47" else []
    return {"v": 1, "week": week, "found": len(shown), "before": "2025-W46" if shown else "",
            "after": "" if shown else "2025-W47", "pictures": shown, "note": ""}  # fmt: skip


def figures(trades: int, wins: int, net: str) -> Json:
    return {
        "trades": trades, "wins": wins, "losses": trades - wins, "net_pnl": net, "gross_win": "1.00",
        "gross_loss": "1.00", "commissions": "148.00", "win_rate": wins / trades, "profit_factor": 1.84,
        "expectancy": "22.70", "average_win": "121.40", "average_loss": "-88.10", "max_drawdown": "640.00",
        "sharpe": 1.62, "sortino": 2.41, "mean_hold_s": 1260,
    }  # fmt: skip


def performance() -> Json:
    total, peak, points = 0.0, 0.0, list[Json]()
    for n in range(74):
        net = 60 * math.sin(n / 5) + 35 * math.sin(n / 1.7) + 12
        total += net
        peak = max(peak, total)
        points.append({
            "at_ns": NOON - (74 - n) * 47 * MINUTE, "trade": f"T{n:04}", "net_pnl": f"{net:.2f}",
            "total": f"{total:.2f}", "fall": f"{peak - total:.2f}",
        })  # fmt: skip
    days = [
        {"session": f"2025-11-{day}", "trades": 6, "wins": 4, "net_pnl": net, "equity_end": equity,
         "return_pct": pct}
        for day, net, equity, pct in (
            (17, "210.00", "34810.00", 0.61), (18, "-95.30", "34714.70", -0.27),
            (19, "285.30", "35000.00", 0.82),
        )
    ]  # fmt: skip
    by = {
        "strategy": {"5MIN_TREND": figures(41, 26, "812.00"), "MACD_TREND": figures(20, 11, "204.40"),
                     "SPY_MEAN": figures(13, 4, "-130.20")},
        "hour": {"09": figures(30, 19, "640.00"), "10": figures(24, 13, "310.00"),
                 "13": figures(20, 9, "-63.80")},
        "scanner": {"SPX_V3_CALL": figures(28, 18, "540.00"), "SPY_21_200_PUT": figures(13, 4, "-130.20")},
        "cause": {"target": figures(40, 40, "4856.00"), "shield": figures(34, 0, "-3969.80")},
    }  # fmt: skip
    return {"v": 1, "all": figures(74, 41, "886.20"), "by": by, "curve": points, "days": days}


def _feed(symbol: str, mode: str, score: int, note: str = "", **more: object) -> Json:
    frames = ("1m", "5m", "10m", "15m", "1h", "4h")
    counts = {"ticks": 9240, "bad_ticks": 0, "late_ticks": 3, "quotes": 1260, "zero_quotes": 0,
              "crossed_quotes": 0, "stale_quotes": 0, "compared": 270, "divergent": 0,
              "history_faults": 0}  # fmt: skip
    return {
        "symbol": symbol, "mode": mode, "source": "paper", "age_s": 0.4, "last_ns": NOON, "last": 5938.25,
        "gaps": 0, "score": score, "throttled": False, "halted": False, "note": note, "counts": counts,
        "series": [
            {"timeframe": frame, "bars": 2154 - 40 * n, "ready": True, "newest_ns": NOON - (n + 1) * 5 * MINUTE,
             "divergent": 0, "trouble": ""}
            for n, frame in enumerate(frames)
        ],
    } | more  # fmt: skip


def health(*, busy: bool = False) -> Json:
    feeds = [
        _feed("SPX", "LIVE", 100),
        _feed("SPY", "LIVE", 98),
        _feed("ES", "LIVE", 91),
        _feed("VIX", "LIVE", 100),
    ]
    if busy:
        feeds[1] = _feed("SPY", "STALE", 62, "no stream since 19:21:40", age_s=27.4, gaps=2)
        feeds[2] = _feed("ES", "BACKFILLING", 74, "bars are missing", gaps=1, throttled=True)
    alarms = {"latency": "market data is 312 ms late at p95 (limit 200 ms)"} if busy else {}
    late = 312.0 if busy else 21.0
    latency = {"samples": 512, "p50_ms": 4.0, "p95_ms": late, "skew_ms": -3.0, "limit_ms": 200.0}
    return {"v": 1, "now_ns": NOON, "broker": "paper", "broker_up": True, "latency": latency, "alarms": alarms,
            "feeds": feeds}  # fmt: skip


def jobs(*, busy: bool = False) -> Json:
    names = (
        "orders",
        "reconcile",
        "protection",
        "bars",
        "hunt",
        "money",
        "warm",
        "market",
        "beat",
        "jobs",
        "day end",
    )
    tasks = [
        {"name": name, "critical": n < 6, "running": True, "beat_ns": NOON - (n * n + 1) * SECOND,
         "started_ns": NOON - 292 * MINUTE, "restarts": 0, "failing": False, "last_error": "",
         "last_failure_ns": 0}
        for n, name in enumerate(names)
    ]  # fmt: skip
    if busy:
        tasks[7] |= {
            "restarts": 6,
            "failing": True,
            "last_error": "Retryable: the second source does not answer",
        }
    planned = [
        {"name": "position snapshots", "cron": "*/5 9-16 * * mon-fri", "next_ns": NOON + 3 * MINUTE,
         "last_ns": NOON - 2 * MINUTE, "runs": 58, "failures": 0, "last": "2 snapshots"},
        {"name": "nightly sync", "cron": "30 17 * * mon-fri", "next_ns": NOON + 188 * MINUTE, "last_ns": 0,
         "runs": 1 if busy else 0, "failures": 1 if busy else 0,
         "last": "failed: the source does not answer" if busy else ""},
    ]  # fmt: skip
    return {"v": 1, "now_ns": NOON, "phase": "trading", "lag_ms": {"p50": 0.2, "p99": 1.4}, "tasks": tasks,
            "jobs": planned, "day_end": []}  # fmt: skip


LINES = (
    ("info", "trade.exit_submitted", "T0004", "target SELL 2 SPXW 20251120 5940C @ 5.20"),
    ("info", "order.execution", "T0004", "BUY 2 SPXW 20251120 5940C @ 4.20"),
    ("warning", "alert", "", "ES: quality 62 under 70"),
    ("error", "fault.handler", "", "market: Retryable: the second source does not answer"),
    ("info", "trade.signal", "T0004", "SPX_V3_CALL 87"),
    ("critical", "alert", "", "gate CLOSED: day P&L at the limit"),
    ("info", "reconciliation", "", "clean, 3 orders, 2 positions"),
)


def log(args: dict[str, str]) -> Json:
    levels = ("info", "warning", "error", "critical")
    least = levels.index(args.get("level", "info"))
    kept = [
        {"ts_utc": utc_text(NOON - n * 7 * SECOND), "level": level, "event": event, "trade_id": trade_id,
         "text": text}
        for n, (level, event, trade_id, text) in enumerate(LINES)
        if levels.index(level) >= least
        and args.get("component", "") in ("", event.partition(".")[0])
        and args.get("text", "").lower() in f"{trade_id} {text}".lower()
    ]  # fmt: skip
    return {
        "v": 1,
        "lines": kept,
        "components": ["alert", "fault", "order", "reconciliation", "trade"],
        "whole": True,
    }


def answer(name: str, args: dict[str, str], *, busy: bool = False) -> Json | None:
    """The document of that name; None for one that is not of these."""
    documents: dict[str, Any] = {
        "journal": lambda: journal(args), "film": lambda: film(args["trade"]), "performance": performance,
        "picture": lambda: picture(args["trade"], args.get("moment", "")), "gallery": lambda: gallery(args),
        "health": lambda: health(busy=busy), "jobs": lambda: jobs(busy=busy), "log": lambda: log(args),
        "story": lambda: story(args["trade_id"]),
    }  # fmt: skip
    make = documents.get(name)
    return make() if make is not None else None
