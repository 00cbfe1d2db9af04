"""What a synthetic station tells of its signals, risk, scanners, strategies and settings."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from station.domain.clock import HOUR, MILLISECOND, MINUTE, SECOND
from station.link.screens import (
    Change,
    ChangeLine,
    FieldLine,
    FillLine,
    Lap,
    OrderLine,
    RowStory,
    ScannerLine,
    ScannerRoom,
    SettingLine,
    SettingsRoom,
    SignalLine,
    Signals,
    SignalStory,
    StepLine,
    StrategyLine,
    StrategyRoom,
    SwitchLine,
    VersionLine,
)

NOON = 1_763_666_527 * SECOND
BAR = NOON - NOON % (5 * MINUTE)
EDITED = Change(3, "edited", "screen", NOON - 2 * HOUR)

# --- signals -------------------------------------------------------------------------------------------

KINDS = (
    ("SPX_FIB_1HR_CALL", "SPX", "1h", "CALL", 87, "EXECUTED"), ("SPX_V3_PUT", "SPX", "5m", "PUT", 61,
        "GENERATED"),
    ("ES_CALL_V3", "ES", "5m", "CALL", 74, "REJECTED"), ("SPY_21_200_PUT", "SPY", "5m", "PUT", 66, "EXPIRED"),
    ("SPX_4HR_STOCHASTIC_MOMENTUM_CALL", "SPX", "4h", "CALL", 91, "EXECUTING"),
    ("SPX_ADX_5M", "SPX", "5m", "CALL", 58, "EXPIRED"),
)  # fmt: skip


def _signal(n: int) -> SignalLine:
    scanner, instrument, timeframe, side, confidence, state = KINDS[n % len(KINDS)]
    bar_ns = BAR - n * 5 * MINUTE
    line = SignalLine(
        f"S{n}", bar_ns + 3 * MILLISECOND, scanner, instrument, timeframe, side, confidence, state, bar_ns
    )  # fmt: skip
    if state in ("EXECUTED", "EXECUTING"):
        done = state == "EXECUTED"
        return msgspec.structs.replace(
            line, trade_id=f"T251120-{n}", strategy="5MIN_TREND", contract="SPXW 20251120 5940C",
            trade_state="CLOSED" if done else "SELL_SUBMITTED", order_ref=f"V1-DU1-T{n}-E-1",
            order_state="FILLED", ordered_ns=line.at_ns + 2 * MILLISECOND,
            filled_ns=line.at_ns + 74 * MILLISECOND,
            filled="2", price="4.20", net_pnl="184.10" if done and n % 4 == 0 else "-96.30" if done else "",
            why="target" if done else "",
        )  # fmt: skip
    why = {
        "REJECTED": "ES_BREAK risk: spread 7.1 % is over 5 % of mid",
        "EXPIRED": "SPY_MEAN veera: VIX EMA5 14.3 is not under EMA12 14.1",
    }.get(state, "")
    return msgspec.structs.replace(line, why=why)


def signals(args: Mapping[str, str], *, busy: bool) -> Signals:
    rows = [_signal(n) for n in range(60 if busy else 14)]
    day = args.get("day", "2025-11-20")
    if day != "2025-11-20":
        rows = rows[:2]
    chosen = [
        row for row in rows
        if args.get("symbol", row.instrument) == row.instrument and args.get("side", row.side) == row.side
    ]  # fmt: skip
    counts: dict[str, int] = {}
    for row in chosen:
        counts[row.state] = counts.get(row.state, 0) + 1
    chosen = [row for row in chosen if args.get("state", row.state) == row.state]
    laps = (Lap("signal → wire", 7, 3.4, 5.1), Lap("fill → protect", 5, 2.2, 3.4))
    return Signals(
        tuple(chosen), counts, day, ("2025-11-18", "2025-11-19", "2025-11-20"), ("SPX", "SPY", "ES", "VIX"),
        laps if busy else (laps[0], Lap("fill → protect", 0)),
    )  # fmt: skip


def signal(args: Mapping[str, str]) -> SignalStory:
    line = _signal(int(args["id"][1:]))
    at = line.at_ns
    steps = (
        StepLine(at, "match", "pass", "signals match"), StepLine(at, "veera", "pass", "no rule is enabled"),
        StepLine(at + MILLISECOND, "size", "pass", "WM235K week 4, level T1"),
        StepLine(at + MILLISECOND, "risk", "pass", "spread: within the limit", "2.3 %", "5 % of mid"),
    )  # fmt: skip
    if not line.trade_id:
        steps = (StepLine(at, "risk ES_BREAK", "block", "spread is too wide", "7.1 %", "5 % of mid"),)
        return SignalStory(line.id, line.scanner, at, at + 15 * MINUTE, _rationale(line), steps=steps)
    entry = OrderLine(
        line.order_ref, "entry", "BUY", "LMT", "2", "2", "FILLED", line.ordered_ns, line.filled_ns, "4.20",
        average="4.20",
    )  # fmt: skip
    exit_order = OrderLine(
        "V1-DU1-T0-X-1", "target", "SELL", "LMT", "2", "0", "SUBMITTED", line.filled_ns + 2 * MILLISECOND,
        line.filled_ns + 9 * MILLISECOND, "5.20",
    )  # fmt: skip
    fill = FillLine(line.order_ref, line.filled_ns, "BUY", "2", "4.20", "1.30")
    return SignalStory(
        line.id, line.scanner, at, at + 15 * MINUTE, _rationale(line),
        ("the underlying is within 0.1 % of yesterday's high",), "6794ba8e65719a79c0", steps, (entry,
            exit_order),
        (fill,),
    )  # fmt: skip


def _rationale(line: SignalLine) -> str:
    return (
        f"{line.scanner} {line.side} on {line.instrument} {line.timeframe} at 5938.25, score {line.confidence}"
    )


# --- risk ----------------------------------------------------------------------------------------------

RULES = (
    ("market gate", "OPEN", "OPEN"), ("kill switch", "off", "off"), ("reconciliation", "complete", "complete"),
    ("session", "in session", "in session"), ("entry window", "4h 52m after the open", "5m after the open"),
    ("quote age", "0.4 s", "5 s"), ("spread", "2.38 %", "5 % of mid"), ("data quality", "98", "at least 70"),
    ("VIX ceiling", "14.12", "35"), ("daily loss", "$412.00", "-$500.00"), ("open positions", "2 open", "3"),
    ("position size", "2.4 % ($840.00)", "5 % of equity"), ("portfolio delta", "42.0 to 63.1",
        "±100 index units"),
    ("portfolio vega", "+$9,100 to +$12,400", "±$50,000 per 1.00 of volatility"),
    ("portfolio theta", "-$1,210 to -$1,804", "-$2,000 to the same hour tomorrow"),
    ("capital at risk", "$840.00", "$10,000"), ("orders a day", "11", "50"),
    ("duplicate order", "none", "none"),
)  # fmt: skip


def risk(args: Mapping[str, str], *, busy: bool) -> dict[str, object]:
    side = args.get("side", "CALL")
    symbol = args.get("symbol", "SPX")
    refused = {"spread", "portfolio theta"} if busy else set[str]()
    verdicts = [
        {
            "rule": rule, "passed": rule not in refused, "value": value, "limit": limit,
            "code": rule.upper().replace(" ", "_") if rule in refused else None,
            "reason": f"{rule} would be over its limit" if rule in refused else "within the limit",
        }
        for rule, value, limit in RULES
    ]  # fmt: skip
    pnl = [
        [f"{spot * 180 + vol * 11:.2f}" for spot in (-10, -5, -3, -1, 0, 1, 3, 5, 10)]
        for vol in (-50, -25, 0, 25, 50)
    ]
    shares = [{"name": "SPX", "value": "920.00", "pct": 2.6}, {"name": "SPY", "value": "505.00", "pct": 1.4}]
    return {
        "v": 1, "approved": not refused, "fits": 1 if not refused else 0, "bound_by": None,
        "note": "hypothetical: one contract as it would be picked now",
        "proposal": {"symbol": symbol, "contract": f"{symbol}W 20251120 5940{side[0]}", "action": "BUY",
            "qty": 1},
        "verdicts": verdicts,
        "portfolio": {
            "positions": 2, "value": "1425.00",
            "exposure": {
                "underlying": shares,
                "strategy": [{"name": "5MIN_TREND", "value": "920.00", "pct": 2.6}],
                "sector": [{"name": "broad", "value": "1425.00", "pct": 4.0}],
            },
            "greeks": {"delta_index": 42.0, "gamma_index": 1.2, "vega_usd": 9100.0, "theta_usd_day": -1210.0},
            "open_risk": "313.50", "var_95": "642.10", "sigma_pct": 27.4, "stress": {"pct": -30.0,
                "pnl": "-1425.00"},
            "grid": {
                "spots_pct": [-10, -5, -3, -1, 0, 1, 3, 5, 10], "vols_pct": [-50, -25, 0, 25, 50], "pnl": pnl,
            },
            "concentration": {"largest": "SPX", "pct": 64.6, "herfindahl": 0.54},
            "correlation": {"symbols": ["SPX", "SPY"], "matrix": [[1.0, 0.99], [0.99, 1.0]]},
        },
    }  # fmt: skip


# --- scanners, strategies, settings --------------------------------------------------------------------


def scanner_room(*, busy: bool) -> ScannerRoom:
    rules = (
        ("SPX_V3_CALL", "v3", "SPX", "5m", "CALL", "READY"), ("SPX_V3_PUT", "v3", "SPX", "5m", "PUT", "READY"),
        ("SPX_FIB_1HR_CALL", "fibonacci", "SPX", "1h", "CALL", "READY"),
        ("ES_FIB_PUT_1HR", "fibonacci", "ES", "1h", "PUT", "DISABLED"),
        ("SPX_4HR_STOCHASTIC_MOMENTUM_CALL", "stochastic_momentum", "SPX", "4h", "CALL", "WARMING 41/70"),
        ("SPY_21_200_PUT", "cross_21_200", "SPY", "5m", "PUT", "DEGRADED 3 bars missing"),
    )  # fmt: skip
    rows = [
        ScannerLine(
            name if n < len(rules) else f"{name}_{n}", family, instrument, timeframe, side,
            status != "DISABLED", status, 300 * (n + 1), 2004, 1000,
            58, n * 9, n * 4, {"cooldown": n * 5} if n else {}, NOON - n * 7 * MINUTE if n else 0,
            side if n else "", 50 + n * 7 % 50 if n else 0,
            (0, 1, 0, 3, n % 7, 2, n % 4, 0, 1, 0, 0, 0, 0) if n else (),
            EDITED if status == "DISABLED" else Change(1),
        )
        for n, (name, family, instrument, timeframe, side, status) in enumerate(rules * (9 if busy else 1))
    ]  # fmt: skip
    switches = tuple(
        SwitchLine(name, name != "es_only_mode", Change(1)) for name in ("email_all", "es_only_mode")
    )
    return ScannerRoom(tuple(rows), switches, {"config": 2, "hours": 3, "cooldown": 12, "bar": 5})


def strategy_room(*, busy: bool) -> StrategyRoom:
    rows = (
        StrategyLine("5MIN_TREND", "SPX", True, 1, "auto", "standard", "MATCH", "SPX_FIB_1HR_CALL", NOON, 2,
                     "184.10", change=EDITED),
        StrategyLine("SPX_CONTEXT", "SPX", True, 2, "propose", "context_plus_trigger", "WAIT",
                     "match: no signal matches the patterns", NOON, change=Change(1)),
        StrategyLine("SPY_MEAN", "SPY", True, 3, "auto", "standard", "BLOCK",
                     "veera: VIX EMA5 14.3 is not under EMA12 14.1", NOON, 3, "-96.30",
                     "fell $3,550.00 from its peak, the limit is $3,500.00" if busy else "", Change(1)),
        StrategyLine("ES_BREAK", "ES", False, 4, "observe", "standard", "OFF", change=Change(1)),
    )  # fmt: skip
    return StrategyRoom(rows, 212)


def settings(*, busy: bool) -> SettingsRoom:
    loss = SettingLine("risk.daily_loss_pct", "risk", "1.5", "2", "number", "over 0, at most 100",
        "the database",
                       live=True, change=EDITED)  # fmt: skip
    rows = (
        SettingLine("station.environment", "station", "paper", "paper", "paper | live", source="the file",
                    editable=False),
        SettingLine("market.latency_alert_p95_ms", "market", "300", "200", "whole number",
                    "at least 1, at most 60000", "the database", waiting="200", change=EDITED),
        loss,
        SettingLine("risk.max_positions", "risk", "3", "3", "whole number", "at least 1, at most 100",
            "the file",
                    live=True),
        SettingLine("risk.one_per_instrument", "risk", "on", "on", "on or off", "", "the file", live=True),
        SettingLine("risk.beta", "risk", "1.2", "2.0", "number", "over 0, at most 100", "the environment",
                    editable=False, live=True),
        SettingLine("secrets.rest_key", "secrets", "set", "not set", "secret, from the environment or .env",
                    source="the environment", editable=False),
    )  # fmt: skip
    more = tuple(msgspec.structs.replace(loss, key=f"risk.limit_{n}") for n in range(60)) if busy else ()
    return SettingsRoom(rows[:5] + more + rows[5:])


def config_row(args: Mapping[str, str]) -> RowStory:
    kind, key = args["kind"], args["key"]
    fields: tuple[FieldLine, ...] = ()
    name = "value"
    if kind == "strategy":
        name = "target_pct"
        fields = (
            FieldLine("enabled", "on", "on", "on or off"), FieldLine("priority", "1", "1", "whole number",
                "1 to 1000"),
            FieldLine("autonomy", "auto", "auto", "observe | propose | auto"),
            FieldLine("call_patterns", "SPX_V3_CALL ES_CALL_V3", "", "list", "globs over scanner names"),
            FieldLine("target_pct", "25", "23", "number", "0.1 to 1000"),
            FieldLine("shield", "rapid_shield", "none", "rapid_shield | day_shield | none"),
        )  # fmt: skip
    elif kind == "scanner":
        name = "cooldown_s"
        fields = (
            FieldLine("enabled", "on", "on", "on or off"),
            FieldLine("cooldown_s", "", "", "whole number", "0 to 604800, empty: the timeframe's"),
            FieldLine("params", "fast=9 slow=21 trend=200", "", "name=number …", "of the family"),
        )  # fmt: skip
    versions = (
        VersionLine(3, NOON - 2 * HOUR, "screen", "edited", (ChangeLine(name, "22", "25"),)),
        VersionLine(2, NOON - 3 * HOUR, "risk desk", "edited",
                    (ChangeLine(name, None, "22"), ChangeLine("autonomy", "auto", "propose"))),
        VersionLine(1, NOON - 30 * HOUR, "shipped", "shipped"),
    )  # fmt: skip
    return RowStory(kind, key, fields, versions, EDITED)


def answer(name: str, args: Mapping[str, str], *, busy: bool) -> str | None:
    """The JSON of a document; None for a name that is not told here."""
    if name == "risk":
        return json.dumps(risk(args, busy=busy))
    documents = {
        "signals": lambda: signals(args, busy=busy), "signal": lambda: signal(args),
        "scanner_room": lambda: scanner_room(busy=busy), "strategy_room": lambda: strategy_room(busy=busy),
        "settings": lambda: settings(busy=busy), "config_row": lambda: config_row(args),
    }  # fmt: skip
    found = documents.get(name)
    return None if found is None else msgspec.json.encode(found()).decode()
