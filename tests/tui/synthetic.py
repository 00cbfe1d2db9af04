"""A synthetic engine: floors that look like a trading day, behind a real LinkServer.

Run as a program it serves them until killed: `python tests/tui/synthetic.py SOCKET [calm|still]`, printing two
lines a second with how late its own loop ran.
"""

from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal
from pathlib import Path

import msgspec

from station.clock import WallClock
from station.domain.clock import MINUTE, SECOND
from station.link import (
    Ack,
    AlertRow,
    Alerts,
    Ask,
    AskedPart,
    CancelAll,
    CancelOrder,
    ClosePart,
    CloseTrade,
    Command,
    CopyStrategy,
    Data,
    DeclineProposal,
    EditConfig,
    ExitRow,
    Feed,
    FiringRow,
    Flatten,
    Floor,
    Gate,
    Header,
    Kill,
    KillRelease,
    LinkServer,
    ModifyOrder,
    NoteTrade,
    PlaceOrder,
    PositionRow,
    Positions,
    PreviewOrder,
    PreviewProposal,
    PreviewReverse,
    Price,
    Query,
    Reply,
    ReverseTrade,
    RevertConfig,
    Scanners,
    Stop,
    Story,
    Strategies,
    StrategyRow,
    TagTrade,
    TakeProposal,
    Tip,
)
from station.link.asked import refusal
from station.link.messages import READ_ONLY_COMMANDS
from tests.tui import synthetic_orders, synthetic_pages, synthetic_panes
from tests.tui.synthetic_pages import question

NOON = 1_763_666_527 * SECOND  # Thursday 2025-11-20, 14:22:07 in New York


def prices(now_ns: int, wave: float = 0.0) -> tuple[Price, ...]:
    return (
        Price("SPX", 5938.25 + wave, 0.42 + wave / 50, now_ns - SECOND),
        Price("SPY", 592.31 + wave / 10, 0.39, now_ns - SECOND),
        Price("ES", 5951.50 + wave, -0.08, now_ns),
        Price("VIX", 14.12 - wave / 50, -2.31, now_ns - 2 * SECOND),
    )


def header(now_ns: int = NOON, wave: float = 0.0) -> Header:
    return Header(
        "PAPER", "OPEN", now_ns, account="DU1000001", broker="paper", session="OPEN", pace="sim ×1",
        prices=prices(now_ns, wave), equity=Decimal("35412.00") + Decimal(round(wave * 10)),
        day_pnl=Decimal("412.00") + Decimal(round(wave * 10)), day_pct=1.18, latency_ms=4.0, lag_ms=0.3,
        open_trades=2, working_orders=3,
    )  # fmt: skip


def feed(now_ns: int = NOON, shift: int = 0) -> Feed:
    names = (
        ("SPX_FIB_1HR_CALL", "CALL", 87, ""), ("ES_CALL_V3", "CALL", 74, "cooldown"),
        ("SPX_V3_PUT", "PUT", 61, ""), ("VIX_21_200_CALL", "CALL", 58, "hours"),
        ("SPX_4HR_STOCHASTIC_MOMENTUM_CALL", "CALL", 91, "bar"), ("SPY_21_200_PUT", "PUT", 66, "config"),
        ("SPX_ZONE_BREAKOUT_CALL", "CALL", 79, ""), ("SPX_10MIN_MACD_DOWN", "PUT", 55, "cooldown"),
    )  # fmt: skip
    rows = tuple(
        FiringRow(now_ns - n * 47 * SECOND, name, side, score, gate)
        for n, (name, side, score, gate) in ((n, names[(n + shift) % len(names)]) for n in range(40))
    )
    return Feed(rows, {"hours": 3, "cooldown": 12 + shift, "bar": 5, "config": 0}, 14 + shift, 84, 84)


def positions(now_ns: int = NOON, wave: float = 0.0) -> Positions:
    mark = Decimal("4.60") + Decimal(round(wave * 4)) / 20
    pnl = (mark - Decimal("4.20")) * 200
    return Positions(
        (
            PositionRow(
                "T1", "SPXW 20251120 5940C", Decimal(2), "SELL_SUBMITTED", Decimal("4.20"), mark,
                now_ns - SECOND, pnl, float(pnl / 840 * 100), Decimal("5.20"), None, "rapid shield -22%",
                "grace", NOON + 7 * MINUTE + 12 * SECOND, "sell 5.20 live", strategy="5MIN_TREND",
            ),
            PositionRow(
                "T2", "SPY 20251120 591P", Decimal(5), "SELL_SUBMITTED", Decimal("1.12"), Decimal("1.01"),
                now_ns - 2 * SECOND, Decimal("-55.00"), -9.82, Decimal("1.38"), Decimal("0.87"),
                "rapid shield -22%", "unclosed alert", NOON + 19 * MINUTE, "sell 1.38 live + stop 0.87",
                strategy="SPY_MEAN",
            ),
        )
    )  # fmt: skip


def ladder() -> tuple[ExitRow, ...]:
    legs = (
        ("LMT", 1, Decimal("5.20"), None),
        ("LMT", 1, Decimal("5.90"), None),
        ("STP", 2, None, Decimal("3.20")),
    )
    return tuple(
        ExitRow(f"V1-DU1-T1-X-{n}", "SELL", kind, Decimal(qty), Decimal(0), limit, stop, "SUBMITTED")
        for n, (kind, qty, limit, stop) in enumerate(legs)
    )


def busy_positions(now_ns: int = NOON) -> Positions:
    calm = positions(now_ns).rows
    return Positions(
        (
            *calm,
            PositionRow(
                "T3", "ES 20251120 5950C", Decimal(1), "BUY_FILLED", Decimal("6.25"), Decimal("6.50"),
                now_ns - 42 * SECOND, Decimal("12.50"), 4.0, None, None, "", "grace", NOON + 14 * MINUTE,
                "no sell at the broker yet", protected=False, strategy="ES_BREAK",
            ),
            PositionRow(
                "T4", "SPXW 20251120 5900P", Decimal(1), "BUY_SUBMITTED", timer="entry",
                timer_until_ns=NOON + 41 * SECOND, protection="buy 3.10 limit working",
                entry_ref="V1-DU1-T4-E-1", strategy="HEDGE",
            ),
        )
    )  # fmt: skip


def alerts(now_ns: int = NOON) -> Alerts:
    return Alerts(
        (
            AlertRow(now_ns - 30 * SECOND, "good", "FILL SPXW 5940C 2 @ 4.20, slippage 0.02"),
            AlertRow(now_ns - 95 * SECOND, "info", "gate OPEN by screen"),
            AlertRow(
                now_ns - 5 * MINUTE,
                "warn",
                "SPX 5m: 2 bars missing, backfilled from history before scanners ran",
            ),
            AlertRow(
                now_ns - 9 * MINUTE, "info", "reconciled with the broker: 3 orders, 2 positions, no difference"
            ),
        )
    )


def busy_alerts(now_ns: int = NOON) -> Alerts:
    crisis = AlertRow(
        now_ns - SECOND, "critical",
        "ES 5950C: the protective sell was rejected (110, price does not conform to the minimum variation); "
        "a corrected order at 7.75 is being sent, the position is unprotected until it is acknowledged",
    )  # fmt: skip
    more = tuple(AlertRow(now_ns - n * MINUTE, "info", f"heartbeat {n}") for n in range(2, 40))
    return Alerts((crisis, *alerts(now_ns).rows, *more))


def strategies(now_ns: int = NOON) -> Strategies:
    return Strategies(
        (
            StrategyRow("5MIN_TREND", "HELD", "CALL", "SPX_FIB_1HR_CALL 87 · ES_CALL_V3 74", "",
                        "standard", 1, now_ns),
            StrategyRow("SPX_CONTEXT", "WAIT", "CALL", "SPX_V3_CALL 72", "trigger missing within 5 min",
                        "context+trigger", 2, now_ns - MINUTE),
            StrategyRow("SPY_MEAN", "BLOCK", "PUT", "SPY_21_200_PUT 66", "veera VIX EMA5<EMA12 5m: 14.3 ≥ 14.1",
                        "standard", 3, now_ns - 3 * MINUTE),
            StrategyRow("ES_BREAK", "OFF", hunter="standard", priority=4),
        ),
        hunts=212,
    )  # fmt: skip


def calm() -> Floor:
    return Floor(header(), feed(), positions(), alerts(), strategies(), synthetic_orders.orders(NOON))


def busy() -> Floor:
    head = msgspec.structs.replace(
        header(), environment="LIVE", gate="REDUCING", gate_reason="by risk desk", kill=True,
        kill_reason="daily loss 1.5 x limit", day_pnl=Decimal("-1062.40"), day_pct=-3.04, open_trades=4,
        working_orders=5, broker="ibkr", account="U7654321", pace="", latency_ms=240.0,
        prices=(*prices(NOON)[:2], Price("ES", 5950.0, -0.2, NOON - 48 * SECOND), Price("VIX")),
    )  # fmt: skip
    return Floor(
        head, feed(), busy_positions(), busy_alerts(), strategies(), synthetic_orders.orders(NOON)
    )  # fmt: skip


class SyntheticEngine:
    """Answers commands the way an engine does, and remembers them; with a `fault` it fails at everything."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.heard: list[Command] = []
        self.stopping = asyncio.Event()
        self.fault: Exception | None = None
        self.wave = 0.0
        self.asked: list[Ask] = []
        self.refusals: dict[str, tuple[str, str]] = {}
        self.closed = False
        self.counterpart = synthetic_orders.Counterpart()
        self.documents: dict[str, Reply] = {}
        self.edits: list[Reply] = []
        """What is answered to edits, the next first; taken, when nothing is here."""

    def answer(self, ask: Ask) -> AskedPart | None:
        """As an engine at work; `refusals` by part say a state and its note instead."""
        self.asked.append(ask)
        if ask.part in self.refusals:
            return refusal(ask, *self.refusals[ask.part])
        head = self.floor.header
        part = synthetic_panes.answer(ask, head.now_ns if head is not None else NOON, self.wave)
        if self.closed and isinstance(part, Tip):
            return msgspec.structs.replace(part, mode="CLOSED", bar=None)
        return part

    def picture(self) -> Floor:
        if self.fault is not None:
            raise self.fault
        return self.floor

    async def handle(self, command: Command) -> Reply:
        self.heard.append(command)
        if self.fault is not None:
            raise self.fault
        match command:
            case Kill(flatten=flatten):
                self._header(kill=True, kill_reason="by screen")
                done = "3 orders cancelled" + (
                    ", 2 positions closing at market" if flatten else "; exits stand"
                )
                return Ack(True, done)
            case KillRelease():
                self._header(kill=False, kill_reason="")
                return Ack(True, "kill switch released")
            case Gate(state=state):
                self._header(gate=state.upper())
                return Ack(True, f"gate {state.upper()}")
            case Flatten():
                return Ack(True, "2 positions closing at market")
            case CloseTrade(trade_id="T1"):
                return Ack(True, "SPXW 5940C: market sell sent")
            case CloseTrade() | CancelOrder():
                return Ack(False, "the order is filled already", "FILLED")
            case (
                PreviewOrder() | PlaceOrder() | ModifyOrder() | ClosePart() | ReverseTrade() | CancelAll()
                | PreviewProposal() | PreviewReverse() | TakeProposal() | DeclineProposal()
            ):  # fmt: skip
                return self.counterpart.answer(command)
            case EditConfig() | CopyStrategy() | RevertConfig():
                return self.edits.pop(0) if self.edits else Ack(True, "taken")
            case Stop():
                self.stopping.set()
                return Ack(True, "stopping")
            case Query(name="heard"):
                orders = [one for one in self.heard if not isinstance(one, READ_ONLY_COMMANDS)]
                return Data(json.dumps([type(one).__name__ for one in orders]))
            case Query() | Scanners() | Story():
                known = self.documents.get(question(command))
                return known or synthetic_pages.answer(
                    command, busy=len(self.floor.positions.rows) > 2 if self.floor.positions else False
                )
            case NoteTrade() | TagTrade() if self.edits:
                return self.edits.pop(0)
            case NoteTrade(trade_id=trade_id):
                return Ack(True, f"noted on {trade_id}")
            case TagTrade(trade_id=trade_id, tag=tag, on=on):
                return Ack(True, f"tag {tag} {'on' if on else 'off'} {trade_id}")
            case _:
                return Data("{}")

    def _header(self, **changes: object) -> None:
        assert self.floor.header is not None
        self.floor = msgspec.structs.replace(
            self.floor, header=msgspec.structs.replace(self.floor.header, **changes)
        )


async def serve(path: Path, scene: str) -> None:
    """Serve moving floors until asked to stop; says twice a second how late the loop was at worst."""
    clock = WallClock()
    engine = SyntheticEngine(calm())
    server = LinkServer(path, engine.handle, engine.picture, clock=clock, answer=engine.answer)
    await server.start()
    beats, worst_ns, last = 0, 0, clock.perf()
    while not engine.stopping.is_set():
        await clock.sleep(0.02)
        now = clock.perf()
        worst_ns, last = max(worst_ns, now - last - 20_000_000), now
        beats += 1
        if beats % 12 == 0 and scene != "still":
            _move(engine, beats)
        if beats % 25 == 0:
            print(f"beat {beats // 25} late_ms {worst_ns / 1e6:.1f} clients {server.clients}", flush=True)
            worst_ns = 0
    await server.stop()


def _move(engine: SyntheticEngine, beats: int) -> None:
    wave = ((beats * 37) % 41 - 20) / 10
    now_ns = NOON + beats // 50 * SECOND
    old = engine.floor.header
    assert old is not None
    fresh = msgspec.structs.replace(old, now_ns=now_ns, prices=prices(now_ns, wave), lag_ms=0.2 + wave / 50)
    engine.wave = wave
    engine.floor = msgspec.structs.replace(
        engine.floor, header=fresh, positions=positions(now_ns, wave),
        feed=feed(now_ns - now_ns % MINUTE, beats // 250),
    )  # fmt: skip


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "calm"))
